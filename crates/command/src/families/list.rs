//! Lists. Invariant: a list keeps the node limit it was made with; a list left empty goes with its key.
//!
//! The blocking forms wait for what the others report as nothing to do.

mod blocking;
mod ends;
mod inner;
mod read;
mod transfer;

use crate::Command;
use crate::spec::{Handler, KeySpec, access::*, acl};
use crate::{Args, Error};
use types::list::End;

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::LIST).group("list")
}

const POPPED: KeySpec = KeySpec::at(1, RW | ACCESS | DELETE);
const PUSHED: KeySpec = KeySpec::at(1, RW | INSERT);

/// `LEFT` or `RIGHT`.
fn end_at(args: Args<'_>, index: usize) -> Result<End, Error> {
    if args.is(index, "LEFT") {
        Ok(End::Head)
    } else if args.is(index, "RIGHT") {
        Ok(End::Tail)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The event for a push at `end`.
fn pushed(end: End) -> &'static str {
    if end == End::Head { "lpush" } else { "rpush" }
}

/// The event for a pop at `end`.
fn popped(end: End) -> &'static str {
    if end == End::Head { "lpop" } else { "rpop" }
}

/// A number whose magnitude does not fit: only the smallest of all.
fn long_range_error() -> Error {
    const MAX: i64 = i64::MAX;
    Error::err(format_args!("value is out of range, value must between -{MAX} and {MAX}"))
}

pub const COMMANDS: &[&[Command]] =
    &[blocking::COMMANDS, ends::COMMANDS, inner::COMMANDS, read::COMMANDS, transfer::COMMANDS];
