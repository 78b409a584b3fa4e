//! The consumer groups of a stream.
//!
//! ```text
//! number of groups, then for each:
//!   name (string), last id, [from type 19 on: entries read, all bits set if unknown]
//!   pending entries, then for each: id (16 bytes), time (8 bytes), deliveries
//!   consumers, then for each: name (string), time seen (8 bytes), [from type 21 on: time active (8 bytes), all bits set if never]
//!     its pending entries, then for each: id (16 bytes)
//!   [from type 27 on: entries that were given back (XNACK), then for each, in that order: id (16 bytes)]
//! ```
//! In types before 27 an entry that no consumer lists counts as given back; what stands for its time says in which order.

use crate::encode::Room;
use crate::{Error, Reader, Type, append_len, append_string};
use types::Stream;
use types::stream::{Consumer, Group, StreamId};

const UNKNOWN: u64 = u64::MAX;

/// How far the groups are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The group, in the order in which they are written.
    group: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    #[default]
    Start,
    /// The pending entries from this id on are left.
    Pending(StreamId),
    /// A consumer, in the order in which they are written, and its pending entries from this id on; at `None` nothing of it is written.
    Consumer(usize, Option<StreamId>),
}

/// Appends the groups from a place on in the layout of `kind`, which is 19 or newer; where to go on if there was not room for
/// all of them.
pub fn append_from(
    out: &mut Vec<u8>,
    stream: &Stream,
    kind: Type,
    place: Place,
    room: Room,
) -> Option<Place> {
    let mut part = place.part;
    for (index, group) in stream.groups.iter().enumerate().skip(place.group) {
        while let Some(next) = append_part(out, group, kind, part, room) {
            part = next;
            if room.is_used_up(out) {
                return Some(Place { group: index, part });
            }
        }
        part = Part::Start;
        if kind == Type::Stream5 {
            let entries = group.given_back_in_order();
            append_len(out, entries.len() as u64);
            entries.iter().for_each(|id| out.extend_from_slice(&id.to_be_bytes()));
        }
    }
    None
}

/// Appends a part of a group, as far as there is room; what is next, or `None` after the last consumer.
fn append_part(out: &mut Vec<u8>, group: &Group, kind: Type, part: Part, room: Room) -> Option<Part> {
    match part {
        Part::Start => {
            append_string(out, group.name(), room.compress);
            append_len(out, group.last_id.ms);
            append_len(out, group.last_id.seq);
            append_len(out, group.entries_read.unwrap_or(UNKNOWN));
            append_len(out, group.pending().len() as u64);
            Some(Part::Pending(StreamId::MIN))
        }
        Part::Pending(from) => {
            for (id, delivery) in group.pending().iter_from(from) {
                if room.is_used_up(out) {
                    return Some(Part::Pending(id));
                }
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(&delivery.at_ms().to_le_bytes());
                append_len(out, delivery.count);
            }
            append_len(out, group.consumers().len() as u64);
            Some(Part::Consumer(0, None))
        }
        Part::Consumer(first, mut from) => {
            for (index, (id, consumer)) in group.consumers().enumerate().skip(first) {
                if room.is_used_up(out) {
                    return Some(Part::Consumer(index, None));
                }
                if from.is_none() {
                    append_consumer(out, consumer, kind, room);
                }
                let entries = group.pending().iter_of(Some(id), from.take().unwrap_or(StreamId::MIN));
                for (id, _) in entries.take(consumer.pending()) {
                    if room.is_used_up(out) {
                        return Some(Part::Consumer(index, Some(id)));
                    }
                    out.extend_from_slice(&id.to_be_bytes());
                }
            }
            None
        }
    }
}

fn append_consumer(out: &mut Vec<u8>, consumer: &Consumer, kind: Type, room: Room) {
    append_string(out, consumer.name(), room.compress);
    out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
    if kind != Type::Stream2 {
        out.extend_from_slice(&consumer.active_ms.unwrap_or(UNKNOWN).to_le_bytes());
    }
    append_len(out, consumer.pending() as u64);
}

fn raw_id(reader: &mut Reader<'_>) -> Result<StreamId, Error> {
    let bytes = reader.take(16)?;
    Ok(StreamId::from_be_bytes(bytes.try_into().expect("sixteen were taken")))
}

/// Reads the groups of a stream, whose entries have been read, in the layout of `kind`.
///
/// # Errors
/// See [`Error`].
pub fn read(kind: Type, reader: &mut Reader<'_>, stream: &mut Stream) -> Result<(), Error> {
    for _ in 0..reader.length()? {
        let name = reader.string()?.into_vec();
        let last_id = StreamId::new(reader.length()?, reader.length()?);
        let entries_read = match kind {
            Type::Stream => stream.entries_ever_until(last_id),
            _ => Some(reader.length()?).filter(|count| i64::try_from(*count).is_ok()),
        };
        let mut group = Group::new(&name, last_id, entries_read);
        for _ in 0..reader.length()? {
            let (id, at, count) = (raw_id(reader)?, reader.u64_le()?, reader.length()?);
            if !group.load(id, at, count) {
                return Err(Error::Corrupt("pending entry twice"));
            }
        }
        for _ in 0..reader.length()? {
            read_consumer(kind, reader, &mut group)?;
        }
        if kind == Type::Stream5 {
            let given_back = (0..reader.length()?).map(|_| raw_id(reader)).collect::<Result<Vec<_>, _>>()?;
            if !group.load_given_back(&given_back) {
                return Err(Error::Corrupt("entry that was given back"));
            }
        }
        group.loaded();
        if !stream.groups.add(group) {
            return Err(Error::Corrupt("group twice"));
        }
    }
    Ok(())
}

fn read_consumer(kind: Type, reader: &mut Reader<'_>, group: &mut Group) -> Result<(), Error> {
    let (name, seen_ms) = (reader.string()?.into_vec(), reader.u64_le()?);
    let active_ms = match kind {
        Type::Stream3 | Type::Stream4 | Type::Stream5 => {
            Some(reader.u64_le()?).filter(|at_ms| *at_ms != UNKNOWN)
        }
        _ => Some(seen_ms),
    };
    let id = group.add_consumer(&name, seen_ms).ok_or(Error::Corrupt("consumer twice"))?;
    group.consumer_mut(id).active_ms = active_ms;
    for _ in 0..reader.length()? {
        if !group.load_owner(raw_id(reader)?, id) {
            return Err(Error::Corrupt("pending entry of a consumer"));
        }
    }
    Ok(())
}
