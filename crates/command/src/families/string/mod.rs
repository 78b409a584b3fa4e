//! Strings. Invariant: a string never grows beyond `proto-max-bulk-len`.

mod compare;
mod increx;
mod lcs;
mod number;
mod part;
mod read;
mod write;

#[cfg(test)]
mod tests;

use crate::spec::{Begin, Find, KeySpec, Merge, access::*, acl, flag::*};
use crate::{Args, Command, Cx};

const fn row(name: &'static str, handler: crate::spec::Handler) -> Command {
    Command::new(name, handler).acl(acl::STRING).group("string").complexity("O(1)")
}

pub const COMMANDS: &[Command] = &[
    row("GET", read::get)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .summary("Returns the string value of a key.")
        .syntax("key:key"),
    row("SET", write::set)
        .arity(-3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE | VARIABLE_FLAGS)
            .notes("RW and ACCESS due to the optional `GET` argument")])
        .flags(WRITE | DENYOOM)
        .summary("Sets the string value of a key, whatever its type was; creates the key if it is absent.")
        .history(&[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
            ("8.4.0", "Added 'IFEQ', 'IFNE', 'IFDEQ', 'IFDNE' options."),
        ])
        .syntax(concat!(
            "key:key value:string condition(nx=NX|xx=XX|IFEQ@ifeq-value:string^8.4.0|",
            "IFNE@ifne-value:string^8.4.0|IFDEQ@ifdeq-digest:string^8.4.0|",
            "IFDNE@ifdne-digest:string^8.4.0)?^2.6.12 get=GET?^6.2.0 ",
            "expiration(EX@seconds:integer^2.6.12|PX@milliseconds:integer^2.6.12|",
            "EXAT@unix-time-seconds:unix-time^6.2.0|PXAT@unix-time-milliseconds:unix-time^6.2.0|",
            "keepttl=KEEPTTL^6.0.0)?",
        )),
    row("INCR", number::incr)
        .arity(2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Adds one to the integer value of a key; an absent key counts as 0.")
        .syntax("key:key"),
    row("DECR", number::decr)
        .arity(2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Subtracts one from the integer value of a key; an absent key counts as 0.")
        .syntax("key:key"),
    row("INCRBY", number::incrby)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Adds a number to the integer value of a key; an absent key counts as 0.")
        .syntax("key:key increment:integer"),
    row("DECRBY", number::decrby)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .summary("Subtracts a number from the integer value of a key; an absent key counts as 0.")
        .syntax("key:key decrement:integer"),
    row("INCRBYFLOAT", number::incrbyfloat)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.6.0")
        .summary("Adds a number to the floating point value of a key; an absent key counts as 0.")
        .syntax("key:key increment:double"),
    row("INCREX", increx::increx)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .since("8.8.0")
        .summary("Adds a number to the value of a key within bounds and may set its time to live.")
        .syntax(concat!(
            "key:key increment(BYFLOAT@float:double|BYINT@integer:integer)? saturate=SATURATE? ",
            "LBOUND@lowerbound:string? UBOUND@upperbound:string? ",
            "expiration(EX@seconds:integer|PX@milliseconds:integer|EXAT@unix-time-seconds:unix-time|",
            "PXAT@unix-time-milliseconds:unix-time|persist=PERSIST)? enx=ENX?",
        )),
    row("MGET", read::mget)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .split(Merge::Elements)
        .complexity("O(N) where N is the number of keys to retrieve.")
        .tips(&["request_policy:multi_shard"])
        .summary("Returns the string values of several keys, in their order.")
        .syntax("key:key*"),
    row("MSET", write::mset)
        .arity(-3)
        .keys(&[KeySpec::range(1, -1, 2, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .split(Merge::Ok)
        .since("1.0.1")
        .complexity("O(N) where N is the number of keys to set.")
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .summary("Sets the string values of several keys at once.")
        .syntax("data{key:key value:string}*"),
    row("MSETNX", write::msetnx)
        .arity(-3)
        .keys(&[KeySpec::range(1, -1, 2, OW | INSERT)])
        .flags(WRITE | DENYOOM)
        .since("1.0.1")
        .complexity("O(N) where N is the number of keys to set.")
        .summary("Sets the string values of several keys at once, if none of the keys exists.")
        .syntax("data{key:key value:string}*"),
    row("MSETEX", write::msetex)
        .arity(-4)
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::KeyNum { index: 0, first: 1, step: 2 },
            access: OW | UPDATE,
            notes: "",
            finder: None,
        }])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .since("8.4.0")
        .complexity("O(N) where N is the number of keys to set.")
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .summary("Sets the string values of several keys at once, with one time to live for all.")
        .syntax(concat!(
            "numkeys:integer data{key:key value:string}* condition(nx=NX|xx=XX)? ",
            "expiration(EX@seconds:integer|PX@milliseconds:integer|EXAT@unix-time-seconds:unix-time|",
            "PXAT@unix-time-milliseconds:unix-time|keepttl=KEEPTTL)?",
        )),
    row("SETNX", write::setnx)
        .arity(3)
        .keys(&[KeySpec::at(1, OW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .summary("Sets the string value of a key, if it is absent.")
        .syntax("key:key value:string"),
    row("SETEX", write::setex)
        .arity(4)
        .keys(&[KeySpec::at(1, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.0.0")
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .summary("Sets the string value of a key and its time to live in seconds.")
        .syntax("key:key seconds:integer value:string"),
    row("PSETEX", write::psetex)
        .arity(4)
        .keys(&[KeySpec::at(1, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.6.0")
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .summary("Sets the string value of a key and its time to live in milliseconds.")
        .syntax("key:key milliseconds:integer value:string"),
    row("GETSET", write::getset)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .summary("Sets the string value of a key and returns the one before.")
        .syntax("key:key value:string"),
    row("GETDEL", read::getdel)
        .arity(2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .since("6.2.0")
        .summary("Returns the string value of a key and deletes the key.")
        .syntax("key:key"),
    row("GETEX", read::getex)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE).notes("RW and UPDATE because it changes the TTL")])
        .flags(WRITE | FAST)
        .since("6.2.0")
        .summary("Returns the string value of a key and sets or removes its time to live.")
        .syntax(concat!(
            "key:key expiration(EX@seconds:integer|PX@milliseconds:integer|",
            "EXAT@unix-time-seconds:unix-time|PXAT@unix-time-milliseconds:unix-time|persist=PERSIST)?",
        )),
    row("GETRANGE", read::getrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.4.0")
        .complexity("O(N) where N is the length of the returned string.")
        .summary("Returns a part of the string stored at a key.")
        .syntax("key:key start:integer end:integer"),
    row("SUBSTR", read::getrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the length of the returned string.")
        .deprecated("2.0.0", "`GETRANGE`")
        .summary("Returns a part of the string stored at a key.")
        .syntax("key:key start:integer end:integer"),
    row("STRLEN", read::strlen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .since("2.2.0")
        .summary("Returns the length of the string stored at a key.")
        .syntax("key:key"),
    row("APPEND", part::append)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(1) amortized for short values: memory is asked for in growing steps.")
        .summary("Appends a string to the value of a key; creates the key if it is absent.")
        .syntax("key:key value:string"),
    row("SETRANGE", part::setrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.2.0")
        .complexity("O(M) with M being the length of the value argument, if the string need not grow.")
        .summary("Overwrites a part of the string stored at a key; fills up with zeros before it.")
        .syntax("key:key offset:integer value:string"),
    row("LCS", lcs::lcs)
        .arity(-3)
        .keys(&[KeySpec::range(1, 1, 1, RO | ACCESS)])
        .flags(READONLY)
        .since("7.0.0")
        .complexity("O(N*M) where N and M are the lengths of s1 and s2, respectively")
        .summary("Finds the longest common subsequence of two strings.")
        .syntax(concat!(
            "key1:key key2:key len=LEN? idx=IDX? MINMATCHLEN@min-match-len:integer? ",
            "withmatchlen=WITHMATCHLEN?",
        )),
    row("DIGEST", compare::digest)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("8.4.0")
        .complexity("O(N) where N is the length of the string value.")
        .summary("Returns the hash digest of the string stored at a key, in hexadecimal digits.")
        .syntax("key:key"),
    row("DELEX", compare::delex)
        .arity(-2)
        .keys(&[KeySpec::at(1, RM | DELETE)])
        .flags(WRITE | FAST)
        .since("8.4.0")
        .complexity("O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.")
        .summary("Deletes a key if its string value, or the digest of it, is or is not the given one.")
        .syntax(concat!(
            "key:key condition(IFEQ@ifeq-value:string|IFNE@ifne-value:string|",
            "IFDEQ@ifdeq-digest:string|IFDNE@ifdne-digest:string)?",
        )),
];

/// Asks for the cache lines of the keys, every `step`-th argument from `first` on, before the first is needed.
fn prefetch(cx: &mut Cx<'_>, args: Args<'_>, first: usize, step: usize) {
    const KEYS_MAX: usize = 64;
    let mut hashes = [0; KEYS_MAX];
    let mut count = 0;
    for index in (first..args.len()).step_by(step).take(KEYS_MAX) {
        hashes[count] = args.key(index).hash;
        cx.db().prefetch_bucket(hashes[count]);
        count += 1;
    }
    hashes[..count].iter().for_each(|&hash| cx.db().prefetch_record(hash));
}
