//! What is left of a table that nobody looks anything up in any more: it is freed segment by segment, so that no step
//! takes long however large the table was.
//!
//! Dropping the remains frees the rest at once.

use crate::Layout;
use crate::bucket::ones;
use crate::directory::Directory;
use crate::segment::BUCKETS;
use std::mem::ManuallyDrop;

/// A table on its way out.
pub struct Remains<L: Layout> {
    /// Segments before `next` are freed already: its own drop must not run.
    directory: ManuallyDrop<Directory<L::Meta>>,
    /// First position of the next segment.
    next: Option<u64>,
    len: usize,
}

impl<L: Layout> Remains<L> {
    pub(crate) fn new(directory: Directory<L::Meta>, len: usize) -> Self {
        Self { directory: ManuallyDrop::new(directory), next: Some(0), len }
    }

    /// Records not yet freed.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes not yet freed, as [`crate::Table::bytes`] counts them.
    pub fn bytes(&self) -> usize {
        self.directory.bytes()
    }

    /// Frees one segment; false if there was none.
    pub fn free_segment(&mut self) -> bool {
        let Some(at) = self.next else { return false };
        let mut next = Some(self.directory.view(at).0);
        while let Some(segment) = next {
            self.len -= usize::from(segment.header().len);
            next = segment.next();
        }
        self.next = self.directory.free_segment(at);
        true
    }

    /// As [`Remains::free_segment`], after showing all its records.
    pub fn free_segment_showing(&mut self, mut visit: impl FnMut(&[u8])) -> bool {
        let Some(at) = self.next else { return false };
        let mut next = Some(self.directory.view(at).0);
        while let Some(segment) = next {
            for bucket in 0..BUCKETS {
                for slot in ones(segment.bucket(bucket).used()) {
                    let record = segment.record(bucket, slot);
                    visit(&record[..L::record_len(record)]);
                }
            }
            next = segment.next();
        }
        self.free_segment()
    }
}

impl<L: Layout> Drop for Remains<L> {
    fn drop(&mut self) {
        self.directory.free_from(self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;
    use base::hash::HashSeed;

    struct Byte8;

    impl Layout for Byte8 {
        type Meta = ();

        fn record_len(_: &[u8]) -> usize {
            40
        }

        fn key(record: &[u8]) -> &[u8] {
            &record[..8]
        }
    }

    fn table(count: u64) -> Table<Byte8> {
        let mut table = Table::new(HashSeed::new(3, 4));
        for n in 0..count {
            let hash = table.hash(&n.to_le_bytes());
            table.insert(hash, 40, |record| record[..8].copy_from_slice(&n.to_le_bytes()));
        }
        table
    }

    #[test]
    fn every_record_is_shown_once_and_all_bytes_go() {
        let full = table(20_000);
        let (bytes, segments) = (full.bytes(), full.segments());
        let mut remains = full.into_remains();
        assert_eq!((remains.bytes(), remains.len()), (bytes, 20_000));
        let (mut seen, mut steps, mut before) = (vec![false; 20_000], 0, bytes);
        while remains.free_segment_showing(|record| {
            let n = u64::from_le_bytes(record[..8].try_into().expect("eight bytes")) as usize;
            assert!(!std::mem::replace(&mut seen[n], true));
        }) {
            steps += 1;
            assert!(remains.bytes() < before);
            before = remains.bytes();
        }
        assert!(seen.iter().all(|&seen| seen) && remains.is_empty());
        assert_eq!(steps, segments);
        // The directory goes with the remains.
        assert!(remains.bytes() < bytes / 50);
    }

    #[test]
    fn remains_may_be_dropped_half_way_and_with_overflow_segments() {
        let mut deep = Table::<Byte8>::new(HashSeed::new(3, 4));
        deep.depth_max = 1;
        for n in 0..5000u64 {
            let hash = deep.hash(&n.to_le_bytes());
            deep.insert(hash, 40, |record| record[..8].copy_from_slice(&n.to_le_bytes()));
        }
        let mut remains = deep.into_remains();
        assert!(remains.free_segment());
        assert!((1..5000).contains(&remains.len()));
        drop(remains);
        let mut remains = table(5000).into_remains();
        assert!(remains.free_segment());
        drop(remains);
        drop(table(5000).into_remains());
    }
}
