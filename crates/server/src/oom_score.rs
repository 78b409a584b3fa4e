//! How readily the kernel ends this process when memory runs out (`oom-score-adj`).

use crate::log;
use config::{Config, OomScoreAdj};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

/// The kernel takes values from -1000 to 1000.
const LIMIT: i32 = 1000;

/// The process's own.
static OWN: Mutex<Option<Score>> = Mutex::new(None);

/// Brings what the configuration says into force; whether that was possible. If not, the log says why.
pub fn apply(config: &Config) -> bool {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let score = own.get_or_insert_with(|| Score::new("/proc/self/oom_score_adj".into()));
    match score.apply(config.oom_score_adj, config.oom_score_adj_values[0]) {
        Ok(()) => true,
        Err((what, error)) => {
            let reason = runtime::reason(&error);
            log::warning(format_args!("Unable to {what} oom_score_adj: {reason}"));
            false
        }
    }
}

/// Says in the log if the values look as if only a privileged process could use them: it may not lower its score.
pub fn check_values(config: &Config) {
    if !config.oom_score_adj_values.is_sorted() {
        log::warning(
            "The oom-score-adj-values configuration may not work for non-privileged processes! Please consult the \
             documentation.",
        );
    }
}

struct Score {
    path: PathBuf,
    /// What was found before the first change, while there is a change.
    initial: Option<i32>,
}

impl Score {
    fn new(path: PathBuf) -> Self {
        Self { path, initial: None }
    }

    /// Writes the score of a mode; `No` restores what was found.
    ///
    /// # Errors
    /// What could not be done and what the system says.
    fn apply(&mut self, mode: OomScoreAdj, value: i32) -> Result<(), (&'static str, io::Error)> {
        let score = match (mode, self.initial) {
            (OomScoreAdj::No, None) => return Ok(()),
            (OomScoreAdj::No, Some(initial)) => initial,
            (OomScoreAdj::Absolute, _) => {
                self.find_initial()?;
                value
            }
            (OomScoreAdj::Relative, _) => self.find_initial()?.saturating_add(value),
        };
        let text = format!("{}\n", score.clamp(-LIMIT, LIMIT));
        // Neither created nor cut: it is the kernel's.
        let file = fs::File::options().write(true).open(&self.path);
        file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|error| ("write", error))?;
        if mode == OomScoreAdj::No {
            self.initial = None;
        }
        Ok(())
    }

    fn find_initial(&mut self) -> Result<i32, (&'static str, io::Error)> {
        if let Some(initial) = self.initial {
            return Ok(initial);
        }
        let text = fs::read_to_string(&self.path).map_err(|error| ("read", error))?;
        let initial = text.trim().parse().map_err(|_| ("read", io::ErrorKind::InvalidData.into()))?;
        self.initial = Some(initial);
        Ok(initial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_limits() {
        let path = std::env::temp_dir().join(format!("weft-oom-score-{}", std::process::id()));
        let set = |text: &str| fs::write(&path, text).unwrap();
        let found = || {
            let text = fs::read_to_string(&path).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        let mut score = Score::new(path.clone());
        set("150\n");
        score.apply(OomScoreAdj::No, 7).unwrap();
        assert_eq!(found(), "150");
        for (mode, value, expected) in [
            (OomScoreAdj::Relative, 20, "170"),
            (OomScoreAdj::Relative, -20, "130"),
            (OomScoreAdj::Absolute, 300, "300"),
            (OomScoreAdj::Relative, 2000, "1000"),
            (OomScoreAdj::Absolute, -2000, "-1000"),
            (OomScoreAdj::No, 9, "150"),
        ] {
            score.apply(mode, value).unwrap();
            assert_eq!(found(), expected);
        }
        // Once it has been left alone, another may change it.
        set("40\n");
        score.apply(OomScoreAdj::No, 9).unwrap();
        assert_eq!(found(), "40");
        score.apply(OomScoreAdj::Relative, 1).unwrap();
        assert_eq!(found(), "41");
        fs::remove_file(&path).unwrap();
        assert_eq!(score.apply(OomScoreAdj::Relative, 2).unwrap_err().0, "write");
        assert_eq!(Score::new(path).apply(OomScoreAdj::Absolute, 2).unwrap_err().0, "read");
    }
}
