//! Starting with what append-only files say.
//!
//! The base is loaded like any data file, then the files of each generation are played. Before anything is played all files are looked at, and
//! it is said where each ends: a torn tail is cut off, with all parts of transactions that it tears. If every generation was written by as many
//! shards as there are now, each plays its own files, all at the same time. Whatever else there is (another number of shards, files of
//! redis-server, one file of old) a single shard plays as if it had every key, and deals them out.

use crate::loading::{Stray, take_stray};
use crate::{KeptOn, loading, log};
use command::ShardCx;
use config::Config;
use disk::{Disk, DiskFile};
use journal::manifest::{File, Manifest};
use journal::reader::{Entry, Reader, begins_with_rdb};
use journal::recovery::{Remains, cuts};
use journal::survey::{Form, Found, Survey, survey};
use keyspace::Free;
use persist::load;
use runtime::clock;
use shard::Shard;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, Mutex, MutexGuard, OnceLock, PoisonError};

/// The bytes of a file.
type FileMap = <KeptOn as Disk>::Map;

/// The manifest of a directory, if there is one.
///
/// # Errors
/// When it cannot be read, for the log.
pub fn read_manifest(directory: &Path, prefix: &str) -> Result<Option<Manifest>, String> {
    let path = directory.join(Manifest::new(prefix).name());
    match KeptOn.map(&path) {
        Ok(text) => {
            Manifest::parse(prefix, &text).map(Some).map_err(|wrong| format!("{}: {wrong}", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("Cannot open {}: {}", path.display(), runtime::reason(&error))),
    }
}

/// A file of commands.
struct LogFile {
    path: PathBuf,
    bytes: FileMap,
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
pub struct Recovery {
    manifest: Manifest,
    truncates: bool,
    sums: bool,
    base: Option<(PathBuf, FileMap)>,
    /// In the order in which they are to be played.
    files: Vec<LogFile>,
    generations: usize,
    /// One shard plays all of it, as far as that can be told without a look into the files.
    is_for_one: bool,
    step: Barrier,
    plan: OnceLock<Result<Plan, String>>,
    /// Of shard 0, which has played what is about them.
    libraries: Mutex<Vec<Vec<u8>>>,
    /// For each shard.
    strays: Vec<Mutex<Vec<Stray>>>,
    begun_us: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(path: &Path) -> Result<FileMap, String> {
    KeptOn.map(path).map_err(|error| format!("Cannot open {}: {}", path.display(), runtime::reason(&error)))
}

impl Recovery {
    /// Finds the files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(config: &Config, directory: &Path, prefix: &str, shards: usize) -> Result<Self, String> {
        let manifest = match read_manifest(directory, prefix)? {
            Some(manifest) => manifest,
            None => adopt_old(directory, prefix)?,
        };
        bring_old_in(directory, &manifest)?;
        if directory.is_dir() {
            loading::remove_abandoned(directory);
        }
        let base = manifest.base().map(|file| directory.join(&file.name));
        let base = base.map(|path| open(&path).map(|bytes| (path, bytes))).transpose()?;
        let mut files = Vec::new();
        let mut is_for_one = base.as_ref().is_some_and(|(_, bytes)| load::is_of_others(bytes));
        let mut generations = 0;
        for generation in manifest.generations() {
            is_for_one |= !is_whole(generation, shards);
            for file in generation {
                let path = directory.join(&file.name);
                let shard = file.place.map(|place| place.shard);
                let survey = OnceLock::new();
                files.push(LogFile { bytes: open(&path)?, path, shard, generation: generations, survey });
            }
            generations += 1;
        }
        let (_, begun_us) = clock::now();
        Ok(Self {
            truncates: config.aof_load_truncated,
            sums: config.rdbchecksum,
            base,
            files,
            generations,
            is_for_one,
            step: Barrier::new(shards),
            plan: OnceLock::new(),
            libraries: Mutex::default(),
            strays: (0..shards).map(|_| Mutex::default()).collect(),
            begun_us,
            manifest,
        })
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.files.is_empty()
    }

    /// The base, if every shard loads its part of it.
    pub fn base_for_all(&self) -> Option<&Path> {
        self.base.as_ref().filter(|_| !self.is_for_one).map(|(path, _)| path.as_path())
    }

    /// Plays a shard's part, on its own thread; all shards must. `make` makes what has every key.
    ///
    /// # Errors
    /// What is wrong with the files, and where.
    pub fn run(&self, shard: &mut Shard, make: impl FnOnce() -> ShardCx) -> Result<(), String> {
        let (id, shards) = (usize::from(shard.cx.id), self.strays.len());
        for file in self.files.iter().skip(id).step_by(shards) {
            let form = Form { start: 0, is_ours: file.shard.is_some() };
            let _ = file.survey.set(survey(&file.bytes, form, |_, _| {}));
        }
        self.step.wait();
        if id == 0 {
            let _ = self.plan.set(self.judge());
        }
        self.step.wait();
        let plan = self.plan.get().expect("shard 0 has said").as_ref().map_err(Clone::clone);
        let is_for_one = plan.as_ref().is_ok_and(|plan| plan.is_for_one);
        if is_for_one {
            // What was loaded of the base before that was known.
            shard.cx.dbs.iter_mut().for_each(|db| db.clear(Free::Now));
        }
        let played = plan.and_then(|plan| match (plan.is_for_one, id) {
            (false, _) => self.play_own(shard, &plan.ends),
            (true, 0) => self.play_all(make(), &plan.ends),
            (true, _) => Ok(()),
        });
        if id == 0 && !is_for_one {
            *lock(&self.libraries) = shard.cx.library_codes();
        }
        self.step.wait();
        played?;
        let libraries = lock(&self.libraries).clone();
        shard
            .cx
            .replace_libraries(&libraries)
            .map_err(|error| format!("a library of functions: {}", String::from_utf8_lossy(error.line())))?;
        let strays = std::mem::take(&mut *lock(&self.strays[id]));
        strays.into_iter().try_for_each(|stray| take_stray(&mut shard.cx, stray))
    }

    /// What is to be played, now that all files have been looked at.
    fn judge(&self) -> Result<Plan, String> {
        let mut all = Vec::with_capacity(self.files.len());
        // redis-server goes on with the last file, whatever the keys.
        let is_continued = self.files.iter().any(|file| file.survey().is_continued);
        let is_for_one = self.is_for_one || is_continued && self.strays.len() > 1;
        for generation in 0..self.generations {
            let files: Vec<&LogFile> =
                self.files.iter().filter(|file| file.generation == generation).collect();
            let is_last = generation + 1 == self.generations;
            for file in &files {
                self.judge_file(file, is_last)?;
            }
            let remains: Vec<Remains<'_>> = files.iter().map(|file| Remains::from(file.survey())).collect();
            let ends =
                cuts(&remains).map_err(|lost| format!("{}: {lost}", files[lost.file].path.display()))?;
            if !is_last {
                for (file, end) in files.iter().zip(&ends) {
                    judge_cut(file, *end)?;
                }
            }
            all.extend(ends);
        }
        Ok(Plan { ends: all, is_for_one })
    }

    fn judge_file(&self, file: &LogFile, is_last: bool) -> Result<(), String> {
        let path = file.path.display();
        match &file.survey().flaw {
            None => Ok(()),
            Some(Found::Damage(flaw)) => Err(format!(
                "Bad file format reading the append only file {path}: {flaw}. Make a backup of your AOF file, then use \
                 weft-check to see what is wrong with it"
            )),
            Some(Found::Tail(flaw)) if !is_last => {
                Err(format!("Fatal error: the truncated file is not the last file: {path}: {flaw}"))
            }
            Some(Found::Tail(flaw)) if !self.truncates => Err(format!(
                "Unexpected end of file reading the append only file {path}: {flaw}. You can: 1) Make a backup of your AOF \
                 file, then use weft-check to cut it. 2) Alternatively you can set the 'aof-load-truncated' configuration \
                 option to yes and restart the server"
            )),
            Some(Found::Tail(flaw)) => {
                log::warning(format_args!(
                    "!!! Warning: short read while loading the AOF file {path}!!! {flaw}"
                ));
                log::warning("AOF loaded anyway because aof-load-truncated is enabled");
                Ok(())
            }
        }
    }

    /// Plays the files of this shard.
    fn play_own(&self, shard: &mut Shard, ends: &[u64]) -> Result<(), String> {
        for (file, end) in self.files.iter().zip(ends) {
            let is_own = file.shard == Some(shard.cx.id);
            match file.shard {
                _ if is_own => file.play(shard, 0, *end, |_| Play::This)?,
                // What concerns whole databases stands at the head of the first.
                Some(0) => {
                    file.play(
                        shard,
                        0,
                        *end,
                        |words| {
                            if is_of_databases(words) { Play::This } else { Play::NoMore }
                        },
                    )?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Plays everything on one shard, and deals out what it has then.
    fn play_all(&self, cx: ShardCx, ends: &[u64]) -> Result<(), String> {
        let mut whole = Shard::new(cx);
        if let Some((path, bytes)) = &self.base {
            let start = if begins_with_rdb(bytes) {
                loading::load_base(&mut whole.cx, path, bytes, self.sums)?
            } else {
                0
            };
            if start < bytes.len() {
                let form = Form { start, is_ours: false };
                let look = survey(bytes, form, |_, _| {});
                if let Some(Found::Damage(flaw) | Found::Tail(flaw)) = &look.flaw {
                    return Err(format!(
                        "Bad file format reading the append only file {}: {flaw}",
                        path.display()
                    ));
                }
                play(&mut whole, path, bytes, (start, bytes.len() as u64), |_| Play::This)?;
            }
        }
        for (file, end) in self.files.iter().zip(ends) {
            file.play(&mut whole, 0, *end, |_| Play::This)?;
        }
        *lock(&self.libraries) = whole.cx.library_codes();
        let slots = base::slot::SlotMap::new(self.strays.len() as u16);
        whole.cx.take_all(|db, key, entry| {
            let shard = slots.shard_of(&key);
            lock(&self.strays[usize::from(shard)]).push(Stray { db, key, entry });
        });
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
                    log::warning(format_args!("Truncating the AOF {path} at offset {end}"));
                }
                let cut = KeptOn.open(&file.path).and_then(|mut opened| {
                    if is_cut {
                        opened.set_len(end)?;
                    }
                    opened.sync_all()
                });
                cut.map_err(|error| {
                    format!("Cannot keep {}: {}", file.path.display(), runtime::reason(&error))
                })?;
            }
        }
        let (_, now_us) = clock::now();
        let seconds = now_us.saturating_sub(self.begun_us) as f64 / 1e6;
        if self.base.is_some() || !self.files.is_empty() {
            log::notice(format_args!("DB loaded from append only file: {seconds:.3} seconds"));
        }
        Ok((bytes, self.manifest))
    }
}

/// All of a file that others follow was on disk before they began: a transaction without its other parts has lost them since.
fn judge_cut(file: &LogFile, end: u64) -> Result<(), String> {
    if end >= file.survey().whole_bytes {
        return Ok(());
    }
    let path = file.path.display();
    Err(format!(
        "Fatal error: parts of the transaction at byte {end} of {path} are lost, and it is not the last file"
    ))
}

/// Whether there is one file of each shard, and nothing else.
fn is_whole(generation: &[File], shards: usize) -> bool {
    let is_of =
        |shard: usize| move |file: &&File| file.place.is_some_and(|place| usize::from(place.shard) == shard);
    generation.len() == shards && (0..shards).all(|shard| generation.iter().filter(is_of(shard)).count() == 1)
}

impl LogFile {
    fn survey(&self) -> &Survey {
        self.survey.get().expect("all have been looked at")
    }

    fn play(
        &self,
        shard: &mut Shard,
        start: usize,
        end: u64,
        wants: impl FnMut(&[&[u8]]) -> Play,
    ) -> Result<(), String> {
        play(shard, &self.path, &self.bytes, (start, end), wants)
    }
}

/// What is to be done with a command.
enum Play {
    This,
    /// Nor anything behind it.
    NoMore,
}

fn is_of_databases(words: &[&[u8]]) -> bool {
    [&b"FLUSHALL"[..], b"FLUSHDB", b"SWAPDB"].iter().any(|name| words[0].eq_ignore_ascii_case(name))
}

/// Plays the commands of a file that are wanted.
fn play(
    shard: &mut Shard,
    path: &Path,
    bytes: &[u8],
    (start, end): (usize, u64),
    mut wants: impl FnMut(&[&[u8]]) -> Play,
) -> Result<(), String> {
    let (mut reader, mut db) = (Reader::new(&bytes[..end as usize], start), 0);
    let wrong = |at: &dyn std::fmt::Display, reason: &dyn std::fmt::Display| {
        format!("Bad file format reading the append only file {}: at byte {at}: {reason}", path.display())
    };
    while let Some((place, entry)) = reader.next_entry().map_err(|flaw| wrong(&flaw.offset, &flaw.reason))? {
        let Entry::Command(words) = entry else { continue };
        let name = words[0];
        if name.eq_ignore_ascii_case(b"SELECT") {
            let number = words.get(1).and_then(|word| base::number::parse_u64(word));
            let known = number.and_then(|number| u16::try_from(number).ok());
            db = known.ok_or_else(|| wrong(&place.start, &"SELECT of no database"))?;
        } else if !name.eq_ignore_ascii_case(b"MULTI") && !name.eq_ignore_ascii_case(b"EXEC") {
            match wants(words) {
                Play::This => shard.play(db, words).map_err(|reason| wrong(&place.start, &reason))?,
                Play::NoMore => return Ok(()),
            }
        }
    }
    Ok(())
}

/// The manifest of a directory without one: of nothing, or of the one file of before Redis 7, which becomes the base.
fn adopt_old(directory: &Path, prefix: &str) -> Result<Manifest, String> {
    let mut manifest = Manifest::new(prefix);
    if !Path::new(prefix).is_file() {
        return Ok(manifest);
    }
    let failed = |error: &dyn std::fmt::Display| format!("Cannot make {}: {error}", directory.display());
    manifest.adopt_old();
    KeptOn.make_directory(directory).map_err(|error| failed(&runtime::reason(&error)))?;
    let temporary = directory.join(manifest.temporary_name());
    let mut file =
        disk::NewFile::create(KeptOn, temporary).map_err(|error| failed(&runtime::reason(&error)))?;
    let written = file
        .write(0, manifest.text().as_bytes())
        .and_then(|()| file.replace(&directory.join(manifest.name())));
    written.map_err(|reason| failed(&reason))?;
    Ok(manifest)
}

/// Moves the one file of before Redis 7 into the directory, if that has not been done.
fn bring_old_in(directory: &Path, manifest: &Manifest) -> Result<(), String> {
    let Some(base) = manifest.base() else { return Ok(()) };
    let (from, to) = (Path::new(&base.name), directory.join(&base.name));
    if to.exists() || !from.is_file() {
        return Ok(());
    }
    let moved = KeptOn.rename(from, &to).and_then(|()| KeptOn.sync_directory(directory));
    moved.map_err(|error| format!("Cannot move {}: {}", from.display(), runtime::reason(&error)))?;
    log::notice(format_args!(
        "Successfully migrated an old-style AOF {} into {}",
        base.name,
        directory.display()
    ));
    Ok(())
}
