//! The rows of the commands.

use super::{expire, import, random, read, scan, together, write};
use crate::spec::{KeySpec, Plan, access::*, acl, flag::*};
use crate::{Command, spec::Handler};

const READ: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const LOOKED_AT: &[KeySpec] = &[KeySpec::at(1, RO)];
const UPDATED: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const COUNTED: &[KeySpec] = &[KeySpec::at(1, RW | ACCESS | UPDATE)];
const GETEX: &[KeySpec] =
    &[KeySpec::at(1, RW | ACCESS | UPDATE).notes("RW and UPDATE because it changes the TTL")];

const PER_FIELD: &str = "O(N) where N is the number of specified fields";
const PER_SIZE: &str = "O(N) where N is the size of the hash.";
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];
const ALL_SHARDS: &[&str] = &["request_policy:all_shards"];

const TIME_TAIL: &str = "key:key FIELDS@fields{numfields:integer field:string*}";

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::HASH).group("hash")
}

/// HEXPIRE and its kin.
const fn expiring(name: &'static str, handler: Handler) -> Command {
    row(name, handler).arity(-6).keys(UPDATED).flags(WRITE | FAST).since("7.4.0").complexity(PER_FIELD)
}

/// HTTL and its kin.
const fn timing(name: &'static str, handler: Handler) -> Command {
    row(name, handler)
        .arity(-5)
        .keys(READ)
        .flags(READONLY | FAST)
        .since("7.4.0")
        .complexity(PER_FIELD)
        .syntax(TIME_TAIL)
}

pub const COMMANDS: &[Command] = &[
    row("HDEL", write::hdel)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields to be removed.")
        .summary("Deletes fields of a hash, and the hash when none are left.")
        .history(&[("2.4.0", "Accepts multiple `field` arguments.")])
        .syntax("key:key field:string*"),
    row("HEXISTS", read::hexists)
        .arity(3)
        .element(2)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Says whether a hash has a field.")
        .syntax("key:key field:string"),
    expiring("HEXPIRE", expire::hexpire).summary("Gives fields a time to live in seconds.").syntax(
        "key:key seconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)? FIELDS@fields{numfields:integer field:string*}",
    ),
    expiring("HEXPIREAT", expire::hexpireat).summary("Gives fields an expire time in unix seconds.").syntax(
        "key:key unix-time-seconds:unix-time condition(nx=NX|xx=XX|gt=GT|lt=LT)? \
         FIELDS@fields{numfields:integer field:string*}",
    ),
    timing("HEXPIRETIME", expire::hexpiretime).summary("Returns the expire times of fields in unix seconds."),
    row("HGET", read::hget)
        .arity(3)
        .element(2)
        .keys(READ)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Returns the value of a field.")
        .syntax("key:key field:string"),
    row("HGETALL", read::hgetall)
        .arity(2)
        .keys(READ)
        .flags(READONLY)
        .since("2.0.0")
        .complexity(PER_SIZE)
        .summary("Returns all fields and values of a hash.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
    row("HGETDEL", together::hgetdel)
        .arity(-5)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .since("8.0.0")
        .complexity(PER_FIELD)
        .summary("Returns the values of fields and deletes them.")
        .syntax(TIME_TAIL),
    row("HGETEX", together::hgetex)
        .arity(-5)
        .keys(GETEX)
        .flags(WRITE | FAST)
        .since("8.0.0")
        .complexity(PER_FIELD)
        .summary("Returns the values of fields and sets or clears their expire time.")
        .syntax(
            "key:key expiration(EX@seconds:integer|PX@milliseconds:integer|EXAT@unix-time-seconds:unix-time|\
             PXAT@unix-time-milliseconds:unix-time|persist=PERSIST)? FIELDS@fields{numfields:integer field:string*}",
        ),
    Command::container("HIMPORT", IMPORT)
        .acl(acl::HASH)
        .group("hash")
        .since("8.10.0")
        .complexity("Depends on subcommand.")
        .summary("A container for commands that store many hashes with the same fields."),
    row("HINCRBY", write::hincrby)
        .arity(4)
        .element(2)
        .keys(COUNTED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Adds an integer to the value of a field; 0 if there is no such field.")
        .syntax("key:key field:string increment:integer"),
    row("HINCRBYFLOAT", write::hincrbyfloat)
        .arity(4)
        .element(2)
        .keys(COUNTED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.6.0")
        .complexity("O(1)")
        .summary("Adds a number to the value of a field; 0 if there is no such field.")
        .syntax("key:key field:string increment:double"),
    row("HKEYS", read::hkeys)
        .arity(2)
        .keys(READ)
        .flags(READONLY)
        .since("2.0.0")
        .complexity(PER_SIZE)
        .summary("Returns all fields of a hash.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
    row("HLEN", read::hlen)
        .arity(2)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Returns the number of fields of a hash.")
        .syntax("key:key"),
    row("HMGET", read::hmget)
        .arity(-3)
        .element(2)
        .keys(READ)
        .flags(READONLY | FAST)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields being requested.")
        .summary("Returns the values of several fields.")
        .syntax("key:key field:string*"),
    row("HMSET", write::hmset)
        .arity(-4)
        .element(2)
        .keys(UPDATED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields being set.")
        .summary("Sets the values of several fields.")
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .syntax("key:key data{field:string value:string}*"),
    row("HPERSIST", expire::hpersist)
        .arity(-5)
        .keys(UPDATED)
        .flags(WRITE | FAST)
        .since("7.4.0")
        .complexity(PER_FIELD)
        .summary("Takes the expire time of fields away.")
        .syntax(TIME_TAIL),
    expiring("HPEXPIRE", expire::hpexpire).summary("Gives fields a time to live in milliseconds.").syntax(
        "key:key milliseconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)? \
         FIELDS@fields{numfields:integer field:string*}",
    ),
    expiring("HPEXPIREAT", expire::hpexpireat).summary("Gives fields an expire time in unix milliseconds.").syntax(
        "key:key unix-time-milliseconds:unix-time condition(nx=NX|xx=XX|gt=GT|lt=LT)? \
         FIELDS@fields{numfields:integer field:string*}",
    ),
    timing("HPEXPIRETIME", expire::hpexpiretime)
        .summary("Returns the expire times of fields in unix milliseconds."),
    timing("HPTTL", expire::hpttl)
        .summary("Returns the times to live of fields in milliseconds.")
        .tips(NONDETERMINISTIC),
    row("HRANDFIELD", random::hrandfield)
        .arity(-2)
        .keys(READ)
        .flags(READONLY)
        .since("6.2.0")
        .complexity("O(N) where N is the number of fields returned")
        .summary("Returns random fields of a hash.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key options{count:integer withvalues=WITHVALUES?}?"),
    row("HSCAN", scan::hscan)
        .arity(-3)
        .keys(READ)
        .flags(READONLY)
        .since("2.8.0")
        .complexity(
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
             return back to 0. N is the number of elements inside the collection.",
        )
        .summary("Goes through the fields and values of a hash in steps.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key cursor:integer MATCH@pattern:pattern? COUNT@count:integer? novalues=NOVALUES?"),
    row("HSET", write::hset)
        .arity(-4)
        .element(2)
        .keys(UPDATED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity(
            "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with \
             multiple field/value pairs.",
        )
        .summary("Sets the values of fields, making the hash if there is none.")
        .history(&[("4.0.0", "Accepts multiple `field` and `value` arguments.")])
        .syntax("key:key data{field:string value:string}*"),
    row("HSETEX", together::hsetex)
        .arity(-6)
        .keys(UPDATED)
        .flags(WRITE | DENYOOM | FAST)
        .since("8.0.0")
        .complexity("O(N) where N is the number of fields being set.")
        .summary("Sets the values of fields, and their expire time.")
        .syntax(
            "key:key condition(fnx=FNX|fxx=FXX)? expiration(EX@seconds:integer|PX@milliseconds:integer|\
             EXAT@unix-time-seconds:unix-time|PXAT@unix-time-milliseconds:unix-time|keepttl=KEEPTTL)? \
             FIELDS@fields{numfields:integer data{field:string value:string}*}",
        ),
    row("HSETNX", write::hsetnx)
        .arity(4)
        .element(2)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Sets the value of a field only if the hash does not have it.")
        .syntax("key:key field:string value:string"),
    row("HSTRLEN", read::hstrlen)
        .arity(3)
        .element(2)
        .keys(LOOKED_AT)
        .flags(READONLY | FAST)
        .since("3.2.0")
        .complexity("O(1)")
        .summary("Returns the length of the value of a field.")
        .syntax("key:key field:string"),
    timing("HTTL", expire::httl)
        .summary("Returns the times to live of fields in seconds.")
        .tips(NONDETERMINISTIC),
    row("HVALS", read::hvals)
        .arity(2)
        .keys(READ)
        .flags(READONLY)
        .since("2.0.0")
        .complexity(PER_SIZE)
        .summary("Returns all values of a hash.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
];

const IMPORT: &[Command] = &[
    row("DISCARD", import::discard)
        .arity(3)
        .since("8.10.0")
        .complexity("O(N) where N is the number of session-local fieldsets.")
        .summary("Forgets a fieldset of the session.")
        .tips(ALL_SHARDS)
        .syntax("fieldset-name:string"),
    row("DISCARDALL", import::discard_all)
        .arity(2)
        .since("8.10.0")
        .complexity("O(N) where N is the number of session-local fieldsets.")
        .summary("Forgets all fieldsets of the session.")
        .tips(ALL_SHARDS),
    row("PREPARE", import::prepare)
        .arity(-4)
        .flags(DENYOOM)
        .since("8.10.0")
        .complexity("O(N*log(N)) where N is the number of fields.")
        .summary("Names the fields of hashes to come: a fieldset of the session.")
        .tips(ALL_SHARDS)
        .syntax("fieldset-name:string field:string*"),
    row("SET", import::set)
        .arity(-5)
        .keys(&[KeySpec::at(2, OW | UPDATE)])
        .plan(Plan::WithSession(import::pair, &import::PAIRED))
        .flags(WRITE | DENYOOM)
        .since("8.10.0")
        .complexity("O(N) where N is the number of fields in the fieldset.")
        .summary("Stores a hash: the fields of a fieldset with these values.")
        .syntax("key:key fieldset-name:string value:string*"),
];
