//! What XINFO tells about consumer groups.

use super::pending::name_of;
use super::reply_id;
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{Consumer, ConsumerId, Delivery, Group, StreamId};

/// The stream under the key of an XINFO.
///
/// # Errors
/// `ERR no such key`, WRONGTYPE
pub fn stream_of<'a>(cx: &'a mut Cx<'_>, args: Args<'_>) -> Result<&'a Stream, Error> {
    cx.read::<Stream>(args.key(2))?.ok_or_else(|| Error::NO_SUCH_KEY)
}

fn int_or_null(out: &mut Reply, value: Option<i64>) {
    match value {
        Some(value) => out.int(value),
        None => out.null(),
    }
}

fn reply_progress(out: &mut Reply, stream: &Stream, group: &Group) {
    out.bulk(b"last-delivered-id");
    reply_id(out, group.last_id);
    out.bulk(b"entries-read");
    int_or_null(out, group.entries_read.map(|count| count as i64));
    out.bulk(b"lag");
    int_or_null(out, stream.lag(group));
}

/// XINFO GROUPS key
pub fn groups(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let stream = stream_of(cx, args)?;
    out.array(stream.groups.len());
    for group in stream.groups.iter() {
        out.map(6);
        out.bulk(b"name");
        out.bulk(group.name());
        out.bulk(b"consumers");
        out.count(group.consumers().len());
        out.bulk(b"pending");
        out.count(group.pending().len());
        reply_progress(out, stream, group);
    }
    Ok(())
}

/// XINFO CONSUMERS key group
pub fn consumers(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    let group = stream_of(cx, args)?.groups.get(args.at(3));
    let group = group.ok_or_else(|| super::group::no_group(args))?;
    out.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        out.map(4);
        out.bulk(b"name");
        out.bulk(consumer.name());
        out.bulk(b"pending");
        out.count(consumer.pending());
        out.bulk(b"idle");
        out.int(now_ms.saturating_sub(consumer.seen_ms) as i64);
        out.bulk(b"inactive");
        out.int(consumer.active_ms.map_or(-1, |at_ms| now_ms as i64 - at_ms as i64));
    }
    Ok(())
}

/// All groups of a stream as XINFO STREAM … FULL tells of them: at most `count` pending entries of each group and of each consumer.
pub fn reply_groups(out: &mut Reply, stream: &Stream, count: usize) {
    out.array(stream.groups.len());
    for group in stream.groups.iter() {
        out.map(8);
        out.bulk(b"name");
        out.bulk(group.name());
        reply_progress(out, stream, group);
        out.bulk(b"pel-count");
        out.count(group.pending().len());
        out.bulk(b"nacked-count");
        out.count(group.given_back());
        out.bulk(b"pending");
        let entries = group.pending().iter_from(StreamId::MIN).take(count);
        reply_pending(out, entries, |delivery| Some(name_of(group, delivery.consumer)));
        out.bulk(b"consumers");
        out.array(group.consumers().len());
        for (id, consumer) in group.consumers() {
            reply_consumer(out, group, id, consumer, count);
        }
    }
}

fn reply_consumer(out: &mut Reply, group: &Group, id: ConsumerId, consumer: &Consumer, count: usize) {
    out.map(5);
    out.bulk(b"name");
    out.bulk(consumer.name());
    out.bulk(b"seen-time");
    out.int(consumer.seen_ms as i64);
    out.bulk(b"active-time");
    out.int(consumer.active_ms.map_or(-1, |at_ms| at_ms as i64));
    out.bulk(b"pel-count");
    out.count(consumer.pending());
    out.bulk(b"pending");
    let wanted = count.min(consumer.pending());
    reply_pending(out, group.pending().iter_of(Some(id), StreamId::MIN).take(wanted), |_| None);
}

fn reply_pending<'a>(
    out: &mut Reply,
    entries: impl Iterator<Item = (StreamId, Delivery)>,
    name: impl Fn(Delivery) -> Option<&'a [u8]>,
) {
    let (mark, mut len) = (out.mark(), 0);
    for (id, delivery) in entries {
        let name = name(delivery);
        out.array(3 + usize::from(name.is_some()));
        reply_id(out, id);
        if let Some(name) = name {
            out.bulk(name);
        }
        out.int(delivery.at_ms() as i64);
        out.int(delivery.count as i64);
        len += 1;
    }
    out.array_around(mark, len);
}
