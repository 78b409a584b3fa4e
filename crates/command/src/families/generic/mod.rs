//! Commands on keys of any type.
//!
//! `keys`: existence, names and places; `expire`: times to live; `scan`: going through all keys; `object`: what is known of
//! a value; `sort`: SORT and its parts.

mod expire;
mod keys;
mod object;
mod scan;
mod sort;
mod sort_keys;
#[cfg(test)]
mod tests;

use crate::spec::{KeySpec, Merge, Plan, access::*, acl, flag::*};
use crate::{Command, Event};

const RO_KEY: &[KeySpec] = &[KeySpec::at(1, RO)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const UPDATED_KEY: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const OBJECT_KEY: &[KeySpec] = &[KeySpec::at(2, RO)];

const MANY_TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];

const EXPIRE_HISTORY: &[(&str, &str)] = &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];
const TTL_HISTORY: &[(&str, &str)] = &[("2.8.0", "Added the -2 reply.")];

const SORT_COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the \
    number of returned elements. When the elements are not sorted, complexity is O(N).";
const BY_GET_NOTES: &str = "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from \
    the content of the key we sort";
const STORE_NOTES: &str = "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear \
    anywhere in the argument array";

pub const COMMANDS: &[Command] = &[
    Command::new("COPY", keys::copy)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::at(2, OW | UPDATE)])
        .flags(WRITE | DENYOOM | CROSS_DB)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("6.2.0")
        .complexity(
            "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        )
        .summary("Copies the value of a key to another key.")
        .syntax("source:key destination:key#1 DB@destination-db:integer? replace=REPLACE?"),
    Command::new("DEL", keys::del)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RM | DELETE)])
        .flags(WRITE)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .complexity("O(N) where N is the number of keys, and for each collection the number of its elements.")
        .summary("Deletes keys.")
        .tips(MANY_TIPS)
        .syntax("key:key*"),
    Command::new("EXISTS", keys::exists)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO)])
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .complexity("O(N) where N is the number of keys to check.")
        .summary("Counts how many of the keys exist.")
        .history(&[("3.0.3", "Accepts multiple `key` arguments.")])
        .tips(MANY_TIPS)
        .syntax("key:key*"),
    Command::new("EXPIRE", expire::expire)
        .arity(-3)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Sets the time to live of a key in seconds.")
        .history(EXPIRE_HISTORY)
        .syntax("key:key seconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)?^7.0.0"),
    Command::new("EXPIREAT", expire::expireat)
        .arity(-3)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("1.2.0")
        .complexity("O(1)")
        .summary("Sets when a key expires, as unix time in seconds.")
        .history(EXPIRE_HISTORY)
        .syntax("key:key unix-time-seconds:unix-time condition(nx=NX|xx=XX|gt=GT|lt=LT)?^7.0.0"),
    Command::new("EXPIRETIME", expire::expiretime)
        .arity(2)
        .keys(READ_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("7.0.0")
        .complexity("O(1)")
        .summary("Tells when a key expires, as unix time in seconds.")
        .syntax("key:key"),
    Command::on_all("KEYS", scan::keys_part, scan::keys_merge)
        .arity(2)
        .flags(READONLY)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .group("generic")
        .complexity("O(N) with N being the number of keys in the database.")
        .summary("Returns all keys whose names match a pattern.")
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .syntax("pattern:pattern"),
    Command::new("MOVE", keys::move_key)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | FAST | CROSS_DB)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Moves a key to another database.")
        .syntax("key:key db:integer"),
    Command::container("OBJECT", OBJECT_COMMANDS)
        .group("generic")
        .since("2.2.3")
        .complexity("Depends on subcommand.")
        .summary("A container for commands that look at how a value is kept."),
    Command::new("PERSIST", expire::persist)
        .arity(2)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Takes the time to live of a key away.")
        .syntax("key:key"),
    Command::new("PEXPIRE", expire::pexpire)
        .arity(-3)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.6.0")
        .complexity("O(1)")
        .summary("Sets the time to live of a key in milliseconds.")
        .history(EXPIRE_HISTORY)
        .syntax("key:key milliseconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)?^7.0.0"),
    Command::new("PEXPIREAT", expire::pexpireat)
        .arity(-3)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.6.0")
        .complexity("O(1)")
        .summary("Sets when a key expires, as unix time in milliseconds.")
        .history(EXPIRE_HISTORY)
        .syntax("key:key unix-time-milliseconds:unix-time condition(nx=NX|xx=XX|gt=GT|lt=LT)?^7.0.0"),
    Command::new("PEXPIRETIME", expire::pexpiretime)
        .arity(2)
        .keys(READ_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("7.0.0")
        .complexity("O(1)")
        .summary("Tells when a key expires, as unix time in milliseconds.")
        .syntax("key:key"),
    Command::new("PTTL", expire::pttl)
        .arity(2)
        .keys(READ_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.6.0")
        .complexity("O(1)")
        .summary("Returns the time to live of a key in milliseconds.")
        .history(TTL_HISTORY)
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::on_all("RANDOMKEY", scan::random_part, scan::random_merge)
        .arity(1)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Returns the name of a key chosen by chance.")
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
    Command::new("RENAME", keys::rename)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, OW | UPDATE)])
        .flags(WRITE)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Renames a key, over another if there is one.")
        .syntax("key:key newkey:key#1"),
    Command::new("RENAMENX", keys::renamenx)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, OW | INSERT)])
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Renames a key unless there is one of the new name.")
        .history(&[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the same.",
        )])
        .syntax("key:key newkey:key#1"),
    Command::new("SCAN", scan::scan)
        .arity(-2)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .plan(Plan::Cursor)
        .group("generic")
        .since("2.8.0")
        .complexity("O(1) for every call. O(N) for a complete iteration, N being the number of keys.")
        .summary("Goes through the names of all keys, step by step.")
        .history(&[("6.0.0", "Added the `TYPE` subcommand.")])
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .syntax("cursor:integer MATCH@pattern:pattern? COUNT@count:integer? TYPE@type:string?^6.0.0"),
    Command::new("SORT", sort::sort)
        .arity(-2)
        .keys(&[
            KeySpec::at(1, RO | ACCESS),
            KeySpec::unknown(RO | ACCESS).notes(BY_GET_NOTES),
            KeySpec::unknown(OW | UPDATE).notes(STORE_NOTES).found_by(sort::destination),
        ])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::SET | acl::SORTEDSET | acl::LIST | acl::DANGEROUS)
        .group("generic")
        .complexity(SORT_COMPLEXITY)
        .summary("Sorts the elements of a list, set or sorted set; may store the result.")
        .syntax(
            "key:key BY@by-pattern/pattern:pattern?#1 LIMIT@limit{offset:integer count:integer}? \
             GET@get-pattern/pattern:pattern?**#1 order(asc=ASC|desc=DESC)? sorting=ALPHA? STORE@destination:key?#2",
        ),
    Command::new("SORT_RO", sort::sort_ro)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::unknown(RO | ACCESS).notes(BY_GET_NOTES)])
        .flags(READONLY | MOVABLEKEYS)
        .acl(acl::SET | acl::SORTEDSET | acl::LIST | acl::DANGEROUS)
        .group("generic")
        .since("7.0.0")
        .complexity(SORT_COMPLEXITY)
        .summary("Returns the sorted elements of a list, set or sorted set.")
        .syntax(
            "key:key BY@by-pattern/pattern:pattern?#1 LIMIT@limit{offset:integer count:integer}? \
             GET@get-pattern/pattern:pattern?**#1 order(asc=ASC|desc=DESC)? sorting=ALPHA?",
        ),
    Command::new("TOUCH", keys::touch)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO)])
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .since("3.2.1")
        .complexity("O(N) where N is the number of keys that will be touched.")
        .summary("Marks keys as used now and counts those that exist.")
        .tips(MANY_TIPS)
        .syntax("key:key*"),
    Command::new("TTL", expire::ttl)
        .arity(2)
        .keys(READ_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Returns the time to live of a key in seconds.")
        .history(TTL_HISTORY)
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("TYPE", keys::type_name)
        .arity(2)
        .keys(RO_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Names the type of the value under a key.")
        .syntax("key:key"),
    Command::new("UNLINK", keys::unlink)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RM | DELETE)])
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .split(Merge::Sum)
        .group("generic")
        .since("4.0.0")
        .complexity("O(1) for each key, plus the work of giving back its memory.")
        .summary("Deletes keys; as DEL.")
        .tips(MANY_TIPS)
        .syntax("key:key*"),
];

const OBJECT_COMMANDS: &[Command] = &[
    Command::new("ENCODING", object::encoding)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.3")
        .complexity("O(1)")
        .summary("Names the form in which a value is kept.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("FREQ", object::freq)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("4.0.0")
        .complexity("O(1)")
        .summary("Returns how often a key is used, on a logarithmic scale.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("HELP", object::help)
        .arity(2)
        .flags(LOADING | STALE)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Lists the subcommands."),
    Command::new("IDLETIME", object::idletime)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.3")
        .complexity("O(1)")
        .summary("Returns the seconds since a key was last used.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
    Command::new("REFCOUNT", object::refcount)
        .arity(3)
        .keys(OBJECT_KEY)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.3")
        .complexity("O(1)")
        .summary("Returns how many references there are to a value.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key"),
];

/// The class of nearly all events here.
const GENERIC: Event = Event::Generic;
