//! One node of a list: listpack entries in a buffer with free room at either end, or one large element by
//! itself.
//!
//! Pushing and popping at either end moves nothing while room lasts; when it ends, one move or a larger
//! buffer makes new room in proportion to the content. Inside, the shorter side moves. The node does not know
//! the limits of its list; those come as arguments.

use super::End;
use crate::listpack::entry;
use crate::listpack::{EMPTY_BYTES, Item, Iter, Needle};

/// Smallest buffer allocated.
const CAPACITY_MIN: usize = 32;

/// Invariant: `head..tail` is within `buf` and holds `count` whole entries, or (plain) `buf` is the one
/// element.
#[derive(Debug, Default)]
pub struct Node {
    buf: Box<[u8]>,
    head: u32,
    tail: u32,
    count: u32,
    plain: bool,
    /// Its number among those that are being shown, little endian; 0 for none.
    number: [u8; 3],
}

impl Clone for Node {
    /// A deep copy without the free room and without a number.
    fn clone(&self) -> Self {
        if self.plain { Self::plain(self.row()) } else { Self::packed_from(self.row(), self.count as usize) }
    }
}

impl Node {
    /// An empty packed node that will be filled at `end`.
    pub fn with_capacity(bytes: usize, end: End) -> Self {
        let start = if end == End::Head { bytes as u32 } else { 0 };
        Self { buf: vec![0; bytes].into_boxed_slice(), head: start, tail: start, ..Self::default() }
    }

    /// A node that is one element.
    pub fn plain(element: &[u8]) -> Self {
        Self { buf: element.into(), count: 1, plain: true, ..Self::default() }
    }

    /// A packed node of ready entries.
    pub fn packed_from(entries: &[u8], count: usize) -> Self {
        Self { buf: entries.into(), tail: entries.len() as u32, count: count as u32, ..Self::default() }
    }

    /// The greatest number that a node can have.
    pub const NUMBER_MAX: u32 = (1 << 24) - 1;

    pub fn number(&self) -> u32 {
        let [low, middle, high] = self.number;
        u32::from_le_bytes([low, middle, high, 0])
    }

    pub fn set_number(&mut self, number: u32) {
        let [low, middle, high, _] = number.to_le_bytes();
        self.number = [low, middle, high];
    }

    #[inline]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    #[inline]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Heap bytes held.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.buf.len()
    }

    /// The entries, or the plain element.
    #[inline]
    pub fn row(&self) -> &[u8] {
        if self.plain { &self.buf } else { &self.buf[self.head as usize..self.tail as usize] }
    }

    #[inline]
    fn used(&self) -> usize {
        (self.tail - self.head) as usize
    }

    /// What the node would take as a listpack (or the element's length): the size Redis compares with its
    /// limits.
    #[inline]
    pub fn listpack_bytes(&self) -> usize {
        if self.plain { self.buf.len() } else { self.used() + EMPTY_BYTES }
    }

    /// The values of the node.
    pub fn items(&self) -> Items<'_> {
        if self.plain { Items::Plain(Some(self.row())) } else { Items::Packed(Iter::over(self.row())) }
    }

    /// Offset in `row()` of the entry at `index` (`count` gives the end), from the nearer side.
    pub fn offset(&self, index: usize) -> usize {
        let row = self.row();
        if index <= self.count() / 2 {
            return (0..index).fold(0, |at, _| at + entry::skip(&row[at..]));
        }
        (index..self.count()).fold(row.len(), |at, _| at - entry::skip_back(&row[..at]))
    }

    /// The value at `index`, which is below `count`.
    pub fn get(&self, index: usize) -> Item<'_> {
        if self.plain { Item::Str(&self.buf) } else { entry::read(&self.row()[self.offset(index)..]).0 }
    }

    /// The first or last value.
    #[inline]
    pub fn peek(&self, end: End) -> Item<'_> {
        self.outermost(end).0
    }

    /// The first or last value, and the bytes that it takes; of a plain element none.
    #[inline]
    pub fn outermost(&self, end: End) -> (Item<'_>, usize) {
        let row = self.row();
        match end {
            _ if self.plain => (Item::Str(row), 0),
            End::Head => entry::read(row),
            End::Tail => {
                let bytes = entry::skip_back(row);
                (entry::read(&row[row.len() - bytes..]).0, bytes)
            }
        }
    }

    /// Adds a value at an end of a packed node. The buffer grows up to `room` bytes, and beyond only if it
    /// must.
    #[inline]
    pub fn push(&mut self, end: End, item: Item<'_>, room: usize) {
        let need = entry::bytes(item);
        if self.gap(end) < need {
            self.make_gap(end, need, room);
        }
        entry::write(item, self.add(end, need));
    }

    /// One more entry of so many bytes, for which there is room at that end; where it is to be written.
    #[inline]
    fn add(&mut self, end: End, bytes: usize) -> &mut [u8] {
        let start = match end {
            End::Head => self.head as usize - bytes,
            End::Tail => self.tail as usize,
        };
        match end {
            End::Head => self.head -= bytes as u32,
            End::Tail => self.tail += bytes as u32,
        }
        self.count += 1;
        &mut self.buf[start..start + bytes]
    }

    /// As [`Node::push`] of a text that is short and surely no integer, if there is room for it; whether it was.
    #[inline]
    pub fn push_short_text(&mut self, end: End, text: &[u8]) -> bool {
        let Some(need) = entry::short_text_bytes(text).filter(|&need| need <= self.gap(end)) else {
            return false;
        };
        entry::write_short_text(text, self.add(end, need));
        true
    }

    /// Removes the first or last value, of which [`Node::outermost`] has told the bytes.
    #[inline]
    pub fn cut(&mut self, end: End, bytes: usize) {
        match end {
            End::Head => self.head += bytes as u32,
            End::Tail => self.tail -= bytes as u32,
        }
        self.count -= 1;
    }

    #[inline]
    fn gap(&self, end: End) -> usize {
        match end {
            End::Head => self.head as usize,
            End::Tail => self.buf.len() - self.tail as usize,
        }
    }

    /// Makes `need` bytes and more free at `end`: moves the entries if an eighth of the content would be
    /// free, else takes a larger buffer, half as large again below `room` and by an eighth above. An end
    /// never yet used gets no room; otherwise a quarter of it.
    #[cold]
    fn make_gap(&mut self, end: End, need: usize, room: usize) {
        let (used, capacity) = (self.used(), self.buf.len());
        let wanted = used + need;
        let roomy = capacity >= wanted + used / 8;
        let new_capacity = if roomy {
            capacity
        } else {
            let grown = (wanted + wanted / 2).next_multiple_of(16).max(CAPACITY_MIN);
            grown.min(room.max(wanted + wanted / 8))
        };
        let spare = new_capacity - wanted;
        let head_gap = match end {
            End::Head if self.tail as usize == capacity => need + spare,
            End::Head => need + spare - spare / 4,
            End::Tail if self.head == 0 => 0,
            End::Tail => spare / 4,
        };
        let old = self.head as usize..self.tail as usize;
        if roomy {
            self.buf.copy_within(old, head_gap);
        } else {
            let mut buf = vec![0; new_capacity].into_boxed_slice();
            buf[head_gap..head_gap + used].copy_from_slice(&self.buf[old]);
            self.buf = buf;
        }
        self.head = head_gap as u32;
        self.tail = (head_gap + used) as u32;
    }

    /// Opens `need` bytes at `offset` in `row()`; returns where in `buf` they are.
    fn open(&mut self, offset: usize, need: usize, room: usize) -> usize {
        let nearer = if offset <= self.used() / 2 { End::Head } else { End::Tail };
        let other = if nearer == End::Head { End::Tail } else { End::Head };
        let end = if self.gap(nearer) < need && self.gap(other) >= need { other } else { nearer };
        if self.gap(end) < need {
            self.make_gap(end, need, room);
        }
        let (head, tail) = (self.head as usize, self.tail as usize);
        if end == End::Head {
            self.buf.copy_within(head..head + offset, head - need);
            self.head -= need as u32;
        } else {
            self.buf.copy_within(head + offset..tail, head + offset + need);
            self.tail += need as u32;
        }
        self.head as usize + offset
    }

    /// Puts a value before the one at `index` of a packed node.
    pub fn insert(&mut self, index: usize, item: Item<'_>, room: usize) {
        let need = entry::bytes(item);
        let at = self.open(self.offset(index), need, room);
        entry::write(item, &mut self.buf[at..at + need]);
        self.count += 1;
    }

    /// Puts a value in the place of the one at `index` of a packed node.
    pub fn replace(&mut self, index: usize, item: Item<'_>, room: usize) {
        let offset = self.offset(index);
        let (old, new) = (entry::skip(&self.row()[offset..]), entry::bytes(item));
        if new > old {
            self.open(offset, new - old, room);
        } else {
            self.close(offset, old - new);
        }
        let at = self.head as usize + offset;
        entry::write(item, &mut self.buf[at..at + new]);
    }

    /// Closes `len` bytes at `offset` in `row()`, moving the shorter side.
    fn close(&mut self, offset: usize, len: usize) {
        let (head, tail) = (self.head as usize, self.tail as usize);
        if offset <= (self.used() - len) / 2 {
            self.buf.copy_within(head..head + offset, head + len);
            self.head += len as u32;
        } else {
            self.buf.copy_within(head + offset + len..tail, head + offset);
            self.tail -= len as u32;
        }
    }

    /// Removes `count` values from `index` on; all of them are there.
    pub fn remove(&mut self, index: usize, count: usize) {
        if !self.plain {
            let start = self.offset(index);
            let end = self.offset(index + count);
            self.close(start, end - start);
        }
        self.count -= count as u32;
    }

    /// Removes up to `limit` values equal to `needle`, the ones nearest to `end`; returns how many.
    pub fn remove_matching(&mut self, needle: &Needle<'_>, limit: usize, end: End) -> usize {
        if self.plain {
            let found = limit > 0 && needle.matches(Item::Str(&self.buf));
            self.count -= u32::from(found);
            return usize::from(found);
        }
        let mut spans = Vec::new();
        let (row, mut at) = (self.row(), 0);
        while at < row.len() && (end == End::Tail || spans.len() < limit) {
            let (item, len) = entry::read(&row[at..]);
            if needle.matches(item) {
                spans.push((at, len));
            }
            at += len;
        }
        let spans = &spans[spans.len().saturating_sub(limit)..];
        self.remove_spans(spans);
        spans.len()
    }

    /// Removes entries given by offset in `row()` and length, in ascending order, in one pass.
    fn remove_spans(&mut self, spans: &[(usize, usize)]) {
        let Some(&(first, _)) = spans.first() else { return };
        let (head, used) = (self.head as usize, self.used());
        let mut to = first;
        for (index, &(at, len)) in spans.iter().enumerate() {
            let (from, until) = (at + len, spans.get(index + 1).map_or(used, |next| next.0));
            self.buf.copy_within(head + from..head + until, head + to);
            to += until - from;
        }
        self.tail = (head + to) as u32;
        self.count -= spans.len() as u32;
    }

    /// Takes the values from `index` on into a new node.
    pub fn split_off(&mut self, index: usize) -> Self {
        let (offset, moved) = (self.offset(index), self.count() - index);
        let right = Self::packed_from(&self.row()[offset..], moved);
        self.tail = self.head + offset as u32;
        self.count -= moved as u32;
        right
    }

    /// Appends all values of `next`; both are packed.
    pub fn absorb(&mut self, next: &Self, room: usize) {
        let need = next.used();
        if self.gap(End::Tail) < need {
            self.make_gap(End::Tail, need, room);
        }
        let tail = self.tail as usize;
        self.buf[tail..tail + need].copy_from_slice(next.row());
        self.tail += need as u32;
        self.count += next.count;
    }

    /// Gives back the buffer's free room if it is more than three quarters.
    pub fn refit(&mut self) {
        if !self.plain && self.buf.len() > CAPACITY_MIN && self.used() < self.buf.len() / 4 {
            *self = Self { number: self.number, ..self.clone() };
        }
    }
}

/// The values of one node, in either direction.
#[derive(Clone)]
pub enum Items<'a> {
    Plain(Option<&'a [u8]>),
    Packed(Iter<'a>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Packed(iter) => iter.next(),
            Self::Plain(element) => element.take().map(Item::Str),
        }
    }
}

impl DoubleEndedIterator for Items<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed(iter) => iter.next_back(),
            Self::Plain(element) => element.take().map(Item::Str),
        }
    }
}
