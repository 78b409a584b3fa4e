//! The tags of a field: a dictionary, and the documents of each tag as a set.

use super::dictionary::Dictionary;
use crate::DocumentId;
use roaring::RoaringBitmap;

/// What an id in a set costs at most, sets being arrays of two bytes or bits.
const ID_BYTES: usize = 2;

/// The tags.
#[derive(Debug)]
pub(crate) struct Tags {
    pub dictionary: Dictionary,
    documents: Vec<RoaringBitmap>,
    pairs: usize,
}

impl Tags {
    pub fn new(has_suffixes: bool) -> Self {
        Self { dictionary: Dictionary::new(has_suffixes), documents: Vec::new(), pairs: 0 }
    }

    pub fn bytes(&self) -> usize {
        self.dictionary.bytes() + self.pairs * ID_BYTES + self.documents.len() * size_of::<RoaringBitmap>()
    }

    pub fn get(&self, tag: &[u8]) -> Option<&RoaringBitmap> {
        self.dictionary.get(tag).map(|number| &self.documents[number as usize])
    }

    /// Adds a document to a tag; gives the tag's number.
    pub fn add(&mut self, tag: &[u8], id: DocumentId) -> u32 {
        let number = self.dictionary.add(tag);
        if self.documents.len() <= number as usize {
            self.documents.resize_with(number as usize + 1, RoaringBitmap::new);
        }
        self.pairs += usize::from(self.documents[number as usize].insert(id));
        number
    }

    /// Takes a document out of the tag with that number.
    pub fn remove(&mut self, number: u32, id: DocumentId) {
        let documents = &mut self.documents[number as usize];
        self.pairs -= usize::from(documents.remove(id));
        if documents.is_empty() {
            *documents = RoaringBitmap::new();
            self.dictionary.remove(number);
        }
    }
}
