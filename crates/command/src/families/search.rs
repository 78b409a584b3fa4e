//! FT.*: indexes over hashes and JSON documents, and searches in them. What the shards keep is in `indexes`.
//!
//! Definitions are changed and shown by commands for all shards, each of which runs the same: errors are those of the first. Names are those of
//! RediSearch's commands, which are in upper case.

mod aggregate;
mod alias;
mod alter;
mod asking;
mod config;
mod create;
mod cursor;
mod dictionary;
mod documents;
mod drop;
mod explain;
mod hybrid;
mod info;
mod list;
mod profile;
mod query;
mod spellcheck;
mod suggestions;
mod synonyms;
mod tag_values;
pub mod totals;

use crate::spec::{MergeHandler, PartHandler, acl, flag::UPPER_CASE};
use crate::{Args, Command, Outcome, ShardCx};
use resp::Reply;

pub const COMMANDS: &[&[Command]] = &[
    create::COMMANDS,
    drop::COMMANDS,
    list::COMMANDS,
    alter::COMMANDS,
    info::COMMANDS,
    alias::COMMANDS,
    dictionary::COMMANDS,
    documents::COMMANDS,
    synonyms::COMMANDS,
    config::COMMANDS,
    asking::COMMANDS,
    cursor::COMMANDS,
    explain::COMMANDS,
    hybrid::COMMANDS,
    profile::COMMANDS,
    spellcheck::COMMANDS,
    suggestions::COMMANDS,
    tag_values::COMMANDS,
];

pub use aggregate::cursors::Cursors;
pub use drop::EXPIRE;

/// A command for all shards.
const fn on_all(name: &'static str, part: PartHandler, merge: MergeHandler, flags: u64) -> Command {
    Command::on_all(name, part, merge)
        .acl(acl::SEARCH)
        .group("search")
        .since("1.0.0")
        .flags(flags | UPPER_CASE)
}

/// The reply of all is that of the first.
fn first(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.raw(parts[0]);
    Ok(())
}

/// All shards have changed together: one counts.
fn count_change(cx: &mut ShardCx) {
    cx.dirty += u64::from(cx.id == 0);
}

/// A name as a simple string, as RediSearch writes them: ends of lines with backslashes. What is no text is written as a string of bytes.
fn write_name(name: &[u8], out: &mut Reply) {
    match std::str::from_utf8(name) {
        Ok(text) if !text.contains(['\r', '\n']) => out.status(text),
        Ok(text) => out.status(&text.replace('\r', "\\r").replace('\n', "\\n")),
        Err(_) => out.bulk(name),
    }
}
