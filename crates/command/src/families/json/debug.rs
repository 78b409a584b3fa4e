//! JSON.DEBUG.

use super::document::{self, matches, no_path_at, path};
use super::row;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Outcome};
use json::View;
use resp::Reply;

pub const COMMANDS: &[Command] = &[Command::container("JSON.DEBUG", SUBCOMMANDS)
    .acl(acl::JSON)
    .group("json")
    .since("1.0.0")
    .complexity("N/A")
    .summary("Commands about the inside of JSON documents.")];

const SUBCOMMANDS: &[Command] = &[
    row("HELP", help).arity(2).flags(READONLY).complexity("N/A").summary("Shows what JSON.DEBUG can do."),
    row("MEMORY", memory)
        .arity(-3)
        .keys(&[KeySpec::at(2, RO)])
        .flags(READONLY)
        .complexity(
            "O(N) when path is evaluated to a single value, where N is the size of the value, O(N) when path is \
             evaluated to multiple values, where N is the size of the key",
        )
        .summary("Returns how many bytes the values at a path of a JSON document take.")
        .syntax("key:key path:string?"),
];

/// JSON.DEBUG HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = ["MEMORY <key> [path] - reports memory usage", "HELP                - this message"];
    out.array(lines.len());
    lines.iter().for_each(|line| out.bulk(line.as_bytes()));
    Ok(())
}

/// JSON.DEBUG MEMORY key [path]
fn memory(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let query = path(args, 3)?;
    let Some(document) = document::read(cx, args.key(2))? else {
        if query.is_legacy() {
            out.int(0)
        } else {
            out.array(0)
        }
        return Ok(());
    };
    let found = matches(document, &query)?;
    if query.is_legacy() {
        let first = found.first().ok_or_else(|| no_path_at(&query))?;
        out.count(View::memory_bytes(*first));
        return Ok(());
    }
    out.array(found.len());
    found.iter().for_each(|view| out.count(view.memory_bytes()));
    Ok(())
}
