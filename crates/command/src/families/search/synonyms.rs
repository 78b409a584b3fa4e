//! Groups of words that stand for each other: FT.SYNUPDATE, FT.SYNDUMP.

use super::{count_change, first, on_all};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use std::collections::BTreeMap;

pub const COMMANDS: &[Command] = &[
    on_all("FT.SYNUPDATE", update, first, WRITE | DENYOOM)
        .arity(-4)
        .since("1.2.0")
        .complexity("O(1)")
        .summary("Adds words to a group of synonyms, which is made if it is not there.")
        .syntax("index:string synonym_group_id:string skipinitialscan=SKIPINITIALSCAN? term:string*"),
    on_all("FT.SYNDUMP", dump, first, READONLY)
        .arity(2)
        .since("1.2.0")
        .complexity("O(1)")
        .summary("Returns the words that have synonyms, each with its groups.")
        .syntax("index:string"),
];

/// FT.SYNUPDATE index group [SKIPINITIALSCAN] word …
fn update(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let skips = args.is(3, "SKIPINITIALSCAN");
    let at = 3 + usize::from(skips);
    if args.len() == at {
        return Err(Error::wrong_arity("FT.SYNUPDATE"));
    }
    let words: Vec<&[u8]> = args.from(at).collect();
    cx.shard.add_synonyms(args.at(1), args.at(2), &words, !skips)?;
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FT.SYNDUMP index
fn dump(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let index = cx.shard.index_for_admin(args.at(1))?;
    let words: BTreeMap<&[u8], &[Vec<u8>]> = index.synonyms.iter().collect();
    out.map(words.len());
    for (word, groups) in words {
        out.bulk(word);
        out.array(groups.len());
        groups.iter().for_each(|group| out.bulk(group));
    }
    Ok(())
}
