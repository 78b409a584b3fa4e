//! Group commit: what shards have handed over, and what of it may be written.
//!
//! Invariants: each file gets what was handed over for it in that order. A round has all parts of a transaction or none; a chunk with a part of one that
//! is not closed waits, and what follows it in its file waits, too. What follows the end of a generation waits until all shards have
//! ended theirs. A [`Ticket`] is done only when nothing that was handed over up to then waits any more.
//!
//! A plain state machine: whoever shares it among threads puts a lock around it.

use crate::chunk::{Chunk, Part, append_hex};
use crate::round::{Piece, Round, Step};
use crate::{EXEC, MULTI, TX_MARK, TxId};
use std::collections::{HashMap, VecDeque};

/// Everything that was handed over up to a moment. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticket(pub u64);

/// What a shard hands over at once.
#[derive(Debug, Default)]
pub struct Added {
    /// With the shards whose files they are for.
    pub chunks: Vec<(u16, Chunk)>,
    /// Transactions of which all parts have been handed over, with these chunks or before.
    pub closed: Vec<TxId>,
}

/// Buffers kept for chunks to come, and the most that one may have room for.
const SPARE_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 1 << 20;

/// What waits to be written.
#[derive(Debug)]
pub struct Queue {
    files: Vec<File>,
    /// Transactions of which parts wait.
    open: HashMap<TxId, Open>,
    handed_over: Ticket,
    done: Ticket,
    rounds_taken: u64,
    rounds_done: u64,
    bytes_waiting: usize,
    spare: Vec<Vec<u8>>,
}

/// What waits for one shard's file.
#[derive(Debug, Default)]
struct File {
    items: VecDeque<Waiting>,
    /// The number of the first item; they are numbered on for ever.
    first: u64,
    /// How many items are ends of generations.
    ends: usize,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    /// `None`: a generation ends.
    piece: Option<Piece>,
    /// What the next one begins with, on all shards.
    head: Option<Head>,
}

/// A command that concerns whole databases.
#[derive(Debug)]
struct Head {
    db: Option<u16>,
    bytes: Vec<u8>,
}

/// The transaction that a generation begins with, if it begins with one.
const HEAD: TxId = TxId(u64::MAX);

#[derive(Debug, Default)]
struct Open {
    is_closed: bool,
    /// The file and the number of the item of each part.
    places: Vec<(u16, u64)>,
    /// How many of them the round at hand has taken.
    taken: usize,
    /// Found out for the round at hand: it is not in it.
    is_left: bool,
}

impl File {
    fn push(&mut self, ticket: Ticket, piece: Piece) {
        self.items.push_back(Waiting { ticket, piece: Some(piece), head: None });
    }

    fn push_end(&mut self, ticket: Ticket, head: Option<Head>) {
        self.ends += 1;
        self.items.push_back(Waiting { ticket, piece: None, head });
    }

    fn is_at_end(&self) -> bool {
        self.items.front().is_some_and(|item| item.piece.is_none())
    }

    /// How many items stand before the next end of a generation.
    fn before_end(&self) -> usize {
        let end = if self.ends == 0 { None } else { self.items.iter().position(|item| item.piece.is_none()) };
        end.unwrap_or(self.items.len())
    }
}

impl Queue {
    /// For the files of so many shards.
    pub fn new(shards: u16) -> Self {
        Self {
            files: (0..shards).map(|_| File::default()).collect(),
            open: HashMap::new(),
            handed_over: Ticket(0),
            done: Ticket(0),
            rounds_taken: 0,
            rounds_done: 0,
            bytes_waiting: 0,
            spare: Vec::new(),
        }
    }

    /// Takes in what a turn has added. The ticket takes in all that others have handed over before, too.
    ///
    /// # Panics
    /// If a block of a chunk is open, or there is no such shard.
    pub fn hand_over(&mut self, added: Added) -> Ticket {
        for (shard, chunk) in added.chunks {
            if chunk.is_empty() {
                self.keep(chunk.bytes);
                continue;
            }
            self.handed_over = Ticket(self.handed_over.0 + 1);
            self.push(shard, chunk);
        }
        for tx in added.closed {
            // If no shard had anything to say, it is not known.
            if let Some(open) = self.open.get_mut(&tx) {
                open.is_closed = true;
            }
        }
        self.handed_over
    }

    fn push(&mut self, shard: u16, chunk: Chunk) {
        chunk.assert_whole();
        self.bytes_waiting += chunk.len();
        let file = &mut self.files[usize::from(shard)];
        for (place, (head, piece)) in pieces(chunk).into_iter().enumerate() {
            if place > 0 {
                file.push_end(self.handed_over, head);
            }
            if piece.bytes.is_empty() {
                keep(&mut self.spare, piece.bytes);
            } else {
                let number = file.first + file.items.len() as u64;
                for part in &piece.parts {
                    let open = self.open.entry(part.tx).or_default();
                    assert!(!open.is_closed, "all parts are there");
                    open.places.push((shard, number));
                }
                file.push(self.handed_over, piece);
            }
        }
    }

    /// What takes in everything that was handed over so far.
    pub fn ticket(&self) -> Ticket {
        self.handed_over
    }

    /// Up to where everything is done: it was handed over, and the rounds that have it are done.
    pub fn done_up_to(&self) -> Ticket {
        self.done
    }

    /// Bytes handed over and not done.
    pub fn bytes_waiting(&self) -> usize {
        self.bytes_waiting
    }

    /// Whether something waits that no round has taken.
    pub fn has_waiting(&self) -> bool {
        self.files.iter().any(|file| !file.items.is_empty())
    }

    /// An empty chunk, with room of one that was written if there is any.
    pub fn chunk(&mut self) -> Chunk {
        Chunk::with_buffer(self.spare.pop().unwrap_or_default())
    }

    /// Everything that may be written. `None`: nothing may.
    pub fn take_round(&mut self) -> Option<Round> {
        self.take_steps(true)
    }

    /// As much of it as stands before the next end of a generation.
    pub fn take_appends(&mut self) -> Option<Round> {
        self.take_steps(false)
    }

    /// Whether all files have come to the end of a generation, which [`Queue::take_round`] is to carry out.
    pub fn is_at_end(&self) -> bool {
        self.files.iter().all(File::is_at_end)
    }

    fn take_steps(&mut self, goes_on: bool) -> Option<Round> {
        let (mut steps, mut bytes) = (Vec::new(), 0);
        loop {
            let counts = self.writable();
            for (shard, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                let pieces = self.take(shard, count);
                bytes += pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>();
                steps.push(Step::Append { shard: shard as u16, pieces });
            }
            if !(goes_on && self.is_at_end()) {
                break;
            }
            self.end_generation();
            steps.push(Step::NextGeneration);
        }
        if steps.is_empty() {
            return None;
        }
        self.rounds_taken += 1;
        Some(Round { steps, number: self.rounds_taken, covers: self.nothing_waits_up_to(), bytes })
    }

    /// All files have come to the end of a generation. What the next one begins with gets in front of all that follows, in every file.
    fn end_generation(&mut self) {
        let mut begin = None;
        for file in &mut self.files {
            let end = file.items.pop_front().expect("it is the end");
            file.first += 1;
            file.ends -= 1;
            begin = begin.or(end.head.map(|head| (end.ticket, head)));
        }
        let Some((ticket, Head { db, bytes })) = begin else { return };
        self.bytes_waiting -= bytes.len();
        let mut places = Vec::with_capacity(self.files.len());
        for (shard, file) in (0..).zip(&mut self.files) {
            let db = db.filter(|_| shard == 0);
            let piece = part_of_head(db, if shard == 0 { &bytes } else { &[] });
            self.bytes_waiting += piece.bytes.len();
            file.first -= 1;
            file.items.push_front(Waiting { ticket, piece: Some(piece), head: None });
            places.push((shard, file.first));
        }
        self.open.insert(HEAD, Open { is_closed: true, places, ..Open::default() });
    }

    /// A round is done. They are done in the order in which they were taken.
    ///
    /// # Panics
    /// If one taken before is not done.
    pub fn done(&mut self, round: Round) {
        self.rounds_done += 1;
        assert_eq!(round.number, self.rounds_done, "rounds are done in their order");
        self.bytes_waiting -= round.bytes;
        self.done = self.done.max(round.covers);
        for step in round.steps {
            if let Step::Append { pieces, .. } = step {
                for piece in pieces {
                    self.keep(piece.bytes);
                }
            }
        }
    }

    /// Nothing of what waits will be written; it counts as done. Rounds that were taken are still to be given back.
    pub fn give_up(&mut self) {
        for file in &mut self.files {
            file.first += file.items.len() as u64;
            file.ends = 0;
            for item in file.items.drain(..) {
                self.bytes_waiting -= item.piece.map_or(0, |piece| piece.bytes.len());
                self.bytes_waiting -= item.head.map_or(0, |head| head.bytes.len());
            }
        }
        self.open.clear();
        self.done = self.handed_over;
    }

    /// How many items of each file may be written now: the most with which no transaction is torn.
    fn writable(&mut self) -> Vec<usize> {
        let mut counts: Vec<_> = self.files.iter().map(File::before_end).collect();
        let is_behind = |counts: &[usize], files: &[File], (shard, number): (u16, u64)| {
            let shard = usize::from(shard);
            number - files[shard].first >= counts[shard] as u64
        };
        let mut left = Vec::new();
        for (tx, open) in &mut self.open {
            open.is_left =
                !open.is_closed || open.places.iter().any(|place| is_behind(&counts, &self.files, *place));
            if open.is_left {
                left.push(*tx);
            }
        }
        while let Some(tx) = left.pop() {
            let places = self.open[&tx].places.clone();
            for (shard, number) in places {
                let file = &self.files[usize::from(shard)];
                let (from, count) = ((number - file.first) as usize, &mut counts[usize::from(shard)]);
                if from >= *count {
                    continue;
                }
                // What stands there or behind it is not in the round, and no other part of what has a part there is.
                let parts = file.items.range(from..*count).filter_map(|item| item.piece.as_ref());
                for part in parts.flat_map(|piece| &piece.parts) {
                    let open = self.open.get_mut(&part.tx).expect("it waits");
                    if !std::mem::replace(&mut open.is_left, true) {
                        left.push(part.tx);
                    }
                }
                *count = from;
            }
        }
        counts
    }

    /// Takes a file's next items, among which there is no end of a generation.
    fn take(&mut self, shard: usize, count: usize) -> Vec<Piece> {
        let file = &mut self.files[shard];
        file.first += count as u64;
        let mut pieces: Vec<_> = file.items.drain(..count).filter_map(|item| item.piece).collect();
        for piece in &mut pieces {
            for part in std::mem::take(&mut piece.parts) {
                let open = self.open.get_mut(&part.tx).expect("it waits");
                piece.set_parts(part, open.places.len());
                open.taken += 1;
                if open.taken == open.places.len() {
                    self.open.remove(&part.tx);
                }
            }
        }
        pieces
    }

    /// Up to where everything was taken.
    fn nothing_waits_up_to(&self) -> Ticket {
        let fronts = self.files.iter().filter_map(|file| file.items.front());
        fronts.map(|item| Ticket(item.ticket.0 - 1)).min().unwrap_or(self.handed_over)
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        keep(&mut self.spare, buffer);
    }
}

fn keep(spare: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if spare.len() < SPARE_MAX && (1..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
        spare.push(buffer);
    }
}

/// A shard's part of the transaction that a generation begins with.
fn part_of_head(db: Option<u16>, command: &[u8]) -> Piece {
    let mut bytes = TX_MARK.to_vec();
    append_hex(&mut bytes, HEAD.0, 16);
    bytes.push(b' ');
    let digits = bytes.len();
    bytes.extend_from_slice(b"0000\r\n");
    bytes.extend_from_slice(MULTI);
    bytes.extend_from_slice(command);
    bytes.extend_from_slice(EXEC);
    Piece { bytes, first_db: db, last_db: db, parts: vec![Part { tx: HEAD, digits }] }
}

/// A chunk by the generations that it is for, each with what it begins with; between two of them one ends.
fn pieces(mut chunk: Chunk) -> Vec<(Option<Head>, Piece)> {
    let mut pieces = Vec::with_capacity(chunk.ended.len() + 1);
    let mut stretch = chunk.current;
    while let Some(before) = chunk.ended.pop() {
        let mut bytes = chunk.bytes.split_off(stretch.start);
        let has_head = stretch.head > 0;
        let head =
            has_head.then(|| Head { db: stretch.first_db, bytes: bytes.drain(..stretch.head).collect() });
        let of_it = chunk.parts.partition_point(|part| part.digits < stretch.start);
        let parts = chunk.parts.split_off(of_it).into_iter();
        let parts =
            parts.map(|part| Part { digits: part.digits - stretch.start - stretch.head, ..part }).collect();
        pieces.push((head, Piece { bytes, first_db: stretch.first_db, last_db: stretch.last_db, parts }));
        stretch = before;
    }
    let Chunk { bytes, parts, .. } = chunk;
    pieces.push((None, Piece { bytes, first_db: stretch.first_db, last_db: stretch.last_db, parts }));
    pieces.reverse();
    pieces
}

#[cfg(test)]
mod tests;
