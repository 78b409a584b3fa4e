//! FT.INFO: what an index is, and the sums of what the shards have of it.

mod definition;
mod figures;

use super::on_all;
use crate::indexes::index_not_found;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Outcome, ShardCx};
use figures::Figures;
use resp::Reply;

pub const COMMANDS: &[Command] = &[on_all("FT.INFO", part, merge, READONLY)
    .arity(2)
    .complexity("O(1)")
    .summary("Returns what is known of an index.")
    .syntax("index:string")];

/// A figure of this many bytes per megabyte is told.
const MEGABYTE: f64 = 1_048_576.0;

/// FT.INFO index
fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.settle_indexes();
    cx.shard.count_admin(args.at(1));
    Figures::of(cx.shard, args.at(1))?.write(out);
    let index = cx.shard.indexes.get(args.at(1)).ok_or_else(|| index_not_found(args.at(1)))?;
    let mut head = Reply::new(cx.resp3);
    // All shards have the same definition: one says it.
    if cx.shard.id == 0 {
        let mut info = Info { out: &mut head };
        info.begin(index.definition.schema.stop_words.listed().is_some());
        info.definition(&index.definition);
    }
    out.bulk(&head.buf);
    Ok(())
}

/// The index may have become another since the parts were run, or be gone: only what these say is told.
fn merge(_cx: &mut ShardCx, _args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let (sum, head) = Figures::sum(parts);
    out.buf.extend_from_slice(&head);
    Info { out }.figures(&sum);
    Ok(())
}

/// A reply in the making.
struct Info<'r> {
    out: &'r mut Reply,
}

impl Info<'_> {
    /// Entries of the reply, STOPWORDS not counted.
    const ENTRIES: usize = 35;

    fn begin(&mut self, has_stop_words: bool) {
        self.out.map(Self::ENTRIES + usize::from(has_stop_words));
    }

    fn name(&mut self, name: &str) {
        self.out.status(name);
    }

    /// A figure that RediSearch tells as a floating-point number.
    fn number(&mut self, name: &str, value: f64) {
        self.name(name);
        self.out.double(value);
    }

    fn megabytes(&mut self, name: &str, bytes: u64) {
        self.number(name, bytes as f64 / MEGABYTE);
    }

    fn int(&mut self, name: &str, value: u64) {
        self.name(name);
        self.out.int(value as i64);
    }
}
