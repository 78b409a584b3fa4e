//! Setting, counting and removing fields.

use super::fields::{self, may_be_over};
use super::{UPDATED, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::extended::Extended;
use base::number::I64Buf;
use keyspace::{Key, Update};
use resp::Reply;
use types::Hash;
use types::hash::FieldTtl;
use types::hash::Value;

const COUNTED: &[KeySpec] = &[KeySpec::at(1, RW | ACCESS | UPDATE)];

pub const COMMANDS: &[Command] = &[
    row("HDEL", hdel)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields to be removed.")
        .summary("Deletes fields of a hash, and the hash when none are left.")
        .history(&[("2.4.0", "Accepts multiple `field` arguments.")])
        .syntax("key:key field:string*"),
    row("HINCRBY", hincrby)
        .arity(4)
        .element(2)
        .keys(COUNTED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Adds an integer to the value of a field; 0 if there is no such field.")
        .syntax("key:key field:string increment:integer"),
    row("HINCRBYFLOAT", hincrbyfloat)
        .arity(4)
        .element(2)
        .keys(COUNTED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.6.0")
        .complexity("O(1)")
        .summary("Adds a number to the value of a field; 0 if there is no such field.")
        .syntax("key:key field:string increment:double"),
    row("HMSET", hmset)
        .arity(-4)
        .element(2)
        .keys(UPDATED)
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(N) where N is the number of fields being set.")
        .summary("Sets the values of several fields.")
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .syntax("key:key data{field:string value:string}*"),
    row("HSET", hset)
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
    row("HSETNX", hsetnx)
        .arity(4)
        .element(2)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.0.0")
        .complexity("O(1)")
        .summary("Sets the value of a field only if the hash does not have it.")
        .syntax("key:key field:string value:string"),
];

/// HSET key field value [field value …]
fn hset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let created = set(cx, args, "hset")?;
    out.count(created);
    Ok(())
}

/// HMSET key field value [field value …]
fn hmset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, "hmset")?;
    out.ok();
    Ok(())
}

/// Sets all pairs from argument 2 on; how many fields are new.
fn set(cx: &mut Cx<'_>, args: Args<'_>, name: &str) -> Result<usize, Error> {
    if args.len() % 2 == 1 {
        return Err(Error::wrong_arity(name));
    }
    let (limits, seed, now_ms) = (cx.shard.limits.hash, cx.shard.seed.clone(), cx.now_ms());
    let mut hash = cx.upsert::<Hash>(args.key(1), Hash::new)?;
    if args.len() > 4 {
        hash.grow(args.from(2), &limits, &seed);
    }
    let mut created = 0;
    for index in (2..args.len()).step_by(2) {
        let (field, value) = (&args[index], &args[index + 1]);
        created += usize::from(hash.set(field, value, FieldTtl::Clear, now_ms, &limits, &seed));
    }
    drop(hash);
    let fields = (2..args.len()).step_by(2).map(|index| args.at(index));
    cx.event_on_each(Event::Hash, "hset", &args[1], fields);
    Ok(created)
}

/// HSETNX key field value
fn hsetnx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (limits, seed, now_ms) = (cx.shard.limits.hash, cx.shard.seed.clone(), cx.now_ms());
    let mut hash = cx.upsert::<Hash>(args.key(1), Hash::new)?;
    if hash.contains(&args[2], now_ms) {
        out.int(0);
        return Ok(());
    }
    let forgotten = forget(&mut hash, &args[2], now_ms);
    hash.set(&args[2], &args[3], FieldTtl::Clear, now_ms, &limits, &seed);
    drop(hash);
    tell(cx, &args[1], &args[2], forgotten, "hset");
    out.int(1);
    Ok(())
}

/// An expired field has been removed before it is set again.
struct Forgotten {
    /// It was the only one: the hash was gone for a moment.
    emptied: bool,
}

/// Removes the field if it has expired.
fn forget(hash: &mut Update<'_, Hash>, field: &[u8], now_ms: u64) -> Option<Forgotten> {
    let is_gone = may_be_over(hash, now_ms) && hash.remove_expired(field, now_ms);
    is_gone.then(|| Forgotten { emptied: hash.is_empty() })
}

/// Tells that a field was set, after one that had expired was removed.
fn tell(cx: &mut Cx<'_>, key: &[u8], field: &[u8], forgotten: Option<Forgotten>, name: &'static str) {
    if let Some(Forgotten { emptied }) = forgotten {
        let mut expired = cx.subkeys();
        expired.add(field);
        cx.note_expired_fields(key, &expired, emptied);
    }
    cx.event_on_each(Event::Hash, name, key, std::iter::once(field));
}

/// HINCRBY key field increment
fn hincrby(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let by = args.int(3)?;
    let new = change(cx, args.key(1), &args[2], "hincrby", |old| {
        let old = match old {
            None => 0,
            Some(value) => value.as_int().ok_or_else(|| Error::HASH_VALUE_NOT_INTEGER)?,
        };
        let new = old.checked_add(by).ok_or_else(|| Error::OVERFLOW)?;
        Ok((Number::Int(I64Buf::new(new)), new))
    })?;
    out.int(new);
    Ok(())
}

/// HINCRBYFLOAT key field increment
fn hincrbyfloat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let by = Extended::parse(&args[3]).ok_or_else(|| Error::NOT_A_FLOAT)?;
    if !by.is_finite() {
        return Err(Error::err("value is NaN or Infinity"));
    }
    let text = change(cx, args.key(1), &args[2], "hincrbyfloat", |old| {
        let old = match old {
            None => Extended::ZERO,
            Some(old) => old.with_text(Extended::parse).ok_or_else(|| Error::HASH_VALUE_NOT_FLOAT)?,
        };
        let new = old.plus(by);
        if !new.is_finite() {
            return Err(Error::NAN_OR_INFINITY);
        }
        let mut text = Vec::new();
        new.append_human(&mut text);
        out.bulk(&text);
        Ok((Number::Float(text.clone()), text))
    })?;
    if cx.logs() {
        log_number(cx, args.key(1), &args[2], &text);
    }
    Ok(())
}

/// Writes down what a field has come to; its expire time stays.
fn log_number(cx: &mut Cx<'_>, key: Key<'_>, field: &[u8], text: &[u8]) {
    let now_ms = cx.now_ms();
    let pos = cx.find_for_write(key).expect("it has a field");
    let is_timed = fields::at(cx, pos).entry(field, now_ms).is_some_and(|entry| entry.expire.is_some());
    match is_timed {
        true => cx.log(key.bytes, &[b"HSETEX", key.bytes, b"KEEPTTL", b"FIELDS", b"1", field, text]),
        false => cx.log(key.bytes, &[b"HSET", key.bytes, field, text]),
    }
}

/// The text of a number.
enum Number {
    Int(I64Buf),
    Float(Vec<u8>),
}

impl Number {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Int(text) => text.as_bytes(),
            Self::Float(text) => text,
        }
    }
}

/// Sets a field to what `edit` makes of its value (`None`: there is no such field), keeping its expire time.
fn change<R>(
    cx: &mut Cx<'_>,
    key: Key<'_>,
    field: &[u8],
    name: &'static str,
    edit: impl FnOnce(Option<Value<'_>>) -> Result<(Number, R), Error>,
) -> Result<R, Error> {
    let (limits, seed, now_ms) = (cx.shard.limits.hash, cx.shard.seed.clone(), cx.now_ms());
    let mut hash = cx.upsert::<Hash>(key, Hash::new)?;
    // Of a hash made just now `edit` cannot fail; an older one has fields, so none is left empty by an error.
    let (number, result) = edit(hash.get(field, now_ms))?;
    let forgotten = forget(&mut hash, field, now_ms);
    hash.set(field, number.bytes(), FieldTtl::Keep, now_ms, &limits, &seed);
    drop(hash);
    tell(cx, key.bytes, field, forgotten, name);
    Ok(result)
}

/// HDEL key field [field …]: expired fields that are still there count.
fn hdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (now_ms, mut removed) = (cx.now_ms(), cx.subkeys());
    let Some(mut hash) = cx.update::<Hash>(args.key(1))? else {
        out.int(0);
        return Ok(());
    };
    args.from(2).filter(|field| remove(&mut hash, field, now_ms)).for_each(|field| removed.add(field));
    let emptied = hash.finish();
    if !removed.is_empty() {
        cx.event_on(Event::Hash, "hdel", &args[1], &removed);
        if emptied {
            cx.notice(Event::Generic, "del", &args[1]);
        }
    }
    out.count(removed.count());
    Ok(())
}

fn remove(hash: &mut Update<'_, Hash>, field: &[u8], now_ms: u64) -> bool {
    hash.remove(field, now_ms) || hash.remove_expired(field, now_ms)
}
