//! Strings as a whole and in parts, for reading; and what reads and then deletes or changes the time to live.

use super::row;
use crate::expiry::Expiration;
use crate::spec::{KeySpec, Merge, access::*, flag::*};
use crate::{Args, Cx, Error, Event, Outcome};
use crate::{Command, string_value};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("GET", get)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .summary("Returns the string value of a key.")
        .syntax("key:key"),
    row("MGET", mget)
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .split(Merge::Elements)
        .complexity("O(N) where N is the number of keys to retrieve.")
        .tips(&["request_policy:multi_shard"])
        .summary("Returns the string values of several keys, in their order.")
        .syntax("key:key*"),
    row("GETDEL", getdel)
        .arity(2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .since("6.2.0")
        .summary("Returns the string value of a key and deletes the key.")
        .syntax("key:key"),
    row("GETEX", getex)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE).notes("RW and UPDATE because it changes the TTL")])
        .flags(WRITE | FAST)
        .since("6.2.0")
        .summary("Returns the string value of a key and sets or removes its time to live.")
        .syntax(concat!(
            "key:key expiration(EX@seconds:integer|PX@milliseconds:integer|",
            "EXAT@unix-time-seconds:unix-time|PXAT@unix-time-milliseconds:unix-time|persist=PERSIST)?",
        )),
    row("GETRANGE", getrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.4.0")
        .complexity("O(N) where N is the length of the returned string.")
        .summary("Returns a part of the string stored at a key.")
        .syntax("key:key start:integer end:integer"),
    row("SUBSTR", getrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the length of the returned string.")
        .deprecated("2.0.0", "`GETRANGE`")
        .summary("Returns a part of the string stored at a key.")
        .syntax("key:key start:integer end:integer"),
    row("STRLEN", strlen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .since("2.2.0")
        .summary("Returns the length of the string stored at a key.")
        .syntax("key:key"),
];

/// GET key
fn get(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.str(args.key(1))? {
        Some(value) => string_value::reply(out, value),
        None => out.null(),
    }
    Ok(())
}

/// MGET key [key …]
fn mget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    super::prefetch(cx, args, 1, 1);
    out.array(args.len() - 1);
    for index in 1..args.len() {
        let key = cx.shard.keys_ahead.key(args, index, index - 1);
        match cx.str(key) {
            Ok(Some(value)) => string_value::reply(out, value),
            _ => out.null(),
        }
    }
    Ok(())
}

/// STRLEN key
fn strlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let value = cx.str(args.key(1))?;
    out.count(value.map_or(0, |value| value.bytes().len()));
    Ok(())
}

/// GETRANGE key start end; SUBSTR is the same
fn getrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, end) = (args.int(2)?, args.int(3)?);
    let Some(value) = cx.str(args.key(1))? else {
        out.bulk(b"");
        return Ok(());
    };
    let bytes = value.bytes();
    match clamp(start, end, bytes.len()) {
        // The whole needs no copy.
        Some((0, end)) if end + 1 == bytes.len() => string_value::reply(out, value),
        Some((start, end)) => out.bulk(&bytes[start..=end]),
        None => out.bulk(b""),
    }
    Ok(())
}

/// The range within `len` bytes, both ends included; negative ends count from the end of the string.
fn clamp(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    if len == 0 || (start < 0 && end < 0 && start > end) {
        return None;
    }
    let from_end = |index: i64| if index < 0 { (index + len as i64).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(len as i64 - 1));
    (start <= end).then_some((start as usize, end as usize))
}

/// GETDEL key
fn getdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let Some(pos) = cx.find(args.key(1)) else {
        out.null();
        return Ok(());
    };
    string_value::reply(out, cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?);
    cx.db().remove(pos);
    cx.event(Event::Generic, "del", &args[1]);
    if cx.logs() {
        cx.log_deleted(&args[1]);
    }
    Ok(())
}

/// GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]
fn getex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut expiration, mut index) = (Expiration::default(), 2);
    while index < args.len() {
        match expiration.read(args, index, Expiration::Persist) {
            0 => return Err(Error::SYNTAX),
            count => index += count,
        }
    }
    let Some(pos) = cx.find(args.key(1)) else {
        out.null();
        return Ok(());
    };
    let now_ms = cx.now_ms();
    let value = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?;
    let at_ms = expiration.at_ms(now_ms, "getex")?;
    string_value::reply(out, value);
    if expiration.is_over(at_ms, now_ms) {
        cx.db().remove(pos);
        cx.event(Event::Generic, "del", &args[1]);
        if cx.logs() {
            cx.log_over(&args[1]);
        }
    } else if let Some(at_ms) = at_ms {
        cx.db().set_expire(pos, Some(at_ms));
        cx.event(Event::Generic, "expire", &args[1]);
        if cx.logs() {
            cx.log_expire(&args[1], at_ms);
        }
    } else if expiration == Expiration::Persist && cx.db().expire(pos).is_some() {
        cx.db().set_expire(pos, None);
        cx.event(Event::Generic, "persist", &args[1]);
        if cx.logs() {
            cx.log(&args[1], &[b"PERSIST", &args[1]]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::clamp;

    #[test]
    fn ranges_as_redis_clamps_them() {
        // Of "Hello World", as in the tests of Redis.
        let cases = [
            ((0, 3), Some((0, 3))),
            ((0, -1), Some((0, 10))),
            ((-4, -1), Some((7, 10))),
            ((5, 3), None),
            ((5, 5000), Some((5, 10))),
            ((-5000, 10000), Some((0, 10))),
            ((0, -100), Some((0, 0))),
            ((1, -100), None),
            ((-1, -100), None),
            ((-100, -99), Some((0, 0))),
            ((-100, -100), Some((0, 0))),
            ((-100, -101), None),
            ((11, 20), None),
            ((i64::MIN, i64::MAX), Some((0, 10))),
            ((i64::MAX, i64::MIN), None),
            ((i64::MIN, i64::MIN), Some((0, 0))),
        ];
        for ((start, end), expected) in cases {
            assert_eq!(clamp(start, end, 11), expected, "{start} {end}");
        }
        assert_eq!(clamp(0, -1, 0), None);
    }
}
