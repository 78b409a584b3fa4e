//! SORT and SORT_RO.
//!
//! Elements are copied out of the collection first, for the keys that patterns name are looked up in the same keyspace. When
//! some of these keys live on other shards, the command asks for all it knows of and starts again with them.

use super::GENERIC;
use super::sort_keys::Pattern;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::{Key, Typed, ValueRef};
use resp::Reply;
use std::cmp::Ordering;
use std::ops::Range;
use types::List;
use types::list::End;
use types::listpack::Item;

const SORT_COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the \
    number of returned elements. When the elements are not sorted, complexity is O(N).";
const BY_GET_NOTES: &str = "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from \
    the content of the key we sort";
const STORE_NOTES: &str = "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear \
    anywhere in the argument array";

pub const COMMANDS: &[Command] = &[
    Command::new("SORT", sort)
        .arity(-2)
        .keys(&[
            KeySpec::at(1, RO | ACCESS),
            KeySpec::unknown(RO | ACCESS).notes(BY_GET_NOTES),
            KeySpec::unknown(OW | UPDATE).notes(STORE_NOTES).found_by(|args| destination(args).map_or(0..0, |at| at..at + 1)),
        ])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::SET | acl::SORTEDSET | acl::LIST | acl::DANGEROUS)
        .group("generic")
        .complexity(SORT_COMPLEXITY)
        .summary("Sorts the elements of a list, set or sorted set; may store the result.")
        .syntax(
            "key:key BY@by-pattern/pattern:pattern?#1 LIMIT@limit{offset:integer count:integer}? \
             GET@get-pattern/pattern:pattern?**#1 order(asc=ASC|desc=DESC)? sorting=ALPHA? STORE@destination:key?#2",
        ),
    Command::new("SORT_RO", sort_ro)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::unknown(RO | ACCESS).notes(BY_GET_NOTES)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SET | acl::SORTEDSET | acl::LIST | acl::DANGEROUS)
        .group("generic")
        .since("7.0.0")
        .complexity(SORT_COMPLEXITY)
        .summary("Returns the sorted elements of a list, set or sorted set.")
        .syntax(
            "key:key BY@by-pattern/pattern:pattern?#1 LIMIT@limit{offset:integer count:integer}? \
             GET@get-pattern/pattern:pattern?**#1 order(asc=ASC|desc=DESC)? sorting=ALPHA?",
        ),
];

struct Options<'a> {
    descending: bool,
    alpha: bool,
    by: Option<Pattern<'a>>,
    /// BY names no key: the order stays.
    keep_order: bool,
    get: Vec<Pattern<'a>>,
    offset: i64,
    /// Negative: all.
    count: i64,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Self, Error> {
        let mut it = Self {
            descending: false,
            alpha: false,
            by: None,
            keep_order: false,
            get: Vec::new(),
            offset: 0,
            count: -1,
            store: None,
        };
        let mut index = 2;
        while index < args.len() {
            let left = args.len() - index - 1;
            index += match () {
                () if args.is(index, "ASC") => {
                    it.descending = false;
                    1
                }
                () if args.is(index, "DESC") => {
                    it.descending = true;
                    1
                }
                () if args.is(index, "ALPHA") => {
                    it.alpha = true;
                    1
                }
                () if args.is(index, "LIMIT") && left >= 2 => {
                    (it.offset, it.count) = (args.int(index + 1)?, args.int(index + 2)?);
                    3
                }
                () if may_store && args.is(index, "STORE") && left >= 1 => {
                    it.store = Some(args.at(index + 1));
                    2
                }
                () if args.is(index, "BY") && left >= 1 => {
                    // One BY without a star is enough to keep the order, and a later one does not change that.
                    it.by = Some(Pattern::parse(args.at(index + 1)));
                    it.keep_order |= !matches!(it.by, Some(Pattern::Key { .. }));
                    2
                }
                () if args.is(index, "GET") && left >= 1 => {
                    it.get.push(Pattern::parse(args.at(index + 1)));
                    2
                }
                () => return Err(Error::SYNTAX),
            };
        }
        Ok(it)
    }

    /// The elements wanted of `len`.
    fn limit(&self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset).map_or(0, |offset| offset.min(len));
        let end = usize::try_from(self.count).map_or(len, |count| start.saturating_add(count).min(len));
        start..end
    }
}

/// The index of the key to store to: the last one named.
fn destination(args: &Args<'_>) -> Option<usize> {
    let (mut index, mut found) = (2, None);
    while index < args.len() {
        index += match () {
            () if args.is(index, "LIMIT") => 3,
            () if args.is(index, "BY") || args.is(index, "GET") => 2,
            () if args.is(index, "STORE") => {
                found = Some(index + 1).filter(|&at| at < args.len());
                2
            }
            () => 1,
        };
    }
    found
}

/// An element: where its text stands in the arena, and what it is sorted by.
struct Row {
    text: Range<usize>,
    score: f64,
    weight: Option<Range<usize>>,
}

/// Elements, their texts and weights in one arena.
struct Rows {
    rows: Vec<Row>,
    arena: Vec<u8>,
}

impl Rows {
    fn push(&mut self, item: Item<'_>) {
        let start = self.arena.len();
        item.with_text(|text| self.arena.extend_from_slice(text));
        self.rows.push(Row { text: start..self.arena.len(), score: 0.0, weight: None });
    }

    fn text(&self, row: &Row) -> &[u8] {
        &self.arena[row.text.clone()]
    }
}

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA] [STORE destination]
pub fn sort(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, out, true)
}

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]
fn sort_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, out, false)
}

fn run(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, may_store: bool) -> Outcome {
    let mut options = Options::parse(args, may_store)?;
    let (mut rows, wanted) = load(cx, args.key(1), &mut options)?;
    require(cx, &options, &rows, &rows.rows, true)?;
    if !options.keep_order {
        weigh(cx, &options, &mut rows)?;
        order(&options, &mut rows);
    }
    require(cx, &options, &rows, &rows.rows[wanted.clone()], false)?;
    match options.store {
        Some(destination) => store(cx, &options, &rows, wanted, destination, out),
        None => reply(cx, &options, &rows, wanted, out),
    }
    Ok(())
}

/// Copies the elements; which of them are wanted once they are in order.
fn load(cx: &mut Cx<'_>, key: Key<'_>, options: &mut Options<'_>) -> Result<(Rows, Range<usize>), Error> {
    let mut rows = Rows { rows: Vec::new(), arena: Vec::new() };
    let in_script = cx.shard.in_script.is_some();
    let Some(value) = cx.value(key) else { return Ok((rows, 0..0)) };
    let len = match value {
        ValueRef::List(list) => list.len(),
        ValueRef::Set(set) => set.len(),
        ValueRef::ZSet(zset) => zset.len(),
        _ => return Err(Error::WRONG_TYPE),
    };
    let wanted = options.limit(len);
    if let ValueRef::Set(set) = value {
        // The order of a set means nothing: what is stored, and what scripts see, shall be the same everywhere.
        if options.keep_order && (options.store.is_some() || in_script) {
            (options.keep_order, options.alpha, options.by) = (false, true, None);
        }
        set.iter().for_each(|item| rows.push(item));
        return Ok((rows, wanted));
    }
    // In their own order, only those that are wanted need be read.
    let part = match (options.keep_order, options.descending) {
        (false, _) => 0..len,
        (true, false) => wanted.clone(),
        (true, true) => len - wanted.end..len - wanted.start,
    };
    match value {
        ValueRef::List(list) => list.range(part.start, part.len()).for_each(|item| rows.push(item)),
        ValueRef::ZSet(zset) => zset.range(part).for_each(|(item, _)| rows.push(item)),
        _ => {}
    }
    if !options.keep_order {
        return Ok((rows, wanted));
    }
    if options.descending {
        rows.rows.reverse();
    }
    let all = 0..rows.rows.len();
    Ok((rows, all))
}

/// Makes sure that the keys the command needs for `some` rows are here: `first`, those of BY and STORE, and all others that are
/// known to be needed; then those of GET.
fn require(cx: &Cx<'_>, options: &Options<'_>, rows: &Rows, some: &[Row], first: bool) -> Outcome {
    if cx.shard.shards == 1 {
        return Ok(());
    }
    let by = options.by.filter(|_| first && !options.keep_order);
    let get_all = options.keep_order || (options.offset <= 0 && options.count < 0);
    let get = options.get.iter().copied().filter(|_| !first || get_all);
    let patterns: Vec<Pattern<'_>> = by.into_iter().chain(get).collect();
    let keys = some.iter().flat_map(|row| patterns.iter().filter_map(|p| p.key(rows.text(row))));
    cx.require_keys(options.store.map(<[u8]>::to_vec).into_iter().chain(keys))
}

/// Finds out what each element is sorted by.
fn weigh(cx: &mut Cx<'_>, options: &Options<'_>, rows: &mut Rows) -> Outcome {
    if options.alpha && options.by.is_none() {
        return Ok(());
    }
    let Rows { rows, arena } = rows;
    for row in rows {
        let Some(by) = options.by else {
            row.score = score(&arena[row.text.clone()])?;
            continue;
        };
        let start = arena.len();
        let element = arena[row.text.clone()].to_vec();
        let found = by.look_up(cx, &element, |value| value.map(|bytes| arena.extend_from_slice(bytes)));
        let weight = start..arena.len();
        match (found, options.alpha) {
            (None, _) => {}
            (Some(()), true) => row.weight = Some(weight),
            (Some(()), false) => {
                row.score = score(&arena[weight])?;
                arena.truncate(start);
            }
        }
    }
    Ok(())
}

/// The number that a text is to SORT. Redis reads it as a C string: up to a zero byte, and nothing is 0.
fn score(text: &[u8]) -> Result<f64, Error> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    base::number::parse_f64(text)
        .ok_or_else(|| Error::err("One or more scores can't be converted into double"))
}

fn order(options: &Options<'_>, rows: &mut Rows) {
    let arena = &rows.arena;
    let text = |row: &Row| &arena[row.text.clone()];
    let weight = |row: &Row| row.weight.clone().map(|range| &arena[range]);
    let compare = |a: &Row, b: &Row| match (options.alpha, options.by.is_some()) {
        // Elements of the same score stand in the order of their texts.
        (false, _) => {
            a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal).then_with(|| text(a).cmp(text(b)))
        }
        (true, true) => weight(a).cmp(&weight(b)),
        (true, false) => text(a).cmp(text(b)),
    };
    if options.descending {
        rows.rows.sort_by(|a, b| compare(b, a));
    } else {
        rows.rows.sort_by(compare);
    }
}

/// Shows what each wanted element becomes: itself, or what the GET patterns find, one after the other.
fn each(
    cx: &mut Cx<'_>,
    options: &Options<'_>,
    rows: &Rows,
    wanted: Range<usize>,
    mut see: impl FnMut(Option<&[u8]>),
) {
    for row in &rows.rows[wanted] {
        let text = rows.text(row);
        if options.get.is_empty() {
            see(Some(text));
        }
        for pattern in &options.get {
            pattern.look_up(cx, text, &mut see);
        }
    }
}

fn reply(cx: &mut Cx<'_>, options: &Options<'_>, rows: &Rows, wanted: Range<usize>, out: &mut Reply) {
    out.array(wanted.len() * options.get.len().max(1));
    each(cx, options, rows, wanted, |value| match value {
        Some(bytes) => out.bulk(bytes),
        None => out.null(),
    });
}

fn store(
    cx: &mut Cx<'_>,
    options: &Options<'_>,
    rows: &Rows,
    wanted: Range<usize>,
    destination: &[u8],
    out: &mut Reply,
) {
    let key = Key::new(destination, &cx.shard.seed.clone());
    let mut list = List::new(cx.shard.limits.list);
    each(cx, options, rows, wanted, |value| list.push(End::Tail, value.unwrap_or_default()));
    let (len, age) = (list.len(), cx.shard.clock_age());
    // The order of a set, and which fields of hashes are over, may be others another time.
    let told = cx.logs().then(|| list.range(0, len).map(|item| item.to_vec()).collect::<Vec<_>>());
    let was_there = told.is_some() && cx.find_for_write(key).is_some();
    if let Some(told) = told.filter(|told| was_there || !told.is_empty()) {
        if was_there {
            cx.log_deleted(destination);
        }
        cx.log_items(b"RPUSH", destination, told.iter().map(Vec::as_slice));
    }
    if len > 0 {
        let pos = cx.find_for_write(key);
        cx.db().put(key, pos, list.into_value(), None, age);
        cx.event_of(len, Event::List, "sortstore", destination);
    } else if cx.delete(key) {
        cx.event(GENERIC, "del", destination);
    }
    out.count(len);
}
