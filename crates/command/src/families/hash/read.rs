//! Reading hashes.

use super::fields::{self, find, may_be_over};
use crate::items::{reply_item, run_item};
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use types::Hash;

/// What a command shows of each field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Both,
    Fields,
    Values,
}

/// HGET key field
pub fn hget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    one(cx, args, |hash, now_ms| match hash.get(&args[2], now_ms) {
        Some(value) => {
            reply_item(out, value);
            true
        }
        None => false,
    })
    .map(|found| {
        if !found {
            out.null()
        }
    })
}

/// HEXISTS key field
pub fn hexists(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let found = one(cx, args, |hash, now_ms| hash.contains(&args[2], now_ms))?;
    out.int(i64::from(found));
    Ok(())
}

/// HSTRLEN key field
pub fn hstrlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut bytes = 0;
    one(cx, args, |hash, now_ms| match hash.get(&args[2], now_ms) {
        Some(value) => {
            bytes = value.len();
            true
        }
        None => false,
    })?;
    out.count(bytes);
    Ok(())
}

/// Has `look` look for the field in argument 2, and removes it if it was not found because it has expired.
#[inline]
fn one(cx: &mut Cx<'_>, args: Args<'_>, look: impl FnOnce(&Hash, u64) -> bool) -> Result<bool, Error> {
    let key = args.key(1);
    let Some(pos) = find(cx, key)? else { return Ok(false) };
    let now_ms = cx.now_ms();
    let hash = fields::at(cx, pos);
    if look(hash, now_ms) {
        return Ok(true);
    }
    if may_be_over(hash, now_ms) {
        fields::forget_expired(cx, key, pos, args.from(2).take(1));
    }
    Ok(false)
}

/// HMGET key field [field …]
pub fn hmget(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let pos = find(cx, key)?;
    out.array(args.len() - 2);
    let Some(pos) = pos else {
        args.from(2).for_each(|_| out.null());
        return Ok(());
    };
    let now_ms = cx.now_ms();
    let hash = fields::at(cx, pos);
    let mut missed = false;
    for field in args.from(2) {
        match hash.get(field, now_ms) {
            Some(value) => reply_item(out, value),
            None => {
                missed = true;
                out.null();
            }
        }
    }
    if missed && may_be_over(hash, now_ms) {
        fields::forget_expired(cx, key, pos, args.from(2));
    }
    Ok(())
}

/// HLEN key: expired fields that are still there count.
pub fn hlen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<Hash>(args.key(1))?.map_or(0, Hash::len));
    Ok(())
}

/// HGETALL key
pub fn hgetall(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    all(cx, args, out, Shown::Both)
}

/// HKEYS key
pub fn hkeys(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    all(cx, args, out, Shown::Fields)
}

/// HVALS key
pub fn hvals(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    all(cx, args, out, Shown::Values)
}

fn all(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply, shown: Shown) -> Outcome {
    let now_ms = cx.now_ms();
    let hash = cx.read::<Hash>(args.key(1))?;
    let len = hash.map_or(0, |hash| hash.live_len(now_ms));
    if shown == Shown::Both {
        out.map(len)
    } else {
        out.array(len)
    }
    let Some(hash) = hash else { return Ok(()) };
    let mut run = out.run(0);
    for entry in hash.iter(now_ms) {
        if shown != Shown::Values {
            run_item(&mut run, entry.field);
        }
        if shown != Shown::Fields {
            run_item(&mut run, entry.value);
        }
    }
    Ok(())
}
