//! Playing what stands in files, and dealing keys out.

use crate::{Halt, Loader};
use command::ShardCx;
use command::loading::Content;
use journal::reader::{Entry, Reader};
use persist::load::{self, Found, Record, Stop};
use shard::Shard;
use std::fmt::Display;
use std::path::Path;

/// A key on its way to the shard that has it.
pub struct Stray {
    pub db: u16,
    pub key: Vec<u8>,
    pub entry: keyspace::Entry,
}

/// What is to be done with a command.
pub enum Play {
    This,
    /// Nor anything behind it.
    NoMore,
}

/// Who plays: a shard its own files, or all files on one that has every key.
pub struct Player<'a, L> {
    pub loader: &'a mut L,
    pub whole: Option<Shard>,
}

impl<L: Loader> Player<'_, L> {
    fn shard(&mut self) -> &mut Shard {
        match &mut self.whole {
            Some(whole) => whole,
            None => self.loader.shard(),
        }
    }

    /// Loads a base, all of it; where the data ends, and commands may follow.
    pub fn load_base(&mut self, path: &Path, bytes: &[u8], sums: bool) -> Result<usize, Halt> {
        let mut at = 0;
        let end = load::read_front(bytes, sums, |found| {
            match found {
                Found::Function(code) => take_library(&mut self.shard().cx, &code).map_err(Halt::Failed)?,
                Found::Statement(value) => {
                    take_statement(&mut self.shard().cx, &value).map_err(Halt::Failed)?;
                }
                // For the indexes that there will be when all has been played.
                Found::Links(value) => self.loader.shard().cx.indexes.keep_links(&value),
                Found::Expected { .. } | Found::PassedOver(_) => {}
                Found::Record { record, .. } => {
                    self.take_record(&record).map_err(Halt::Failed)?;
                    let end = record.offset() + record.bytes();
                    goes_on(self.loader, end - at)?;
                    at = end;
                }
            }
            Ok(())
        });
        let path = path.display();
        let end = end.map_err(|stop: Stop<Halt>| match stop {
            Stop::Damage(damage) => Halt::Failed(format!("{path}: {damage}")),
            Stop::Refused(halt) => halt.of(&path),
        })?;
        Ok(end)
    }

    fn take_record(&mut self, record: &Record<'_>) -> Result<(), String> {
        let cx = &mut self.shard().cx;
        let db = number_of(cx, record)?;
        match cx.entry_of(record, true).map_err(|damage| damage.to_string())? {
            Content::Entry(entry) => take_stray(cx, Stray { db, key: record.key.to_vec(), entry })
                .map_err(|reason| format!("at byte {}: {reason}", record.offset())),
            Content::Expired | Content::Empty => Ok(()),
        }
    }

    /// Plays the commands of a file that are wanted.
    pub fn play(
        &mut self,
        path: &Path,
        bytes: &[u8],
        (start, end): (usize, u64),
        mut wants: impl FnMut(&[&[u8]]) -> Play,
    ) -> Result<(), Halt> {
        let (mut reader, mut db, mut at) = (Reader::new(&bytes[..end as usize], start), 0, start);
        let wrong = |at: &dyn Display, reason: &dyn Display| {
            let path = path.display();
            Halt::Failed(format!(
                "Bad file format reading the append only file {path}: at byte {at}: {reason}"
            ))
        };
        while let Some((place, entry)) =
            reader.next_entry().map_err(|flaw| wrong(&flaw.offset, &flaw.reason))?
        {
            let Entry::Command(words) = entry else { continue };
            let name = words[0];
            if name.eq_ignore_ascii_case(b"SELECT") {
                let number = words.get(1).and_then(|word| base::number::parse_u64(word));
                let known = number.and_then(|number| u16::try_from(number).ok());
                db = known.ok_or_else(|| wrong(&place.start, &"SELECT of no database"))?;
            } else if !name.eq_ignore_ascii_case(b"MULTI") && !name.eq_ignore_ascii_case(b"EXEC") {
                match wants(words) {
                    Play::This => {
                        self.shard().play(db, words).map_err(|reason| {
                            if command::registry::lookup(name).is_some() {
                                return wrong(&place.start, &reason);
                            }
                            let (name, path, at) = (name.escape_ascii(), path.display(), place.start);
                            Halt::Failed(format!(
                                "Unknown command '{name}' reading the append only file {path}: at byte {at}"
                            ))
                        })?;
                    }
                    Play::NoMore => return Ok(()),
                }
                goes_on(self.loader, (place.end - at) as u64)?;
                at = place.end;
            }
        }
        Ok(())
    }
}

/// Notes that something was loaded, of so many bytes.
pub fn goes_on(loader: &mut impl Loader, bytes: u64) -> Result<(), Halt> {
    if loader.has_loaded(bytes) { Ok(()) } else { Err(Halt::Ended) }
}

/// Whether a command concerns whole databases: it stands at the head of the first file of a generation, and is for all shards.
pub fn is_of_databases(words: &[&[u8]]) -> bool {
    [&b"FLUSHALL"[..], b"FLUSHDB", b"SWAPDB"].iter().any(|name| words[0].eq_ignore_ascii_case(name))
}

/// Loads a library of functions.
///
/// # Errors
/// Why it is none.
pub fn take_library(cx: &mut ShardCx, code: &[u8]) -> Result<(), String> {
    cx.load_library(code)
        .map_err(|error| format!("a library of functions: {}", String::from_utf8_lossy(error.line())))
}

/// Makes a search index, or part of one.
///
/// # Errors
/// Why it is none.
pub fn take_statement(cx: &mut ShardCx, value: &[u8]) -> Result<(), String> {
    cx.restore_saved_index(value)
        .map_err(|error| format!("a search index: {}", String::from_utf8_lossy(error.line())))
}

/// The database of a record.
///
/// # Errors
/// When there is none of that number.
pub fn number_of(cx: &ShardCx, record: &Record<'_>) -> Result<u16, String> {
    cx.dbs.number(record.db.into()).ok_or_else(|| {
        let (count, offset) = (cx.dbs.count(), record.offset());
        format!("at byte {offset}: database {}, and there are {count} (`databases`)", record.db)
    })
}

/// Stores a key where it belongs.
///
/// # Errors
/// When there is one of that name.
pub fn take_stray(cx: &mut ShardCx, Stray { db, key, entry }: Stray) -> Result<(), String> {
    match cx.load(db, &key, entry) {
        true => Ok(()),
        false => Err(format!("key \"{}\" is there twice in database {db}", key.escape_ascii())),
    }
}
