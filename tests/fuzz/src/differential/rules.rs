//! What may differ between two servers without either being wrong. Everything that is not here must be equal byte for byte.
//!
//! | What | Compared |
//! |---|---|
//! | random picks: SPOP SRANDMEMBER HRANDFIELD ZRANDMEMBER VRANDMEMBER RANDOMKEY, and VINFO | kinds and numbers of elements |
//! | VLINKS, whose graph follows from chance | not |
//! | elements without an order: sets, fields, KEYS, GEO searches that are not sorted, SORT of a set BY nothing | as a set |
//! | the first that are found: GEO … ANY, a LIMIT on such a SORT, equal weights of SORT BY ALPHA | kinds and number |
//! | SCAN and its kind | as a set when one call gave everything, kinds otherwise |
//! | times to live | within [`JITTER_S`] |
//! | idle time, which in Redis also ends by commands that are refused for the wrong type | kinds |
//! | DBSIZE, which counts expired keys until somebody meets them | not, but the keys are in the end |
//! | DUMP | restored on the other side ([`super::whole`]) |
//! | HELLO, CONFIG | not: they prepare a sequence |
//!
//! and for a peer older than the Redis that Weft follows, how it wrote numbers and named encodings. Requests that would be
//! answered otherwise are not made at all ([`super::left_out`]).

use super::{Reply, Request};
use crate::grammar::Scope;
use std::collections::HashSet;

/// Seconds that may pass between the same request on two servers.
const JITTER_S: i64 = 3;

/// What may differ from a peer.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The version of the older one of the two.
    pub version: (u32, u32),
    /// Whether it has what were modules before 8.0.
    pub with_modules: bool,
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

    /// The requests that it knows.
    pub fn scope(&self, deterministic: bool) -> Scope {
        Scope { before: self.before(), with_modules: self.with_modules, deterministic }
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
            "SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" | "VRANDMEMBER" | "RANDOMKEY" => {
                Self::Picked
            }
            // Levels are drawn, and each set has a number of its own.
            "VINFO" => Self::Picked,
            "VLINKS" => Self::Ignored,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn same(rules: Rules, line: &str, first: &[u8], second: &[u8]) -> bool {
        let request: Request = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let [first, second] = [first, second].map(|bytes| Reply::parse(bytes).unwrap().unwrap().0);
        rules.same(&request, false, &first, &second)
    }

    #[test]
    fn what_may_differ_is_the_same_and_nothing_else() {
        let new = Rules { version: (8, 2), with_modules: true };
        assert!(!same(new, "GET k", b"$1\r\na\r\n", b"$1\r\nb\r\n"));
        assert!(!same(new, "GET k", b"$-1\r\n", b"*-1\r\n"));
        assert!(!same(new, "GET k", b"-ERR a\r\n", b"-ERR b\r\n"));
        let [ab, ba] = [b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"];
        assert!(!same(new, "LRANGE k 0 -1", ab, ba));
        assert!(!same(new, "HGETALL k", ab, ba));
        assert!(same(new, "SMEMBERS k", ab, ba));
        assert!(same(new, "SPOP k 2", ab, b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n"));
        assert!(!same(new, "SPOP k 2", ab, b"*1\r\n$1\r\nx\r\n"));
        assert!(!same(new, "SPOP k 2", b"-ERR a\r\n", b"-ERR b\r\n"));
    }

    #[test]
    fn times_may_be_a_little_apart() {
        let new = Rules { version: (8, 2), with_modules: true };
        assert!(same(new, "PTTL k", b":9000\r\n", b":8000\r\n"));
        assert!(!same(new, "PTTL k", b":9000\r\n", b":2000\r\n"));
        assert!(!same(new, "TTL k", b":-1\r\n", b":-2\r\n"));
        assert!(!same(new, "TTL k", b":1\r\n", b":-1\r\n"));
    }

    #[test]
    fn digits_count_from_7_2_on() {
        let [short, long] = [b"$3\r\n0.1\r\n".as_slice(), b"$19\r\n0.10000000000000001\r\n"];
        assert!(same(Rules { version: (7, 0), with_modules: true }, "ZSCORE k a", short, long));
        assert!(!same(Rules { version: (7, 2), with_modules: true }, "ZSCORE k a", short, long));
    }
}
