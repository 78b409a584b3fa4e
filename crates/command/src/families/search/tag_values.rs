//! FT.TAGVALS: the values of a TAG field.

use super::on_all;
use crate::parts::Part;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx};
use resp::Reply;
use search::schema::Kind;
use std::collections::BTreeSet;

pub const COMMANDS: &[Command] = &[on_all("FT.TAGVALS", values, merge, READONLY)
    .arity(3)
    .complexity("O(N)")
    .summary("Returns the distinct tags indexed in a Tag field.")
    .syntax("index:string field_name:string")];

/// FT.TAGVALS index field_name
fn values(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let index = cx.shard.index_for_admin(args.at(1))?;
    let schema = &index.definition.schema;
    let field = schema.field(args.at(2)).ok_or_else(|| Error::text("SEARCH_ATTR_BAD No such field"))?;
    if !matches!(schema.fields[usize::from(field)].kind, Kind::Tag(_)) {
        return Err(Error::text("SEARCH_ATTR_BAD Not a tag field"));
    }
    let mark = out.mark();
    let mut count = 0;
    for (value, _) in index.index.tag_values(field).filter(|(_, documents)| *documents > 0) {
        out.bulk(value);
        count += 1;
    }
    out.array_around(mark, count);
    Ok(())
}

fn merge(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut all = BTreeSet::new();
    for part in parts {
        let mut part = Part::new(part);
        (0..part.array()).for_each(|_| _ = all.insert(part.bulk()));
    }
    out.set(all.len());
    all.into_iter().for_each(|value| out.bulk(value));
    Ok(())
}
