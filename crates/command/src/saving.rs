//! Saving the data: what commands and shards need of the process that does it, and a shard's own part.
//!
//! A save is a command for all shards. Its parts run at the same place in the order of all operations, so what is saved is what
//! there was at one moment; from there on each shard walks over its databases ([`keyspace::walk`]) while it serves its clients.

use crate::ShardCx;
use crate::backup::Backups;
use config::Config;
use keyspace::Key;
use keyspace::walk::{self, Moving, SharedScribe};

/// What the data is written down for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Snapshot,
    /// The new base of append-only files.
    Rewrite,
}

/// From what the data is loaded anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Snapshot,
    /// Append-only files.
    Log,
}

/// What files say is to take the place of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    pub source: Source,
    /// What there is is saved before.
    pub saves: bool,
    /// What there is goes; else what is loaded is added.
    pub flushes: bool,
    /// What is loaded may have names that are there.
    pub merges: bool,
}

/// Why no save begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The data is being written down already.
    UnderWay(Purpose),
    /// The file cannot be made; the log says why.
    Failed,
}

/// What a process knows of its saves.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Of the save under way: when it began, unix seconds, and entries written so far.
    pub under_way: Option<(u64, u64)>,
    /// When the data was saved last, unix seconds; at first the start of the server.
    pub last_save_s: u64,
    /// When the last one began, unix seconds.
    pub last_try_s: u64,
    /// How the last one ended; one that was given up does not count.
    pub is_last_ok: bool,
    /// Seconds that it took.
    pub last_took_s: Option<u64>,
    /// Saves that have succeeded.
    pub count: u64,
    /// Keys that were loaded at the start, and those whose time was over then.
    pub loaded: (u64, u64),
    /// What is being loaded, if anything is.
    pub loading: Option<LoadReport>,
}

/// How far loading is.
#[derive(Clone, Copy, Debug)]
pub struct LoadReport {
    /// Unix seconds.
    pub begun_s: u64,
    /// Of the file or files.
    pub total_bytes: u64,
    pub loaded_bytes: u64,
    /// Memory that the data took when it was saved, as far as the file says so.
    pub used_memory_bytes: u64,
}

/// What a process knows of its append-only files.
#[derive(Clone, Debug, Default)]
pub struct LogReport {
    /// When the rewrite under way began, unix seconds.
    pub rewrite_begun_s: Option<u64>,
    /// One begins as soon as it can.
    pub is_rewrite_scheduled: bool,
    /// Seconds that the last took.
    pub last_rewrite_took_s: Option<u64>,
    pub has_last_rewrite_failed: bool,
    pub rewrites: u64,
    /// Rewrites that have failed since one succeeded.
    pub rewrites_failed: u64,
    /// Why nothing can be written.
    pub trouble: Option<String>,
    /// Files are being written, and their first base is there or being made.
    pub is_open: bool,
    /// Bytes of all files; and what there were after the last rewrite or at the start.
    pub current_bytes: u64,
    pub base_bytes: u64,
    /// Bytes not written yet.
    pub waiting_bytes: u64,
    /// Something is written and not synced.
    pub is_unsynced: bool,
    /// How often a shard had to wait for the disk.
    pub delayed_syncs: u64,
}

/// Saves, as the process does it; and its append-only files.
pub trait Saver: Backups + Send + Sync {
    /// Opens the file of a save, whose parts the shards begin next.
    ///
    /// # Errors
    /// Another is under way, or the file cannot be made.
    fn begin(&self, cx: &ShardCx, purpose: Purpose) -> Result<(), Refused>;

    /// Has the data written down as soon as nothing else is.
    fn schedule(&self, purpose: Purpose);

    /// Whether a new base of append-only files is being written.
    fn is_rewriting(&self) -> bool;

    fn log_report(&self) -> LogReport;

    /// Begins append-only files; whether they could be. If not, the log says why.
    fn turn_log_on(&self, config: &Config) -> bool;

    /// Ends what [`Saver::turn_log_on`] has begun.
    fn turn_log_off(&self);

    /// Whether the process must go on for now: the data is nowhere before the first base of append-only files is. The log says so.
    fn refuses_end(&self, force: bool) -> bool;

    /// With what a shard writes its part of the save that has begun, if it has not ended before. All is as it is to be saved: the libraries (`functions`:
    /// the code of each) and indexes that the first shard has here, all have at this place in the order.
    fn scribe(&self, cx: &ShardCx, functions: &[&[u8]]) -> Option<SharedScribe>;

    /// Ends the save under way, if there is one, without a file.
    fn give_up(&self);

    /// Waits for the end of the save under way; whether the data is saved.
    fn wait(&self) -> bool;

    /// Whether the disk is so far behind that shards should write no more than they must.
    fn is_behind(&self) -> bool;

    fn report(&self) -> Report;

    /// Opens what all shards are about to load anew; whether it can be. If not, the log says why.
    fn open_reload(&self, cx: &mut ShardCx, source: Source) -> bool;

    /// A shard runs its part of the rewrite that began last. Whether it ends the generation of its file at that: what it appends since `opening` may be
    /// to other files than those that the rewrite has begun with, if appending was turned off and on meanwhile.
    fn run_rewrite(&self, opening: u64) -> bool;

    /// Loads a shard's part of it into its databases, which are empty; whether that succeeds. If not, the log says why.
    fn reload(&self, cx: &mut ShardCx, source: Source) -> bool;

    /// It is over: what was loaded is in its place, or nothing has come of it.
    fn close_reload(&self, taken: Option<Source>);
}

/// A shard's part of a save.
pub struct Saving {
    scribe: SharedScribe,
}

/// How many changes were saved last, and with which save.
#[derive(Clone, Copy, Debug, Default)]
pub struct Saved {
    dirty: u64,
    count: u64,
}

impl Saved {
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl ShardCx {
    /// Opens the file of a save; the shards' parts begin next.
    ///
    /// # Errors
    /// See [`Saver::begin`].
    pub fn open_save(&self, purpose: Purpose) -> Result<(), Refused> {
        self.saver.as_ref().ok_or(Refused::Failed)?.begin(self, purpose)
    }

    /// Whether nothing may be written while the last save has failed.
    pub fn needs_saves(&self) -> bool {
        self.config.stop_writes_on_bgsave_error && !self.config.save.is_empty()
    }

    /// Begins this shard's part of a save: all there is now is part of it.
    pub fn begin_saving(&mut self) {
        if self.walk() {
            self.note_saved();
            self.saved.dirty = self.dirty;
        }
    }

    /// Begins this shard's part of a rewrite: all there is now is in the new base, and what comes is in new files.
    pub fn begin_rewriting(&mut self) {
        let opening = self.journal.opening;
        let cuts = self.saver.as_ref().is_some_and(|saver| saver.run_rewrite(opening));
        if self.journal.is_on && cuts {
            self.journal.end_generation(None);
        }
        self.walk();
    }

    fn walk(&mut self) -> bool {
        let libraries = self.scripts.functions.shelf.libraries();
        let functions: Vec<&[u8]> = libraries.map(|(_, library)| &library.code[..]).collect();
        let scribe = self.saver.as_ref().and_then(|saver| saver.scribe(self, &functions));
        let Some(scribe) = scribe else { return false };
        for (number, db) in self.dbs.iter_mut_numbered() {
            db.begin_walk(number, scribe.clone());
        }
        self.indexes.begin_saving_links();
        self.saving = Some(Saving { scribe });
        true
    }

    /// Goes on with it for a step; whether there is more.
    pub fn save_on(&mut self) -> bool {
        if let Some(db) = self.dbs.iter_mut().find(|db| db.is_walked()) {
            db.walk_on();
            return true;
        }
        self.has_begun_values = false;
        if let Some(saving) = &self.saving
            && let Some(links) = self.indexes.links_to_save()
        {
            walk::lock(&saving.scribe).field(rdb::statements::LINKS, &links);
            return true;
        }
        if let Some(saving) = self.saving.take() {
            walk::lock(&saving.scribe).end();
        }
        false
    }

    /// Whether there is something to go on with, or was.
    #[inline]
    pub fn is_saving(&self) -> bool {
        self.saving.is_some() || self.has_begun_values
    }

    /// Puts an entry in its place that has come from another shard, or comes back. A large value of which a save needs more is written on here.
    pub fn come_in(&mut self, db: u16, key: &[u8], moving: Moving) {
        self.has_begun_values |= moving.is_begun();
        self.dbs[usize::from(db)].come_in(Key::new(key, &self.seed), moving);
    }

    /// Gives it up, and with it the save of all shards.
    pub fn give_up_saving(&mut self) {
        let has_begun_values = std::mem::take(&mut self.has_begun_values);
        if self.saving.take().is_some() || has_begun_values {
            self.dbs.iter_mut().for_each(keyspace::Db::end_walk);
        }
    }

    /// Once a save has succeeded, what it contains is no longer among the changes since.
    pub fn note_saved(&mut self) {
        let Some(saver) = &self.saver else { return };
        let count = saver.report().count;
        if count > self.saved.count {
            self.dirty = self.dirty.saturating_sub(std::mem::take(&mut self.saved.dirty));
            self.saved.count = count;
        }
    }
}
