//! BACKUP: copies of all data that are made while clients write, as commands see them.
//!
//! A backup is a new base, made as for append-only files, and what is appended behind it until it is sealed. The files are kept by names of their
//! own (`backupdirname`), whatever becomes of the others.

use crate::ShardCx;
use config::Config;
use std::path::PathBuf;

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Idle,
    /// Its base is begun as soon as one can be.
    Pending,
    /// The base is being written.
    Snapshotting,
    /// What comes behind the base is appended until it is sealed.
    Incrementing,
    Sealed,
    Failed,
}

impl State {
    /// As BACKUP STATUS says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Pending => "pending",
            Self::Snapshotting => "snapshotting",
            Self::Incrementing => "incrementing",
            Self::Sealed => "sealed",
            Self::Failed => "failed",
        }
    }

    /// Whether one is being made.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Pending | Self::Snapshotting | Self::Incrementing)
    }
}

/// What BACKUP STATUS tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub state: State,
    /// Why it has failed, or nothing.
    pub error: String,
    /// Unix seconds, 0 if that has not happened.
    pub started_s: u64,
    pub sealed_s: u64,
}

/// Who makes backups.
pub trait Backups {
    fn backup_report(&self) -> Report;

    /// The files that it has so far, with whole paths.
    fn backup_files(&self) -> Vec<PathBuf>;

    /// Begins one.
    ///
    /// # Errors
    /// Why that is not possible.
    fn start_backup(&self, config: &Config) -> Result<(), String>;

    /// Ends it, after every shard has ended the generation of its file; what it contains is all there was then.
    ///
    /// # Errors
    /// Why that is not possible.
    fn seal_backup(&self, cx: &mut ShardCx) -> Result<(), String>;

    /// Gives it up.
    ///
    /// # Errors
    /// If there is none that is not sealed.
    fn abort_backup(&self) -> Result<(), String>;

    /// Removes the files of one that is over.
    ///
    /// # Errors
    /// If there is none.
    fn clean_backup_up(&self) -> Result<(), String>;
}
