//! Single bits, counts, positions and whole strings combined.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::string_value::edit;
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::Value;
use resp::Reply;
use std::sync::Arc;
use types::bits::combine::{Operation, combine};
use types::bits::field::parse_offset;
use types::bits::{self, Range, RangeUnit};

pub const COMMANDS: &[Command] = &[
    row("SETBIT", setbit)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Sets or clears the bit at an offset of the string value; creates the key if it is absent.")
        .syntax("key:key offset:integer value:integer"),
    row("GETBIT", getbit)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Returns the bit at an offset of the string value.")
        .syntax("key:key offset:integer"),
    row("BITCOUNT", bitcount)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.6.0")
        .complexity("O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")])
        .summary("Counts the set bits of a string or of a range of it.")
        .syntax("key:key range{start:integer end:integer unit(byte=BYTE|bit=BIT)?^7.0.0}?"),
    row("BITPOS", bitpos)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.8.7")
        .complexity("O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")])
        .summary("Finds the first bit that is set, or clear, in a string or in a range of it.")
        .syntax(concat!(
            "key:key bit:integer ",
            "range{start:integer end-unit-block{end:integer unit(byte=BYTE|bit=BIT)?^7.0.0}?}?",
        )),
    row("BITOP", bitop)
        .arity(-4)
        .keys(&[KeySpec::at(2, OW | UPDATE), KeySpec::range(3, -1, 1, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .since("2.6.0")
        .complexity("O(N)")
        .summary("Combines strings bit by bit and stores the result.")
        .syntax(concat!(
            "operation(and=AND|or=OR|xor=XOR|not=NOT|diff=DIFF|diff1=DIFF1|andor=ANDOR|one=ONE) ",
            "destkey:key key:key*#1",
        )),
];

fn offset(cx: &Cx<'_>, args: Args<'_>, index: usize) -> Result<u64, Error> {
    parse_offset(&args[index], None, cx.shard.limits.string_bytes_max as u64).map_err(Error::err)
}

/// SETBIT key offset value
fn setbit(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
        grown = cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes().len() < len_min;
    }
    let was = edit(cx, key, pos, len_min, Some(len_min - 1..len_min), |bytes| bits::set(bytes, offset, on))?;
    if grown || was != on {
        cx.event(Event::String, "setbit", key.bytes);
    }
    out.int(i64::from(was));
    Ok(())
}

/// GETBIT key offset
fn getbit(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn bitcount(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn bitpos(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn bitop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let operation = Operation::parse(&args[1]).ok_or_else(|| Error::SYNTAX)?;
    operation.check_sources(args.len() - 3).map_err(Error::err)?;
    // One after the other, up to the first that is no string; what is over goes, so that the second look finds them where they stay.
    for index in 3..args.len() {
        cx.str(args.key(index))?;
    }
    let places: Vec<_> = (3..args.len()).map(|index| cx.find_for_write(args.key(index))).collect();
    let db = &*cx.db();
    let mut sources = Vec::with_capacity(places.len());
    for place in places {
        sources.push(match place {
            Some(pos) => db.str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes(),
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
