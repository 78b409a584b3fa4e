//! Hashes.
//!
//! `read`, `write`, `random`, `scan`: fields and values; `expire`: expire times of fields; `together`: both at once;
//! `import`: HIMPORT; `fields`, `syntax`: what they share.

mod expire;
pub mod fields;
pub(crate) mod import;
mod random;
mod read;
mod scan;
mod syntax;
mod together;
mod write;

use crate::Command;
use crate::spec::{Handler, KeySpec, access::*, acl};

const READ: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const UPDATED: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const PER_FIELD: &str = "O(N) where N is the number of specified fields";
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];
const TIME_TAIL: &str = "key:key FIELDS@fields{numfields:integer field:string*}";

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::HASH).group("hash")
}

pub const COMMANDS: &[&[Command]] = &[
    expire::COMMANDS,
    import::COMMANDS,
    random::COMMANDS,
    read::COMMANDS,
    scan::COMMANDS,
    together::COMMANDS,
    write::COMMANDS,
];
