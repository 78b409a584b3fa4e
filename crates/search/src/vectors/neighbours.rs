//! Documents with their distances from a query's vector.

use crate::DocumentId;
use roaring::RoaringBitmap;

/// Documents that were found by their vectors, each once, by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbours {
    by_id: Vec<(DocumentId, f64)>,
}

impl Neighbours {
    /// The `most` nearest of what was found; of a document with several vectors the nearest counts.
    pub(super) fn new(mut found: Vec<(DocumentId, f64)>, most: usize) -> Self {
        found.sort_unstable_by(|left, right| left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)));
        found.dedup_by_key(|(id, _)| *id);
        if found.len() > most {
            found.sort_unstable_by(|left, right| left.1.total_cmp(&right.1).then(left.0.cmp(&right.0)));
            found.truncate(most);
            found.sort_unstable_by_key(|(id, _)| *id);
        }
        Self { by_id: found }
    }

    /// How many documents.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The documents by id.
    pub fn iter(&self) -> impl Iterator<Item = (DocumentId, f64)> + '_ {
        self.by_id.iter().copied()
    }

    /// How far a document is.
    pub fn distance(&self, id: DocumentId) -> Option<f64> {
        let at = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.by_id[at].1)
    }

    /// The documents.
    pub fn ids(&self) -> RoaringBitmap {
        RoaringBitmap::from_sorted_iter(self.by_id.iter().map(|(id, _)| *id)).expect("ids are in order")
    }

    /// The `most` nearest of these and others.
    pub(super) fn merge(&mut self, other: Self, most: usize) {
        let mut all = std::mem::take(&mut self.by_id);
        all.extend(other.by_id);
        *self = Self::new(all, most);
    }

    /// The documents for which `distance` has one, with that.
    pub(super) fn again(&self, mut distance: impl FnMut(DocumentId) -> Option<f64>) -> Self {
        let again = |&(id, _): &(DocumentId, f64)| Some((id, distance(id)?));
        Self { by_id: self.by_id.iter().filter_map(again).collect() }
    }
}
