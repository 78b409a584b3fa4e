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
    /// Memory of the rows of all, which is asked for at each command that needs some.
    bytes: usize,
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
        self.bytes
    }

    fn insert(&mut self, id: u64, cursor: Cursor) {
        self.bytes += cursor.bytes;
        self.open.insert(id, cursor);
    }

    fn remove(&mut self, id: u64) -> Option<Cursor> {
        let cursor = self.open.remove(&id)?;
        self.bytes -= cursor.bytes;
        Some(cursor)
    }

    /// Those whose time is over go; how many.
    pub fn sweep(&mut self, now_us: u64) -> usize {
        let Self { open, bytes } = self;
        let before = open.len();
        open.retain(|_, cursor| {
            let stays = cursor.ends_us > now_us;
            *bytes -= if stays { 0 } else { cursor.bytes };
            stays
        });
        before - open.len()
    }
}

/// Opens a cursor, whose rows take so many bytes; its number.
///
/// # Errors
/// There are too many of the index.
pub fn open(cx: &mut ShardCx, opened: Opened, bytes: usize, cursors_max: usize) -> Result<u64, Error> {
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
    put(cx, id, opened, bytes);
    Ok(id)
}

fn put(cx: &mut ShardCx, id: u64, opened: Opened, bytes: usize) {
    let ends_us = cx.now_us.saturating_add(opened.options.idle_ms.saturating_mul(1000));
    cx.cursors.insert(id, Cursor { opened, ends_us, bytes });
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
    let cursor = cx.cursors.remove(id);
    let Cursor { mut opened, bytes, .. } = cursor.ok_or_else(|| not_found(id))?;
    let count = count.unwrap_or(opened.options.rows);
    let taken = count.min(opened.rows.len());
    let rows: Vec<_> = opened.rows.drain(..taken).collect();
    let (expands, is_counted) = (opened.expands, opened.is_counted);
    // That nothing is left shows when fewer rows come than were asked for.
    let next = if taken < count { 0 } else { id };
    if next != 0 {
        let taken_bytes = rows.iter().map(Fields::bytes).sum::<usize>();
        put(cx, id, opened, bytes - taken_bytes);
    }
    Ok(Read { rows, next, expands, is_counted })
}

/// That there is no such cursor.
pub fn not_found(id: u64) -> Error {
    Error::text(format!("SEARCH_CURSOR_NOT_FOUND Cursor not found, id: {id}"))
}

/// Closes a cursor; whether there was one.
pub fn close(cx: &mut ShardCx, id: u64) -> bool {
    cx.cursors.remove(id).is_some()
}

/// Whether a cursor is of an index with this number, if there is such a cursor.
pub fn is_of(cx: &ShardCx, id: u64, number: u64) -> bool {
    cx.cursors.open.get(&id).is_none_or(|cursor| cursor.opened.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use config::Config;
    use search::expression::Value;
    use std::sync::Arc;

    fn recounted(cx: &ShardCx) -> usize {
        cx.cursors.open.values().flat_map(|cursor| &cursor.opened.rows).map(Fields::bytes).sum()
    }

    #[test]
    fn the_memory_of_rows_is_that_of_those_that_are_left() {
        let mut cx = ShardCx::new(0, 1, Arc::new(Config::default()), HashSeed::new(1, 2), 3);
        let opened = |rows: usize, idle_ms| Opened {
            number: 1,
            rows: (0..rows)
                .map(|row| Fields::new([(b"name".to_vec(), Value::Text(vec![b'x'; row]))].into_iter()))
                .collect(),
            options: CursorOptions { rows: 3, idle_ms },
            expands: false,
            is_counted: false,
        };
        let mut opened = |rows, idle_ms| {
            let opened = opened(rows, idle_ms);
            let bytes = opened.rows.iter().map(Fields::bytes).sum();
            open(&mut cx, opened, bytes, 10).unwrap_or_else(|_| panic!("there is room"))
        };
        let (first, second, third) = (opened(10, 1000), opened(5, 1), opened(7, 1000));
        let all = cx.cursors.bytes();
        assert!(all > 22 * size_of::<Fields>() && all == recounted(&cx));
        assert_eq!(read(&mut cx, first, Some(4)).unwrap_or_else(|_| panic!("it is open")).rows.len(), 4);
        assert!(cx.cursors.bytes() < all);
        assert_eq!(cx.cursors.bytes(), recounted(&cx));
        assert_eq!(read(&mut cx, second, None).unwrap_or_else(|_| panic!("it is open")).rows.len(), 3);
        cx.now_us += 2000;
        assert_eq!(cx.cursors.sweep(cx.now_us), 1);
        assert_eq!(cx.cursors.bytes(), recounted(&cx));
        assert!(close(&mut cx, third));
        assert_eq!(cx.cursors.bytes(), recounted(&cx));
        assert_eq!(read(&mut cx, first, None).unwrap_or_else(|_| panic!("it is open")).rows.len(), 3);
        assert_eq!(read(&mut cx, first, Some(9)).unwrap_or_else(|_| panic!("it is open")).next, 0);
        assert_eq!((cx.cursors.bytes(), cx.cursors.len()), (0, 0));
    }
}
