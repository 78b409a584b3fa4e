//! Things numbered by a `u32` that stays theirs until they are removed, kept in chunks so that growing never
//! copies more than one chunk. Invariant: an id given out names the same thing until `remove`; freed ids are
//! used again. A chunk whose last thing leaves gives its memory back; things are never renumbered to close
//! gaps.

use std::mem::size_of;
use std::ops::{Index, IndexMut};

/// No id.
pub(super) const NONE: u32 = u32::MAX;

const CHUNK_BITS: u32 = 8;
const CHUNK_LEN: usize = 1 << CHUNK_BITS;

#[derive(Clone)]
enum Slot<T> {
    Full(T),
    /// The place in its chunk of the next free slot, or [`NONE`].
    Free(u32),
}

#[derive(Clone)]
struct Chunk<T> {
    slots: Vec<Slot<T>>,
    live: u32,
    free: u32,
    /// Whether `Arena::open` names this chunk.
    listed: bool,
}

pub(super) struct Arena<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks that may have room; the last one is filled first.
    open: Vec<u32>,
    /// Slots allocated in all chunks.
    slots: usize,
}

impl<T> Arena<T> {
    pub fn new() -> Self {
        Self { chunks: Vec::new(), open: Vec::new(), slots: 0 }
    }

    /// Heap bytes of the arena itself, without what its things own.
    pub fn bytes(&self) -> usize {
        self.slots * size_of::<Slot<T>>()
            + self.chunks.capacity() * size_of::<Chunk<T>>()
            + self.open.capacity() * size_of::<u32>()
    }

    pub fn insert(&mut self, thing: T) -> u32 {
        let at = self.chunk_with_room();
        let chunk = &mut self.chunks[at];
        chunk.live += 1;
        let place = if chunk.free != NONE {
            let place = chunk.free as usize;
            let Slot::Free(next) = std::mem::replace(&mut chunk.slots[place], Slot::Full(thing)) else {
                unreachable!("the free list names a live slot")
            };
            chunk.free = next;
            place
        } else {
            let before = chunk.slots.capacity();
            chunk.slots.push(Slot::Full(thing));
            self.slots += chunk.slots.capacity() - before;
            chunk.slots.len() - 1
        };
        let id = (at << CHUNK_BITS) + place;
        assert!(id < NONE as usize, "arena ids are 32 bits wide");
        id as u32
    }

    fn chunk_with_room(&mut self) -> usize {
        while let Some(&at) = self.open.last() {
            let chunk = &mut self.chunks[at as usize];
            if chunk.free != NONE || chunk.slots.len() < CHUNK_LEN {
                return at as usize;
            }
            chunk.listed = false;
            self.open.pop();
        }
        self.open.push(self.chunks.len() as u32);
        self.chunks.push(Chunk { slots: Vec::new(), live: 0, free: NONE, listed: true });
        self.chunks.len() - 1
    }

    pub fn remove(&mut self, id: u32) -> T {
        let (at, place) = split(id);
        let chunk = &mut self.chunks[at];
        let Slot::Full(thing) = std::mem::replace(&mut chunk.slots[place], Slot::Free(chunk.free)) else {
            unreachable!("removed twice")
        };
        chunk.free = place as u32;
        chunk.live -= 1;
        if chunk.live == 0 {
            self.slots -= chunk.slots.capacity();
            chunk.slots = Vec::new();
            chunk.free = NONE;
        }
        if !chunk.listed {
            chunk.listed = true;
            self.open.push(at as u32);
        }
        thing
    }

    /// Chunks, empty ones included.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Frees the last chunk with all its things; false if there was none. Only for an arena whose ids are used no more.
    pub fn free_chunk(&mut self) -> bool {
        let Some(chunk) = self.chunks.pop() else { return false };
        self.slots -= chunk.slots.capacity();
        true
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| &chunk.slots).filter_map(|slot| match slot {
            Slot::Full(thing) => Some(thing),
            Slot::Free(_) => None,
        })
    }
}

fn split(id: u32) -> (usize, usize) {
    ((id >> CHUNK_BITS) as usize, id as usize & (CHUNK_LEN - 1))
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        let (at, place) = split(id);
        match &self.chunks[at].slots[place] {
            Slot::Full(thing) => thing,
            Slot::Free(_) => unreachable!("a freed id was used"),
        }
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        let (at, place) = split(id);
        match &mut self.chunks[at].slots[place] {
            Slot::Full(thing) => thing,
            Slot::Free(_) => unreachable!("a freed id was used"),
        }
    }
}

impl<T: Clone> Clone for Arena<T> {
    /// A copy is allocated as tightly as `Vec::clone` does, so its bytes are counted anew.
    fn clone(&self) -> Self {
        let chunks = self.chunks.clone();
        let slots = chunks.iter().map(|chunk| chunk.slots.capacity()).sum();
        Self { chunks, open: self.open.clone(), slots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_and_freed_ones_return() {
        let mut arena = Arena::new();
        let ids: Vec<u32> = (0..1000u64).map(|n| arena.insert(Box::new(n))).collect();
        let full = arena.bytes();
        for &id in &ids[..900] {
            assert_eq!(*arena.remove(id), u64::from(id));
        }
        assert!(arena.bytes() < full / 2);
        assert_eq!(arena.iter().count(), 100);
        for n in 0..900u64 {
            arena.insert(Box::new(n + 5000));
        }
        assert!(ids[900..].iter().all(|&id| *arena[id] == u64::from(id)));
        assert_eq!(arena.bytes(), full);
        assert_eq!(size_of::<Slot<Box<[u8]>>>(), 16, "a free slot hides in the box");
    }
}
