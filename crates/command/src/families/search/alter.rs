//! FT.ALTER.

use super::{count_change, first, on_all};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[on_all("FT.ALTER", alter, first, WRITE | DENYOOM)
    .arity(-5)
    .complexity("O(N) where N is the number of keys in the keyspace")
    .summary("Adds fields to an index.")
    .syntax(
        "index:string skipinitialscan=SKIPINITIALSCAN? schema=SCHEMA add=ADD field:string options:string",
    )];

/// FT.ALTER index [SKIPINITIALSCAN] SCHEMA ADD field …
fn alter(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let skips = args.is(2, "SKIPINITIALSCAN");
    let at = 2 + usize::from(skips);
    let refuse = |text: &str| Err(Error::text(format!("SEARCH_PARSE_ARGS {text}")));
    let definition = cx.shard.index_for_admin(args.at(1))?.definition.clone();
    if !args.is(at, "SCHEMA") {
        return refuse("ALTER must be followed by SCHEMA");
    }
    if !args.is(at + 1, "ADD") {
        return refuse("Unknown action passed to ALTER SCHEMA");
    }
    if args.len() == at + 2 {
        return refuse("No fields provided");
    }
    let words: Vec<&[u8]> = args.from(at + 2).collect();
    let altered = definition.with_fields(&words)?;
    cx.shard.alter_index(altered, !skips);
    count_change(cx.shard);
    out.ok();
    Ok(())
}
