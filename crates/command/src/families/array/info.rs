//! ARINFO: how an array is stored. The names are those of Redis; the numbers tell how it is done here.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Array;
use types::array::PAGE_POSITIONS;

pub const COMMANDS: &[Command] = &[row("ARINFO", arinfo)
    .arity(-2)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .complexity("O(1), or O(N) with FULL option where N is the number of slices.")
    .summary("Returns facts about how an array is stored.")
    .syntax("key:key full=FULL?")];

/// ARINFO key [FULL]
fn arinfo(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let full = args.len() > 2;
    if full && (args.len() > 3 || !args.is(2, "FULL")) {
        return Err(Error::SYNTAX);
    }
    let array = cx.read::<Array>(args.key(1))?.ok_or_else(|| Error::NO_SUCH_KEY)?;
    let next = array.cursor().map_or(0, |cursor| cursor + 1);
    let (pages, places, groups) = array.pages();
    out.map(if full { 12 } else { 7 });
    let facts = [
        ("count", array.len()),
        ("len", array.end()),
        ("next-insert-index", if next == u64::MAX { 0 } else { next }),
        ("slices", pages as u64),
        ("directory-size", places as u64),
        ("super-dir-entries", groups as u64),
        ("slice-size", PAGE_POSITIONS),
    ];
    for (name, value) in facts {
        out.bulk(name.as_bytes());
        out.natural(value);
    }
    if full {
        reply_figures(out, array);
    }
    Ok(())
}

fn reply_figures(out: &mut Reply, array: &Array) {
    let figures = array.figures();
    let ratio = |part: f64, whole: usize| if whole == 0 { 0.0 } else { part / whole as f64 };
    for (name, value) in [("dense-slices", figures.dense_pages), ("sparse-slices", figures.sparse_pages)] {
        out.bulk(name.as_bytes());
        out.count(value);
    }
    for (name, value) in [
        ("avg-dense-size", ratio(figures.dense_covered as f64, figures.dense_pages)),
        ("avg-dense-fill", ratio(figures.dense_set as f64, figures.dense_covered)),
        ("avg-sparse-size", ratio(figures.sparse_set as f64, figures.sparse_pages)),
    ] {
        out.bulk(name.as_bytes());
        out.double(value);
    }
}
