//! A data file told as commands (`aof-use-rdb-preamble no`): what can read nothing else reads that, people among them.
//!
//! Strings, lists, sets, sorted sets and hashes are told by the commands that anybody would use, 64 elements at a time; other values, hashes with
//! fields whose time comes, and sorted sets with scores of -0 as RESTORE.

use crate::load::{Found, Stop, read_front};
use base::hash::HashSeed;
use base::number::{I64Buf, append_u64, format_shortest};
use disk::{Disk, NewFile};
use journal::chunk::append_command;
use keyspace::{Value, ValueRef};
use rdb::Shapes;
use rdb::encode::Options;
use rdb::file::Record;
use std::path::Path;
use types::zset::ZSetLimits;

/// Elements in one command, as in Redis.
const ELEMENTS: usize = 64;
/// Bytes that are written at a time: whole blocks.
const PIECE_BYTES: usize = 1 << 20;
/// Of payloads that redis-server 7.0 takes, where a value can be told in it.
const RESTORE_VERSION: u16 = 10;

/// Writes what a data file says into another as commands, by way of a third, whose place it takes when it is whole; how long it is.
/// `unix_s`: the time that is noted at its beginning.
///
/// # Errors
/// What cannot be read or written, and where.
pub fn transcribe<D: Disk>(
    disk: D,
    from: &Path,
    (temporary, to): (&Path, &Path),
    unix_s: Option<u64>,
) -> Result<u64, String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let map = disk.map(from).map_err(|error| failed(from, &disk::reason(&error)))?;
    let file = NewFile::create(disk, temporary.to_owned());
    let file = file.map_err(|error| failed(temporary, &disk::reason(&error)))?;
    let mut teller = Teller { file, told: Vec::new(), offset: 0, db: None, seed: HashSeed::new(1, 2) };
    if let Some(unix_s) = unix_s {
        journal::chunk::append_timestamp(&mut teller.told, unix_s);
    }
    let read = read_front(&map, false, |found| match found {
        Found::Function(code) => teller.command(&[b"FUNCTION", b"LOAD", &code]),
        Found::Statement(value) => match rdb::statements::decode(&value) {
            Some(words) => teller.command(&words),
            None => Err("a search index: it is damaged".to_owned()),
        },
        // No command says how vectors are linked: they are linked anew.
        Found::Links(_) | Found::Expected { .. } | Found::PassedOver(_) => Ok(()),
        Found::Record { record, .. } => teller.record(&record),
    });
    read.map_err(|stop| match stop {
        Stop::Damage(damage) => failed(from, &damage),
        Stop::Refused(reason) => reason,
    })?;
    teller.finish(to)
}

struct Teller<D: Disk> {
    file: NewFile<D>,
    /// And not written yet.
    told: Vec<u8>,
    /// Where that begins.
    offset: u64,
    db: Option<u32>,
    /// For tables that are read and forgotten.
    seed: HashSeed,
}

impl<D: Disk> Teller<D> {
    fn command(&mut self, words: &[&[u8]]) -> Result<(), String> {
        append_command(&mut self.told, words.iter().copied());
        self.write_pieces()
    }

    fn write_pieces(&mut self) -> Result<(), String> {
        let whole = self.told.len() / PIECE_BYTES * PIECE_BYTES;
        if whole > 0 {
            self.file.write(self.offset, &self.told[..whole])?;
            self.told.drain(..whole);
            self.offset += whole as u64;
        }
        Ok(())
    }

    fn finish(mut self, to: &Path) -> Result<u64, String> {
        self.file.write(self.offset, &self.told)?;
        self.file.replace(to)?;
        Ok(self.offset + self.told.len() as u64)
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), String> {
        if self.db != Some(record.db) {
            self.db = Some(record.db);
            self.command(&[b"SELECT", I64Buf::from_u64(record.db.into()).as_bytes()])?;
        }
        let seed = self.seed.clone();
        // Packed sorted sets do not know -0 from 0.
        let shapes = Shapes {
            zset: ZSetLimits { max_listpack_entries: 0, ..ZSetLimits::default() },
            ..Shapes::with_defaults(&seed)
        };
        let value = record.value(&shapes).map_err(|damage| damage.to_string())?;
        let Some(value) = value else { return Ok(()) };
        let mut at_ms = Vec::new();
        append_u64(&mut at_ms, record.expire_ms.map_or(0, |at_ms| at_ms.max(1) as u64));
        let (key, at_ms) = (&*record.key, &at_ms[..]);
        match &value {
            Value::Str { bytes, .. } => {
                let words = [&b"SET"[..], key, bytes, b"PXAT", at_ms];
                return self.command(&words[..if at_ms == b"0" { 3 } else { 5 }]);
            }
            Value::List(list) => {
                let items = list.range(0, list.len()).map(|item| item.with_text(<[u8]>::to_vec));
                self.elements(b"RPUSH", key, items, ELEMENTS)?;
            }
            Value::Set(set) => {
                let members = set.iter().map(|member| member.with_text(<[u8]>::to_vec));
                self.elements(b"SADD", key, members, ELEMENTS)?;
            }
            // Whoever plays ZADD packs the first elements, and forgets the sign for good.
            Value::ZSet(zset) if zset.iter().any(|(_, score)| score == 0.0 && score.is_sign_negative()) => {
                return self.restore(key, at_ms, ValueRef::ZSet(zset));
            }
            Value::ZSet(zset) => {
                let pairs = zset.iter().flat_map(|(member, score)| {
                    [format_shortest(score).as_bytes().to_vec(), member.with_text(<[u8]>::to_vec)]
                });
                self.elements(b"ZADD", key, pairs, 2 * ELEMENTS)?;
            }
            Value::Hash(hash) if hash.iter_all().all(|entry| entry.expire.is_none()) => {
                let pairs = hash.iter_all().flat_map(|entry| {
                    [entry.field.with_text(<[u8]>::to_vec), entry.value.with_text(<[u8]>::to_vec)]
                });
                self.elements(b"HMSET", key, pairs, 2 * ELEMENTS)?;
            }
            Value::Hash(hash) => return self.restore(key, at_ms, ValueRef::Hash(hash)),
            Value::Stream(stream) => return self.restore(key, at_ms, ValueRef::Stream(stream)),
            Value::Array(array) => return self.restore(key, at_ms, ValueRef::Array(array)),
            Value::Json(json) => return self.restore(key, at_ms, ValueRef::Json(json)),
            Value::VectorSet(set) => return self.restore(key, at_ms, ValueRef::VectorSet(set)),
            Value::Suggestions(all) => return self.restore(key, at_ms, ValueRef::Suggestions(all)),
        }
        match at_ms {
            b"0" => Ok(()),
            _ => self.command(&[b"PEXPIREAT", key, at_ms]),
        }
    }

    fn restore(&mut self, key: &[u8], at_ms: &[u8], value: ValueRef<'_>) -> Result<(), String> {
        let options = Options { compress: true, version: RESTORE_VERSION };
        let payload = rdb::dump::payload(value, &options);
        self.command(&[b"RESTORE", key, at_ms, &payload, b"ABSTTL"])
    }

    /// So many words at a time.
    fn elements(
        &mut self,
        name: &[u8],
        key: &[u8],
        mut words: impl Iterator<Item = Vec<u8>>,
        at_a_time: usize,
    ) -> Result<(), String> {
        loop {
            let some: Vec<Vec<u8>> = words.by_ref().take(at_a_time).collect();
            if some.is_empty() {
                return Ok(());
            }
            let all: Vec<&[u8]> = [name, key].into_iter().chain(some.iter().map(Vec::as_slice)).collect();
            self.command(&all)?;
        }
    }
}
