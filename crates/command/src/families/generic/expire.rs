//! Times to live. All are kept as unix time in milliseconds.

use super::GENERIC;
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;

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
pub fn expireat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    set(cx, args, out, "expireat", 1000, 0)
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub fn pexpireat(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
    } else {
        cx.touch(pos);
        cx.db().set_expire(pos, Some(at_ms as u64));
        cx.event(GENERIC, "expire", key.bytes);
    }
    out.int(1);
    Ok(())
}

/// PERSIST key
pub fn persist(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
pub fn pttl(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    tell(cx, args, out, |at_ms| at_ms - now_ms)
}

/// EXPIRETIME key
pub fn expiretime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    tell(cx, args, out, in_seconds)
}

/// PEXPIRETIME key
pub fn pexpiretime(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
