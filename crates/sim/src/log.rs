//! The journal of all shards: real queue, real writer, simulated disk. A round is written, synced and told of in steps of its own.

use crate::crash::Mistake;
use base::random::Random;
use disk::simulated::SimulatedDisk;
use journal::chunk::Chunk;
use journal::queue::Queue;
use persist::append::Writer;
use shard::Shard;

/// What shards hand over to, with `appendfsync always`.
pub struct Log {
    queue: Queue,
    writer: Writer<SimulatedDisk>,
    handed: u64,
    safe: u64,
    /// Everything up to here is written, and waits to be synced.
    written: Option<u64>,
    mistake: Option<Mistake>,
    random: Random,
    /// Rounds that have been synced.
    pub rounds: u64,
}

impl Log {
    pub fn new(
        writer: Writer<SimulatedDisk>,
        shards: usize,
        mistake: Option<Mistake>,
        random: Random,
    ) -> Self {
        let queue = Queue::new(shards as u16);
        Self { queue, writer, handed: 0, safe: 0, written: None, mistake, random, rounds: 0 }
    }

    /// The number of the last hand-over.
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// Up to which number all is on disk.
    pub fn safe(&self) -> u64 {
        self.safe
    }

    /// Whether replies wait.
    pub fn keeps_gate(&self) -> bool {
        self.mistake != Some(Mistake::Gate)
    }

    /// Whether what a turn has added is handed over before anything of it is published or sent.
    pub fn is_in_time(&self) -> bool {
        self.mistake != Some(Mistake::Late)
    }

    /// A shard hands over what it has added.
    pub fn take_from(&mut self, shard: &mut Shard) {
        if !shard.has_added() {
            return;
        }
        let mut added = shard.take_added(Chunk::default());
        if self.mistake == Some(Mistake::Part) && self.random.below(4) == 0 {
            let other = added.chunks.iter().position(|(to, _)| *to != shard.cx.id);
            other.into_iter().for_each(|at| drop(added.chunks.remove(at)));
        }
        self.handed = self.queue.hand_over(added).0;
    }

    /// Writes what there is, or syncs what was written; whether more is safe now than before.
    ///
    /// # Errors
    /// When it cannot be written, or synced: the process ends.
    pub fn step(&mut self) -> Result<bool, String> {
        if let Some(written) = self.written.take() {
            if self.mistake != Some(Mistake::Sync) {
                self.writer.sync().map_err(|failure| failure.to_string())?;
            }
            self.safe = written;
            self.rounds += 1;
            return Ok(true);
        }
        if !self.writer.has_round() {
            let Some(round) = self.queue.take_round() else { return Ok(false) };
            self.writer.begin(round);
        }
        let done = self.writer.go_on(false).map_err(|failure| failure.to_string())?;
        done.into_iter().for_each(|round| self.queue.done(round));
        self.written = Some(self.queue.done_up_to().0);
        Ok(false)
    }
}
