//! What an index remembers of a document, so that the document can be taken out again and its scores, sort values and numbers are at hand.

use super::document::SortValue;
use super::places::Place;
use crate::DocumentId;
use crate::by_id::ById;
use crate::schema::FieldNumber;
use crate::shape::Shape;
use roaring::RoaringBitmap;
use std::num::NonZeroU32;

/// A document. Small, for there is one of each, also of those that have nothing but a vector.
#[derive(Debug)]
pub struct Record {
    /// Its score of its own, 0 to 1, as RediSearch keeps it.
    score: f32,
    /// One more than how many words it has, each counted by its field's weight.
    length_end: NonZeroU32,
    contents: Option<Box<Contents>>,
}

/// What is in the index of a document.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// How often its most frequent word is there.
    pub frequency_max: u32,
    /// What HAMMING compares.
    pub payload: Option<Box<[u8]>>,
    /// The numbers of its words, as differences.
    pub words: Box<[u8]>,
    /// The numbers of its forms, as differences.
    pub forms: Box<[u8]>,
    pub tags: Box<[(FieldNumber, u32)]>,
    pub numbers: Box<[(FieldNumber, f64)]>,
    pub places: Box<[(FieldNumber, Place)]>,
    pub shapes: Box<[(FieldNumber, Shape)]>,
    pub missing: Box<[FieldNumber]>,
    /// Where the text of each field begins.
    pub starts: Box<[(u8, u32)]>,
    /// One for each SORTABLE field.
    pub sort_values: Box<[SortValue]>,
}

impl Contents {
    fn is_empty(&self) -> bool {
        let Self {
            frequency_max,
            payload,
            words,
            forms,
            tags,
            numbers,
            places,
            shapes,
            missing,
            starts,
            sort_values,
        } = self;
        *frequency_max == 0
            && payload.is_none()
            && words.is_empty()
            && forms.is_empty()
            && tags.is_empty()
            && numbers.is_empty()
            && places.is_empty()
            && shapes.is_empty()
            && missing.is_empty()
            && starts.is_empty()
            && sort_values.is_empty()
    }

    /// What all its shapes need.
    fn shapes_bytes(&self) -> usize {
        size_of_val(&*self.shapes) + self.shapes.iter().map(|(_, shape)| shape.bytes()).sum::<usize>()
    }

    fn bytes(&self) -> usize {
        let texts = self.sort_values.iter().map(|value| match value {
            SortValue::Text(text) => text.len(),
            _ => 0,
        });
        size_of::<Self>()
            + self.payload.as_ref().map_or(0, |payload| payload.len())
            + self.words.len()
            + self.forms.len()
            + size_of_val(&*self.tags)
            + size_of_val(&*self.numbers)
            + size_of_val(&*self.places)
            + self.shapes_bytes()
            + size_of_val(&*self.missing)
            + size_of_val(&*self.starts)
            + size_of_val(&*self.sort_values)
            + texts.sum::<usize>()
    }
}

impl Record {
    pub(super) fn new(score: f64, length: u32, contents: Contents) -> Self {
        let length_end = NonZeroU32::MIN.saturating_add(length);
        let contents = (!contents.is_empty()).then(|| Box::new(contents));
        Self { score: score as f32, length_end, contents }
    }

    /// Its score of its own, 0 to 1.
    pub fn score(&self) -> f64 {
        f64::from(self.score)
    }

    /// How many words it has, each counted by its field's weight.
    pub fn length(&self) -> u32 {
        self.length_end.get() - 1
    }

    /// How often its most frequent word is there.
    pub fn frequency_max(&self) -> u32 {
        self.contents.as_ref().map_or(0, |contents| contents.frequency_max)
    }

    /// What HAMMING compares.
    pub fn payload(&self) -> Option<&[u8]> {
        self.contents.as_ref()?.payload.as_deref()
    }

    /// The numbers of a field.
    pub fn numbers(&self, field: FieldNumber) -> impl Iterator<Item = f64> + '_ {
        let numbers = self.contents.iter().flat_map(|contents| &contents.numbers);
        numbers.filter(move |(of, _)| *of == field).map(|(_, number)| *number)
    }

    /// The places of a field.
    pub fn places(&self, field: FieldNumber) -> impl Iterator<Item = Place> + '_ {
        let places = self.contents.iter().flat_map(|contents| &contents.places);
        places.filter(move |(of, _)| *of == field).map(|(_, place)| *place)
    }

    /// The shape of a field.
    pub fn shape(&self, field: FieldNumber) -> Option<&Shape> {
        let shapes = &self.contents.as_ref()?.shapes;
        shapes.iter().find(|(of, _)| *of == field).map(|(_, shape)| shape)
    }

    /// What it is sorted by in the how manieth SORTABLE field.
    pub(super) fn sort_value(&self, place: usize) -> Option<&SortValue> {
        self.contents.as_ref()?.sort_values.get(place)
    }

    /// Which TEXT field a position is in.
    pub(crate) fn field_at(&self, position: u32) -> Option<u8> {
        let starts = &self.contents.as_ref()?.starts;
        starts.iter().rev().find(|(_, start)| *start < position).map(|(bit, _)| *bit)
    }

    /// All that is in the index of it.
    pub(super) fn into_contents(self) -> Contents {
        self.contents.map_or_else(Contents::default, |contents| *contents)
    }

    fn shapes_bytes(&self) -> usize {
        self.contents.as_ref().map_or(0, |contents| contents.shapes_bytes())
    }

    /// Bytes beside itself.
    fn bytes(&self) -> usize {
        self.contents.as_ref().map_or(0, |contents| contents.bytes())
    }
}

/// What a document costs in the list and in the set beside its record.
const DOCUMENT_BYTES: usize = ById::<Record>::ENTRY_BYTES + 2;

/// All documents.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: ById<Record>,
    pub all: RoaringBitmap,
    pub length_sum: u64,
    pub bytes: usize,
    /// Of which so many are those of shapes.
    pub shapes_bytes: usize,
}

impl Records {
    pub fn get(&self, id: DocumentId) -> Option<&Record> {
        self.records.get(id)
    }

    /// Asks for a record.
    pub fn prefetch(&self, id: DocumentId) {
        self.records
            .place(id)
            .into_iter()
            .for_each(|place| vector::kernel::prefetch(std::slice::from_ref(place)));
    }

    pub fn insert(&mut self, id: DocumentId, record: Record) {
        self.length_sum += u64::from(record.length());
        self.bytes += record.bytes() + DOCUMENT_BYTES;
        self.shapes_bytes += record.shapes_bytes();
        self.all.insert(id);
        let before = self.records.insert(id, record);
        debug_assert!(before.is_none(), "the document was removed before");
    }

    pub fn remove(&mut self, id: DocumentId) -> Option<Record> {
        let record = self.records.remove(id)?;
        self.length_sum -= u64::from(record.length());
        self.bytes -= record.bytes() + DOCUMENT_BYTES;
        self.shapes_bytes -= record.shapes_bytes();
        self.all.remove(id);
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_a_vector_alone_takes_little() {
        assert_eq!(ById::<Record>::ENTRY_BYTES, 16);
        let record = Record::new(1.0, 0, Contents::default());
        assert_eq!((record.bytes(), record.frequency_max(), record.length(), record.score()), (0, 0, 0, 1.0));
        let contents = Contents { words: Box::new([1]), frequency_max: 7, ..Contents::default() };
        let record = Record::new(0.5, 3, contents);
        assert!(record.bytes() > 1);
        assert_eq!((record.frequency_max(), record.length(), record.score()), (7, 3, 0.5));
    }
}
