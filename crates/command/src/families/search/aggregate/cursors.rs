//! Cursors: rows of FT.AGGREGATE that have not been shown. They stay on the shard of the client that asked; their number says which it is, so they are
//! read over any connection.

use super::arguments::CursorOptions;
use crate::{Error, ShardCx};
use base::number::parse_u64;
use search::aggregate::Fields;
use std::collections::{HashMap, VecDeque};

/// Rows that are left.
pub struct Opened {
    /// The number of the index.
    pub number: u64,
    pub rows: VecDeque<Fields>,
    pub options: CursorOptions,
    pub expands: bool,
    /// Some step has looked at all rows, so how many there are was said with the first.
    pub is_counted: bool,
}

/// The next rows of a cursor.
pub struct Read {
    pub rows: Vec<Fields>,
    /// The cursor's number if there may be more; else 0.
    pub next: u64,
    pub expands: bool,
    pub is_counted: bool,
}

struct Cursor {
    opened: Opened,
    /// When it goes (monotonic µs) unless it is read before.
    ends_us: u64,
    /// Memory of the rows.
    bytes: usize,
}

/// The cursors of a shard.
#[derive(Default)]
pub struct Cursors {
    open: HashMap<u64, Cursor>,
}

impl Cursors {
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many there are of an index.
    pub fn of_index(&self, number: u64) -> usize {
        self.open.values().filter(|cursor| cursor.opened.number == number).count()
    }

    /// Memory of the rows that are left.
    pub fn bytes(&self) -> usize {
        self.open.values().map(|cursor| cursor.bytes).sum()
    }

    /// Those whose time is over go; how many.
    pub fn sweep(&mut self, now_us: u64) -> usize {
        let before = self.open.len();
        self.open.retain(|_, cursor| cursor.ends_us > now_us);
        before - self.open.len()
    }
}

/// Opens a cursor; its number.
///
/// # Errors
/// There are too many of the index.
pub fn open(cx: &mut ShardCx, opened: Opened, cursors_max: usize) -> Result<u64, Error> {
    cx.cursors.sweep(cx.now_us);
    if cx.cursors.of_index(opened.number) >= cursors_max {
        let text = "SEARCH_CURSOR_LIMIT INDEX_CURSOR_LIMIT of ";
        return Err(Error::text(format!("{text}{cursors_max} has been reached for an index")));
    }
    let id = loop {
        let drawn = cx.random.next_u64() >> 24;
        let id = drawn * u64::from(cx.shards) + u64::from(cx.id);
        if drawn > 0 && !cx.cursors.open.contains_key(&id) {
            break id;
        }
    };
    put(cx, id, opened);
    Ok(id)
}

fn put(cx: &mut ShardCx, id: u64, opened: Opened) {
    let ends_us = cx.now_us.saturating_add(opened.options.idle_ms.saturating_mul(1000));
    let bytes = opened.rows.iter().map(Fields::bytes).sum();
    cx.cursors.open.insert(id, Cursor { opened, ends_us, bytes });
}

/// The number of a cursor as it is written.
///
/// # Errors
/// It is no number.
pub fn number(written: &[u8]) -> Result<u64, Error> {
    parse_u64(written).ok_or_else(|| Error::text("SEARCH_PARSE_ARGS Bad cursor ID"))
}

/// The next rows of a cursor.
///
/// # Errors
/// There is no such cursor.
pub fn read(cx: &mut ShardCx, id: u64, count: Option<usize>) -> Result<Read, Error> {
    cx.cursors.sweep(cx.now_us);
    let cursor = cx.cursors.open.remove(&id);
    let mut opened = cursor.ok_or_else(|| not_found(id))?.opened;
    let count = count.unwrap_or(opened.options.rows);
    let taken = count.min(opened.rows.len());
    let rows: Vec<_> = opened.rows.drain(..taken).collect();
    let (expands, is_counted) = (opened.expands, opened.is_counted);
    // That nothing is left shows when fewer rows come than were asked for.
    let next = if taken < count { 0 } else { id };
    if next != 0 {
        put(cx, id, opened);
    }
    Ok(Read { rows, next, expands, is_counted })
}

/// That there is no such cursor.
pub fn not_found(id: u64) -> Error {
    Error::text(format!("SEARCH_CURSOR_NOT_FOUND Cursor not found, id: {id}"))
}

/// Closes a cursor; whether there was one.
pub fn close(cx: &mut ShardCx, id: u64) -> bool {
    cx.cursors.open.remove(&id).is_some()
}

/// Whether a cursor is of an index with this number, if there is such a cursor.
pub fn is_of(cx: &ShardCx, id: u64, number: u64) -> bool {
    cx.cursors.open.get(&id).is_none_or(|cursor| cursor.opened.number == number)
}
