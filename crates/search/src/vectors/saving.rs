//! Graphs in snapshots: how the vectors of documents are linked, as bytes, and back. Documents go by other ids then, and may be other shards'.

use crate::DocumentId;
use crate::index::Index;
use crate::schema::FieldNumber;

impl Index {
    /// The fields whose vectors are in graphs.
    pub fn graph_fields(&self) -> impl Iterator<Item = FieldNumber> {
        let numbers = (0..self.schema().fields.len()).map(|number| number as FieldNumber);
        numbers.filter(|number| self.vectors(*number).is_some_and(|vectors| vectors.is_graph()))
    }

    /// Appends how the vectors of some of this shard's documents are linked, if any is.
    pub fn save_links(&self, field: FieldNumber, ids: &[DocumentId], out: &mut Vec<u8>) {
        if let Some(vectors) = self.vectors(field) {
            vectors.save_links(ids, out);
        }
    }

    /// Has vectors that will come linked as [`Index::save_links`] has written it, until [`Index::has_all_back`]. What cannot be read is passed over: then they are linked
    /// as if they were new.
    pub fn remember_links(&self, field: FieldNumber, links: &[u8]) {
        if let Some(vectors) = self.vectors(field) {
            vectors.remember_links(links);
        }
    }

    /// All documents that this shard has loaded are in the index. Once all of so many shards have said so their vectors are found, and linked as they were.
    pub fn has_all_back(&self, shards: usize) {
        for field in self.graph_fields() {
            if let Some(vectors) = self.vectors(field) {
                vectors.has_all_back(shards);
            }
        }
    }
}
