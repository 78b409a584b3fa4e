//! What FT.CREATE and FT.ALTER have said of an index, ready to be held against keys.

use crate::Error;
use json::path::Query;
use search::expression::Expression;
use search::schema::{DocumentKind, Field, FieldMask, Schema};
use std::sync::Arc;

/// An index as its clients have described it; the same on all shards.
#[derive(Debug)]
pub struct Definition {
    pub name: Vec<u8>,
    /// Unlike any other index's since the start, also one that had the same name.
    pub number: u64,
    pub schema: Arc<Schema>,
    /// FILTER.
    pub filter: Option<Expression>,
    /// Of an index of JSON, the path of each field, in the order of the schema.
    pub paths: Vec<Query>,
    /// Words that make it again: behind the name in FT.CREATE, and behind `SCHEMA ADD` in each FT.ALTER.
    pub words: Vec<Vec<Vec<u8>>>,
}

impl Definition {
    /// Reads what stands behind the name in FT.CREATE.
    ///
    /// # Errors
    /// In the words of RediSearch. Nothing has been made.
    pub fn parse(name: &[u8], number: u64, words: &[&[u8]]) -> Result<Self, Error> {
        let schema = Schema::parse(words).map_err(Error::search)?;
        let filter = schema.filter.as_deref().map(Expression::parse).transpose().map_err(Error::search)?;
        let paths = paths_of(name, &schema, &schema.fields)?;
        let words = vec![words.iter().map(|word| word.to_vec()).collect()];
        Ok(Self { name: name.to_vec(), number, schema: Arc::new(schema), filter, paths, words })
    }

    /// This one with the fields that stand behind `SCHEMA ADD` in FT.ALTER.
    ///
    /// # Errors
    /// As [`Definition::parse`].
    pub fn with_fields(&self, words: &[&[u8]]) -> Result<Self, Error> {
        let schema = self.schema.with_fields(words).map_err(Error::search)?;
        let added = &schema.fields[self.schema.fields.len()..];
        let mut paths = self.parsed_again();
        paths.extend(paths_of(&self.name, &schema, added)?);
        let mut all_words = self.words.clone();
        all_words.push(words.iter().map(|word| word.to_vec()).collect());
        Ok(Self {
            name: self.name.clone(),
            number: self.number,
            filter: self.filter.clone(),
            paths,
            words: all_words,
            schema: Arc::new(schema),
        })
    }

    fn parsed_again(&self) -> Vec<Query> {
        let paths = self.schema.fields.iter().take(self.paths.len());
        paths.map(|field| Query::parse(&field.path).expect("it was parsed before")).collect()
    }

    /// The TEXT fields whose texts have no order: those of JSON whose path may find several values.
    pub fn unordered_texts(&self) -> FieldMask {
        self.schema
            .text_fields()
            .filter(|(number, ..)| {
                self.paths.get(usize::from(*number)).is_some_and(|path| path.picks().is_none())
            })
            .map(|(_, bit, ..)| 1 << bit)
            .sum()
    }

    /// Whether a key's name is one of those that are indexed.
    pub fn has_prefix_of(&self, key: &[u8]) -> bool {
        self.schema.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

fn paths_of(name: &[u8], schema: &Schema, fields: &[Field]) -> Result<Vec<Query>, Error> {
    if schema.on == DocumentKind::Hash {
        return Ok(Vec::new());
    }
    let path = |field: &Field| {
        let query = Query::parse(&field.path).ok().filter(|query| !query.is_projection());
        query.ok_or_else(|| {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (path, attribute, index) = (shown(&field.path), shown(&field.name), shown(name));
            Error::text(format!(
                "SEARCH_PATH_BAD Invalid JSONPath '{path}' in attribute '{attribute}' in index '{index}'"
            ))
        })
    };
    fields.iter().map(path).collect()
}
