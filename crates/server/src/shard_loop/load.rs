//! A shard that loads: records for a while, then a turn, in which clients are told that data is loading. Nothing else is done with what
//! is there so far, and nobody is served before all shards have loaded all.

use super::{Process, ShardLoop};
use crate::loading::{Halt, Loaded, Loader, Loading};
use crate::recovery::Recovery;
use command::ShardCx;
use runtime::{Waker, clock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

/// Time between two turns.
const SLICE_NS: u64 = 1_000_000;

/// A shard's loop between two turns.
struct Between<'a> {
    shard: &'a mut ShardLoop,
    turned_ns: u64,
    failure: Option<std::io::Error>,
}

impl Loader for Between<'_> {
    fn cx(&mut self) -> &mut ShardCx {
        &mut self.shard.shard.cx
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
        let mut between = Between { shard: self, turned_ns: clock::monotonic_ns(), failure: None };
        let loaded = loading.run(&mut between, &progress);
        if let Some(failure) = between.failure {
            return Err(failure);
        }
        self.has_more_to_load = false;
        // Whoever is the last has the map of the file taken away, before anybody is served.
        drop(loading);
        Ok(loaded)
    }

    /// Plays the shard's part of append-only files. Clients wait meanwhile.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn recover(&mut self, recovery: &Recovery, of_all: impl FnOnce() -> ShardCx) -> Result<(), String> {
        recovery.run(&mut self.shard, of_all)
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
        if !self.shard.cx.is_loading && self.process.journal.is_on() {
            self.shard.set_journal(true);
        }
    }
}
