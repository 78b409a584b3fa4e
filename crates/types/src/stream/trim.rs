//! Removing entries at the front of a stream: whole blocks, and exactly within a block.

use super::Stream;
use super::id::StreamId;

/// What a trim leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// At most so many entries.
    Len(u64),
    /// Entries with this id or a greater one.
    Id(StreamId),
}

/// A trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    pub to: TrimTo,
    /// Whole blocks only.
    pub approximate: bool,
    /// Entries removed at most; 0 is no limit.
    pub limit: u64,
}

impl Stream {
    /// Removes entries at the front; how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let before = self.len;
        while let Some(place) = self.log.first_place() {
            if matches!(trim.to, TrimTo::Len(max) if self.len <= max) {
                break;
            }
            let (removed, block) = (before - self.len, self.log.get(place));
            let live = block.live() as u64;
            if trim.limit != 0 && removed + live > trim.limit {
                break;
            }
            let whole = match trim.to {
                TrimTo::Len(max) => self.len - live >= max,
                TrimTo::Id(min) => block.last_id() < min,
            };
            if whole {
                self.log.remove(place);
                self.len -= live;
                continue;
            }
            if !trim.approximate {
                self.trim_block(trim.to);
            }
            break;
        }
        let removed = before - self.len;
        if removed != 0 {
            self.find_first();
        }
        removed
    }

    /// Marks entries of the first block as deleted, up to what the trim leaves.
    fn trim_block(&mut self, to: TrimTo) {
        let Some(place) = self.log.first_place() else { return };
        let mut left = self.len;
        self.log.change(place, |block| {
            let mut at = block.begin();
            while at < block.end() {
                let head = block.head(at);
                let done = match to {
                    TrimTo::Len(max) => left <= max,
                    TrimTo::Id(min) => head.id >= min,
                };
                if done {
                    break;
                }
                if head.is_live() {
                    block.mark_deleted(at);
                    left -= 1;
                }
                at = block.after(&head);
            }
        });
        self.len = left;
    }
}
