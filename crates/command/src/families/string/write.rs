//! Strings stored as a whole: SET with its options, its older relatives, and several keys at once.

use super::compare::Comparison;
use super::row;
use crate::expiry::{Expiration, TimeForm};
use crate::spec::{Begin, Find, KeySpec, Merge, access::*, flag::*};
use crate::string_value::{self, put_arg};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::Key;
use keyspace::Pos;
use resp::Reply;
use std::mem::discriminant;

pub const COMMANDS: &[Command] = &[
    row("SET", set)
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
    row("MSET", mset)
        .arity(-3)
        .keys(&[KeySpec::range(1, -1, 2, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .split(Merge::Ok)
        .since("1.0.1")
        .complexity("O(N) where N is the number of keys to set.")
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .summary("Sets the string values of several keys at once.")
        .syntax("data{key:key value:string}*"),
    row("MSETNX", msetnx)
        .arity(-3)
        .keys(&[KeySpec::range(1, -1, 2, OW | INSERT)])
        .flags(WRITE | DENYOOM)
        .since("1.0.1")
        .complexity("O(N) where N is the number of keys to set.")
        .summary("Sets the string values of several keys at once, if none of the keys exists.")
        .syntax("data{key:key value:string}*"),
    row("MSETEX", msetex)
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
    row("SETNX", setnx)
        .arity(3)
        .keys(&[KeySpec::at(1, OW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .summary("Sets the string value of a key, if it is absent.")
        .syntax("key:key value:string"),
    row("SETEX", setex)
        .arity(4)
        .keys(&[KeySpec::at(1, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.0.0")
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .summary("Sets the string value of a key and its time to live in seconds.")
        .syntax("key:key seconds:integer value:string"),
    row("PSETEX", psetex)
        .arity(4)
        .keys(&[KeySpec::at(1, OW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.6.0")
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .summary("Sets the string value of a key and its time to live in milliseconds.")
        .syntax("key:key milliseconds:integer value:string"),
    row("GETSET", getset)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .summary("Sets the string value of a key and returns the one before.")
        .syntax("key:key value:string"),
];

/// When a string is stored.
#[derive(Clone, Copy, Default)]
enum Condition<'a> {
    #[default]
    Always,
    /// `NX`
    Absent,
    /// `XX`
    Present,
    /// `IFEQ` and the like.
    If(Comparison<'a>),
}

impl<'a> Condition<'a> {
    /// Reads the option at `index` if it is a condition and no other has been given; how many arguments it has, or 0.
    fn read(&mut self, args: Args<'a>, index: usize) -> usize {
        let (found, count) = if args.is(index, "NX") {
            (Self::Absent, 1)
        } else if args.is(index, "XX") {
            (Self::Present, 1)
        } else if let (Some(word), Some(text)) = (args.get(index), args.get(index + 1)) {
            let Some(comparison) = Comparison::parse(word, text) else { return 0 };
            (Self::If(comparison), 2)
        } else {
            return 0;
        };
        let agrees = match (&*self, &found) {
            (Self::Always, _) => true,
            (Self::If(a), Self::If(b)) => a.is_same_kind(b),
            (a, b) => discriminant(a) == discriminant(b),
        };
        if !agrees {
            return 0;
        }
        *self = found;
        count
    }

    /// Whether a key at `pos` (or absent) may be set.
    fn holds(&self, cx: &mut Cx<'_>, pos: Option<Pos>) -> Result<bool, Error> {
        match (self, pos) {
            (Self::Always, _) => Ok(true),
            (Self::Absent, pos) => Ok(pos.is_none()),
            (Self::Present, pos) => Ok(pos.is_some()),
            (Self::If(comparison), None) => Ok(comparison.holds_for_absent()),
            (Self::If(comparison), Some(pos)) => {
                let value = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?;
                comparison.holds(value.bytes())
            }
        }
    }
}

/// SET key value [NX | XX | IFEQ value | IFNE value | IFDEQ digest | IFDNE digest] [GET]
/// [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]
fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return set_with_options(cx, args, out);
    }
    let key = args.key(1);
    let pos = cx.find_for_write(key);
    put_arg(cx, key, pos, args, 2, None);
    cx.event(Event::String, "set", &args[1]);
    out.ok();
    Ok(())
}

fn set_with_options(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut condition, mut expiration, mut get) = (Condition::default(), Expiration::default(), false);
    let mut index = 3;
    while index < args.len() {
        if args.is(index, "GET") {
            get = true;
            index += 1;
            continue;
        }
        match expiration.read(args, index, Expiration::Keep) {
            0 => match condition.read(args, index) {
                0 => return Err(Error::SYNTAX),
                count => index += count,
            },
            count => index += count,
        }
    }
    let at_ms = expiration.at_ms(cx.now_ms(), "set")?;
    let key = args.key(1);
    let pos = if get { cx.find(key) } else { cx.find_for_write(key) };
    if get {
        match pos {
            Some(pos) => string_value::reply(out, cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?),
            None => out.null(),
        }
    }
    if !condition.holds(cx, pos)? {
        if !get {
            out.null();
        }
        return Ok(());
    }
    store(cx, (key, pos), (args, 2), expiration, at_ms);
    if cx.logs() && (get || at_ms.is_some() || matches!(condition, Condition::If(_))) {
        cx.log_set(key.bytes, &args[2], at_ms, expiration == Expiration::Keep);
    }
    if !get {
        out.ok();
    }
    Ok(())
}

/// Stores an argument and its time to live under a key that is at `pos`, or absent, and says so.
#[inline(always)]
fn store(
    cx: &mut Cx<'_>,
    (key, pos): (Key<'_>, Option<Pos>),
    (args, index): (Args<'_>, usize),
    expiration: Expiration<'_>,
    at_ms: Option<u64>,
) {
    let expire = match (expiration, pos) {
        (Expiration::Keep, Some(pos)) => cx.db().expire(pos),
        _ => at_ms,
    };
    put_arg(cx, key, pos, args, index, expire);
    cx.event(Event::String, "set", key.bytes);
    if at_ms.is_some() {
        cx.notice(Event::Generic, "expire", key.bytes);
    }
}

/// SETNX key value
fn setnx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let pos = cx.find_for_write(key);
    if pos.is_none() {
        store(cx, (key, None), (args, 2), Expiration::Unspecified, None);
    }
    out.int(i64::from(pos.is_none()));
    Ok(())
}

/// SETEX key seconds value
fn setex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set_for(cx, args, TimeForm::Seconds, "setex", out)
}

/// PSETEX key milliseconds value
fn psetex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set_for(cx, args, TimeForm::Millis, "psetex", out)
}

fn set_for(cx: &mut Cx<'_>, args: Args<'_>, form: TimeForm, command: &str, out: &mut Reply) -> Outcome {
    let at_ms = form.at_ms(&args[2], cx.now_ms(), command)?;
    let key = args.key(1);
    let pos = cx.find_for_write(key);
    store(cx, (key, pos), (args, 3), Expiration::Unspecified, Some(at_ms));
    if cx.logs() {
        cx.log_set(key.bytes, &args[3], Some(at_ms), false);
    }
    out.ok();
    Ok(())
}

/// GETSET key value
fn getset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let pos = cx.find(key);
    match pos {
        Some(pos) => string_value::reply(out, cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?),
        None => out.null(),
    }
    store(cx, (key, pos), (args, 2), Expiration::Unspecified, None);
    if cx.logs() {
        cx.log_set(key.bytes, &args[2], None, false);
    }
    Ok(())
}

/// MSET key value [key value …]
fn mset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity("mset"));
    }
    set_all(cx, args, 1..args.len(), Expiration::Unspecified, None);
    out.ok();
    Ok(())
}

/// MSETNX key value [key value …]
fn msetnx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity("msetnx"));
    }
    let free = (1..args.len()).step_by(2).all(|index| cx.find_for_write(args.key(index)).is_none());
    if free {
        set_all(cx, args, 1..args.len(), Expiration::Unspecified, None);
    }
    out.int(i64::from(free));
    Ok(())
}

/// MSETEX numkeys key value [key value …] [NX | XX]
/// [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]
fn msetex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let count = base::number::parse_i64(&args[1]).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or_else(|| Error::err("invalid numkeys value"))? as usize;
    let end = 2 + 2 * count;
    if end > args.len() {
        return Err(Error::err("wrong number of key-value pairs"));
    }
    let (mut condition, mut expiration, mut index) = (Condition::default(), Expiration::default(), end);
    while index < args.len() {
        let read = match expiration.read(args, index, Expiration::Keep) {
            0 => condition.read(args, index),
            count => count,
        };
        if read == 0 || matches!(condition, Condition::If(_)) {
            return Err(Error::SYNTAX);
        }
        index += read;
    }
    let at_ms = expiration.at_ms(cx.now_ms(), "msetex")?;
    let mut keys = (2..end).step_by(2).map(|index| args.key(index));
    let holds = match condition {
        Condition::Absent => keys.all(|key| cx.find_for_write(key).is_none()),
        Condition::Present => keys.all(|key| cx.find(key).is_some()),
        Condition::Always | Condition::If(_) => true,
    };
    if holds {
        set_all(cx, args, 2..end, expiration, at_ms);
        if cx.logs() {
            let keep = expiration == Expiration::Keep;
            (2..end).step_by(2).for_each(|index| cx.log_set(&args[index], &args[index + 1], at_ms, keep));
        }
    }
    out.int(i64::from(holds));
    Ok(())
}

/// Sets the pairs of key and value among the arguments.
fn set_all(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    pairs: std::ops::Range<usize>,
    expiration: Expiration<'_>,
    at_ms: Option<u64>,
) {
    super::prefetch(cx, args, pairs.start, 2);
    for (number, index) in pairs.step_by(2).enumerate() {
        let key = cx.shard.keys_ahead.key(args, index, number);
        let pos = cx.find_for_write(key);
        store(cx, (key, pos), (args, index + 1), expiration, at_ms);
    }
}
