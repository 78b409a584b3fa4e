//! Times to live. All are kept as unix time in milliseconds.

use super::{GENERIC, NONDETERMINISTIC};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

const READ_KEY: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const UPDATED_KEY: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const EXPIRE_HISTORY: &[(&str, &str)] = &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];
const TTL_HISTORY: &[(&str, &str)] = &[("2.8.0", "Added the -2 reply.")];

pub const COMMANDS: &[Command] = &[
    Command::new("EXPIRE", expire)
        .arity(-3)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .complexity("O(1)")
        .summary("Sets the time to live of a key in seconds.")
        .history(EXPIRE_HISTORY)
        .syntax("key:key seconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)?^7.0.0"),
    Command::new("EXPIREAT", expireat)
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
    Command::new("EXPIRETIME", expiretime)
        .arity(2)
        .keys(READ_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("7.0.0")
        .complexity("O(1)")
        .summary("Tells when a key expires, as unix time in seconds.")
        .syntax("key:key"),
    Command::new("PERSIST", persist)
        .arity(2)
        .keys(UPDATED_KEY)
        .flags(WRITE | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Takes the time to live of a key away.")
        .syntax("key:key"),
    Command::new("PEXPIRE", pexpire)
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
    Command::new("PEXPIREAT", pexpireat)
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
    Command::new("PEXPIRETIME", pexpiretime)
        .arity(2)
        .keys(READ_KEY)
        .flags(READONLY | FAST)
        .acl(acl::KEYSPACE)
        .group("generic")
        .since("7.0.0")
        .complexity("O(1)")
        .summary("Tells when a key expires, as unix time in milliseconds.")
        .syntax("key:key"),
    Command::new("PTTL", pttl)
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
    Command::new("TTL", ttl)
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
];

/// EXPIRE key seconds [NX | XX | GT | LT]
pub fn expire(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms() as i64;
    set(cx, args, out, "expire", 1000, now_ms)
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub fn pexpire(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms() as i64;
    set(cx, args, out, "pexpire", 1, now_ms)
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
fn expireat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, "expireat", 1000, 0)
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
fn pexpireat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, "pexpireat", 1, 0)
}

/// When EXPIRE and its kin act.
#[derive(Clone, Copy, Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut it = Self::default();
        for index in 3..args.len() {
            let set = match () {
                () if args.is(index, "NX") => &mut it.nx,
                () if args.is(index, "XX") => &mut it.xx,
                () if args.is(index, "GT") => &mut it.gt,
                () if args.is(index, "LT") => &mut it.lt,
                () => return Err(Error::naming("Unsupported option ", &args[index], "")),
            };
            *set = true;
        }
        if it.nx && (it.xx || it.gt || it.lt) {
            return Err(Error::err("NX and XX, GT or LT options at the same time are not compatible"));
        }
        if it.gt && it.lt {
            return Err(Error::err("GT and LT options at the same time are not compatible"));
        }
        Ok(it)
    }

    /// Whether `current` may be replaced by `at_ms`. No expiry is later than any.
    fn allows(self, current: Option<u64>, at_ms: i64) -> bool {
        let later = current.is_some_and(|current| i128::from(at_ms) > i128::from(current));
        let sooner = current.is_none_or(|current| i128::from(at_ms) < i128::from(current));
        !(self.nx && current.is_some()
            || self.xx && current.is_none()
            || self.gt && !later
            || self.lt && !sooner)
    }
}

fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, name: &str, unit_ms: i64, base_ms: i64) -> Outcome {
    let condition = Condition::parse(args)?;
    let time = args.int(2)?.checked_mul(unit_ms).and_then(|ms| ms.checked_add(base_ms));
    let at_ms = time.ok_or_else(|| Error::invalid_expire(name))?;
    let key = args.key(1);
    let Some(pos) = cx.find_for_write(key) else {
        out.int(0);
        return Ok(());
    };
    let current = cx.db().expire(pos);
    if !condition.allows(current, at_ms) {
        out.int(0);
        return Ok(());
    }
    if at_ms <= cx.now_ms() as i64 {
        let free = cx.db().frees.expired;
        cx.db().discard(pos, free);
        cx.event(GENERIC, "del", key.bytes);
        if cx.logs() {
            cx.log_over(key.bytes);
        }
    } else {
        cx.touch(pos);
        cx.db().set_expire(pos, Some(at_ms as u64));
        cx.event(GENERIC, "expire", key.bytes);
        if cx.logs() {
            cx.log_expire(key.bytes, at_ms as u64);
        }
    }
    out.int(1);
    Ok(())
}

/// PERSIST key
fn persist(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    match cx.find_for_write(key) {
        Some(pos) if cx.db().expire(pos).is_some() => {
            cx.touch(pos);
            cx.db().set_expire(pos, None);
            cx.event(GENERIC, "persist", key.bytes);
            out.int(1);
        }
        _ => out.int(0),
    }
    Ok(())
}

/// TTL key
pub fn ttl(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    tell(cx, args, out, |at_ms| in_seconds(at_ms - now_ms))
}

/// PTTL key
fn pttl(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    tell(cx, args, out, |at_ms| at_ms - now_ms)
}

/// EXPIRETIME key
fn expiretime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    tell(cx, args, out, in_seconds)
}

/// PEXPIRETIME key
fn pexpiretime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    tell(cx, args, out, |at_ms| at_ms)
}

/// Rounded, not cut off.
fn in_seconds(ms: u64) -> u64 {
    (ms + 500) / 1000
}

fn tell(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, form: impl FnOnce(u64) -> u64) -> Outcome {
    match cx.find_untouched(args.key(1)) {
        None => out.int(-2),
        Some(pos) => out.int(cx.db().expire(pos).map_or(-1, |at_ms| form(at_ms) as i64)),
    }
    Ok(())
}
