//! DEBUG: what developers and Redis's own tests ask of a server. Clients see one command; its subcommands are rows so that
//! each runs where it belongs.

use super::config::rewrite_all;
use super::server;
use crate::digest::{self, Digest};
use crate::parts::Part;
use crate::spec::{KeySpec, access::RO, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use base::number::{parse_f64, parse_i64};
use keyspace::{Key, ValueRef};
use resp::Reply;
use std::collections::BTreeMap;

pub const COMMANDS: &[Command] = &[server(Command::new("DEBUG", unknown).plan(crate::Plan::Container))
    .with_subcommands(SUBCOMMANDS)
    .arity(-2)
    .flags(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED | ONE_NAME)
    .complexity("Depends on subcommand.")
    .summary("Looks into the server, for its developers.")];

const KEY: &[KeySpec] = &[KeySpec::at(2, RO)];

const fn row(row: Command) -> Command {
    row.arity(-2).flags(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED).group("server")
}

/// One that takes several steps, which the shards have (`reload`).
const fn alone(row: Command) -> Command {
    row.arity(-2).flags(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED | NO_MULTI | ALONE).group("server")
}

pub const SUBCOMMANDS: &[Command] = &[
    row(Command::new("HELP", help)),
    row(Command::on_all("SLEEP", sleep, ok)),
    row(Command::on_all("SET-ACTIVE-EXPIRE", set_active_expire, ok)),
    row(Command::on_all("POPULATE", populate, ok)),
    row(Command::on_all("HTSTATS", htstats_part, htstats)).prepare(prepare_htstats),
    row(Command::new("OBJECT", object)).keys(KEY),
    row(Command::new("LISTPACK", listpack)).keys(KEY),
    row(Command::new("QUICKLIST", quicklist)).keys(KEY),
    row(Command::new("HTSTATS-KEY", htstats_key)).keys(KEY),
    row(Command::new("PROTOCOL", protocol)),
    row(Command::new("STRINGMATCH-LEN", stringmatch_len)),
    row(Command::new("ERROR", error)),
    row(Command::new("LOG", log)),
    row(Command::on_all("SET-SKIP-CHECKSUM-VALIDATION", set_skip_checksums, ok)),
    row(Command::on_all("PAUSE-CRON", pause_cron, ok)),
    row(Command::new("QUICKLIST-PACKED-THRESHOLD", packed_threshold)),
    row(Command::on_all("SET-DISABLE-DENY-SCRIPTS", set_scripts_may_debug, ok)),
    row(Command::new("DICT-RESIZING", without_effect)),
    row(Command::new("REPLYBUFFER", reply_buffer)),
    row(Command::new("CHANGE-REPL-ID", unsupported)),
    row(Command::new("REPLICATE", unsupported)),
    row(Command::new("LEAK", unsupported)),
    row(Command::new("SDSLEN", unsupported)),
    row(Command::new("CONFIG-REWRITE-FORCE-ALL", rewrite_all)),
    alone(Command::on_all("RELOAD", in_script, ok)),
    alone(Command::on_all("LOADAOF", in_script, ok)),
    row(Command::on_all("DIGEST", digest_part, digest)),
    row(Command::new("DIGEST-VALUE", digest_value)).keys(&[KeySpec::range(2, -1, 1, RO)]),
];

/// Another subcommand, or one with a wrong number of arguments.
fn unknown(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    Err(Error::subcommand_syntax("DEBUG", args.get(1).unwrap_or_default()))
}

fn check_len(args: Args<'_>, lens: std::ops::RangeInclusive<usize>) -> Outcome {
    if lens.contains(&args.len()) {
        Ok(())
    } else {
        Err(Error::subcommand_syntax("DEBUG", args.get(1).unwrap_or_default()))
    }
}

fn ok(_: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
}

/// DEBUG SLEEP seconds: all shards stand still.
fn sleep(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    const SECONDS_MAX: f64 = 86_400.0;
    check_len(args, 3..=3)?;
    let seconds = parse_f64(&args[2]).unwrap_or(0.0).clamp(0.0, SECONDS_MAX);
    (cx.shard.platform.sleep_us)((seconds * 1e6) as u64);
    out.ok();
    Ok(())
}

/// DEBUG SET-ACTIVE-EXPIRE 0 | 1
fn set_active_expire(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    cx.shard.active_expire = parse_i64(&args[2]).unwrap_or(0) != 0;
    out.ok();
    Ok(())
}

/// DEBUG SET-SKIP-CHECKSUM-VALIDATION 0 | 1: whether RESTORE passes over check sums.
fn set_skip_checksums(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    cx.shard.skip_checksums = parse_i64(&args[2]).unwrap_or(0) != 0;
    out.ok();
    Ok(())
}

/// DEBUG SET-DISABLE-DENY-SCRIPTS 0 | 1: whether scripts may call DEBUG; of the commands that are not for scripts no other.
fn set_scripts_may_debug(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    cx.shard.scripts_may_debug = parse_i64(&args[2]).unwrap_or(0) != 0;
    out.ok();
    Ok(())
}

/// DEBUG PAUSE-CRON 0 | 1: whether shards leave keys alone that nobody asks for.
fn pause_cron(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    cx.shard.cron_paused = parse_i64(&args[2]).unwrap_or(0) != 0;
    out.ok();
    Ok(())
}

/// DEBUG POPULATE count [prefix] [size]: each shard makes its own keys.
fn populate(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=5)?;
    let out_of_range = || Error::err("value is out of range, must be positive");
    let positive = |at: usize| args.int(at).ok().and_then(|n| u64::try_from(n).ok()).ok_or_else(out_of_range);
    let count = positive(2)?;
    let prefix = args.get(3).unwrap_or(b"key");
    let size = if args.len() == 5 { Some(positive(4)? as usize) } else { None };
    if size.is_some_and(|size| size > cx.shard.limits.string_bytes_max) {
        return Err(Error::STRING_TOO_LONG);
    }
    let (seed, age) = (cx.shard.seed.clone(), cx.shard.clock_age());
    for number in 0..count {
        let name = [prefix, format!(":{number}").as_bytes()].concat();
        if !cx.shard.has_key(cx.db, &name) {
            continue;
        }
        let key = Key::new(&name, &seed);
        if cx.find_for_write(key).is_none() {
            let mut value = format!("value:{number}").into_bytes();
            value.resize(size.unwrap_or(value.len()), 0);
            cx.db().put_str(key, None, &value, None, age);
            cx.event(crate::Event::String, "set", &name);
        }
    }
    out.ok();
    Ok(())
}

/// DEBUG HTSTATS dbid [full]
fn prepare_htstats(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    check_len(args, 3..=4)?;
    if cx.shard.dbs.number(args.int(2)?).is_none() {
        return Err(Error::err("Out of range database"));
    }
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

fn htstats_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let db = &cx.shard.dbs[args.int(2)? as usize];
    [db.len(), db.segments(), db.table_bytes(), db.expiring()].iter().for_each(|n| out.count(*n));
    Ok(())
}

fn htstats(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let (mut text, mut expires) = ("[Dictionary HT]\n".to_owned(), 0);
    for (shard, part) in parts.iter().enumerate() {
        let mut part = Part::new(part);
        let (len, segments, bytes) = (part.int(), part.int(), part.int());
        expires += part.int();
        text.push_str(&format!(
            "Shard {shard} stats:\n number of elements: {len}\n segments: {segments}\n table bytes: {bytes}\n"
        ));
    }
    text.push_str(&format!("[Expires HT]\n number of elements: {expires} (kept with their keys)\n"));
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// The value of argument 2, without touching its age.
fn value<'a>(cx: &'a mut Cx<'_>, args: Args<'_>) -> Result<ValueRef<'a>, Error> {
    let pos = cx.find_for_write(args.key(2)).ok_or_else(|| Error::NO_SUCH_KEY)?;
    Ok(cx.db().value(pos))
}

/// DEBUG OBJECT key. The address is none, and the length that of the entry in memory.
fn object(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    let pos = cx.find_for_write(args.key(2)).ok_or_else(|| Error::NO_SUCH_KEY)?;
    let now = cx.shard.clock_age();
    let (age, bytes) = (cx.db().age(pos), cx.db().entry_bytes(pos));
    let encoding = cx.db().value(pos).encoding();
    out.status(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{bytes} lru:{age} lru_seconds_idle:{}",
        now.saturating_sub(age)
    ));
    Ok(())
}

/// DEBUG LISTPACK key
fn listpack(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    if !value(cx, args)?.encoding().starts_with("listpack") {
        return Err(Error::err("Not a listpack encoded object."));
    }
    out.status("Listpack structure printed on stdout");
    Ok(())
}

/// DEBUG QUICKLIST key [full]
fn quicklist(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=4)?;
    if value(cx, args)?.encoding() != "quicklist" {
        return Err(Error::err("Not a quicklist encoded object."));
    }
    out.status("Quicklist structure printed on stdout");
    Ok(())
}

/// DEBUG HTSTATS-KEY key [full]
fn htstats_key(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=4)?;
    let value = value(cx, args)?;
    if !matches!(value.encoding(), "hashtable" | "skiplist") {
        return Err(Error::err(
            "The value stored at the specified key is not represented using an hash table",
        ));
    }
    let len = match value {
        ValueRef::Set(set) => set.len(),
        ValueRef::Hash(hash) => hash.len(),
        ValueRef::ZSet(zset) => zset.len(),
        ValueRef::Str { .. }
        | ValueRef::List(_)
        | ValueRef::Stream(_)
        | ValueRef::Array(_)
        | ValueRef::Json(_)
        | ValueRef::VectorSet(_)
        | ValueRef::Suggestions(_) => 0,
    };
    out.verbatim(
        b"txt",
        format!("Hash table 0 stats (main hash table):\n number of elements: {len}\n").as_bytes(),
    );
    Ok(())
}

/// DEBUG PROTOCOL type: a reply of that type.
fn protocol(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    let numbers = |out: &mut Reply| (0..3).for_each(|n| out.int(n));
    match args[2].to_ascii_lowercase().as_slice() {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.int(12345),
        b"double" => out.double_text(b"3.141"),
        b"bignum" => out.big_number(b"1234567999999999999999999999999999999"),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            numbers(out);
        }
        b"set" => {
            out.set(3);
            numbers(out);
        }
        b"map" => {
            out.map(3);
            for n in 0..3 {
                out.int(n);
                out.boolean(n == 1);
            }
        }
        b"attrib" => {
            if out.resp3 {
                out.attribute(1);
                out.bulk(b"key-popularity");
                out.array(2);
                out.bulk(b"key:123");
                out.int(90);
            }
            out.bulk(b"Some real reply following the attribute");
        }
        b"push" if !out.resp3 => return Err(Error::err("RESP2 is not supported by this command")),
        b"push" => {
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.int(42);
            out.bulk(b"Some real reply following the push reply");
        }
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"verbatim" => out.verbatim(b"txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(Error::err(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// DEBUG STRINGMATCH-LEN length pattern: matches a text of so many `a`.
fn stringmatch_len(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    const LEN_MAX: usize = 1 << 20;
    check_len(args, 4..=4)?;
    let len = usize::try_from(args.int(2)?).unwrap_or(0).min(LEN_MAX);
    out.int(i64::from(base::glob::matches(&args[3], &vec![b'a'; len])));
    Ok(())
}

/// DEBUG ERROR text
fn error(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    Err(Error::Reply(args[2].to_vec().into()))
}

/// DEBUG LOG message: a line of the log, as a warning.
fn log(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    const WARNING: u8 = 3;
    check_len(args, 3..=3)?;
    let line = [&b"DEBUG LOG: "[..], &args[2]].concat();
    (cx.shard.platform.log)(WARNING, &line);
    out.ok();
    Ok(())
}

/// DEBUG QUICKLIST-PACKED-THRESHOLD size: from what size on an element gets a node of its own, which goes by the size of
/// nodes here. No reply depends on it.
fn packed_threshold(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    /// Redis: what a node of one element can hold.
    const BYTES_MAX: u64 = (1 << 32) - (1 << 20);
    check_len(args, 3..=3)?;
    if config::memory(&args[2]).is_none_or(|bytes| bytes > BYTES_MAX) {
        return Err(Error::err("argument must be a memory value bigger than 1 and smaller than 4gb"));
    }
    out.ok();
    Ok(())
}

/// DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER | RESET | ms, RESIZING 0 | 1: replies have no buffer that shrinks by time.
fn reply_buffer(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 4..=4)?;
    if args.is(2, "PEAK-RESET-TIME") {
        if !args.is(3, "NEVER") && !args.is(3, "RESET") {
            args.int(3)?;
        }
    } else if !args.is(2, "RESIZING") {
        return Err(Error::subcommand_syntax("DEBUG", &args[1]));
    }
    out.ok();
    Ok(())
}

/// DEBUG DICT-RESIZING 0 | 1: tables grow by segments, never as a whole.
fn without_effect(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 3..=3)?;
    out.ok();
    Ok(())
}

/// DEBUG DIGEST: of each database that has keys the number and the sum of this shard's.
fn digest_part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_len(args, 2..=2)?;
    for (number, db) in cx.shard.dbs.numbered().filter(|(_, db)| !db.is_empty()) {
        let mut sum = Digest::default();
        db.iter().for_each(|(key, value, expire)| sum.combine(digest::of_key(key, value, expire.is_some())));
        out.count(usize::from(number));
        out.bulk(&sum.0);
    }
    Ok(())
}

fn digest(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut sums = BTreeMap::<u32, Digest>::new();
    for part in parts {
        let mut part = Part::new(part);
        while !part.is_at_end() {
            let number = u32::try_from(part.int()).expect("the number of a database");
            let sum = part.bulk().try_into().expect("a digest");
            sums.entry(number).or_default().combine(Digest(sum));
        }
    }
    out.status(&digest::of_databases(sums.into_iter()).hex());
    Ok(())
}

/// DEBUG DIGEST-VALUE key…
fn digest_value(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(args.len() - 2);
    for index in 2..args.len() {
        let digest = cx.find_for_write(args.key(index)).map(|pos| {
            let db = cx.db();
            digest::of_value(db.value(pos), db.expire(pos).is_some())
        });
        out.status(&digest.unwrap_or_default().hex());
    }
    Ok(())
}

/// DEBUG RELOAD, DEBUG LOADAOF: whoever gets here is in the middle of something.
fn in_script(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    let name = args[1].to_ascii_uppercase();
    Err(Error::naming("DEBUG ", &name, " is not allowed from scripts"))
}

fn unsupported(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    let name = args[1].to_ascii_uppercase();
    Err(Error::naming("DEBUG ", &name, " is not supported: it is not part of this version"))
}

/// DEBUG HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("CONFIG-REWRITE-FORCE-ALL", "Write all of the configuration to its file."),
        ("DICT-RESIZING <0|1>", "Accepted: tables grow by segments, whatever it says."),
        ("DIGEST", "Return a digest of all data, as Redis 7.0 computes it."),
        ("DIGEST-VALUE <key> [<key> ...]", "Return digests of values."),
        ("ERROR <string>", "Return this error."),
        ("HTSTATS <dbid> [full]", "Describe the table of a database on every shard."),
        ("HTSTATS-KEY <key> [full]", "Describe the table of a value."),
        ("LISTPACK <key>", "Tell whether a value is a listpack."),
        ("LOADAOF", "Write the append-only files out and load them in place of the data."),
        ("LOG <message>", "Write a message into the log."),
        ("OBJECT <key>", "Describe a value."),
        ("PAUSE-CRON <0|1>", "Stop or start expiry and eviction in the background."),
        ("POPULATE <count> [<prefix>] [<size>]", "Make <count> string keys <prefix>:<number>."),
        ("PROTOCOL <type>", "Return a reply of this type."),
        ("QUICKLIST <key> [<0|1>]", "Tell whether a value is a quicklist."),
        ("QUICKLIST-PACKED-THRESHOLD <size>", "Accepted: large elements have nodes of their own."),
        ("RELOAD [MERGE] [NOFLUSH] [NOSAVE]", "Save the data and load it again."),
        ("REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>", "Accepted: reply buffers follow the replies."),
        ("SET-ACTIVE-EXPIRE <0|1>", "Stop or start removing expired keys that nobody asks for."),
        ("SET-DISABLE-DENY-SCRIPTS <0|1>", "Whether scripts may call DEBUG."),
        ("SET-SKIP-CHECKSUM-VALIDATION <0|1>", "Whether RESTORE passes over check sums."),
        ("SLEEP <seconds>", "Stop all shards for so long."),
        ("STRINGMATCH-LEN <length> <pattern>", "Match a pattern with a text of so many letters."),
    ];
    help_form::reply(out, "DEBUG", &lines);
    Ok(())
}
