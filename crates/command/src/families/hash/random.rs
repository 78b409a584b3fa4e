//! HRANDFIELD.

use super::{NONDETERMINISTIC, READ, fields, row};
use crate::items::{check_draws, reply_item, reply_value};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx};
use base::random::Random;
use keyspace::Pos;
use keyspace::Typed;
use resp::Reply;
use std::collections::HashSet;
use types::Hash;
use types::hash::Entry;

pub const COMMANDS: &[Command] = &[row("HRANDFIELD", hrandfield)
    .arity(-2)
    .keys(READ)
    .flags(READONLY)
    .since("6.2.0")
    .complexity("O(N) where N is the number of fields returned")
    .summary("Returns random fields of a hash.")
    .tips(NONDETERMINISTIC)
    .syntax("key:key options{count:integer withvalues=WITHVALUES?}?")];

/// From how large a part of all fields on it is cheaper to leave some out than to draw until enough are found: 1/this.
const DRAW_SHARE: usize = 3;

/// HRANDFIELD key [count [WITHVALUES]]
fn hrandfield(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return several(cx, args, out);
    }
    let key = args.key(1);
    let Some(pos) = fields::find(cx, key)? else {
        out.null();
        return Ok(());
    };
    if fields::forget_all_expired(cx, key, pos) {
        out.null();
        return Ok(());
    }
    let now_ms = cx.now_ms();
    let (hash, random) = hash_and_random(cx, pos);
    match hash.random(now_ms, &mut || random.next_u64()) {
        Some(entry) => reply_item(out, entry.field),
        None => out.null(),
    }
    Ok(())
}

fn hash_and_random<'c>(cx: &'c mut Cx<'_>, pos: Pos) -> (&'c Hash, &'c mut Random) {
    let ShardCx { dbs, random, .. } = &mut *cx.shard;
    (Hash::of(dbs[cx.db as usize].value(pos)).expect("the type was checked"), random)
}

/// How the fields are to be shown.
#[derive(Clone, Copy)]
struct Form {
    values: bool,
}

impl Form {
    fn header(self, out: &mut Reply, count: usize) {
        out.array(if self.values && !out.resp3 { 2 * count } else { count });
    }

    fn entry(self, out: &mut Reply, entry: Entry<'_>) {
        if self.values && out.resp3 {
            out.array(2);
        }
        reply_item(out, entry.field);
        if self.values {
            reply_value(out, entry.value);
        }
    }
}

fn several(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (count, form) = parse(args)?;
    let key = args.key(1);
    let Some(pos) = fields::find(cx, key)? else {
        out.array(0);
        return Ok(());
    };
    if fields::forget_all_expired(cx, key, pos) || count == 0 {
        out.array(0);
        return Ok(());
    }
    let now_ms = cx.now_ms();
    let (hash, random) = hash_and_random(cx, pos);
    if count < 0 {
        return with_repetition(hash, random, count.unsigned_abs(), now_ms, form, out);
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(hash.len());
    form.header(out, count);
    distinct(hash, random, count, now_ms, |entry| form.entry(out, entry));
    Ok(())
}

fn parse(args: Args<'_>) -> Result<(i64, Form), Error> {
    let count = args.int(2)?;
    if count == i64::MIN {
        return Err(Error::err(format_args!(
            "value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )));
    }
    match args.len() {
        3 => Ok((count, Form { values: false })),
        4 if args.is(3, "WITHVALUES") && count.unsigned_abs() > i64::MAX as u64 / 2 => {
            Err(Error::OUT_OF_RANGE)
        }
        4 if args.is(3, "WITHVALUES") => Ok((count, Form { values: true })),
        _ => Err(Error::SYNTAX),
    }
}

fn with_repetition(
    hash: &Hash,
    random: &mut Random,
    count: u64,
    now_ms: u64,
    form: Form,
    out: &mut Reply,
) -> Outcome {
    check_draws(count, hash.bytes(), hash.len())?;
    form.header(out, count as usize);
    if let Hash::Table(_) = hash {
        for _ in 0..count {
            let entry = hash.random(now_ms, &mut || random.next_u64()).expect("a hash has a field");
            form.entry(out, entry);
        }
        return Ok(());
    }
    // Finding the nth field of a packed hash takes a walk: one for all.
    let entries: Vec<_> = hash.iter(now_ms).collect();
    for _ in 0..count {
        form.entry(out, entries[random.index(entries.len())]);
    }
    Ok(())
}

/// Shows `count` different fields, at most as many as there are; all of them equally likely.
fn distinct<'h>(
    hash: &'h Hash,
    random: &mut Random,
    count: usize,
    now_ms: u64,
    mut show: impl FnMut(Entry<'h>),
) {
    if count == 1 {
        hash.random(now_ms, &mut || random.next_u64()).into_iter().for_each(show);
    } else if matches!(hash, Hash::Table(_)) && count.saturating_mul(DRAW_SHARE) < hash.len() {
        let mut seen = HashSet::with_capacity(count);
        while seen.len() < count {
            let entry = hash.random(now_ms, &mut || random.next_u64()).expect("a hash has a field");
            if seen.insert(entry.field.text().to_vec()) {
                show(entry);
            }
        }
    } else {
        // Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): in one pass, in order.
        let (mut left, mut wanted) = (hash.len(), count);
        for entry in hash.iter(now_ms) {
            if random.index(left) < wanted {
                show(entry);
                wanted -= 1;
            }
            left -= 1;
        }
    }
}
