//! Changes inside a list: by index, by value, by range; and building a list from the nodes of a file.

use super::node::Node;
use super::showing::ListShowing;
use super::{Body, End, List};
use crate::listpack::{Corrupt, Item, Listpack, Needle};
use std::collections::VecDeque;

impl List {
    /// Puts `value` in the place of the one at `index`; false if there is none.
    pub fn set(&mut self, index: usize, value: &[u8]) -> bool {
        if index >= self.len {
            return false;
        }
        self.grow(value.len(), 1);
        let (number, within) = self.locate(index);
        let (large, room) = (self.limit.is_large(value.len()), self.limit.listpack_bytes_max);
        self.keep_node(number);
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
        self.keep_node(number);
        if within == 0 {
            self.keep_node(number.wrapping_sub(1));
        }
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
        let Body::Many(nodes) = &self.body else { return };
        let Some(next) = number.checked_add(1).and_then(|next| nodes.get(next)) else { return };
        let node = &nodes[number];
        let (bytes, count) = (node.listpack_bytes() + next.listpack_bytes(), node.count() + next.count());
        if node.is_plain() || next.is_plain() || self.limit.exceeded(bytes, count) {
            return;
        }
        self.keep_node(number);
        self.keep_node(number + 1);
        let Body::Many(nodes) = &mut self.body else { unreachable!("looked at") };
        let next = nodes.remove(number + 1).expect("looked at");
        let node = &mut nodes[number];
        self.heap_bytes -= node.heap_bytes() + next.heap_bytes();
        node.absorb(&next, self.limit.listpack_bytes_max);
        self.heap_bytes += node.heap_bytes();
    }

    /// Removes up to `limit` values equal to `needle`, beginning at `end`; returns how many.
    pub fn remove_matching(&mut self, needle: &[u8], limit: usize, end: End) -> usize {
        let needle = Needle::new(needle);
        self.keep_matching(&needle);
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
                let mut showing = self.showing.as_deref_mut();
                nodes.retain_mut(|node| {
                    node.refit();
                    let is_gone = node.count() == 0;
                    if is_gone && let Some(showing) = &mut showing {
                        showing.take(std::mem::take(node));
                    }
                    !is_gone
                });
                self.heap_bytes = nodes.iter().map(Node::heap_bytes).sum();
            }
        }
        self.len -= removed;
        self.settle(true);
        removed
    }

    /// To be called before values are removed wherever they are.
    fn keep_matching(&mut self, needle: &Needle<'_>) {
        let Some(showing) = &mut self.showing else { return };
        let keep = |node: &mut Node| {
            if node.items().any(|item| needle.matches(item)) {
                showing.keep(node);
            }
        };
        match &mut self.body {
            Body::One(node) => [node].into_iter().for_each(keep),
            Body::Many(nodes) => nodes.iter_mut().for_each(keep),
        }
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
            Body::One(node) => {
                self.showing.iter_mut().for_each(|showing| showing.keep(node));
                node.remove(within, count);
            }
            Body::Many(nodes) => {
                self.heap_bytes -=
                    remove_from_nodes(nodes, number, within, count, self.showing.as_deref_mut());
            }
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
    pub(super) fn settle(&mut self, shrinking: bool) {
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
fn remove_from_nodes(
    nodes: &mut VecDeque<Node>,
    number: usize,
    within: usize,
    count: usize,
    mut showing: Option<&mut ListShowing>,
) -> usize {
    let (mut left, mut first, mut freed) = (count, number, 0);
    let cut = |node: &mut Node, at: usize, count: usize, showing: &mut Option<&mut ListShowing>| {
        showing.iter_mut().for_each(|showing| showing.keep(node));
        let before = node.heap_bytes();
        node.remove(at, count);
        node.refit();
        before - node.heap_bytes()
    };
    if within > 0 {
        let here = left.min(nodes[first].count() - within);
        freed += cut(&mut nodes[first], within, here, &mut showing);
        left -= here;
        first += 1;
    }
    let mut last = first;
    while last < nodes.len() && nodes[last].count() <= left {
        left -= nodes[last].count();
        freed += nodes[last].heap_bytes();
        last += 1;
    }
    for node in nodes.drain(first..last) {
        if let Some(showing) = &mut showing {
            showing.take(node);
        }
    }
    if left > 0 {
        freed += cut(&mut nodes[first], 0, left, &mut showing);
    }
    freed
}
