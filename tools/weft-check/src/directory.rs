//! An append-only directory: its manifest, the base, and the files of each generation, held against each other.

use crate::log::{Fate, Log};
use crate::report::Report;
use crate::scan;
use journal::manifest::{File, Manifest};
use journal::reader::begins_with_rdb;
use journal::recovery::{Remains, cuts};
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::io::{self, Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// All that is known of a directory.
pub struct Directory {
    manifest: PathBuf,
    base: Option<Base>,
    /// In the order in which they are played; those of one generation together.
    pub generations: Vec<Vec<Log>>,
    /// Listed as history, which nobody plays.
    history: Vec<String>,
    /// What is wrong with the manifest, and files that it lists and that are not there.
    wrong: Vec<String>,
}

/// What comes before all generations.
pub enum Base {
    Rdb(Box<Report>),
    Log(Box<Log>),
}

/// The manifest in a directory.
///
/// # Errors
/// When there is none, or there are several.
pub fn manifest_in(directory: &Path) -> io::Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".manifest") && !name.starts_with("temp-") {
            found.push(path);
        }
    }
    let several = || Error::new(ErrorKind::InvalidInput, "there are several manifests; which?");
    let none = || Error::new(ErrorKind::NotFound, "there is no manifest in this directory");
    let first = found.pop().ok_or_else(none)?;
    if found.is_empty() { Ok(first) } else { Err(several()) }
}

/// Looks at a single file: what is in front, if it is RDB data, and the commands, if there are any.
///
/// # Errors
/// When it cannot be read.
pub fn single(path: &Path, options: &scan::Options) -> io::Result<(Option<Report>, Option<Log>)> {
    let mut head = [0; 6];
    let count = fs::File::open(path)?.read(&mut head)?;
    if !begins_with_rdb(&head[..count]) {
        return Ok((None, Some(Log::read(path, 0, None)?)));
    }
    let mut report = scan::file(path, options)?;
    let has_commands = report.bytes_behind > 0 && report.damage.is_none() && report.is_aof_preamble();
    let log = has_commands.then(|| Log::read(path, report.bytes - report.bytes_behind, None)).transpose()?;
    if log.is_some() {
        report.bytes_behind = 0;
    }
    Ok((Some(report), log))
}

impl Directory {
    /// Looks at all files that a manifest lists.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(path: &Path, options: &scan::Options) -> io::Result<Self> {
        let mut this = Self {
            manifest: path.to_owned(),
            base: None,
            generations: Vec::new(),
            history: Vec::new(),
            wrong: Vec::new(),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = name.strip_suffix(".manifest").unwrap_or(&name);
        let manifest = match Manifest::parse(prefix, &fs::read(path)?) {
            Ok(manifest) => manifest,
            Err(wrong) => {
                this.wrong.push(wrong.to_string());
                return Ok(this);
            }
        };
        let directory = path.parent().unwrap_or(Path::new("."));
        if let Some(file) = manifest.base() {
            let base = this.present(directory, file, |path| base(path, options))?;
            this.base = base;
        }
        for files in manifest.generations() {
            let mut logs = Vec::new();
            for file in files {
                logs.extend(this.present(directory, file, |path| Log::read(path, 0, file.place))?);
            }
            this.generations.push(logs);
        }
        this.history = manifest.history().iter().map(|file| file.name.clone()).collect();
        this.judge();
        Ok(this)
    }

    /// What `read` makes of a file, if it is there.
    fn present<T>(
        &mut self,
        directory: &Path,
        file: &File,
        read: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        match read(&directory.join(&file.name)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.wrong.push(format!("the file {} is not there", file.name));
                Ok(None)
            }
            Err(error) => Err(Error::new(error.kind(), format!("{}: {error}", file.name))),
        }
    }

    /// Where each file is to end; and only those of the newest generation may have a torn tail.
    fn judge(&mut self) {
        let newest = self.generations.len();
        for (index, logs) in self.generations.iter_mut().enumerate() {
            let is_damaged = logs.iter().any(|log| matches!(log.fate, Fate::Damaged(_)));
            let ends = match cuts(&all_remains(logs, is_damaged)) {
                Ok(ends) => ends,
                Err(lost) => {
                    // What was safe is gone elsewhere.
                    logs[lost.file].fate = Fate::Damaged(lost.to_string());
                    cuts(&all_remains(logs, true)).expect("nothing counts as safe")
                }
            };
            logs.iter_mut().zip(ends).for_each(|(log, end)| cut(log, end));
            for log in logs.iter_mut().filter(|_| index + 1 < newest) {
                if let Fate::Torn(why) = &log.fate {
                    log.fate = Fate::Damaged(format!("{why}, but later files go on"));
                }
            }
        }
    }

    /// Whether a file may be cut: nothing that is played after it goes on from what would go.
    pub fn can_cut(&self) -> bool {
        let (last, before) = self.generations.split_last().map_or((&[][..], &[][..]), |(a, b)| (&a[..], b));
        let are_whole = |logs: &[Log]| logs.iter().all(|log| log.fate == Fate::Whole);
        self.wrong.is_empty()
            && before.iter().all(|logs| are_whole(logs))
            && !are_whole(last)
            && self.base.as_ref().is_none_or(Base::is_whole)
    }

    pub fn is_whole(&self) -> bool {
        let mut logs = self.generations.iter().flatten();
        self.wrong.is_empty()
            && self.base.as_ref().is_none_or(Base::is_whole)
            && logs.all(|log| log.fate == Fate::Whole)
    }

    pub fn json(&self) -> Value {
        let base = self.base.as_ref().map(|base| match base {
            Base::Rdb(report) => report.json(),
            Base::Log(log) => log.json(),
        });
        json!({
            "manifest": self.manifest.display().to_string(),
            "format": "append-only directory",
            "base": base,
            "files": self.generations.iter().flatten().map(Log::json).collect::<Vec<_>>(),
            "history": self.history,
            "wrong": self.wrong,
            "is_whole": self.is_whole(),
        })
    }
}

impl Base {
    fn is_whole(&self) -> bool {
        match self {
            Base::Rdb(report) => report.damage.is_none(),
            Base::Log(log) => log.fate == Fate::Whole,
        }
    }
}

fn base(path: &Path, options: &scan::Options) -> io::Result<Base> {
    Ok(match single(path, options)? {
        (Some(report), Some(log)) if report.damage.is_none() => {
            // An old file, with commands behind the data: it is as whole as these are.
            drop(report);
            Base::Log(Box::new(log))
        }
        (Some(report), _) => Base::Rdb(Box::new(report)),
        (None, log) => Base::Log(Box::new(log.expect("it has no RDB data"))),
    })
}

/// With damage in one of the files of a generation, what was safe may be gone; then transactions are cut wherever they were.
fn all_remains(logs: &[Log], is_damaged: bool) -> Vec<Remains<'_>> {
    let of_each = logs.iter().map(|log| Remains::from(&log.survey));
    of_each
        .map(|remains| Remains { safe_bytes: if is_damaged { 0 } else { remains.safe_bytes }, ..remains })
        .collect()
}

fn cut(log: &mut Log, end: u64) {
    if end < log.end {
        log.end = end;
        if log.fate == Fate::Whole {
            let why = format!("at byte {end}: a transaction of several shards has lost other parts");
            let is_safe = end < log.survey.safe_bytes;
            log.fate = if is_safe { Fate::Damaged(why) } else { Fate::Torn(why) };
        }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: manifest of {} generations", self.manifest.display(), self.generations.len())?;
        match &self.base {
            None => {}
            Some(Base::Rdb(report)) => write!(f, "{report}")?,
            Some(Base::Log(log)) => write!(f, "{log}")?,
        }
        for log in self.generations.iter().flatten() {
            write!(f, "{log}")?;
        }
        for name in &self.history {
            writeln!(f, "history: {name}")?;
        }
        for wrong in &self.wrong {
            writeln!(f, "DAMAGED {wrong}")?;
        }
        let verdict = if self.is_whole() { "OK" } else { "not all is well" };
        writeln!(f, "{verdict}: {}", self.manifest.display())
    }
}
