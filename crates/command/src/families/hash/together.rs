//! Commands that do two things to fields at once: HGETDEL, HGETEX, HSETEX.

use super::expire::{Changed, log_persisted, set_one};
use super::fields::{check_type, may_be_over};
use super::syntax::{FieldsOption, field_time, fields_at, unknown};
use super::{PER_FIELD, TIME_TAIL, UPDATED, row};
use crate::expiry::TimeForm;
use crate::items::reply_value;
use crate::notices::subkeys::{self, Subkeys};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::Update;
use resp::Reply;
use std::ops::Range;
use types::Hash;
use types::hash::FieldTtl;

const GETEX: &[KeySpec] =
    &[KeySpec::at(1, RW | ACCESS | UPDATE).notes("RW and UPDATE because it changes the TTL")];

pub const COMMANDS: &[Command] = &[
    row("HGETDEL", hgetdel)
        .arity(-5)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .since("8.0.0")
        .complexity(PER_FIELD)
        .summary("Returns the values of fields and deletes them.")
        .syntax(TIME_TAIL),
    row("HGETEX", hgetex)
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
    row("HSETEX", hsetex)
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
];

/// HGETDEL key FIELDS numfields field [field …]
fn hgetdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_type(cx, args.key(1))?;
    let fields = fields_at(args, 2)?;
    let (now_ms, mut expired, mut deleted) = (cx.now_ms(), cx.subkeys(), cx.subkeys());
    out.array(fields.len());
    let Some(mut hash) = cx.update::<Hash>(args.key(1))? else {
        fields.for_each(|_| out.null());
        return Ok(());
    };
    for index in fields {
        if get(&mut hash, &args[index], now_ms, out, &mut expired) {
            hash.remove(&args[index], now_ms);
            deleted.add(&args[index]);
        }
    }
    let emptied = hash.finish();
    cx.note_expired_fields(&args[1], &expired, false);
    if !deleted.is_empty() {
        cx.event_on(Event::Hash, "hdel", &args[1], &deleted);
        if cx.logs() {
            cx.log_items(b"HDEL", &args[1], subkeys::each(deleted.names()));
        }
    }
    if emptied {
        cx.notice(Event::Generic, "del", &args[1]);
    }
    Ok(())
}

/// Writes the value of a field, if there is one. An expired field is removed and noted.
fn get(
    hash: &mut Update<'_, Hash>,
    field: &[u8],
    now_ms: u64,
    out: &mut Reply,
    expired: &mut Subkeys,
) -> bool {
    if let Some(value) = hash.get(field, now_ms) {
        reply_value(out, value);
        return true;
    }
    out.null();
    if may_be_over(hash, now_ms) && hash.remove_expired(field, now_ms) {
        expired.add(field);
    }
    false
}

/// What happens to the expire times of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    /// HGETEX leaves it, HSETEX takes it away.
    Unspecified,
    Keep,
    Persist,
    At(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// `FNX`: none of the fields is there.
    NoneThere,
    /// `FXX`: all of them are.
    AllThere,
}

struct Options {
    time: Time,
    condition: Condition,
    fields: Range<usize>,
}

/// What one of the two commands takes.
struct Grammar {
    name: &'static str,
    option: FieldsOption,
    /// The word beside the times, and what it means.
    other: (&'static str, Time),
    conditions: bool,
}

impl Grammar {
    fn hgetex() -> Self {
        let (name, bad_count) = ("hgetex", "invalid number of fields");
        let option = FieldsOption { step: 1, bad_count, too_short: Error::wrong_arity(name) };
        Self { name, option, other: ("PERSIST", Time::Persist), conditions: false }
    }

    fn hsetex() -> Self {
        let (name, bad_count) = ("hsetex", "invalid number of fields");
        let option = FieldsOption { step: 2, bad_count, too_short: Error::wrong_arity(name) };
        Self { name, option, other: ("KEEPTTL", Time::Keep), conditions: true }
    }

    fn parse(&self, args: Args<'_>, now_ms: u64) -> Result<Options, Error> {
        let (mut time, mut condition, mut fields) = (Time::Unspecified, Condition::Always, None);
        let mut index = 2;
        while index < args.len() {
            if args.is(index, "FIELDS") {
                let found = self.option.read(args, index, fields.is_some())?;
                index = found.end;
                fields = Some(found);
                continue;
            }
            if let Some(form) = TimeForm::parse(&args[index]) {
                self.only_time(time)?;
                index += 1;
                let text = args.get(index).ok_or_else(|| Error::err("missing expire time"))?;
                time = Time::At(field_time(form, text, now_ms, self.name)?);
            } else if args.is(index, self.other.0) {
                self.only_time(time)?;
                time = self.other.1;
            } else if self.conditions && (args.is(index, "FXX") || args.is(index, "FNX")) {
                if condition != Condition::Always {
                    return Err(Error::err("Only one of FXX or FNX arguments can be specified"));
                }
                let all = args.is(index, "FXX");
                condition = if all { Condition::AllThere } else { Condition::NoneThere };
            } else {
                return Err(unknown(&args[index]));
            }
            index += 1;
        }
        let fields = fields.ok_or_else(|| Error::err("missing FIELDS argument"))?;
        Ok(Options { time, condition, fields })
    }

    fn only_time(&self, time: Time) -> Outcome {
        if time == Time::Unspecified {
            return Ok(());
        }
        let word = self.other.0;
        Err(Error::err(format_args!("Only one of EX, PX, EXAT, PXAT or {word} arguments can be specified")))
    }
}

/// HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]
/// FIELDS numfields field [field …]
fn hgetex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_type(cx, args.key(1))?;
    let now_ms = cx.now_ms();
    let options = Grammar::hgetex().parse(args, now_ms)?;
    out.array(options.fields.len());
    let (mut expired, mut persisted, mut changed) = (cx.subkeys(), cx.subkeys(), Changed::new(cx));
    let Some(mut hash) = cx.update::<Hash>(args.key(1))? else {
        options.fields.for_each(|_| out.null());
        return Ok(());
    };
    if options.time != Time::Unspecified {
        hash.expect_expires();
    }
    for index in options.fields {
        let field = &args[index];
        if !get(&mut hash, field, now_ms, out, &mut expired) {
            continue;
        }
        match options.time {
            Time::At(at_ms) => {
                set_one(&mut hash, field, at_ms, now_ms, &mut changed);
            }
            Time::Persist if hash.entry(field, now_ms).is_some_and(|entry| entry.expire.is_some()) => {
                hash.set_expire(field, None, now_ms);
                persisted.add(field);
            }
            _ => {}
        }
    }
    let emptied = hash.finish();
    cx.note_expired_fields(&args[1], &expired, false);
    if !persisted.is_empty() {
        cx.event_on(Event::Hash, "hpersist", &args[1], &persisted);
        if cx.logs() {
            log_persisted(cx, &args[1], &persisted);
        }
    }
    if let Time::At(at_ms) = options.time
        && cx.logs()
    {
        changed.log(cx, &args[1], at_ms);
    }
    changed.tell(cx, &args[1], emptied);
    Ok(())
}

/// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds |
/// KEEPTTL] FIELDS numfields field value [field value …]
fn hsetex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    let options = Grammar::hsetex().parse(args, now_ms)?;
    let key = args.key(1);
    if options.condition == Condition::AllThere && cx.find_for_write(key).is_none() {
        out.int(0);
        return Ok(());
    }
    let (limits, seed) = (cx.shard.limits.hash, cx.shard.seed.clone());
    let (mut expired, mut set, mut changed) = (cx.subkeys(), cx.subkeys(), Changed::new(cx));
    let logs = cx.logs();
    let mut hash = cx.upsert::<Hash>(key, Hash::new)?;
    if !admits(&mut hash, args, &options, now_ms, &mut expired) {
        let emptied = hash.finish();
        cx.note_expired_fields(key.bytes, &expired, emptied);
        out.int(0);
        return Ok(());
    }
    let first = options.fields.start;
    hash.grow(args.from(first).take(options.fields.len()), &limits, &seed);
    let ttl = if options.time == Time::Unspecified { FieldTtl::Clear } else { FieldTtl::Keep };
    let fields = options.fields.len() / 2;
    let told = logs.then(|| Told::of(&hash, args, &options, now_ms));
    for index in options.fields.clone().step_by(2) {
        let (field, value) = (&args[index], &args[index + 1]);
        hash.set(field, value, ttl, now_ms, &limits, &seed);
        set.add(field);
        if let Time::At(at_ms) = options.time {
            set_one(&mut hash, field, at_ms, now_ms, &mut changed);
        }
    }
    let emptied = hash.finish();
    cx.note_expired_fields(key.bytes, &expired, false);
    // Each field is one change, whatever is told of it.
    let counted = changed.updated.count().max(changed.deleted.count()).min(fields);
    cx.shard.dirty += (fields - counted) as u64;
    cx.notice_on(Event::Hash, "hset", key.bytes, &set);
    if let Some(told) = told {
        told.log(cx, args, &options, &changed);
    }
    changed.tell(cx, key.bytes, emptied);
    out.int(1);
    Ok(())
}

/// What must be known of a hash before HSETEX, to write down what it does.
struct Told {
    /// Fields that are over and still there: they have no time that could be kept.
    over: Vec<Vec<u8>>,
    /// Some field expires.
    is_timed: bool,
}

impl Told {
    fn of(hash: &Hash, args: Args<'_>, options: &Options, now_ms: u64) -> Self {
        let is_over = |field: &[u8]| hash.contains(field, 0) && !hash.contains(field, now_ms);
        let fields = options.fields.clone().step_by(2).map(|index| args.at(index));
        let over = match options.time {
            Time::Keep if may_be_over(hash, now_ms) => {
                fields.filter(|field| is_over(field)).map(<[u8]>::to_vec).collect()
            }
            _ => Vec::new(),
        };
        Self { over, is_timed: hash.next_expire().is_some() }
    }

    fn log(self, cx: &mut Cx<'_>, args: Args<'_>, options: &Options, changed: &Changed) {
        let key = args.at(1);
        if !changed.deleted.is_empty() {
            return cx.log_items(b"HDEL", key, subkeys::each(changed.deleted.names()));
        }
        cx.log_items(b"HDEL", key, self.over.iter().map(Vec::as_slice));
        let at_ms;
        let time: &[&[u8]] = match options.time {
            Time::At(time) => {
                at_ms = I64Buf::from_u64(time);
                &[b"PXAT", at_ms.as_bytes()]
            }
            Time::Keep if self.is_timed => &[b"KEEPTTL"],
            _ => {
                let pairs = args.from(options.fields.start).take(options.fields.len());
                return cx.log_groups(b"HSET", key, pairs, 2);
            }
        };
        let count = I64Buf::from_u64(options.fields.len() as u64 / 2);
        let mut words = vec![&b"HSETEX"[..], key];
        words.extend_from_slice(time);
        words.extend([&b"FIELDS"[..], count.as_bytes()]);
        words.extend(args.from(options.fields.start).take(options.fields.len()));
        cx.log(key, &words);
    }
}

/// Whether the condition of HSETEX holds. Expired fields that it comes across are removed and noted.
fn admits(
    hash: &mut Update<'_, Hash>,
    args: Args<'_>,
    options: &Options,
    now_ms: u64,
    expired: &mut Subkeys,
) -> bool {
    let wanted = match options.condition {
        Condition::Always => return true,
        Condition::AllThere => true,
        Condition::NoneThere => false,
    };
    options.fields.clone().step_by(2).all(|index| {
        let there = hash.contains(&args[index], now_ms);
        if !there && hash.remove_expired(&args[index], now_ms) {
            expired.add(&args[index]);
        }
        there == wanted
    })
}
