//! XCFGSET and XIDMPRECORD: producers that add each message once at most.

use super::{ids, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use std::fmt::Display;
use std::ops::RangeInclusive;
use types::Stream;
use types::stream::Memory;

const UPDATED: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];

pub const COMMANDS: &[Command] = &[
    row("XCFGSET", xcfgset)
        .arity(-2)
        .keys(UPDATED)
        .flags(WRITE | FAST)
        .since("8.6.0")
        .complexity("O(1)")
        .summary("Sets how long, and how many, messages of producers are remembered.")
        .syntax("key:key IDMP-DURATION@idmp-duration:integer? IDMP-MAXSIZE@idmp-maxsize:integer?"),
    row("XIDMPRECORD", xidmprecord)
        .arity(5)
        .keys(UPDATED)
        .flags(WRITE | DENYOOM | FAST)
        .since("8.6.2")
        .complexity("O(1)")
        .summary("Remembers that an entry was made of a message; for replication.")
        .syntax("key:key pid:string iid:string stream-id:string"),
];

/// What streams remember unless told otherwise.
pub fn memory(cx: &Cx<'_>) -> Memory {
    let config = &cx.shard.config;
    Memory {
        duration_s: config.stream_idmp_duration,
        messages_max: usize::try_from(config.stream_idmp_maxsize).unwrap_or(usize::MAX),
    }
}

fn out_of_range(name: &str, range: &RangeInclusive<impl Display>, unit: &str) -> Error {
    Error::err(format_args!("{name} must be between {} and {} {unit}", range.start(), range.end()))
}

/// XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE messages]
fn xcfgset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut duration_s, mut messages_max, mut index) = (None, None, 2);
    if args.len() == 2 {
        return Err(Error::err("At least one parameter must be specified"));
    }
    while index < args.len() {
        let has_value = index + 1 < args.len();
        if has_value && args.is(index, "IDMP-DURATION") {
            let range = Memory::DURATION_S;
            let value = u64::try_from(args.int(index + 1)?).ok().filter(|value| range.contains(value));
            duration_s = Some(value.ok_or_else(|| out_of_range("IDMP-DURATION", &range, "seconds"))?);
        } else if has_value && args.is(index, "IDMP-MAXSIZE") {
            let range = Memory::MESSAGES;
            let value = usize::try_from(args.int(index + 1)?).ok().filter(|value| range.contains(value));
            messages_max = Some(value.ok_or_else(|| out_of_range("IDMP-MAXSIZE", &range, "entries"))?);
        } else {
            return Err(Error::SYNTAX);
        }
        index += 2;
    }
    let (key, default) = (args.key(1), memory(cx));
    let new = {
        let mut stream = cx.update::<Stream>(key)?.ok_or_else(|| Error::NO_SUCH_KEY)?;
        let producers = stream.producers_mut(default);
        let before = producers.memory();
        producers.set_memory(Memory {
            duration_s: duration_s.unwrap_or(before.duration_s),
            messages_max: messages_max.unwrap_or(before.messages_max),
        });
        producers.memory()
    };
    cx.event(Event::Stream, "xcfgset", key.bytes);
    if cx.logs() {
        cx.log_memory(key.bytes, new);
    }
    out.ok();
    Ok(())
}

/// XIDMPRECORD key producer message id
fn xidmprecord(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (producer, message) = (args.at(2), args.at(3));
    if producer.is_empty() || message.is_empty() {
        return Err(Error::err("The IDMP producer-id and idempotent-id must not be empty"));
    }
    let id = ids::id(args, 4)?;
    let (key, default, now_ms, replays) = (args.key(1), memory(cx), cx.now_ms(), cx.shard.replays());
    let is_first = {
        let mut stream = cx.update::<Stream>(key)?.ok_or_else(|| Error::NO_SUCH_KEY)?;
        if stream.get(id).is_none() {
            return Err(Error::err("The specified stream ID was deleted or doesn't exist"));
        }
        match stream.producers().and_then(|it| it.get(producer, message, now_ms)) {
            Some(known) if known == id => false,
            // It was over when this one came.
            Some(_) if replays => {
                stream.producers_mut(default).add(producer, message, id, now_ms);
                false
            }
            Some(_) => {
                return Err(Error::err(
                    "The specified IDMP producer-id/idempotent-id pair maps to a different stream ID",
                ));
            }
            None => {
                let is_first = stream.producers().is_none();
                stream.producers_mut(default).add(producer, message, id, now_ms);
                is_first
            }
        }
    };
    cx.changed(key.bytes);
    if cx.logs() {
        cx.log_message(key.bytes, [producer, message], id, is_first.then_some(default));
    }
    out.ok();
    Ok(())
}
