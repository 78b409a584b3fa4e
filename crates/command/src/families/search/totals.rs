//! What INFO tells of all indexes together: sections of their own, whose fields are called as those of RediSearch 8. What Weft does not have
//! (collectors, threads of workers) is 0 where clients read it, else left out.

use crate::ShardCx;
use crate::parts::Part;
use crate::registry;
use crate::state::REDIS_VERSION;
use resp::Reply;
use search::schema::{Algorithm, Field, Kind};
use std::fmt::{Display, Write};

/// What clients read as the version of the module.
const VERSION: &str = "8.10.0";
/// The commands whose calls and times count as queries.
const QUERIES: [&[u8]; 4] = [b"ft.search", b"ft.aggregate", b"ft.hybrid", b"ft.profile"];
/// What is told of each type of field, in the order of [`kind_of`].
const KINDS: [&str; 6] = ["text", "numeric", "tag", "geo", "vector", "geoshape"];

/// What the shards have of one index.
#[derive(Clone, Copy, Debug, Default)]
struct OfIndex {
    bytes: u64,
    vector_bytes: u64,
    documents: u64,
    blocks: u64,
    failures: u64,
    indexing_us: u64,
    /// Shards that look at keys.
    scanning: u64,
    /// Dialects it was asked in, a bit for each.
    dialects: u64,
    /// Of the fields of each type.
    field_failures: [u64; KINDS.len()],
}

impl OfIndex {
    fn numbers(&mut self) -> impl Iterator<Item = &mut u64> {
        let Self { bytes, vector_bytes, documents, blocks, failures, indexing_us, scanning, .. } = self;
        let own = [bytes, vector_bytes, documents, blocks, failures, indexing_us, scanning];
        own.into_iter().chain([&mut self.dialects]).chain(&mut self.field_failures)
    }
}

/// What all shards have.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    indexes: Vec<OfIndex>,
    cursors: u64,
    queries: u64,
    cursor_reads: u64,
    query_ns: u64,
}

impl Totals {
    /// Takes in what another shard has said by [`write`].
    pub fn read_more(&mut self, part: &mut Part<'_>) {
        let count = part.int() as usize;
        if self.indexes.len() < count {
            self.indexes.resize(count, OfIndex::default());
        }
        for index in &mut self.indexes[..count] {
            index.numbers().for_each(|number| *number += part.int() as u64);
        }
        for sum in [&mut self.cursors, &mut self.queries, &mut self.cursor_reads, &mut self.query_ns] {
            *sum += part.int() as u64;
        }
    }

    fn sum(&self, of: impl Fn(&OfIndex) -> u64) -> u64 {
        self.indexes.iter().map(of).sum()
    }
}

/// What this shard has.
pub fn write(cx: &ShardCx, out: &mut Reply) {
    out.int(cx.indexes.iter().len() as i64);
    for (_, index) in cx.indexes.iter() {
        let sizes = index.index.sizes();
        let mut of = OfIndex {
            bytes: (index.index.bytes() + index.documents.bytes()) as u64,
            vector_bytes: sizes.vector_bytes as u64,
            documents: index.index.len() as u64,
            blocks: sizes.blocks as u64,
            failures: index.failures.all.count,
            indexing_us: index.indexing_ns / 1000,
            scanning: u64::from(index.scan.is_some()),
            ..OfIndex::default()
        };
        // Only one shard counts them, so the sum of bits is a set.
        for (bit, is_used) in index.usage.dialects.iter().enumerate() {
            of.dialects |= u64::from(*is_used) << bit;
        }
        for (number, field) in index.definition.schema.fields.iter().enumerate() {
            of.field_failures[kind_of(&field.kind)] += index.failures.of_field(number).count;
        }
        of.numbers().for_each(|number| out.int(*number as i64));
    }
    let of_command = |name: &&[u8]| registry::lookup(name).map(|command| cx.commands.row(command.id));
    let nanos: u64 = QUERIES.iter().filter_map(of_command).map(|row| row.nanos).sum();
    out.int(cx.cursors.len() as i64);
    out.int(cx.indexes.asked.queries as i64);
    out.int(cx.indexes.asked.cursor_reads as i64);
    out.int(nanos as i64);
}

fn kind_of(kind: &Kind) -> usize {
    match kind {
        Kind::Text(_) => 0,
        Kind::Numeric => 1,
        Kind::Tag(_) => 2,
        Kind::Geo => 3,
        Kind::Vector(_) => 4,
        Kind::Geoshape(_) => 5,
    }
}

/// Writes the sections that `is_wanted` by their names.
pub fn show(cx: &ShardCx, totals: &Totals, is_wanted: impl Fn(&str) -> bool, text: &mut String) {
    let is_told = !totals.indexes.is_empty() || cx.config.search_info_on_zero_indexes;
    let mut sections = vec![version(), indexes(totals)];
    if is_told {
        sections.extend([fields(cx, totals), memory(totals), vectors(totals), cursors(totals)]);
        sections.extend([collector(), queries(totals), failures(totals), threads(), dialects(totals)]);
    }
    sections.push(settings(cx));
    for section in sections.iter().filter(|section| is_wanted(section.name)) {
        text.push_str(if text.is_empty() { "" } else { "\r\n" });
        write!(text, "# search_{}\r\n{}", section.name, section.lines).expect("writing to a string");
    }
}

/// A section in the making.
struct Section {
    name: &'static str,
    lines: String,
}

impl Section {
    fn new(name: &'static str) -> Self {
        Self { name, lines: String::new() }
    }

    fn add(mut self, name: &str, value: impl Display) -> Self {
        write!(self.lines, "search_{name}:{value}\r\n").expect("writing to a string");
        self
    }
}

fn version() -> Section {
    Section::new("version")
        .add("version", VERSION)
        .add("redis_version", format_args!("{REDIS_VERSION} - oss"))
}

fn indexes(totals: &Totals) -> Section {
    let indexing = totals.indexes.iter().filter(|index| index.scanning > 0).count();
    Section::new("indexes")
        .add("number_of_indexes", totals.indexes.len())
        .add("number_of_active_indexes", indexing)
        .add("number_of_active_indexes_running_queries", 0)
        .add("number_of_active_indexes_indexing", indexing)
        .add("total_active_write_threads", 0)
        .add("total_indexing_time", totals.sum(|index| index.indexing_us) as f64 / 1000.0)
        .add("total_num_docs_in_indexes", totals.sum(|index| index.documents))
        .add("total_inverted_index_blocks", totals.sum(|index| index.blocks))
}

/// Of each type that any index has: how many fields, and how many of them are special.
fn fields(cx: &ShardCx, totals: &Totals) -> Section {
    let mut section = Section::new("fields_statistics");
    let all: Vec<&Field> = cx.indexes.iter().flat_map(|(_, index)| &index.definition.schema.fields).collect();
    for (number, kind) in KINDS.into_iter().enumerate() {
        let of_kind = || all.iter().filter(move |field| kind_of(&field.kind) == number);
        let count = of_kind().count();
        if count == 0 {
            continue;
        }
        let title = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let mut line = format!("{title}={count}");
        let mut add = |name: &str, holds: &dyn Fn(&Field) -> bool| {
            let special = of_kind().filter(|field| holds(field)).count();
            if special > 0 {
                write!(line, ",{name}={special}").expect("writing to a string");
            }
        };
        let algorithm = |field: &'_ Field| match &field.kind {
            Kind::Vector(options) => Some(options.algorithm.clone()),
            _ => None,
        };
        add("Flat", &|field| matches!(algorithm(field), Some(Algorithm::Flat { .. })));
        add("HNSW", &|field| matches!(algorithm(field), Some(Algorithm::Hnsw { .. })));
        add("SVS_VAMANA", &|field| matches!(algorithm(field), Some(Algorithm::Vamana { .. })));
        let is_compressed =
            |field: &Field| matches!(algorithm(field), Some(Algorithm::Vamana { compression: Some(_), .. }));
        add("SVS_VAMANA_Compressed", &is_compressed);
        add("Sortable", &|field| field.sortable.is_some());
        add("NoIndex", &|field| field.no_index);
        add("CaseSensitive", &|field| matches!(&field.kind, Kind::Tag(options) if options.case_sensitive));
        let errors = totals.sum(|index| index.field_failures[number]);
        section = section.add(&format!("fields_{kind}"), format_args!("{line},IndexErrors={errors}"));
    }
    section
}

fn memory(totals: &Totals) -> Section {
    let megabytes = |bytes: u64| bytes as f64 / 1_048_576.0;
    let bytes = || totals.indexes.iter().map(|index| index.bytes);
    let (all, least, most) = (bytes().sum(), bytes().min().unwrap_or(0), bytes().max().unwrap_or(0));
    Section::new("memory")
        .add("used_memory_indexes", all)
        .add("used_memory_indexes_human", megabytes(all))
        .add("smallest_memory_index", least)
        .add("smallest_memory_index_human", megabytes(least))
        .add("largest_memory_index", most)
        .add("largest_memory_index_human", megabytes(most))
}

fn vectors(totals: &Totals) -> Section {
    Section::new("vector_index").add("used_memory_vector_index", totals.sum(|index| index.vector_bytes))
}

/// A cursor is idle whenever it is not being read, which takes one step.
fn cursors(totals: &Totals) -> Section {
    Section::new("cursors")
        .add("global_idle_user", totals.cursors)
        .add("global_idle_internal", 0)
        .add("global_total_user", totals.cursors)
        .add("global_total_internal", 0)
}

/// Nothing is left for a collector.
fn collector() -> Section {
    Section::new("garbage_collector")
        .add("gc_bytes_collected", 0)
        .add("gc_total_cycles", 0)
        .add("gc_total_ms_run", 0)
        .add("gc_total_docs_not_collected", 0)
        .add("gc_marked_deleted_vectors", 0)
}

fn queries(totals: &Totals) -> Section {
    Section::new("queries")
        .add("total_queries_processed", totals.queries)
        .add("total_query_commands", totals.queries + totals.cursor_reads)
        .add("total_query_execution_time_ms", totals.query_ns / 1_000_000)
        .add("total_active_queries", 0)
}

fn failures(totals: &Totals) -> Section {
    let failures = || totals.indexes.iter().map(|index| index.failures);
    Section::new("warnings_and_errors")
        .add("errors_indexing_failures", failures().sum::<u64>())
        .add("errors_for_index_with_max_failures", failures().max().unwrap_or(0))
        .add("OOM_indexing_failures_indexes_count", 0)
}

/// There are no threads beside the shards.
fn threads() -> Section {
    Section::new("multi_threading").add("active_worker_threads", 0)
}

fn dialects(totals: &Totals) -> Section {
    let used = totals.indexes.iter().fold(0, |used, index| used | index.dialects);
    (0..4).fold(Section::new("dialect_statistics"), |section, bit| {
        section.add(&format!("dialect_{}", bit + 1), used >> bit & 1)
    })
}

fn settings(cx: &ShardCx) -> Section {
    let config = &cx.config;
    let switch = |is_on: bool| if is_on { "ON" } else { "OFF" };
    Section::new("runtime_configurations")
        .add("default_scorer", config.search_default_scorer.name())
        .add("minimal_term_prefix", config.search_min_prefix)
        .add("minimal_stem_length", config.search_min_stem_len)
        .add("maximal_prefix_expansions", config.search_max_prefix_expansions)
        .add("query_timeout_ms", config.search_timeout_ms)
        .add("timeout_policy", config.search_on_timeout.name())
        .add("cursor_read_size", config.search_cursor_read_size)
        .add("cursor_max_idle_time", config.search_cursor_max_idle_ms)
        .add("max_search_results", config.search_max_search_results)
        .add("max_aggregate_results", config.search_max_aggregate_results)
        .add("max_aggregate_groups", config.search_max_aggregate_groups)
        .add("bm25std_tanh_factor", config.search_bm25std_tanh_factor)
        .add("info_on_zero_indexes", switch(config.search_info_on_zero_indexes))
}
