//! FT.CREATE.

use super::{count_change, first, on_all};
use crate::indexes::DB;
use crate::indexes::definition::Definition;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[on_all("FT.CREATE", create, first, WRITE | DENYOOM)
    .arity(-5)
    .complexity(
        "O(K) at creation where K is the number of fields, O(N) if scanning the keyspace is triggered, where N is the \
         number of keys in the keyspace",
    )
    .history(&[
        ("2.0.0", "Added `PAYLOAD_FIELD` argument for backward support of `FT.SEARCH` deprecated `WITHPAYLOADS` argument"),
        ("2.0.0", "Deprecated `PAYLOAD_FIELD` argument"),
    ])
    .summary("Creates an index over hashes or JSON documents.")
    .syntax(
        "index:string ON@data_type(hash=HASH|json=JSON)? PREFIX@prefix{count:integer prefix:string*}? FILTER@filter:string? \
         LANGUAGE@default_lang:string? LANGUAGE_FIELD@lang_attribute:string? SCORE@default_score:double? \
         SCORE_FIELD@score_attribute:string? PAYLOAD_FIELD@payload_attribute:string? maxtextfields=MAXTEXTFIELDS? \
         TEMPORARY@seconds:double? nooffsets=NOOFFSETS? nohl=NOHL? nofields=NOFIELDS? nofreqs=NOFREQS? \
         STOPWORDS@stopwords{count:integer stopword:string*?}? skipinitialscan=SKIPINITIALSCAN? schema=SCHEMA \
         field{field_name:string AS@alias:string? \
         field_type(text=TEXT|tag=TAG|numeric=NUMERIC|geo=GEO|geoshape=GEOSHAPE|vector=VECTOR) \
         withsuffixtrie=WITHSUFFIXTRIE? indexempty=INDEXEMPTY? indexmissing=INDEXMISSING? \
         sortable{sortable=SORTABLE UNF=UNF?}? noindex=NOINDEX?}*",
    )];

/// FT.CREATE index [ON HASH | JSON] [option …] SCHEMA field …
fn create(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if cx.db != DB {
        return Err(Error::text("Cannot create index on db != 0"));
    }
    let name = args.at(1);
    if cx.shard.indexes.get(name).is_some() {
        return Err(Error::coded("SEARCH_INDEX_EXISTS Index already exists", b""));
    }
    // A number is used up whatever comes of it, on all shards alike.
    let number = cx.shard.indexes.next_number();
    let words: Vec<&[u8]> = args.from(2).collect();
    let definition = Definition::parse(name, number, &words)?;
    cx.shard.add_index(definition);
    count_change(cx.shard);
    out.ok();
    Ok(())
}
