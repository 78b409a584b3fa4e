//! Showing a list as it is now, node by node from the head, while it changes: see [`crate::showing`]. As the order matters, what changes
//! before it is its turn is kept until then.

use super::node::Node;
use super::{Body, List, NodeView};
use crate::showing::{Element, Show};
use std::collections::BTreeMap;

/// Bytes of nodes that are shown in one step. An element by itself that is longer is shown in parts.
const STEP_BYTES: usize = 64 * 1024;
/// Who takes away more than this before its turn shows on, bytes.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// So many bytes for each that is kept.
const SHOWN_PER_KEPT: usize = 4;

/// The nodes that there were have numbers from 1 to `last`. Those below `next` have been shown; of the others, each is in the list as
/// it was, or kept.
#[derive(Debug)]
pub(super) struct ListShowing {
    kept: BTreeMap<u32, Node>,
    kept_bytes: usize,
    /// Bytes that who changes the list should show.
    owed_bytes: usize,
    next: u32,
    last: u32,
    /// Bytes of the next one that have been shown.
    shown_bytes: usize,
    /// Where the last node that was shown stood.
    place: usize,
}

impl ListShowing {
    /// A node is about to change. One element by itself never does: it goes, and is taken then.
    pub fn keep(&mut self, node: &mut Node) {
        let number = node.number();
        if number >= self.next && !node.is_plain() {
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
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.owed_bytes += SHOWN_PER_KEPT * node.heap_bytes();
        }
        self.kept.insert(number, node);
    }

    /// The next one has been shown as far as this; its bytes that were kept are nobody's any more when that is all.
    fn pass(&mut self, shown: Shown) {
        match shown {
            Shown::UpTo(bytes) => self.shown_bytes = bytes,
            Shown::Whole => {
                let kept = self.kept.remove(&self.next);
                self.kept_bytes -= kept.map_or(0, |node| node.heap_bytes());
                self.shown_bytes = 0;
                self.next += 1;
            }
        }
    }
}

/// How far a node has been shown.
enum Shown {
    Whole,
    /// So many bytes of its element.
    UpTo(usize),
}

/// Shows a node, or the next part of an element that is long.
fn show_node(node: &Node, shown_bytes: usize, show: Show<'_>) -> Shown {
    let view = NodeView::of(node);
    let NodeView::Plain(element) = view else {
        show(Element::Node(view));
        return Shown::Whole;
    };
    if element.len() <= STEP_BYTES {
        show(Element::Node(view));
        return Shown::Whole;
    }
    if shown_bytes == 0 {
        show(Element::LongNode(element.len() as u64));
    }
    let until = element.len().min(shown_bytes + STEP_BYTES);
    show(Element::Text(&element[shown_bytes..until]));
    if until == element.len() { Shown::Whole } else { Shown::UpTo(until) }
}

impl List {
    /// See [`crate::showing::Showable::begin`]. A list is shown if it has many nodes.
    pub(crate) fn begin_showing(&mut self) -> bool {
        assert!(self.showing.is_none(), "a collection is shown to one at a time");
        let Body::Many(nodes) = &mut self.body else { return false };
        let Some(last) = u32::try_from(nodes.len()).ok().filter(|&last| last < Node::NUMBER_MAX) else {
            return false;
        };
        for (number, node) in (1..).zip(nodes) {
            node.set_number(number);
        }
        let (kept, kept_bytes) = (BTreeMap::new(), 0);
        let showing =
            ListShowing { kept, kept_bytes, owed_bytes: 0, next: 1, last, shown_bytes: 0, place: 0 };
        self.showing = Some(Box::new(showing));
        true
    }

    /// Shows some nodes; false if there are no more.
    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        let Some(mut showing) = self.showing.take() else { return false };
        let mut bytes = 0;
        while bytes < STEP_BYTES && showing.next <= showing.last {
            let node = match showing.kept.get(&showing.next) {
                Some(kept) => kept,
                None => {
                    showing.place = self.place_of(showing.next, showing.place);
                    self.node(showing.place)
                }
            };
            let shown = show_node(node, showing.shown_bytes, show);
            let until = if let Shown::UpTo(until) = shown { until } else { node.heap_bytes() };
            bytes += until - showing.shown_bytes;
            showing.pass(shown);
        }
        showing.owed_bytes = showing.owed_bytes.saturating_sub(bytes);
        let has_more = showing.next <= showing.last;
        self.showing = Some(showing);
        has_more
    }

    /// Shows on, so that what is kept does not become too much.
    pub(crate) fn show_kept(&mut self, show: Show<'_>) {
        while self.show_on(show) && self.showing.as_ref().is_some_and(|showing| showing.owed_bytes > 0) {}
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
