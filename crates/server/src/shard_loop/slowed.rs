//! Who writes documents faster than their vectors are linked is slowed: its connection is not read until it has its turn.
//!
//! What was read runs, and is answered, as ever; so nothing waits for a connection that waits here, whatever it has begun (a transaction, a script, keys it
//! watches). They stand in line. As long as too many vectors are not linked nobody goes on; else one in each turn, so that no one of them has all the room there is, and all when there is nothing left to link. The
//! links are made by any shard, at any time, and what is too much may end without them (FLUSHALL, FT.DROPINDEX): so it is looked at again and again, and whoever
//! has waited for a second goes on in any case.

use super::ShardLoop;
use runtime::clock;
use shard::conn::Slowing;
use std::collections::VecDeque;
use std::time::Duration;

/// The longest time between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(1);
/// Nobody waits longer, µs. If all do, and go on, they link themselves what is far too much (`vector::shared`).
const WAIT_US_MAX: u64 = 1_000_000;

/// Connections that are not read, in the order in which they came to that. Those of a number that has been given anew are told apart by their generation.
#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    token: u32,
    generation: u32,
    since_us: u64,
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn push(&mut self, token: usize, generation: u32, now_us: u64) {
        self.waiting.push_back(Waiting { token: token as u32, generation, since_us: now_us });
    }

    /// The first, token and generation, if it goes on: because `is_free`, or because it has waited for long enough.
    fn next(&mut self, now_us: u64, is_free: bool) -> Option<(usize, u32)> {
        let first = self.waiting.front()?;
        if !is_free && now_us - first.since_us < WAIT_US_MAX {
            return None;
        }
        let next = (first.token as usize, first.generation);
        self.waiting.pop_front();
        Some(next)
    }
}

impl ShardLoop {
    /// A connection that is to be slowed is readable: it gets in line, if it does not stand there.
    #[cold]
    pub(super) fn get_in_line(&mut self, token: usize) {
        let conn = self.shard.conn_mut(token);
        if conn.slowing == Slowing::Marked {
            conn.slowing = Slowing::InLine;
            let (_, now_us) = clock::now();
            self.slowed.push(token, conn.generation, now_us);
        }
    }

    /// Has those read again whose turn it is. Call before each wait.
    #[cold]
    pub(super) fn end_slowness(&mut self) {
        self.shard.cx.indexes.see_links();
        let (_, now_us) = clock::now();
        let mut is_free = !self.shard.cx.indexes.are_links_behind();
        if is_free {
            self.see_to_links();
        }
        let has_room = !self.shard.cx.indexes.have_links_to_make();
        while let Some((token, generation)) = self.slowed.next(now_us, is_free) {
            let conn = self.shard.conn_mut(token);
            if conn.open && conn.generation == generation {
                conn.slowing = Slowing::No;
                self.unread.push(token);
                is_free = has_room;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_whoever_has_waited_for_a_second() {
        let mut line = Line::default();
        for (token, now_us) in [(5, 10), (6, 20), (5, 600_000)] {
            line.push(token, 1, now_us);
        }
        assert_eq!(line.next(30, false), None);
        assert_eq!(line.next(30, true), Some((5, 1)));
        assert_eq!(line.next(1_000_019, false), None);
        assert_eq!(line.next(1_000_020, false), Some((6, 1)));
        assert_eq!(line.next(1_000_020, false), None);
        assert!(!line.is_empty());
        assert_eq!(line.next(1_600_000, false), Some((5, 1)));
        assert!(line.is_empty());
        assert_eq!(line.next(2_000_000, true), None);
    }
}
