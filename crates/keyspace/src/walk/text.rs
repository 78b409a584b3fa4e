//! A long string that is written down piece by piece while it changes: pages that are about to change and are not written are copied aside.
//!
//! What was written stands in front, so a page is kept until it is its turn. While much is kept, who changes the string writes on, more than
//! it has kept: so no more is ever kept than [`KEPT_BYTES_MAX`] and a part in [`WRITTEN_PER_KEPT`] of the string.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes that are copied aside at once.
const PAGE_BYTES: usize = 4096;
/// Bytes that are written at once: whole pages.
const PIECE_BYTES: usize = 16 * PAGE_BYTES;
/// Who keeps more writes on, bytes.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// So many bytes are written then for each that is kept.
const WRITTEN_PER_KEPT: usize = PIECE_BYTES / PAGE_BYTES;

/// How far a string is written that may change meanwhile.
pub(super) struct Text {
    /// Its length when it was begun, bytes. It is never shorter, unless what is gone has been kept.
    len: usize,
    written: usize,
    /// Pages as they were, by number; none of them is written.
    kept: BTreeMap<usize, Box<[u8]>>,
}

impl Text {
    pub fn new(len: usize) -> Self {
        Self { len, written: 0, kept: BTreeMap::new() }
    }

    /// Keeps what stands in `range` now, before it changes. How many bytes are to be written for that.
    pub fn keep(&mut self, text: &[u8], range: Range<usize>) -> usize {
        let (from, until) = (range.start.max(self.written), range.end.min(self.len));
        let pages = self.kept.len();
        if from < until {
            for page in from / PAGE_BYTES..until.div_ceil(PAGE_BYTES) {
                let page_end = self.len.min((page + 1) * PAGE_BYTES);
                self.kept.entry(page).or_insert_with(|| text[page * PAGE_BYTES..page_end].into());
            }
        }
        let is_much = self.kept.len() * PAGE_BYTES > KEPT_BYTES_MAX;
        if is_much { (self.kept.len() - pages) * PAGE_BYTES * WRITTEN_PER_KEPT } else { 0 }
    }

    /// Shows the next piece as it was, in parts; false if that was the last.
    pub fn show_on(&mut self, text: &[u8], show: &mut dyn FnMut(&[u8])) -> bool {
        let until = self.len.min(self.written + PIECE_BYTES);
        while self.written < until {
            let page = self.written / PAGE_BYTES;
            if let Some(kept) = self.kept.remove(&page) {
                show(&kept);
                self.written += kept.len();
                continue;
            }
            let next_kept = self.kept.keys().next().map_or(until, |page| page * PAGE_BYTES);
            let end = until.min(next_kept);
            show(&text[self.written..end]);
            self.written = end;
        }
        self.written < self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;

    /// Strings that change anywhere, grow and shrink while they are written.
    #[test]
    fn what_is_shown_is_what_there_was() {
        let mut random = Random::from_seed(5);
        for round in 0..200 {
            let len = random.index(40 * PIECE_BYTES) + 1;
            let mut text: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            let (before, mut shown, mut state) = (text.clone(), Vec::new(), Text::new(len));
            let mut has_more = true;
            while has_more {
                let mut owed = 0;
                for _ in 0..random.below(30) {
                    let start = random.index(text.len() + 1);
                    let most = if random.below(8) == 0 { text.len() } else { 3 * PAGE_BYTES };
                    let end = (start + random.index(most + 1)).min(text.len());
                    let more = state.keep(&text, start..end);
                    assert!(more <= (end - start + 2 * PAGE_BYTES) * WRITTEN_PER_KEPT);
                    text[start..end].fill(random.below(256) as u8);
                    owed += more;
                    while has_more && owed > 0 {
                        has_more = state.show_on(&text, &mut |part| shown.extend_from_slice(part));
                        owed = owed.saturating_sub(PIECE_BYTES);
                    }
                    assert!(
                        state.kept.len() * PAGE_BYTES <= KEPT_BYTES_MAX + len / WRITTEN_PER_KEPT + PAGE_BYTES
                    );
                }
                match random.below(20) {
                    0 => text.extend_from_slice(&[7; 9000]),
                    1 => {
                        owed = state.keep(&text, 0..usize::MAX);
                        text.truncate(random.index(text.len()) + 1);
                    }
                    _ => {}
                }
                owed = owed.max(1);
                while has_more && owed > 0 {
                    has_more = state.show_on(&text, &mut |part| shown.extend_from_slice(part));
                    owed = owed.saturating_sub(PIECE_BYTES);
                }
            }
            assert!(shown == before, "round {round}, {len} bytes");
            assert!(state.kept.is_empty());
        }
    }
}
