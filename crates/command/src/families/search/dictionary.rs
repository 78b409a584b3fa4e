//! Lists of words for FT.SPELLCHECK: FT.DICTADD, FT.DICTDEL, FT.DICTDUMP.

use super::{first, on_all};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    on_all("FT.DICTADD", add, first, WRITE | DENYOOM)
        .arity(-3)
        .since("1.4.0")
        .complexity("O(1)")
        .summary("Adds words to a dictionary.")
        .syntax("dict:string term:string*"),
    on_all("FT.DICTDEL", delete, first, WRITE)
        .arity(-3)
        .since("1.4.0")
        .complexity("O(1)")
        .summary("Removes words from a dictionary.")
        .syntax("dict:string term:string*"),
    on_all("FT.DICTDUMP", dump, first, READONLY)
        .arity(2)
        .since("1.4.0")
        .complexity("O(N), where N is the size of the dictionary")
        .summary("Returns the words of a dictionary.")
        .syntax("dict:string"),
];

/// All shards have changed together: one counts.
fn changed(cx: &mut Cx<'_>, count: usize, out: &mut Reply) {
    if cx.shard.id == 0 {
        cx.shard.dirty += count as u64;
    }
    out.count(count);
}

/// FT.DICTADD dictionary word …
fn add(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let words = cx.shard.indexes.dictionaries.entry(args.at(1).to_vec()).or_default();
    let count = args.from(2).filter(|word| words.insert(word.to_vec())).count();
    changed(cx, count, out);
    Ok(())
}

/// FT.DICTDEL dictionary word …
fn delete(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let dictionaries = &mut cx.shard.indexes.dictionaries;
    let mut count = 0;
    if let Some(words) = dictionaries.get_mut(args.at(1)) {
        count = args.from(2).filter(|word| words.remove(*word)).count();
        if words.is_empty() {
            dictionaries.remove(args.at(1));
        }
    }
    changed(cx, count, out);
    Ok(())
}

/// FT.DICTDUMP dictionary
fn dump(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let words = cx.shard.indexes.dictionaries.get(args.at(1));
    out.set(words.map_or(0, std::collections::BTreeSet::len));
    words.into_iter().flatten().for_each(|word| out.bulk(word));
    Ok(())
}
