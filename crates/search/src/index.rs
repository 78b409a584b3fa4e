//! The documents of a shard as they are searched: terms with postings, sets for tags and for what is missing, ordered keys for numbers and
//! places. A document goes in and out in one step; nothing is left for later.

mod dictionary;
mod document;
mod places;
mod postings;
mod ranges;
mod records;
mod shapes;
mod tags;
mod terms;
mod varint;

use crate::DocumentId;
use crate::query::Synonyms;
use crate::schema::{FieldNumber, Kind, Schema};
use crate::vectors::{Graphs, VectorField};
use roaring::RoaringBitmap;
use std::borrow::Cow;
use std::sync::Arc;

pub use dictionary::Word;
pub use document::{Document, Refused, SortValue, Value};
pub use places::Place;
pub use records::Record;

pub(crate) use dictionary::{Lookup, Wanted};
pub(crate) use places::covering;
pub(crate) use postings::{Postings, Reader};
pub(crate) use ranges::{Ranges, key};
pub(crate) use shapes::Shapes;
pub(crate) use tags::Tags;

use document::Prepared;
use records::{Contents, Records};
use terms::Terms;

/// What is kept for a field.
#[derive(Debug)]
enum FieldIndex {
    /// TEXT is in the terms of all fields.
    None,
    Tags(Tags),
    Numbers(Ranges),
    Places(Ranges),
    Shapes(Shapes),
    Vectors(Box<VectorField>),
}

/// Memory of the parts of an index, and how much is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Words and forms with their postings.
    pub terms_bytes: usize,
    /// Sets of tags.
    pub tags_bytes: usize,
    /// Numbers and places.
    pub ordered_bytes: usize,
    pub vector_bytes: usize,
    /// Shapes, and what finds them.
    pub shape_bytes: usize,
    /// What is remembered of each document but its shapes.
    pub records_bytes: usize,
    /// Pairs of a word and a document that has it.
    pub entries: u64,
    /// Blocks of postings.
    pub blocks: usize,
}

/// An index of documents.
#[derive(Debug)]
pub struct Index {
    schema: Arc<Schema>,
    words: Terms,
    forms: Terms,
    fields: Vec<FieldIndex>,
    /// For each field with INDEXMISSING, the documents without it.
    missing: Vec<RoaringBitmap>,
    records: Records,
    /// Where the graphs are that this index shares with other shards.
    graphs: Option<Graphs>,
    /// Grows with each change.
    version: u64,
}

impl Index {
    /// An index without documents.
    pub fn new(schema: Arc<Schema>) -> Self {
        Self::with(schema, None)
    }

    /// One shard's part of an index of which several shards have documents, under ids that are unique among all of them.
    pub fn shared(schema: Arc<Schema>, graphs: Graphs) -> Self {
        Self::with(schema, Some(graphs))
    }

    fn with(schema: Arc<Schema>, graphs: Option<Graphs>) -> Self {
        let has_suffixes = schema.text_fields().any(|(_, _, _, text)| text.suffixes);
        let mut index = Self {
            schema: Arc::clone(&schema),
            words: Terms::new(has_suffixes),
            forms: Terms::new(false),
            fields: Vec::new(),
            missing: Vec::new(),
            records: Records::default(),
            graphs,
            version: 0,
        };
        index.extend(schema);
        index
    }

    /// Goes on with a schema that has more fields (FT.ALTER). Documents that are there have none of them until they are added again.
    pub fn extend(&mut self, schema: Arc<Schema>) {
        debug_assert!(schema.fields.starts_with(&self.schema.fields));
        for (number, field) in schema.fields.iter().enumerate().skip(self.fields.len()) {
            let number = number as FieldNumber;
            self.fields.push(match &field.kind {
                Kind::Tag(options) => FieldIndex::Tags(Tags::new(options.suffixes)),
                Kind::Numeric => FieldIndex::Numbers(Ranges::default()),
                Kind::Geo => FieldIndex::Places(Ranges::default()),
                Kind::Vector(options) => {
                    FieldIndex::Vectors(Box::new(VectorField::new(number, options, self.graphs.as_ref())))
                }
                Kind::Geoshape(_) => FieldIndex::Shapes(Shapes::default()),
                Kind::Text(_) => FieldIndex::None,
            });
            self.missing.push(RoaringBitmap::new());
        }
        self.schema = schema;
    }

    /// What is indexed.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.records.all.len() as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.all.is_empty()
    }

    /// The words of all documents, each counted by its field's weight.
    pub fn length_sum(&self) -> u64 {
        self.records.length_sum
    }

    /// How many different words the documents have.
    pub fn word_count(&self) -> usize {
        self.words.dictionary.len()
    }

    /// Memory that the index owns; what trees and sets need is estimated.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|field| match field {
            FieldIndex::None => 0,
            FieldIndex::Tags(tags) => tags.bytes(),
            FieldIndex::Shapes(shapes) => shapes.bytes(),
            FieldIndex::Numbers(ranges) | FieldIndex::Places(ranges) => ranges.bytes(),
            FieldIndex::Vectors(vectors) => vectors.bytes(),
        });
        self.words.bytes() + self.forms.bytes() + fields.sum::<usize>() + self.records.bytes
    }

    /// What FT.INFO tells of the memory, part by part.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes {
            terms_bytes: self.words.bytes() + self.forms.bytes(),
            records_bytes: self.records.bytes - self.records.shapes_bytes,
            shape_bytes: self.records.shapes_bytes,
            entries: self.words.entries,
            blocks: self.words.blocks + self.forms.blocks,
            ..Sizes::default()
        };
        for field in &self.fields {
            match field {
                FieldIndex::None => {}
                FieldIndex::Tags(tags) => sizes.tags_bytes += tags.bytes(),
                FieldIndex::Numbers(ranges) | FieldIndex::Places(ranges) => {
                    sizes.ordered_bytes += ranges.bytes();
                }
                FieldIndex::Shapes(shapes) => sizes.shape_bytes += shapes.bytes(),
                FieldIndex::Vectors(vectors) => sizes.vector_bytes += vectors.bytes(),
            }
        }
        sizes
    }

    /// How much of [`Index::bytes`] is vectors that documents have on loan and account for themselves.
    pub fn lent_bytes(&self) -> usize {
        let lent = |field: &FieldIndex| match field {
            FieldIndex::Vectors(vectors) => vectors.lent_bytes(),
            _ => 0,
        };
        self.fields.iter().map(lent).sum()
    }

    /// The memory of postings and records counted anew, to hold it against [`Index::bytes`].
    #[doc(hidden)]
    pub fn postings_bytes_agree(&self) -> bool {
        self.words.bytes() == self.words.bytes_counted() && self.forms.bytes() == self.forms.bytes_counted()
    }

    /// Adds a document, or puts it in the place of the one with that id.
    ///
    /// # Errors
    /// A value that its field cannot have. The document is then not in the index, also if it was before.
    pub fn add(
        &mut self,
        id: DocumentId,
        document: &Document<'_>,
        synonyms: &Synonyms,
    ) -> Result<(), Refused> {
        let schema = Arc::clone(&self.schema);
        let prepared = match Prepared::new(&schema, document, synonyms) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.remove(id);
                return Err(error);
            }
        };
        // Vectors that are the same stay where they are.
        self.take_out(id);
        self.put_vectors(id, &prepared.vectors)?;
        self.version += 1;
        let economies = schema.economies;
        let frequency_max = prepared.frequency_max();
        let Prepared {
            words,
            forms,
            length,
            numbers,
            places,
            tags,
            missing,
            sort_values,
            starts,
            shapes,
            ..
        } = prepared;
        let (mut numbers, mut places) = (numbers, places);
        numbers.sort_by_key(|(field, number)| (*field, key(*number)));
        numbers.dedup_by_key(|(field, number)| (*field, key(*number)));
        for (field, number) in &numbers {
            self.ordered(*field).insert(key(*number), id);
        }
        places.sort_by_key(|(field, place)| (*field, place.key()));
        let mut keys: Vec<_> = places.iter().map(|(field, place)| (*field, place.key())).collect();
        keys.dedup();
        for (field, key) in keys {
            self.ordered(field).insert(key, id);
        }
        let tags = tags.into_iter().map(|(field, tag)| {
            let FieldIndex::Tags(index) = &mut self.fields[usize::from(field)] else { unreachable!() };
            (field, index.add(&tag, id))
        });
        let tags = tags.collect();
        for field in &missing {
            self.missing[usize::from(*field)].insert(id);
        }
        for (field, shape) in &shapes {
            self.shaped(*field).insert(id, shape);
        }
        let contents = Contents {
            frequency_max,
            payload: document.payload.map(Into::into),
            words: self.words.add(id, words, economies),
            forms: self.forms.add(id, forms, economies),
            tags,
            numbers: numbers.into_boxed_slice(),
            places: places.into_boxed_slice(),
            shapes: shapes.into_boxed_slice(),
            missing: missing.into_boxed_slice(),
            starts: starts.into_boxed_slice(),
            sort_values: sort_values.into_boxed_slice(),
        };
        let record = Record::new(document.score, length, contents);
        self.records.insert(id, record);
        Ok(())
    }

    /// Removes a document; says whether it was there.
    pub fn remove(&mut self, id: DocumentId) -> bool {
        for field in &mut self.fields {
            if let FieldIndex::Vectors(vectors) = field {
                vectors.remove(id);
            }
        }
        self.take_out(id)
    }

    /// Gives a document its vectors in all fields. If there is no room for one, it has none.
    fn put_vectors(
        &mut self,
        id: DocumentId,
        vectors: &[(FieldNumber, Vec<Cow<'_, [u8]>>)],
    ) -> Result<(), Refused> {
        let mut done = Ok(());
        for (number, field) in self.fields.iter_mut().enumerate() {
            let FieldIndex::Vectors(field) = field else { continue };
            let own = vectors.iter().find(|(of, _)| usize::from(*of) == number);
            let refused = |error| Refused { field: number as FieldNumber, error };
            done = done.and_then(|()| field.put(id, own.map_or(&[], |(_, own)| own)).map_err(refused));
        }
        if done.is_err() {
            self.remove(id);
        }
        done
    }

    /// Removes all of a document but its vectors.
    fn take_out(&mut self, id: DocumentId) -> bool {
        let Some(record) = self.records.remove(id) else { return false };
        let record = record.into_contents();
        self.version += 1;
        let economies = self.schema.economies;
        self.words.remove(id, &record.words, economies);
        self.forms.remove(id, &record.forms, economies);
        for (field, number) in &record.numbers {
            self.ordered(*field).remove(key(*number), id);
        }
        for (field, place) in &record.places {
            self.ordered(*field).remove(place.key(), id);
        }
        for (field, shape) in &record.shapes {
            self.shaped(*field).remove(id, shape);
        }
        for (field, tag) in &record.tags {
            let FieldIndex::Tags(tags) = &mut self.fields[usize::from(*field)] else { unreachable!() };
            tags.remove(*tag, id);
        }
        for field in &record.missing {
            self.missing[usize::from(*field)].remove(id);
        }
        true
    }

    fn ordered(&mut self, field: FieldNumber) -> &mut Ranges {
        match &mut self.fields[usize::from(field)] {
            FieldIndex::Numbers(ranges) | FieldIndex::Places(ranges) => ranges,
            _ => unreachable!("only numbers and places are ordered"),
        }
    }

    fn shaped(&mut self, field: FieldNumber) -> &mut Shapes {
        match &mut self.fields[usize::from(field)] {
            FieldIndex::Shapes(shapes) => shapes,
            _ => unreachable!("only shapes have shapes"),
        }
    }

    /// What is remembered of a document.
    pub fn record(&self, id: DocumentId) -> Option<&Record> {
        self.records.get(id)
    }

    /// Asks for the records of documents that will be looked at, whose memory comes side by side then.
    pub(crate) fn ask_for_records(&self, ids: impl Iterator<Item = DocumentId>) {
        /// The first of many are no longer at hand when the last have been asked for.
        const MOST: usize = 64;
        ids.take(MOST).for_each(|id| self.records.prefetch(id));
    }

    /// What a document is sorted by in a SORTABLE field; `None` if the field is not, or there is no such document.
    pub fn sort_value(&self, id: DocumentId, field: FieldNumber) -> Option<&SortValue> {
        let fields = &self.schema.fields[..=usize::from(field)];
        let place = fields.iter().filter(|field| field.sortable.is_some()).count().checked_sub(1)?;
        fields.last()?.sortable?;
        self.records.get(id)?.sort_value(place)
    }

    /// The tags of a TAG field that documents have, in order, from the first behind another. FT.TAGVALS.
    pub fn tag_values(&self, field: FieldNumber, behind: Option<&[u8]>) -> impl Iterator<Item = &Word> {
        self.tags(field).into_iter().flat_map(move |tags| tags.dictionary.iter_behind(behind))
    }

    pub(crate) fn all(&self) -> &RoaringBitmap {
        &self.records.all
    }

    pub(crate) fn missing(&self, field: FieldNumber) -> &RoaringBitmap {
        &self.missing[usize::from(field)]
    }

    pub(crate) fn tags(&self, field: FieldNumber) -> Option<&Tags> {
        match self.fields.get(usize::from(field))? {
            FieldIndex::Tags(tags) => Some(tags),
            _ => None,
        }
    }

    pub(crate) fn ranges(&self, field: FieldNumber) -> Option<&Ranges> {
        match self.fields.get(usize::from(field))? {
            FieldIndex::Numbers(ranges) | FieldIndex::Places(ranges) => Some(ranges),
            _ => None,
        }
    }

    /// A GEOSHAPE field.
    pub(crate) fn shapes(&self, field: FieldNumber) -> Option<&Shapes> {
        match self.fields.get(usize::from(field))? {
            FieldIndex::Shapes(shapes) => Some(shapes),
            _ => None,
        }
    }

    /// A VECTOR field.
    pub(crate) fn vectors(&self, field: FieldNumber) -> Option<&VectorField> {
        match self.fields.get(usize::from(field))? {
            FieldIndex::Vectors(vectors) => Some(vectors),
            _ => None,
        }
    }

    fn vector_fields(&self) -> impl Iterator<Item = &VectorField> {
        self.fields.iter().filter_map(|field| match field {
            FieldIndex::Vectors(vectors) => Some(&**vectors),
            _ => None,
        })
    }

    /// Whether vectors wait to be linked in a graph, on whichever shard they came. Looks at no lock.
    pub fn has_vector_work(&self) -> bool {
        self.vector_fields().any(VectorField::has_work)
    }

    /// Whether so many wait that those who write should. Looks at no lock.
    pub fn has_vector_backlog(&self) -> bool {
        self.vector_fields().any(VectorField::is_behind)
    }

    /// Links vectors that wait, and repairs what has gone, for about so many distances in each field; says whether there is more to do.
    pub fn vector_work(&self, distances: usize) -> bool {
        // Every field has its turn, whatever the others have left.
        let fields = self.vector_fields().filter(|field| field.has_work());
        fields.filter(|field| field.work(distances)).count() > 0
    }

    /// Memory of the vectors of all fields, those of a shared graph in proportion.
    pub fn vector_bytes(&self) -> usize {
        self.vector_fields().map(VectorField::bytes).sum()
    }

    pub(crate) fn words(&self) -> &dictionary::Dictionary {
        &self.words.dictionary
    }

    /// The postings of a word, or of a form with its mark.
    pub(crate) fn postings(&self, word: &[u8], is_form: bool) -> Option<&Postings> {
        if is_form { self.forms.get(word) } else { self.words.get(word) }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}
