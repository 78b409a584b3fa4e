//! Expire times of fields: setting, asking and taking them away.

use super::fields::check_type;
use super::syntax::{FieldsOption, field_time, fields_at, unknown};
use super::{NONDETERMINISTIC, PER_FIELD, READ, TIME_TAIL, UPDATED, row};
use crate::expiry::TimeForm;
use crate::notices::subkeys::{self, Subkeys};
use crate::spec::{Handler, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::Update;
use resp::Reply;
use std::ops::Range;
use types::Hash;

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
    expiring("HEXPIRE", hexpire).summary("Gives fields a time to live in seconds.").syntax(
        "key:key seconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)? FIELDS@fields{numfields:integer field:string*}",
    ),
    expiring("HEXPIREAT", hexpireat).summary("Gives fields an expire time in unix seconds.").syntax(
        "key:key unix-time-seconds:unix-time condition(nx=NX|xx=XX|gt=GT|lt=LT)? \
         FIELDS@fields{numfields:integer field:string*}",
    ),
    timing("HEXPIRETIME", hexpiretime).summary("Returns the expire times of fields in unix seconds."),
    row("HPERSIST", hpersist)
        .arity(-5)
        .keys(UPDATED)
        .flags(WRITE | FAST)
        .since("7.4.0")
        .complexity(PER_FIELD)
        .summary("Takes the expire time of fields away.")
        .syntax(TIME_TAIL),
    expiring("HPEXPIRE", hpexpire).summary("Gives fields a time to live in milliseconds.").syntax(
        "key:key milliseconds:integer condition(nx=NX|xx=XX|gt=GT|lt=LT)? \
         FIELDS@fields{numfields:integer field:string*}",
    ),
    expiring("HPEXPIREAT", hpexpireat).summary("Gives fields an expire time in unix milliseconds.").syntax(
        "key:key unix-time-milliseconds:unix-time condition(nx=NX|xx=XX|gt=GT|lt=LT)? \
         FIELDS@fields{numfields:integer field:string*}",
    ),
    timing("HPEXPIRETIME", hpexpiretime)
        .summary("Returns the expire times of fields in unix milliseconds."),
    timing("HPTTL", hpttl)
        .summary("Returns the times to live of fields in milliseconds.")
        .tips(NONDETERMINISTIC),
    timing("HTTL", httl)
        .summary("Returns the times to live of fields in seconds.")
        .tips(NONDETERMINISTIC),
];

/// There is no such field.
pub const NO_FIELD: i64 = -2;
/// The field never expires.
const NO_TIME: i64 = -1;
/// The condition does not hold.
const REFUSED: i64 = 0;
const DONE: i64 = 1;
/// The time is over: the field is gone.
const DELETED: i64 = 2;

/// When an expire time is set.
#[derive(Clone, Copy)]
enum Condition {
    Always,
    Unset,
    Set,
    Later,
    Earlier,
}

impl Condition {
    const WORDS: [(&'static str, Self); 4] =
        [("NX", Self::Unset), ("XX", Self::Set), ("GT", Self::Later), ("LT", Self::Earlier)];

    /// A field that never expires counts as one that expires after all others.
    fn holds(self, old: Option<u64>, new: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Unset => old.is_none(),
            Self::Set => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field …]
fn hexpire(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, TimeForm::Seconds, "hexpire")
}

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field …]
fn hpexpire(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, TimeForm::Millis, "hpexpire")
}

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field …]
fn hexpireat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, TimeForm::UnixSeconds, "hexpireat")
}

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field …]
fn hpexpireat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, TimeForm::UnixMillis, "hpexpireat")
}

fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, form: TimeForm, name: &str) -> Outcome {
    check_type(cx, args.key(1))?;
    let now_ms = cx.now_ms();
    let at_ms = field_time(form, &args[2], now_ms, name)?;
    let (condition, fields) = options(args)?;
    out.array(fields.len());
    let mut changed = Changed::new(cx);
    let Some(mut hash) = cx.update::<Hash>(args.key(1))? else {
        fields.for_each(|_| out.int(NO_FIELD));
        return Ok(());
    };
    hash.expect_expires();
    for index in fields {
        let field = &args[index];
        out.int(match hash.entry(field, now_ms).map(|entry| entry.expire) {
            None => NO_FIELD,
            Some(old) if !condition.holds(old, at_ms) => REFUSED,
            Some(_) => set_one(&mut hash, field, at_ms, now_ms, &mut changed),
        });
    }
    let emptied = hash.finish();
    if cx.logs() {
        changed.log(cx, &args[1], at_ms);
    }
    changed.tell(cx, &args[1], emptied);
    Ok(())
}

fn options(args: Args<'_>) -> Result<(Condition, Range<usize>), Error> {
    let option = FieldsOption {
        step: 1,
        bad_count: "Parameter `numFields` should be greater than 0",
        too_short: Error::err("FIELDS requires at least numfields and one field argument"),
    };
    let (mut condition, mut conditions, mut fields) = (Condition::Always, 0, None);
    let mut index = 3;
    while index < args.len() {
        let word = Condition::WORDS.iter().find(|(word, _)| args.is(index, word));
        if let Some((_, found)) = word {
            condition = *found;
            conditions += 1;
            index += 1;
        } else if args.is(index, "FIELDS") {
            let found = option.read(args, index, fields.is_some())?;
            index = found.end;
            fields = Some(found);
        } else {
            return Err(unknown(&args[index]));
        }
    }
    let fields = fields.ok_or_else(|| Error::err("missing FIELDS argument"))?;
    if conditions > 1 {
        return Err(Error::err("Multiple condition flags specified"));
    }
    Ok((condition, fields))
}

/// Fields of a hash that have got an expire time, or are gone because it is over.
pub struct Changed {
    pub updated: Subkeys,
    pub deleted: Subkeys,
}

impl Changed {
    pub fn new(cx: &Cx<'_>) -> Self {
        Self { updated: cx.subkeys(), deleted: cx.subkeys() }
    }

    /// Writes down what has happened.
    pub fn log(&self, cx: &mut Cx<'_>, key: &[u8], at_ms: u64) {
        cx.log_items(b"HDEL", key, subkeys::each(self.deleted.names()));
        if !self.updated.is_empty() {
            let (at_ms, count) = (I64Buf::from_u64(at_ms), I64Buf::from_u64(self.updated.count() as u64));
            let mut words = vec![&b"HPEXPIREAT"[..], key, at_ms.as_bytes(), b"FIELDS", count.as_bytes()];
            words.extend(subkeys::each(self.updated.names()));
            cx.log(key, &words);
        }
    }

    /// Tells what has happened; `emptied`: nothing is left of the hash.
    pub fn tell(self, cx: &mut Cx<'_>, key: &[u8], emptied: bool) {
        if !self.deleted.is_empty() {
            cx.shard.stats.expired_fields += self.deleted.count() as u64;
            cx.event_on(Event::Hash, "hdel", key, &self.deleted);
        } else if !self.updated.is_empty() {
            cx.event_on(Event::Hash, "hexpire", key, &self.updated);
        }
        if emptied {
            cx.notice(Event::Generic, "del", key);
        }
    }
}

/// Gives a field that is there an expire time, or removes it if that is over. Returns the reply of HEXPIRE.
pub fn set_one(
    hash: &mut Update<'_, Hash>,
    field: &[u8],
    at_ms: u64,
    now_ms: u64,
    changed: &mut Changed,
) -> i64 {
    if at_ms <= now_ms {
        hash.remove(field, now_ms);
        changed.deleted.add(field);
        return DELETED;
    }
    hash.set_expire(field, Some(at_ms), now_ms);
    changed.updated.add(field);
    DONE
}

/// HTTL key FIELDS numfields field [field …]
fn httl(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    times(cx, args, out, TimeForm::Seconds)
}

/// HPTTL key FIELDS numfields field [field …]
fn hpttl(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    times(cx, args, out, TimeForm::Millis)
}

/// HEXPIRETIME key FIELDS numfields field [field …]
fn hexpiretime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    times(cx, args, out, TimeForm::UnixSeconds)
}

/// HPEXPIRETIME key FIELDS numfields field [field …]
fn hpexpiretime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    times(cx, args, out, TimeForm::UnixMillis)
}

fn times(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, form: TimeForm) -> Outcome {
    let now_ms = cx.now_ms();
    let hash = cx.read::<Hash>(args.key(1))?;
    let fields = fields_at(args, 2)?;
    out.array(fields.len());
    for index in fields {
        out.int(match hash.and_then(|hash| hash.entry(&args[index], now_ms)) {
            None => NO_FIELD,
            Some(entry) => entry.expire.map_or(NO_TIME, |at_ms| shown(at_ms, now_ms, form)),
        });
    }
    Ok(())
}

/// An expire time as a command shows it; seconds are rounded up.
fn shown(at_ms: u64, now_ms: u64, form: TimeForm) -> i64 {
    match form {
        TimeForm::Seconds => (at_ms - now_ms).div_ceil(1000) as i64,
        TimeForm::Millis => (at_ms - now_ms) as i64,
        TimeForm::UnixSeconds => at_ms.div_ceil(1000) as i64,
        TimeForm::UnixMillis => at_ms as i64,
    }
}

/// HPERSIST key FIELDS numfields field [field …]
fn hpersist(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_type(cx, args.key(1))?;
    let fields = fields_at(args, 2)?;
    let (now_ms, mut persisted) = (cx.now_ms(), cx.subkeys());
    out.array(fields.len());
    let Some(mut hash) = cx.update::<Hash>(args.key(1))? else {
        fields.for_each(|_| out.int(NO_FIELD));
        return Ok(());
    };
    for index in fields {
        out.int(match hash.entry(&args[index], now_ms).map(|entry| entry.expire) {
            None => NO_FIELD,
            Some(None) => NO_TIME,
            Some(Some(_)) => {
                hash.set_expire(&args[index], None, now_ms);
                persisted.add(&args[index]);
                DONE
            }
        });
    }
    drop(hash);
    if !persisted.is_empty() {
        cx.notice_on(Event::Hash, "hpersist", &args[1], &persisted);
        cx.shard.dirty += 1;
        if cx.logs() {
            log_persisted(cx, &args[1], &persisted);
        }
    }
    Ok(())
}

/// Writes down which fields have lost their expire time: those that are over are others another time.
pub fn log_persisted(cx: &mut Cx<'_>, key: &[u8], persisted: &Subkeys) {
    let count = I64Buf::from_u64(persisted.count() as u64);
    let mut words = vec![&b"HPERSIST"[..], key, b"FIELDS", count.as_bytes()];
    words.extend(subkeys::each(persisted.names()));
    cx.log(key, &words);
}
