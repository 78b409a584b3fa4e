//! Ziplists, which lists, hashes and sorted sets were packed in before Redis 7.0 (`ziplist.c` there).
//!
//! ```text
//! total bytes (4), offset of the last entry (4), number of entries (2; 65535: count them), entries, 255
//! ```
//! An entry begins with the length of the one before it (1 byte, or 254 and 4 bytes), then comes the encoding with the
//! length of a string or the width of an integer, then the bytes of either. All little endian, except the lengths of
//! strings.

use crate::Error;
use types::listpack::{Item, Listpack};

const HEADER_BYTES: usize = 10;
const END: u8 = 255;
/// What begins the long form of the length of the entry before.
const LONG_PREVIOUS: u8 = 254;
const COUNT_UNKNOWN: usize = u16::MAX as usize;

const CORRUPT: Error = Error::Corrupt("ziplist");

/// Checks a ziplist through and through and puts its entries into a listpack.
pub fn to_listpack(raw: &[u8]) -> Result<Listpack, Error> {
    let (&end, body) = raw.split_last().ok_or(CORRUPT)?;
    if end != END || body.len() < HEADER_BYTES || u32_at(raw, 0) != raw.len() {
        return Err(CORRUPT);
    }
    let (last, announced) = (u32_at(raw, 4), usize::from(u16::from_le_bytes([raw[8], raw[9]])));
    let mut listpack = Listpack::with_capacity(body.len() - HEADER_BYTES);
    let (mut at, mut previous_bytes, mut count) = (HEADER_BYTES, 0, 0);
    while at < body.len() {
        let entry = Entry::read(&body[at..]).ok_or(CORRUPT)?;
        if entry.previous_bytes != previous_bytes || !listpack.fits(entry.item.len()) {
            return Err(CORRUPT);
        }
        listpack.append(entry.item);
        count += 1;
        previous_bytes = entry.bytes;
        at += entry.bytes;
    }
    let ends_where_it_says = if count == 0 { last < raw.len() } else { last == at - previous_bytes };
    if !ends_where_it_says || (announced != COUNT_UNKNOWN && announced != count) {
        return Err(CORRUPT);
    }
    Ok(listpack)
}

fn u32_at(raw: &[u8], at: usize) -> usize {
    u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]) as usize
}

struct Entry<'a> {
    item: Item<'a>,
    /// What it says the entry before it takes.
    previous_bytes: usize,
    bytes: usize,
}

impl<'a> Entry<'a> {
    /// The entry that begins `row`, if it is whole.
    fn read(row: &'a [u8]) -> Option<Self> {
        let (previous_bytes, rest) = match row {
            [END, ..] => return None,
            [LONG_PREVIOUS, rest @ ..] => {
                let (bytes, rest) = rest.split_first_chunk::<4>()?;
                (u32::from_le_bytes(*bytes) as usize, rest)
            }
            [short, rest @ ..] => (usize::from(*short), rest),
            [] => return None,
        };
        let (item, rest) = read_item(rest)?;
        Some(Self { item, previous_bytes, bytes: row.len() - rest.len() })
    }
}

fn read_item(row: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&first, rest) = row.split_first()?;
    match first {
        0..0x40 => string(rest, usize::from(first)),
        0x40..0x80 => {
            let (&low, rest) = rest.split_first()?;
            string(rest, usize::from(first & 0x3F) << 8 | usize::from(low))
        }
        0x80..0xC0 => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            string(rest, u32::from_be_bytes(*len) as usize)
        }
        0xC0 => int::<2>(rest),
        0xD0 => int::<4>(rest),
        0xE0 => int::<8>(rest),
        0xF0 => int::<3>(rest),
        0xFE => int::<1>(rest),
        // Small numbers stand in the encoding itself.
        0xF1..=0xFD => Some((Item::Int(i64::from(first & 0x0F) - 1), rest)),
        _ => None,
    }
}

fn string(row: &[u8], len: usize) -> Option<(Item<'_>, &[u8])> {
    let (text, rest) = row.split_at_checked(len)?;
    Some((Item::new(text), rest))
}

/// A signed integer of `N` bytes.
fn int<const N: usize>(row: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (bytes, rest) = row.split_first_chunk::<N>()?;
    let mut wide = [0; 8];
    wide[8 - N..].copy_from_slice(bytes);
    Some((Item::Int(i64::from_le_bytes(wide) >> (8 * (8 - N))), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `ziplist.c`: "2" and "5", then a string behind them.
    const EXAMPLE: [u8; 28] = *b"\x1c\0\0\0\x0e\0\0\0\x03\0\x00\xf3\x02\xf6\x02\x0bHello World\xff";

    #[test]
    fn the_documented_example_is_read() {
        let items: Vec<_> = to_listpack(&EXAMPLE).unwrap().iter().map(|item| item.to_vec()).collect();
        assert_eq!(items, [&b"2"[..], b"5", b"Hello World"]);
        let empty = b"\x0b\0\0\0\x0a\0\0\0\0\0\xff";
        assert!(to_listpack(empty).unwrap().is_empty());
    }

    #[test]
    fn every_width_of_integer_and_string() {
        let mut entries: Vec<Vec<u8>> = vec![
            [&[0xFE][..], &(-5i8).to_le_bytes()].concat(),
            [&[0xC0][..], &(-300i16).to_le_bytes()].concat(),
            [&[0xF0][..], &(-70_000i32).to_le_bytes()[..3]].concat(),
            [&[0xD0][..], &9_000_000i32.to_le_bytes()].concat(),
            [&[0xE0][..], &i64::MIN.to_le_bytes()].concat(),
            vec![0xF1],
            vec![0xFD],
        ];
        entries.push([&[0x40, 100][..], &[b'a'; 100]].concat());
        entries.push([&[0x80, 0, 0, 0x4E, 0x20][..], &[b'b'; 20_000]].concat());
        entries.push(vec![1, b'c']);
        let raw = build(&entries);
        let items: Vec<_> = to_listpack(&raw).unwrap().iter().map(|item| item.to_vec()).collect();
        let texts = ["-5", "-300", "-70000", "9000000", "-9223372036854775808", "0", "12"];
        assert_eq!(items[..7], texts.map(|text| text.as_bytes().to_vec()));
        assert_eq!(items[7..], [vec![b'a'; 100], vec![b'b'; 20_000], b"c".to_vec()]);
    }

    fn build(entries: &[Vec<u8>]) -> Vec<u8> {
        let (mut raw, mut previous, mut last) = (vec![0; HEADER_BYTES], 0usize, HEADER_BYTES);
        for entry in entries {
            last = raw.len();
            if previous < 254 {
                raw.push(previous as u8);
            } else {
                raw.push(LONG_PREVIOUS);
                raw.extend_from_slice(&(previous as u32).to_le_bytes());
            }
            raw.extend_from_slice(entry);
            previous = raw.len() - last;
        }
        raw.push(END);
        let total = raw.len() as u32;
        raw[..4].copy_from_slice(&total.to_le_bytes());
        raw[4..8].copy_from_slice(&(last as u32).to_le_bytes());
        raw[8..10].copy_from_slice(&(entries.len() as u16).to_le_bytes());
        raw
    }

    #[test]
    fn whatever_does_not_agree_is_refused() {
        for at in [0, 1, 4, 8, 10, 12, 14, 15, 27] {
            let mut raw = EXAMPLE;
            raw[at] ^= 1;
            assert_eq!(to_listpack(&raw).err(), Some(CORRUPT), "{at}");
        }
        for len in 0..EXAMPLE.len() {
            assert_eq!(to_listpack(&EXAMPLE[..len]).err(), Some(CORRUPT), "{len}");
        }
        let mut end_inside = EXAMPLE;
        end_inside[12] = END;
        assert_eq!(to_listpack(&end_inside).err(), Some(CORRUPT));
    }
}
