//! XINFO.

use super::info_groups::{consumers, groups};
use super::{info_stream, row};
use crate::spec::{Handler, KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Outcome, help as help_form};
use resp::Reply;

const READ: &[KeySpec] = &[KeySpec::at(2, RO | ACCESS)];

pub const COMMANDS: &[Command] = &[Command::container("XINFO", INFO)
    .group("stream")
    .since("5.0.0")
    .complexity("Depends on subcommand.")
    .summary("Commands that tell about streams.")];

const fn sub(name: &'static str, handler: Handler) -> Command {
    row(name, handler).since("5.0.0").complexity("O(1)")
}

const INFO: &[Command] = &[
    sub("CONSUMERS", consumers)
        .arity(4)
        .keys(READ)
        .flags(READONLY)
        .complexity("O(N) where N is the number of consumers")
        .tips(&["nondeterministic_output"])
        .history(&[("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`.")])
        .summary("Tells about the consumers of a group.")
        .syntax("key:key group:string"),
    sub("GROUPS", groups)
        .arity(3)
        .keys(READ)
        .flags(READONLY)
        .complexity("O(N) where N is the number of groups")
        .history(&[("7.0.0", "Added the `entries-read` and `lag` fields")])
        .summary("Tells about the consumer groups of a stream.")
        .syntax("key:key"),
    sub("HELP", help).arity(2).flags(LOADING | STALE).summary("Describes the subcommands."),
    sub("STREAM", info_stream::stream)
        .arity(-3)
        .keys(READ)
        .flags(READONLY)
        .history(&[
            ("6.0.0", "Added the `FULL` modifier."),
            (
                "7.0.0",
                "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
            ),
            ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
            (
                "8.6.0",
                "Added the `idmp-duration`, `idmp-maxsize`, `pids-tracked`, `iids-tracked`, `iids-added` and \
                 `iids-duplicates` fields for IDMP tracking.",
            ),
            ("8.8.0", "Added the `nacked-count` field to consumer groups in `FULL` output."),
        ])
        .summary("Tells about a stream.")
        .syntax("key:key full-block{full=FULL COUNT@count:integer?}?"),
];

/// XINFO HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    help_form::lines(
        out,
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
    );
    Ok(())
}
