//! A set of document ids as a cursor.

use super::cursor::{Progress, Rarity};
use crate::DocumentId;
use crate::index::Index;
use roaring::RoaringBitmap;

/// A set of ids.
pub(super) struct Ids {
    ids: roaring::bitmap::IntoIter,
    current: Option<DocumentId>,
    floor: DocumentId,
    pub count: u64,
    /// How the set counts, if it is that of a tag.
    pub tag: Option<Rarity>,
    /// Whether it is the set of all, which counts like a word that is everywhere once.
    pub is_all: bool,
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids")
            .field("current", &self.current)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Ids {
    pub fn new(ids: RoaringBitmap, tag: Option<Rarity>) -> Self {
        let count = ids.len();
        Self { ids: ids.into_iter(), current: None, floor: 0, count, tag, is_all: false }
    }

    pub fn all(index: &Index) -> Self {
        Self::of_all(index.all().clone())
    }

    /// Some of all documents, which count as the set of all does.
    pub fn of_all(ids: RoaringBitmap) -> Self {
        Self { is_all: true, ..Self::new(ids, None) }
    }

    /// Nothing before `target` is wanted any more.
    pub fn skip_to(&mut self, target: DocumentId) {
        self.floor = self.floor.max(target);
    }

    pub fn advance(&mut self, target: DocumentId, fuel: &mut usize) -> Progress {
        let target = target.max(self.floor);
        if let Some(id) = self.current.filter(|id| *id >= target) {
            return Progress::At(id);
        }
        self.ids.advance_to(target);
        self.current = self.ids.next();
        *fuel = fuel.saturating_sub(1);
        self.current.map_or(Progress::End, Progress::At)
    }
}
