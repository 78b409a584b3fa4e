//! Strings as arrays of bits. The algorithms are in `types::bits`.

mod bit;
mod field;

use crate::Command;
use crate::spec::{Handler, acl};

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::BITMAP).group("bitmap")
}

pub const COMMANDS: &[&[Command]] = &[bit::COMMANDS, field::COMMANDS];
