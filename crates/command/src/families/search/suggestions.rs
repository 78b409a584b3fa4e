//! Suggestions for what is being typed: FT.SUGADD, FT.SUGGET, FT.SUGDEL, FT.SUGLEN. Those of a key are a value of a type of their own, and belong to no index.
//! Invariant: a key left without suggestions goes.
//!
//! RediSearch publishes no events of them. Of its errors the sentences are known, and the codes of the two about the text; the other codes are a guess.

use crate::spec::{Handler, KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::number::{parse_f64, parse_u64};
use resp::Reply;
use types::Suggestions;
use types::suggestions::trimmed;

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::SEARCH).group("suggestion").since("1.0.0").complexity("O(1)")
}

pub const COMMANDS: &[Command] = &[
    row("FT.SUGADD", sugadd)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | UPPER_CASE)
        .summary("Adds a suggestion string to an auto-complete suggestion dictionary")
        .syntax("key:key string:string score:double increment_score(incr=INCR)? PAYLOAD@payload:string?"),
    row("FT.SUGGET", sugget)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | UPPER_CASE)
        .summary("Gets completion suggestions for a prefix")
        .syntax(
            "key:key prefix:string fuzzy=FUZZY? withscores=WITHSCORES? withpayloads=WITHPAYLOADS? MAX@max:integer?",
        ),
    row("FT.SUGDEL", sugdel)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | UPPER_CASE)
        .summary("Deletes a string from a suggestion index")
        .syntax("key:key string:string"),
    row("FT.SUGLEN", suglen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | UPPER_CASE)
        .summary("Gets the size of an auto-complete suggestion dictionary")
        .syntax("key:key"),
];

/// How many suggestions are given if MAX says nothing.
const MAX_USUAL: usize = 5;
/// Bytes of a beginning that can be looked for.
const PREFIX_BYTES_MAX: usize = 200;
/// Letters of it.
const PREFIX_LETTERS_MAX: usize = 100;

/// FT.SUGADD key string score [INCR] [PAYLOAD payload]
fn sugadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let score = parse_f64(&args[3]).ok_or_else(|| Error::err("invalid score"))? as f32;
    let (mut adds, mut payload, mut at) = (false, None, 4);
    while at < args.len() {
        if args.is(at, "INCR") {
            adds = true;
        } else if args.is(at, "PAYLOAD") {
            at += 1;
            payload = Some(args.get(at).ok_or_else(|| {
                Error::text("SEARCH_PARSE_ARGS Invalid payload: Expected an argument, but none provided")
            })?);
        } else {
            let shown = String::from_utf8_lossy(&args[at]);
            return Err(Error::text(format!("SEARCH_ARG_UNRECOGNIZED Unknown argument `{shown}`")));
        }
        at += 1;
    }
    let key = args.key(1);
    if !Suggestions::takes(&args[2]) {
        out.count(cx.read::<Suggestions>(key)?.map_or(0, Suggestions::len));
        return Ok(());
    }
    let mut suggestions = cx.upsert::<Suggestions>(key, Suggestions::new)?;
    suggestions.add(&args[2], score, adds, payload);
    let count = suggestions.len();
    drop(suggestions);
    cx.changed(key.bytes);
    out.count(count);
    Ok(())
}

/// What FT.SUGGET is asked for.
struct Wanted {
    is_fuzzy: bool,
    with_scores: bool,
    with_payloads: bool,
    trims: bool,
    most: usize,
}

fn wanted(args: Args<'_>) -> Result<Wanted, Error> {
    let mut wanted =
        Wanted { is_fuzzy: false, with_scores: false, with_payloads: false, trims: false, most: MAX_USUAL };
    let mut at = 3;
    while at < args.len() {
        match () {
            () if args.is(at, "FUZZY") => wanted.is_fuzzy = true,
            () if args.is(at, "WITHSCORES") => wanted.with_scores = true,
            () if args.is(at, "WITHPAYLOADS") => wanted.with_payloads = true,
            // RediSearch knows it and does not document it.
            () if args.is(at, "TRIM") => wanted.trims = true,
            () if args.is(at, "MAX") => {
                at += 1;
                let bad = |why| Error::text(format!("SEARCH_PARSE_ARGS Bad arguments for MAX: {why}"));
                let text = args.get(at).ok_or_else(|| bad("Expected an argument, but none provided"))?;
                wanted.most = parse_u64(text)
                    .and_then(|most| usize::try_from(most).ok())
                    .ok_or_else(|| bad("Could not convert argument to expected type"))?;
            }
            () => {
                let shown = String::from_utf8_lossy(&args[at]);
                return Err(Error::text(format!("SEARCH_PARSE_ARGS Unrecognized argument: {shown}")));
            }
        }
        at += 1;
    }
    Ok(wanted)
}

/// FT.SUGGET key prefix [FUZZY] [WITHSCORES] [WITHPAYLOADS] [MAX max]
fn sugget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let prefix = &args[2];
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(Error::text("SEARCH_SUGGEST_QUERY_TOO_LONG Invalid query length"));
    }
    let wanted = wanted(args)?;
    let Some(suggestions) = cx.read::<Suggestions>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    if String::from_utf8_lossy(prefix).chars().count() > PREFIX_LETTERS_MAX {
        return Err(Error::text("SEARCH_SUGGEST_INVALID_QUERY Invalid query"));
    }
    let mut found = suggestions.search(prefix, wanted.is_fuzzy, wanted.most);
    if wanted.trims {
        found.truncate(trimmed(&found));
    }
    out.array(found.len() * (1 + usize::from(wanted.with_scores) + usize::from(wanted.with_payloads)));
    for found in found {
        out.bulk(found.text);
        if wanted.with_scores {
            out.double(found.score.into());
        }
        if wanted.with_payloads {
            match found.payload {
                Some(payload) => out.bulk(payload),
                None => out.null(),
            }
        }
    }
    Ok(())
}

/// FT.SUGDEL key string
fn sugdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let removed = match cx.update::<Suggestions>(key)? {
        Some(mut suggestions) => suggestions.remove(&args[2]),
        None => false,
    };
    if removed {
        cx.changed(key.bytes);
    }
    out.boolean(removed);
    Ok(())
}

/// FT.SUGLEN key
fn suglen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<Suggestions>(args.key(1))?.map_or(0, Suggestions::len));
    Ok(())
}
