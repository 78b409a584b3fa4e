//! OBJECT: what is known of a value beyond its content. None of it renews the age of the key.

use crate::{Args, Cx, Error, Outcome};
use keyspace::Pos;
use keyspace::age;
use resp::Reply;

/// Looks the key up and writes what `tell` says of it, or null.
fn about(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    out: &mut Reply,
    tell: impl FnOnce(&mut Cx<'_>, Pos, &mut Reply) -> Outcome,
) -> Outcome {
    match cx.find_untouched(args.key(2)) {
        Some(pos) => tell(cx, pos, out),
        None => {
            out.null();
            Ok(())
        }
    }
}

/// OBJECT ENCODING key
pub fn encoding(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    about(cx, args, out, |cx, pos, out| {
        out.bulk(cx.db().value(pos).encoding().as_bytes());
        Ok(())
    })
}

/// OBJECT REFCOUNT key
pub fn refcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    about(cx, args, out, |_, _, out| {
        out.int(1);
        Ok(())
    })
}

/// OBJECT IDLETIME key
pub fn idletime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
pub fn freq(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
pub fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(HELP.len());
    HELP.iter().for_each(|line| out.status(line));
    Ok(())
}
