//! Starting with what append-only files say.
//!
//! The base is loaded like any data file, then the files of each generation are played. Before anything is played all files are looked at, and
//! it is said where each ends: a torn tail is cut off, with all parts of transactions that it tears. If every generation was written by as many
//! shards as there are now, each plays its own files, all at the same time. Whatever else there is (another number of shards, files of
//! redis-server, one file of old) a single shard plays as if it had every key, and deals them out.
//!
//! Whoever plays has something else to do now and then ([`Loader`]). Opens no file but by a [`Disk`], starts no thread, knows no clock and no client.
#![forbid(unsafe_code)]

mod meeting;
mod old;
mod player;

pub use self::old::read_manifest;
pub use self::player::{Stray, number_of, take_library, take_statement, take_stray};

use self::meeting::Meeting;
use self::player::{Play, Player, goes_on, is_of_databases};
use command::ShardCx;
use command::indexes::links::Links;
use command::indexes::saved::Statement;
use config::Config;
use disk::{Disk, DiskFile, reason};
use journal::manifest::{File, Manifest};
use journal::reader::begins_with_rdb;
use journal::recovery::{Remains, cuts};
use journal::survey::{Form, Found, Survey, survey_while};
use keyspace::Free;
use persist::load;
use shard::Shard;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Why nothing is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// What is wrong, with the path of the file.
    Failed(String),
    /// The end was asked for.
    Ended,
}

impl Halt {
    /// The same, of this file.
    fn of(self, path: &dyn Display) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(format!("{path}: {reason}")),
            Self::Ended => Self::Ended,
        }
    }
}

/// Who loads: a shard, which has something else to do now and then.
pub trait Loader {
    fn shard(&mut self) -> &mut Shard;

    /// A command was played or a key stored, which takes so many bytes of a file that have not been told of; whether to go on.
    fn has_loaded(&mut self, bytes: u64) -> bool;

    /// Does something else if it is time for that; whether to go on.
    fn breathe(&mut self) -> bool;
}

/// A shard that has nothing else to do.
impl Loader for Shard {
    fn shard(&mut self) -> &mut Shard {
        self
    }

    fn has_loaded(&mut self, _: u64) -> bool {
        true
    }

    fn breathe(&mut self) -> bool {
        true
    }
}

/// Who is told what administrators should know.
pub trait Teller {
    fn note(&self, line: &str);
    fn warn(&self, line: &str);
}

/// Nobody is told.
impl Teller for () {
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}

/// Commands that are looked at before the looker breathes.
const COMMANDS_PER_BREATH: usize = 256;
/// Keys that are taken out of what has all of them at once.
const KEYS_AT_ONCE: usize = 256;

/// A file of commands.
struct LogFile<M> {
    path: PathBuf,
    bytes: M,
    /// Of ours: whose it is.
    shard: Option<u16>,
    generation: usize,
    survey: OnceLock<Survey>,
}

/// What is to be played.
struct Plan {
    /// Where each file ends.
    ends: Vec<u64>,
    is_for_one: bool,
}

/// What the files say, and what those share who play them.
pub struct Recovery<D: Disk, T> {
    disk: D,
    teller: T,
    manifest: Manifest,
    truncates: bool,
    /// A damaged end of no more bytes is cut off as well.
    damaged_bytes_max: u64,
    sums: bool,
    base: Option<(PathBuf, D::Map)>,
    /// In the order in which they are to be played.
    files: Vec<LogFile<D::Map>>,
    generations: usize,
    /// One shard plays all of it, as far as that can be told without a look into the files.
    is_for_one: bool,
    step: Meeting,
    plan: OnceLock<Result<Plan, String>>,
    /// Of shard 0, which has played what is about them.
    libraries: Mutex<Vec<Vec<u8>>>,
    /// The same of search indexes.
    indexes: Mutex<Vec<Statement>>,
    /// How vectors are linked, if shard 0 has played everything.
    links: Mutex<Vec<Links>>,
    /// For each shard.
    strays: Vec<Mutex<Vec<Stray>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open<D: Disk>(disk: &D, path: &Path) -> Result<D::Map, String> {
    disk.map(path).map_err(|error| format!("Cannot open {}: {}", path.display(), reason(&error)))
}

impl<D: Disk, T: Teller> Recovery<D, T> {
    /// Finds the files that so many shards are to play.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(
        disk: D,
        teller: T,
        config: &Config,
        (directory, prefix): (&Path, &str),
        shards: usize,
    ) -> Result<Self, String> {
        let manifest = match read_manifest(&disk, directory, prefix)? {
            Some(manifest) => manifest,
            None => old::adopt(&disk, directory, prefix)?,
        };
        old::bring_in(&disk, &teller, directory, &manifest)?;
        Self::of(disk, teller, config, (directory, manifest), shards)
    }

    /// Finds the files that so many shards are to play by the path of their manifest, which must be there.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open_manifest(
        disk: D,
        teller: T,
        config: &Config,
        path: &Path,
        shards: usize,
    ) -> Result<Self, String> {
        let text = open(&disk, path)?;
        let prefix = config.appendfilename.to_string_lossy();
        let manifest =
            Manifest::parse(&prefix, &text).map_err(|wrong| format!("{}: {wrong}", path.display()))?;
        Self::of(disk, teller, config, (disk::directory_of(path), manifest), shards)
    }

    /// Opens what a manifest lists.
    fn of(
        disk: D,
        teller: T,
        config: &Config,
        (directory, manifest): (&Path, Manifest),
        shards: usize,
    ) -> Result<Self, String> {
        let base = manifest.base().map(|file| directory.join(&file.name));
        let base = base.map(|path| open(&disk, &path).map(|bytes| (path, bytes))).transpose()?;
        let mut files = Vec::new();
        let mut is_for_one = base.as_ref().is_some_and(|(_, bytes)| load::is_of_others(bytes));
        let mut generations = 0;
        for generation in manifest.generations() {
            is_for_one |= !is_whole(generation, shards);
            for file in generation {
                let path = directory.join(&file.name);
                let shard = file.place.map(|place| place.shard);
                let survey = OnceLock::new();
                files.push(LogFile {
                    bytes: open(&disk, &path)?,
                    path,
                    shard,
                    generation: generations,
                    survey,
                });
            }
            generations += 1;
        }
        Ok(Self {
            disk,
            teller,
            truncates: config.aof_load_truncated,
            damaged_bytes_max: config.aof_load_corrupt_tail_max_size,
            sums: config.rdbchecksum,
            base,
            files,
            generations,
            is_for_one,
            step: Meeting::new(shards),
            plan: OnceLock::new(),
            libraries: Mutex::default(),
            indexes: Mutex::default(),
            links: Mutex::default(),
            strays: (0..shards).map(|_| Mutex::default()).collect(),
            manifest,
        })
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.files.is_empty()
    }

    /// Of all files.
    pub fn bytes(&self) -> u64 {
        let base = self.base.as_ref().map_or(0, |(_, bytes)| bytes.len());
        (base + self.files.iter().map(|file| file.bytes.len()).sum::<usize>()) as u64
    }

    /// The base, if every shard loads its part of it.
    pub fn base_for_all(&self) -> Option<&Path> {
        self.base.as_ref().filter(|_| !self.is_for_one).map(|(path, _)| path.as_path())
    }

    /// Plays a shard's part, on its own thread; all shards must. `make` makes what has every key.
    ///
    /// # Errors
    /// What is wrong with the files, and where; or that the end was asked for.
    pub fn run(&self, loader: &mut impl Loader, make: impl FnOnce() -> ShardCx) -> Result<(), Halt> {
        self.look(loader)?;
        self.step.wait(loader)?;
        if loader.shard().cx.id == 0 {
            self.judge();
        }
        self.step.wait(loader)?;
        let played = self.play(loader, make);
        if played == Err(Halt::Ended) {
            return played;
        }
        self.step.wait(loader)?;
        played?;
        self.take(loader)
    }

    /// First all shards do this: each looks at some of the files.
    ///
    /// # Errors
    /// When the end was asked for.
    pub fn look(&self, loader: &mut impl Loader) -> Result<(), Halt> {
        let (id, shards) = (usize::from(loader.shard().cx.id), self.strays.len());
        for file in self.files.iter().skip(id).step_by(shards) {
            let form = Form { start: 0, is_ours: file.shard.is_some() };
            let _ = file.survey.set(look_at(&file.bytes, form, loader)?);
        }
        Ok(())
    }

    /// Then one says what is to be played.
    pub fn judge(&self) {
        let _ = self.plan.set(self.plan());
    }

    /// Then all play: their own files, or the first all files.
    ///
    /// # Errors
    /// What is wrong with the files, and where; or that the end was asked for.
    pub fn play(&self, loader: &mut impl Loader, make: impl FnOnce() -> ShardCx) -> Result<(), Halt> {
        let plan = self.plan.get().expect("somebody has said").as_ref();
        let plan = plan.map_err(|reason| Halt::Failed(reason.clone()))?;
        let cx = &mut loader.shard().cx;
        let id = cx.id;
        if plan.is_for_one {
            // What was loaded of the base before that was known.
            cx.dbs.iter_mut().for_each(|db| db.clear(Free::Later));
        }
        match (plan.is_for_one, id) {
            (false, _) => self.play_own(loader, &plan.ends)?,
            (true, 0) => self.play_all(loader, make(), &plan.ends)?,
            (true, _) => {}
        }
        if id == 0 && plan.is_for_one {
            *lock(&self.links) = loader.shard().cx.indexes.kept_links();
        }
        if id == 0 && !plan.is_for_one {
            let cx = &mut loader.shard().cx;
            *lock(&self.libraries) = cx.library_codes();
            *lock(&self.indexes) = cx.indexes.statements();
        }
        Ok(())
    }

    /// And at last they take what others have for them.
    ///
    /// # Errors
    /// What cannot be taken; or that the end was asked for.
    pub fn take(&self, loader: &mut impl Loader) -> Result<(), Halt> {
        let libraries = lock(&self.libraries).clone();
        let cx = &mut loader.shard().cx;
        let strays = std::mem::take(&mut *lock(&self.strays[usize::from(cx.id)]));
        cx.replace_libraries(&libraries).map_err(|error| {
            Halt::Failed(format!("a library of functions: {}", String::from_utf8_lossy(error.line())))
        })?;
        for stray in strays {
            take_stray(&mut loader.shard().cx, stray).map_err(Halt::Failed)?;
            goes_on(loader, 0)?;
        }
        let indexes = lock(&self.indexes).clone();
        let cx = &mut loader.shard().cx;
        cx.replace_indexes(&indexes).map_err(|error| {
            Halt::Failed(format!("a search index: {}", String::from_utf8_lossy(error.line())))
        })?;
        if cx.id != 0 {
            cx.indexes.keep_links_of_another(&lock(&self.links));
        }
        cx.begin_indexing_loaded();
        while loader.shard().cx.index_loaded() {
            goes_on(loader, 0)?;
        }
        Ok(())
    }

    /// What is to be played, now that all files have been looked at.
    fn plan(&self) -> Result<Plan, String> {
        let mut all = Vec::with_capacity(self.files.len());
        // redis-server goes on with the last file, whatever the keys.
        let is_continued = self.files.iter().any(|file| file.survey().is_continued);
        let is_for_one = self.is_for_one || is_continued && self.strays.len() > 1;
        for generation in 0..self.generations {
            let files: Vec<&LogFile<_>> =
                self.files.iter().filter(|file| file.generation == generation).collect();
            let is_last = generation + 1 == self.generations;
            for file in &files {
                self.judge_file(file, is_last)?;
            }
            let remains: Vec<Remains<'_>> = files.iter().map(|file| Remains::from(file.survey())).collect();
            let ends =
                cuts(&remains).map_err(|lost| format!("{}: {lost}", files[lost.file].path.display()))?;
            for (file, end) in files.iter().zip(&ends) {
                self.judge_cut(file, *end, is_last)?;
            }
            all.extend(ends);
        }
        Ok(Plan { ends: all, is_for_one })
    }

    fn judge_file(&self, file: &LogFile<D::Map>, is_last: bool) -> Result<(), String> {
        let path = file.path.display();
        let damaged_bytes = file.bytes.len() as u64 - file.survey().whole_bytes;
        match &file.survey().flaw {
            None => Ok(()),
            Some(Found::Damage(flaw)) if is_last && damaged_bytes <= self.damaged_bytes_max => {
                self.teller.warn(&format!(
                    "!!! Warning: the AOF file {path} ends with {damaged_bytes} damaged bytes!!! {flaw}"
                ));
                self.teller.warn("AOF loaded anyway because aof-load-corrupt-tail-max-size is enabled");
                Ok(())
            }
            Some(Found::Damage(flaw)) => Err(format!(
                "Bad file format reading the append only file {path}: {flaw}. Make a backup of your AOF file, then use \
                 weft-check to see what is wrong with it"
            )),
            Some(Found::Tail(flaw)) if !is_last => {
                Err(format!("Fatal error: the truncated file is not the last file: {path}: {flaw}"))
            }
            Some(Found::Tail(flaw)) if !self.truncates => Err(unexpected_end(&path, flaw)),
            Some(Found::Tail(flaw)) => {
                self.teller
                    .warn(&format!("!!! Warning: short read while loading the AOF file {path}!!! {flaw}"));
                self.teller.warn("AOF loaded anyway because aof-load-truncated is enabled");
                Ok(())
            }
        }
    }

    /// Whether a file may be cut for the sake of a transaction.
    fn judge_cut(&self, file: &LogFile<D::Map>, end: u64, is_last: bool) -> Result<(), String> {
        if end >= file.survey().whole_bytes {
            return Ok(());
        }
        let path = file.path.display();
        match (is_last, self.truncates) {
            // It was on disk before the next one began, and parts have been lost since.
            (false, _) => Err(format!(
                "Fatal error: parts of the transaction at byte {end} of {path} are lost, and it is not the last file"
            )),
            (true, true) => Ok(()),
            (true, false) => {
                let flaw = format_args!("at byte {end}: other parts of a transaction are not in their files");
                Err(unexpected_end(&path, &flaw))
            }
        }
    }

    /// Plays the files of this shard.
    fn play_own(&self, loader: &mut impl Loader, ends: &[u64]) -> Result<(), Halt> {
        let id = loader.shard().cx.id;
        let mut player = Player { loader, whole: None };
        for (file, end) in self.files.iter().zip(ends) {
            let range = (0, *end);
            match file.shard {
                Some(shard) if shard == id => {
                    player.play(&file.path, &file.bytes, range, |_| Play::This)?;
                }
                // What concerns whole databases stands at the head of the first.
                Some(0) => player.play(&file.path, &file.bytes, range, |words| {
                    if is_of_databases(words) { Play::This } else { Play::NoMore }
                })?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Plays everything on one shard, and deals out what it has then.
    fn play_all(&self, loader: &mut impl Loader, cx: ShardCx, ends: &[u64]) -> Result<(), Halt> {
        let mut player = Player { loader, whole: Some(Shard::new(cx)) };
        if let Some((path, bytes)) = &self.base {
            let start = if begins_with_rdb(bytes) { player.load_base(path, bytes, self.sums)? } else { 0 };
            if start < bytes.len() {
                let form = Form { start, is_ours: false };
                let look = look_at(bytes, form, player.loader)?;
                if let Some(Found::Damage(flaw) | Found::Tail(flaw)) = &look.flaw {
                    let path = path.display();
                    return Err(Halt::Failed(format!(
                        "Bad file format reading the append only file {path}: {flaw}"
                    )));
                }
                player.play(path, bytes, (start, bytes.len() as u64), |_| Play::This)?;
            }
        }
        for (file, end) in self.files.iter().zip(ends) {
            player.play(&file.path, &file.bytes, (0, *end), |_| Play::This)?;
        }
        let Player { loader, whole } = player;
        let mut whole = whole.expect("it is there").cx;
        *lock(&self.libraries) = whole.library_codes();
        *lock(&self.indexes) = whole.indexes.statements();
        self.deal_out(loader, &mut whole)
    }

    fn deal_out(&self, loader: &mut impl Loader, whole: &mut ShardCx) -> Result<(), Halt> {
        let slots = base::slot::SlotMap::new(self.strays.len() as u16);
        let dbs: Vec<u16> = whole.dbs.numbered().map(|(number, _)| number).collect();
        for db in dbs {
            let mut cursor = 0;
            loop {
                cursor = whole.take_some(db, cursor, KEYS_AT_ONCE, |key, entry| {
                    let shard = slots.shard_of(&key);
                    lock(&self.strays[usize::from(shard)]).push(Stray { db, key, entry });
                });
                if !loader.breathe() {
                    return Err(Halt::Ended);
                }
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Cuts off what was not played. What the files and the base have in them then, and the manifest to go on with.
    ///
    /// # Errors
    /// When a file cannot be cut.
    pub fn finish(self) -> Result<(u64, Manifest), String> {
        let mut bytes = self.base.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
        let ends = self.plan.into_inner().and_then(Result::ok).map_or_else(Vec::new, |plan| plan.ends);
        for (file, end) in self.files.iter().zip(ends) {
            bytes += end;
            let is_cut = end < file.bytes.len() as u64;
            // What a process that was killed has not synced is relied on from now on.
            let is_newest = file.generation + 1 == self.generations;
            if is_cut || is_newest {
                if file.survey().flaw.is_some() || end < file.survey().whole_bytes {
                    let path = file.path.display();
                    self.teller.warn(&format!("Truncating the AOF {path} at offset {end}"));
                }
                let cut = self.disk.open(&file.path).and_then(|mut opened| {
                    if is_cut {
                        opened.set_len(end)?;
                    }
                    opened.sync_all()
                });
                cut.map_err(|error| format!("Cannot keep {}: {}", file.path.display(), reason(&error)))?;
            }
        }
        Ok((bytes, self.manifest))
    }
}

/// Looks at a file between breaths.
fn look_at(bytes: &[u8], form: Form, loader: &mut impl Loader) -> Result<Survey, Halt> {
    let mut seen: usize = 0;
    let look = survey_while(bytes, form, |_, _| {
        seen += 1;
        !seen.is_multiple_of(COMMANDS_PER_BREATH) || loader.breathe()
    });
    look.ok_or(Halt::Ended)
}

/// What is missing at the end may not be cut off.
fn unexpected_end(path: &dyn Display, flaw: &dyn Display) -> String {
    format!(
        "Unexpected end of file reading the append only file {path}: {flaw}. You can: 1) Make a backup of your AOF file, \
         then use weft-check to cut it. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes \
         and restart the server"
    )
}

/// Whether there is one file of each shard, and nothing else.
fn is_whole(generation: &[File], shards: usize) -> bool {
    let is_of =
        |shard: usize| move |file: &&File| file.place.is_some_and(|place| usize::from(place.shard) == shard);
    generation.len() == shards && (0..shards).all(|shard| generation.iter().filter(is_of(shard)).count() == 1)
}

impl<M> LogFile<M> {
    fn survey(&self) -> &Survey {
        self.survey.get().expect("all have been looked at")
    }
}
