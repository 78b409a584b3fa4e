//! FT.INFO: what an index is, and the sums of what the shards have of it.

mod definition;
mod figures;

use super::on_all;
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
    Figures::of(cx.shard, args.at(1))?.write(out);
    Ok(())
}

fn merge(cx: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let sum = Figures::sum(parts);
    // The client's shard may have run its part some time ago.
    let Some(index) = cx.indexes.get(args.at(1)) else {
        return Err(crate::indexes::index_not_found(args.at(1)));
    };
    let definition = index.definition.clone();
    let mut info = Info { out };
    info.begin(definition.schema.stop_words.listed().is_some());
    info.definition(&definition);
    info.figures(&definition, &sum);
    Ok(())
}

/// A reply in the making.
struct Info<'r> {
    out: &'r mut Reply,
}

impl Info<'_> {
    /// Entries of the reply, STOPWORDS not counted.
    const ENTRIES: usize = 33;

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
