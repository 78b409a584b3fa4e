//! One append-only file: looked at, described, and what is to become of its end.

use journal::manifest::Place;
use journal::reader::{Entry, Reader};
use journal::survey::{Form, Found, Survey, survey};
use runtime::FileMap;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// All that is known of a file.
pub struct Log {
    pub path: PathBuf,
    pub bytes: u64,
    /// Where RDB data in front ends.
    pub start: u64,
    pub place: Option<Place>,
    pub survey: Survey,
    /// By name, in what is whole.
    pub commands: BTreeMap<String, Count>,
    /// Where it is to end. What is behind is filler, or goes when the file is cut.
    pub end: u64,
    pub fate: Fate,
}

#[derive(Default)]
pub struct Count {
    pub commands: u64,
    pub bytes: u64,
}

/// What is wrong, and can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Whole,
    /// The end was being written; it can be cut off, and a server does so by itself.
    Torn(String),
    /// Something else is wrong.
    Damaged(String),
}

/// Names are shown up to this length, and so many different ones.
const NAME_BYTES_MAX: usize = 40;
const NAMES_MAX: usize = 1000;

impl Log {
    /// Looks at a file, whose commands begin at `start`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path, start: u64, place: Option<Place>) -> io::Result<Self> {
        let bytes = FileMap::open(path)?;
        let form = Form { start: start as usize, is_ours: place.is_some() };
        let survey = survey(&bytes, form, |_, _| ());
        let fate = match &survey.flaw {
            None => Fate::Whole,
            Some(Found::Tail(flaw)) => Fate::Torn(flaw.to_string()),
            Some(Found::Damage(flaw)) => Fate::Damaged(flaw.to_string()),
        };
        let end = survey.whole_bytes;
        let commands = commands(&bytes[..end as usize], form.start);
        Ok(Self {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            start,
            place,
            survey,
            commands,
            end,
            fate,
        })
    }

    fn transactions(&self) -> usize {
        self.survey.parts.len()
    }

    pub fn json(&self) -> Value {
        let commands: Map<_, _> = self
            .commands
            .iter()
            .map(|(name, count)| (name.clone(), json!({ "commands": count.commands, "bytes": count.bytes })))
            .collect();
        let (torn, damage) = match &self.fate {
            Fate::Whole => (None, None),
            Fate::Torn(why) => (Some(why), None),
            Fate::Damaged(why) => (None, Some(why)),
        };
        json!({
            "file": self.path.display().to_string(),
            "bytes": self.bytes,
            "format": "append-only file",
            "begins_at": self.start,
            "generation": self.place.map(|place| place.generation),
            "shard": self.place.map(|place| place.shard),
            "commands": commands,
            "rounds": self.survey.rounds,
            "parts_of_transactions": self.transactions(),
            "first_time": self.survey.times_unix_s.map(|times| times.0),
            "last_time": self.survey.times_unix_s.map(|times| times.1),
            "safe_bytes": self.survey.safe_bytes,
            "whole_bytes": self.end,
            "torn": torn,
            "damage": damage,
        })
    }
}

/// The commands of what is whole, by name.
fn commands(bytes: &[u8], start: usize) -> BTreeMap<String, Count> {
    let mut commands: BTreeMap<String, Count> = BTreeMap::new();
    let mut reader = Reader::new(bytes, start);
    while let Ok(Some((place, entry))) = reader.next_entry() {
        let Entry::Command(words) = entry else { continue };
        let name = &words[0][..words[0].len().min(NAME_BYTES_MAX)];
        let mut name = name.to_ascii_uppercase().escape_ascii().to_string();
        if commands.len() >= NAMES_MAX && !commands.contains_key(&name) {
            name = "(others)".to_owned();
        }
        let count = commands.entry(name).or_default();
        count.commands += 1;
        count.bytes += place.len() as u64;
    }
    commands
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes, append-only file", self.path.display(), self.bytes)?;
        if let Some(Place { generation, shard }) = self.place {
            write!(f, " of shard {shard}, generation {generation}")?;
        }
        writeln!(f)?;
        if self.start > 0 {
            writeln!(f, "  {} bytes of RDB data in front", self.start)?;
        }
        for (name, Count { commands, bytes }) in &self.commands {
            writeln!(f, "  {name}: {commands} commands, {bytes} bytes")?;
        }
        if self.survey.rounds > 0 {
            writeln!(f, "  {} rounds, safe up to byte {}", self.survey.rounds, self.survey.safe_bytes)?;
        }
        if self.transactions() > 0 {
            writeln!(f, "  {} parts of transactions of several shards", self.transactions())?;
        }
        if let Some((first, last)) = self.survey.times_unix_s {
            writeln!(f, "  written from {first} to {last} (seconds since 1970)")?;
        }
        let behind = self.bytes - self.end;
        match &self.fate {
            Fate::Whole => {
                if behind > 0 {
                    writeln!(f, "  {behind} bytes of filler behind the end")?;
                }
                writeln!(f, "OK {} commands", self.survey.commands)
            }
            Fate::Torn(why) => {
                writeln!(f, "TORN {why}; whole up to byte {}, {behind} bytes behind it", self.end)
            }
            Fate::Damaged(why) => {
                writeln!(f, "DAMAGED {why}; whole up to byte {}, {behind} bytes behind it", self.end)
            }
        }
    }
}
