//! OBJECT: what is known of a value beyond its content. None of it renews the age of the key.

use super::NONDETERMINISTIC;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use keyspace::Pos;
use keyspace::age;
use resp::Reply;

const OBJECT_KEY: &[KeySpec] = &[KeySpec::at(2, RO)];

pub const COMMANDS: &[Command] = &[Command::container("OBJECT", OBJECT_COMMANDS)
    .group("generic")
    .since("2.2.3")
    .complexity("Depends on subcommand.")
    .summary("A container for commands that look at how a value is kept.")];

const OBJECT_COMMANDS: &[Command] = &[
    Command::new("ENCODING", encoding)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.3")
        .complexity("O(1)")
        .summary("Names the form in which a value is kept.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("FREQ", freq)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("4.0.0")
        .complexity("O(1)")
        .summary("Returns how often a key is used, on a logarithmic scale.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("HELP", help)
        .arity(2)
        .flags(LOADING | STALE)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Lists the subcommands."),
    Command::new("IDLETIME", idletime)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.3")
        .complexity("O(1)")
        .summary("Returns the seconds since a key was last used.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("REFCOUNT", refcount)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.3")
        .complexity("O(1)")
        .summary("Returns how many references there are to a value.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
];

/// Looks the key up and writes what `tell` says of it, or null.
fn about(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    out: &mut Reply,
    tell: impl FnOnce(&mut Cx<'_>, Pos, &mut Reply) -> Outcome,
) -> Outcome {
    match cx.find_unheard(args.key(2)) {
        Some(pos) => tell(cx, pos, out),
        None => {
            out.null();
            Ok(())
        }
    }
}

/// OBJECT ENCODING key
fn encoding(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    about(cx, args, out, |cx, pos, out| {
        out.bulk(cx.db().value(pos).encoding().as_bytes());
        Ok(())
    })
}

/// OBJECT REFCOUNT key
fn refcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    about(cx, args, out, |_, _, out| {
        out.int(1);
        Ok(())
    })
}

/// OBJECT IDLETIME key
fn idletime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    about(cx, args, out, |cx, pos, out| {
        if cx.shard.ages.rule.counts() {
            return Err(Error::err(
                "An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
                 between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        let age = cx.db().age(pos);
        out.int(age::idle_seconds(age, cx.now_ms()) as i64);
        Ok(())
    })
}

/// OBJECT FREQ key
fn freq(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    about(cx, args, out, |cx, pos, out| {
        let rule = cx.shard.ages.rule;
        if !rule.counts() {
            return Err(Error::err(
                "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
                 switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        let age = cx.db().age(pos);
        out.int(i64::from(rule.count(age, cx.now_ms())));
        Ok(())
    })
}

const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

/// OBJECT HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(HELP.len());
    HELP.iter().for_each(|line| out.status(line));
    Ok(())
}
