//! What of a key's value is indexed, and whether it is at all.

use super::definition::Definition;
use json::View;
use json::path::{Query, select};
use keyspace::ValueRef;
use search::error::Code;
use search::expression::{self, Row};
use search::index::{Document, Value};
use search::schema::{DocumentKind, FieldNumber, Kind};
use search::text::Language;
use search::{Error, index};
use std::borrow::Cow;
use types::hash::Hash;

/// Steps that one path may take in one document.
const STEPS: u64 = 1 << 25;

/// What is wrong with a document, and with which of its fields.
pub(super) type Refused = (Option<FieldNumber>, Error);

/// The value of a key as an index sees it.
#[derive(Clone, Copy)]
enum Source<'a> {
    Hash(&'a Hash, u64),
    Json(View<'a>),
}

/// A field's value, with bytes of its own where the keyspace has none.
enum Read<'a> {
    Text(Cow<'a, [u8]>),
    Texts(Vec<Cow<'a, [u8]>>),
    Other(Value<'a>),
}

/// A key's document as an index has to have it, given to `add`; `None` if the index does not want it.
///
/// # Errors
/// A value that its field cannot have, or what `add` says.
pub(super) fn with_document<R>(
    definition: &Definition,
    (key, value, now_ms): (&[u8], ValueRef<'_>, u64),
    add: impl FnOnce(&Document<'_>) -> Result<R, Refused>,
) -> Result<Option<R>, Refused> {
    let source = match (definition.schema.on, value) {
        (DocumentKind::Hash, ValueRef::Hash(hash)) => Source::Hash(hash, now_ms),
        (DocumentKind::Json, ValueRef::Json(document)) => Source::Json(document.view()),
        _ => return Ok(None),
    };
    if !definition.has_prefix_of(key) {
        return Ok(None);
    }
    let row = KeyRow { definition, key, source };
    // A filter that cannot be evaluated, for want of a field, lets nothing pass.
    if let Some(filter) = &definition.filter
        && !filter.accepts(&row).unwrap_or(false)
    {
        return Ok(None);
    }
    let schema = &definition.schema;
    let mut fields = Vec::with_capacity(schema.fields.len());
    for (number, field) in schema.fields.iter().enumerate() {
        let read = match source {
            Source::Hash(hash, now_ms) => hash_field(hash, &field.path, now_ms).map(Read::Text),
            Source::Json(root) => {
                let path = &definition.paths[number];
                let read = match field.kind {
                    Kind::Vector(_) => json_vectors(root, path),
                    _ => json_field(root, path),
                };
                read.map_err(|error| (Some(number as FieldNumber), error))?
            }
        };
        fields.extend(read.map(|read| (number as FieldNumber, read)));
    }
    let values = fields.iter().map(|(number, read)| {
        let value = match read {
            Read::Text(text) => Value::Text(text),
            Read::Texts(texts) => Value::Texts(texts.iter().map(AsRef::as_ref).collect()),
            Read::Other(value) => value.clone(),
        };
        (*number, value)
    });
    let payload = schema.payload_field.as_deref().and_then(|name| source.text(name));
    let document = Document {
        score: score(definition, source),
        language: language(definition, source)?,
        payload: payload.as_deref(),
        values: values.collect(),
    };
    add(&document).map(Some)
}

fn score(definition: &Definition, source: Source<'_>) -> f64 {
    let schema = &definition.schema;
    let text = schema.score_field.as_deref().and_then(|name| source.text(name));
    let given = text.and_then(|text| base::number::parse_f64(&text)).filter(|score| score.is_finite());
    given.unwrap_or(schema.score)
}

fn language(definition: &Definition, source: Source<'_>) -> Result<Language, Refused> {
    let schema = &definition.schema;
    let Some(text) = schema.language_field.as_deref().and_then(|name| source.text(name)) else {
        return Ok(schema.language);
    };
    // As without the field: a document is not lost for a language that is not known.
    Ok(Language::parse(&text).unwrap_or(schema.language))
}

impl<'a> Source<'a> {
    /// A field or the value of a path, if it is one text or number.
    fn text(self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Hash(hash, now_ms) => hash_field(hash, name, now_ms),
            Self::Json(root) => {
                let path = Query::parse(name).ok()?;
                let found = select(&path, root, STEPS).ok()?.matches.first()?.value;
                match found {
                    View::String(text) => Some(Cow::Owned(text.to_vec())),
                    View::Number(number) => {
                        let mut text = Vec::new();
                        number.write(&mut text);
                        Some(Cow::Owned(text))
                    }
                    _ => None,
                }
            }
        }
    }
}

fn hash_field<'a>(hash: &'a Hash, name: &[u8], now_ms: u64) -> Option<Cow<'a, [u8]>> {
    Some(match hash.get(name, now_ms)? {
        types::hash::Value::Str(bytes) => Cow::Borrowed(bytes),
        value => Cow::Owned(value.to_vec()),
    })
}

/// The value that a path leads to; of several, those of a list.
fn json_field<'a>(root: View<'a>, path: &'a Query) -> Result<Option<Read<'a>>, Error> {
    let too_much = |_| Error::new(Code::Generic, "the path takes too much work");
    let selection = select(path, root, STEPS).map_err(too_much)?;
    let mut found = selection.matches.into_iter().map(|found| found.value);
    let (first, second) = (found.next(), found.next());
    match (first, second) {
        (None, _) => Ok(None),
        (Some(View::Array(array)), None) => list(array.iter()).map(Some),
        (Some(one), None) => one_value(one).map(Some),
        (Some(first), Some(second)) => list([first, second].into_iter().chain(found)).map(Some),
    }
}

/// The vector that a path leads to, or the vectors that one leads to that may lead to several.
fn json_vectors<'a>(root: View<'a>, path: &'a Query) -> Result<Option<Read<'a>>, Error> {
    let too_much = |_| Error::new(Code::Generic, "the path takes too much work");
    let selection = select(path, root, STEPS).map_err(too_much)?;
    let found = selection.matches.into_iter().map(|found| found.value);
    let vectors = found.filter(|value| !matches!(value, View::Null)).map(numbers);
    let mut vectors = vectors.collect::<Result<Vec<_>, _>>()?;
    let is_single = path.picks().is_some();
    Ok(match vectors.len() {
        0 => None,
        1 if is_single => vectors.pop().map(|vector| Read::Other(Value::Numbers(vector))),
        _ => Some(Read::Other(Value::Vectors(vectors))),
    })
}

fn numbers(view: View<'_>) -> Result<Vec<f64>, Error> {
    let View::Array(array) = view else {
        return Err(not_representable("a VECTOR field takes arrays of numbers"));
    };
    let number = |value| match value {
        View::Number(number) => Ok(number.as_f64()),
        _ => Err(not_representable("a vector has a value that is no number")),
    };
    array.iter().map(number).collect()
}

fn one_value(view: View<'_>) -> Result<Read<'_>, Error> {
    Ok(match view {
        View::String(text) => Read::Text(Cow::Borrowed(text)),
        View::Number(number) => Read::Other(Value::Number(number.as_f64())),
        View::Bool(flag) => Read::Other(Value::Flag(flag)),
        View::Null => Read::Other(Value::Null),
        View::Array(_) => {
            return Err(not_representable(
                "Array type can represent only TEXT, TAG, NUMERIC, GEO or VECTOR field",
            ));
        }
        View::Object(_) => return Err(not_representable("Object type can represent only GEOMETRY field")),
    })
}

fn not_representable(why: &str) -> Error {
    Error::new(Code::JsonType, format!("Invalid JSON type: {why}"))
}

/// Several values: all texts and flags, or all numbers; what is null is passed over.
fn list<'a>(values: impl Iterator<Item = View<'a>>) -> Result<Read<'a>, Error> {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            View::String(text) => texts.push(Cow::Borrowed(text)),
            View::Bool(flag) => texts.push(Cow::Owned(flag.to_string().into_bytes())),
            View::Number(number) => numbers.push(number.as_f64()),
            View::Null => {}
            View::Array(_) | View::Object(_) => {
                return Err(not_representable("Array of arrays or objects can not be indexed"));
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, false) => Err(not_representable("Array has values of more than one type")),
        (true, false) => Ok(Read::Other(Value::Numbers(numbers))),
        (..) => Ok(Read::Texts(texts)),
    }
}

/// A key as FILTER sees it.
struct KeyRow<'a> {
    definition: &'a Definition,
    key: &'a [u8],
    source: Source<'a>,
}

impl Row for KeyRow<'_> {
    fn property(&self, name: &[u8]) -> Option<expression::Value> {
        if name == b"__key" {
            return Some(expression::Value::text(self.key));
        }
        let number = self.definition.schema.field(name).map(usize::from);
        match self.source {
            Source::Hash(..) => {
                let path = number.map_or(name, |number| &self.definition.schema.fields[number].path);
                self.source.text(path).map(|text| expression::Value::text(&*text))
            }
            Source::Json(root) => {
                let given;
                let path = match number {
                    Some(number) => &self.definition.paths[number],
                    None => {
                        given = Query::parse(name).ok()?;
                        &given
                    }
                };
                Some(match select(path, root, STEPS).ok()?.matches.first()?.value {
                    View::String(text) => expression::Value::text(text),
                    View::Number(number) => expression::Value::Number(number.as_f64()),
                    View::Bool(flag) => expression::Value::Number(u8::from(flag).into()),
                    _ => return None,
                })
            }
        }
    }
}

/// The error of an index's `add` as one of this room.
pub(super) fn refused(refused: index::Refused) -> Refused {
    (Some(refused.field), refused.error)
}
