//! A document on its way into an index: its fields' values, and what of them is indexed. Everything is read before anything is
//! written, so a document with a value that cannot be read leaves no trace.

use super::places::Place;
use crate::error::{Code, Error, shown};
use crate::query::{SOUND_MARK, STEM_MARK, SYNONYM_MARK, Synonyms};
use crate::schema::{Coordinates, Field, FieldMask, FieldNumber, Kind, Schema, TagOptions, TextOptions};
use crate::shape::Shape;
use crate::text::{Language, STEM_LETTERS_MIN, Tokens, fold, metaphone, sort_key, stem};
use crate::vectors::vectors;
use base::number::parse_f64;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// So many positions lie between the texts of an array: no phrase goes across. The text of the next field follows at once, for
/// `$slop`.
const GAP: u32 = 100;

/// A document.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// 0 to 1; what SCORE_FIELD says, or SCORE.
    pub score: f64,
    /// What LANGUAGE_FIELD says, or LANGUAGE.
    pub language: Language,
    /// What PAYLOAD_FIELD has.
    pub payload: Option<&'a [u8]>,
    /// The values of the schema's fields, in the order of the schema; fields that it does not have are left out.
    pub values: Vec<(FieldNumber, Value<'a>)>,
}

/// The value of a field.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A hash's value, or a string of JSON. Numbers and places are read from it.
    Text(&'a [u8]),
    /// An array of strings.
    Texts(Vec<&'a [u8]>),
    /// A number of JSON.
    Number(f64),
    /// An array of numbers.
    Numbers(Vec<f64>),
    /// Several arrays of numbers: vectors.
    Vectors(Vec<Vec<f64>>),
    /// `true` or `false` of JSON: a tag.
    Flag(bool),
    /// `null` of JSON: as if the field were not there.
    Null,
}

/// A document that cannot be indexed: what is wrong with the value of which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub field: FieldNumber,
    pub error: Error,
}

/// What a field is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum SortValue {
    /// The document has no such field: last in either order.
    Missing,
    Number(f64),
    Text(Box<[u8]>),
}

/// Where a word is in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub frequency: u32,
    pub fields: FieldMask,
    pub positions: Vec<u32>,
}

/// What of a document is indexed.
#[derive(Debug, Default)]
pub(super) struct Prepared<'a> {
    pub words: BTreeMap<Vec<u8>, Occurrence>,
    /// Stems, sounds and synonyms, with their marks.
    pub forms: BTreeMap<Vec<u8>, Occurrence>,
    /// Words, each counted by its field's weight.
    pub length: u32,
    pub numbers: Vec<(FieldNumber, f64)>,
    pub places: Vec<(FieldNumber, Place)>,
    pub tags: BTreeSet<(FieldNumber, Vec<u8>)>,
    pub shapes: Vec<(FieldNumber, Shape)>,
    pub missing: Vec<FieldNumber>,
    pub sort_values: Vec<SortValue>,
    /// As the field's elements, checked.
    pub vectors: Vec<(FieldNumber, Vec<Cow<'a, [u8]>>)>,
    /// Where the text of a field begins: its bit and the position before its first word.
    pub starts: Vec<(u8, u32)>,
    position: u32,
}

impl<'a> Prepared<'a> {
    pub fn new(schema: &Schema, document: &'a Document<'_>, synonyms: &Synonyms) -> Result<Self, Refused> {
        let mut prepared = Self::default();
        let mut values = document.values.iter().peekable();
        for (number, field) in schema.fields.iter().enumerate() {
            let number = number as FieldNumber;
            let value = values.next_if(|(of, _)| *of == number).map(|(_, value)| value);
            let value = value.filter(|value| !matches!(value, Value::Null));
            let refused = |error| Refused { field: number, error };
            if field.sortable.is_some() {
                prepared.sort_values.push(sort_value(field, value).map_err(refused)?);
            }
            match value {
                None if field.index_missing => prepared.missing.push(number),
                Some(value) if !field.no_index => {
                    let added = prepared.field(schema, number, field, value, document.language, synonyms);
                    added.map_err(refused)?;
                }
                _ => {}
            }
        }
        debug_assert!(values.next().is_none(), "values stand in the order of the schema");
        Ok(prepared)
    }

    fn field(
        &mut self,
        schema: &Schema,
        number: FieldNumber,
        field: &Field,
        value: &'a Value<'_>,
        language: Language,
        synonyms: &Synonyms,
    ) -> Result<(), Error> {
        match &field.kind {
            Kind::Text(options) => {
                self.starts.push((options.bit, self.position));
                for (number, text) in texts(field, value)?.into_iter().enumerate() {
                    if number > 0 {
                        self.position = self.position.saturating_add(GAP);
                    }
                    self.text(schema, field, options, text, language, synonyms);
                }
            }
            Kind::Tag(options) => self.tags(number, field, options, value)?,
            Kind::Numeric => {
                self.numbers.extend(numbers(value)?.into_iter().map(|value| (number, value)));
            }
            Kind::Geo => {
                for text in texts(field, value)? {
                    self.places.push((number, place(text)?));
                }
            }
            Kind::Vector(options) => self.vectors.push((number, vectors(options, value)?)),
            Kind::Geoshape(coordinates) => self.shapes.push((number, shape(*coordinates, value)?)),
        }
        Ok(())
    }

    fn text(
        &mut self,
        schema: &Schema,
        field: &Field,
        options: &TextOptions,
        text: &[u8],
        language: Language,
        synonyms: &Synonyms,
    ) {
        if text.is_empty() && field.index_empty {
            self.position += 1;
            self.note(Vec::new(), false, options);
        }
        for token in Tokens::new(text, &schema.stop_words) {
            self.position = self.position.saturating_add(1);
            let mark = |mark: u8, form: &[u8]| [&[mark], form].concat();
            let word = token.word.into_owned();
            if !options.no_stem
                && let Some(stem) = stem(language, &word, STEM_LETTERS_MIN)
                && stem.as_bytes() != word
            {
                self.note(mark(STEM_MARK, stem.as_bytes()), true, options);
            }
            if options.phonetic.is_some()
                && let Some(sound) = std::str::from_utf8(&word).ok().and_then(metaphone)
            {
                self.note(mark(SOUND_MARK, sound.as_bytes()), true, options);
            }
            for group in synonyms.groups(&word) {
                self.note(mark(SYNONYM_MARK, group), true, options);
            }
            self.length = self.length.saturating_add(weight(options));
            self.note(word, false, options);
        }
    }

    fn note(&mut self, word: Vec<u8>, is_form: bool, options: &TextOptions) {
        let occurrences = if is_form { &mut self.forms } else { &mut self.words };
        let occurrence = occurrences.entry(word).or_default();
        occurrence.frequency = occurrence.frequency.saturating_add(weight(options));
        occurrence.fields |= options.mask();
        if occurrence.positions.last() != Some(&self.position) {
            occurrence.positions.push(self.position);
        }
    }

    fn tags(
        &mut self,
        number: FieldNumber,
        field: &Field,
        options: &TagOptions,
        value: &Value<'_>,
    ) -> Result<(), Error> {
        if let Value::Flag(flag) = value {
            self.tags.insert((number, flag.to_string().into_bytes()));
            return Ok(());
        }
        for text in texts(field, value)? {
            let separator = options.separator;
            for tag in text.split(|byte| Some(*byte) == separator) {
                let tag = tag.trim_ascii();
                if tag.is_empty() && !field.index_empty {
                    continue;
                }
                let tag = if options.case_sensitive { tag.to_vec() } else { fold(tag).into_owned() };
                self.tags.insert((number, tag));
            }
        }
        Ok(())
    }

    /// How often the most frequent word is there.
    pub fn frequency_max(&self) -> u32 {
        self.words.values().map(|occurrence| occurrence.frequency).max().unwrap_or(0)
    }
}

/// What an occurrence in a field counts: its weight as a whole number, but not less than one.
fn weight(options: &TextOptions) -> u32 {
    (options.weight as u32).max(1)
}

fn texts<'a>(field: &Field, value: &'a Value<'_>) -> Result<Vec<&'a [u8]>, Error> {
    match value {
        Value::Text(text) => Ok(vec![text]),
        Value::Texts(texts) => Ok(texts.clone()),
        _ => {
            let kind = field.kind.name();
            let text = format!("Invalid JSON type: {} type can not represent {kind}", type_name(value));
            Err(Error::new(Code::Value, text))
        }
    }
}

fn type_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Text(_) => "String",
        Value::Texts(_) | Value::Numbers(_) | Value::Vectors(_) => "Array",
        Value::Number(_) => "Number",
        Value::Flag(_) => "Boolean",
        Value::Null => "Null",
    }
}

fn numbers(value: &Value<'_>) -> Result<Vec<f64>, Error> {
    let refuse = |text: String| Err(Error::new(Code::Number, format!("Invalid numeric value: '{text}'")));
    match value {
        Value::Number(number) => Ok(vec![*number]),
        Value::Numbers(numbers) => Ok(numbers.clone()),
        Value::Text(text) => match parse_f64(text.trim_ascii()) {
            Some(number) => Ok(vec![number]),
            None => refuse(shown(text)),
        },
        _ => refuse(type_name(value).to_owned()),
    }
}

/// A shape as WKT. Fields of JSON have one.
fn shape(coordinates: Coordinates, value: &Value<'_>) -> Result<Shape, Error> {
    let Value::Text(text) = value else {
        let text = format!("Invalid JSON type: {} type cannot represent GEOMETRY field", type_name(value));
        return Err(Error::new(Code::JsonType, text));
    };
    let read = crate::shape::read(text, coordinates);
    read.map_err(|why| Error::new(Code::Generic, format!("Error indexing geoshape: {why}")))
}

/// A place written as `longitude,latitude`.
fn place(text: &[u8]) -> Result<Place, Error> {
    let Some(at) = text.iter().position(|byte| *byte == b',' || *byte == b' ') else {
        return Err(Error::new(Code::Arguments, "Invalid geo string: missing separator"));
    };
    let number = |text: &[u8]| {
        let text = text.trim_ascii();
        parse_f64(text).ok_or_else(|| {
            Error::new(Code::Arguments, format!("Invalid geo string: invalid number {}", shown(text)))
        })
    };
    let (longitude, latitude) = (number(&text[..at])?, number(&text[at + 1..])?);
    if !(-180.0..=180.0).contains(&longitude) || !(-85.051_128_78..=85.051_128_78).contains(&latitude) {
        let text = format!("Invalid geo coordinates: {longitude:.6}, {latitude:.6}");
        return Err(Error::new(Code::Place, text));
    }
    Ok(Place { longitude, latitude })
}

fn sort_value(field: &Field, value: Option<&Value<'_>>) -> Result<SortValue, Error> {
    let Some(value) = value else { return Ok(SortValue::Missing) };
    let unnormalized = field.sortable.is_some_and(|sortable| sortable.unnormalized);
    let text = |text: &[u8]| {
        let key = if unnormalized { text.into() } else { sort_key(text) };
        SortValue::Text(key.as_ref().into())
    };
    Ok(match (&field.kind, value) {
        (Kind::Numeric, value) => {
            numbers(value)?.first().map_or(SortValue::Missing, |number| SortValue::Number(*number))
        }
        (_, Value::Text(value)) => text(value),
        (_, Value::Texts(values)) => values.first().map_or(SortValue::Missing, |value| text(value)),
        (_, Value::Number(number)) => SortValue::Number(*number),
        (_, Value::Numbers(numbers)) => {
            numbers.first().map_or(SortValue::Missing, |number| SortValue::Number(*number))
        }
        (_, Value::Flag(flag)) => text(flag.to_string().as_bytes()),
        (_, Value::Null | Value::Vectors(_)) => SortValue::Missing,
    })
}
