//! Requests that are not made: what an older Redis answers otherwise than the one that Weft follows, and where Weft differs
//! on purpose (docs/compatibility.md).

use super::rules::NEWEST;
use super::{Request, Rules};
use base::number::parse_i64;

/// Commands, the version of Redis that answers as Weft does, and which requests are concerned.
type LeftOut = (&'static [&'static str], (u32, u32), fn(&Request) -> bool);

/// No version does, and no other of our servers.
const NEVER: (u32, u32) = (u32::MAX, u32::MAX);

const LEFT_OUT: &[LeftOut] = &[
    // WITHSCORE is new.
    (&["ZRANK", "ZREVRANK"], (7, 2), |request| request.len() > 3),
    // Sets as listpacks.
    (&["RESTORE"], (7, 2), |request| {
        request.get(3).and_then(|payload| payload.first()).is_some_and(|&kind| kind >= 20)
    }),
    // ZADD looks at the limits when a member gets another score.
    (&["CONFIG"], (7, 2), |request| request.iter().any(|word| word.starts_with(b"zset"))),
    // The command named may stand alone, and has other arguments.
    (&["COMMAND"], (7, 4), |_| true),
    // A name is looked at up to a zero byte.
    (&["CLIENT"], (7, 4), |request| request.iter().skip(2).any(|word| word.contains(&0))),
    (&["HSCAN"], (7, 4), |request| has(request, "NOVALUES")),
    // Arguments are read even when the key is missing.
    (&["BITCOUNT", "BITPOS"], (7, 4), |request| {
        let all_numbers = request.iter().skip(2).all(|word| parse_i64(word).is_some());
        let len = request.len();
        !all_numbers || len > 5 || is(request, 0, "BITCOUNT") && ![2, 4].contains(&len)
    }),
    // A count that has no opposite is refused.
    (&["LREM", "LPOS"], (7, 4), |request| request.iter().any(|word| parse_i64(word) == Some(i64::MIN))),
    // A cursor with a minus is refused, nothing at all is one.
    (&["SCAN", "SSCAN", "HSCAN", "ZSCAN"], (8, 0), |request| {
        let cursor = request.get(if is(request, 0, "SCAN") { 1 } else { 2 });
        cursor.is_some_and(|word| parse_i64(word).is_none_or(|cursor| cursor < 0))
    }),
    // An error of an earlier command made it fail.
    (&["SORT", "SORT_RO"], (8, 0), |request| !has(request, "ALPHA")),
    // No bounds in hexadecimal, and none behind blanks.
    (
        &["ZRANGE", "ZRANGESTORE", "ZCOUNT", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZREMRANGEBYSCORE"],
        (8, 0),
        |request| {
            let has_blank = request.iter().any(|word| word.starts_with(b" "));
            has(request, "0x10") || has(request, "(0x10") || has_blank
        },
    ),
    // Coordinates are written with 17 digits behind the point, of which the least numbers have few.
    (&["GEOADD"], (8, 0), |request| {
        let number = |word: &Vec<u8>| std::str::from_utf8(word).ok()?.parse::<f64>().ok();
        request.iter().skip(2).filter_map(number).any(|number| number.abs() < 1e-3)
    }),
    // A key of another type whose time is over is looked up, and so missed.
    (&["SCAN"], (8, 0), |request| has(request, "TYPE")),
    // Which elements are shown, and looked up, where all weigh the same.
    (&["SORT", "SORT_RO"], NEVER, |request| has(request, "BY") && has(request, "GET")),
    // Patterns end at a zero byte there.
    (&["SORT", "SORT_RO"], NEVER, |request| request.iter().skip(2).any(|word| word.contains(&0))),
    // Neighbours are found in a graph of one's own, numbers rounded on the way, and a vector set is copied.
    (&["VSIM", "VLINKS"], NEWEST, |_| true),
    (&["VEMB"], NEWEST, |request| has(request, "RAW")),
    (&["COPY"], NEWEST, |request| ["v1", "{t}v", "big:v"].iter().any(|key| is(request, 1, key))),
    (&["BITOP"], (8, 2), |request| ["DIFF", "DIFF1", "ANDOR", "ONE"].iter().any(|name| has(request, name))),
    // Options may stand behind FIELDS, with new errors for it.
    (&["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", "HGETEX", "HSETEX"], (8, 4), has_fields_astray),
    (&["ZUNION", "ZINTER", "ZUNIONSTORE", "ZINTERSTORE"], (8, 4), |request| has(request, "COUNT")),
    // So many draws with repetition that the peer would run out of memory, where ours refuses.
    (&["SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"], NEVER, |request| number(request, 2) < -10_000),
    // The id is the time of the server.
    (&["XADD"], NEVER, |request| has(request, "*") || request.iter().any(|word| word.ends_with(b"-*"))),
    // What was deleted counts; and what is given back was looked at in another order.
    (&["XSETID"], (7, 2), |_| true),
    // `+` is the last entry; other words where there are too few ids.
    (&["XREAD"], (7, 4), |request| {
        let behind = request.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS"));
        has(request, "+") || behind.is_some_and(|at| !(request.len() - at).is_multiple_of(2))
    }),
    (&["XADD", "XTRIM"], (8, 2), |request| {
        ["KEEPREF", "DELREF", "ACKED"].iter().any(|word| has(request, word))
    }),
    (&["XADD"], (8, 6), |request| has(request, "IDMP") || has(request, "IDMPAUTO")),
    (&["XREAD"], (8, 10), |request| has(request, "MAXCOUNT") || has(request, "MAXSIZE")),
    // A consumer is made as soon as it is named; and not more have been read than there are.
    (&["XGROUP"], (7, 2), |request| is(request, 1, "CREATECONSUMER")),
    (&["XCLAIM", "XAUTOCLAIM"], (7, 2), |_| true),
    (&["XGROUP"], (8, 2), |request| has(request, "ENTRIESREAD")),
    (&["XINFO"], (8, 6), |request| is(request, 1, "STREAM")),
    (&["XINFO"], (8, 2), |request| is(request, 1, "GROUPS") || is(request, 1, "CONSUMERS")),
    (&["XREADGROUP"], (7, 4), |request| {
        let behind = request.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS"));
        has(request, "+") || behind.is_some_and(|at| !(request.len() - at).is_multiple_of(2))
    }),
    (&["XREADGROUP"], (8, 4), |request| has(request, "CLAIM")),
    (&["XREADGROUP"], (8, 10), |request| has(request, "MAXCOUNT") || has(request, "MAXSIZE")),
    // What takes time, or tells it.
    (&["XPENDING"], NEVER, |request| request.len() > 3),
    (&["XINFO"], NEVER, |request| is(request, 1, "CONSUMERS") || has(request, "FULL")),
    (&["XCLAIM", "XAUTOCLAIM"], NEVER, |request| (1..1_000_000_000).contains(&number(request, 4))),
    // PFDEBUG makes such a string one of its own.
    (&["RESTORE"], NEVER, |request| {
        request
            .get(3)
            .is_some_and(|payload| payload.len() < 80 && payload.windows(4).any(|four| four == b"HYLL"))
    }),
    // Redis answers twice to SIMD, and decodes what is broken.
    (&["PFDEBUG"], NEVER, |request| is(request, 1, "SIMD") || is(request, 1, "DECODE")),
    // Looks at a setting of its own; and takes long.
    (&["PFSELFTEST"], NEVER, |_| true),
    // What is broken is noticed earlier or later.
    (&["APPEND", "SETRANGE", "SETBIT", "BITFIELD"], NEVER, |request| {
        request.get(1).is_some_and(|key| key.ends_with(b"hll"))
    }),
    // Many members are at one place, in any order; COUNT shows some of them.
    (
        &[
            "GEORADIUS",
            "GEORADIUS_RO",
            "GEORADIUSBYMEMBER",
            "GEORADIUSBYMEMBER_RO",
            "GEOSEARCH",
            "GEOSEARCHSTORE",
        ],
        NEVER,
        |request| has(request, "COUNT") || request.iter().any(|key| key.ends_with(b"z")),
    ),
    // Such a time is beyond 64 bits, and the key gone at once.
    (&["RESTORE"], NEVER, |request| number(request, 2) >= 1 << 48),
    // Cut to 32 bits; and converted before it is known whether anything changes.
    (&["LSET", "LINDEX"], NEVER, |request| {
        i32::try_from(number(request, 2)).is_err()
            || request.get(3).is_some_and(|element| element.len() > 255)
    }),
    (&["LINSERT"], NEVER, |request| request.get(4).is_some_and(|element| element.len() > 255)),
    // Counts are cut to 32 bits and read from the beginnings of words; DEBUG has no subcommands there.
    (&["COMMAND"], NEVER, |request| {
        let is_odd = |word: &[u8]| {
            let begins = word.first().is_some_and(|first| b" +-0123456789".contains(first));
            begins && parse_i64(word).is_none_or(|number| i32::try_from(number).is_err())
        };
        is(request, 1, "COUNT") || is(request, 2, "DEBUG") || request.iter().skip(3).any(|word| is_odd(word))
    }),
    // Its identifier is the time of day.
    (&["XADD"], NEVER, |request| request.iter().skip(2).any(|word| word == b"*")),
    // Lists keep the limit that they were made with; a union is built in another order; RESTORE looks at all limits.
    (&["CONFIG"], NEVER, |request| {
        ["list-max-listpack-size", "set-max-intset-entries", "set-max-listpack-value"]
            .iter()
            .any(|directive| is(request, 2, directive))
    }),
];

/// Whether the reply to such a request would differ without being wrong.
pub fn contains(rules: &Rules, request: &Request) -> bool {
    let name = request[0].to_ascii_uppercase();
    let name = std::str::from_utf8(&name).unwrap_or("");
    let listed = LEFT_OUT
        .iter()
        .any(|(names, since, concerns)| rules.version < *since && names.contains(&name) && concerns(request));
    listed || name == "COMMAND" && names_unknown(rules, request)
}

/// Whether a COMMAND subcommand is asked about a command that the peer does not know yet.
fn names_unknown(rules: &Rules, request: &Request) -> bool {
    let known = rules.scope(false);
    let named = request.get(2).and_then(|name| command::lookup(name));
    // Those of vector sets are a module's there.
    named.is_some_and(|row| !known.has(row) || rules.version < NEWEST && row.group == "vector_set")
}

/// Whether something else than the fields announced stands behind FIELDS, or something else than options before it.
fn has_fields_astray(request: &Request) -> bool {
    let in_pairs = is(request, 0, "HSETEX");
    let mut index = if in_pairs || is(request, 0, "HGETEX") { 2 } else { 3 };
    while !is(request, index, "FIELDS") {
        let is_one_of = |words: &[&str]| words.iter().any(|word| is(request, index, word));
        index += match () {
            () if is_one_of(&["NX", "XX", "GT", "LT", "FNX", "FXX", "PERSIST", "KEEPTTL"]) => 1,
            () if is_one_of(&["EX", "PX", "EXAT", "PXAT"]) => 2,
            () => return true,
        };
    }
    let fields = request.len() - index - 2.min(request.len() - index);
    let count = number(request, index + 1);
    count <= 0 || count as usize * if in_pairs { 2 } else { 1 } != fields
}

fn is(request: &Request, index: usize, word: &str) -> bool {
    request.get(index).is_some_and(|given| given.eq_ignore_ascii_case(word.as_bytes()))
}

fn has(request: &Request, word: &str) -> bool {
    (1..request.len()).any(|index| is(request, index, word))
}

/// An argument as a number, 0 if it is none.
fn number(request: &Request, index: usize) -> i64 {
    request.get(index).and_then(|word| parse_i64(word)).unwrap_or(0)
}
