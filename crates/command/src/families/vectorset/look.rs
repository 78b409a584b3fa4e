//! Looking at a set and its elements: VCARD, VDIM, VINFO, VISMEMBER, VGETATTR, VEMB, VLINKS.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::VectorSet;
use types::vectorset::Quant;

pub const COMMANDS: &[Command] = &[
    row("VCARD", vcard)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Return the number of elements in a vector set.")
        .syntax("key:key"),
    row("VDIM", vdim)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Return the dimension of vectors in the vector set.")
        .syntax("key:key"),
    row("VINFO", vinfo)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Return information about a vector set.")
        .syntax("key:key"),
    row("VISMEMBER", vismember)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | UPPER_CASE)
        .since("8.2.0")
        .complexity("O(1)")
        .summary("Check if an element exists in a vector set.")
        .syntax("key:key element:string"),
    row("VGETATTR", vgetattr)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Retrieve the JSON attributes of elements.")
        .syntax("key:key element:string"),
    row("VEMB", vemb)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Return the vector associated with an element.")
        .syntax("key:key element:string raw=RAW?"),
    row("VLINKS", vlinks)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Return the neighbors of an element at each layer in the HNSW graph.")
        .syntax("key:key element:string withscores=WITHSCORES?"),
];

/// VCARD key
fn vcard(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<VectorSet>(args.key(1))?.map_or(0, VectorSet::len));
    Ok(())
}

/// VDIM key
fn vdim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let set = cx.read::<VectorSet>(args.key(1))?.ok_or_else(|| Error::err("key does not exist"))?;
    out.count(set.shape().dimension);
    Ok(())
}

/// VINFO key
fn vinfo(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let Some(set) = cx.read::<VectorSet>(args.key(1))? else {
        out.null_array();
        return Ok(());
    };
    let shape = set.shape();
    out.map(9);
    out.status("quant-type");
    out.status(shape.quant.name());
    let facts = [
        ("hnsw-m", shape.m as u64),
        ("vector-dim", shape.dimension as u64),
        ("projection-input-dim", shape.projection.as_ref().map_or(0, |projection| projection.input() as u64)),
        ("size", set.len() as u64),
        ("max-level", set.level() as u64),
        ("attributes-count", set.with_attributes() as u64),
        ("vset-uid", set.uid()),
        ("hnsw-max-node-uid", set.made()),
    ];
    for (name, value) in facts {
        out.status(name);
        out.natural(value);
    }
    Ok(())
}

/// VISMEMBER key element
fn vismember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let set = cx.read::<VectorSet>(args.key(1))?;
    out.boolean(set.is_some_and(|set| set.find(&args[2]).is_some()));
    Ok(())
}

/// VGETATTR key element
fn vgetattr(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let set = cx.read::<VectorSet>(args.key(1))?;
    match set.and_then(|set| set.attributes(set.find(&args[2])?)) {
        Some(attributes) => out.bulk(attributes),
        None => out.null(),
    }
    Ok(())
}

/// VEMB key element [RAW]
fn vemb(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if (3..args.len()).any(|at| !args.is(at, "RAW")) {
        return Err(Error::err("invalid option"));
    }
    let is_raw = args.len() > 3;
    let set = cx.read::<VectorSet>(args.key(1))?;
    let Some((set, kept)) = set.and_then(|set| Some((set, set.kept(set.find(&args[2])?)?))) else {
        out.null();
        return Ok(());
    };
    let shape = set.shape();
    if is_raw {
        let has_range = shape.quant == Quant::Q8;
        out.array(3 + usize::from(has_range));
        out.status(shape.quant.name());
        let mut bytes = kept.bytes.into_owned();
        bytes.resize(shape.quant.raw_bytes(shape.dimension), 0);
        out.bulk(&bytes);
        out.double(kept.norm.into());
        if has_range {
            out.double(kept.range.into());
        }
        return Ok(());
    }
    let numbers = shape.quant.numbers(&kept, shape.dimension);
    out.array(numbers.len());
    numbers.into_iter().for_each(|number| out.double(number.into()));
    Ok(())
}

/// VLINKS key element [WITHSCORES]
fn vlinks(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let with_scores = args.len() > 3;
    if with_scores && (args.len() > 4 || !args.is(3, "WITHSCORES")) {
        return Err(Error::wrong_arity("VLINKS"));
    }
    let set = cx.read::<VectorSet>(args.key(1))?;
    let Some((set, levels)) = set.and_then(|set| Some((set, set.links(set.find(&args[2])?)?))) else {
        out.null();
        return Ok(());
    };
    out.array(levels.len());
    for level in levels {
        match with_scores {
            true => out.map(level.len()),
            false => out.array(level.len()),
        }
        for hit in level {
            out.bulk(set.name(hit.number).unwrap_or_default());
            if with_scores {
                // As in Redis a float, but in VSIM a double.
                let score = (1.0 - f64::from(hit.distance) / 2.0) as f32;
                out.double(score.into());
            }
        }
    }
    Ok(())
}
