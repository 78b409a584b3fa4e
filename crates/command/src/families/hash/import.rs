//! HIMPORT: many hashes with the same fields, whose names the client sends but once.
//!
//! The names are a fieldset of the session; in a script, of that script, and gone with it (`scripting::run`).
//! HIMPORT SET may have to run on another shard, so its fieldset is looked up where the connection is, when the
//! command's turn has come, and the pairs travel in the place of the values (`paired`).

use super::fields::check_type;
use super::row;
use crate::notices::subkeys::Subkeys;
use crate::session::Fieldset;
use crate::spec::{KeySpec, Plan, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::{Key, Value};
use resp::Reply;
use types::Hash;
use types::hash::FieldTtl;

const ALL_SHARDS: &[&str] = &["request_policy:all_shards"];

pub const COMMANDS: &[Command] = &[Command::container("HIMPORT", IMPORT)
    .acl(acl::HASH)
    .group("hash")
    .since("8.10.0")
    .complexity("Depends on subcommand.")
    .summary("A container for commands that store many hashes with the same fields.")];

const IMPORT: &[Command] = &[
    row("DISCARD", discard)
        .arity(3)
        .since("8.10.0")
        .complexity("O(N) where N is the number of session-local fieldsets.")
        .summary("Forgets a fieldset of the session.")
        .tips(ALL_SHARDS)
        .syntax("fieldset-name:string"),
    row("DISCARDALL", discard_all)
        .arity(2)
        .since("8.10.0")
        .complexity("O(N) where N is the number of session-local fieldsets.")
        .summary("Forgets all fieldsets of the session.")
        .tips(ALL_SHARDS),
    row("PREPARE", prepare)
        .arity(-4)
        .flags(DENYOOM)
        .since("8.10.0")
        .complexity("O(N*log(N)) where N is the number of fields.")
        .summary("Names the fields of hashes to come: a fieldset of the session.")
        .tips(ALL_SHARDS)
        .syntax("fieldset-name:string field:string*"),
    row("SET", set)
        .arity(-5)
        .keys(&[KeySpec::at(2, OW | UPDATE)])
        .plan(Plan::WithSession(pair, &PAIRED))
        .flags(WRITE | DENYOOM)
        .since("8.10.0")
        .complexity("O(N) where N is the number of fields in the fieldset.")
        .summary("Stores a hash: the fields of a fieldset with these values.")
        .syntax("key:key fieldset-name:string value:string*"),
];

/// HIMPORT SET as it travels: `HIMPORT SET key verdict [field value …]`.
pub const PAIRED: Command =
    Command::new("SET", set_paired).arity(-4).keys(&[KeySpec::at(2, OW | UPDATE)]).flags(WRITE | DENYOOM);

/// Verdicts on the fieldset and the count of values.
const GOOD: &[u8] = b"good";
const NO_FIELDSET: &[u8] = b"fieldset";
const WRONG_COUNT: &[u8] = b"count";

/// HIMPORT PREPARE fieldset-name field [field …]
fn prepare(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    prepare_among(&mut cx.session().fieldsets, args, out)
}

fn prepare_among(fieldsets: &mut Vec<Fieldset>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let fieldset = Fieldset::new(&args[2], args.from(3));
    let fieldset = fieldset.ok_or_else(|| Error::err("duplicate field name in fieldset"))?;
    match fieldsets.iter_mut().find(|other| other.name == fieldset.name) {
        Some(other) => *other = fieldset,
        None => fieldsets.push(fieldset),
    }
    out.ok();
    Ok(())
}

/// HIMPORT DISCARD fieldset-name
fn discard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    discard_among(&mut cx.session().fieldsets, args, out)
}

fn discard_among(fieldsets: &mut Vec<Fieldset>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let before = fieldsets.len();
    fieldsets.retain(|fieldset| fieldset.name != args[2]);
    out.count(before - fieldsets.len());
    Ok(())
}

/// HIMPORT DISCARDALL
fn discard_all(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    discard_all_among(&mut cx.session().fieldsets, args, out)
}

fn discard_all_among(fieldsets: &mut Vec<Fieldset>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(std::mem::take(fieldsets).len());
    Ok(())
}

/// A command about fieldsets, wherever they are.
pub type AboutFieldsets = fn(&mut Vec<Fieldset>, Args<'_>, &mut Reply) -> Outcome;

/// What a command does to a script's own fieldsets, if it is about fieldsets and no key.
pub fn about_fieldsets(command: &Command) -> Option<AboutFieldsets> {
    match command.full_name {
        "himport|prepare" => Some(prepare_among),
        "himport|discard" => Some(discard_among),
        "himport|discardall" => Some(discard_all_among),
        _ => None,
    }
}

/// Puts the arguments of HIMPORT SET as [`PAIRED`] takes them.
fn pair(fieldsets: &[Fieldset], args: Args<'_>, put: &mut dyn FnMut(&[u8])) {
    args.from(0).take(3).for_each(&mut *put);
    match find(fieldsets, args) {
        Err(verdict) => put(verdict),
        Ok(fieldset) => {
            put(GOOD);
            for (field, value) in pairs(fieldset, args) {
                put(field);
                put(value);
            }
        }
    }
}

fn find<'s>(fieldsets: &'s [Fieldset], args: Args<'_>) -> Result<&'s Fieldset, &'static [u8]> {
    let fieldset = fieldsets.iter().find(|fieldset| fieldset.name == args[3]);
    let fieldset = fieldset.ok_or(NO_FIELDSET)?;
    if fieldset.fields.len() == args.len() - 4 { Ok(fieldset) } else { Err(WRONG_COUNT) }
}

fn pairs<'a>(fieldset: &'a Fieldset, args: Args<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
    fieldset.fields.iter().map(move |(name, index)| (name.as_slice(), args.at(4 + index)))
}

fn refused(verdict: &[u8]) -> Error {
    Error::err(match verdict {
        NO_FIELDSET => "no such fieldset",
        _ => "value count does not match fieldset field count",
    })
}

/// HIMPORT SET key fieldset-name value [value …], where the session is at hand.
fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_type(cx, args.key(2))?;
    let session = cx.conn.and_then(|conn| cx.shard.sessions.get(conn));
    let fieldset =
        session.ok_or(NO_FIELDSET).and_then(|session| find(&session.fieldsets, args)).map_err(refused)?;
    let hash = build(cx, pairs(fieldset, args));
    put(cx, args.key(2), hash, out)
}

/// [`PAIRED`]
fn set_paired(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    check_type(cx, args.key(2))?;
    if args[3] != *GOOD {
        return Err(refused(&args[3]));
    }
    let fields = (4..args.len()).step_by(2);
    let hash = build(cx, fields.map(|index| (args.at(index), args.at(index + 1))));
    put(cx, args.key(2), hash, out)
}

fn build<'a>(cx: &Cx<'_>, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Hash {
    let (limits, seed, now_ms) = (cx.shard.limits.hash, &cx.shard.seed, cx.now_ms());
    let mut hash = Hash::new();
    hash.grow(pairs.clone().flat_map(|(field, value)| [field, value]), &limits, seed);
    for (field, value) in pairs {
        hash.set(field, value, FieldTtl::Clear, now_ms, &limits, seed);
    }
    hash
}

fn put(cx: &mut Cx<'_>, key: Key<'_>, hash: Hash, out: &mut Reply) -> Outcome {
    let (age, fields) = (cx.shard.clock_age(), names(cx, &hash));
    let pos = cx.find_for_write(key);
    if cx.logs() {
        if pos.is_some() {
            cx.log_deleted(key.bytes);
        }
        let pair = |entry: types::hash::Entry<'_>| [entry.field.to_vec(), entry.value.to_vec()];
        let words: Vec<Vec<u8>> = hash.iter_all().flat_map(pair).collect();
        cx.log_groups(b"HSET", key.bytes, words.iter().map(Vec::as_slice), 2);
    }
    cx.db().put(key, pos, Value::Hash(Box::new(hash)), None, age);
    cx.notice_on(Event::Hash, "hset", key.bytes, &fields);
    cx.shard.dirty += 1;
    out.ok();
    Ok(())
}

/// The fields in the order in which Redis keeps those of a fieldset: short names first.
fn names(cx: &Cx<'_>, hash: &Hash) -> Subkeys {
    let mut fields = cx.subkeys();
    if cx.shard.notices.subkeys {
        let mut names: Vec<_> = hash.iter_all().map(|entry| entry.field.with_text(<[u8]>::to_vec)).collect();
        names.sort_unstable_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
        names.iter().for_each(|name| fields.add(name));
    }
    fields
}
