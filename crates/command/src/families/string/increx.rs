//! INCREX: a counter within bounds that may get a time to live in the same step.
//!
//! A result outside the bounds (or the type) is declined, which changes nothing, or with SATURATE becomes the nearest
//! bound. The reply is the value after that and the difference to the one before.

use super::row;
use crate::expiry::Expiration;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::string_value::put_changed;
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::extended::Extended;
use base::number::{I64Buf, parse_i64};
use keyspace::Key;
use keyspace::Pos;
use resp::Reply;

pub const COMMANDS: &[Command] = &[row("INCREX", increx)
    .arity(-2)
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST)
    .since("8.8.0")
    .summary("Adds a number to the value of a key within bounds and may set its time to live.")
    .syntax(concat!(
        "key:key increment(BYFLOAT@float:double|BYINT@integer:integer)? saturate=SATURATE? ",
        "LBOUND@lowerbound:string? UBOUND@upperbound:string? ",
        "expiration(EX@seconds:integer|PX@milliseconds:integer|EXAT@unix-time-seconds:unix-time|",
        "PXAT@unix-time-milliseconds:unix-time|persist=PERSIST)? enx=ENX?",
    ))];

#[derive(Default)]
struct Request<'a> {
    by: Option<By<'a>>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    expiration: Expiration<'a>,
    /// `ENX`: only a key without a time to live gets one.
    enx: bool,
}

enum By<'a> {
    Int(&'a [u8]),
    Float(&'a [u8]),
}

/// INCREX key [BYFLOAT increment | BYINT increment] [LBOUND lowerbound] [UBOUND upperbound] [SATURATE]
/// [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]
pub fn increx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let request = parse(args)?;
    match request.by {
        Some(By::Float(text)) => by_float(cx, args.key(1), text, &request, out),
        Some(By::Int(text)) => by_int(cx, args.key(1), text, &request, out),
        None => by_int(cx, args.key(1), b"1", &request, out),
    }
}

/// No option may come twice.
fn parse(args: Args<'_>) -> Result<Request<'_>, Error> {
    let mut request = Request::default();
    let mut index = 2;
    while index < args.len() {
        let value = args.get(index + 1);
        index += match value {
            Some(text) if args.is(index, "BYINT") && request.by.is_none() => {
                request.by = Some(By::Int(text));
                2
            }
            Some(text) if args.is(index, "BYFLOAT") && request.by.is_none() => {
                request.by = Some(By::Float(text));
                2
            }
            Some(text) if args.is(index, "LBOUND") && request.lower.is_none() => {
                request.lower = Some(text);
                2
            }
            Some(text) if args.is(index, "UBOUND") && request.upper.is_none() => {
                request.upper = Some(text);
                2
            }
            _ if args.is(index, "SATURATE") && !request.saturate => {
                request.saturate = true;
                1
            }
            _ if args.is(index, "ENX") && !request.enx => {
                request.enx = true;
                1
            }
            _ if request.expiration == Expiration::Unspecified => {
                match request.expiration.read(args, index, Expiration::Persist) {
                    0 => return Err(Error::SYNTAX),
                    count => count,
                }
            }
            _ => return Err(Error::SYNTAX),
        };
    }
    match request.expiration {
        Expiration::Persist if request.enx => Err(Error::SYNTAX),
        Expiration::Unspecified if request.enx => Err(Error::err("ENX flag requires an expiration")),
        _ => Ok(request),
    }
}

fn by_int(cx: &mut Cx<'_>, key: Key<'_>, by: &[u8], request: &Request<'_>, out: &mut Reply) -> Outcome {
    let number = |text: &[u8], what: &str| {
        parse_i64(text).ok_or_else(|| Error::err(format_args!("{what} is not an integer or out of range")))
    };
    let by = number(by, "Increment")?;
    let lower = request.lower.map_or(Ok(i64::MIN), |text| number(text, "LBOUND"))?;
    let upper = request.upper.map_or(Ok(i64::MAX), |text| number(text, "UBOUND"))?;
    check_bounds(lower > upper)?;
    let at_ms = request.expiration.at_ms(cx.now_ms(), "increx")?;
    let pos = cx.find_for_write(key);
    let old = match pos {
        Some(pos) => {
            let text = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes();
            parse_i64(text).ok_or_else(|| Error::NOT_AN_INTEGER)?
        }
        None => 0,
    };
    let sum = i128::from(old) + i128::from(by);
    let bounded = sum.clamp(i128::from(lower), i128::from(upper));
    out.array(2);
    if bounded != sum && !request.saturate {
        out.int(old);
        out.int(0);
        return Ok(());
    }
    let delta = i64::try_from(bounded - i128::from(old))
        .map_err(|_| Error::err("applied increment would overflow"))?;
    // Within the bounds, which are of this type.
    let new = bounded as i64;
    store(cx, key, pos, I64Buf::new(new).as_bytes(), "incrby", request, at_ms);
    out.int(new);
    out.int(delta);
    Ok(())
}

fn by_float(cx: &mut Cx<'_>, key: Key<'_>, by: &[u8], request: &Request<'_>, out: &mut Reply) -> Outcome {
    let number = |text: &[u8], what: &str| {
        Extended::parse(text).ok_or_else(|| Error::err(format_args!("{what} is not a valid float")))
    };
    let by = number(by, "Increment")?;
    if !by.is_finite() {
        return Err(Error::err("BYFLOAT increment cannot be Infinity"));
    }
    let lower = request.lower.map_or(Ok(Extended::MAX.negated()), |text| number(text, "LBOUND"))?;
    let upper = request.upper.map_or(Ok(Extended::MAX), |text| number(text, "UBOUND"))?;
    check_bounds(lower.exceeds(upper))?;
    let at_ms = request.expiration.at_ms(cx.now_ms(), "increx")?;
    let pos = cx.find_for_write(key);
    let old = match pos {
        Some(pos) => {
            let text = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes();
            Extended::parse(text).ok_or_else(|| Error::NOT_A_FLOAT)?
        }
        None => Extended::ZERO,
    };
    if !old.is_finite() {
        return Err(Error::err("value cannot be Infinity"));
    }
    let sum = old.plus(by);
    // An infinite bound lets nothing infinite through.
    let outside = sum.exceeds(upper) || lower.exceeds(sum) || !sum.is_finite();
    out.array(2);
    if outside && !request.saturate {
        reply_float(out, old);
        reply_float(out, Extended::ZERO);
        return Ok(());
    }
    let new = match outside {
        false => sum,
        true if lower.exceeds(sum) => lower,
        true => upper,
    };
    let delta = new.plus(old.negated());
    if !delta.is_finite() {
        return Err(Error::err("applied increment would be Infinity"));
    }
    let mut text = Vec::new();
    new.append_human(&mut text);
    store(cx, key, pos, &text, "incrbyfloat", request, at_ms);
    out.double_text(&text);
    reply_float(out, delta);
    Ok(())
}

fn reply_float(out: &mut Reply, value: Extended) {
    let mut text = Vec::new();
    value.append_human(&mut text);
    out.double_text(&text);
}

fn check_bounds(crossed: bool) -> Outcome {
    if crossed { Err(Error::err("LBOUND can't be greater than UBOUND")) } else { Ok(()) }
}

/// Stores the number and sets the time to live, or deletes the key if that is over.
fn store(
    cx: &mut Cx<'_>,
    key: Key<'_>,
    pos: Option<Pos>,
    text: &[u8],
    event: &'static str,
    request: &Request<'_>,
    at_ms: Option<u64>,
) {
    let old = pos.and_then(|pos| cx.db().expire(pos));
    let at_ms = at_ms.filter(|_| !request.enx || old.is_none());
    if request.expiration.is_over(at_ms, cx.now_ms()) {
        if let Some(pos) = pos {
            cx.db().remove(pos);
            cx.event(Event::Generic, "del", key.bytes);
            if cx.logs() {
                cx.log_over(key.bytes);
            }
        }
        return;
    }
    let persist = request.expiration == Expiration::Persist;
    put_changed(cx, key, pos, text, if persist { None } else { at_ms.or(old) });
    cx.event(Event::String, event, key.bytes);
    if cx.logs() {
        cx.log_set(key.bytes, text, at_ms, !persist);
    }
    if at_ms.is_some() {
        cx.notice(Event::Generic, "expire", key.bytes);
    } else if persist && old.is_some() {
        cx.notice(Event::Generic, "persist", key.bytes);
    }
}
