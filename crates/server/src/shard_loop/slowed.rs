//! Who writes documents faster than their vectors are linked is slowed: its connection is not read until it has its turn.
//!
//! What was read runs, and is answered, as ever; so nothing waits for a connection that waits here, whatever it has begun (a transaction, a script, keys it
//! watches). They stand in line. As long as too many vectors are not linked nobody goes on; else one in each turn, so that no one of them has all the room there is. The
//! links are made by any shard, at any time, and what is too much may end without them (FLUSHALL, FT.DROPINDEX): so it is looked at again and again, and whoever
//! has waited for a second goes on in any case.

use super::ShardLoop;
use runtime::clock;
use std::time::Duration;

/// How long nobody looks at most.
pub(super) const LOOK: Duration = Duration::from_millis(1);
/// Nobody waits longer, µs. If all do, and go on, they link themselves what is far too much (`vector::shared`).
const WAIT_US_MAX: u64 = 1_000_000;

/// A connection that is not read.
pub(super) struct Slowed {
    token: u32,
    generation: u32,
    since_us: u64,
}

impl ShardLoop {
    /// A connection that adds vectors is to be read: it gets in line, if it does not stand there.
    #[cold]
    pub(super) fn slow_down(&mut self, token: usize) {
        let generation = self.shard.conn(token).generation;
        let is_it = |slowed: &Slowed| slowed.token as usize == token && slowed.generation == generation;
        if !self.slowed.iter().any(is_it) {
            let (_, since_us) = clock::now();
            self.slowed.push_back(Slowed { token: token as u32, generation, since_us });
        }
    }

    /// Has those read again whose turn it is. They are told apart from others of the same number by their generation. Call before each wait.
    #[cold]
    pub(super) fn end_slowness(&mut self) {
        self.shard.cx.indexes.see_links();
        let is_free = !self.shard.cx.indexes.are_links_behind();
        let (_, now_us) = clock::now();
        let mut left = usize::from(is_free);
        while let Some(first) = self.slowed.front() {
            // The time of day may be set back.
            let has_waited = now_us < first.since_us || now_us - first.since_us >= WAIT_US_MAX;
            if !has_waited && left == 0 {
                break;
            }
            let (token, generation) = (first.token as usize, first.generation);
            self.slowed.pop_front();
            let conn = self.shard.conn_mut(token);
            if conn.open && conn.generation == generation {
                conn.adds_vectors = false;
                self.unread.push(token);
                left = left.saturating_sub(1);
            }
        }
    }
}
