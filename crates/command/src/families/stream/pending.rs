//! XPENDING.

use super::{ids, no_group, reply_id, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{ConsumerId, Delivery, Group, StreamId};

pub const COMMANDS: &[Command] = &[row("XPENDING", xpending)
    .arity(-3)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .since("5.0.0")
    .complexity(
        "O(N) with N being the number of elements returned, or, with IDLE or a consumer, looked at. For the \
         summary O(N) with N being the number of consumers.",
    )
    .tips(&["nondeterministic_output"])
    .history(&[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")])
    .summary("Tells which entries were delivered to a consumer group and not acknowledged.")
    .syntax(
        "key:key group:string filters{IDLE@min-idle-time:integer?^6.2.0 start:string end:string count:integer \
         consumer:string?}?",
    )];

/// Which entries are wanted.
struct Filter<'a> {
    min_idle_ms: i64,
    first: StreamId,
    last: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// `None`: the summary is wanted.
    fn parse(args: Args<'a>) -> Result<Option<Self>, Error> {
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(Error::SYNTAX);
        }
        let (mut min_idle_ms, mut at) = (0, 3);
        if args.is(3, "IDLE") {
            min_idle_ms = args.int(4)?;
            at = 5;
            if args.len() < 8 {
                return Err(Error::SYNTAX);
            }
        }
        let count = usize::try_from(args.int(at + 2)?).unwrap_or(0);
        let (first, last) = (ids::first(args, at)?, ids::last(args, at + 1)?);
        Ok(Some(Self { min_idle_ms, first, last, count, consumer: args.get(at + 3) }))
    }

    fn allows(&self, delivery: Delivery, now_ms: u64) -> bool {
        let idle_ms = || (now_ms as i64).wrapping_sub(delivery.at_ms() as i64);
        self.min_idle_ms == 0 || idle_ms() >= self.min_idle_ms
    }
}

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
fn xpending(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let filter = Filter::parse(args)?;
    let now_ms = cx.now_ms();
    let stream = cx.read::<Stream>(args.key(1))?;
    let group = stream.and_then(|stream| stream.groups.get(args.at(2)));
    let group = group.ok_or_else(|| no_group(args))?;
    match filter {
        None => summary(group, out),
        Some(filter) => {
            let consumer = filter.consumer.map(|name| group.consumer_of(name));
            match consumer {
                Some(None) => out.array(0),
                Some(consumer) => {
                    list(group, &filter, group.pending().iter_of(consumer, filter.first), now_ms, out);
                }
                None => list(group, &filter, group.pending().iter_from(filter.first), now_ms, out),
            }
        }
    }
    Ok(())
}

fn summary(group: &Group, out: &mut Reply) {
    out.array(4);
    out.count(group.pending().len());
    let Some((first, last)) = group.pending().ends() else {
        out.null();
        out.null();
        return out.null_array();
    };
    reply_id(out, first);
    reply_id(out, last);
    let having = group.consumers().map(|(_, consumer)| consumer).filter(|consumer| consumer.pending() > 0);
    let (mark, mut count) = (out.mark(), 0);
    for consumer in having {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_int(consumer.pending() as i64);
        count += 1;
    }
    out.array_around(mark, count);
}

/// The name of a consumer; empty for what was given back.
pub fn name_of(group: &Group, consumer: Option<ConsumerId>) -> &[u8] {
    consumer.map_or(b"", |id| group.consumer(id).name())
}

fn list(
    group: &Group,
    filter: &Filter<'_>,
    entries: impl Iterator<Item = (StreamId, Delivery)>,
    now_ms: u64,
    out: &mut Reply,
) {
    let (mark, mut count) = (out.mark(), 0);
    let wanted = entries
        .take_while(|(id, _)| *id <= filter.last)
        .filter(|(_, delivery)| filter.allows(*delivery, now_ms));
    for (id, delivery) in wanted.take(filter.count) {
        out.array(4);
        reply_id(out, id);
        out.bulk(name_of(group, delivery.consumer));
        match delivery.consumer {
            Some(_) => out.int(delivery.idle_ms(now_ms) as i64),
            None => out.int(-1),
        }
        out.int(delivery.count as i64);
        count += 1;
    }
    out.array_around(mark, count);
}
