//! What an index remembers of a document, so that the document can be taken out again and its scores, sort values and numbers are at hand.

use super::document::SortValue;
use super::places::Place;
use crate::DocumentId;
use crate::by_id::ById;
use crate::schema::FieldNumber;
use crate::shape::Shape;
use roaring::RoaringBitmap;

/// A document.
#[derive(Debug)]
pub struct Record {
    /// Its score of its own, 0 to 1.
    pub score: f64,
    /// How many words it has, each counted by its field's weight.
    pub length: u32,
    /// How often its most frequent word is there.
    pub frequency_max: u32,
    /// What HAMMING compares.
    pub payload: Option<Box<[u8]>>,
    /// The numbers of its words, as differences.
    pub(super) words: Box<[u8]>,
    /// The numbers of its forms, as differences.
    pub(super) forms: Box<[u8]>,
    pub(super) tags: Box<[(FieldNumber, u32)]>,
    pub(super) numbers: Box<[(FieldNumber, f64)]>,
    pub(super) places: Box<[(FieldNumber, Place)]>,
    pub(super) shapes: Box<[(FieldNumber, Shape)]>,
    pub(super) missing: Box<[FieldNumber]>,
    /// Where the text of each field begins.
    pub(super) starts: Box<[(u8, u32)]>,
    /// One for each SORTABLE field.
    pub(super) sort_values: Box<[SortValue]>,
}

impl Record {
    /// The numbers of a field.
    pub fn numbers(&self, field: FieldNumber) -> impl Iterator<Item = f64> + '_ {
        self.numbers.iter().filter(move |(of, _)| *of == field).map(|(_, number)| *number)
    }

    /// The places of a field.
    pub fn places(&self, field: FieldNumber) -> impl Iterator<Item = Place> + '_ {
        self.places.iter().filter(move |(of, _)| *of == field).map(|(_, place)| *place)
    }

    /// The shape of a field.
    pub fn shape(&self, field: FieldNumber) -> Option<&Shape> {
        self.shapes.iter().find(|(of, _)| *of == field).map(|(_, shape)| shape)
    }

    /// What all its shapes need.
    fn shapes_bytes(&self) -> usize {
        size_of_val(&*self.shapes) + self.shapes.iter().map(|(_, shape)| shape.bytes()).sum::<usize>()
    }

    /// Which TEXT field a position is in.
    pub(crate) fn field_at(&self, position: u32) -> Option<u8> {
        self.starts.iter().rev().find(|(_, start)| *start < position).map(|(bit, _)| *bit)
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

/// What a document costs in the list and in the set beside its record.
const DOCUMENT_BYTES: usize = ById::<Box<Record>>::ENTRY_BYTES + 2;

/// All documents.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: ById<Box<Record>>,
    pub all: RoaringBitmap,
    pub length_sum: u64,
    pub bytes: usize,
    /// Of which so many are those of shapes.
    pub shapes_bytes: usize,
}

impl Records {
    pub fn get(&self, id: DocumentId) -> Option<&Record> {
        self.records.get(id).map(Box::as_ref)
    }

    pub fn insert(&mut self, id: DocumentId, record: Record) {
        self.length_sum += u64::from(record.length);
        self.bytes += record.bytes() + DOCUMENT_BYTES;
        self.shapes_bytes += record.shapes_bytes();
        self.all.insert(id);
        let before = self.records.insert(id, Box::new(record));
        debug_assert!(before.is_none(), "the document was removed before");
    }

    pub fn remove(&mut self, id: DocumentId) -> Option<Box<Record>> {
        let record = self.records.remove(id)?;
        self.length_sum -= u64::from(record.length);
        self.bytes -= record.bytes() + DOCUMENT_BYTES;
        self.shapes_bytes -= record.shapes_bytes();
        self.all.remove(id);
        Some(record)
    }
}
