//! Commands over all keys of a database: SCAN, KEYS, RANDOMKEY.
//!
//! A cursor of SCAN is `position × shards + shard`: a shard is gone through from position 0 to its end, then the next one.
//! Positions are the table's, with its guarantee: a key that is there from the start to the end is returned.

use crate::spec::{Plan, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome, ShardCx};
use base::glob;
use keyspace::{Key, Kind};
use resp::{Reply, reader};

pub const COMMANDS: &[Command] = &[
    Command::on_all("KEYS", keys_part, keys_merge)
        .arity(2)
        .flags(READONLY)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .group("generic")
        .complexity("O(N) with N being the number of keys in the database.")
        .summary("Returns all keys whose names match a pattern.")
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .syntax("pattern:pattern"),
    Command::on_all("RANDOMKEY", random_part, random_merge)
        .arity(1)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Returns the name of a key chosen by chance.")
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
    Command::new("SCAN", scan)
        .arity(-2)
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .plan(Plan::Cursor(1))
        .group("generic")
        .since("2.8.0")
        .complexity("O(1) for every call. O(N) for a complete iteration, N being the number of keys.")
        .summary("Goes through the names of all keys, step by step.")
        .history(&[("6.0.0", "Added the `TYPE` subcommand.")])
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .syntax("cursor:integer MATCH@pattern:pattern? COUNT@count:integer? TYPE@type:string?^6.0.0"),
];

/// Keys looked at in one step of SCAN unless COUNT says otherwise.
const COUNT: usize = 10;

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    kind: Filter,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Filter {
    All,
    Only(Kind),
    /// A type that no key has.
    Nothing,
}

impl Filter {
    fn parse(name: &[u8]) -> Self {
        let kind = Kind::ALL.into_iter().find(|kind| name.eq_ignore_ascii_case(kind.name().as_bytes()));
        kind.map_or(Self::Nothing, Self::Only)
    }

    fn admits(self, kind: Kind) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == kind,
            Self::Nothing => false,
        }
    }
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut options = Self { pattern: None, count: COUNT, kind: Filter::All };
        let mut index = 2;
        while index < args.len() {
            let value = args.get(index + 1).ok_or_else(|| Error::SYNTAX)?;
            if args.is(index, "COUNT") {
                let count = args.int(index + 1)?;
                options.count =
                    usize::try_from(count).ok().filter(|&count| count > 0).ok_or_else(|| Error::SYNTAX)?;
            } else if args.is(index, "MATCH") {
                options.pattern = (value != b"*").then_some(value);
            } else if args.is(index, "TYPE") {
                options.kind = Filter::parse(value);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 2;
        }
        Ok(options)
    }
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub fn scan(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let cursor = args.cursor(1)?;
    let options = Options::parse(args)?;
    let (shards, shard) = (u64::from(cx.shard.shards), u64::from(cx.shard.id));
    let now_ms = cx.now_ms();
    let (mut names, mut count, mut expired) = (Vec::new(), 0, Vec::new());
    let next = cx.db().scan(cursor / shards, options.count, |name, value, expire| {
        let wanted = options.pattern.is_none_or(|pattern| glob::matches(pattern, name));
        if !wanted || !options.kind.admits(value.kind()) {
            return;
        }
        if expire.is_some_and(|at_ms| at_ms <= now_ms) {
            return expired.push(name.to_vec());
        }
        count += 1;
        push_bulk(&mut names, name);
    });
    expire(cx, expired);
    let next = match next {
        0 if shard + 1 == shards => 0,
        0 => shard + 1,
        position => position * shards + shard,
    };
    out.array(2);
    out.bulk(base::number::I64Buf::from_u64(next).as_bytes());
    out.array(count);
    out.raw(&names);
    Ok(())
}

/// Appends a name as a bulk string.
fn push_bulk(to: &mut Vec<u8>, name: &[u8]) {
    to.push(b'$');
    base::number::append_u64(to, name.len() as u64);
    to.extend_from_slice(b"\r\n");
    to.extend_from_slice(name);
    to.extend_from_slice(b"\r\n");
}

/// Looking expired keys up removes them.
fn expire(cx: &mut Cx<'_>, names: Vec<Vec<u8>>) {
    for name in names {
        let key = Key::new(&name, &cx.shard.seed);
        cx.find_for_write(key);
    }
}

/// KEYS pattern: the keys of this shard.
fn keys_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (pattern, now_ms) = (&args[1], cx.now_ms());
    let (mut names, mut count) = (Vec::new(), 0);
    for (name, _, expire) in cx.db().iter() {
        let live = expire.is_none_or(|at_ms| at_ms > now_ms);
        if live && (pattern == b"*" || glob::matches(pattern, name)) {
            count += 1;
            push_bulk(&mut names, name);
        }
    }
    out.array(count);
    out.raw(&names);
    Ok(())
}

/// KEYS: one array of all.
fn keys_merge(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let headers: Vec<_> = parts.iter().map(|part| part_header(part)).collect();
    out.array(headers.iter().map(|(count, _)| count).sum());
    parts.iter().zip(headers).for_each(|(part, (_, start))| out.raw(&part[start..]));
    Ok(())
}

/// RANDOMKEY: how many keys this shard has, and the name of one of them unless there is none.
fn random_part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    loop {
        let (db, random) = (&mut cx.shard.dbs[cx.db as usize], &mut cx.shard.random);
        let Some(pos) = db.random(&mut || random.next_u64()) else {
            out.count(0);
            return Ok(());
        };
        if db.expire(pos).is_none_or(|at_ms| at_ms > now_ms) {
            out.count(db.len());
            out.bulk(db.key_at(pos));
            return Ok(());
        }
        let name = db.key_at(pos).to_vec();
        db.remove(pos);
        cx.shard.stats.expired_keys += 1;
        cx.shard.write_gone(cx.db, &name);
        cx.notice(Event::Expired, "expired", &name);
    }
}

/// RANDOMKEY: the key of one shard; each shard as likely as it has keys.
fn random_merge(shard: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let total: usize = parts.iter().map(|part| part_header(part).0).sum();
    let mut left = shard.random.index(total);
    for part in parts {
        let (count, start) = part_header(part);
        if left < count {
            out.raw(&part[start..]);
            return Ok(());
        }
        left -= count;
    }
    out.null();
    Ok(())
}

/// The count that a part begins with, and where the rest begins.
fn part_header(part: &[u8]) -> (usize, usize) {
    let (_, count, next) = reader::header(part, 0).expect("parts begin with a header");
    (count as usize, next)
}
