//! A shard's part of a save, between its clients' commands.

use super::ShardLoop;
use command::saving::Saver;
use runtime::clock;

/// Time for it in one turn, while nobody asks for anything and while somebody does.
const IDLE_NS: u64 = 500_000;
const BUSY_NS: u64 = 150_000;
/// Time between two looks whether the disk has caught up.
pub(super) const LOOK_US: u64 = 1000;

impl ShardLoop {
    /// Whether the next turn should go on with a save at once.
    pub(super) fn saves_on(&self) -> bool {
        self.shard.cx.saving.is_some() && !self.is_ahead_of_disk
    }

    /// Goes on with a save for a little while, as long as the disk keeps up.
    #[cold]
    pub(super) fn save_on(&mut self) {
        let begun_ns = clock::monotonic_ns();
        let nanos = if self.events.is_empty() { IDLE_NS } else { BUSY_NS };
        loop {
            self.is_ahead_of_disk = self.process.saver.is_behind();
            if self.is_ahead_of_disk || !self.shard.cx.save_on() || clock::monotonic_ns() - begun_ns > nanos {
                return;
            }
        }
    }
}
