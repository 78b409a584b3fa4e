//! Cuts the end off a file, if somebody says so.

use crate::directory::Directory;
use crate::log::{Fate, Log};
use std::fs::OpenOptions;
use std::io::{self, BufRead};

/// Who says whether.
pub enum Consent {
    /// Nobody needs to.
    Given,
    Ask,
}

/// Cuts the files of the newest generation where they are to end.
///
/// # Errors
/// When a file cannot be cut.
pub fn directory(directory: &Directory, consent: &Consent) -> io::Result<bool> {
    if !directory.can_cut() {
        eprintln!(
            "This cannot be mended by cutting: something is missing, or what is played later goes on from what would go."
        );
        return Ok(false);
    }
    let torn: Vec<_> = directory.generations.iter().flatten().filter(|log| log.fate != Fate::Whole).collect();
    logs(&torn, consent)
}

/// Cuts files where they are to end; whether that was done.
///
/// # Errors
/// When a file cannot be cut.
pub fn logs(logs: &[&Log], consent: &Consent) -> io::Result<bool> {
    for log in logs {
        let Log { bytes, end, fate, .. } = log;
        let what = match fate {
            Fate::Damaged(_) => "DAMAGE IN THE MIDDLE: everything behind it goes, whole or not. ",
            Fate::Torn(_) | Fate::Whole => "",
        };
        let gone = bytes - end;
        eprintln!("{what}{} will shrink from {bytes} to {end} bytes: {gone} bytes go.", log.path.display());
    }
    if let Consent::Ask = consent {
        eprint!("Continue? [y/N]: ");

        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") && !answer.trim().eq_ignore_ascii_case("yes") {
            eprintln!("Nothing was changed.");
            return Ok(false);
        }
    }
    for log in logs {
        let file = OpenOptions::new().write(true).open(&log.path)?;
        // Nobody must have written meanwhile.
        if file.metadata()?.len() != log.bytes {
            return Err(io::Error::other(format!("{} has changed meanwhile", log.path.display())));
        }
        file.set_len(log.end)?;
        file.sync_all()?;
        eprintln!("{} was cut.", log.path.display());
    }
    Ok(true)
}
