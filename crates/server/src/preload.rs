//! `preload-file`: what a server starts with instead of its usual files, which are left as they are until it saves.

use crate::loading::{self, Loading, Progress, Recovery};
use crate::{KeptOn, log};
use config::Config;
use journal::manifest::Manifest;
use runtime::clock;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What it names.
pub enum Preload {
    Snapshot(PathBuf),
    /// Of append-only files.
    Manifest(PathBuf),
}

impl Preload {
    /// What is configured, if anything is, unless it is what the server would start with anyway.
    pub fn of(config: &Config) -> Option<Self> {
        let text = config.preload_file.as_deref()?;
        let path = |path: &[u8]| PathBuf::from(OsStr::from_bytes(path));
        let named = match text.strip_prefix(b"rdb:") {
            Some(snapshot) => Self::Snapshot(path(snapshot)),
            None => Self::Manifest(path(text.strip_prefix(b"aof:")?)),
        };
        let prefix = config.appendfilename.to_string_lossy();
        let usual = config.appenddirname.join(Manifest::new(&prefix).name());
        let is_usual = |manifest: &Path| {
            let same = std::path::absolute(manifest).ok().zip(std::path::absolute(&usual).ok());
            config.appendonly && same.is_some_and(|(manifest, usual)| manifest == usual)
        };
        match &named {
            Self::Manifest(manifest) if is_usual(manifest) => None,
            _ => Some(named),
        }
    }

    /// The append-only files that it names.
    ///
    /// # Errors
    /// Why they cannot be loaded.
    pub fn open_recovery(&self, config: &Config, shards: usize) -> Result<Option<Recovery>, String> {
        let Self::Manifest(path) = self else { return Ok(None) };
        Recovery::open_manifest(KeptOn, loading::Log, config, path, shards).map(Some)
    }

    /// As [`Loading::open`]. A snapshot that is named must be there.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub fn open_loading(
        &self,
        config: &Config,
        progress: &Progress,
        shards: usize,
        recovery: Option<&Recovery>,
    ) -> Result<Loading, String> {
        let (Self::Snapshot(path) | Self::Manifest(path)) = self;
        let loading = Loading::open(config, path, progress, shards, recovery)?;
        match self {
            Self::Snapshot(path) if !loading.has_file() => {
                Err(format!("Cannot open {}: No such file or directory", path.display()))
            }
            _ => Ok(loading),
        }
    }

    /// Says that all is loaded.
    pub fn report(&self, begun_us: u64) {
        if let Self::Manifest(path) = self {
            let seconds = clock::now().1.saturating_sub(begun_us) as f64 / 1e6;
            log::notice(format_args!("DB loaded from {}: {seconds:.3} seconds", path.display()));
        }
    }
}
