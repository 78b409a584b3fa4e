//! FT._LIST.

use super::{first, on_all, write_name};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[on_all("FT._LIST", list, first, READONLY)
    .arity(1)
    .complexity("O(1)")
    .since("2.0.0")
    .tips(&["nondeterministic_output_order"])
    .summary("Returns the names of all indexes.")];

/// FT._LIST
fn list(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let names = cx.shard.indexes.names();
    // A set in RESP3, as RediSearch has it.
    out.set(names.len());
    names.for_each(|name| write_name(name, out));
    Ok(())
}
