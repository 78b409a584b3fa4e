//! What FT.CREATE says of an index: which documents, which of their fields, and how each is searched.
//!
//! Paths of JSON and the expression of FILTER are kept as they were written: who knows the language of paths checks the first before the
//! index is made, [`crate::schema::Schema::filter`] is read by the language of expressions.

mod arguments;
mod create;
mod field;
mod vector;

use crate::text::{Language, StopWords};

pub use field::{Coordinates, Field, Kind, Phonetic, Sortable, TagOptions, TextOptions};
pub use vector::{Algorithm, Compression, Element, Metric, VectorOptions};

/// At most so many fields in a schema.
pub const FIELDS_MAX: usize = 1024;
/// At most so many of them of type TEXT: the width of a [`FieldMask`].
pub const TEXT_FIELDS_MAX: usize = 128;
/// At most so many prefixes.
pub const PREFIXES_MAX: usize = 1_000_000;
/// What STOPWORDS names beyond that is left out, as in RediSearch.
pub const STOP_WORDS_MAX: usize = 1024;

/// A set of TEXT fields: bit n is the n-th TEXT field of the schema.
pub type FieldMask = u128;
/// All TEXT fields, those that ALTER will add, too.
pub const ALL_FIELDS: FieldMask = FieldMask::MAX;

/// The number of a field in its schema.
pub type FieldNumber = u16;

/// What kind of key is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DocumentKind {
    /// Hashes; a field's path is a name of the hash.
    #[default]
    Hash,
    /// JSON; a field's path is a JSONPath.
    Json,
}

/// What is left out of postings to save memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Economies {
    /// NOOFFSETS: no positions, so no phrases and no slop.
    pub no_offsets: bool,
    /// NOHL: no highlighting; implied by NOOFFSETS.
    pub no_highlighting: bool,
    /// NOFIELDS: not which fields a term is in.
    pub no_fields: bool,
    /// NOFREQS: not how often.
    pub no_frequencies: bool,
}

/// An index as FT.CREATE and FT.ALTER have described it.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// ON.
    pub on: DocumentKind,
    /// PREFIX; the empty prefix if none was given.
    pub prefixes: Vec<Vec<u8>>,
    /// FILTER: the expression as it was written.
    pub filter: Option<Vec<u8>>,
    /// LANGUAGE; English if none was given.
    pub language: Language,
    /// LANGUAGE_FIELD.
    pub language_field: Option<Vec<u8>>,
    /// SCORE, 0 to 1; 1 if none was given.
    pub score: f64,
    /// SCORE_FIELD.
    pub score_field: Option<Vec<u8>>,
    /// PAYLOAD_FIELD.
    pub payload_field: Option<Vec<u8>>,
    /// MAXTEXTFIELDS. Masks always have room for all, so it changes nothing but what FT.INFO says.
    pub max_text_fields: bool,
    /// TEMPORARY: seconds without use after which the index goes.
    pub temporary_seconds: Option<u64>,
    /// NOOFFSETS, NOHL, NOFIELDS, NOFREQS.
    pub economies: Economies,
    /// STOPWORDS.
    pub stop_words: StopWords,
    /// SKIPINITIALSCAN.
    pub skip_initial_scan: bool,
    /// INDEXALL ENABLE. All ids are kept as a set in any case, so it changes nothing but what FT.INFO says.
    pub index_all: bool,
    /// SCHEMA, in the order given.
    pub fields: Vec<Field>,
}

impl Schema {
    /// The number of the field that queries call `name`.
    pub fn field(&self, name: &[u8]) -> Option<FieldNumber> {
        self.fields.iter().position(|field| field.name == name).map(|index| index as FieldNumber)
    }

    /// TEXT fields with their bits, in the order of the schema.
    pub fn text_fields(&self) -> impl Iterator<Item = (FieldNumber, u8, &Field, &TextOptions)> {
        self.fields.iter().enumerate().filter_map(|(number, field)| match &field.kind {
            Kind::Text(options) => Some((number as FieldNumber, options.bit, field, options)),
            _ => None,
        })
    }

    /// The TEXT fields for which `holds` does.
    pub fn mask(&self, holds: impl Fn(&Field, &TextOptions) -> bool) -> FieldMask {
        self.text_fields().filter(|(_, _, field, text)| holds(field, text)).map(|(_, bit, ..)| 1 << bit).sum()
    }
}
