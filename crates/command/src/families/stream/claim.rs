//! XCLAIM and XAUTOCLAIM: entries that one consumer has not acknowledged go to another.

use super::told::Delivered;
use super::{ids, no_group, reply_entry, reply_id, row, tell_new_consumer};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{ConsumerId, Delivery, Group, GroupMut, StreamId};

pub const COMMANDS: &[Command] = &[
    row("XAUTOCLAIM", xautoclaim)
        .arity(-6)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .since("6.2.0")
        .complexity("O(1) if COUNT is small.")
        .tips(&["nondeterministic_output"])
        .history(&[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
        )])
        .summary("Gives a consumer the entries that others have not acknowledged for some time.")
        .syntax(
            "key:key group:string consumer:string min-idle-time:string start:string COUNT@count:integer? \
             justid=JUSTID?",
        ),
    row("XCLAIM", xclaim)
        .arity(-6)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | FAST)
        .since("5.0.0")
        .complexity("O(log N) with N being the number of entries pending in the group.")
        .tips(&["nondeterministic_output"])
        .summary("Gives a consumer entries that another has not acknowledged for some time.")
        .syntax(
            "key:key group:string consumer:string min-idle-time:string id:string* IDLE@ms:integer? \
             TIME@unix-time-milliseconds:unix-time? RETRYCOUNT@count:integer? force=FORCE? justid=JUSTID? \
             LASTID@lastid:string?",
        ),
];

/// A number of ms, below 0 as 0.
fn min_idle_ms(args: Args<'_>, name: &str) -> Result<u64, Error> {
    let ms =
        args.int(4).map_err(|_| Error::err(format_args!("Invalid min-idle-time argument for {name}")))?;
    Ok(u64::try_from(ms).unwrap_or(0))
}

/// The consumer of a name, made if there is none, that has been seen now; and whether it is new.
pub fn seen_consumer(group: &mut Group, name: &[u8], now_ms: u64) -> (ConsumerId, bool) {
    match group.consumer_of(name) {
        Some(id) => {
            group.consumer_mut(id).seen_ms = now_ms;
            (id, false)
        }
        None => (group.add_consumer(name, now_ms).expect("there is none of this name"), true),
    }
}

/// How entries are claimed.
struct Claim {
    min_idle_ms: u64,
    at_ms: u64,
    retries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

/// What became of an entry.
enum Claimed {
    /// How often it has been delivered by now.
    Yes(u64),
    No,
    /// It was deleted, and is pending no longer.
    Gone,
}

impl Claim {
    fn take(
        &self,
        stream: &Stream,
        group: &mut Group,
        id: StreamId,
        (consumer, now_ms): (ConsumerId, u64),
        out: &mut Reply,
    ) -> Claimed {
        let delivery = group.delivery(id);
        let Some(entry) = stream.get(id) else {
            return if group.acknowledge(id) { Claimed::Gone } else { Claimed::No };
        };
        let delivery = match delivery {
            Some(delivery) if delivery.idle_ms(now_ms) < self.min_idle_ms => return Claimed::No,
            Some(delivery) => delivery,
            None if self.force => Delivery::new(consumer, now_ms, 1),
            None => return Claimed::No,
        };
        let count = if self.just_id { delivery.count } else { delivery.count_next() };
        let count = self.retries.unwrap_or(count);
        group.assign(id, consumer, self.at_ms, count);
        group.consumer_mut(consumer).active_ms = Some(now_ms);
        if self.just_id {
            reply_id(out, id);
        } else {
            reply_entry(out, entry);
        }
        Claimed::Yes(count)
    }
}

/// Reads what stands behind the IDs of XCLAIM.
fn options(
    args: Args<'_>,
    from: usize,
    now_ms: u64,
    min_idle_ms: u64,
    replays: bool,
) -> Result<Claim, Error> {
    let mut claim = Claim {
        min_idle_ms,
        at_ms: now_ms,
        retries: None,
        force: false,
        just_id: false,
        last_id: StreamId::MIN,
    };
    let invalid = |name: &str| Error::err(format_args!("Invalid {name} option argument for XCLAIM"));
    let (mut at_ms, mut index) = (-1, from);
    while index < args.len() {
        let has_more = index + 1 < args.len();
        let number = |name| args.int(index + 1).map_err(|_| invalid(name));
        let takes = match () {
            () if args.is(index, "FORCE") => {
                claim.force = true;
                1
            }
            () if args.is(index, "JUSTID") => {
                claim.just_id = true;
                1
            }
            () if has_more && args.is(index, "IDLE") => {
                at_ms = (now_ms as i64).wrapping_sub(number("IDLE")?);
                2
            }
            () if has_more && args.is(index, "TIME") => {
                at_ms = number("TIME")?;
                2
            }
            () if has_more && args.is(index, "RETRYCOUNT") => {
                // A negative number means that there is none.
                claim.retries = u64::try_from(number("RETRYCOUNT")?).ok();
                2
            }
            () if has_more && args.is(index, "LASTID") => {
                claim.last_id = ids::id(args, index + 1)?;
                2
            }
            () => return Err(Error::naming("Unrecognized XCLAIM option '", args.at(index), "'")),
        };
        index += takes;
    }
    // A time that cannot be is now: clients count from clocks of their own.
    let can_be = |at_ms: &u64| *at_ms <= now_ms || replays;
    claim.at_ms = u64::try_from(at_ms).ok().filter(can_be).unwrap_or(now_ms);
    Ok(claim)
}

/// XCLAIM key group consumer min-idle-time id [id …] [IDLE ms] [TIME unix-ms] [RETRYCOUNT count] [FORCE] [JUSTID]
/// [LASTID id]
fn xclaim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (now_ms, tells, replays) = (cx.shard.seen_ms(), cx.logs(), cx.shard.replays());
    let stream = cx.update_read::<Stream>(args.key(1))?;
    let Some(mut stream) = stream.filter(|stream| stream.groups.get(args.at(2)).is_some()) else {
        return Err(no_group(args));
    };
    let min_idle_ms = min_idle_ms(args, "XCLAIM")?;
    let ids: Vec<StreamId> = (5..args.len()).map_while(|index| ids::id(args, index).ok()).collect();
    let claim = options(args, 5 + ids.len(), now_ms, min_idle_ms, replays)?;
    let (mut changed, mut told, mut moved) = (0, Told::default(), false);
    let is_new = stream.with_group(args.at(2), |stream, group| {
        if claim.last_id > group.last_id {
            group.last_id = claim.last_id;
            (changed, moved) = (changed + 1, true);
        }
        let (consumer, is_new) = seen_consumer(group, args.at(3), now_ms);
        let (mark, mut count) = (out.mark(), 0);
        for id in ids {
            let claimed = claim.take(stream, group, id, (consumer, now_ms), out);
            changed += u64::from(!matches!(claimed, Claimed::No));
            count += usize::from(matches!(claimed, Claimed::Yes(_)));
            if tells {
                told.note(id, &claimed);
            }
        }
        out.array_around(mark, count);
        is_new
    });
    drop(stream);
    cx.shard.dirty += changed;
    tell_new_consumer(cx, is_new, args.at(1));
    if tells {
        told.log(cx, args, is_new, claim.at_ms);
        if moved {
            cx.log_progress(args.key(1), args.at(2));
        }
    }
    Ok(())
}

/// What is to be written down of claims.
#[derive(Default)]
struct Told {
    delivered: Vec<Delivered>,
    gone: Vec<StreamId>,
}

impl Told {
    fn note(&mut self, id: StreamId, claimed: &Claimed) {
        match claimed {
            Claimed::Yes(count) => self.delivered.push((id, *count)),
            Claimed::Gone => self.gone.push(id),
            Claimed::No => {}
        }
    }

    fn log(&self, cx: &mut Cx<'_>, args: Args<'_>, is_new: bool, at_ms: u64) {
        let (key, group, consumer) = (args.at(1), args.at(2), args.at(3));
        if is_new {
            cx.log_consumer(key, group, consumer);
        }
        cx.log_delivered(key, [group, consumer], &self.delivered, at_ms);
        cx.log_forgotten(key, group, &self.gone);
    }
}

/// Entries looked at for each that may be claimed.
const ATTEMPTS: usize = 10;
const COUNT_MAX: i64 = i64::MAX / 16;

struct Automatic {
    claim: Claim,
    start: StreamId,
    count: usize,
}

impl Automatic {
    fn parse(args: Args<'_>, now_ms: u64) -> Result<Self, Error> {
        let min_idle_ms = min_idle_ms(args, "XAUTOCLAIM")?;
        let start = ids::first(args, 5)?;
        let (mut count, mut just_id, mut index) = (100, false, 6);
        while index < args.len() {
            if args.is(index, "COUNT") && index + 1 < args.len() {
                let wanted = args.int(index + 1).ok().filter(|wanted| (1..=COUNT_MAX).contains(wanted));
                count = wanted.ok_or_else(|| Error::err("COUNT must be > 0"))? as usize;
                index += 2;
            } else if args.is(index, "JUSTID") {
                just_id = true;
                index += 1;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let last_id = StreamId::MIN;
        let claim = Claim { min_idle_ms, at_ms: now_ms, retries: None, force: false, just_id, last_id };
        Ok(Self { claim, start, count })
    }

    /// Claims; how many were claimed, which were gone, and where to go on. What was claimed is added to `told` if that is wanted.
    fn run(
        &self,
        stream: &Stream,
        group: &mut GroupMut<'_>,
        who: (ConsumerId, u64),
        mut told: Option<&mut Vec<Delivered>>,
        out: &mut Reply,
    ) -> (usize, Vec<StreamId>, StreamId) {
        let (mut claimed, mut gone) = (0, Vec::new());
        let (mut left, mut attempts) = (self.count, self.count.saturating_mul(ATTEMPTS));
        let mut from = Some(self.start);
        // Claiming changes the rows it walks over, so they are taken in pieces.
        while left > 0 && attempts > 0 {
            let Some(start) = from else { break };
            let wanted = left.min(attempts).min(PIECE);
            let piece: Vec<StreamId> =
                group.pending().iter_from(start).take(wanted).map(|(id, _)| id).collect();
            from = piece.last().and_then(|last| last.next()).filter(|_| piece.len() == wanted);
            for id in piece {
                attempts -= 1;
                match self.claim.take(stream, group, id, who, out) {
                    Claimed::Yes(count) => {
                        (claimed, left) = (claimed + 1, left - 1);
                        told.iter_mut().for_each(|told| told.push((id, count)));
                    }
                    Claimed::Gone => {
                        gone.push(id);
                        left -= 1;
                    }
                    Claimed::No => {}
                }
            }
        }
        let next = from.and_then(|from| group.pending().iter_from(from).next());
        (claimed, gone, next.map_or(StreamId::MIN, |(id, _)| id))
    }
}

const PIECE: usize = 256;

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
fn xautoclaim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (now_ms, tells) = (cx.now_ms(), cx.logs());
    // Redis looks the key up before it reads the arguments.
    let automatic = Automatic::parse(args, now_ms).inspect_err(|_| {
        cx.find(args.key(1));
    })?;
    let stream = cx.update_read::<Stream>(args.key(1))?;
    let Some(mut stream) = stream.filter(|stream| stream.groups.get(args.at(2)).is_some()) else {
        return Err(no_group(args));
    };
    let (mut changed, mut told) = (0, tells.then(Told::default));
    let is_new = stream.with_group(args.at(2), |stream, group| {
        let (consumer, is_new) = seen_consumer(group, args.at(3), now_ms);
        out.array(3);
        let mark = out.mark();
        let delivered = told.as_mut().map(|told| &mut told.delivered);
        let (count, gone, next) = automatic.run(stream, group, (consumer, now_ms), delivered, out);
        out.before(mark, |out| {
            reply_id(out, next);
            out.array(count);
        });
        out.array(gone.len());
        gone.iter().for_each(|&id| reply_id(out, id));
        changed = count + gone.len();
        told.iter_mut().for_each(|told| told.gone.clone_from(&gone));
        is_new
    });
    drop(stream);
    cx.shard.dirty += changed as u64;
    tell_new_consumer(cx, is_new, args.at(1));
    if let Some(told) = told {
        told.log(cx, args, is_new, now_ms);
    }
    Ok(())
}
