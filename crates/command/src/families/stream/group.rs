//! XGROUP: groups and their consumers come and go.
//!
//! What happens to groups does not count as a change of the key for those who watch it, as in Redis.

use super::{ids, row};
use crate::spec::{Handler, KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome, help as help_form};
use keyspace::Update;
use resp::Reply;
use types::Stream;
use types::stream::{Group, StreamId};

const fn sub(name: &'static str, handler: Handler) -> Command {
    row(name, handler).since("5.0.0").complexity("O(1)")
}

const INSERTED: &[KeySpec] = &[KeySpec::at(2, RW | INSERT)];
const UPDATED: &[KeySpec] = &[KeySpec::at(2, RW | UPDATE)];
const DELETED: &[KeySpec] = &[KeySpec::at(2, RW | DELETE)];

pub const COMMANDS: &[Command] = &[Command::container("XGROUP", GROUP)
    .group("stream")
    .since("5.0.0")
    .complexity("Depends on subcommand.")
    .summary("Commands about the consumer groups of streams.")];

const GROUP: &[Command] = &[
    sub("CREATE", create)
        .arity(-5)
        .keys(INSERTED)
        .flags(WRITE | DENYOOM)
        .history(&[("7.0.0", "Added the `entries_read` named argument.")])
        .summary("Makes a consumer group.")
        .syntax(
            "key:key group:string id-selector(id:string|new-id=$) mkstream=MKSTREAM? \
             ENTRIESREAD@entriesread/entries-read:integer?",
        ),
    sub("CREATECONSUMER", create_consumer)
        .arity(5)
        .keys(INSERTED)
        .flags(WRITE | DENYOOM)
        .since("6.2.0")
        .summary("Makes a consumer in a group.")
        .syntax("key:key group:string consumer:string"),
    sub("DELCONSUMER", delete_consumer)
        .arity(5)
        .keys(DELETED)
        .flags(WRITE)
        .complexity("O(N) where N is the number of entries pending in the group")
        .summary("Removes a consumer of a group, and what is pending for it.")
        .syntax("key:key group:string consumer:string"),
    sub("DESTROY", destroy)
        .arity(4)
        .keys(DELETED)
        .flags(WRITE)
        .complexity("O(N) where N is the number of entries pending in the group")
        .summary("Removes a consumer group.")
        .syntax("key:key group:string"),
    Command::new("HELP", help)
        .acl(acl::STREAM)
        .group("stream")
        .arity(2)
        .flags(LOADING | STALE)
        .since("5.0.0")
        .complexity("O(1)")
        .summary("Describes the subcommands."),
    sub("SETID", set_id)
        .arity(-5)
        .keys(UPDATED)
        .flags(WRITE)
        .history(&[("7.0.0", "Added the optional `entries_read` argument.")])
        .summary("Sets how far a consumer group has read.")
        .syntax(
            "key:key group:string id-selector(id:string|new-id=$) \
             ENTRIESREAD@entriesread/entries-read:integer?",
        ),
];

/// What may stand behind the ID.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: Args<'_>, is_create: bool) -> Result<Self, Error> {
        let (mut options, mut index) = (Self::default(), 5);
        while index < args.len() {
            if is_create && args.is(index, "MKSTREAM") {
                options.make_stream = true;
                index += 1;
            } else if args.is(index, "ENTRIESREAD") && index + 1 < args.len() {
                let count = args.int(index + 1)?;
                if count < -1 {
                    return Err(Error::err("value for ENTRIESREAD must be positive or -1"));
                }
                options.entries_read = u64::try_from(count).ok();
                index += 2;
            } else {
                return Err(Error::subcommand_syntax("XGROUP", args.at(1)));
            }
        }
        Ok(options)
    }

    /// How many entries have been read: not more than there ever were.
    fn entries_read(&self, stream: &Stream) -> Option<u64> {
        self.entries_read.map(|count| count.min(stream.entries_added))
    }
}

/// Refuses options that are repeated, as Redis does: when it knows that the group could be made, or is there.
fn each_once(args: Args<'_>, args_max: usize) -> Outcome {
    if args.len() > args_max { Err(Error::subcommand_syntax("XGROUP", args.at(1))) } else { Ok(()) }
}

fn no_stream() -> Error {
    Error::err(
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    )
}

pub fn no_group(args: Args<'_>) -> Error {
    let [key, group] = [2, 3].map(|index| Error::shown(args.at(index)));
    let text = [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"];
    Error::Reply(text.concat().into())
}

/// The stream, if it has the group.
fn stream_of<'a>(cx: &'a mut Cx<'_>, args: Args<'_>) -> Result<Update<'a, Stream>, Error> {
    let stream = cx.update::<Stream>(args.key(2))?.ok_or_else(no_stream)?;
    if stream.groups.get(args.at(3)).is_none() {
        return Err(no_group(args));
    }
    Ok(stream)
}

/// The ID at `index`; `$` is the last one.
fn id_or_last(args: Args<'_>, index: usize, last: StreamId) -> Result<StreamId, Error> {
    if args.at(index) == b"$" { Ok(last) } else { ids::id(args, index) }
}

/// XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD entries-read]
fn create(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let options = Options::parse(args, true)?;
    let (key, name) = (args.key(2), args.at(3));
    let stream = cx.update::<Stream>(key)?;
    if stream.is_none() && !options.make_stream {
        return Err(no_stream());
    }
    each_once(args, 8)?;
    let id = id_or_last(args, 4, stream.as_ref().map_or(StreamId::MIN, |stream| stream.last_id()))?;
    let is_new = stream.is_none();
    drop(stream);
    {
        let mut stream = cx.upsert(key, Stream::new)?;
        let entries_read = options.entries_read(&stream);
        if !stream.groups.add(Group::new(name, id, entries_read)) {
            return Err(Error::text("BUSYGROUP Consumer Group name already exists"));
        }
    }
    // Only a new stream is a change for those who watch the key.
    let class = if is_new { Event::Stream } else { Event::Group };
    cx.event(class, "xgroup-create", key.bytes);
    out.ok();
    Ok(())
}

/// XGROUP SETID key group id|$ [ENTRIESREAD entries-read]
fn set_id(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (options, replays) = (Options::parse(args, false)?, cx.shard.replays());
    {
        let mut stream = stream_of(cx, args)?;
        each_once(args, 7)?;
        // Here, unlike everywhere else, Redis takes `-` and `+`.
        let id = if args.at(4) == b"$" { stream.last_id() } else { ids::bound(args, 4)? };
        // What is played again has been looked at, and may have been counted on since.
        let entries_read = if replays { options.entries_read } else { options.entries_read(&stream) };
        let mut group = stream.groups.get_mut(args.at(3)).ok_or_else(|| no_group(args))?;
        (group.last_id, group.entries_read) = (id, entries_read);
    }
    cx.event(Event::Group, "xgroup-setid", args.at(2));
    if options.entries_read.is_some() && cx.logs() {
        cx.log_progress(args.key(2), args.at(3));
    }
    out.ok();
    Ok(())
}

/// XGROUP DESTROY key group
fn destroy(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut stream = cx.update::<Stream>(args.key(2))?.ok_or_else(no_stream)?;
    let did = stream.groups.remove(args.at(3)).is_some();
    drop(stream);
    if did {
        cx.event(Event::Group, "xgroup-destroy", args.at(2));
    }
    out.int(i64::from(did));
    Ok(())
}

/// XGROUP CREATECONSUMER key group consumer
fn create_consumer(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.shard.seen_ms();
    let mut stream = stream_of(cx, args)?;
    let group = stream.groups.get_mut(args.at(3));
    let did = group.is_some_and(|mut group| group.add_consumer(args.at(4), now_ms).is_some());
    drop(stream);
    if did {
        cx.event(Event::Group, "xgroup-createconsumer", args.at(2));
    }
    out.int(i64::from(did));
    Ok(())
}

/// XGROUP DELCONSUMER key group consumer
fn delete_consumer(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let mut stream = stream_of(cx, args)?;
    let group = stream.groups.get_mut(args.at(3));
    let pending = group.and_then(|mut group| group.delete_consumer(args.at(4)));
    drop(stream);
    if pending.is_some() {
        cx.event(Event::Group, "xgroup-delconsumer", args.at(2));
    }
    out.count(pending.unwrap_or(0));
    Ok(())
}

/// XGROUP HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    help_form::lines(
        out,
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
    );
    Ok(())
}
