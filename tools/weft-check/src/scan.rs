//! Reads an RDB file from its beginning to its end.

use crate::chunks;
use crate::report::{IndexFacts, Largest, Report, names};
use base::hash::HashSeed;
use keyspace::{Kind, Value};
use rdb::Shapes;
use rdb::file::{CheckSum, Feed, Index, Item, Layout, PADDING, Record};
use rdb::statements::LINKS;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How closely is looked.
pub struct Options {
    /// Values are passed over, not built.
    pub quick: bool,
    pub largest_keys: usize,
}

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Strings of AUX fields are shown up to this length.
const FIELD_BYTES_MAX: usize = 200;

/// Reads and describes a file.
///
/// # Errors
/// When it cannot be read. Damage is part of the report.
pub fn file(path: &Path, options: &Options) -> io::Result<Report> {
    let mut file = File::open(path)?;
    let seed = HashSeed::new(0x5765_6674, 0x6368_6563);
    let mut scan = Scan::new(path, file.metadata()?.len(), options, &seed);
    let mut feed = Feed::new(true);
    let mut piece = vec![0; PIECE_BYTES];
    let mut is_more = true;
    while is_more && !feed.is_over() && !scan.is_stopped {
        let count = file.read(&mut piece)?;
        feed.push(&piece[..count]);
        if count == 0 {
            feed.close();
            is_more = false;
        }
        scan.items(&mut feed);
    }
    scan.report.form = feed.form();
    if feed.is_over() {
        scan.report.bytes_behind = scan.report.bytes.saturating_sub(feed.offset());
    }
    if let (Some(index), None) = (&scan.index, &scan.report.damage) {
        let sums = scan.report.check_sum == Some(CheckSum::Right);
        scan.report.damage = chunks::verify(&mut file, index, &scan.starts, sums)?;
    }
    Ok(scan.report)
}

struct Scan<'a> {
    report: Report,
    options: &'a Options,
    shapes: Shapes<'a>,
    now_ms: i64,
    /// Where a database is chosen.
    starts: Vec<u64>,
    index: Option<Index>,
    /// By damage behind which nothing can be read.
    is_stopped: bool,
}

impl<'a> Scan<'a> {
    fn new(path: &Path, bytes: u64, options: &'a Options, seed: &'a HashSeed) -> Self {
        let report = Report {
            path: path.to_owned(),
            bytes,
            form: None,
            fields: Vec::new(),
            functions: Vec::new(),
            modules: Vec::new(),
            databases: BTreeMap::new(),
            largest: Largest::new(options.largest_keys),
            index: None,
            check_sum: None,
            empty: 0,
            foreign: 0,
            bytes_behind: 0,
            damage: None,
            damaged_values: 0,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
        let now_ms = i64::try_from(now).unwrap_or(i64::MAX);
        let shapes = Shapes::with_defaults(seed);
        Self { report, options, shapes, now_ms, starts: Vec::new(), index: None, is_stopped: false }
    }

    /// Takes all items that have come whole.
    fn items(&mut self, feed: &mut Feed) {
        loop {
            let offset = feed.offset();
            match feed.next_item() {
                Ok(Some(item)) => self.item(item, offset),
                Ok(None) => return,
                Err(damage) => {
                    self.report.damage.get_or_insert(damage);
                    self.is_stopped = true;
                    return;
                }
            }
        }
    }

    fn item(&mut self, item: Item<'_>, offset: u64) {
        match item {
            Item::Aux { name, value } => self.field(&name, &value),
            Item::Function(code) => self.report.functions.push((library(&code), code.len())),
            Item::ModuleAux(name) => self.report.modules.push(name.as_str().to_owned()),
            Item::Database(_) => self.starts.push(offset),
            Item::Record(record) => self.record(&record),
            Item::End(sum) => self.report.check_sum = Some(sum),
            Item::Sizes { .. } | Item::SlotSizes { .. } | Item::SlotImport => {}
        }
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        // Links of vectors are many, and say nothing to people.
        if name == PADDING || name == LINKS.as_bytes() {
            return;
        }
        if let Some(index) = Index::of_field(name, value) {
            let (sources, chunks) = (index.sources, index.chunks.len());
            self.report.index = Some(IndexFacts { sources, chunks });
            self.index = Some(index);
            return;
        }
        let shown = |text: &[u8]| text[..text.len().min(FIELD_BYTES_MAX)].escape_ascii().to_string();
        self.report.fields.push((shown(name), shown(value)));
    }

    fn record(&mut self, record: &Record<'_>) {
        let (kind, layout) = names(record.layout);
        let mut size = 0;
        if let Layout::Module(_) = record.layout {
            self.report.foreign += 1;
        } else if !self.options.quick {
            match record.value(&self.shapes) {
                Ok(Some(value)) => size = size_of(&value),
                Ok(None) => self.report.empty += 1,
                Err(damage) => {
                    self.report.damaged_values += 1;
                    self.report.damage.get_or_insert(damage);
                }
            }
        }
        self.report.largest.see(record.bytes(), record.db, &record.key, &kind);
        let db = self.report.databases.entry(record.db).or_default();
        db.expiring += u64::from(record.expire_ms.is_some());
        db.expired += u64::from(record.expire_ms.is_some_and(|at_ms| at_ms < self.now_ms));
        let count = db.types.entry(kind).or_default();
        count.records += 1;
        count.bytes += record.bytes();
        count.size += size;
        *count.layouts.entry(layout).or_default() += 1;
    }
}

/// Bytes of a string, elements of a collection.
fn size_of(value: &Value) -> u64 {
    let elements = match value {
        Value::Str { bytes, .. } => bytes.len(),
        Value::List(list) => list.len(),
        Value::Set(set) => set.len(),
        Value::Hash(hash) => hash.len(),
        Value::ZSet(zset) => zset.len(),
        Value::Stream(stream) => stream.len(),
        Value::Array(array) => return array.len(),
        // One document.
        Value::Json(_) => 1,
        Value::VectorSet(set) => set.len(),
        Value::Suggestions(suggestions) => suggestions.len(),
    };
    debug_assert!(elements > 0 || matches!(value.kind(), Kind::String | Kind::Stream));
    elements as u64
}

/// The name that a library gives itself in its first line.
fn library(code: &[u8]) -> String {
    let line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = line.split(|byte| *byte == b' ').find_map(|word| word.strip_prefix(b"name="));
    name.unwrap_or(b"?").escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_have_names() {
        assert_eq!(library(b"#!lua name=lib\nredis.call()"), "lib");
        assert_eq!(library(b"#!lua flags=x name=a\"b"), "a\\\"b");
        assert_eq!(library(b"return 1"), "?");
    }
}
