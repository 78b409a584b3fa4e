//! List: a deque of packed nodes, or one node alone while it is small.
//!
//! `One` is what Redis calls encoding "listpack", `Many` is "quicklist", with the conversion rules of Redis 7.2: a
//! listpack becomes a quicklist when the values about to be added would take it over the limit, a quicklist becomes
//! a listpack when removals leave one packed node of at most half the limit. Pushing and popping is O(1) at both
//! ends, an index costs a walk over the node headers (32 bytes each, contiguous) and half a node.
//!
//! `list-compress-depth` is not taken: nodes are never compressed. An empty list may exist for a moment; deleting its
//! key is the keyspace's business.

use crate::entry::{Item, Needle};
use crate::listpack::{Corrupt, Listpack};
use crate::node::{Items, Node};
use std::collections::VecDeque;

/// A node limited by a number of entries still takes no more than this.
const SAFETY_BYTES_MAX: usize = 8192;
/// Added to a value's length when judging whether a node has room for it, as Redis does.
const ENTRY_OVERHEAD_BYTES: usize = 8;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Head,
    Tail,
}

/// How large a node may grow: `list-max-listpack-size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimit {
    listpack_bytes_max: usize,
    /// `u32::MAX` when bytes are the limit.
    count_max: u32,
}

impl Default for ListLimit {
    fn default() -> Self {
        Self::new(-2)
    }
}

impl ListLimit {
    /// -1 … -5 are 4, 8, 16, 32, 64 KiB; 0 counts as 1; positive is a number of entries.
    pub fn new(setting: i32) -> Self {
        match u32::try_from(setting) {
            Ok(count) => Self { listpack_bytes_max: SAFETY_BYTES_MAX, count_max: count.max(1) },
            Err(_) => {
                let level = setting.unsigned_abs().min(5);
                Self { listpack_bytes_max: 2048 << level, count_max: u32::MAX }
            }
        }
    }

    #[inline]
    fn exceeded(&self, listpack_bytes: usize, count: usize) -> bool {
        listpack_bytes > self.listpack_bytes_max || count > self.count_max as usize
    }

    /// Whether a value of this length gets a node of its own.
    #[inline]
    fn is_large(&self, len: usize) -> bool {
        len > self.listpack_bytes_max
    }

    /// Whether a node has room for one more value of `len` bytes.
    #[inline]
    fn allows(&self, node: &Node, len: usize) -> bool {
        !node.is_plain()
            && !self.is_large(len)
            && !self.exceeded(node.listpack_bytes() + len + ENTRY_OVERHEAD_BYTES, node.count() + 1)
    }

    /// Whether a quicklist of one node may become a listpack: at half the limit while shrinking.
    fn fits_listpack(&self, node: &Node, shrinking: bool) -> bool {
        let by = if shrinking { 2 } else { 1 };
        // With a limit on entries Redis sets none on bytes here.
        let bytes_max = if self.count_max == u32::MAX { self.listpack_bytes_max / by } else { usize::MAX };
        !node.is_plain() && node.listpack_bytes() <= bytes_max && node.count() <= self.count_max as usize / by
    }
}

#[derive(Clone, Debug)]
enum Body {
    One(Node),
    Many(VecDeque<Node>),
}

/// A list of byte strings.
#[derive(Debug)]
pub struct List {
    body: Body,
    len: usize,
    /// Heap bytes of the nodes' buffers.
    heap_bytes: usize,
    limit: ListLimit,
}

impl Clone for List {
    /// A deep copy; free room is not copied.
    fn clone(&self) -> Self {
        let body = self.body.clone();
        let mut copy = Self { body, len: self.len, heap_bytes: 0, limit: self.limit };
        let (front, back) = copy.slices();
        copy.heap_bytes = front.iter().chain(back).map(Node::heap_bytes).sum();
        copy
    }
}

/// What a node holds, for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeView<'a> {
    Plain(&'a [u8]),
    /// Entries without header and terminator, see [`NodeView::append_listpack`].
    Packed {
        entries: &'a [u8],
        count: usize,
    },
}

impl NodeView<'_> {
    /// Appends the node's content as the files hold it: the element itself, or a whole listpack.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        match *self {
            NodeView::Plain(element) => out.extend_from_slice(element),
            NodeView::Packed { entries, count } => Listpack::append_wrapped(entries, count, out),
        }
    }
}

impl List {
    /// An empty list with the encoding "listpack".
    pub fn new(limit: ListLimit) -> Self {
        Self { body: Body::One(Node::default()), len: 0, heap_bytes: 0, limit }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::One(_) => self.heap_bytes,
            Body::Many(nodes) => self.heap_bytes + nodes.capacity() * size_of::<Node>(),
        }
    }

    /// The name for OBJECT ENCODING.
    pub fn encoding(&self) -> &'static str {
        match self.body {
            Body::One(_) => "listpack",
            Body::Many(_) => "quicklist",
        }
    }

    /// The nodes as they lie in memory: the first slice, then the second.
    #[inline]
    fn slices(&self) -> (&[Node], &[Node]) {
        match &self.body {
            Body::One(node) => (std::slice::from_ref(node), &[]),
            Body::Many(nodes) => nodes.as_slices(),
        }
    }

    /// The nodes from head to tail, for DUMP and RDB (quicklist nodes, version 2).
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeView<'_>> {
        let (front, back) = self.slices();
        let total = front.len() + back.len();
        (0..total).map(move |index| {
            let node = front.get(index).unwrap_or_else(|| &back[index - front.len()]);
            match node.is_plain() {
                true => NodeView::Plain(node.row()),
                false => NodeView::Packed { entries: node.row(), count: node.count() },
            }
        })
    }

    // ---- changes at the ends

    /// To be called with all the values of one command before they are added: converts to a quicklist if
    /// `add_bytes` in `add_count` values would take a listpack over the limit.
    #[inline]
    pub fn grow(&mut self, add_bytes: usize, add_count: usize) {
        if let Body::One(node) = &mut self.body
            && self.limit.exceeded(node.listpack_bytes().saturating_add(add_bytes), node.count() + add_count)
        {
            let node = std::mem::take(node);
            let nodes = if node.count() > 0 { VecDeque::from([node]) } else { VecDeque::new() };
            self.heap_bytes = nodes.iter().map(Node::heap_bytes).sum();
            self.body = Body::Many(nodes);
        }
    }

    /// Adds one value at an end.
    #[inline]
    pub fn push(&mut self, end: End, value: &[u8]) {
        self.grow(value.len(), 1);
        self.push_grown(end, value);
    }

    /// Adds a value at an end after `grow` was told of it.
    #[inline]
    pub fn push_grown(&mut self, end: End, value: &[u8]) {
        let room = self.limit.listpack_bytes_max;
        let node = match &mut self.body {
            Body::One(node) => node,
            Body::Many(nodes) => {
                let last = if end == End::Head { nodes.front_mut() } else { nodes.back_mut() };
                match last {
                    Some(node) if self.limit.allows(node, value.len()) => node,
                    _ => return self.push_node(end, value),
                }
            }
        };
        let before = node.heap_bytes();
        node.push(end, Item::new(value), room);
        self.heap_bytes += node.heap_bytes() - before;
        self.len += 1;
    }

    /// Adds a value at an end of a quicklist in a new node.
    fn push_node(&mut self, end: End, value: &[u8]) {
        let node = self.node_for(end, value);
        self.heap_bytes += node.heap_bytes();
        self.len += 1;
        let Body::Many(nodes) = &mut self.body else { unreachable!("only a quicklist gets more nodes") };
        match end {
            End::Head => nodes.push_front(node),
            End::Tail => nodes.push_back(node),
        }
    }

    /// A node with one value, to be filled from the side opposite to `end`. Long lists begin with a full buffer,
    /// so that nothing is copied while it fills.
    fn node_for(&self, end: End, value: &[u8]) -> Node {
        if self.limit.is_large(value.len()) {
            return Node::plain(value);
        }
        let room = self.limit.listpack_bytes_max;
        let mut node = Node::with_capacity((self.heap_bytes / 4).min(room));
        node.push(end, Item::new(value), room);
        node
    }

    /// The first or last value.
    #[inline]
    pub fn peek(&self, end: End) -> Option<Item<'_>> {
        if self.len == 0 {
            return None;
        }
        let node = match (&self.body, end) {
            (Body::One(node), _) => node,
            (Body::Many(nodes), End::Head) => nodes.front()?,
            (Body::Many(nodes), End::Tail) => nodes.back()?,
        };
        Some(node.peek(end))
    }

    /// Removes the first or last value after showing it to `see`.
    #[inline]
    pub fn pop<R>(&mut self, end: End, see: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let result = see(self.peek(end)?);
        self.len -= 1;
        match &mut self.body {
            Body::One(node) => node.pop(end),
            Body::Many(nodes) => {
                let node = if end == End::Head { nodes.front_mut() } else { nodes.back_mut() };
                let node = node.expect("a list with a value has a node");
                if node.count() > 1 {
                    node.pop(end);
                } else {
                    self.heap_bytes -= node.heap_bytes();
                    match end {
                        End::Head => nodes.pop_front(),
                        End::Tail => nodes.pop_back(),
                    };
                }
                if nodes.len() <= 1 {
                    self.settle(true);
                }
            }
        }
        Some(result)
    }

    // ---- reading

    /// The node and the index in it of the value at `index`, which is below `len`, from the nearer end.
    fn locate(&self, index: usize) -> (usize, usize) {
        let Body::Many(nodes) = &self.body else { return (0, index) };
        if index <= self.len / 2 {
            let mut rest = index;
            for (number, node) in nodes.iter().enumerate() {
                if rest < node.count() {
                    return (number, rest);
                }
                rest -= node.count();
            }
        } else {
            let mut from_end = self.len - index;
            for (number, node) in nodes.iter().enumerate().rev() {
                if from_end <= node.count() {
                    return (number, node.count() - from_end);
                }
                from_end -= node.count();
            }
        }
        unreachable!("node counts add up to the length")
    }

    /// The node of a number that `locate` gave.
    fn node(&self, number: usize) -> &Node {
        match &self.body {
            Body::One(node) => node,
            Body::Many(nodes) => &nodes[number],
        }
    }

    /// The value at `index`.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        if index >= self.len {
            return None;
        }
        let (number, within) = self.locate(index);
        Some(self.node(number).get(within))
    }

    /// Up to `count` values from `index` on, towards the tail.
    pub fn range(&self, index: usize, count: usize) -> Range<'_> {
        self.range_from(index, count, End::Head)
    }

    /// Up to `count` values from `index` on, towards the head.
    pub fn range_rev(&self, index: usize, count: usize) -> RangeRev<'_> {
        RangeRev(self.range_from(index, count, End::Tail))
    }

    /// All values from head to tail.
    pub fn iter(&self) -> Range<'_> {
        self.range(0, self.len)
    }

    /// A walk that begins at `index`, coming from `end`.
    fn range_from(&self, index: usize, count: usize, end: End) -> Range<'_> {
        let (front, back) = self.slices();
        let empty = Items::Packed(crate::listpack::Iter::over(&[]));
        if index >= self.len {
            return Range { items: empty, front: &[], back: &[], left: 0 };
        }
        let (number, within) = self.locate(index);
        let node = self.node(number);
        let items = if node.is_plain() {
            node.items()
        } else if end == End::Head {
            Items::Packed(crate::listpack::Iter::over(&node.row()[node.offset(within)..]))
        } else {
            Items::Packed(crate::listpack::Iter::over(&node.row()[..node.offset(within + 1)]))
        };
        let cut = number.min(front.len());
        let (front, back, left) = if end == End::Head {
            let front_rest = front.get(number + 1..).unwrap_or_default();
            let back_rest = back.get((number + 1).saturating_sub(front.len())..).unwrap_or_default();
            (front_rest, back_rest, self.len - index)
        } else {
            (&front[..cut], &back[..number - cut], index + 1)
        };
        Range { items, front, back, left: left.min(count) }
    }

    // ---- changes inside

    /// Puts `value` in the place of the one at `index`; false if there is none.
    pub fn set(&mut self, index: usize, value: &[u8]) -> bool {
        if index >= self.len {
            return false;
        }
        self.grow(value.len(), 1);
        let (number, within) = self.locate(index);
        let (large, room) = (self.limit.is_large(value.len()), self.limit.listpack_bytes_max);
        let node = match &mut self.body {
            Body::One(node) => node,
            Body::Many(nodes) => &mut nodes[number],
        };
        if large || node.is_plain() {
            self.insert_grown(index, value);
            self.remove_range(index + 1, 1);
            return true;
        }
        let before = node.heap_bytes();
        node.replace(within, Item::new(value), room);
        self.heap_bytes = self.heap_bytes - before + node.heap_bytes();
        self.settle(true);
        true
    }

    /// Puts `value` before the one at `index` (at the tail for `len`). `index` is at most `len`.
    pub fn insert(&mut self, index: usize, value: &[u8]) {
        self.grow(value.len(), 1);
        self.insert_grown(index, value);
    }

    fn insert_grown(&mut self, index: usize, value: &[u8]) {
        assert!(index <= self.len, "the place to insert at is in the list");
        if index == 0 || index == self.len {
            return self.push_grown(if index == 0 { End::Head } else { End::Tail }, value);
        }
        let (limit, room) = (self.limit, self.limit.listpack_bytes_max);
        let (mut number, mut within) = self.locate(index);
        let node = match &mut self.body {
            Body::One(node) => node,
            Body::Many(nodes) => {
                if within == 0 && !limit.allows(&nodes[number], value.len()) {
                    number -= 1;
                    within = nodes[number].count();
                }
                if !limit.allows(&nodes[number], value.len()) {
                    return self.insert_splitting(number, within, value);
                }
                &mut nodes[number]
            }
        };
        let before = node.heap_bytes();
        node.insert(within, Item::new(value), room);
        self.heap_bytes += node.heap_bytes() - before;
        self.len += 1;
    }

    /// Inserts where the node has no room: the node is split there and a new one put between.
    fn insert_splitting(&mut self, number: usize, within: usize, value: &[u8]) {
        let new = self.node_for(End::Tail, value);
        self.len += 1;
        let Body::Many(nodes) = &mut self.body else { unreachable!("a listpack is never split") };
        self.heap_bytes += new.heap_bytes();
        if within == nodes[number].count() {
            nodes.insert(number + 1, new);
            return;
        }
        let before = nodes[number].heap_bytes();
        let right = nodes[number].split_off(within);
        nodes[number].refit();
        self.heap_bytes = self.heap_bytes - before + nodes[number].heap_bytes() + right.heap_bytes();
        nodes.insert(number + 1, right);
        nodes.insert(number + 1, new);
        for number in [number + 2, number + 1, number, number.wrapping_sub(1)] {
            self.merge_with_next(number);
        }
    }

    /// Merges two neighbours if they fit one node.
    fn merge_with_next(&mut self, number: usize) {
        let Body::Many(nodes) = &mut self.body else { return };
        let Some(next) = number.checked_add(1).and_then(|next| nodes.get(next)) else { return };
        let node = &nodes[number];
        let (bytes, count) = (node.listpack_bytes() + next.listpack_bytes(), node.count() + next.count());
        if node.is_plain() || next.is_plain() || self.limit.exceeded(bytes, count) {
            return;
        }
        let next = nodes.remove(number + 1).expect("looked at");
        let node = &mut nodes[number];
        self.heap_bytes -= node.heap_bytes() + next.heap_bytes();
        node.absorb(&next, self.limit.listpack_bytes_max);
        self.heap_bytes += node.heap_bytes();
    }

    /// Removes up to `limit` values equal to `needle`, beginning at `end`; returns how many.
    pub fn remove_matching(&mut self, needle: &[u8], limit: usize, end: End) -> usize {
        let needle = Needle::new(needle);
        let mut removed = 0;
        match &mut self.body {
            Body::One(node) => removed = node.remove_matching(&needle, limit, end),
            Body::Many(nodes) => {
                let count = nodes.len();
                for step in 0..count {
                    if removed == limit {
                        break;
                    }
                    let number = if end == End::Head { step } else { count - 1 - step };
                    removed += nodes[number].remove_matching(&needle, limit - removed, end);
                }
                nodes.retain_mut(|node| {
                    node.refit();
                    node.count() > 0
                });
                self.heap_bytes = nodes.iter().map(Node::heap_bytes).sum();
            }
        }
        self.len -= removed;
        self.settle(true);
        removed
    }

    /// Removes up to `count` values from `index` on; returns how many.
    pub fn remove_range(&mut self, index: usize, count: usize) -> usize {
        let count = count.min(self.len.saturating_sub(index));
        if count == 0 {
            return 0;
        }
        let (number, within) = self.locate(index);
        self.len -= count;
        match &mut self.body {
            Body::One(node) => node.remove(within, count),
            Body::Many(nodes) => self.heap_bytes -= remove_from_nodes(nodes, number, within, count),
        }
        self.settle(true);
        count
    }

    /// Keeps `count` values from `index` on and removes all others.
    pub fn keep(&mut self, index: usize, count: usize) {
        self.remove_range(index.saturating_add(count), usize::MAX);
        self.remove_range(0, index);
    }

    /// Makes a quicklist of one small packed node (or none) a listpack.
    fn settle(&mut self, shrinking: bool) {
        let Body::Many(nodes) = &mut self.body else { return };
        if nodes.len() > 1 || nodes.front().is_some_and(|node| !self.limit.fits_listpack(node, shrinking)) {
            return;
        }
        let mut node = nodes.pop_front().unwrap_or_default();
        node.refit();
        self.heap_bytes = node.heap_bytes();
        self.body = Body::One(node);
    }

    // ---- building from files

    /// Adds a packed node read from a file at the tail. Empty ones are passed over.
    pub fn load_listpack(&mut self, raw: Vec<u8>) -> Result<(), Corrupt> {
        let listpack = Listpack::from_bytes(raw)?;
        let count = listpack.len();
        if count > 0 {
            self.load_node(Node::packed_from(listpack.entries(), count));
        }
        Ok(())
    }

    /// Adds an element that had a node of its own in a file at the tail.
    pub fn load_plain(&mut self, element: &[u8]) {
        if self.limit.is_large(element.len()) {
            self.load_node(Node::plain(element));
        } else {
            self.push(End::Tail, element);
        }
    }

    fn load_node(&mut self, node: Node) {
        self.grow(usize::MAX, 0);
        self.len += node.count();
        self.heap_bytes += node.heap_bytes();
        let Body::Many(nodes) = &mut self.body else { unreachable!("just grown to a quicklist") };
        nodes.push_back(node);
    }

    /// Chooses the encoding after loading.
    pub fn finish_load(&mut self) {
        self.settle(false);
        self.grow(0, 0);
    }
}

/// Removes `count` values from the one at `within` in node `number` on; returns the heap bytes freed.
fn remove_from_nodes(nodes: &mut VecDeque<Node>, number: usize, within: usize, count: usize) -> usize {
    let (mut left, mut first, mut freed) = (count, number, 0);
    let cut = |node: &mut Node, at: usize, count: usize| {
        let before = node.heap_bytes();
        node.remove(at, count);
        node.refit();
        before - node.heap_bytes()
    };
    if within > 0 {
        let here = left.min(nodes[first].count() - within);
        freed += cut(&mut nodes[first], within, here);
        left -= here;
        first += 1;
    }
    let mut last = first;
    while last < nodes.len() && nodes[last].count() <= left {
        left -= nodes[last].count();
        freed += nodes[last].heap_bytes();
        last += 1;
    }
    nodes.drain(first..last);
    if left > 0 {
        freed += cut(&mut nodes[first], 0, left);
    }
    freed
}

/// Values towards the tail.
#[derive(Clone)]
pub struct Range<'a> {
    items: Items<'a>,
    front: &'a [Node],
    back: &'a [Node],
    left: usize,
}

impl<'a> Iterator for Range<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        loop {
            if let Some(item) = self.items.next() {
                return Some(item);
            }
            if self.front.is_empty() {
                std::mem::swap(&mut self.front, &mut self.back);
            }
            let (node, rest) = self.front.split_first()?;
            (self.items, self.front) = (node.items(), rest);
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Range<'_> {}

/// Values towards the head.
#[derive(Clone)]
pub struct RangeRev<'a>(Range<'a>);

impl<'a> Iterator for RangeRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let range = &mut self.0;
        if range.left == 0 {
            return None;
        }
        range.left -= 1;
        loop {
            if let Some(item) = range.items.next_back() {
                return Some(item);
            }
            if range.back.is_empty() {
                std::mem::swap(&mut range.front, &mut range.back);
            }
            let (node, rest) = range.back.split_last()?;
            (range.items, range.back) = (node.items(), rest);
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left, Some(self.0.left))
    }
}

impl ExactSizeIterator for RangeRev<'_> {}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
