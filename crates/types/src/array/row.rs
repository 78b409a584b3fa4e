//! Entries in a row: a buffer whose room follows its content in small steps.

use super::entry::Encoded;
use std::ops::Range;

/// Room for `bytes`: the next of eight steps between powers of two, as allocators have them.
fn room(bytes: usize) -> usize {
    let step = (bytes.next_power_of_two() / 8).max(8);
    bytes.next_multiple_of(step)
}

/// Puts `prefix` and an entry in the place of the bytes in `range`.
pub fn replace(row: &mut Vec<u8>, range: Range<usize>, prefix: &[u8], entry: &Encoded<'_>) {
    let (old, new, len) = (range.len(), prefix.len() + entry.len(), row.len());
    if new > old {
        let grown = len + new - old;
        if grown > row.capacity() {
            row.reserve_exact(room(grown) - len);
        }
        row.resize(grown, 0);
    }
    row.copy_within(range.end..len, range.start + new);
    if new < old {
        row.truncate(len + new - old);
        tighten(row);
    }
    let place = &mut row[range.start..range.start + new];
    place[..prefix.len()].copy_from_slice(prefix);
    entry.write_to(&mut place[prefix.len()..]);
}

/// Takes the bytes in `range` out.
pub fn cut(row: &mut Vec<u8>, range: Range<usize>) {
    row.drain(range);
    tighten(row);
}

/// Gives back room when less than half of it is used.
fn tighten(row: &mut Vec<u8>) {
    let wanted = room(row.len());
    if wanted * 2 <= row.capacity() {
        row.shrink_to(wanted);
    }
}
