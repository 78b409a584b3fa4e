//! DUMP and RESTORE: a value of any type as a string of bytes, and back. The format is the `rdb` crate's business.

use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use rdb::dump::Refused;
use rdb::encode::Options;
use resp::Reply;
use std::sync::Arc;

const COMPLEXITY: &str = "O(1) to find the key and O(N*M) to serialize it, where N is the number of its elements and M \
    their average size.";
const RESTORE_COMPLEXITY: &str = "O(1) to create the key and O(N*M) to rebuild the value, where N is the number of its \
    elements and M their average size. For sorted sets O(N*M*log(N)).";

pub const COMMANDS: &[Command] = &[
    Command::new("DUMP", dump)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.6.0")
        .summary("Returns the value of a key in serialized form.")
        .complexity(COMPLEXITY)
        .tips(&["nondeterministic_output"])
        .syntax("key:key"),
    restore_row("RESTORE", WRITE | DENYOOM)
        .group("generic")
        .since("2.6.0")
        .summary("Creates a key from a value in serialized form."),
    restore_row("RESTORE-ASKING", WRITE | DENYOOM | ASKING | SYSTEM)
        .group("server")
        .since("3.0.0")
        .summary("As RESTORE, for keys that are moved within a cluster."),
];

const RESTORE_KEYS: &[KeySpec] = &[KeySpec::at(1, OW | UPDATE)];

const fn restore_row(name: &'static str, flags: u64) -> Command {
    Command::new(name, restore)
        .arity(-4)
        .keys(RESTORE_KEYS)
        .flags(flags)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .complexity(RESTORE_COMPLEXITY)
        .history(&[
            ("3.0.0", "Added the `REPLACE` modifier."),
            ("5.0.0", "Added the `ABSTTL` modifier."),
            ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
        ])
        .syntax(
            "key:key ttl:integer serialized-value:string replace=REPLACE?^3.0.0 absttl=ABSTTL?^5.0.0 \
             IDLETIME@seconds:integer?^5.0.0 FREQ@frequency:integer?^5.0.0",
        )
}

/// From this length on a payload is sent from where it lies.
const SHARE_BYTES_MIN: usize = 16 * 1024;

/// DUMP key
fn dump(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let config = &cx.shard.config;
    let options = Options { compress: config.rdbcompression, version: config.rdb_version };
    let Some(value) = cx.value(args.key(1)) else {
        out.null();
        return Ok(());
    };
    let payload = rdb::dump::payload(value, &options);
    if payload.len() < SHARE_BYTES_MIN {
        out.bulk(&payload);
    } else {
        out.bulk_shared(Arc::new(payload));
    }
    Ok(())
}

#[derive(Default)]
struct RestoreOptions {
    replace: bool,
    absolute_ttl: bool,
    idle_s: Option<i64>,
    frequency: Option<i64>,
}

impl RestoreOptions {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut it = Self::default();
        let mut index = 4;
        while index < args.len() {
            let has_more = index + 1 < args.len();
            if args.is(index, "REPLACE") {
                it.replace = true;
            } else if args.is(index, "ABSTTL") {
                it.absolute_ttl = true;
            } else if args.is(index, "IDLETIME") && has_more && it.frequency.is_none() {
                index += 1;
                it.idle_s = Some(args.int(index)?);
                if it.idle_s < Some(0) {
                    return Err(Error::err("Invalid IDLETIME value, must be >= 0"));
                }
            } else if args.is(index, "FREQ") && has_more && it.idle_s.is_none() {
                index += 1;
                it.frequency = Some(args.int(index)?);
                if !it.frequency.is_some_and(|frequency| (0..=255).contains(&frequency)) {
                    return Err(Error::err("Invalid FREQ value, must be >= 0 and <= 255"));
                }
            } else {
                return Err(Error::SYNTAX);
            }
            index += 1;
        }
        Ok(it)
    }
}

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
fn restore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let options = RestoreOptions::parse(args)?;
    let key = args.key(1);
    let pos = cx.find_for_write(key);
    if pos.is_some() && !options.replace {
        return Err(Error::BUSY_KEY);
    }
    let ttl_ms = u64::try_from(args.int(2)?).map_err(|_| Error::err("Invalid TTL value, must be >= 0"))?;
    cx.shard.stats.payloads_checked += 1;
    let restored = if cx.shard.skip_checksums { rdb::dump::restore_unsummed } else { rdb::dump::restore };
    let value = restored(&args[3], &cx.shard.shapes()).map_err(|refused| match refused {
        Refused::Trailer => Error::BAD_DUMP,
        Refused::Value(_) => Error::BAD_DATA_FORMAT,
    })?;
    let now_ms = cx.now_ms();
    let expire = match ttl_ms {
        0 => None,
        at_ms if options.absolute_ttl => Some(at_ms),
        ttl_ms => Some((ttl_ms + now_ms).min(i64::MAX as u64)),
    };
    out.ok();
    if expire.is_some_and(|at_ms| at_ms <= now_ms) {
        if let Some(pos) = pos {
            cx.db().remove(pos);
            cx.event(Event::Generic, "del", key.bytes);
            if cx.logs() {
                cx.log_deleted(key.bytes);
            }
        }
        return Ok(());
    }
    let frequency = options.frequency.map(|frequency| frequency as u8);
    let age = cx.shard.age_told(options.idle_s.map(i64::unsigned_abs), frequency);
    let old = cx.kind_in(cx.db, key);
    // To Redis the old one is deleted before.
    let pos = cx.db().silently(|db| db.put(key, pos, value, expire, age));
    cx.notice(Event::New, "new", key.bytes);
    cx.db().set_age(pos, age);
    cx.event(Event::Generic, "restore", key.bytes);
    let says_when = expire.is_none() || options.absolute_ttl;
    if cx.logs() && (!says_when || cx.shard.skip_checksums) {
        // With what was said of its age, and of one that was there.
        let mut words: Vec<Vec<u8>> = args.from(0).map(<[u8]>::to_vec).collect();
        words[0] = b"RESTORE".to_vec();
        if let Some(at_ms) = expire.filter(|_| !says_when) {
            words[2] = at_ms.to_string().into_bytes();
            words.push(b"ABSTTL".to_vec());
        }
        if let Some(payload) = rdb::dump::resealed(&args[3]).filter(|_| cx.shard.skip_checksums) {
            // Who plays it will look at the check sum.
            words[3] = payload;
        }
        cx.log_words(key.bytes, words);
    }
    let kinds = [old, cx.kind_in(cx.db, key)];
    cx.notice_overwritten(cx.db, key.bytes, kinds);
    Ok(())
}
