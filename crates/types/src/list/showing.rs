//! Showing a list as it is now, node by node from the head, while it changes: see [`crate::showing`]. As the order matters, what changes
//! before it is its turn is kept until then.

use super::node::Node;
use super::{Body, List, NodeView};
use crate::showing::{Element, Show};
use std::collections::BTreeMap;

/// Elements of this length cannot be shown in passing, bytes.
const PLAIN_BYTES_MAX: usize = 1 << 20;
/// Bytes of nodes that are shown in one step.
const STEP_BYTES: usize = 64 * 1024;

/// The nodes that there were have numbers from 1 to `last`. Those below `next` have been shown; of the others, each is in the list as
/// it was, or kept.
#[derive(Debug)]
pub(super) struct ListShowing {
    kept: BTreeMap<u32, Node>,
    kept_bytes: usize,
    next: u32,
    last: u32,
    /// Where the last node that was shown stood.
    place: usize,
}

impl ListShowing {
    /// A node is about to change.
    pub fn keep(&mut self, node: &mut Node) {
        let number = node.number();
        if number >= self.next {
            node.set_number(0);
            self.keep_as(number, node.clone());
        }
    }

    /// A node has left the list.
    pub fn take(&mut self, node: Node) {
        if node.number() >= self.next {
            self.keep_as(node.number(), node);
        }
    }

    fn keep_as(&mut self, number: u32, node: Node) {
        self.kept_bytes += node.heap_bytes();
        self.kept.insert(number, node);
    }
}

impl List {
    /// See [`crate::showing::Showable::begin`]. A list is shown if it has many nodes and none that is a huge element.
    pub(crate) fn begin_showing(&mut self) -> bool {
        assert!(self.showing.is_none(), "a collection is shown to one at a time");
        let Body::Many(nodes) = &mut self.body else { return false };
        let Some(last) = u32::try_from(nodes.len()).ok().filter(|&last| last < Node::NUMBER_MAX) else {
            return false;
        };
        for (number, node) in (1..).zip(nodes) {
            if node.is_plain() && node.heap_bytes() > PLAIN_BYTES_MAX {
                return false;
            }
            node.set_number(number);
        }
        let (kept, kept_bytes) = (BTreeMap::new(), 0);
        self.showing = Some(Box::new(ListShowing { kept, kept_bytes, next: 1, last, place: 0 }));
        true
    }

    /// Shows some nodes; false if there are no more.
    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        let Some(mut showing) = self.showing.take() else { return false };
        let mut bytes = 0;
        while bytes < STEP_BYTES && showing.next <= showing.last {
            if let Some(node) = showing.kept.remove(&showing.next) {
                showing.kept_bytes -= node.heap_bytes();
                bytes += node.heap_bytes();
                show(Element::Node(NodeView::of(&node)));
            } else {
                showing.place = self.place_of(showing.next, showing.place);
                let node = self.node(showing.place);
                bytes += node.heap_bytes();
                show(Element::Node(NodeView::of(node)));
            }
            showing.next += 1;
        }
        let has_more = showing.next <= showing.last;
        self.showing = Some(showing);
        has_more
    }

    /// Where the node of a number is, which is near `place` unless many have come or gone.
    fn place_of(&self, number: u32, place: usize) -> usize {
        let (front, back) = self.slices();
        let count = front.len() + back.len();
        let is_it = |place: &usize| *place < count && self.node(*place).number() == number;
        let near = (0..count.max(place + 1)).find_map(|by| {
            let down = place.checked_sub(by).filter(is_it);
            down.or_else(|| Some(place + by).filter(is_it))
        });
        near.expect("what has not changed is there")
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.showing.as_ref().map_or(0, |showing| showing.kept_bytes)
    }

    pub(crate) fn end_showing(&mut self) {
        self.showing = None;
    }

    /// To be called before the node at this place changes.
    #[inline]
    pub(super) fn keep_node(&mut self, place: usize) {
        if let Some(showing) = &mut self.showing {
            match &mut self.body {
                Body::One(node) => showing.keep(node),
                Body::Many(nodes) => nodes.get_mut(place).into_iter().for_each(|node| showing.keep(node)),
            }
        }
    }
}
