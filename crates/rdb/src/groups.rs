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

use crate::{Error, Reader, Type, append_len, append_string};
use types::Stream;
use types::stream::{Group, StreamId};

const UNKNOWN: u64 = u64::MAX;

/// Appends the groups of a stream in the layout of `kind`, which is 19 or newer.
pub fn append(out: &mut Vec<u8>, stream: &Stream, kind: Type, compress: bool) {
    append_len(out, stream.groups.len() as u64);
    for group in stream.groups.iter() {
        append_string(out, group.name(), compress);
        append_len(out, group.last_id.ms);
        append_len(out, group.last_id.seq);
        append_len(out, group.entries_read.unwrap_or(UNKNOWN));
        append_len(out, group.pending().len() as u64);
        for (id, delivery) in group.pending().iter_from(StreamId::MIN) {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&delivery.at_ms().to_le_bytes());
            append_len(out, delivery.count);
        }
        append_len(out, group.consumers().len() as u64);
        for (id, consumer) in group.consumers() {
            append_string(out, consumer.name(), compress);
            out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
            if kind != Type::Stream2 {
                out.extend_from_slice(&consumer.active_ms.unwrap_or(UNKNOWN).to_le_bytes());
            }
            append_len(out, consumer.pending() as u64);
            let entries = group.pending().iter_of(Some(id), StreamId::MIN).take(consumer.pending());
            entries.for_each(|(id, _)| out.extend_from_slice(&id.to_be_bytes()));
        }
        if kind == Type::Stream5 {
            let entries = group.given_back_in_order();
            append_len(out, entries.len() as u64);
            entries.iter().for_each(|id| out.extend_from_slice(&id.to_be_bytes()));
        }
    }
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
