//! A shard that loads: records for a while, then a turn, in which clients are told that data is loading. Nothing else is done with what
//! is there so far, and nobody is served before all shards have loaded all.

use super::{Process, ShardLoop};
use crate::journal::FIRST_OPENING;
use crate::loading::{Loaded, Loading, Progress, Reader, Recovery, dawdle};
use crate::preload::Preload;
use command::ShardCx;
use command::saving::{Purpose, Saver};
use recovery::{Halt, Loader};
use runtime::{Waker, clock};
use shard::Shard;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

/// Time between two turns.
const SLICE_NS: u64 = 1_000_000;

/// A shard's loop between two turns.
struct Between<'a> {
    shard: &'a mut ShardLoop,
    progress: Arc<Progress>,
    turned_ns: u64,
    /// Commands played and keys dealt out, and bytes of them that have not been told of.
    loaded: usize,
    bytes: u64,
    failure: Option<std::io::Error>,
}

impl<'a> Between<'a> {
    fn new(shard: &'a mut ShardLoop) -> Self {
        let progress = Arc::clone(&shard.process.progress);
        Self { shard, progress, turned_ns: clock::monotonic_ns(), loaded: 0, bytes: 0, failure: None }
    }
}

/// Commands that are played between two looks at the clock.
const AT_ONCE: usize = 32;

impl Loader for Between<'_> {
    fn shard(&mut self) -> &mut Shard {
        &mut self.shard.shard
    }

    fn has_loaded(&mut self, bytes: u64) -> bool {
        self.loaded += 1;
        self.bytes += bytes;
        let is_delayed = dawdle(self.shard.shard.cx.config.key_load_delay, self.loaded);
        if !self.loaded.is_multiple_of(AT_ONCE) && !is_delayed {
            return true;
        }
        self.progress.add(std::mem::take(&mut self.bytes));
        Loader::breathe(self)
    }

    fn breathe(&mut self) -> bool {
        if clock::monotonic_ns() - self.turned_ns < SLICE_NS {
            return true;
        }
        self.failure = self.shard.turn().err();
        self.turned_ns = clock::monotonic_ns();
        self.failure.is_none() && !self.shard.process.ending.load(Ordering::Relaxed)
    }
}

impl Reader for Between<'_> {
    fn cx(&mut self) -> &mut ShardCx {
        &mut self.shard.shard.cx
    }

    fn breathe(&mut self) -> bool {
        Loader::breathe(self)
    }
}

impl Process {
    /// One of those has ended who have something to load: a shard, or who sees to what all shards need.
    pub fn end_loading(&self) {
        if self.progress.end_shard() {
            self.wakers.iter().filter_map(OnceLock::get).for_each(Waker::wake);
        }
    }
}

impl ShardLoop {
    /// Loads the shard's part, if there is a file to load.
    ///
    /// # Errors
    /// See [`Loading::run`].
    pub fn load(&mut self, loading: Arc<Loading>) -> std::io::Result<Result<Loaded, Halt>> {
        if !loading.has_file() {
            return Ok(Ok(Loaded::default()));
        }
        let progress = Arc::clone(&self.process.progress);
        self.has_more_to_load = true;
        let mut between = Between::new(self);
        let loaded = loading.run(&mut between, &progress);
        if let Some(failure) = between.failure {
            return Err(failure);
        }
        self.has_more_to_load = false;
        // Whoever is the last has the map of the file taken away, before anybody is served.
        drop(loading);
        Ok(loaded)
    }

    /// Plays the shard's part of append-only files, and keeps its journal from then on: another shard may know sooner than this one that all
    /// have loaded, and bring it what clients write.
    ///
    /// # Errors
    /// See [`Recovery::run`].
    pub fn recover(
        &mut self,
        recovery: &Recovery,
        of_all: impl FnOnce() -> ShardCx,
    ) -> std::io::Result<Result<(), Halt>> {
        self.has_more_to_load = true;
        let mut between = Between::new(self);
        let recovered = recovery.run(&mut between, of_all);
        if let Some(failure) = between.failure {
            return Err(failure);
        }
        self.has_more_to_load = false;
        // Behind what is preloaded nothing is appended.
        if recovered.is_ok() && Preload::of(&self.process.config).is_none() {
            self.shard.set_journal(true);
            self.shard.cx.journal.opening = FIRST_OPENING;
        }
        Ok(recovered)
    }

    /// The shard has all it has to load.
    pub fn end_loading(&self) {
        if self.shard.cx.is_loading {
            self.process.end_loading();
        }
    }

    /// Whether this shard has still to load.
    pub(super) fn loads_on(&self) -> bool {
        self.has_more_to_load
    }

    /// Looks whether all shards have loaded.
    #[cold]
    pub(super) fn see_to_loading(&mut self) {
        self.shard.cx.is_loading = self.process.progress.is_under_way();
    }

    /// Appending was turned on or off. What this shard has added since it noticed the last time is for files that are closed.
    #[cold]
    pub(super) fn follow_journal(&mut self) {
        let process = Arc::clone(&self.process);
        let opening = process.journal.opening();
        process.journal.take_from(&mut self.shard);
        self.shard.set_journal(opening != 0);
        self.shard.cx.journal.opening = opening;
        if opening != 0 && process.journal.join(opening) {
            process.saver.schedule(Purpose::Rewrite);
        }
    }
}
