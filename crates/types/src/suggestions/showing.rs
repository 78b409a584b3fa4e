//! Showing suggestions as they are now, in the order in which they came, while they change: see [`crate::showing`]. What is about to change or to
//! go before it is its turn is kept until then. Nothing is numbered anew meanwhile.

use super::{Entry, Suggestion, Suggestions};
use crate::showing::{Element, Show};
use std::collections::BTreeMap;

/// Entries that are shown in one step, those included that are gone.
const STEP_ENTRIES: u32 = 512;

/// A copy is not being shown.
#[derive(Debug, Default)]
pub(super) struct SuggestionsShowing(Option<Box<State>>);

/// Entries below `next` have been shown; those from there to `end` are in their places as they were, or kept.
#[derive(Debug)]
struct State {
    kept: BTreeMap<u32, Entry>,
    kept_bytes: usize,
    next: u32,
    end: u32,
}

impl State {
    fn keep(&mut self, number: u32, entry: Entry) {
        self.kept_bytes += kept_bytes_of(&entry);
        self.kept.insert(number, entry);
    }
}

fn kept_bytes_of(entry: &Entry) -> usize {
    size_of::<Entry>() + entry.heap_bytes()
}

impl SuggestionsShowing {
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What is being shown, if it still wants this entry as it is.
    fn wanting(&mut self, number: u32) -> Option<&mut State> {
        let state = self.0.as_deref_mut();
        state.filter(|state| (state.next..state.end).contains(&number) && !state.kept.contains_key(&number))
    }

    /// An entry is about to change.
    #[inline]
    pub fn keep(&mut self, number: u32, entry: &Entry) {
        if let Some(state) = self.wanting(number) {
            state.keep(number, entry.clone());
        }
    }

    /// An entry is gone.
    #[inline]
    pub fn take(&mut self, number: u32, entry: Entry) {
        if let Some(state) = self.wanting(number) {
            state.keep(number, entry);
        }
    }
}

impl Suggestions {
    /// See [`crate::showing::Showable::begin`].
    pub(crate) fn begin_showing(&mut self) {
        assert!(!self.showing.is_on(), "a collection is shown to one at a time");
        let end = self.entries.len() as u32;
        self.showing.0 = Some(Box::new(State { kept: BTreeMap::new(), kept_bytes: 0, next: 0, end }));
    }

    /// Shows some entries; false if there are no more.
    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        let Some(state) = self.showing.0.as_deref_mut() else { return false };
        let until = state.end.min(state.next + STEP_ENTRIES);
        for number in state.next..until {
            if let Some(kept) = state.kept.remove(&number) {
                state.kept_bytes -= kept_bytes_of(&kept);
                show(Element::Suggestion(Suggestion::of(&kept)));
            } else if let Some(entry) = &self.entries[number as usize] {
                show(Element::Suggestion(Suggestion::of(entry)));
            }
        }
        state.next = until;
        until < state.end
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.showing.0.as_ref().map_or(0, |state| state.kept_bytes)
    }

    pub(crate) fn end_showing(&mut self) {
        self.showing.0 = None;
    }
}
