//! A stream as files carry it: the blocks as listpacks of Redis, each with the id its entries are relative to.

use super::Stream;
use super::block::Block;
use super::id::StreamId;
use crate::listpack::Corrupt;

/// A block of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a>(&'a Block);

impl<'a> Node<'a> {
    pub(super) fn of(block: &'a Block) -> Self {
        Self(block)
    }

    /// What the ids in it are relative to.
    pub fn master(&self) -> StreamId {
        self.0.master
    }

    /// Bytes of the listpack.
    pub fn listpack_bytes(&self) -> usize {
        self.0.listpack_bytes()
    }

    /// Appends the listpack.
    pub fn append_listpack(&self, out: &mut Vec<u8>) {
        self.0.append_listpack(out);
    }
}

impl Stream {
    /// The blocks in order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node<'_>> {
        self.log.iter().map(Node)
    }

    /// The blocks that begin behind an id, in order.
    pub fn nodes_behind(&self, id: StreamId) -> impl Iterator<Item = Node<'_>> {
        let places = std::iter::successors(self.log.behind(id), |&place| self.log.next(place));
        places.map(|place| Node(self.log.get(place)))
    }

    /// Adds a foreign block behind all others, after checking it. The last id becomes that of its last entry, deleted or not.
    ///
    /// # Errors
    /// When it is no block, or its ids are not all greater than those before.
    pub fn push_node(&mut self, master: StreamId, listpack: Vec<u8>) -> Result<(), Corrupt> {
        let block = Block::from_listpack(master, listpack)?;
        if self.blocks() != 0 && master <= self.last_id {
            return Err(Corrupt);
        }
        self.last_id = block.last_id();
        self.len += block.live() as u64;
        self.log.push(block);
        if self.first_id.is_zero() {
            self.find_first();
        }
        Ok(())
    }
}

/// What is left of a stream that has no key any more.
pub struct StreamRemains(Stream);

impl Stream {
    /// Its remains; `None` if it was a single block without groups and producers, which is freed now.
    pub fn into_remains(self) -> Option<StreamRemains> {
        (self.blocks() > 1 || !self.groups.is_empty() || self.producers.is_some())
            .then_some(StreamRemains(self))
    }
}

impl StreamRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Frees some blocks, some of a group, or some producers; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        self.0.log.free_row()
            || self.0.groups.free_step()
            || self.0.producers.as_mut().is_some_and(|producers| producers.free_step())
    }
}
