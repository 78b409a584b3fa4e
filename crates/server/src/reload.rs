//! Loading anew while the server runs (DEBUG RELOAD, DEBUG LOADAOF): what the shards read together.
//!
//! A data file is read by all shards, each its part. Append-only files are played by one, as if it had every key, and dealt out.

use crate::journal::Journal;
use crate::loading::{Loading, Log, Progress, Reader, Recovery};
use crate::{KeptOn, log, platform};
use command::ShardCx;
use command::indexes::saved::Statement;
use command::saving::Source;
use journal::queue::Added;
use recovery::{Halt, Stray, take_stray};
use runtime::clock;
use shard::Shard;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time between two looks whether the disk has what is to be read from it.
const LOOK: Duration = Duration::from_micros(100);

/// What is being loaded anew.
#[derive(Default)]
pub struct Anew(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    Nothing,
    File(Arc<Loading>),
    /// For each shard its keys; for all the libraries and the search indexes.
    Played {
        strays: Vec<Vec<Stray>>,
        libraries: Vec<Vec<u8>>,
        indexes: Vec<Statement>,
    },
}

/// A shard that has nothing else to do.
struct Alone<'a>(&'a mut ShardCx);

impl Reader for Alone<'_> {
    fn cx(&mut self) -> &mut ShardCx {
        self.0
    }

    fn breathe(&mut self) -> bool {
        true
    }
}

fn text(halt: Halt) -> String {
    match halt {
        Halt::Failed(reason) => reason,
        Halt::Ended => unreachable!("nobody asks for the end"),
    }
}

impl Anew {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what is to be loaded; whether there is anything.
    pub fn open(&self, cx: &mut ShardCx, source: Source, journal: &Journal) -> bool {
        let stage = match source {
            Source::Snapshot => open_file(cx),
            Source::Log => play_log(cx, journal),
        };
        let stage =
            stage.inspect_err(|reason| log::warning(format_args!("Nothing is loaded anew: {reason}")));
        let is_open = stage.is_ok();
        *self.stage() = stage.unwrap_or_default();
        is_open
    }

    /// Loads a shard's part; whether that succeeds.
    pub fn load(&self, cx: &mut ShardCx) -> bool {
        let loaded = match &mut *self.stage() {
            Stage::Nothing => Err("there is nothing to be loaded".to_owned()),
            Stage::File(file) => Ok(Arc::clone(file)),
            Stage::Played { strays, libraries, indexes } => {
                let own = std::mem::take(&mut strays[usize::from(cx.id)]);
                return tell(take_played(cx, own, libraries, indexes));
            }
        };
        let loaded = loaded.and_then(|file| {
            let loaded = file.run(&mut Alone(cx), &Progress::default());
            loaded.map(drop).map_err(text)
        });
        tell(loaded)
    }

    /// It is over.
    pub fn close(&self, taken: Option<Source>) {
        *self.stage() = Stage::Nothing;
        match taken {
            Some(Source::Snapshot) => log::notice("DB reloaded by DEBUG RELOAD"),
            Some(Source::Log) => log::notice("Append Only File loaded by DEBUG LOADAOF"),
            None => {}
        }
    }
}

fn tell(loaded: Result<(), String>) -> bool {
    if let Err(reason) = &loaded {
        log::warning(format_args!("Nothing is loaded anew: {reason}"));
    }
    loaded.is_ok()
}

fn open_file(cx: &ShardCx) -> Result<Stage, String> {
    let loading =
        Loading::open(&cx.config, &cx.config.dbfilename, &Progress::default(), usize::from(cx.shards), None)?;
    match loading.has_file() {
        // What is over is deleted by what is written down when it is found to be.
        true => Ok(Stage::File(Arc::new(loading.aside(cx.journal.is_on)))),
        false => Err(format!("there is no {}", cx.config.dbfilename.display())),
    }
}

fn take_played(
    cx: &mut ShardCx,
    own: Vec<Stray>,
    libraries: &[Vec<u8>],
    indexes: &[Statement],
) -> Result<(), String> {
    own.into_iter().try_for_each(|stray| take_stray(cx, stray))?;
    let taken = libraries.iter().try_for_each(|code| cx.load_library(code));
    let taken = taken.and_then(|()| cx.replace_indexes(indexes));
    taken.map_err(|error| String::from_utf8_lossy(error.line()).into_owned())
}

/// What the files say, dealt out.
fn play_log(cx: &mut ShardCx, journal: &Journal) -> Result<Stage, String> {
    await_written(cx, journal)?;
    let config = Arc::clone(&cx.config);
    let directory = journal.directory();
    let place = (&*directory, journal.prefix());
    let recovery = Recovery::open(KeptOn, Log, &config, place, 1)?;
    if recovery.is_empty() {
        return Err(format!("there are no append-only files in {}", directory.display()));
    }
    let make = || {
        let mut whole = ShardCx::new(0, 1, Arc::clone(&config), cx.seed.clone(), clock::entropy());
        platform::install(&mut whole, &cx.about);
        whole.now_ms = cx.now_ms;
        whole.now_us = cx.now_us;
        whole
    };
    let mut whole = Shard::new(make());
    let loading = Loading::open(&config, &config.dbfilename, &Progress::default(), 1, Some(&recovery))?;
    loading.run(&mut Alone(&mut whole.cx), &Progress::default()).map_err(text)?;
    recovery.run(&mut whole, make).map_err(text)?;
    let (libraries, indexes) = (whole.cx.library_codes(), whole.cx.indexes.statements());
    let mut strays: Vec<Vec<Stray>> = (0..cx.shards).map(|_| Vec::new()).collect();
    whole.cx.take_all(|db, key, entry| {
        strays[usize::from(cx.slots.shard_of(&key))].push(Stray { db, key, entry });
    });
    Ok(Stage::Played { strays, libraries, indexes })
}

/// Waits until all that was handed over is in the files.
fn await_written(cx: &mut ShardCx, journal: &Journal) -> Result<(), String> {
    let Some(log) = journal.log().filter(|_| cx.journal.is_on) else { return Ok(()) };
    if !cx.journal.own.is_empty() {
        let own = std::mem::replace(&mut cx.journal.own, log.chunk());
        log.hand_over(Added { chunks: vec![(cx.id, own)], ..Added::default() });
    }
    let handed = log.handed();
    while log.safe() < handed {
        if log.is_in_trouble() {
            return Err("what was handed over cannot be written".to_owned());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
