//! List: a deque of packed nodes, or one node alone while it is small.
//!
//! `One` is what Redis calls encoding "listpack", `Many` is "quicklist", with the conversion rules of Redis
//! 7.2: a listpack becomes a quicklist when the values about to be added would take it over the limit, a
//! quicklist becomes a listpack when removals leave one packed node of at most half the limit. Pushing and
//! popping is O(1) at both ends, an index costs a walk over the node headers (32 bytes each, contiguous) and
//! half a node.
//!
//! `list-compress-depth` is not taken: nodes are never compressed. An empty list may exist for a moment;
//! deleting its key is the keyspace's business.

mod edit;
mod node;
mod range;
mod showing;

pub use range::{Range, RangeRev};

use crate::listpack::{Item, Listpack};
use node::Node;
use showing::ListShowing;
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
    showing: Option<Box<ListShowing>>,
}

impl Clone for List {
    /// A deep copy; free room is not copied.
    fn clone(&self) -> Self {
        let body = self.body.clone();
        let mut copy = Self { body, len: self.len, heap_bytes: 0, limit: self.limit, showing: None };
        let (front, back) = copy.slices();
        copy.heap_bytes = front.iter().chain(back).map(Node::heap_bytes).sum();
        copy
    }
}

/// A list on its way out.
pub(crate) struct ListRemains {
    nodes: VecDeque<Node>,
    heap_bytes: usize,
}

/// Nodes freed in one step.
const STEP_NODES: usize = 64;

impl ListRemains {
    /// Heap bytes not yet freed.
    pub fn bytes(&self) -> usize {
        self.heap_bytes + self.nodes.capacity() * size_of::<Node>()
    }

    /// Frees some nodes; false if there were none.
    pub fn free_step(&mut self) -> bool {
        let count = self.nodes.len().min(STEP_NODES);
        let from = self.nodes.len() - count;
        self.heap_bytes -= self.nodes.range(from..).map(Node::heap_bytes).sum::<usize>();
        self.nodes.truncate(from);
        count > 0
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

impl<'a> NodeView<'a> {
    fn of(node: &'a Node) -> Self {
        match node.is_plain() {
            true => Self::Plain(node.row()),
            false => Self::Packed { entries: node.row(), count: node.count() },
        }
    }

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
        Self { body: Body::One(Node::default()), len: 0, heap_bytes: 0, limit, showing: None }
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
        self.nodes_from(0)
    }

    /// The nodes from the one at `first` to the tail.
    pub fn nodes_from(&self, first: usize) -> impl ExactSizeIterator<Item = NodeView<'_>> {
        let (front, back) = self.slices();
        let total = front.len() + back.len();
        (first.min(total)..total)
            .map(move |index| NodeView::of(front.get(index).unwrap_or_else(|| &back[index - front.len()])))
    }

    /// Blocks of memory it has: its nodes.
    pub(crate) fn blocks(&self) -> usize {
        if let Body::Many(nodes) = &self.body { nodes.len() } else { 1 }
    }

    /// What is left of a quicklist, to be freed step by step; nothing of what is one block.
    pub(crate) fn into_remains(self) -> Option<ListRemains> {
        match self.body {
            Body::One(_) => None,
            Body::Many(nodes) => Some(ListRemains { nodes, heap_bytes: self.heap_bytes }),
        }
    }

    // ---- changes at the ends

    /// To be called with all the values of one command before they are added: converts to a quicklist if
    /// `add_bytes` in `add_count` values would take a listpack over the limit.
    #[inline]
    pub fn grow(&mut self, add_bytes: usize, add_count: usize) {
        if let Body::One(node) = &self.body
            && self.limit.exceeded(node.listpack_bytes().saturating_add(add_bytes), node.count() + add_count)
        {
            self.make_quicklist();
        }
    }

    #[cold]
    fn make_quicklist(&mut self) {
        let Body::One(node) = &mut self.body else { return };
        let node = std::mem::take(node);
        let nodes = if node.count() > 0 { VecDeque::from([node]) } else { VecDeque::new() };
        self.heap_bytes = nodes.iter().map(Node::heap_bytes).sum();
        self.body = Body::Many(nodes);
    }

    /// Adds one value at an end.
    #[inline(always)]
    pub fn push(&mut self, end: End, value: &[u8]) {
        if self.push_in_place(end, value) {
            return;
        }
        self.grow(value.len(), 1);
        self.push_grown(end, value);
    }

    /// The most frequent case of [`List::push`]: a short text for which the outermost node of a quicklist has room. Whether it was that.
    #[inline]
    fn push_in_place(&mut self, end: End, value: &[u8]) -> bool {
        let Body::Many(nodes) = &mut self.body else { return false };
        let last = if end == End::Head { nodes.front_mut() } else { nodes.back_mut() };
        let Some(node) = last.filter(|node| self.limit.allows(node, value.len())) else { return false };
        let is_pushed = self.showing.is_none() && node.push_short_text(end, value);
        self.len += usize::from(is_pushed);
        is_pushed
    }

    /// Adds a value at an end after `grow` was told of it.
    #[inline]
    pub fn push_grown(&mut self, end: End, value: &[u8]) {
        let room = self.limit.listpack_bytes_max;
        self.keep_end(end);
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

    /// To be called before the first or the last node changes.
    #[inline]
    fn keep_end(&mut self, end: End) {
        if self.showing.is_some() {
            let last = if let Body::Many(nodes) = &self.body { nodes.len().saturating_sub(1) } else { 0 };
            self.keep_node(if end == End::Head { 0 } else { last });
        }
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

    /// A node with one value, to be filled at `end`. Long lists begin with a full buffer,
    /// so that nothing is copied while it fills, or with one for as many such values as a node may have.
    fn node_for(&self, end: End, value: &[u8]) -> Node {
        if self.limit.is_large(value.len()) {
            return Node::plain(value);
        }
        let room = self.limit.listpack_bytes_max;
        let full = self.limit.count_max as usize * (value.len() + ENTRY_OVERHEAD_BYTES);
        let mut node = Node::with_capacity((self.heap_bytes / 4).min(room).min(full), end);
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
        self.keep_end(end);
        let node = match (&mut self.body, end) {
            (Body::One(node), _) if node.count() > 0 => node,
            (Body::One(_), _) => return None,
            (Body::Many(nodes), End::Head) => nodes.front_mut()?,
            (Body::Many(nodes), End::Tail) => nodes.back_mut()?,
        };
        let (item, bytes) = node.outermost(end);
        let result = see(item);
        node.cut(end, bytes);
        let is_spent = node.count() == 0;
        self.len -= 1;
        if let Body::Many(nodes) = &self.body
            && (is_spent || nodes.len() == 1)
        {
            self.shrink(end, is_spent);
        }
        Some(result)
    }

    /// A quicklist has lost a value at `end`: drops the node there if that `is_spent`, and sees whether a listpack will do.
    fn shrink(&mut self, end: End, is_spent: bool) {
        if is_spent && let Body::Many(nodes) = &mut self.body {
            let node = if end == End::Head { nodes.pop_front() } else { nodes.pop_back() };
            let node = node.expect("it was there");
            self.heap_bytes -= node.heap_bytes();
            if let Some(showing) = &mut self.showing {
                showing.take(node);
            }
        }
        self.settle(true);
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
}

#[cfg(test)]
mod tests;
