//! Showing a vector set as it is now, element by element in the order of their numbers, while it changes: see [`crate::showing`].
//!
//! An element that is about to change or to go is kept with its vector until the showing is over, for the links of others tell how far it is. The graph keeps links as
//! they were before they change for the first time. So what is shown is the graph of one moment: Redis takes no links that do not lead both ways.

use super::saved::Moment;
use super::{Entry, VectorSet};
use crate::showing::{Element, Show};
use std::collections::{HashMap, HashSet};
use vector::Slot;

/// Bytes of elements that are shown in one step.
const STEP_BYTES: usize = 64 * 1024;
/// However short its vector, an element has links, which take time.
const ELEMENT_BYTES_MIN: usize = 2048;

/// How far a set is shown, and what it had and has no more.
pub(super) struct VectorSetShowing {
    next: Next,
    /// No element had this number, or a higher one.
    end: u32,
    /// Elements as they were, by their numbers; `None`: there was none.
    kept: HashMap<u32, Option<Former>>,
    /// Whose slots those were that have been removed since.
    gone: HashMap<Slot, u32>,
    /// Slots that have come since.
    come: HashSet<Slot>,
    kept_bytes: usize,
}

/// What is shown next.
#[derive(Clone, Copy)]
enum Next {
    /// A row of the matrix that reduces vectors.
    Row(usize),
    Number(u32),
    Nothing,
}

/// An element as it was.
pub(super) struct Former {
    pub entry: Entry,
    /// As it is kept.
    pub vector: Vec<u8>,
}

impl VectorSetShowing {
    fn is_over(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    /// What there was under a number, if that is not what there is.
    pub fn former(&self, number: u32) -> Option<Option<&Former>> {
        self.kept.get(&number).map(Option::as_ref)
    }

    /// Whose slot it was, if that is not what the graph says.
    pub fn former_number(&self, slot: Slot) -> Option<Option<u32>> {
        let gone = self.gone.get(&slot).copied();
        gone.map(Some).or_else(|| self.come.contains(&slot).then_some(None))
    }
}

impl VectorSet {
    /// See [`crate::showing::Showable::begin`].
    pub(crate) fn begin_showing(&mut self) {
        assert!(self.showing.is_none(), "a collection is shown to one at a time");
        self.graph.keep_links();
        self.showing = Some(Box::new(VectorSetShowing {
            next: Next::Row(0),
            end: self.numbers_end(),
            kept: HashMap::new(),
            gone: HashMap::new(),
            come: HashSet::new(),
            kept_bytes: 0,
        }));
    }

    /// Shows some elements; false if there are no more.
    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        let Some(mut showing) = self.showing.take() else { return false };
        let (mut next, mut bytes) = (showing.next, 0);
        let then = Moment::of(self, Some(&showing));
        while bytes < STEP_BYTES {
            next = match (next, &self.shape.projection) {
                (Next::Row(row), Some(projection)) if row < projection.output() => {
                    let row_bytes: Vec<u8> = projection.row(row).flat_map(f32::to_le_bytes).collect();
                    bytes += row_bytes.len();
                    show(Element::Text(&row_bytes));
                    Next::Row(row + 1)
                }
                (Next::Row(_), _) => Next::Number(0),
                (Next::Number(number), _) if number < showing.end => {
                    bytes += size_of::<Entry>();
                    if let Some(node) = then.node(number) {
                        bytes += node.kept.bytes.len().max(ELEMENT_BYTES_MIN);
                        show(Element::Vector(&node));
                    }
                    Next::Number(number + 1)
                }
                (Next::Number(_) | Next::Nothing, _) => Next::Nothing,
            };
            if matches!(next, Next::Nothing) {
                break;
            }
        }
        drop(then);
        showing.next = next;
        let is_over = showing.is_over();
        if is_over {
            *showing = VectorSetShowing {
                kept: HashMap::new(),
                gone: HashMap::new(),
                come: HashSet::new(),
                kept_bytes: 0,
                ..*showing
            };
            self.graph.forget_links();
        }
        self.showing = Some(showing);
        !is_over
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.showing.as_ref().map_or(0, |showing| showing.kept_bytes + self.graph.former_bytes())
    }

    pub(crate) fn end_showing(&mut self) {
        if self.showing.take().is_some() {
            self.graph.forget_links();
        }
    }

    /// To be called before the element with a number changes, goes or comes.
    pub(super) fn keep_element(&mut self, number: u32) {
        let is_wanted = |showing: &VectorSetShowing| {
            !showing.is_over() && number < showing.end && !showing.kept.contains_key(&number)
        };
        if !self.showing.as_deref().is_some_and(is_wanted) {
            return;
        }
        let entry = self.entry(number).cloned();
        let former = entry.and_then(|entry| {
            let vector = self.graph.kept(entry.slot)?.into_owned();
            Some(Former { entry, vector })
        });
        if let Some(showing) = &mut self.showing {
            let bytes = |former: &Former| former.vector.len() + former.entry.text_bytes();
            showing.kept_bytes += size_of::<Former>() + former.as_ref().map_or(0, bytes);
            showing.kept.insert(number, former);
        }
    }

    /// To be called before the slot of an element is removed from the graph.
    pub(super) fn keep_slot(&mut self, slot: Slot, number: u32) {
        if let Some(showing) = &mut self.showing
            && !showing.is_over()
            && !showing.come.contains(&slot)
        {
            self.graph.keep_links_of(slot);
            showing.gone.insert(slot, number);
        }
    }

    /// A slot has come to the graph.
    pub(super) fn slot_comes(&mut self, slot: Slot) {
        if let Some(showing) = &mut self.showing
            && !showing.is_over()
        {
            showing.come.insert(slot);
        }
    }
}
