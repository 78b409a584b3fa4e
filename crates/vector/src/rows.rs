//! Arrays that grow without moving, so that those who search read them while their one owner adds to them.
//!
//! An array is in chunks: 32 of one item, 32 of two, 32 of four and so on, so that at most a 32nd of it is not used yet. A chunk never
//! moves and goes when the array goes. Fresh memory is zero, and pages of it that nobody has written need not be there.
//!
//! Numbers that change under the readers' eyes are atomics. Lines of vectors are not: they are written only while nobody reads
//! them, which is what [`Rows::write`] asks of its caller.

use crate::kernel::{Line, prefetch};
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::UnsafeCell;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

/// Chunks of one size.
const PARTS: usize = 32;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
/// Sizes: enough for [`ITEMS_MAX`] items.
const OCTAVES: usize = (30 - PARTS_BITS) as usize;
/// One array has at most so many items.
pub(crate) const ITEMS_MAX: u32 = (1 << 30) - PARTS as u32;

/// What may lie in an array.
///
/// # Safety
///
/// Zero bytes are a value.
pub(crate) unsafe trait Zeroed {}

// SAFETY: zero bytes are the number 0.
unsafe impl Zeroed for AtomicU32 {}

type Chunks<T> = [OnceLock<Box<[T]>>; PARTS];

/// An array of items, each of which is `stride` values of `T` one after the other.
pub(crate) struct Grow<T> {
    stride: usize,
    octaves: [OnceLock<Box<Chunks<T>>>; OCTAVES],
}

/// In which chunk of which octave an item is, and the how manieth there.
#[inline(always)]
fn place(item: u32) -> (usize, usize, usize) {
    let at = item + PARTS as u32;
    let octave = 31 - PARTS_BITS - at.leading_zeros();
    (octave as usize, (at >> octave) as usize % PARTS, at as usize & ((1 << octave) - 1))
}

impl<T: Zeroed> Grow<T> {
    pub(crate) fn new(stride: usize) -> Self {
        Grow { stride, octaves: [const { OnceLock::new() }; OCTAVES] }
    }

    /// The values of an item. Its place must have been made.
    #[inline(always)]
    pub(crate) fn get(&self, item: u32) -> &[T] {
        let (octave, part, at) = place(item);
        let chunk = self.octaves[octave].get().and_then(|chunks| chunks[part].get());
        let chunk = chunk.expect("a place is made before it is used");
        &chunk[at * self.stride..(at + 1) * self.stride]
    }

    /// The values of an item, if its place has been made.
    pub(crate) fn find(&self, item: u32) -> Option<&[T]> {
        let (octave, part, at) = place(item);
        let chunk = self.octaves[octave].get()?[part].get()?;
        Some(&chunk[at * self.stride..(at + 1) * self.stride])
    }

    /// Makes a place for an item, and for those that share its chunk; gives the bytes that were allocated.
    pub(crate) fn make(&self, item: u32) -> usize {
        let (octave, part, _) = place(item);
        let mut bytes = 0;
        let chunks = self.octaves[octave].get_or_init(|| {
            bytes += size_of::<Chunks<T>>();
            Box::new([const { OnceLock::new() }; PARTS])
        });
        chunks[part].get_or_init(|| {
            let chunk = zeroed(self.stride << octave);
            bytes += size_of_val(&*chunk);
            chunk
        });
        bytes
    }
}

impl<T> Grow<T> {
    /// Frees the last chunk; the bytes that it took, `None` if there is none. No item of it may be asked for any more.
    pub(crate) fn free_chunk(&mut self) -> Option<usize> {
        for octave in self.octaves.iter_mut().rev() {
            let Some(chunks) = octave.get_mut() else { continue };
            if let Some(chunk) = chunks.iter_mut().rev().find_map(OnceLock::take) {
                return Some(size_of_val(&*chunk));
            }
            octave.take();
            return Some(size_of::<Chunks<T>>());
        }
        None
    }
}

/// Fresh memory for so many values.
fn zeroed<T: Zeroed>(count: usize) -> Box<[T]> {
    let layout = Layout::array::<T>(count).expect("no chunk is that large");
    if layout.size() == 0 {
        // SAFETY: values without size need no memory.
        return unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(std::ptr::dangling_mut(), count)) };
    }
    // SAFETY: the size is not 0.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: the memory is as large and as aligned as such a slice, belongs to nobody else, and is full of zeros, which
    // is a value of T.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(memory.cast(), count)) }
}

/// A line that its owner may write behind a shared reference.
#[repr(transparent)]
struct Cell(UnsafeCell<Line>);

// SAFETY: bytes may be zero.
unsafe impl Zeroed for Cell {}
// SAFETY: it is written by `Rows::write` alone, whose caller sees to it that nobody reads it meanwhile.
unsafe impl Sync for Cell {}

/// Vectors, one a row, in whole lines.
pub(crate) struct Rows(Grow<Cell>);

impl Rows {
    /// Rows of so many lines.
    pub(crate) fn new(lines: usize) -> Rows {
        Rows(Grow::new(lines))
    }

    /// Bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        self.0.stride * Line::BYTES
    }

    /// Makes a place for a row; gives the bytes that were allocated.
    pub(crate) fn make(&self, slot: u32) -> usize {
        self.0.make(slot)
    }

    /// The lines of a row. Its place must have been made.
    #[inline(always)]
    pub(crate) fn row(&self, slot: u32) -> &[Line] {
        let cells = self.0.get(slot);
        // SAFETY: a cell is a line, and nobody writes it while this is read: the caller of `write` sees to that.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
    }

    /// As [`Grow::free_chunk`].
    pub(crate) fn free_chunk(&mut self) -> Option<usize> {
        self.0.free_chunk()
    }

    /// Asks for a row.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        self.row(slot).iter().for_each(|line| prefetch(std::slice::from_ref(line)));
    }

    /// Writes a row whose place has been made; what is left of it becomes zero.
    ///
    /// # Safety
    ///
    /// Nobody reads or writes this row meanwhile, or holds what [`Rows::row`] gave for it, and whoever reads it later has
    /// learned of it by something that happened after.
    pub(crate) unsafe fn write(&self, slot: u32, bytes: &[u8]) {
        assert!(bytes.len() <= self.row_bytes(), "a vector fits into its row");
        let cells = self.0.get(slot);
        let mut parts = bytes.chunks(Line::BYTES);
        for cell in cells {
            let mut line = Line::ZERO;
            if let Some(part) = parts.next() {
                line.0[..part.len()].copy_from_slice(part);
            }
            // SAFETY: the caller's promise.
            unsafe { *cell.0.get() = line };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn places_follow_one_another() {
        let mut last = place(0);
        assert_eq!(last, (0, 0, 0));
        for item in 1..100_000 {
            let next = place(item);
            let (octave, part, at) = last;
            let follows = match next {
                (o, p, a) if (o, p) == (octave, part) => a == at + 1,
                (o, p, 0) if o == octave => p == part + 1 && at + 1 == 1 << octave,
                (o, 0, 0) => o == octave + 1 && part == PARTS - 1,
                _ => false,
            };
            assert!(follows, "{item}: {next:?} after {last:?}");
            last = next;
        }
        assert_eq!(place(ITEMS_MAX - 1).0, OCTAVES - 1);
    }

    #[test]
    fn what_is_written_stays_where_it_is() {
        let rows = Rows::new(2);
        let numbers: Grow<AtomicU32> = Grow::new(3);
        let mut bytes = 0;
        for slot in 0..1000 {
            bytes += rows.make(slot) + numbers.make(slot);
            // SAFETY: nobody else has these rows.
            unsafe { rows.write(slot, &[slot as u8; 100]) };
            numbers.get(slot)[2].store(slot, Relaxed);
        }
        let first: *const Line = rows.row(0).as_ptr();
        for slot in 0..1000 {
            let row = Line::bytes(rows.row(slot));
            assert!(row[..100].iter().all(|byte| *byte == slot as u8) && row[100..] == [0; 28]);
            assert_eq!(numbers.get(slot)[2].load(Relaxed), slot);
        }
        assert_eq!(rows.row(0).as_ptr(), first);
        let used = 1000 * (128 + 12);
        assert!(bytes > used && bytes < used + used / 32 + 6 * 2 * size_of::<Chunks<Cell>>(), "{bytes}");
    }

    #[test]
    #[should_panic = "a place is made"]
    fn what_was_not_made_is_not_there() {
        Rows::new(1).row(7);
    }
}
