//! Showing an array as it is now, page by page from the first, while it changes: see [`crate::showing`]. As the order matters, what changes
//! before it is its turn is kept until then.

use super::directory::Numbered;
use super::page::{POSITIONS, Page};
use super::{Array, LAST};
use crate::showing::{Element, Show};
use std::collections::BTreeMap;

/// Bytes of pages that are shown in one step.
const STEP_BYTES: usize = 64 * 1024;

/// A copy is not being shown.
#[derive(Debug, Default)]
pub(super) struct ArrayShowing(Option<Box<State>>);

/// Pages below `next` have been shown; those from there to `last` are in the array as they were, or kept.
#[derive(Debug)]
struct State {
    /// `None` for a page that was not there.
    kept: BTreeMap<u64, Option<Page>>,
    kept_bytes: usize,
    next: u64,
    last: u64,
}

impl State {
    fn wants(&self, number: u64) -> bool {
        (self.next..=self.last).contains(&number) && !self.kept.contains_key(&number)
    }

    fn keep(&mut self, number: u64, page: Option<Page>) {
        self.kept_bytes += page.as_ref().map_or(0, Page::heap_bytes);
        self.kept.insert(number, page);
    }
}

impl ArrayShowing {
    /// A page has left the array.
    pub fn take(&mut self, page: Numbered) {
        if let Some(state) = self.0.as_mut().filter(|state| state.wants(page.number)) {
            state.keep(page.number, Some(page.page));
        }
    }
}

fn show_page(number: u64, page: &Page, show: Show<'_>) {
    page.visit(0, LAST, false, &mut |offset, element| {
        show(Element::Position(number * POSITIONS + u64::from(offset), element));
        true
    });
}

impl Array {
    /// To be called before a page changes, or comes.
    #[inline]
    pub(super) fn keep_page(&mut self, number: u64) {
        if let Some(state) = self.showing.0.as_mut().filter(|state| state.wants(number)) {
            let (place, found) = self.directory.find(number);
            let page = self.directory.get(place).filter(|_| found).map(|numbered| numbered.page.clone());
            state.keep(number, page);
        }
    }

    /// See [`crate::showing::Showable::begin`].
    pub(crate) fn begin_showing(&mut self) {
        assert!(self.showing.0.is_none(), "a collection is shown to one at a time");
        let last = self.directory.last().map_or(0, |last| last.number);
        self.showing.0 = Some(Box::new(State { kept: BTreeMap::new(), kept_bytes: 0, next: 0, last }));
    }

    /// Shows some pages; false if there are no more.
    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        let Some(mut state) = self.showing.0.take() else { return false };
        let (mut bytes, mut has_more) = (0, true);
        while has_more && bytes < STEP_BYTES {
            let live = self.directory.get(self.directory.find(state.next).0);
            let live = live.filter(|page| page.number <= state.last);
            let kept = state.kept.first_key_value().map(|(&number, _)| number);
            let number = match (live, kept) {
                (Some(page), kept) if kept.is_none_or(|kept| page.number < kept) => {
                    bytes += page.page.heap_bytes();
                    show_page(page.number, &page.page, &mut *show);
                    page.number
                }
                // What is in the array beside it is what has become of it.
                (_, Some(number)) => {
                    if let Some(Some(page)) = state.kept.remove(&number) {
                        state.kept_bytes -= page.heap_bytes();
                        bytes += page.heap_bytes();
                        show_page(number, &page, &mut *show);
                    }
                    number
                }
                _ => state.last,
            };
            has_more = number < state.last;
            state.next = number + 1;
        }
        self.showing.0 = Some(state);
        has_more
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.showing.0.as_ref().map_or(0, |state| state.kept_bytes)
    }

    pub(crate) fn end_showing(&mut self) {
        self.showing.0 = None;
    }
}
