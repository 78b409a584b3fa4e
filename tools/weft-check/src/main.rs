//! `weft-check`: verifies and describes the files of Weft and of Redis: RDB files, append-only files and directories of these. Reads; it writes only
//! to cut off the end of an append-only file, when told to. A file of any size in little memory, for it is read in pieces, or as the system maps it.
//!
//! Each kind of file has a module that reads it into a report; which kind it is, the first bytes say.
#![forbid(unsafe_code)]

mod chunks;
mod directory;
mod fix;
mod log;
mod report;
mod scan;

use crate::directory::Directory;
use crate::fix::Consent;
use crate::log::{Fate, Log};
use crate::report::Report;
use journal::reader::begins_with_rdb;
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: weft-check [OPTIONS] FILE…

Verifies and describes files of Redis, Valkey and Weft:
  RDB files: headers, check sums, every record and value, and the index of chunks of our own files;
  append-only files, and directories of these or their manifests: every command, blocks, check sums, and transactions of
  several shards.

  --json      one JSON object per file and line
  --quick     pass over the values of RDB files instead of building each
  --keys N    show so many of the largest keys [10]
  --fix       cut off the end of append-only files where they stop being whole, having said how much goes, and asked
  --yes       do not ask

Exit codes: 0 all is well, or was mended; 1 a file is damaged, which is said with the place; 2 a file cannot be read, or an
option is wrong.";

/// What the command line says.
struct Options {
    files: Vec<PathBuf>,
    json: bool,
    fix: Option<Consent>,
    scan: scan::Options,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let scan = scan::Options { quick: false, largest_keys: 10 };
    let mut options = Options { files: Vec::new(), json: false, fix: None, scan };
    let (mut fixes, mut asks) = (false, true);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--quick" => options.scan.quick = true,
            "--fix" => fixes = true,
            "--yes" => asks = false,
            "--keys" => {
                let number = words.next().and_then(|word| word.parse().ok());
                options.scan.largest_keys = number.ok_or("--keys takes a number")?;
            }
            "--help" | "-h" => return Ok(None),
            option if option.starts_with("--") => return Err(format!("there is no option {option}")),
            file => options.files.push(file.into()),
        }
    }
    options.fix = fixes.then_some(if asks { Consent::Ask } else { Consent::Given });
    if options.files.is_empty() { Err("which file?".to_owned()) } else { Ok(Some(options)) }
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("weft-check: {wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let worst = options.files.iter().map(|path| check(path, &options)).max();
    ExitCode::from(worst.unwrap_or(0))
}

/// Checks a file and tells what was found; the exit code.
fn check(path: &Path, options: &Options) -> u8 {
    let found = look(path, &options.scan);
    let told = found.and_then(|found| {
        if options.json {
            println!("{}", found.json());
        } else {
            print!("{found}");
        }
        Ok(found.is_whole() || found.fix(options.fix.as_ref())?)
    });
    match told {
        Ok(is_well) => u8::from(!is_well),
        Err(error) => {
            eprintln!("weft-check: {}: {error}", path.display());
            2
        }
    }
}

/// What was found.
enum Found {
    Rdb(Box<Report>),
    /// With RDB data in front, if there is any.
    Log(Option<Box<Report>>, Box<Log>),
    Directory(Box<Directory>),
}

fn look(path: &Path, options: &scan::Options) -> io::Result<Found> {
    if path.is_dir() {
        let manifest = directory::manifest_in(path)?;
        return Ok(Found::Directory(Box::new(Directory::read(&manifest, options)?)));
    }
    let mut head = [0; 6];
    let count = File::open(path)?.read(&mut head)?;
    let has_end = |end: &str| path.extension().is_some_and(|extension| extension == end);
    if has_end("manifest") || head.starts_with(b"file ") {
        return Ok(Found::Directory(Box::new(Directory::read(path, options)?)));
    }
    let is_log = begins_with_rdb(&head) || matches!(head[0], b'*' | b'#') || has_end("aof");
    if !is_log || count == 0 && !has_end("aof") {
        return Ok(Found::Rdb(Box::new(scan::file(path, options)?)));
    }
    Ok(match directory::single(path, options)? {
        (report, Some(log)) => Found::Log(report.map(Box::new), Box::new(log)),
        (Some(report), None) => Found::Rdb(Box::new(report)),
        (None, None) => unreachable!("a file is one or the other"),
    })
}

impl Found {
    fn is_whole(&self) -> bool {
        match self {
            Found::Rdb(report) => report.damage.is_none(),
            Found::Log(_, log) => log.fate == Fate::Whole,
            Found::Directory(directory) => directory.is_whole(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Found::Rdb(report) => report.json(),
            Found::Log(report, log) => {
                let mut json = log.json();
                json["rdb"] = report.as_ref().map(|report| report.json()).into();
                json
            }
            Found::Directory(directory) => directory.json(),
        }
    }

    /// Mends what can be, if that is wanted; whether it was.
    fn fix(&self, consent: Option<&Consent>) -> io::Result<bool> {
        let Some(consent) = consent else { return Ok(false) };
        match self {
            Found::Rdb(_) => {
                println!("RDB files cannot be mended by cutting.");
                Ok(false)
            }
            Found::Log(_, log) => fix::logs(&[log], consent),
            Found::Directory(directory) => fix::directory(directory, consent),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Rdb(report) => write!(f, "{report}"),
            Found::Log(report, log) => {
                report.iter().try_for_each(|report| write!(f, "{report}"))?;
                write!(f, "{log}")
            }
            Found::Directory(directory) => write!(f, "{directory}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line() {
        let parse = |line: &str| parse(line.split(' ').map(str::to_owned));
        let options = parse("--json a.rdb --keys 3 b.rdb --quick").expect("right").expect("no help");
        assert!(options.json && options.scan.quick && options.scan.largest_keys == 3);
        assert_eq!(options.files, [PathBuf::from("a.rdb"), PathBuf::from("b.rdb")]);
        assert!(options.fix.is_none());
        let options = parse("a --fix").expect("right").expect("no help");
        assert!(matches!(options.fix, Some(Consent::Ask)));
        let options = parse("--yes --fix a").expect("right").expect("no help");
        assert!(matches!(options.fix, Some(Consent::Given)));
        assert!(matches!(parse("a.rdb --help"), Ok(None)));
        for wrong in ["--json", "--keys x a.rdb", "a.rdb --keys", "--all a.rdb"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
