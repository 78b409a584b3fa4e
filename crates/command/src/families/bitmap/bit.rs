//! Single bits, counts, positions and whole strings combined.

use crate::string_value::edit;
use crate::{Args, Cx, Error, Event, Outcome};
use keyspace::Value;
use resp::Reply;
use std::sync::Arc;
use types::bits::combine::{Operation, combine};
use types::bits::field::parse_offset;
use types::bits::{self, Range, RangeUnit};

fn offset(cx: &Cx<'_>, args: Args<'_>, index: usize) -> Result<u64, Error> {
    parse_offset(&args[index], None, cx.shard.limits.string_bytes_max as u64).map_err(Error::err)
}

/// SETBIT key offset value
pub fn setbit(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let offset = offset(cx, args, 2)?;
    let on = match &args[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(Error::BIT_VALUE),
    };
    let key = args.key(1);
    let pos = cx.find_for_write(key);
    let mut grown = pos.is_none();
    let len_min = (offset / 8) as usize + 1;
    if let Some(pos) = pos {
        grown = cx.db().str(pos).ok_or(Error::WRONG_TYPE)?.bytes().len() < len_min;
    }
    let was = edit(cx, key, pos, len_min, |bytes| bits::set(bytes, offset, on))?;
    if grown || was != on {
        cx.event(Event::String, "setbit", key.bytes);
    }
    out.int(i64::from(was));
    Ok(())
}

/// GETBIT key offset
pub fn getbit(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let offset = offset(cx, args, 2)?;
    let value = cx.str(args.key(1))?;
    out.int(i64::from(value.is_some_and(|value| bits::get(value.bytes(), offset))));
    Ok(())
}

fn unit(args: Args<'_>, index: usize) -> Result<RangeUnit, Error> {
    match args.get(index) {
        None => Ok(RangeUnit::Byte),
        _ if args.is(index, "BYTE") => Ok(RangeUnit::Byte),
        _ if args.is(index, "BIT") => Ok(RangeUnit::Bit),
        _ => Err(Error::SYNTAX),
    }
}

/// BITCOUNT key [start end [BYTE | BIT]]
pub fn bitcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let range = match args.len() {
        2 => None,
        4 | 5 => {
            let (start, end) = (args.int(2)?, args.int(3)?);
            Some(Range { start, end: Some(end), unit: unit(args, 4)? })
        }
        _ => return Err(Error::SYNTAX),
    };
    let bytes = cx.str(args.key(1))?.map_or(&b""[..], |value| value.bytes());
    out.int(match range {
        Some(range) => bits::count_range(bytes, range),
        None => bits::count(bytes),
    } as i64);
    Ok(())
}

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub fn bitpos(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let bit = match args.int(2)? {
        0 => false,
        1 => true,
        _ => return Err(Error::err("The bit argument must be 1 or 0.")),
    };
    let range = match args.len() {
        3 => None,
        4..=6 => {
            let (start, unit) = (args.int(3)?, unit(args, 5)?);
            let end = if args.len() > 4 { Some(args.int(4)?) } else { None };
            Some(Range { start, end, unit })
        }
        _ => return Err(Error::SYNTAX),
    };
    let value = cx.str(args.key(1))?;
    out.int(bits::position(value.map(|value| value.bytes()), bit, range));
    Ok(())
}

/// BITOP operation destkey key [key …]
pub fn bitop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let operation = Operation::parse(&args[1]).ok_or(Error::SYNTAX)?;
    operation.check_sources(args.len() - 3).map_err(Error::err)?;
    let places = cx.find_all((3..args.len()).map(|index| args.key(index)));
    let db = &*cx.db();
    let mut sources = Vec::with_capacity(places.len());
    for place in places {
        sources.push(match place {
            Some(pos) => db.str(pos).ok_or(Error::WRONG_TYPE)?.bytes(),
            None => b"",
        });
    }
    let result = combine(operation, &sources).map_err(Error::err)?;
    let len = result.len();
    let key = args.key(2);
    let (pos, age) = (cx.find_for_write(key), cx.shard.clock_age());
    if len > 0 {
        cx.db().put(key, pos, Value::Str { bytes: Arc::new(result), raw: true }, None, age);
        cx.event(Event::String, "set", key.bytes);
    } else if let Some(pos) = pos {
        cx.db().remove(pos);
        cx.event(Event::Generic, "del", key.bytes);
    }
    out.count(len);
    Ok(())
}
