//! What shards count of an index, on its way to their sum.

use super::Info;
use crate::indexes::failures::{Count, Last};
use crate::indexes::usage::Usage;
use crate::indexes::{DB, ShardIndex, index_not_found};
use crate::parts::Part;
use crate::{Error, ShardCx};
use resp::Reply;

/// Numbers that are added up, in the order in which they travel.
#[derive(Clone, Copy)]
enum Sum {
    Documents,
    Terms,
    Entries,
    TermBytes,
    VectorBytes,
    Blocks,
    RecordBytes,
    KeyBytes,
    OrderedBytes,
    TagBytes,
    ShapeBytes,
    TextWords,
    IndexingMicros,
    Scanned,
    ToScan,
    Scanning,
    Queries,
    Admin,
    IdleCursors,
    Cursors,
    CursorsMax,
    CursorsOfIndex,
    Dialect1,
    Dialect2,
    Dialect3,
    Dialect4,
    Count,
}

const SUMS: usize = Sum::Count as usize;

const DIALECTS: [Sum; Usage::DIALECTS] = [Sum::Dialect1, Sum::Dialect2, Sum::Dialect3, Sum::Dialect4];

/// Those of one shard, or of all.
pub(super) struct Figures {
    sums: [u64; SUMS],
    id_max: u64,
    failures: Count,
    fields: Vec<FieldFailures>,
    /// If they are given.
    stop_words: Option<Vec<Vec<u8>>>,
}

/// The failures of a field.
struct FieldFailures {
    path: Vec<u8>,
    name: Vec<u8>,
    failures: Count,
}

impl Figures {
    /// This shard's.
    pub fn of(cx: &ShardCx, name: &[u8]) -> Result<Self, Error> {
        let index = cx.indexes.get(name).ok_or_else(|| index_not_found(name))?;
        let schema = &index.definition.schema;
        let fields = schema.fields.iter().enumerate().map(|(number, field)| FieldFailures {
            path: field.path.to_vec(),
            name: field.name.to_vec(),
            failures: index.failures.of_field(number),
        });
        let stop_words = schema.stop_words.listed();
        Ok(Self {
            sums: sums_of(cx, index),
            id_max: index.documents.id_max().map_or(0, |id| u64::from(id) + 1),
            failures: index.failures.all.clone(),
            fields: fields.collect(),
            stop_words: stop_words.map(|words| words.iter().map(|word| word.to_vec()).collect()),
        })
    }

    pub fn write(&self, out: &mut Reply) {
        self.sums.iter().chain([&self.id_max]).for_each(|number| out.int(*number as i64));
        write_count(&self.failures, out);
        out.int(self.fields.len() as i64);
        for field in &self.fields {
            out.bulk(&field.path);
            out.bulk(&field.name);
            write_count(&field.failures, out);
        }
        out.int(self.stop_words.as_ref().map_or(-1, |words| words.len() as i64));
        self.stop_words.iter().flatten().for_each(|word| out.bulk(word));
    }

    /// A shard's, and what it says of the definition.
    fn read(part: &[u8]) -> (Self, Vec<u8>) {
        let mut part = Part::new(part);
        let mut sums = [0; SUMS];
        sums.iter_mut().for_each(|sum| *sum = part.int() as u64);
        let id_max = part.int() as u64;
        let failures = read_count(&mut part);
        let fields = 0..part.int();
        let fields = fields.map(|_| FieldFailures {
            path: part.bulk().to_vec(),
            name: part.bulk().to_vec(),
            failures: read_count(&mut part),
        });
        let fields = fields.collect();
        let words = part.int();
        let stop_words = (words >= 0).then(|| (0..words).map(|_| part.bulk().to_vec()).collect());
        let head = part.bulk().to_vec();
        (Self { sums, id_max, failures, fields, stop_words }, head)
    }

    /// Those of all shards together.
    pub fn sum(parts: &[&[u8]]) -> (Self, Vec<u8>) {
        let mut shards = parts.iter().map(|part| Self::read(part));
        let (mut all, mut head) = shards.next().expect("there is a shard");
        for (shard, shard_head) in shards {
            head.extend(shard_head);
            all.sums.iter_mut().zip(shard.sums).for_each(|(sum, more)| *sum += more);
            all.id_max = all.id_max.max(shard.id_max);
            add_count(&mut all.failures, shard.failures);
            for (field, more) in all.fields.iter_mut().zip(shard.fields) {
                add_count(&mut field.failures, more.failures);
            }
        }
        (all, head)
    }

    fn get(&self, sum: Sum) -> u64 {
        self.sums[sum as usize]
    }

    /// A figure for each of so many things, 0 if there are none.
    fn mean(&self, sum: Sum, over: Sum) -> f64 {
        if self.get(over) == 0 { 0.0 } else { self.get(sum) as f64 / self.get(over) as f64 }
    }
}

fn write_count(Count { count, last }: &Count, out: &mut Reply) {
    out.int(*count as i64);
    let last = last.clone().unwrap_or(Last { error: String::new(), key: Vec::new(), at_us: 0 });
    out.int(last.at_us as i64);
    out.bulk(last.error.as_bytes());
    out.bulk(&last.key);
}

fn read_count(part: &mut Part<'_>) -> Count {
    let (count, at_us) = (part.int() as u64, part.int() as u64);
    let (error, key) = (String::from_utf8_lossy(part.bulk()).into_owned(), part.bulk().to_vec());
    Count { count, last: (count > 0).then_some(Last { error, key, at_us }) }
}

fn add_count(sum: &mut Count, more: Count) {
    sum.count += more.count;
    let at = |last: &Option<Last>| last.as_ref().map(|last| last.at_us);
    if at(&more.last) > at(&sum.last) {
        sum.last = more.last;
    }
}

fn sums_of(cx: &ShardCx, index: &ShardIndex) -> [u64; SUMS] {
    let keys = cx.dbs[usize::from(DB)].len() as u64;
    let sizes = index.index.sizes();
    let mut sums = [0; SUMS];
    let mut set = |sum: Sum, value: u64| sums[sum as usize] = value;
    set(Sum::Documents, index.index.len() as u64);
    set(Sum::Terms, index.index.word_count() as u64);
    set(Sum::Entries, sizes.entries);
    set(Sum::TermBytes, sizes.terms_bytes as u64);
    set(Sum::VectorBytes, sizes.vector_bytes as u64);
    set(Sum::Blocks, sizes.blocks as u64);
    set(Sum::RecordBytes, sizes.records_bytes as u64);
    set(Sum::KeyBytes, index.documents.bytes() as u64);
    set(Sum::OrderedBytes, sizes.ordered_bytes as u64);
    set(Sum::TagBytes, sizes.tags_bytes as u64);
    set(Sum::ShapeBytes, sizes.shape_bytes as u64);
    set(Sum::TextWords, index.index.length_sum());
    set(Sum::IndexingMicros, index.indexing_ns / 1000);
    // A shard that is not scanned any more has seen all of its keys.
    set(Sum::Scanned, index.scan.as_ref().map_or(keys, |scan| scan.seen.min(keys)));
    set(Sum::ToScan, keys);
    set(Sum::Scanning, u64::from(index.scan.is_some()));
    set(Sum::Queries, index.usage.queries);
    set(Sum::Admin, index.usage.admin);
    // A cursor is idle whenever it is not being read, which takes one step.
    set(Sum::IdleCursors, cx.cursors.len() as u64);
    set(Sum::Cursors, cx.cursors.len() as u64);
    set(Sum::CursorsMax, cx.config.search_index_cursor_limit);
    set(Sum::CursorsOfIndex, cx.cursors.of_index(index.definition.number) as u64);
    DIALECTS.into_iter().zip(index.usage.dialects).for_each(|(sum, is_used)| set(sum, u64::from(is_used)));
    sums
}

impl Info<'_> {
    /// The entries behind the attributes.
    pub(super) fn figures(&mut self, figures: &Figures) {
        self.int("num_docs", figures.get(Sum::Documents));
        self.int("max_doc_id", figures.id_max);
        self.int("num_terms", figures.get(Sum::Terms));
        self.int("num_records", figures.get(Sum::Entries));
        self.sizes(figures);
        self.averages(figures);
        self.progress(figures);
        self.statistics(figures);
        self.failures(figures);
    }

    /// Memory. Positions stand among the postings; what is sorted by is part of a document's record, so it is told there.
    fn sizes(&mut self, figures: &Figures) {
        let (terms, tags) = (figures.get(Sum::TermBytes), figures.get(Sum::TagBytes));
        let (vectors, ordered) = (figures.get(Sum::VectorBytes), figures.get(Sum::OrderedBytes));
        let (records, keys) = (figures.get(Sum::RecordBytes), figures.get(Sum::KeyBytes));
        let shapes = figures.get(Sum::ShapeBytes);
        self.megabytes("inverted_sz_mb", terms + ordered);
        self.megabytes("vector_index_sz_mb", vectors);
        self.int("total_inverted_index_blocks", figures.get(Sum::Blocks));
        self.megabytes("offset_vectors_sz_mb", 0);
        self.megabytes("doc_table_size_mb", records);
        self.megabytes("sortable_values_size_mb", 0);
        self.megabytes("key_table_size_mb", keys);
        self.megabytes("geoshapes_sz_mb", shapes);
        self.megabytes("tag_overhead_sz_mb", tags);
        self.megabytes("text_overhead_sz_mb", 0);
        self.megabytes(
            "total_index_memory_sz_mb",
            terms + tags + vectors + ordered + shapes + records + keys,
        );
    }

    fn averages(&mut self, figures: &Figures) {
        self.number("records_per_doc_avg", figures.mean(Sum::Entries, Sum::Documents));
        self.number("bytes_per_record_avg", figures.mean(Sum::TermBytes, Sum::Entries));
        self.number("offsets_per_term_avg", figures.mean(Sum::TextWords, Sum::Entries));
        self.number("offset_bits_per_record_avg", 0.0);
    }

    fn progress(&mut self, figures: &Figures) {
        let is_scanning = figures.get(Sum::Scanning) > 0;
        let share = match is_scanning {
            true => figures.mean(Sum::Scanned, Sum::ToScan),
            false => 1.0,
        };
        self.int("hash_indexing_failures", figures.failures.count);
        self.number("total_indexing_time", figures.get(Sum::IndexingMicros) as f64 / 1000.0);
        self.int("indexing", u64::from(is_scanning));
        self.number("percent_indexed", share);
        self.int("number_of_uses", figures.get(Sum::Queries));
        self.int("number_of_admin_ops", figures.get(Sum::Admin));
        self.int("cleaning", 0);
    }

    /// Nothing is left for a collector, so none has run.
    fn statistics(&mut self, figures: &Figures) {
        let collector = [
            ("bytes_collected", 0.0),
            ("total_ms_run", 0.0),
            ("total_cycles", 0.0),
            ("average_cycle_time_ms", f64::NAN),
            ("last_run_time_ms", 0.0),
            ("gc_numeric_trees_missed", 0.0),
            ("gc_blocks_denied", 0.0),
        ];
        self.name("gc_stats");
        self.out.map(collector.len());
        collector.into_iter().for_each(|(name, value)| self.number(name, value));
        self.cursors(figures);
        if let Some(words) = &figures.stop_words {
            self.name("stopwords_list");
            self.out.array(words.len());
            words.iter().for_each(|word| self.out.bulk(word));
        }
        self.name("dialect_stats");
        self.out.map(DIALECTS.len());
        for (number, dialect) in DIALECTS.into_iter().enumerate() {
            self.int(&format!("dialect_{}", number + 1), figures.get(dialect));
        }
    }

    /// A cursor belongs to one shard; there are none between shards.
    fn cursors(&mut self, figures: &Figures) {
        self.name("cursor_stats");
        self.out.map(5);
        self.int("global_idle", figures.get(Sum::IdleCursors));
        self.int("global_total", figures.get(Sum::Cursors));
        self.int("index_capacity", figures.get(Sum::CursorsMax));
        self.int("index_total", figures.get(Sum::CursorsOfIndex));
        self.int("index_total_internal", 0);
    }

    fn failures(&mut self, figures: &Figures) {
        self.name("Index Errors");
        self.out.map(4);
        self.count(&figures.failures);
        self.name("background indexing status");
        self.out.status("OK");
        self.name("field statistics");
        self.out.array(figures.fields.len());
        for field in &figures.fields {
            self.out.map(3);
            self.name("identifier");
            super::super::write_name(&field.path, self.out);
            self.name("attribute");
            super::super::write_name(&field.name, self.out);
            self.name("Index Errors");
            self.out.map(3);
            self.count(&field.failures);
        }
    }

    fn count(&mut self, Count { count, last }: &Count) {
        self.int("indexing failures", *count);
        self.name("last indexing error");
        let error = last.as_ref().map_or("N/A", |last| last.error.as_str());
        super::super::write_name(error.as_bytes(), self.out);
        self.name("last indexing error key");
        self.out.bulk(last.as_ref().map_or(b"N/A", |last| last.key.as_slice()));
    }
}
