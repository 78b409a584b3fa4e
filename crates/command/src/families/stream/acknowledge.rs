//! XACK, XACKDEL, XNACK: what becomes of entries that were delivered.

use super::delete::{options, some_ids};
use super::row;
use super::told::Delivered;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{Deletion, Delivery, GroupMut, StreamId};

const UPDATED: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const PER_ID: &str = "O(1) for each ID";

pub const COMMANDS: &[Command] = &[
    row("XACK", xack)
        .arity(-4)
        .keys(UPDATED)
        .flags(WRITE | FAST)
        .since("5.0.0")
        .complexity(PER_ID)
        .summary("Says that entries delivered to a consumer group are dealt with.")
        .syntax("key:key group:string id:string*"),
    row("XACKDEL", xackdel)
        .arity(-6)
        .keys(&[KeySpec::at(1, RW | UPDATE | DELETE)])
        .flags(WRITE | FAST)
        .since("8.2.0")
        .complexity(PER_ID)
        .summary("Says that entries delivered to a consumer group are dealt with, and deletes them.")
        .syntax(
            "key:key group:string condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)? \
             IDS@ids{numids:integer id:string*}",
        ),
    row("XNACK", xnack)
        .arity(-7)
        .keys(UPDATED)
        .flags(WRITE | FAST)
        .since("8.8.0")
        .complexity(PER_ID)
        .summary("Gives entries back to their consumer group, for others to claim at once.")
        .syntax(
            "key:key group:string mode(silent=SILENT|fail=FAIL|fatal=FATAL) IDS@ids{numids:integer id:string*} \
             RETRYCOUNT@count:integer? force=FORCE?",
        ),
];

/// XACK key group id [id …]
fn xack(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let stream = cx.update_read::<Stream>(args.key(1))?;
    let Some(mut stream) = stream.filter(|stream| stream.groups.get(args.at(2)).is_some()) else {
        out.int(0);
        return Ok(());
    };
    let ids = some_ids(args, 3, args.len() - 3)?;
    let mut group = stream.groups.get_mut(args.at(2)).expect("it was there");
    let count = ids.into_iter().filter(|&id| group.acknowledge(id)).count();
    drop(group);
    drop(stream);
    cx.shard.dirty += count as u64;
    out.count(count);
    Ok(())
}

/// XACKDEL key group [KEEPREF|DELREF|ACKED] IDS numids id [id …]
fn xackdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let stream = cx.update_read::<Stream>(args.key(1))?;
    let (references, first, count) = options(args, 3)?;
    let Some(mut stream) = stream.filter(|stream| stream.groups.get(args.at(2)).is_some()) else {
        out.array(count);
        (0..count).for_each(|_| out.int(-1));
        return Ok(());
    };
    let ids = some_ids(args, first, count)?;
    out.array(count);
    let (mut deleted, mut acknowledged) = (0, 0);
    for id in ids {
        if !stream.groups.get_mut(args.at(2)).is_some_and(|mut group| group.acknowledge(id)) {
            out.int(-1);
            continue;
        }
        acknowledged += 1;
        let deletion = stream.delete_with(id, references);
        deleted += usize::from(deletion == Deletion::Done);
        // That it was deleted before does not matter.
        out.int(if deletion == Deletion::Refused { 2 } else { 1 });
    }
    drop(stream);
    cx.shard.dirty += acknowledged;
    if deleted > 0 {
        cx.notice(Event::Stream, "xdel", args.at(1));
    }
    Ok(())
}

/// What XNACK does to the number of deliveries.
#[derive(Clone, Copy)]
enum Failure {
    /// As if the last one had not been.
    Silent,
    Fail,
    /// It is the last.
    Fatal,
}

struct GivingBack {
    failure: Failure,
    retries: Option<u64>,
    force: bool,
    ids: std::ops::Range<usize>,
}

impl GivingBack {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let failure = match () {
            () if args.is(3, "SILENT") => Failure::Silent,
            () if args.is(3, "FAIL") => Failure::Fail,
            () if args.is(3, "FATAL") => Failure::Fatal,
            () => return Err(Error::err("mode must be SILENT, FAIL, or FATAL")),
        };
        let (mut retries, mut force, mut ids, mut index) = (None, false, None, 4);
        while index < args.len() {
            let has_more = index + 1 < args.len();
            if has_more && args.is(index, "IDS") {
                let count = args.int(index + 1).ok().and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|&count| count > 0);
                let count = count.ok_or_else(|| Error::err("numids must be a positive integer"))?;
                if count > args.len() - index - 2 {
                    return Err(Error::err("number of IDs doesn't match numids"));
                }
                ids = Some(index + 2..index + 2 + count);
                index += 2 + count;
            } else if has_more && args.is(index, "RETRYCOUNT") {
                let count = u64::try_from(args.int(index + 1)?);
                retries = Some(count.map_err(|_| Error::err("Invalid RETRYCOUNT value, must be >= 0"))?);
                index += 2;
            } else if args.is(index, "FORCE") {
                force = true;
                index += 1;
            } else {
                return Err(Error::naming("Unrecognized XNACK option '", args.at(index), "'"));
            }
        }
        let ids = ids.ok_or_else(|| Error::err("syntax error, expected IDS keyword"))?;
        Ok(Self { failure, retries, force, ids })
    }

    /// The number of deliveries after `count`; of what was not pending, after none.
    fn count(&self, count: u64) -> u64 {
        self.retries.unwrap_or(match self.failure {
            Failure::Silent => count.saturating_sub(1),
            Failure::Fail => count,
            Failure::Fatal => Delivery::COUNT_MAX,
        })
    }

    /// Gives one entry back, if there is something to give back.
    fn give_back(
        &self,
        group: &mut GroupMut<'_>,
        id: StreamId,
        exists: impl FnOnce() -> bool,
    ) -> Option<Delivered> {
        let count = match group.delivery(id) {
            Some(delivery) => delivery.count,
            None if self.force && exists() => 0,
            None => return None,
        };
        let count = self.count(count);
        group.give_back(id, count);
        Some((id, count))
    }
}

/// XNACK key group SILENT|FAIL|FATAL IDS numids id [id …] [RETRYCOUNT count] [FORCE]
fn xnack(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let giving = GivingBack::parse(args)?;
    let ids = some_ids(args, giving.ids.start, giving.ids.len())?;
    let stream = cx.update::<Stream>(args.key(1))?;
    let Some(mut stream) = stream.filter(|stream| stream.groups.get(args.at(2)).is_some()) else {
        return Err(super::no_group(args));
    };
    let given: Vec<Delivered> = stream.with_group(args.at(2), |stream, group| {
        let give_back = |id| giving.give_back(group, id, || stream.get(id).is_some());
        ids.into_iter().filter_map(give_back).collect()
    });
    drop(stream);
    let count = given.len();
    if count > 0 {
        // Whoever waits with CLAIM can have them.
        cx.event(Event::Group, "", args.at(1));
    }
    if cx.logs() {
        cx.log_given_back(args.at(1), args.at(2), &given);
    }
    out.count(count);
    Ok(())
}
