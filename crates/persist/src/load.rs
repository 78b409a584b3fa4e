//! Reading a data file: every shard its part of it, all at the same time.
//!
//! Our own files have an index of chunks, which says what each shard has written. If there are as many again, each reads its own chunks.
//! Of any other file each shard reads all, and builds what is its own.

use rdb::file::{Chunk, Item, Items, Parts};
use rdb::statements::{FIELD, LINKS};
use rdb::{ModuleName, Text};
use std::collections::BTreeMap;

pub use rdb::file::{Damage, Record};

/// Something a reader comes upon.
pub enum Found<'a> {
    /// The code of a library; every reader sees all of them.
    Function(Text<'a>),
    /// A command that makes a search index, or part of one; every reader sees all of them.
    Statement(Text<'a>),
    /// How some of an index's vectors are linked; readers see those of the records that they see.
    Links(Text<'a>),
    /// How many keys of a database there will be for each reader: a hint.
    Expected { db: u32, keys: usize },
    /// What a module has written beside all keys is not looked at; every reader comes by.
    PassedOver(ModuleName),
    /// One that the reader with this number has written, or one that every reader sees, and that is for the one whose it is.
    Record { record: Record<'a>, is_for_all: bool },
}

/// Why reading has ended early.
#[derive(Debug)]
pub enum Stop<E> {
    /// The file cannot be read.
    Damage(Damage),
    /// The visitor would not go on.
    Refused(E),
}

impl<E> From<Damage> for Stop<E> {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// What a file says of itself.
#[derive(Clone, Debug, Default)]
pub struct Remarks {
    /// Of the server that has written it.
    pub server_version: Option<String>,
    /// Unix time in seconds.
    pub written_s: Option<u64>,
    /// Memory that the server used then.
    pub used_memory_bytes: Option<u64>,
}

/// What stands at the beginning of a file, as far as it can be read.
pub fn remarks(bytes: &[u8]) -> Remarks {
    let mut remarks = Remarks::default();
    let Ok(mut items) = Items::of_file(bytes, false) else { return remarks };
    while let Ok(Some(Item::Aux { name, value })) = items.next_item() {
        let text = || String::from_utf8_lossy(&value).into_owned();
        match &*name {
            b"redis-ver" | b"valkey-ver" => remarks.server_version = Some(text()),
            b"ctime" => remarks.written_s = text().parse().ok(),
            b"used-mem" => remarks.used_memory_bytes = text().parse().ok(),
            _ => {}
        }
    }
    remarks
}

/// No key takes less of a file, bytes: what a file says of its size is believed only so far.
const RECORD_BYTES_MIN: u64 = 4;

/// The reader with number `reader` of so many reads its part of a file, or all of it. `sums`: check sums are verified.
///
/// # Errors
/// When the file cannot be read, or `visit` says so.
pub fn read<'a, E>(
    bytes: &'a [u8],
    sums: bool,
    (reader, readers): (usize, usize),
    mut visit: impl FnMut(Found<'a>) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    let Some(parts) = Parts::find(bytes, sums) else {
        // One look at the check sum is enough.
        let mut items = Items::of_file(bytes, sums && reader == 0)?;
        return walk(&mut items, &mut visit, true, |keys| {
            keys.min(bytes.len() as u64 / RECORD_BYTES_MIN) / readers as u64
        });
    };
    walk(&mut parts.head(), &mut visit, false, |_| 0)?;
    let is_as_written = usize::from(parts.sources()) == readers;
    let chunks = || parts.chunks().iter().enumerate();
    let is_own = |chunk: &Chunk| !is_as_written || usize::from(chunk.source) == reader;
    let mut expected = BTreeMap::<u32, u64>::new();
    for (number, chunk) in chunks().filter(|(_, chunk)| is_own(chunk)) {
        if let Some(db) = parts.database(number) {
            *expected.entry(db).or_default() += chunk.records.min(chunk.bytes / RECORD_BYTES_MIN);
        }
    }
    for (db, keys) in expected {
        let keys = if is_as_written { keys } else { keys / readers as u64 };
        visit(Found::Expected { db, keys: keys as usize }).map_err(Stop::Refused)?;
    }
    for (number, _) in chunks().filter(|(_, chunk)| is_own(chunk)) {
        let is_verified = is_as_written || number % readers == reader;
        let mut items = if is_verified { parts.chunk(number)? } else { parts.chunk_unverified(number)? };
        walk(&mut items, &mut visit, !is_as_written, |_| 0)?;
    }
    Ok(())
}

/// Whether a file is not one that every shard can read a part of, or has something behind its data.
pub fn is_of_others(bytes: &[u8]) -> bool {
    Parts::find(bytes, false).is_none()
}

/// Reads all of a file, behind whose data something else may follow; where that is.
///
/// # Errors
/// See [`read`].
pub fn read_front<'a, E>(
    bytes: &'a [u8],
    sums: bool,
    mut visit: impl FnMut(Found<'a>) -> Result<(), E>,
) -> Result<usize, Stop<E>> {
    let mut items = Items::of_file(bytes, sums)?;
    walk(&mut items, &mut visit, false, |keys| keys)?;
    Ok(items.offset() as usize)
}

/// `expected`: of so many keys of a database as the file says it has, how many are for this reader.
fn walk<'a, E>(
    items: &mut Items<'a>,
    mut visit: impl FnMut(Found<'a>) -> Result<(), E>,
    is_for_all: bool,
    expected: impl Fn(u64) -> u64,
) -> Result<(), Stop<E>> {
    let mut db = 0;
    while let Some(item) = items.next_item()? {
        let found = match item {
            Item::Record(record) => Found::Record { record, is_for_all },
            Item::Function(code) => Found::Function(code),
            Item::ModuleAux(name) => Found::PassedOver(name),
            Item::Aux { name, value } if *name == *FIELD.as_bytes() => Found::Statement(value),
            Item::Aux { name, value } if *name == *LINKS.as_bytes() => Found::Links(value),
            Item::Sizes { keys, .. } => Found::Expected { db, keys: expected(keys) as usize },
            Item::Database(number) => {
                db = number;
                continue;
            }
            _ => continue,
        };
        visit(found).map_err(Stop::Refused)?;
    }
    Ok(())
}
