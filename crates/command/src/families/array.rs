//! Arrays: texts at positions of 64 bits, most of them empty. Invariant: an array left empty goes with its key.

mod aggregate;
mod cursor;
mod element;
mod grep;
mod info;
mod pattern;
mod range;
mod regular;
mod stepped;

use crate::spec::{Handler, acl};
use crate::{Args, Command, Error};
use base::number::parse_u64_lenient;
use resp::Reply;
use types::Array;
use types::array::{Element, INDEX_MAX};

pub const COMMANDS: &[&[Command]] = &[
    element::COMMANDS,
    range::COMMANDS,
    cursor::COMMANDS,
    aggregate::COMMANDS,
    grep::COMMANDS,
    info::COMMANDS,
];

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::ARRAY).group("array").since("8.8.0")
}

/// Positions in one reply that may all be empty: more would be a reply out of nothing.
const EMPTY_MAX: u64 = 1_000_000;

/// The position that argument `at` names.
fn index(args: Args<'_>, at: usize) -> Result<u64, Error> {
    let index = parse_u64_lenient(&args[at]).filter(|&index| index <= INDEX_MAX);
    index.ok_or_else(|| Error::err("invalid array index"))
}

/// Arguments from `from` on are positions, every `step`th of them.
fn check_indexes(args: Args<'_>, from: usize, step: usize) -> Result<(), Error> {
    (from..args.len()).step_by(step).try_for_each(|at| index(args, at).map(drop))
}

#[inline]
fn reply_element(out: &mut Reply, element: Element<'_>) {
    match element {
        Element::Int(value) => out.bulk_int(value),
        other => other.with_text(|text| out.bulk(text)),
    }
}

/// A position and what stands there.
fn reply_pair(out: &mut Reply, index: u64, element: Element<'_>) {
    out.array(2);
    out.natural(index);
    reply_element(out, element);
}

/// The elements from `first` to `last`, both included and in that order, nulls where there is none.
fn reply_positions(out: &mut Reply, array: Option<&Array>, first: u64, last: u64) {
    let mut left = first.abs_diff(last) + 1;
    if let Some(array) = array {
        array.visit(first, last, |index, element| {
            let behind = index.abs_diff(last);
            (behind + 1..left).for_each(|_| out.null());
            reply_element(out, element);
            left = behind;
            true
        });
    }
    (0..left).for_each(|_| out.null());
}
