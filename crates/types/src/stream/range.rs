//! Walking over the entries of a stream between two ids, in either direction, deleted entries left out.

use super::block::{Block, Head};
use super::id::StreamId;
use super::log::{Log, Place};
use crate::listpack::Item;
use crate::listpack::body::Items;

/// An entry of a stream.
#[derive(Clone)]
pub struct Entry<'a> {
    pub id: StreamId,
    pub fields: Fields<'a>,
}

/// The pairs of field and value of an entry.
#[derive(Clone)]
pub struct Fields<'a> {
    /// Fields that stand apart from the values.
    names: Option<Items<'a>>,
    values: Items<'a>,
    left: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn of(block: &'a Block, head: &Head) -> Self {
        let names = head.has_same_fields().then(|| block.names());
        Self { names, values: block.items_at(head.values_at), left: head.pairs }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let field = match &mut self.names {
            Some(names) => names.next()?,
            None => self.values.next()?,
        };
        Some((field, self.values.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// Entries from an id to another, both included, in ascending order.
#[derive(Clone)]
pub struct Entries<'a> {
    log: &'a Log,
    /// The block and the offset of the next entry in it.
    at: Option<(Place, usize)>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Entries<'a> {
    pub(super) fn new(log: &'a Log, from: StreamId, to: StreamId) -> Self {
        let place = if from <= to { log.find(from).or_else(|| log.first_place()) } else { None };
        let at = place.map(|place| {
            let block = log.get(place);
            (place, start(block, from))
        });
        Self { log, at, from, to }
    }
}

/// Where to begin to look for `from` in a block: not behind it.
fn start(block: &Block, from: StreamId) -> usize {
    if from <= block.master {
        return block.begin();
    }
    // Who reads on where he stopped is near the end most often.
    let (mut at, mut steps) = (block.end(), 0);
    while let Some(before) = block.before(at) {
        let id = block.head(before).id;
        if id < from {
            return at;
        }
        at = before;
        steps += 1;
        if steps == BACK_STEPS_MAX {
            return block.begin();
        }
    }
    at
}

/// Entries looked at from the end of a block before the search begins at its front.
const BACK_STEPS_MAX: usize = 16;

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (place, offset) = self.at?;
            let block = self.log.get(place);
            if offset == block.end() {
                self.at = self.log.next(place).map(|next| (next, self.log.get(next).begin()));
                continue;
            }
            let head = block.head(offset);
            if head.id > self.to {
                self.at = None;
                return None;
            }
            self.at = Some((place, block.after(offset, &head)));
            if head.is_live() && head.id >= self.from {
                return Some(Entry { id: head.id, fields: Fields::of(block, &head) });
            }
        }
    }
}

/// Entries from an id to another, both included, in descending order.
#[derive(Clone)]
pub struct EntriesRev<'a> {
    log: &'a Log,
    /// The block and the end of the next entry in it.
    at: Option<(Place, usize)>,
    from: StreamId,
    to: StreamId,
}

impl<'a> EntriesRev<'a> {
    /// From `to` down to `from`.
    pub(super) fn new(log: &'a Log, from: StreamId, to: StreamId) -> Self {
        let place = if from <= to { log.find(to) } else { None };
        Self { log, at: place.map(|place| (place, log.get(place).end())), from, to }
    }
}

impl<'a> Iterator for EntriesRev<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (place, end) = self.at?;
            let block = self.log.get(place);
            let Some(offset) = block.before(end) else {
                self.at = self.log.prev(place).map(|prev| (prev, self.log.get(prev).end()));
                continue;
            };
            let head = block.head(offset);
            if head.id < self.from {
                self.at = None;
                return None;
            }
            self.at = Some((place, offset));
            if head.is_live() && head.id <= self.to {
                return Some(Entry { id: head.id, fields: Fields::of(block, &head) });
            }
        }
    }
}
