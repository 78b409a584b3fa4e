//! VADD.

use super::argument::{self, Given, check_input, mismatch};
use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::number::parse_i64;
use resp::Reply;
use types::VectorSet;
use types::vectorset::{M_MAX, M_MIN, Projection, Quant, Shape, Vector};

pub const COMMANDS: &[Command] = &[row("VADD", vadd)
    .arity(-5)
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | DENYOOM | UPPER_CASE)
    .complexity("O(log(N)) for each element added, where N is the number of elements in the vector set.")
    .summary("Add a new element to a vector set, or update its vector if it already exists.")
    .syntax(
        "key:key REDUCE@reduce{dim:integer}? format(fp32=FP32|values=VALUES) vector:string element:string cas=CAS? \
         quant_type(noquant=NOQUANT|bin=BIN|q8=Q8)? EF@build-exploration-factor:integer? \
         SETATTR@attributes:string? M@numlinks:integer?",
    )];

/// EF goes up to this.
pub const EF_MAX: i64 = 1_000_000;

struct Options<'a> {
    quant: Quant,
    ef: usize,
    m: usize,
    attributes: Option<&'a [u8]>,
}

/// What stands behind the element. CAS has Redis look for links on a thread; here it asks for nothing more.
fn options(args: Args<'_>, mut at: usize) -> Result<Options<'_>, Error> {
    let mut options = Options { quant: Quant::Q8, ef: 200, m: 16, attributes: None };
    let number = |at: usize, range: std::ops::RangeInclusive<i64>, error: &'static str| {
        let number = parse_i64(&args[at + 1]).filter(|number| range.contains(number));
        number.map(|number| number as usize).ok_or_else(|| Error::err(error))
    };
    while at < args.len() {
        let has_value = at + 1 < args.len();
        if args.is(at, "CAS") {
        } else if args.is(at, "EF") && has_value {
            options.ef = number(at, 1..=EF_MAX, "invalid EF")?;
            at += 1;
        } else if args.is(at, "M") && has_value {
            options.m = number(at, M_MIN as i64..=M_MAX as i64, "invalid M")?;
            at += 1;
        } else if args.is(at, "SETATTR") && has_value {
            options.attributes = args.get(at + 1);
            at += 1;
        } else if args.is(at, "NOQUANT") {
            options.quant = Quant::None;
        } else if args.is(at, "BIN") {
            options.quant = Quant::Bin;
        } else if args.is(at, "Q8") {
            options.quant = Quant::Q8;
        } else {
            return Err(Error::err("invalid option after element"));
        }
        at += 1;
    }
    Ok(options)
}

/// VADD key [REDUCE dim] FP32 blob|VALUES n number … element [CAS] [NOQUANT|Q8|BIN] [EF n] [SETATTR attributes] [M n]
fn vadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let given = argument::vector(args, 2, true)?;
    let element = args.get(given.next).ok_or_else(|| Error::wrong_arity("VADD"))?;
    let options = options(args, given.next + 1)?;
    let key = args.key(1);
    let (shape, vector) = match cx.peek_vectors(key)? {
        Some(set) => (None, fitting(&given, &options, set.shape())?),
        None => {
            let (shape, vector) = first(&given, &options)?;
            (Some(shape), vector)
        }
    };
    let new = || VectorSet::new(shape.expect("there is no set, so the first vector has made its shape"));
    let mut set = cx.upsert(key, new)?;
    let added = set.add(element, &vector, options.attributes, options.ef);
    drop(set);
    let added = added.map_err(|_| Error::err("the vector set has no room for another element"))?;
    cx.changed(key.bytes);
    out.boolean(added);
    Ok(())
}

/// What a set will be like whose first vector this is, and the vector.
fn first(given: &Given, options: &Options<'_>) -> Result<(Shape, Vector), Error> {
    let dimension = given.numbers.len();
    let projection = given.reduce.and_then(|reduce| Projection::new(dimension, reduce));
    let shape = Shape {
        dimension: given.reduce.unwrap_or(dimension),
        quant: options.quant,
        m: options.m,
        projection,
    };
    let vector = match &shape.projection {
        Some(projection) => given.kept(&shape, &projection.apply(&given.numbers))?,
        None => given.kept(&shape, &given.numbers)?,
    };
    Ok((shape, vector))
}

/// The vector for a set that is there, if all that was given suits it.
fn fitting(given: &Given, options: &Options<'_>, shape: &Shape) -> Result<Vector, Error> {
    if options.quant != shape.quant {
        return Err(Error::err("asked quantization mismatch with existing vector set"));
    }
    if options.m != shape.m {
        return Err(Error::err("asked M value mismatch with existing vector set"));
    }
    let dimension = given.numbers.len();
    match &shape.projection {
        None if dimension != shape.dimension => Err(mismatch(shape, dimension)),
        None if given.reduce.is_some() => {
            Err(Error::err("cannot add projection to existing set without projection"))
        }
        None => given.kept(shape, &given.numbers),
        Some(_) if given.reduce != Some(shape.dimension) => Err(mismatch(shape, dimension)),
        Some(projection) => {
            check_input(projection, dimension)?;
            given.kept(shape, &projection.apply(&given.numbers))
        }
    }
}
