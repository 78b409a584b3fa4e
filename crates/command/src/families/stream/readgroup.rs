//! XREADGROUP: a consumer of a group reads on, takes what others have left lying (CLAIM), or looks at what it has already.
//!
//! It waits like a popping command: whoever waits longest gets what comes. What ends the wait in vain is a change as well (the group or
//! the key is gone, the key is no stream): then the command runs again and says so.

use super::claim::seen_consumer;
use super::read::{Budget, keys_of_streams, positive, time_to_wait};
use super::told::Delivered;
use super::{ids, reply_id, reply_words, row, tell_new_consumer};
use crate::blocking::{Awaits, Overdue, Wait, milliseconds};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{ConsumerId, Entry, Group, StreamId};

const NOTES: &str = "Incomplete because a consumer/group named STREAMS (or options before GROUP) can shift the STREAMS keyword; \
                     fall back to xreadGetKeys";

pub const COMMANDS: &[Command] = &[row("XREADGROUP", xreadgroup)
    .arity(-7)
    .keys(&[KeySpec::halved("STREAMS", 4, RO | ACCESS | INCOMPLETE).notes(NOTES).found_by(keys_of_streams)])
    .flags(WRITE | BLOCKING | MOVABLEKEYS)
    .since("5.0.0")
    .complexity("For each stream: O(M) with M being the number of entries returned")
    .history(&[
        ("8.4.0", "Added the `CLAIM` option."),
        ("8.10.0", "Added the `MAXCOUNT` and `MAXSIZE` options."),
    ])
    .summary("Returns new entries of streams to a consumer of a group, or those it has already; can wait for some.")
    .syntax(
        "GROUP@group-block{group:string consumer:string} COUNT@count:integer? MAXCOUNT@maxcount:integer?^8.10.0 \
         MAXSIZE@maxsize:integer?^8.10.0 BLOCK@milliseconds:integer? CLAIM@min-idle-time:integer?^8.4.0 \
         noack=NOACK? STREAMS@streams{key:key* id:string*}",
    )];

/// What the client said before the streams.
struct Options {
    /// The argument that names the group; behind it, the consumer.
    group: usize,
    count: usize,
    count_in_all: usize,
    bytes_in_all: usize,
    /// Whether to wait, and for how long.
    timeout_us: Option<Option<u64>>,
    claim_idle_ms: Option<u64>,
    no_acknowledging: bool,
    /// The first key, and how many there are.
    keys_at: usize,
    keys: usize,
}

impl Options {
    fn parse(cx: &Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        let mut options = Self {
            group: 0,
            count: usize::MAX,
            count_in_all: usize::MAX,
            bytes_in_all: usize::MAX,
            timeout_us: None,
            claim_idle_ms: None,
            no_acknowledging: false,
            keys_at: 0,
            keys: 0,
        };
        let mut index = 1;
        while options.keys_at == 0 && index < args.len() {
            index += options.take(cx, args, index)?;
        }
        if options.keys_at == 0 {
            return Err(Error::SYNTAX);
        }
        if options.group == 0 {
            return Err(Error::err("Missing GROUP option for XREADGROUP"));
        }
        if options.count != usize::MAX && options.count_in_all < options.count {
            return Err(Error::err("MAXCOUNT must be greater than or equal to COUNT"));
        }
        Ok(options)
    }

    /// Takes the option at `index`; how many arguments it has.
    fn take(&mut self, cx: &Cx<'_>, args: Args<'_>, index: usize) -> Result<usize, Error> {
        let more = args.len() - index - 1;
        let is = |word| args.is(index, word);
        if more > 0 && is("COUNT") {
            let count = usize::try_from(args.int(index + 1)?).unwrap_or(0);
            self.count = if count == 0 { usize::MAX } else { count };
        } else if more > 0 && is("BLOCK") {
            self.timeout_us = Some(milliseconds(cx, args, index + 1)?);
        } else if more > 0 && is("CLAIM") {
            let ms = args.int(index + 1).map_err(|_| Error::err("min-idle-time is not an integer"))?;
            let ms = u64::try_from(ms);
            self.claim_idle_ms =
                Some(ms.map_err(|_| Error::err("min-idle-time must be a positive integer"))?);
        } else if more > 0 && is("MAXCOUNT") {
            self.count_in_all = positive(args, index + 1, "MAXCOUNT")?;
        } else if more > 0 && is("MAXSIZE") {
            self.bytes_in_all = positive(args, index + 1, "MAXSIZE")?;
        } else if more > 1 && is("GROUP") {
            self.group = index + 1;
            return Ok(3);
        } else if is("NOACK") {
            self.no_acknowledging = true;
            return Ok(1);
        } else if more > 0 && is("STREAMS") {
            if !more.is_multiple_of(2) {
                return Err(Error::err(
                    "Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
                ));
            }
            (self.keys_at, self.keys) = (index + 1, more / 2);
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(2)
    }
}

fn meaningless(what: &str) -> Error {
    Error::err(format_args!(
        "The {what} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
         by specifying a proper ID, or use the > ID to get new messages. The {what} ID would just return an empty \
         result set."
    ))
}

/// A stream to be read: its key's argument, and behind which of the consumer's entries; `None` for new ones.
type Wanted = (usize, Option<StreamId>);

/// What is wanted of each stream that is looked at now, if all of them can be read.
fn wanted(cx: &mut Cx<'_>, args: Args<'_>, options: &Options) -> Result<Vec<Wanted>, Error> {
    let mut all = Vec::with_capacity(options.keys);
    let name = args.at(options.group);
    for index in options.keys_at..options.keys_at + options.keys {
        if cx.passes_over(index) {
            continue;
        }
        let stream = cx.read::<Stream>(args.key(index))?;
        if stream.and_then(|stream| stream.groups.get(name)).is_none() {
            let text = [
                b"NOGROUP No such key '",
                Error::shown(args.at(index)),
                b"' or consumer group '",
                Error::shown(name),
                b"' in XREADGROUP with GROUP option",
            ];
            return Err(Error::Reply(text.concat().into()));
        }
        let id = match args.at(index + options.keys) {
            b">" => None,
            b"$" => return Err(meaningless("$")),
            b"+" => return Err(meaningless("+")),
            _ => Some(ids::id(args, index + options.keys)?),
        };
        // Redis takes the greatest ID for `>`.
        all.push((index, id.filter(|id| *id != StreamId::MAX)));
    }
    Ok(all)
}

/// One stream being read.
struct Reader<'a> {
    options: &'a Options,
    name: &'a [u8],
    now_ms: u64,
    out: &'a mut Reply,
    budget: &'a mut Budget,
    /// Entries of this stream so far.
    count: usize,
    /// What is to be written down, if anything is.
    delivered: Option<Vec<Delivered>>,
}

impl Reader<'_> {
    fn has_room(&self) -> bool {
        self.count < self.options.count && self.budget.allows(self.out)
    }

    fn write(&mut self, entry: Entry<'_>, idle_and_count: Option<(u64, u64)>) {
        self.out.array(if idle_and_count.is_some() { 4 } else { 2 });
        reply_id(self.out, entry.id);
        reply_words(self.out, entry.fields);
        if let Some((idle_ms, count)) = idle_and_count {
            self.out.int(idle_ms as i64);
            self.out.int(count as i64);
        }
        self.wrote();
    }

    fn wrote(&mut self) {
        self.count += 1;
        self.budget.served += 1;
    }

    /// What the consumer has already, behind an ID.
    fn history(&mut self, stream: &Stream, group: &mut Group, consumer: ConsumerId, behind: StreamId) {
        let Some(from) = behind.next() else { return };
        let left = group.consumer(consumer).pending().min(self.options.count);
        let entries: Vec<_> = group.pending().iter_of(Some(consumer), from).take(left).collect();
        for (id, delivery) in entries {
            if !self.has_room() {
                return;
            }
            match stream.get(id) {
                Some(entry) => {
                    self.write(entry, None);
                    group.assign(id, consumer, self.now_ms, delivery.count_next());
                }
                None => {
                    self.out.array(2);
                    reply_id(self.out, id);
                    self.out.null_array();
                    self.wrote();
                }
            }
        }
    }

    /// Takes what has been pending for some time.
    fn claim(&mut self, stream: &Stream, group: &mut Group, consumer: ConsumerId, idle_ms: u64) {
        let Some(until_ms) = self.now_ms.checked_sub(idle_ms) else {
            // Only what was given back has been idle for so long.
            return self.claim_until(stream, group, consumer, 0);
        };
        self.claim_until(stream, group, consumer, until_ms);
    }

    fn claim_until(&mut self, stream: &Stream, group: &mut Group, consumer: ConsumerId, until_ms: u64) {
        // Those that were deleted cannot be had, and stand in the way of others.
        let mut wanted = self.options.count;
        let found = loop {
            let oldest = group.oldest(until_ms, wanted);
            let there = oldest.iter().filter(|&&id| stream.get(id).is_some()).count();
            if there >= self.options.count || oldest.len() < wanted {
                break oldest;
            }
            wanted = wanted.saturating_mul(2);
        };
        for id in found {
            let Some(entry) = stream.get(id) else { continue };
            if !self.has_room() {
                return;
            }
            let delivery = group.delivery(id).expect("it is pending");
            let idle_ms = self.now_ms.saturating_sub(delivery.at_ms());
            self.write(entry, Some((idle_ms, delivery.count)));
            let count = delivery.count_next();
            group.assign(id, consumer, self.now_ms, count);
            self.delivered.iter_mut().for_each(|delivered| delivered.push((id, count)));
            group.consumer_mut(consumer).active_ms = Some(self.now_ms);
        }
    }

    /// New entries.
    fn news(&mut self, stream: &mut Stream, consumer: ConsumerId) {
        let owner = Some(consumer).filter(|_| !self.options.no_acknowledging);
        let (name, now_ms) = (self.name, self.now_ms);
        let idle_and_count = self.options.claim_idle_ms.map(|_| (0, 0));
        stream.read_on(name, owner, now_ms, |entry| {
            let has_room = self.has_room();
            if has_room {
                self.write(entry.clone(), idle_and_count);
                if owner.is_some() {
                    self.delivered.iter_mut().for_each(|delivered| delivered.push((entry.id, 1)));
                }
            }
            has_room
        });
    }
}

/// What came of reading a stream.
struct Outcomes {
    served: bool,
    /// Entries that were new to the consumer.
    delivered: usize,
    is_new_consumer: bool,
    /// After how long (µs) something can be claimed, if that is known.
    claimable_in_us: Option<u64>,
}

/// Reads one stream.
fn serve(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    options: &Options,
    (index, behind): Wanted,
    budget: &mut Budget,
    out: &mut Reply,
) -> Result<Outcomes, Error> {
    let (now_ms, name, logs) = (cx.now_ms(), args.at(options.group), cx.logs());
    let mut stream = cx.update_read::<Stream>(args.key(index))?.expect("it was there");
    let mut group = stream.groups.get_mut(name).expect("it was there");
    let (consumer, is_new_consumer) = seen_consumer(&mut group, args.at(options.group + 1), now_ms);
    drop(group);
    let mark = out.mark();
    if !out.resp3 {
        out.array(2);
    }
    out.bulk(args.at(index));
    let entries_mark = out.mark();
    let last_id = stream.groups.get(name).expect("it was there").last_id;
    let delivered = logs.then(Vec::new);
    let mut reader = Reader { options, name, now_ms, out, budget, count: 0, delivered };
    match (behind, options.claim_idle_ms) {
        (Some(behind), _) => {
            stream.with_group(name, |stream, group| reader.history(stream, group, consumer, behind))
        }
        (None, Some(idle_ms)) => {
            stream.with_group(name, |stream, group| reader.claim(stream, group, consumer, idle_ms));
            reader.news(&mut stream, consumer);
        }
        (None, None) => reader.news(&mut stream, consumer),
    }
    let (count, told) = (reader.count, reader.delivered);
    let served = count > 0 || behind.is_some();
    match served {
        true => out.array_around(entries_mark, count),
        false => out.rewind(mark),
    }
    let group = stream.groups.get(name).expect("it was there");
    let has_read_on = group.last_id != last_id;
    let oldest_ms = options.claim_idle_ms.filter(|_| !served).zip(group.pending().oldest_ms());
    // What is pending and cannot be claimed is looked at again as if it had just been.
    let claimable_in_ms = oldest_ms.map(|(idle_ms, oldest_ms)| {
        let due_ms = oldest_ms.saturating_add(idle_ms);
        if due_ms > now_ms { due_ms - now_ms } else { idle_ms.max(1) }
    });
    let claimable_in_us = claimable_in_ms.map(|ms| ms.saturating_mul(1000));
    let delivered = if behind.is_none() { count } else { 0 };
    drop(stream);
    if let Some(told) = told {
        tell(cx, args, (index, options.group), is_new_consumer, &told, has_read_on);
    }
    Ok(Outcomes { served, delivered, is_new_consumer, claimable_in_us })
}

/// Writes down what a consumer has got of a stream, and how far its group has read.
fn tell(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    (key_at, group_at): (usize, usize),
    is_new: bool,
    delivered: &[Delivered],
    has_read_on: bool,
) {
    let (key, group, consumer) = (args.key(key_at), args.at(group_at), args.at(group_at + 1));
    if is_new {
        cx.log_consumer(key.bytes, group, consumer);
    }
    let now_ms = cx.now_ms();
    cx.log_delivered(key.bytes, [group, consumer], delivered, now_ms);
    if has_read_on {
        cx.log_progress(key, group);
    }
}

/// XREADGROUP GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK ms] [CLAIM min-idle-time]
/// [NOACK] STREAMS key [key …] id [id …]
fn xreadgroup(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let options = Options::parse(cx, args)?;
    let wanted = wanted(cx, args, &options)?;
    let mark = out.mark();
    let mut budget = Budget::new(options.count_in_all, options.bytes_in_all, out);
    let (mut streams, mut delivered, mut new_in, mut again_us) = (0, 0, Vec::new(), None);
    for wanted in wanted {
        if !budget.allows(out) {
            break;
        }
        let outcome = serve(cx, args, &options, wanted, &mut budget, out)?;
        streams += usize::from(outcome.served);
        delivered += outcome.delivered;
        new_in.extend(outcome.is_new_consumer.then_some(wanted.0));
        again_us = again_us.into_iter().chain(outcome.claimable_in_us).min();
    }
    cx.shard.dirty += u64::from(delivered > 0);
    new_in.iter().for_each(|&index| tell_new_consumer(cx, true, args.at(index)));
    let Some(timeout_us) = time_to_wait(streams, mark, options.timeout_us, out) else { return Ok(()) };
    let keys = (options.keys_at..options.keys_at + options.keys).collect();
    // Whoever claims may find something sooner than others.
    let rivals = options.claim_idle_ms.is_none().then(|| args.at(options.group).into());
    let (awaits, overdue) = (Awaits::Group, Overdue::NullArray);
    cx.wait(Wait { awaits, keys, timeout_us, overdue, again_us, rivals, ..Wait::default() }, out)
}
