//! BACKUP: which files a copy has, and how far it is.
//!
//! While a backup is `incrementing` no base takes the place of its own (rewrites wait), so its files are those that the manifest lists. Sealing ends their generation;
//! what has ended does not change any more, and gets one more name in the backup's directory. Where nothing is appended otherwise, files are begun for the
//! backup alone, in a directory of their own ([`ASIDE`]), and go when it is over.

use crate::saving::ProcessSaver;
use crate::{KeptOn, log};
use command::ShardCx;
use command::backup::{Backups, Report, State};
use command::saving::{Purpose, Saver};
use config::Config;
use disk::Disk;
use journal::queue::Added;
use runtime::clock;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where files are that are appended to for a backup alone.
const ASIDE: &str = "temp-weft-backup";

#[derive(Default)]
pub struct Backup(Mutex<Inner>);

#[derive(Default)]
pub struct Inner {
    pub report: Report,
    pub directory: PathBuf,
    /// The files that it has there.
    pub names: Vec<String>,
    /// Files are appended to for this alone.
    pub has_own_log: bool,
}

fn now_s() -> u64 {
    clock::wall_us() / 1_000_000
}

impl Backup {
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn state(&self) -> State {
        self.lock().report.state
    }

    /// Whether no base may take the place of that of the backup.
    pub fn holds_rewrites(&self) -> bool {
        self.state() == State::Incrementing
    }

    /// The directory of one that can be sealed.
    pub fn incrementing_in(&self) -> Option<PathBuf> {
        let inner = self.lock();
        (inner.report.state == State::Incrementing).then(|| inner.directory.clone())
    }

    /// Whether there is something to do for it though nobody asks.
    pub fn awaits_look(&self) -> bool {
        let inner = self.lock();
        inner.report.state == State::Sealed || inner.has_own_log && !inner.report.state.is_under_way()
    }

    /// A base is begun: it is that of the backup, if one waits for it.
    pub fn on_rewrite_begun(&self) {
        let mut inner = self.lock();
        match inner.report.state {
            State::Pending => inner.report.state = State::Snapshotting,
            // Only because nothing else helps.
            State::Incrementing => inner.fail("a sync has failed, and a new base had to be made"),
            _ => {}
        }
    }

    /// It is over: it has this path, or there is none.
    pub fn on_rewritten(&self, base: Result<PathBuf, &str>) {
        let mut inner = self.lock();
        if inner.report.state != State::Snapshotting {
            return;
        }
        match base.map_err(str::to_owned).and_then(|base| inner.take_base(&base)) {
            Ok(()) => inner.report.state = State::Incrementing,
            Err(reason) => inner.fail(&reason),
        }
    }
}

impl Inner {
    /// Begins one in a directory, which must be empty.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn begin(&mut self, directory: PathBuf, has_own_log: bool) -> Result<(), String> {
        match self.report.state {
            State::Idle | State::Failed if !self.has_own_log => {}
            State::Sealed => return Err("The last backup has not been cleaned up".to_owned()),
            _ => return Err("A backup is already in progress".to_owned()),
        }
        make_empty(&directory)?;
        let report = Report { state: State::Pending, started_s: now_s(), ..Report::default() };
        *self = Self { report, directory, names: Vec::new(), has_own_log };
        log::notice(format_args!("A backup is begun in {}", self.directory.display()));
        Ok(())
    }

    fn take_base(&mut self, base: &Path) -> Result<(), String> {
        let name = base.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = self.directory.join(&name);
        let linked = KeptOn.link(base, &to).and_then(|()| KeptOn.sync_directory(&self.directory));
        linked.map_err(|error| format!("{}: {}", to.display(), runtime::reason(&error)))?;
        self.names.push(name);
        Ok(())
    }

    /// Its files are linked under these names, or why not.
    ///
    /// # Errors
    /// What has failed, then or meanwhile.
    pub fn seal(&mut self, linked: Result<Vec<String>, String>) -> Result<(), String> {
        if self.report.state != State::Incrementing {
            self.names.extend(linked.unwrap_or_default());
            self.remove_files();
            return Err(self.report.error.clone());
        }
        self.names = linked.inspect_err(|reason| self.fail(reason))?;
        log::notice(format_args!("The backup in {} is sealed", self.directory.display()));
        (self.report.state, self.report.sealed_s) = (State::Sealed, now_s());
        Ok(())
    }

    pub fn fail(&mut self, reason: &str) {
        log::warning(format_args!("The backup has failed: {reason}"));
        self.remove_files();
        (self.report.state, self.report.error) = (State::Failed, reason.to_owned());
    }

    /// Nothing is left of it.
    pub fn clean_up(&mut self) {
        self.remove_files();
        self.report = Report::default();
    }

    /// Whether its time is over.
    pub fn is_over(&self, ttl_s: u32) -> bool {
        let until_s = self.report.sealed_s.saturating_add(ttl_s.into());
        self.report.state == State::Sealed && ttl_s > 0 && now_s() >= until_s
    }

    fn remove_files(&mut self) {
        for name in self.names.drain(..) {
            let path = self.directory.join(name);
            if let Err(error) = KeptOn.remove(&path) {
                log::warning(format_args!("Cannot remove {}: {}", path.display(), runtime::reason(&error)));
            }
        }
    }
}

/// Makes an empty directory of it, or finds that it is one.
fn make_empty(directory: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {}", directory.display(), runtime::reason(&error));
    KeptOn
        .make_directory(directory)
        .and_then(|()| KeptOn.sync_directory(disk::directory_of(directory)))
        .map_err(failed)?;
    match KeptOn.list(directory).map_err(failed)?.is_empty() {
        true => Ok(()),
        false => Err("The backup directory is not empty".to_owned()),
    }
}

impl Backups for ProcessSaver {
    fn backup_report(&self) -> Report {
        self.backup.lock().report.clone()
    }

    fn backup_files(&self) -> Vec<PathBuf> {
        let backup = self.backup.lock();
        backup.names.iter().map(|name| backup.directory.join(name)).collect()
    }

    fn start_backup(&self, config: &Config) -> Result<(), String> {
        let path = |name: &Path| std::path::absolute(name).map_err(|error| runtime::reason(&error));
        let (directory, aside) = (path(&config.backupdirname)?, path(Path::new(ASIDE))?);
        let has_own_log = !self.journal.is_on();
        if has_own_log && config.appendonly {
            return Err("The append-only files cannot be written now".to_owned());
        }
        let is_rewriting = self.is_rewriting();
        self.backup.lock().begin(directory, has_own_log)?;
        // Without the lock: who ends a rewrite tells the backup.
        if has_own_log {
            // Of a process that was killed.
            let _ = std::fs::remove_dir_all(&aside);
            self.journal.set_aside(Some(aside));
            if let Err(reason) = self.journal.turn_on(config) {
                self.journal.set_aside(None);
                let mut backup = self.backup.lock();
                backup.has_own_log = false;
                backup.fail(&reason);
                return Err(reason);
            }
        } else if is_rewriting {
            self.backup.on_rewrite_begun();
        } else {
            self.schedule(Purpose::Rewrite);
        }
        Ok(())
    }

    fn seal_backup(&self, cx: &mut ShardCx) -> Result<(), String> {
        const NOT_READY: &str = "No backup ready to seal";
        let directory = self.backup.incrementing_in().ok_or(NOT_READY)?;
        let log = self.journal.log().ok_or(NOT_READY)?;
        // One shard by itself may do all in one turn: then what it has said of the end is still its own.
        let own = std::mem::replace(&mut cx.journal.own, log.chunk());
        log.hand_over(Added { chunks: vec![(cx.id, own)], ..Added::default() });
        let epoch = log.epoch_with(cx.id.into(), &cx.journal.own);
        // Without the lock, see above.
        let linked = log.link_to(epoch, directory).map_err(|failure| failure.to_string());
        let sealed = self.backup.lock().seal(linked);
        self.end_own_log();
        sealed
    }

    fn abort_backup(&self) -> Result<(), String> {
        let mut backup = self.backup.lock();
        if !backup.report.state.is_under_way() {
            return Err("No backup in progress".to_owned());
        }
        backup.fail("aborted by user");
        drop(backup);
        self.end_own_log();
        Ok(())
    }

    fn clean_backup_up(&self) -> Result<(), String> {
        let mut backup = self.backup.lock();
        match backup.report.state {
            State::Idle | State::Sealed | State::Failed => {
                backup.clean_up();
                Ok(())
            }
            _ => Err("A backup is in progress".to_owned()),
        }
    }
}

impl ProcessSaver {
    /// A backup that is over needs no files of its own; one that is sealed goes after a while.
    pub(crate) fn look_after_backup(&self, config: &Config) {
        let mut backup = self.backup.lock();
        if backup.is_over(config.backup_sealed_ttl_s) {
            backup.clean_up();
        }
        // Clients are not to feel that it cannot be written.
        if backup.has_own_log && self.journal.is_in_trouble() && backup.report.state.is_under_way() {
            backup.fail("what is appended cannot be written");
        }
        let is_over = backup.has_own_log && !backup.report.state.is_under_way();
        drop(backup);
        if is_over {
            self.end_own_log();
        }
    }

    /// Ends the files that were begun for a backup alone.
    fn end_own_log(&self) {
        if !std::mem::take(&mut self.backup.lock().has_own_log) {
            return;
        }
        let directory = self.journal.directory();
        self.journal.turn_off();
        self.end_rewrites();
        self.journal.set_aside(None);
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            log::warning(format_args!("Cannot remove {}: {}", directory.display(), runtime::reason(&error)));
        }
    }

    /// What is appended is wanted for more than a backup: it goes where it belongs with the next base, for which that does not wait.
    pub(crate) fn disown_log(&self, config: &Config) {
        let mut backup = self.backup.lock();
        if std::mem::take(&mut backup.has_own_log) {
            backup.fail("appendonly was turned on");
            self.journal.set_aside(None);
            if let Some(log) = self.journal.log() {
                log.set_policy(self.journal.policy(config));
            }
        }
    }
}
