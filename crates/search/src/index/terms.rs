//! Terms with their postings: the words of the documents in one dictionary, their stems, sounds and synonyms in another, so that nothing
//! that looks for words finds a form.

use super::dictionary::Dictionary;
use super::document::Occurrence;
use super::postings::{Entry, Postings};
use super::varint;
use crate::DocumentId;
use crate::schema::Economies;
use std::collections::BTreeMap;

/// A dictionary and the postings of its words.
#[derive(Debug)]
pub(crate) struct Terms {
    pub dictionary: Dictionary,
    postings: Vec<Postings>,
    /// Of the postings.
    bytes: isize,
    /// Entries of all postings, and blocks that they are in.
    pub entries: u64,
    pub blocks: usize,
}

impl Terms {
    pub fn new(has_suffixes: bool) -> Self {
        Self {
            dictionary: Dictionary::new(has_suffixes),
            postings: Vec::new(),
            bytes: 0,
            entries: 0,
            blocks: 0,
        }
    }

    pub fn bytes(&self) -> usize {
        self.dictionary.bytes() + self.bytes as usize
    }

    /// What the counter must say: all postings looked at.
    pub fn bytes_counted(&self) -> usize {
        self.dictionary.bytes() + self.postings.iter().map(Postings::bytes).sum::<usize>()
    }

    pub fn get(&self, word: &[u8]) -> Option<&Postings> {
        self.dictionary.get(word).map(|number| &self.postings[number as usize])
    }

    /// Adds a document's words; gives their numbers, as differences.
    pub fn add(
        &mut self,
        id: DocumentId,
        words: BTreeMap<Vec<u8>, Occurrence>,
        economies: Economies,
    ) -> Box<[u8]> {
        let mut numbers = Vec::with_capacity(words.len());
        for (word, occurrence) in words {
            let number = self.dictionary.add(&word);
            if self.postings.len() <= number as usize {
                self.postings.resize_with(number as usize + 1, Postings::default);
            }
            let Occurrence { frequency, fields, positions } = occurrence;
            let entry = Entry { id, frequency, fields, positions };
            let postings = &mut self.postings[number as usize];
            self.blocks -= postings.blocks();
            self.bytes += postings.insert(&entry, economies);
            self.blocks += postings.blocks();
            self.entries += 1;
            numbers.push(number);
        }
        numbers.sort_unstable();
        let mut out = Vec::new();
        varint::put_ascending(&mut out, numbers.into_iter());
        out.into_boxed_slice()
    }

    /// Takes a document out of the words with these numbers.
    pub fn remove(&mut self, id: DocumentId, numbers: &[u8], economies: Economies) {
        for number in varint::ascending(numbers) {
            let postings = &mut self.postings[number as usize];
            self.blocks -= postings.blocks();
            self.bytes += postings.remove(id, economies);
            self.blocks += postings.blocks();
            self.entries -= 1;
            if postings.len() == 0 {
                self.dictionary.remove(number);
            }
        }
    }
}
