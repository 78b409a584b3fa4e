//! Commands on keys of any type.
//!
//! `keys`: existence, names and places; `expire`: times to live; `scan`: going through all keys; `object`: what is known of
//! a value; `sort`: SORT and its parts.

mod expire;
mod keys;
pub mod migrate;
mod object;
mod scan;
mod sort;
mod sort_keys;
#[cfg(test)]
mod tests;

use crate::{Command, Event};

const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// The class of nearly all events here.
const GENERIC: Event = Event::Generic;

pub const COMMANDS: &[&[Command]] =
    &[expire::COMMANDS, keys::COMMANDS, migrate::COMMANDS, object::COMMANDS, scan::COMMANDS, sort::COMMANDS];
