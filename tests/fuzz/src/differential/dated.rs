//! Requests that an older Redis answers otherwise than the one that Weft follows: not made to it.

use super::Request;
use base::number::parse_i64;

/// A command, the version that changed it, which requests are concerned, and how.
type Change = (&'static [&'static str], (u32, u32), fn(&Request) -> bool);

const CHANGES: &[Change] = &[
    // WITHSCORE is new.
    (&["ZRANK", "ZREVRANK"], (7, 2), |request| request.len() > 3),
    // The command named may stand alone, and has other arguments.
    (&["COMMAND"], (7, 4), |_| true),
    (&["CLIENT"], (7, 4), |request| request.iter().skip(2).any(|word| word.contains(&0))),
    // Sets as listpacks.
    (&["RESTORE"], (7, 2), |request| {
        request.get(3).and_then(|payload| payload.first()).is_some_and(|&kind| kind >= 20)
    }),
    (&["HSCAN"], (7, 4), |request| has(request, "NOVALUES")),
    // Arguments are read even when the key is missing.
    (&["BITCOUNT", "BITPOS"], (7, 4), |request| {
        let numbers = request.iter().skip(2).filter(|word| parse_i64(word).is_some()).count();
        numbers + 2 != request.len() || has(request, "BITCOUNT") && ![2, 4].contains(&request.len())
    }),
    // An older error made it fail.
    (&["SORT", "SORT_RO"], (8, 0), |request| !has(request, "ALPHA")),
    // No bounds in hexadecimal.
    (
        &["ZRANGE", "ZRANGESTORE", "ZCOUNT", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZREMRANGEBYSCORE"],
        (8, 0),
        |request| has(request, "0x10") || has(request, "(0x10"),
    ),
    // ZADD looks at the limits when a member gets another score.
    (&["CONFIG"], (7, 2), |request| request.iter().any(|word| word.starts_with(b"zset"))),
    // A count that has no opposite is refused.
    (&["LREM", "LPOS"], (7, 4), |request| request.iter().any(|word| parse_i64(word) == Some(i64::MIN))),
    // A cursor with a minus is refused, nothing at all is one.
    (&["SCAN", "SSCAN", "HSCAN", "ZSCAN"], (8, 0), |request| {
        let at = if has(&request[..1].to_vec(), "SCAN") { 1 } else { 2 };
        request.get(at).is_some_and(|word| parse_i64(word).is_none_or(|cursor| cursor < 0))
    }),
    (&["BITOP"], (8, 2), |request| ["DIFF", "DIFF1", "ANDOR", "ONE"].iter().any(|name| has(request, name))),
];

/// Whether the reply to a request of this name has changed after `version`.
pub fn is_left_out(version: (u32, u32), name: &str, request: &Request) -> bool {
    CHANGES
        .iter()
        .any(|(names, since, concerns)| version < *since && names.contains(&name) && concerns(request))
}

fn has(request: &Request, word: &str) -> bool {
    request.iter().any(|given| given.eq_ignore_ascii_case(word.as_bytes()))
}
