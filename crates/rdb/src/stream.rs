//! Streams: blocks as listpacks, then what is known of the log as a whole, then the consumer groups.
//!
//! ```text
//! number of blocks, then for each: the id its entries are relative to (a string of 16 bytes), its listpack (a string)
//! entries, last id
//! from type 19 on: first id, greatest deleted id, entries ever added
//! the groups, see `groups`
//! from type 26 on: seconds and number for which messages are remembered, number of producers, then for each: its name, number of
//! messages, for each of them its name and the id of its entry; messages ever added, and those that came again
//! ```
//! An id is two lengths, ms and seq.

use crate::encode::Room;
use crate::{Error, Reader, Type, append_len, append_string, groups};
use std::ops::Bound;
use types::Stream;
use types::stream::{Memory, Node, Producers, StreamId};

fn append_id(out: &mut Vec<u8>, id: StreamId) {
    append_len(out, id.ms);
    append_len(out, id.seq);
}

/// How far a stream is written.
#[derive(Clone, Debug)]
pub enum Place {
    Start,
    /// The blocks that begin behind this id are left.
    Blocks(StreamId),
    Groups(groups::Place),
    Producers(InProducers),
}

/// How far the producers are written.
#[derive(Clone, Debug)]
pub enum InProducers {
    Start,
    /// To the end of the one with this name.
    Behind(Box<[u8]>),
    /// So many messages of the one with this name.
    Within(Box<[u8]>, usize),
}

/// Appends a stream from a place on, in the layout of `kind`, which is 19 or newer, 26 or newer if it has producers; where to go
/// on if there was not room for all of it.
pub fn append_from(
    out: &mut Vec<u8>,
    stream: &Stream,
    kind: Type,
    place: Place,
    room: Room,
) -> Option<Place> {
    let behind = match place {
        Place::Groups(_) | Place::Producers(_) => return append_rest_from(out, stream, kind, place, room),
        Place::Blocks(behind) => append_blocks(out, stream.nodes_behind(behind), room),
        Place::Start => {
            append_len(out, stream.blocks() as u64);
            append_blocks(out, stream.nodes(), room)
        }
    };
    if let Some(behind) = behind {
        return Some(Place::Blocks(behind));
    }
    append_facts(out, stream);
    append_rest_from(out, stream, kind, Place::Groups(groups::Place::default()), room)
}

/// Appends the groups, and the producers.
pub fn append_rest(out: &mut Vec<u8>, stream: &Stream, kind: Type, compress: bool) {
    let first = Place::Groups(groups::Place::default());
    let rest = append_rest_from(out, stream, kind, first, Room::endless(compress));
    assert!(rest.is_none(), "the room has no end");
}

/// Appends the groups and the producers from a place among them on; where to go on if there was not room for all.
fn append_rest_from(
    out: &mut Vec<u8>,
    stream: &Stream,
    kind: Type,
    place: Place,
    room: Room,
) -> Option<Place> {
    let from = match place {
        Place::Producers(from) => from,
        Place::Groups(place) => {
            if let Some(place) = groups::append_from(out, stream, kind, place, room) {
                return Some(Place::Groups(place));
            }
            InProducers::Start
        }
        Place::Start | Place::Blocks(_) => unreachable!("the blocks come first"),
    };
    let none = Producers::new(Memory::USUAL);
    let producers = stream.producers().or_else(|| (kind == Type::Stream5).then_some(&none))?;
    append_producers(out, producers, from, room).map(Place::Producers)
}

/// Appends blocks; the id behind which the rest begins if there was not room for all of them.
fn append_blocks<'a>(
    out: &mut Vec<u8>,
    blocks: impl Iterator<Item = Node<'a>>,
    room: Room,
) -> Option<StreamId> {
    let mut listpack = Vec::new();
    for block in blocks {
        append_block(out, block, &mut listpack, room.compress);
        if room.is_used_up(out) {
            return Some(block.master());
        }
    }
    None
}

/// Appends a block. Its listpack is put together in `buffer`.
pub fn append_block(out: &mut Vec<u8>, block: Node<'_>, buffer: &mut Vec<u8>, compress: bool) {
    append_string(out, &block.master().to_be_bytes(), compress);
    buffer.clear();
    block.append_listpack(buffer);
    append_string(out, buffer, compress);
}

/// Appends what is known of the log as a whole, and how many groups there are.
pub fn append_facts(out: &mut Vec<u8>, stream: &Stream) {
    append_len(out, stream.len() as u64);
    for id in [stream.last_id(), stream.first_id(), stream.max_deleted_id] {
        append_id(out, id);
    }
    append_len(out, stream.entries_added);
    append_len(out, stream.groups.len() as u64);
}

/// Appends the producers from a place on; where to go on if there was not room for all.
fn append_producers(
    out: &mut Vec<u8>,
    producers: &Producers,
    from: InProducers,
    room: Room,
) -> Option<InProducers> {
    let (bound, first) = match &from {
        InProducers::Start => {
            let memory = producers.memory();
            append_len(out, memory.duration_s);
            append_len(out, memory.messages_max as u64);
            append_len(out, producers.len() as u64);
            (Bound::Unbounded, 0)
        }
        InProducers::Behind(name) => (Bound::Excluded(&**name), 0),
        InProducers::Within(name, first) => (Bound::Included(&**name), *first),
    };
    let mut written = first;
    for (name, count, messages) in producers.iter_from(bound, first) {
        if written == 0 {
            append_string(out, name, room.compress);
            append_len(out, count as u64);
        }
        for (message, id) in messages {
            append_string(out, message, room.compress);
            append_id(out, id);
            written += 1;
            if room.is_used_up(out) {
                let name = name.into();
                return Some(if written < count {
                    InProducers::Within(name, written)
                } else {
                    InProducers::Behind(name)
                });
            }
        }
        written = 0;
    }
    append_len(out, producers.added);
    append_len(out, producers.duplicates);
    None
}

fn id(reader: &mut Reader<'_>) -> Result<StreamId, Error> {
    Ok(StreamId::new(reader.length()?, reader.length()?))
}

/// Reads a stream in the layout of `kind`.
///
/// # Errors
/// See [`Error`].
pub fn read(kind: Type, reader: &mut Reader<'_>) -> Result<Stream, Error> {
    let mut stream = Stream::new();
    for _ in 0..reader.length()? {
        let master = <[u8; 16]>::try_from(&*reader.string()?).map_err(|_| Error::Corrupt("id of a block"))?;
        stream.push_node(StreamId::from_be_bytes(master), reader.string()?.into_vec())?;
    }
    // Some servers of old have written a length that is none; like Redis we only want there to be something.
    let announced = reader.length()?;
    if announced > 0 && stream.blocks() == 0 {
        return Err(Error::Corrupt("length of a stream"));
    }
    if !stream.set_last_id(id(reader)?) {
        return Err(Error::Corrupt("last id of a stream"));
    }
    stream.entries_added = announced;
    if kind != Type::Stream {
        // The first id is found anew.
        id(reader)?;
        stream.max_deleted_id = id(reader)?;
        stream.entries_added = reader.length()?;
    }
    groups::read(kind, reader, &mut stream)?;
    if matches!(kind, Type::Stream4 | Type::Stream5) {
        read_producers(kind, &mut stream, reader)?;
    }
    Ok(stream)
}

fn read_producers(kind: Type, stream: &mut Stream, reader: &mut Reader<'_>) -> Result<(), Error> {
    let (duration_s, messages) = (reader.length()?, usize::try_from(reader.length()?).unwrap_or(usize::MAX));
    if !Memory::DURATION_S.contains(&duration_s) || !Memory::MESSAGES.contains(&messages) {
        return Err(Error::Corrupt("memory of a stream"));
    }
    let producers = stream.producers_mut(Memory { duration_s, messages_max: messages });
    for _ in 0..reader.length()? {
        let name = reader.string()?;
        for _ in 0..reader.length()? {
            let message = reader.string()?;
            if !producers.insert(&name, &message, id(reader)?) {
                return Err(Error::Corrupt("message of a producer comes twice"));
            }
        }
    }
    producers.added = reader.length()?;
    producers.duplicates = reader.length()?;
    if kind == Type::Stream5 && producers.is_as_new() && producers.memory() == Memory::USUAL {
        // Nothing is known of any: it was written because something was given back to a group.
        stream.set_producers(None);
    }
    Ok(())
}
