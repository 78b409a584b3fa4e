//! The elements of a page that are too large for its rows.

use std::ops::Range;

/// Large elements by offset, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Large {
    pub(super) items: Vec<(u16, Box<[u8]>)>,
    /// Of all their texts.
    text_bytes: usize,
}

impl Large {
    /// Where the element of an offset stands, or would.
    pub(super) fn find(&self, offset: u16) -> Result<usize, usize> {
        self.items.binary_search_by_key(&offset, |item| item.0)
    }

    /// Heap bytes held, its own included.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.items.capacity() * size_of::<(u16, Box<[u8]>)>() + self.text_bytes
    }

    /// Adds the element of an offset that has none.
    pub(super) fn insert(&mut self, offset: u16, text: &[u8]) {
        let at = self.find(offset).expect_err("its place is empty");
        if self.items.len() == self.items.capacity() {
            self.items.reserve_exact((self.items.len() / 4).max(1));
        }
        self.items.insert(at, (offset, text.into()));
        self.text_bytes += text.len();
    }

    /// Forgets those from `first` to `last`, both included.
    pub(super) fn remove(&mut self, first: u16, last: u16) {
        let from = self.items.partition_point(|item| item.0 < first);
        let to = self.items.partition_point(|item| item.0 <= last);
        self.cut(from..to);
    }

    /// Forgets those at these places.
    pub(super) fn cut(&mut self, range: Range<usize>) {
        self.text_bytes -= self.items.drain(range).map(|(_, text)| text.len()).sum::<usize>();
        if self.items.len() * 4 <= self.items.capacity() {
            self.items.shrink_to(self.items.len() * 2);
        }
    }
}
