//! LCS: what two strings have in common. The algorithm is in `types::lcs`.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::lcs::{self, LcsError, Matches};

pub const COMMANDS: &[Command] = &[row("LCS", lcs)
    .arity(-3)
    .keys(&[KeySpec::range(1, 1, 1, RO | ACCESS)])
    .flags(READONLY)
    .since("7.0.0")
    .complexity("O(N*M) where N and M are the lengths of s1 and s2, respectively")
    .summary("Finds the longest common subsequence of two strings.")
    .syntax(concat!(
        "key1:key key2:key len=LEN? idx=IDX? MINMATCHLEN@min-match-len:integer? ",
        "withmatchlen=WITHMATCHLEN?",
    ))];

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    len_min: i64,
    with_len: bool,
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
pub fn lcs(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let places = cx.find_all([args.key(1), args.key(2)].into_iter());
    let bytes_max = cx.shard.limits.string_bytes_max as u64;
    let db = &*cx.db();
    let text = |index: usize| match places[index] {
        Some(pos) => db.str(pos).map(|value| value.bytes()).ok_or(()),
        None => Ok(&b""[..]),
    };
    let (Ok(a), Ok(b)) = (text(0), text(1)) else {
        return Err(Error::err("The specified keys must contain string values"));
    };
    let options = parse(args)?;
    let failed = |error: LcsError| Error::err(error);
    if options.idx {
        reply_matches(
            out,
            &lcs::matches(a, b, options.len_min, bytes_max).map_err(failed)?,
            options.with_len,
        );
    } else if options.len {
        out.count(lcs::length(a, b, bytes_max).map_err(failed)?);
    } else {
        out.bulk(&lcs::subsequence(a, b, bytes_max).map_err(failed)?);
    }
    Ok(())
}

fn parse(args: Args<'_>) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut index = 3;
    while index < args.len() {
        if args.is(index, "IDX") {
            options.idx = true;
        } else if args.is(index, "LEN") {
            options.len = true;
        } else if args.is(index, "WITHMATCHLEN") {
            options.with_len = true;
        } else if args.is(index, "MINMATCHLEN") && index + 1 < args.len() {
            index += 1;
            options.len_min = args.int(index)?;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    if options.len && options.idx {
        return Err(Error::err("If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

fn reply_matches(out: &mut Reply, matches: &Matches, with_len: bool) {
    out.map(2);
    out.bulk(b"matches");
    out.array(matches.ranges.len());
    for range in &matches.ranges {
        out.array(2 + usize::from(with_len));
        for (first, last) in [range.a, range.b] {
            out.array(2);
            out.count(first);
            out.count(last);
        }
        if with_len {
            out.count(range.length());
        }
    }
    out.bulk(b"len");
    out.count(matches.len);
}
