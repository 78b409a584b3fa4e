//! COMMAND DOCS: what a row tells about its command.

use super::syntax::{self, Argument};
use crate::Command;
use crate::spec::flag;
use resp::Reply;

/// The documentation of one command, its subcommands included.
pub fn reply(row: &Command, out: &mut Reply) {
    let arguments = syntax::parse(row.syntax).unwrap_or_default();
    let has_subcommands = !row.subcommands.is_empty() && row.flags & flag::ONE_NAME == 0;
    let mut doc_flags = Vec::new();
    if !row.deprecated_since.is_empty() {
        doc_flags.push("deprecated");
    }
    if row.flags & (flag::ONE_NAME | flag::SYSTEM) != 0 {
        doc_flags.push("syscmd");
    }
    let texts = [
        ("summary", row.summary),
        ("since", row.since),
        ("group", row.group),
        ("complexity", row.complexity),
        ("deprecated_since", row.deprecated_since),
        ("replaced_by", row.replaced_by),
    ];
    let lists = [!doc_flags.is_empty(), !row.history.is_empty(), !arguments.is_empty(), has_subcommands];
    let len =
        texts.iter().filter(|(_, text)| !text.is_empty()).count() + lists.iter().filter(|l| **l).count();
    out.map(len);
    for (name, text) in texts.iter().filter(|(_, text)| !text.is_empty()) {
        if *name == "deprecated_since" {
            write_doc_flags(&mut doc_flags, out);
        }
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    write_doc_flags(&mut doc_flags, out);
    if !row.history.is_empty() {
        out.bulk(b"history");
        out.set(row.history.len());
        for (version, text) in row.history {
            out.array(2);
            out.bulk(version.as_bytes());
            out.bulk(text.as_bytes());
        }
    }
    if !arguments.is_empty() {
        out.bulk(b"arguments");
        write_arguments(&arguments, out);
    }
    if has_subcommands {
        out.bulk(b"subcommands");
        out.map(row.subcommands.len());
        for sub in row.subcommands {
            out.bulk(sub.full_name.as_bytes());
            reply(sub, out);
        }
    }
}

fn write_doc_flags(flags: &mut Vec<&str>, out: &mut Reply) {
    if flags.is_empty() {
        return;
    }
    out.bulk(b"doc_flags");
    out.set(flags.len());
    flags.drain(..).for_each(|flag| out.status(flag));
}

fn write_arguments(arguments: &[Argument], out: &mut Reply) {
    out.array(arguments.len());
    for argument in arguments {
        write_argument(argument, out);
    }
}

fn write_argument(argument: &Argument, out: &mut Reply) {
    let is_group = argument.kind == "oneof" || argument.kind == "block";
    let flags: Vec<&str> = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ]
    .iter()
    .filter(|(is_set, _)| *is_set)
    .map(|(_, name)| *name)
    .collect();
    let given = [
        argument.key_spec.is_some(),
        argument.token.is_some(),
        argument.since.is_some(),
        argument.deprecated_since.is_some(),
        !flags.is_empty(),
    ];
    out.map(3 + given.iter().filter(|g| **g).count());
    let pair = |out: &mut Reply, name: &str, value: &str| {
        out.bulk(name.as_bytes());
        out.bulk(value.as_bytes());
    };
    pair(out, "name", &argument.name);
    pair(out, "type", &argument.kind);
    if !is_group {
        pair(out, "display_text", &argument.display);
    }
    if let Some(index) = argument.key_spec {
        out.bulk(b"key_spec_index");
        out.int(index);
    }
    if let Some(token) = &argument.token {
        pair(out, "token", token);
    }
    if let Some(since) = &argument.since {
        pair(out, "since", since);
    }
    if let Some(since) = &argument.deprecated_since {
        pair(out, "deprecated_since", since);
    }
    if !flags.is_empty() {
        out.bulk(b"flags");
        out.set(flags.len());
        flags.iter().for_each(|flag| out.status(flag));
    }
    if is_group {
        out.bulk(b"arguments");
        write_arguments(&argument.arguments, out);
    }
}
