//! Removing entries: at the front, whole blocks and exactly within a block, or one by one; and what becomes of groups that refer to
//! them.

use super::Stream;
use super::id::StreamId;
use super::log::Place;

/// What a trim leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// At most so many entries.
    Len(u64),
    /// Entries with this id or a greater one.
    Id(StreamId),
}

/// What becomes of the references that consumer groups have to an entry that is to be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay (KEEPREF).
    #[default]
    Keep,
    /// They go as well (DELREF).
    Delete,
    /// An entry that some group has not read or acknowledged stays (ACKED).
    Acked,
}

/// A trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    pub to: TrimTo,
    /// Whole blocks only; of these entry by entry what groups allow, if it matters to them.
    pub approximate: bool,
    /// Entries removed at most; 0 is no limit.
    pub limit: u64,
    pub references: References,
}

impl Trim {
    /// Whether what it leaves depends on which entries share a block: it ends at the first block that it does not take whole, and
    /// with ACKED more can be behind it that might go.
    pub fn is_by_blocks(&self) -> bool {
        self.approximate || self.references == References::Acked && matches!(self.to, TrimTo::Len(_))
    }
}

/// What came of deleting an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Missing,
    Done,
    /// Some group has not read or acknowledged it.
    Refused,
}

impl Stream {
    /// Removes entries at the front; how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        self.trim_with_last(trim).0
    }

    /// As [`Stream::trim`]; and which entry was the last that went, if each was looked at by itself.
    pub fn trim_with_last(&mut self, trim: Trim) -> (u64, Option<StreamId>) {
        let (before, mut last) = (self.len, None);
        let one_by_one = trim.references != References::Keep && !self.groups.is_empty();
        let mut next = self.log.first_place();
        while let Some(place) = next {
            if matches!(trim.to, TrimTo::Len(max) if self.len <= max) {
                break;
            }
            let (removed, block) = (before - self.len, self.log.get(place));
            let (live, master) = (block.live() as u64, block.master);
            if trim.limit != 0 && removed + live > trim.limit {
                break;
            }
            let is_whole = match trim.to {
                TrimTo::Len(max) => self.len - live >= max,
                TrimTo::Id(min) => block.last_id() < min,
            };
            if is_whole && !one_by_one {
                self.log.remove(place);
                self.len -= live;
            } else if trim.approximate && !is_whole {
                break;
            } else {
                last = self.trim_block(place, trim).or(last);
            }
            if !is_whole {
                break;
            }
            next = self.log.behind(master);
        }
        let removed = before - self.len;
        if removed != 0 {
            self.find_first();
        }
        (removed, last)
    }

    /// Marks entries of a block as deleted, up to what the trim leaves; the last of them. One of which none is left, reference by reference, goes.
    fn trim_block(&mut self, place: Place, trim: Trim) -> Option<StreamId> {
        let (block, mut left, mut last) = (self.log.get(place), self.len, None);
        let (mut at, mut marked) = (block.begin(), Vec::new());
        while at < block.end() {
            let head = block.head(at);
            let is_done = match trim.to {
                TrimTo::Len(max) => left <= max,
                TrimTo::Id(min) => head.id >= min,
            };
            if is_done {
                break;
            }
            let stays = trim.references == References::Acked && self.groups.refer_to(head.id);
            if head.is_live() && !stays {
                marked.push(at);
                (left, last) = (left - 1, Some(head.id));
                if trim.references == References::Delete {
                    self.groups.forget(head.id);
                }
            }
            at = block.after(at, &head);
        }
        if trim.references != References::Keep && marked.len() == block.live() {
            self.log.remove(place);
        } else {
            self.log.change(place, |block| marked.into_iter().for_each(|at| block.mark_deleted(at)));
        }
        self.len = left;
        last
    }

    /// Deletes an entry, and does with the references of groups to it what is to be done with them, whether it is there or not.
    pub fn delete_with(&mut self, id: StreamId, references: References) -> Deletion {
        match references {
            References::Acked if self.groups.refer_to(id) => return Deletion::Refused,
            References::Delete => _ = self.groups.forget(id),
            References::Keep | References::Acked => {}
        }
        if self.delete(id) { Deletion::Done } else { Deletion::Missing }
    }
}
