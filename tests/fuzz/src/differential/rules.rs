//! What may differ between two servers without either being wrong. Everything that is not here must be equal byte for byte.
//!
//! | What | Compared |
//! |---|---|
//! | random picks: SPOP SRANDMEMBER HRANDFIELD ZRANDMEMBER RANDOMKEY | kinds and numbers of elements |
//! | elements without an order: sets, fields, KEYS, GEO searches that are not sorted, SORT of a set BY nothing | as a set |
//! | the first that are found: GEO … ANY, a LIMIT on such a SORT, equal weights of SORT BY ALPHA | kinds and number |
//! | SCAN and its kind | as a set when one call gave everything, kinds otherwise |
//! | times to live | within [`JITTER_S`] |
//! | idle time, which in Redis also ends by commands that are refused for the wrong type | kinds |
//! | DBSIZE, which counts expired keys until somebody meets them | not, but the keys are in the end |
//! | DUMP | restored on the other side ([`super::whole`]) |
//! | HELLO, CONFIG | not: they prepare a sequence |
//!
//! and for a peer older than the Redis that Weft follows, what has changed since ([`Rules::is_left_out`] says which requests are
//! not made, the functions below it how replies are read).

use super::{Reply, Request, dated};
use crate::grammar::Scope;
use std::collections::HashSet;

/// Seconds that may pass between the same request on two servers.
const JITTER_S: i64 = 3;

/// What may differ from a peer.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The version of the older one of the two.
    pub version: (u32, u32),
}

/// The newest there is: two of our own.
pub const NEWEST: (u32, u32) = (u32::MAX, 0);

impl Rules {
    /// Whether two replies to one request are the same.
    pub fn same(&self, request: &Request, resp3: bool, first: &Reply, second: &Reply) -> bool {
        if first == second {
            return true;
        }
        let form = Form::of(request);
        let [first, second] = [first, second].map(|reply| self.dated(reply.clone()));
        match form {
            Form::Exact => first == second,
            Form::Ignored => true,
            Form::Picked => shape(first) == shape(second),
            Form::Unordered { in_pairs } => {
                let in_pairs = in_pairs && (!resp3 || first.kind == b'%');
                first.sorted(in_pairs) == second.sorted(in_pairs)
            }
            Form::Scan { in_pairs, from_start } => same_scan(in_pairs, from_start, first, second),
            Form::Time { unit } => same_time(unit, &first, &second),
        }
    }

    /// A reply with what an older peer writes otherwise in one form.
    fn dated(&self, reply: Reply) -> Reply {
        match self.version {
            version if version < (7, 2) => reply.map(&|reply| old_encoding(shortest_double(reply))),
            NEWEST => reply,
            _ => reply.map(&|reply| expiring_listpack(short_string(reply))),
        }
    }

    /// Requests that this peer answers otherwise because it is older; with the version that changed it.
    pub fn is_left_out(&self, request: &Request) -> bool {
        let name = request[0].to_ascii_uppercase();
        let name = std::str::from_utf8(&name).unwrap_or("");
        let is = |index: usize, word: &str| {
            request.get(index).is_some_and(|given| given.eq_ignore_ascii_case(word.as_bytes()))
        };
        let has = |word: &str| (1..request.len()).any(|index| is(index, word));
        let beyond_32_bits = |index: usize| {
            let number = request.get(index).and_then(|number| base::number::parse_i64(number));
            number.is_some_and(|number| i32::try_from(number).is_err())
        };
        let beyond_48_bits = |index: usize| {
            let number = request.get(index).and_then(|number| base::number::parse_i64(number));
            number.is_some_and(|number| number >= 1 << 48)
        };
        // So many draws with repetition that the peer would run out of memory, where ours refuses.
        let draws_too_many = ["SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"].contains(&name)
            && request
                .get(2)
                .and_then(|count| base::number::parse_i64(count))
                .is_some_and(|count| count < -10_000);
        if draws_too_many {
            return true;
        }
        // Options may stand behind FIELDS since then, with new errors for it.
        self.version < (8, 4) && name.starts_with('H') && has_fields_astray(name, request)
            || self.version < (8, 4) && name.starts_with('Z') && has("AGGREGATE") && has("COUNT")
            // The command named is not known yet.
            || name == "COMMAND" && request.get(2).and_then(|name| command::lookup(name)).is_some_and(|row| {
                !Scope { before: self.before(), deterministic: false }.knows(row.since)
            })
            // Answers twice.
            || name == "PFDEBUG" && is(1, "SIMD")
            // Not of what APPEND has broken.
            || name == "PFDEBUG" && is(1, "DECODE")
            // Many members are at one place, in any order.
            || name.starts_with("GEO") && request.iter().any(|key| key.ends_with(b"z"))
            || name == "PFSELFTEST"
            // Such a time is beyond 64 bits, and the key gone at once.
            || name == "RESTORE" && beyond_48_bits(2)
            // Cut to 32 bits.
            || ["LSET", "LINDEX"].contains(&name) && self.version >= (7, 2) && beyond_32_bits(2)
            || name == "COMMAND" && (beyond_32_bits(3) || is(2, "DEBUG") || is(1, "COUNT") || request.iter().skip(3).any(|word| nearly_a_number(word)))
            // Lists keep the limit that they were made with; a union is built in another order; RESTORE looks at all limits.
            || name == "CONFIG"
                && ["list-max-listpack-size", "set-max-intset-entries", "set-max-listpack-value"]
                    .iter()
                    .any(|directive| is(2, directive))
            // What is broken is noticed earlier or later.
            || ["APPEND", "SETRANGE", "SETBIT", "BITFIELD"].contains(&name)
                && request.get(1).is_some_and(|key| key.ends_with(b"hll"))
            // Changes the encoding before it looks for the pivot.
            || name == "LINSERT" && request.get(4).is_some_and(|element| element.len() > 255)
            || name == "LSET" && request.get(3).is_some_and(|element| element.len() > 4096)
            || dated::is_left_out(self.version, name, request)
    }

    /// Later commands are unknown to it.
    pub fn before(&self) -> (u32, u32) {
        (self.version.0, self.version.1.saturating_add(1))
    }

    /// Whether a RESTORE that this peer refuses is to be expected, for the payload's format came later.
    pub fn may_refuse(&self, reply: &Reply) -> bool {
        self.version < (7, 4) && reply.text.starts_with(b"ERR DUMP payload version or checksum are wrong")
    }
}

/// How the replies to a request are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Exact,
    Ignored,
    Picked,
    Unordered { in_pairs: bool },
    Scan { in_pairs: bool, from_start: bool },
    Time { unit: i64 },
}

impl Form {
    pub fn of(request: &Request) -> Self {
        let upper: Vec<Vec<u8>> = request.iter().map(|word| word.to_ascii_uppercase()).collect();
        let names: Vec<&str> = upper.iter().map(|word| std::str::from_utf8(word).unwrap_or("")).collect();
        let words: HashSet<&str> = names.iter().copied().skip(2).collect();
        match names[0] {
            "HELLO" | "CONFIG" | "DUMP" => Self::Ignored,
            "DBSIZE" => Self::Picked,
            "SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" | "RANDOMKEY" => Self::Picked,
            "SMEMBERS" | "SINTER" | "SUNION" | "SDIFF" | "KEYS" | "HKEYS" | "HVALS" => {
                Self::Unordered { in_pairs: false }
            }
            "HGETALL" => Self::Unordered { in_pairs: true },
            "SCAN" | "SSCAN" | "HSCAN" | "ZSCAN" => {
                let cursor = if names[0] == "SCAN" { 1 } else { 2 };
                Self::Scan {
                    in_pairs: names[0] == "ZSCAN" || names[0] == "HSCAN" && !words.contains("NOVALUES"),
                    from_start: names.get(cursor) == Some(&"0"),
                }
            }
            "TTL" | "EXPIRETIME" | "HTTL" | "HEXPIRETIME" => Self::Time { unit: 1 },
            "PTTL" | "PEXPIRETIME" | "HPTTL" | "HPEXPIRETIME" => Self::Time { unit: 1000 },
            "OBJECT" if names.get(1) == Some(&"IDLETIME") => Self::Picked,
            "SORT" | "SORT_RO" => Self::of_sort(request, &words),
            "GEORADIUS" | "GEORADIUS_RO" | "GEORADIUSBYMEMBER" | "GEORADIUSBYMEMBER_RO" | "GEOSEARCH" => {
                match () {
                    () if words.contains("ANY") => Self::Picked,
                    () if ["ASC", "DESC", "COUNT"].iter().any(|word| words.contains(word)) => Self::Exact,
                    () => Self::Unordered { in_pairs: false },
                }
            }
            _ => Self::Exact,
        }
    }

    fn of_sort(request: &Request, words: &HashSet<&str>) -> Self {
        let keeps_order = request.windows(2).any(|two| {
            let pattern = &two[1];
            let is_key = pattern.contains(&b'*');
            two[0].eq_ignore_ascii_case(b"BY") && !is_key
        });
        let has_ties = words.contains("BY") && words.contains("ALPHA");
        match keeps_order || has_ties {
            true if words.contains("LIMIT") || words.contains("GET") => Self::Picked,
            true => Self::Unordered { in_pairs: false },
            false => Self::Exact,
        }
    }

    /// Whether it follows from the data what such a request does to it.
    pub fn is_determined(&self, request: &Request) -> bool {
        let by_chance = [&b"SPOP"[..], b"GEOSEARCHSTORE", b"GEORADIUS", b"GEORADIUSBYMEMBER", b"SORT"];
        let name = request[0].to_ascii_uppercase();
        let any = request.iter().any(|word| word.eq_ignore_ascii_case(b"ANY"));
        !(by_chance.contains(&name.as_slice())
            && (*self == Self::Picked || any || name == b"SORT" && self != &Self::Exact))
    }
}

/// Read as a number by some.
fn nearly_a_number(word: &[u8]) -> bool {
    word.first().is_some_and(|first| b" +-0123456789".contains(first))
        && base::number::parse_i64(word).is_none()
}

/// Whether something else than the fields announced stands behind FIELDS, or something else than options before it.
fn has_fields_astray(name: &str, request: &Request) -> bool {
    let (mut index, step) = match name {
        "HEXPIRE" | "HPEXPIRE" | "HEXPIREAT" | "HPEXPIREAT" => (3, 1),
        "HGETEX" => (2, 1),
        "HSETEX" => (2, 2),
        _ => return false,
    };
    let is = |index: usize, words: &[&str]| {
        request
            .get(index)
            .is_some_and(|given| words.iter().any(|word| given.eq_ignore_ascii_case(word.as_bytes())))
    };
    while !is(index, &["FIELDS"]) {
        index += match () {
            () if is(index, &["NX", "XX", "GT", "LT", "FNX", "FXX", "PERSIST", "KEEPTTL"]) => 1,
            () if is(index, &["EX", "PX", "EXAT", "PXAT"]) => 2,
            () => return true,
        };
    }
    let count = request.get(index + 1).and_then(|count| base::number::parse_i64(count));
    count.is_none_or(|count| count <= 0 || count as usize * step != request.len() - index - 2)
}

/// Kinds and numbers of elements.
fn shape(reply: Reply) -> Reply {
    reply.map(&|mut reply| {
        if !b"-_".contains(&reply.kind) {
            reply.text.clear();
        }
        reply
    })
}

/// A cursor and elements, as a set when both have given everything at once.
fn same_scan(in_pairs: bool, from_start: bool, first: Reply, second: Reply) -> bool {
    let replies = [first, second];
    let are_scans = replies.iter().all(|reply| reply.kind == b'*' && reply.items.len() == 2);
    if !are_scans {
        return replies[0] == replies[1];
    }
    let at_end = replies.iter().all(|reply| reply.items[0].text == b"0");
    let [first, second] = replies.map(|mut reply| reply.items.remove(1).sorted(in_pairs));
    !from_start || !at_end || first == second
}

fn same_time(unit: i64, first: &Reply, second: &Reply) -> bool {
    if first.items.len() != second.items.len() || first.kind != second.kind {
        return false;
    }
    match (first.integer(), second.integer()) {
        (Some(first), Some(second)) if first.min(second) >= 0 => {
            first.abs_diff(second) <= (JITTER_S * unit) as u64
        }
        _ if !first.items.is_empty() => {
            first.items.iter().zip(&second.items).all(|(first, second)| same_time(unit, first, second))
        }
        _ => first == second,
    }
}

/// Before 7.2 doubles had 17 digits.
fn shortest_double(mut reply: Reply) -> Reply {
    if !b"$,".contains(&reply.kind) {
        return reply;
    }
    let text = std::str::from_utf8(&reply.text).ok();
    let number = text.filter(|text| text.contains(['.', 'e']) || text.len() > 15);
    if let Some(number) = number.and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite())
    {
        reply.text = format!("{number:e}").into_bytes();
    }
    reply
}

/// Since 8.2 the length of the key counts, too, for what is an embedded string.
fn short_string(mut reply: Reply) -> Reply {
    if reply.kind == b'$' && reply.text == b"embstr" {
        reply.text = b"raw".to_vec();
    }
    reply
}

/// A hash is called so as soon as it was asked to let a field expire, even one that it does not have.
fn expiring_listpack(mut reply: Reply) -> Reply {
    if reply.kind == b'$' && reply.text == b"listpackex" {
        reply.text = b"listpack".to_vec();
    }
    reply
}

/// Before 7.2 there were no listpacks of sets, and no lists without quicklist.
fn old_encoding(mut reply: Reply) -> Reply {
    if reply.kind == b'$' && [&b"hashtable"[..], b"quicklist"].contains(&reply.text.as_slice()) {
        reply.text = b"listpack".to_vec();
    }
    reply
}
