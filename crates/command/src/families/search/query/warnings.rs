//! What results say of themselves when they are not all that there is.

use super::deadline::WARNING;

/// Why results may not be all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// TIMEOUT was over.
    pub is_timed_out: bool,
    /// A prefix or its kind stood for more words than MAXPREFIXEXPANSIONS.
    pub is_cut: bool,
}

/// What results say of words that were left out.
const CUT: &str = "Max prefix expansions limit was reached";

impl Warnings {
    /// What those of another shard say, too.
    pub fn add(&mut self, other: Self) {
        self.is_timed_out |= other.is_timed_out;
        self.is_cut |= other.is_cut;
    }

    /// The sentences.
    pub fn texts(self) -> impl ExactSizeIterator<Item = &'static str> {
        let said = [(self.is_timed_out, WARNING), (self.is_cut, CUT)];
        said.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect::<Vec<_>>().into_iter()
    }
}
