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
    (&["RESTORE"], (7, 2), |request| request.get(3).and_then(|payload| payload.first()).is_some_and(|&kind| kind >= 20)),
    (&["HSCAN"], (7, 4), |request| has(request, "NOVALUES")),
    // Arguments are read even when the key is missing.
    (&["BITCOUNT", "BITPOS"], (7, 4), |request| request.len() == 3 || request.iter().skip(2).any(|word| parse_i64(word).is_none())),
    // A count that has no opposite is refused.
    (&["LREM", "LPOS"], (7, 4), |request| request.iter().any(|word| parse_i64(word) == Some(i64::MIN))),
    // A cursor with a minus is refused, nothing at all is one.
    (&["SCAN", "SSCAN", "HSCAN", "ZSCAN"], (8, 0), |request| !request.iter().skip(1).take(2).any(|word| parse_i64(word).is_some_and(|cursor| cursor >= 0))),
    (&["BITOP"], (8, 2), |request| ["DIFF", "DIFF1", "ANDOR", "ONE"].iter().any(|name| has(request, name))),
];

/// Whether the reply to a request of this name has changed after `version`.
pub fn is_left_out(version: (u32, u32), name: &str, request: &Request) -> bool {
    CHANGES.iter().any(|(names, since, concerns)| version < *since && names.contains(&name) && concerns(request))
}

fn has(request: &Request, word: &str) -> bool {
    request.iter().any(|given| given.eq_ignore_ascii_case(word.as_bytes()))
}
