//! Showing the text of a large document as it is now, piece by piece, while it changes: for snapshots.
//!
//! Each array and object with nodes knows which of its elements it had at the beginning ([`trace`]), and keeps what is about to change and has
//! not been shown: a packed element as a copy of two kilobytes at most, whatever goes as it is. So nobody copies more than what is
//! changed anyway. The length of the text must be known before the text: the document is gone through twice, and what is kept stays until it is shown
//! the second time.
//!
//! Deliberately absent: documents whose root is a number, a text or an array of nothing but numbers are not shown so. The last can be shared instead
//! ([`Document::shared_numbers`]); the others never change where they are, another document takes their place. Bytes that are kept are in no account.

mod trace;

pub(crate) use trace::{Keeper, Trace};

use crate::node::{Elements, Members, Numbers, Repr};
use crate::write::{InText, write_string};
use crate::{Document, Node};

/// Bytes of text that are shown in one step.
const STEP_BYTES: usize = 64 * 1024;

/// A part of what is shown.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// Bytes of the whole text; comes first.
    Length(u64),
    Text(&'a [u8]),
}

/// How far a document is shown. What it keeps is in the document.
#[derive(Debug, Default)]
pub struct Reader {
    /// The numbers of the elements that are being shown, from the root inwards, as they stood at the beginning.
    indexes: Vec<usize>,
    /// How far a long text is among these.
    within: InText,
    /// Of the text that is measured, or still to be shown.
    bytes: u64,
    is_measured: bool,
}

impl Reader {
    /// Goes on, for a step of bounded length; false if that was the last.
    ///
    /// # Panics
    /// If the document is not being shown ([`Document::begin_showing`]).
    pub fn show_on(&mut self, document: &mut Document, show: &mut dyn FnMut(Part<'_>)) -> bool {
        let root = document.root_mut();
        let showing = root.trace_mut().expect("a document that is being shown").showing();
        let (mut text, indexes) = (Vec::with_capacity(STEP_BYTES + 4096), std::mem::take(&mut self.indexes));
        let (passes, within) = (self.is_measured, self.within);
        let mut step = Step { showing, indexes, within, text: &mut text, passes, passed_bytes: 0 };
        let is_over = step.show(root, 0, false);
        let passed_bytes = step.passed_bytes;
        (self.indexes, self.within) = (step.indexes, step.within);
        if let Some(state) = root.trace_mut().and_then(Trace::root_state) {
            state.kept_bytes = state.kept_bytes.saturating_sub(passed_bytes);
        }
        let count = text.len() as u64;
        if self.is_measured {
            self.bytes = self.bytes.checked_sub(count).expect("the text is as it was measured");
            show(Part::Text(&text));
            assert!(!is_over || self.bytes == 0, "the text is as it was measured");
            return !is_over;
        }
        self.bytes += count;
        if is_over {
            self.is_measured = true;
            show(Part::Length(self.bytes));
        }
        true
    }
}

/// One step of a reader.
struct Step<'t> {
    showing: u32,
    indexes: Vec<usize>,
    within: InText,
    text: &'t mut Vec<u8>,
    /// What is shown need not be kept any more.
    passes: bool,
    passed_bytes: usize,
}

impl Step<'_> {
    /// Appends the text of a node that is `depth` deep, or what is left of it; whether that was all. `is_kept`: it belongs to nobody else any more.
    fn show(&mut self, node: &mut Node, depth: usize, is_kept: bool) -> bool {
        let Some(mut large) = Large::of(node) else {
            return self.within.write(node.view(), STEP_BYTES, self.text);
        };
        if self.indexes.len() == depth {
            self.indexes.push(0);
            self.text.push(large.brackets()[0]);
            if self.passes {
                large.enter(self.showing);
            }
        }
        let len = large.len_then(self.showing);
        while self.indexes[depth] < len {
            if !self.show_child(&mut large, depth, is_kept) {
                return false;
            }
            self.indexes[depth] += 1;
            if self.passes {
                self.passed_bytes += large.pass(self.showing);
            }
            if self.text.len() >= STEP_BYTES {
                return false;
            }
        }
        self.text.push(large.brackets()[1]);
        self.indexes.pop();
        if self.passes && depth > 0 {
            large.end();
        }
        true
    }

    /// The same of the element whose turn it is.
    fn show_child(&mut self, large: &mut Large<'_>, depth: usize, is_kept: bool) -> bool {
        let at = self.indexes[depth];
        let is_new = self.indexes.len() == depth + 1 && !self.within.is_within();
        if is_new && at > 0 {
            self.text.push(b',');
        }
        let (child, is_kept_alone) = match large {
            Large::Numbers(numbers) => {
                numbers.as_ref().write(at, self.text);
                return true;
            }
            Large::Elements(elements) => elements.then_mut(at, self.showing),
            Large::Members(members) => {
                let (name, child, is_kept_alone) = members.then_mut(at, self.showing);
                if is_new {
                    write_string(name, self.text);
                    self.text.push(b':');
                }
                (child, is_kept_alone)
            }
        };
        let is_over = self.show(child, depth + 1, is_kept || is_kept_alone);
        if is_over && is_kept && self.passes {
            // So that the end of a large one that has gone is not one long step.
            *child = Node::null();
        }
        is_over
    }
}

/// What may be long.
enum Large<'a> {
    Numbers(&'a Numbers),
    Elements(&'a mut Elements),
    Members(&'a mut Members),
}

impl<'a> Large<'a> {
    fn of(node: &'a mut Node) -> Option<Self> {
        match &mut node.0 {
            Repr::Numbers(numbers) => Some(Self::Numbers(numbers)),
            Repr::Array(elements) => Some(Self::Elements(elements)),
            Repr::Object(members) => Some(Self::Members(members)),
            _ => None,
        }
    }

    fn brackets(&self) -> &'static [u8; 2] {
        if let Self::Members(_) = self { b"{}" } else { b"[]" }
    }

    fn enter(&mut self, showing: u32) {
        match self {
            Self::Numbers(_) => {}
            Self::Elements(elements) => _ = elements.trace.enter(showing, elements.nodes.len(), true),
            Self::Members(members) => _ = members.trace.enter(showing, members.len(), false),
        }
    }

    /// How many there were at the beginning.
    fn len_then(&mut self, showing: u32) -> usize {
        let (now, trace) = match self {
            Self::Numbers(numbers) => return numbers.as_ref().len(),
            Self::Elements(elements) => (elements.nodes.len(), &mut elements.trace),
            Self::Members(members) => (members.len(), &mut members.trace),
        };
        trace.state_of(showing).map_or(now, |state| state.len)
    }

    fn trace(&mut self) -> Option<&mut Trace> {
        match self {
            Self::Numbers(_) => None,
            Self::Elements(elements) => Some(&mut elements.trace),
            Self::Members(members) => Some(&mut members.trace),
        }
    }

    /// The next one is shown; bytes that were kept of it.
    fn pass(&mut self, showing: u32) -> usize {
        self.trace().and_then(|trace| trace.state_of(showing)).map_or(0, trace::State::pass)
    }

    fn end(&mut self) {
        self.trace().into_iter().for_each(Trace::end);
    }
}

impl Document {
    /// Begins to show the document as it is now to a new [`Reader`]; false if that cannot be done.
    ///
    /// # Panics
    /// If it is being shown.
    pub fn begin_showing(&mut self) -> bool {
        assert!(!self.is_shown(), "a document is shown to one at a time");
        let (len, is_array) = match &self.root().0 {
            Repr::Array(elements) => (elements.nodes.len(), true),
            Repr::Object(members) => (members.len(), false),
            _ => return false,
        };
        self.root_mut().trace_mut().into_iter().for_each(|trace| trace.begin(len, is_array));
        true
    }

    pub(crate) fn is_shown(&mut self) -> bool {
        self.kept().is_some()
    }

    fn kept(&mut self) -> Option<usize> {
        let state = self.root_mut().trace_mut().and_then(Trace::root_state);
        state.map(|state| state.kept_bytes)
    }

    pub(crate) fn add_kept(&mut self, bytes: usize) {
        let state = self.root_mut().trace_mut().and_then(Trace::root_state);
        state.into_iter().for_each(|state| state.kept_bytes += bytes);
    }

    /// Bytes that are kept.
    pub fn kept_bytes(&mut self) -> usize {
        self.kept().unwrap_or(0)
    }

    /// Ends it, wherever it is.
    pub fn end_showing(&mut self) {
        self.root_mut().trace_mut().into_iter().for_each(Trace::end);
    }
}

#[cfg(test)]
mod tests;
