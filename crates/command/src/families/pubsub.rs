//! Publish and subscribe. Who listens is known on every shard (see [`crate::pubsub`]), so each of these commands is done where it runs.

use crate::pubsub::{Kind, Payload, Publication};
use crate::spec::{Handler, KeySpec, access::NOT_KEY, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, Plan, help};
use resp::Reply;

/// SUBSCRIBE and its kind.
const fn subscription(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler)
        .flags(PUBSUB | NOSCRIPT | LOADING | STALE | LISTENS)
        .acl(acl::PUBSUB)
        .group("pubsub")
}

/// What begins to listen: it takes memory, so there must be some (since Redis 8.10).
const fn listening(name: &'static str, handler: Handler) -> Command {
    let mut row = subscription(name, handler);
    row.flags |= DENYOOM;
    row
}

/// PUBLISH and its kind.
const fn publication(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler)
        .arity(3)
        .flags(PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE | PUBLISHES)
        .acl(acl::PUBSUB)
        .group("pubsub")
}

/// A subcommand of PUBSUB.
const fn inquiry(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler)
        .arity(-2)
        .flags(PUBSUB | LOADING | STALE)
        .acl(acl::PUBSUB)
        .group("pubsub")
        .plan(Plan::Anywhere)
}

pub const COMMANDS: &[Command] = &[
    listening("SUBSCRIBE", |cx, args, out| subscribe(cx, Kind::Channel, args, out))
        .arity(-2)
        .since("2.0.0")
        .complexity("O(N) where N is the number of channels to subscribe to.")
        .summary("Has the connection get what is published on channels.")
        .syntax("channel:string*"),
    subscription("UNSUBSCRIBE", |cx, args, out| unsubscribe(cx, Kind::Channel, args, out))
        .arity(-1)
        .since("2.0.0")
        .complexity("O(N) where N is the number of channels to unsubscribe.")
        .summary("Ends subscriptions to channels, to all of them if none is named.")
        .syntax("channel:string?*"),
    listening("PSUBSCRIBE", |cx, args, out| subscribe(cx, Kind::Pattern, args, out))
        .arity(-2)
        .since("2.0.0")
        .complexity("O(N) where N is the number of patterns to subscribe to.")
        .summary("Has the connection get what is published on channels that match patterns.")
        .syntax("pattern:pattern*"),
    subscription("PUNSUBSCRIBE", |cx, args, out| unsubscribe(cx, Kind::Pattern, args, out))
        .arity(-1)
        .since("2.0.0")
        .complexity("O(N) where N is the number of patterns to unsubscribe.")
        .summary("Ends subscriptions to patterns, to all of them if none is named.")
        .syntax("pattern:pattern?*"),
    listening("SSUBSCRIBE", |cx, args, out| subscribe(cx, Kind::ShardChannel, args, out))
        .arity(-2)
        .keys(&[KeySpec::range(1, -1, 1, NOT_KEY)])
        .plan(Plan::Connection)
        .since("7.0.0")
        .complexity("O(N) where N is the number of shard channels to subscribe to.")
        .summary("Has the connection get what is published on shard channels.")
        .syntax("shardchannel:string*"),
    subscription("SUNSUBSCRIBE", |cx, args, out| unsubscribe(cx, Kind::ShardChannel, args, out))
        .arity(-1)
        .keys(&[KeySpec::range(1, -1, 1, NOT_KEY)])
        .plan(Plan::Connection)
        .since("7.0.0")
        .complexity("O(N) where N is the number of shard channels to unsubscribe.")
        .summary("Ends subscriptions to shard channels, to all of them if none is named.")
        .syntax("shardchannel:string?*"),
    publication("PUBLISH", |cx, args, out| publish(cx, false, args, out))
        .plan(Plan::Anywhere)
        .since("2.0.0")
        .complexity(
            "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of \
             subscribed patterns (by any client).",
        )
        .summary("Sends a message to those who listen to a channel.")
        .syntax("channel:string message:string"),
    publication("SPUBLISH", |cx, args, out| publish(cx, true, args, out))
        .keys(&[KeySpec::at(1, NOT_KEY)])
        .plan(Plan::Anywhere)
        .since("7.0.0")
        .complexity("O(N) where N is the number of clients subscribed to the receiving shard channel.")
        .summary("Sends a message to those who listen to a shard channel.")
        .syntax("shardchannel:string message:string"),
    Command::container("PUBSUB", INQUIRIES)
        .group("pubsub")
        .since("2.8.0")
        .complexity("Depends on subcommand.")
        .summary("Commands about channels and who listens to them."),
];

const INQUIRIES: &[Command] = &[
    inquiry("CHANNELS", |cx, args, out| channels(cx, Kind::Channel, args, out))
        .since("2.8.0")
        .complexity(
            "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short \
             channels and patterns)",
        )
        .summary("Lists the channels that somebody is subscribed to.")
        .syntax("pattern:pattern?"),
    Command::new("HELP", help)
        .arity(2)
        .flags(LOADING | STALE)
        .group("pubsub")
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Describes the subcommands."),
    inquiry("NUMPAT", numpat)
        .arity(2)
        .since("2.8.0")
        .complexity("O(1)")
        .summary("Counts the patterns that somebody is subscribed to."),
    inquiry("NUMSUB", |cx, args, out| numsub(cx, Kind::Channel, args, out))
        .since("2.8.0")
        .complexity("O(N) for the NUMSUB subcommand, where N is the number of requested channels")
        .summary("Counts who is subscribed to channels.")
        .syntax("channel:string?*"),
    inquiry("SHARDCHANNELS", |cx, args, out| channels(cx, Kind::ShardChannel, args, out))
        .since("7.0.0")
        .complexity(
            "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively \
             short shard channels).",
        )
        .summary("Lists the shard channels that somebody is subscribed to.")
        .syntax("pattern:pattern?"),
    inquiry("SHARDNUMSUB", |cx, args, out| numsub(cx, Kind::ShardChannel, args, out))
        .since("7.0.0")
        .complexity("O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels")
        .summary("Counts who is subscribed to shard channels.")
        .syntax("shardchannel:string?*"),
];

/// The connection, and how many subscriptions it has that are counted together.
fn subscriber(cx: &Cx<'_>) -> usize {
    cx.conn.expect("subscriptions are made on the connection's shard")
}

/// The count that a confirmation tells: channels and patterns together, shard channels by themselves.
fn told_count(cx: &Cx<'_>, conn: usize, kind: Kind) -> usize {
    let [channels, patterns, shard_channels] = cx.shard.pubsub.counts_of(conn);
    if kind == Kind::ShardChannel { shard_channels } else { channels + patterns }
}

/// Brings the session up to date.
fn note_counts(cx: &mut Cx<'_>, conn: usize) {
    cx.session().subscriptions = cx.shard.pubsub.counts_of(conn);
    cx.shard.set_notices();
}

fn confirm(out: &mut Reply, verb: &str, name: Option<&[u8]>, count: usize) {
    out.push(3);
    out.bulk(verb.as_bytes());
    match name {
        Some(name) => out.bulk(name),
        None => out.null(),
    }
    out.count(count);
}

/// SUBSCRIBE channel …; PSUBSCRIBE pattern …; SSUBSCRIBE shardchannel …
fn subscribe(cx: &mut Cx<'_>, kind: Kind, args: Args<'_>, out: &mut Reply) -> Outcome {
    if cx.deny_blocking && kind == Kind::ShardChannel {
        return Err(Error::err("SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    let (conn, verb) = (subscriber(cx), ["subscribe", "psubscribe", "ssubscribe"][kind as usize]);
    cx.shard.pubsub.settle();
    for name in args.from(1) {
        cx.shard.pubsub.of_mut(kind).subscribe(conn as u32, name);
        confirm(out, verb, Some(name), told_count(cx, conn, kind));
    }
    note_counts(cx, conn);
    Ok(())
}

/// UNSUBSCRIBE [channel …]; PUNSUBSCRIBE [pattern …]; SUNSUBSCRIBE [shardchannel …]
fn unsubscribe(cx: &mut Cx<'_>, kind: Kind, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (conn, verb) = (subscriber(cx), ["unsubscribe", "punsubscribe", "sunsubscribe"][kind as usize]);
    cx.shard.pubsub.settle();
    let mut end = |cx: &mut Cx<'_>, name: &[u8]| {
        cx.shard.pubsub.of_mut(kind).unsubscribe(conn as u32, name);
        confirm(out, verb, Some(name), told_count(cx, conn, kind));
    };
    args.from(1).for_each(|name| end(cx, name));
    if args.len() == 1 {
        let names = cx.shard.pubsub.of(kind).names_of(conn as u32);
        names.iter().for_each(|name| end(cx, name));
        if names.is_empty() {
            confirm(out, verb, None, told_count(cx, conn, kind));
        }
    }
    note_counts(cx, conn);
    Ok(())
}

/// PUBLISH channel message; SPUBLISH shardchannel message
fn publish(cx: &mut Cx<'_>, is_sharded: bool, args: Args<'_>, out: &mut Reply) -> Outcome {
    let payload = args.blob(2).map_or_else(|| Payload::Plain(args.at(2)), Payload::Shared);
    let count = cx.shard.pubsub.publish(Publication { is_sharded, channel: args.at(1), payload });
    out.count(count);
    Ok(())
}

/// PUBSUB CHANNELS [pattern]; PUBSUB SHARDCHANNELS [pattern]
fn channels(cx: &mut Cx<'_>, kind: Kind, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::subcommand_syntax("PUBSUB", args.at(1)));
    }
    let (pattern, mark, mut count) = (args.get(2), out.mark(), 0);
    for (name, ..) in cx.shard.pubsub.of(kind).iter() {
        if pattern.is_none_or(|pattern| base::glob::matches(pattern, name)) {
            out.bulk(name);
            count += 1;
        }
    }
    out.array_around(mark, count);
    Ok(())
}

/// PUBSUB NUMPAT
fn numpat(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.shard.pubsub.of(Kind::Pattern).len());
    Ok(())
}

/// PUBSUB NUMSUB [channel …]; PUBSUB SHARDNUMSUB [shardchannel …]
fn numsub(cx: &mut Cx<'_>, kind: Kind, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(2 * (args.len() - 2));
    for name in args.from(2) {
        out.bulk(name);
        out.count(cx.shard.pubsub.of(kind).count(name));
    }
    Ok(())
}

/// PUBSUB HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    help::lines(
        out,
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
            "SHARDCHANNELS [<pattern>]",
            "    Return the currently active shard level channels matching a <pattern> (default: '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return the number of subscribers for the specified shard level channel(s)",
        ],
    );
    Ok(())
}
