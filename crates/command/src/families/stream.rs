//! Streams. A stream whose last entry goes stays under its key, for it knows its last id; only DEL and its kin remove it.

mod acknowledge;
mod add;
mod claim;
mod delete;
mod group;
mod ids;
mod info;
mod info_groups;
mod info_stream;
mod pending;
mod producers;
mod range;
mod read;
mod readgroup;
mod set_id;
mod told;
mod trim;

use crate::items::run_item;
use crate::spec::{Handler, acl};
use crate::{Args, Command, Cx, Error, Event};
use resp::Reply;
use types::stream::{Entry, Fields, StreamId};

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::STREAM).group("stream")
}

/// One id as a bulk string.
pub fn reply_id(out: &mut Reply, id: StreamId) {
    out.bulk(id.text().as_bytes());
}

/// Room for a short field or value with its header.
const WORD_BYTES: usize = 24;

/// An entry: its id, and fields and values in a row.
pub fn reply_entry(out: &mut Reply, entry: Entry<'_>) {
    out.array(2);
    reply_id(out, entry.id);
    reply_words(out, entry.fields);
}

/// Fields and values in a row.
pub fn reply_words(out: &mut Reply, fields: Fields<'_>) {
    let words = fields.len() * 2;
    out.array(words);
    let mut run = out.run(words.saturating_mul(WORD_BYTES).min(64 << 10));
    for (field, value) in fields {
        run_item(&mut run, field);
        run_item(&mut run, value);
    }
}

/// Entries as an array; how many.
pub fn reply_entries<'a>(out: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let (mark, mut count) = (out.mark(), 0);
    for entry in entries {
        reply_entry(out, entry);
        count += 1;
    }
    out.array_around(mark, count);
    count
}

/// The group of a command's first two arguments is missing.
pub fn no_group(args: Args<'_>) -> Error {
    let [key, group] = [1, 2].map(|index| Error::shown(args.at(index)));
    let text = [b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"];
    Error::Reply(text.concat().into())
}

/// Says that a command has made the consumer that it names.
pub fn tell_new_consumer(cx: &mut Cx<'_>, is_new: bool, key: &[u8]) {
    if is_new {
        cx.event(Event::Group, "xgroup-createconsumer", key);
    }
}

pub use add::growth;

pub const COMMANDS: &[&[Command]] = &[
    acknowledge::COMMANDS,
    add::COMMANDS,
    claim::COMMANDS,
    delete::COMMANDS,
    group::COMMANDS,
    info::COMMANDS,
    pending::COMMANDS,
    producers::COMMANDS,
    range::COMMANDS,
    read::COMMANDS,
    readgroup::COMMANDS,
    set_id::COMMANDS,
    trim::COMMANDS,
];
