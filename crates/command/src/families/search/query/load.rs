//! Fields of documents as a search shows them, read from the keys.

use super::arguments::Returned;
use crate::families::json::{JsonShape, expand_json};
use crate::indexes::definition::Definition;
use crate::{Cx, indexes};
use json::path::{Query, select};
use json::{Format, View, write};
use keyspace::{Key, ValueRef};
use resp::Reply;
use search::expression::Value;
use search::query::Dialect;
use search::schema::{DocumentKind, Kind, Schema};
use search::text::sort_key;
use search::vectors::Parts;
use std::sync::Arc;
use types::hash::Hash;

/// Steps that one path may take in one document.
const STEPS: u64 = 1 << 25;

/// A field's value on its way to the client.
#[derive(Clone, Debug)]
pub enum Shown {
    Text(Vec<u8>),
    /// A value of RESP3.
    Reply(Vec<u8>),
}

/// Fields in the order in which they are shown.
pub type Fields = Vec<(Arc<[u8]>, Shown)>;

/// Which fields of documents are wanted.
#[derive(Debug)]
pub enum Selection {
    /// All of a hash, or the whole document; first the field that results are sorted by.
    All(Option<Wanted>),
    Listed(Vec<Wanted>),
}

/// One of the fields that are wanted.
#[derive(Debug)]
pub struct Wanted {
    pub name: Arc<[u8]>,
    /// The name in the hash.
    field: Vec<u8>,
    /// The path in the document.
    path: Option<Query>,
    /// It is a NUMERIC field of the schema, and shown as a number is.
    is_number: bool,
    /// The key itself.
    is_key: bool,
    /// It is shown as the index sorts it: in small letters.
    is_sort_key: bool,
    /// It is how far a vector is: the query has it, and nothing is read.
    is_distance: bool,
    /// It is shown as a text, not as the array of what a path finds: HIGHLIGHT or SUMMARIZE change it.
    is_text: bool,
}

impl Wanted {
    /// A field by its name in the schema, in the hash, or by its path; called `name`.
    pub fn new(definition: &Definition, path: &[u8], name: &[u8]) -> Self {
        let schema = &definition.schema;
        let number = schema.field(path).map(usize::from);
        let field = number.map(|number| &schema.fields[number]);
        let written = field.map_or(path, |field| &field.path);
        Self {
            name: name.into(),
            field: written.to_vec(),
            path: if schema.on == DocumentKind::Json { Query::parse(written).ok() } else { None },
            is_number: field.is_some_and(|field| matches!(field.kind, Kind::Numeric)),
            is_key: path == b"__key",
            is_sort_key: false,
            is_distance: false,
            is_text: false,
        }
    }

    /// A field of the schema as it was written.
    fn raw(definition: &Definition, name: &[u8]) -> Self {
        let schema = &definition.schema;
        let field = schema.field(name).map(|number| &schema.fields[usize::from(number)]);
        // Under its own name the hash's text takes the place of what the index has.
        let is_sort_key = field.is_some_and(|field| {
            let normalized = field.sortable.is_some_and(|sortable| !sortable.unnormalized);
            let is_text = matches!(field.kind, Kind::Text(_) | Kind::Tag(_));
            normalized && is_text && schema.on == DocumentKind::Hash && field.path[..] != *name
        });
        Self { is_number: false, is_sort_key, ..Self::new(definition, name, name) }
    }
}

impl Selection {
    /// What RETURN says, or everything; with the field that results are sorted by in front, unless RETURN leaves it out. What RETURN names like a distance of the query is that.
    pub fn new(
        definition: &Definition,
        fields: Option<&[Returned]>,
        sorted_by: Option<&[u8]>,
        parts: &Parts,
    ) -> Self {
        let Some(fields) = fields else {
            return Self::All(sorted_by.map(|field| Wanted::raw(definition, field)));
        };
        let mut wanted: Vec<_> =
            fields.iter().map(|field| Wanted::new(definition, &field.path, &field.name)).collect();
        if let Some(at) = wanted.iter().position(|wanted| Some(&wanted.name[..]) == sorted_by) {
            wanted[..=at].rotate_right(1);
        }
        wanted.iter_mut().for_each(|wanted| wanted.is_distance = parts.position(&wanted.name).is_some());
        Self::Listed(wanted)
    }

    /// These are shown as texts.
    pub fn show_texts(&mut self, is_text: impl Fn(&[u8]) -> bool) {
        if let Self::Listed(wanted) = self {
            wanted.iter_mut().for_each(|wanted| wanted.is_text = is_text(&wanted.name));
        }
    }

    /// The fields of hashes that are wanted one by one.
    pub fn hash_fields(&self) -> impl Iterator<Item = &[u8]> {
        let wanted = match self {
            Self::All(first) => first.as_slice(),
            Self::Listed(wanted) => wanted,
        };
        wanted
            .iter()
            .filter(|wanted| !wanted.is_key && !wanted.is_distance)
            .map(|wanted| wanted.field.as_slice())
    }

    /// Whether nothing is read of what is under the keys.
    pub fn reads_nothing(&self) -> bool {
        matches!(self, Self::Listed(wanted) if wanted.iter().all(|wanted| wanted.is_key || wanted.is_distance))
    }

    /// Whether a property that is not of the document is shown.
    pub fn wants(&self, name: &[u8]) -> bool {
        match self {
            Self::All(_) => true,
            Self::Listed(wanted) => wanted.iter().any(|wanted| wanted.name[..] == *name),
        }
    }
}

/// How documents are shown.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    pub dialect: Dialect,
    /// FORMAT EXPAND.
    pub expands: bool,
    /// Of it.
    pub schema: &'a Schema,
}

impl Manner<'_> {
    /// Whether a field of a hash is not shown unless it is asked for: those that say a document's language, score and payload.
    fn hides(self, name: &[u8]) -> bool {
        let Schema { language_field, score_field, payload_field, .. } = self.schema;
        [language_field, score_field, payload_field].into_iter().flatten().any(|field| *field == *name)
    }
}

/// The document under a key, if it is still one of the kind that is indexed.
pub enum Source<'a> {
    Hash(&'a Hash, u64),
    Json(View<'a>),
}

/// Looks a document up. A key whose time is over is gone with that.
pub fn document<'a>(cx: &'a mut Cx<'_>, key: &[u8], on: DocumentKind) -> Option<Source<'a>> {
    let (seed, now_ms) = (cx.shard.seed.clone(), cx.shard.now_ms);
    let pos = cx.find_in(indexes::DB, Key::new(key, &seed))?;
    match (on, cx.shard.dbs[usize::from(indexes::DB)].value(pos)) {
        (DocumentKind::Hash, ValueRef::Hash(hash)) => Some(Source::Hash(hash, now_ms)),
        (DocumentKind::Json, ValueRef::Json(document)) => Some(Source::Json(document.view())),
        _ => None,
    }
}

impl Source<'_> {
    /// The fields that are wanted, as they are shown.
    pub fn shown(&self, key: &[u8], selection: &Selection, manner: Manner<'_>) -> Fields {
        let shown = |wanted: &Wanted| Some((Arc::clone(&wanted.name), self.one(key, wanted, manner)?));
        match selection {
            Selection::Listed(wanted) => {
                wanted.iter().filter(|wanted| !wanted.is_distance).filter_map(shown).collect()
            }
            Selection::All(first) => {
                let mut fields: Fields = first.as_ref().and_then(shown).into_iter().collect();
                self.all(first.as_ref(), manner, &mut fields);
                fields
            }
        }
    }

    /// Everything but the field that is there already.
    fn all(&self, first: Option<&Wanted>, manner: Manner<'_>, fields: &mut Fields) {
        match self {
            Self::Hash(hash, now_ms) => {
                for entry in hash.iter(*now_ms) {
                    let name = entry.field.text();
                    if manner.hides(&name) {
                        continue;
                    }
                    if first.is_none_or(|first| first.name[..] != name[..]) {
                        let value = Shown::Text(entry.value.to_vec());
                        fields.push((Arc::from(&*name), value));
                    }
                }
            }
            Self::Json(root) => fields.push((Arc::from(&b"$"[..]), whole(&[*root], manner))),
        }
    }

    fn one(&self, key: &[u8], wanted: &Wanted, manner: Manner<'_>) -> Option<Shown> {
        if wanted.is_key {
            return Some(Shown::Text(key.to_vec()));
        }
        match self {
            Self::Hash(hash, now_ms) => {
                let text = hash.get(&wanted.field, *now_ms)?.text();
                if wanted.is_sort_key {
                    return Some(Shown::Text(sort_key(&text).into_owned()));
                }
                let number = if wanted.is_number { base::number::parse_f64(&text) } else { None };
                Some(Shown::Text(match number {
                    Some(number) => Value::Number(number).shown().unwrap_or_default(),
                    None => text.to_vec(),
                }))
            }
            Self::Json(root) => {
                let found = matches(*root, wanted.path.as_ref()?);
                if manner.dialect >= Dialect::Three && !wanted.is_text {
                    return (!found.is_empty()).then(|| whole(&found, manner));
                }
                match found.first()? {
                    View::Null => None,
                    first => Some(Shown::Text(plain(*first))),
                }
            }
        }
    }

    /// Everything, as rows of FT.AGGREGATE have it.
    pub fn all_values(&self, manner: Manner<'_>, mut put: impl FnMut(&[u8], Value)) {
        match self {
            Self::Hash(hash, now_ms) => {
                for entry in hash.iter(*now_ms) {
                    let name = entry.field.text();
                    if !manner.hides(&name) {
                        put(&name, Value::Text(entry.value.to_vec()));
                    }
                }
            }
            Self::Json(root) => match whole(&[*root], manner) {
                Shown::Text(text) | Shown::Reply(text) => put(b"$", Value::Text(text)),
            },
        }
    }

    /// The value of a field as rows of FT.AGGREGATE have it.
    pub fn value(&self, key: &[u8], wanted: &Wanted, manner: Manner<'_>) -> Option<Value> {
        if wanted.is_key {
            return Some(Value::text(key));
        }
        match self {
            Self::Hash(hash, now_ms) => {
                let text = hash.get(&wanted.field, *now_ms)?.text();
                let number = if wanted.is_number { base::number::parse_f64(&text) } else { None };
                Some(number.map_or_else(|| Value::text(&*text), Value::Number))
            }
            Self::Json(root) => {
                let found = matches(*root, wanted.path.as_ref()?);
                if manner.dialect >= Dialect::Three && !found.is_empty() {
                    return Some(match whole(&found, manner) {
                        Shown::Text(text) | Shown::Reply(text) => Value::Text(text),
                    });
                }
                Some(match found.first()? {
                    View::Null => return None,
                    View::Number(number) => Value::Number(number.as_f64()),
                    other => Value::Text(plain(*other)),
                })
            }
        }
    }
}

fn matches<'a>(root: View<'a>, path: &'a Query) -> Vec<View<'a>> {
    let selection = select(path, root, STEPS).ok();
    selection.into_iter().flat_map(|selection| selection.matches).map(|found| found.value).collect()
}

/// One value: texts without quotes, everything else as JSON has it.
fn plain(view: View<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    match view {
        View::String(string) => text.extend_from_slice(string),
        View::Bool(flag) => text.extend_from_slice(if flag { b"1" } else { b"0" }),
        other => write::write(other, &Format::default(), &mut text),
    }
    text
}

/// All that a path has found: from dialect 3 on an array.
fn whole(found: &[View<'_>], manner: Manner<'_>) -> Shown {
    if manner.expands {
        let mut out = Reply::new(true);
        out.array(found.len());
        found.iter().for_each(|view| expand_json(*view, JsonShape::Whole, &mut out));
        return Shown::Reply(out.buf);
    }
    let mut text = Vec::new();
    let is_array = manner.dialect >= Dialect::Three;
    text.extend_from_slice(if is_array { b"[" } else { b"" });
    for (at, view) in found.iter().enumerate() {
        text.extend_from_slice(if at > 0 { b"," } else { b"" });
        write::write(*view, &Format::default(), &mut text);
    }
    text.extend_from_slice(if is_array { b"]" } else { b"" });
    Shown::Text(text)
}
