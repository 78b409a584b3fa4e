//! JSON documents under keys. Invariant: no document is nested deeper than [`DEPTH_MAX`], so that its text can be parsed again.
//!
//! A `$` path is answered for all its matches, a legacy one for the first, or the last that was changed. What RedisJSON's code says of itself
//! (`Existing key has wrong Redis type`, errors of its parsers) comes without a code in front, as there.

mod array;
mod debug;
mod document;
mod get;
mod look;
mod merge;
mod number;
mod remove;
mod resp_form;
mod scalar;
mod set;

use crate::Command;
use crate::spec::{Handler, acl};

pub const COMMANDS: &[&[Command]] = &[
    set::COMMANDS,
    merge::COMMANDS,
    get::COMMANDS,
    resp_form::COMMANDS,
    remove::COMMANDS,
    look::COMMANDS,
    number::COMMANDS,
    scalar::COMMANDS,
    array::COMMANDS,
    debug::COMMANDS,
];

/// How many arrays and objects may stand around each other.
const DEPTH_MAX: usize = 127;

pub use get::Shape as JsonShape;
pub use resp_form::expand as expand_json;

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::JSON).group("json").since("1.0.0")
}
