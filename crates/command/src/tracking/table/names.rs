//! The names of keys that were not in the keyspace when they were read, in a row: what is added behind what was added last costs no wait for
//! memory. Nothing finds a name here but who takes the oldest.
//!
//! Of what is here some is of keys that are remembered no longer, or stands here twice. When that is more than the rest, names are taken from the front, and those that are still
//! good put behind the last. An entry says in which *round* its name was put here; that of a record of an earlier round, or of none, is gone.

use super::entry::{Id, Round};
use std::collections::VecDeque;

/// Bytes of a chunk that is not made for one long name.
const CHUNK_BYTES: usize = 1 << 14;
/// Records that are gone, up to which nothing is done.
const GONE_MIN: usize = 256;
/// In front of each name: the hashes of its key, the round, its length.
const HEADER_BYTES: usize = 8 + 2 + 2 + 4;

pub(super) struct Record {
    pub id: Id,
    pub round: Round,
    pub name: Box<[u8]>,
}

#[derive(Default)]
pub(super) struct Names {
    chunks: VecDeque<Vec<u8>>,
    /// Heap bytes of the chunks.
    chunk_bytes: usize,
    /// Where the first record begins in its chunk.
    start: usize,
    records: usize,
    /// Of these.
    gone: usize,
    round: Round,
}

impl Names {
    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.chunk_bytes + self.chunks.capacity() * size_of::<Vec<u8>>()
    }

    /// Puts a name behind the others; the round that its entry has to say.
    pub fn push(&mut self, id: Id, name: &[u8]) -> Round {
        let needed = HEADER_BYTES + name.len();
        let has_room = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= needed;
        if !self.chunks.back().is_some_and(has_room) {
            let chunk = Vec::with_capacity(needed.max(CHUNK_BYTES));
            self.chunk_bytes += chunk.capacity();
            self.chunks.push_back(chunk);
        }
        let chunk = self.chunks.back_mut().expect("there is one");
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&id.hash.to_le_bytes());
        header[8..10].copy_from_slice(&id.check.to_le_bytes());
        header[10..12].copy_from_slice(&self.round.number().to_le_bytes());
        header[12..].copy_from_slice(&(name.len() as u32).to_le_bytes());
        chunk.extend_from_slice(&header);
        chunk.extend_from_slice(name);
        self.records += 1;
        self.round
    }

    /// Takes out the oldest record.
    pub fn pop(&mut self) -> Option<Record> {
        let chunk = self.chunks.front()?;
        let (header, rest) =
            chunk[self.start..].split_first_chunk::<HEADER_BYTES>().expect("a record begins there");
        let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let hash = u64::from_le_bytes(header[..8].try_into().expect("8 bytes"));
        let len = u32::from_le_bytes(header[12..].try_into().expect("4 bytes")) as usize;
        let (id, round) = (Id { hash, check: u16_at(8) }, Round::of(u16_at(10)));
        let record = Record { id, round, name: rest[..len].into() };
        self.start += HEADER_BYTES + len;
        if self.start == chunk.len() {
            self.chunk_bytes -= chunk.capacity();
            self.chunks.pop_front();
            self.start = 0;
        }
        self.records -= 1;
        if record.round == self.round {
            // All that are left are of this round, and so what is put behind them must be of another.
            self.round = self.round.next();
        }
        Some(record)
    }

    /// One of the records is of a key that is remembered no longer.
    pub fn lose(&mut self) {
        self.gone += 1;
        self.settle();
    }

    /// A record that was taken out was good.
    pub fn settle(&mut self) {
        if self.gone == self.records {
            *self = Self::default();
        }
    }

    /// A record that was taken out had been lost.
    pub fn find_lost(&mut self) {
        self.gone -= 1;
    }

    /// Whether more is gone than good.
    #[inline]
    pub fn are_sparse(&self) -> bool {
        self.gone > GONE_MIN + self.records / 2
    }

    /// Records that are good.
    #[cfg(test)]
    pub fn good(&self) -> usize {
        self.records - self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_in_order_and_each_round_can_be_told_from_the_next() {
        let mut names = Names::default();
        let long = vec![b'x'; CHUNK_BYTES + 1];
        let first = names.push(Id::new(1, 2), b"one");
        assert_eq!(names.push(Id::new(3, 4), &long), first);
        let one = names.pop().expect("there are two");
        assert_eq!((one.id, one.round, &*one.name), (Id::new(1, 2), first, &b"one"[..]));
        let second = names.push(Id::new(1, 2), b"");
        assert_ne!(second, first);
        let two = names.pop().expect("there are two");
        assert_eq!((two.id, two.round, &*two.name), (Id::new(3, 4), first, &long[..]));
        let again = names.pop().expect("there is one");
        assert_eq!((again.id, again.round, again.name.len()), (Id::new(1, 2), second, 0));
        assert!(names.pop().is_none());
        assert_eq!(names.chunk_bytes, 0);
    }

    #[test]
    fn what_is_lost_makes_room() {
        let mut names = Names::default();
        for number in 0..2 * GONE_MIN as u64 {
            names.push(Id::new(number, 0), b"name");
        }
        (0..2 * GONE_MIN as u64).for_each(|_| {
            assert!(!names.are_sparse() || names.gone > names.records / 2);
            names.lose();
        });
        assert_eq!((names.good(), names.bytes()), (0, 0));
    }
}
