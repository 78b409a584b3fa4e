//! Rows between the steps of FT.AGGREGATE.

use crate::expression::{Row, Value};
use std::cmp::Ordering;

/// Properties with their values, in the order in which they came up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    fields: Vec<(Vec<u8>, Value)>,
    /// When the document was written that the row is, in µs; else 0.
    pub written_us: u64,
    /// The words of the query that its document has, where an expression asks for them.
    pub terms: Vec<Vec<u8>>,
}

impl Fields {
    /// These, of which the last of a name counts.
    pub fn new(fields: impl Iterator<Item = (Vec<u8>, Value)>) -> Self {
        let mut row = Self::default();
        for (name, value) in fields {
            row.set(&name, value);
        }
        row
    }

    /// Memory that they take.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.bytes());
        size_of::<Self>() + self.fields.capacity() * size_of::<(Vec<u8>, Value)>() + fields.sum::<usize>()
    }

    /// Sets a property.
    pub fn set(&mut self, name: &[u8], value: Value) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.fields.push((name.to_vec(), value)),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.fields.iter().map(|(name, value)| (&name[..], value))
    }

    /// All of them, for good.
    pub(super) fn into_pairs(self) -> Vec<(Vec<u8>, Value)> {
        self.fields
    }

    /// The value of a property.
    pub fn get(&self, name: &[u8]) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Row for Fields {
    fn property(&self, name: &[u8]) -> Option<Value> {
        self.get(name).cloned()
    }

    fn properties(&self) -> Vec<(Vec<u8>, Value)> {
        self.fields.clone()
    }

    fn written_us(&self) -> u64 {
        self.written_us
    }

    fn matched_terms(&self, limit: usize) -> Vec<Vec<u8>> {
        self.terms.iter().take(limit).cloned().collect()
    }
}

/// One property of SORTBY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub property: Vec<u8>,
    pub descending: bool,
}

/// The order of two values of a property; what is not there comes last in either order.
pub(super) fn compare_values(descending: bool, left: Option<&Value>, right: Option<&Value>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) if descending => right.compare(left),
        (Some(left), Some(right)) => left.compare(right),
        (left, right) => right.is_some().cmp(&left.is_some()),
    }
}

/// The order of two rows by SORTBY; rows without a property come last in either order.
pub fn compare_rows(keys: &[SortKey], left: &Fields, right: &Fields) -> Ordering {
    let by_key = |key: &SortKey| {
        let (left, right) = (left.get(&key.property), right.get(&key.property));
        let there = |value: &&Value| **value != Value::Null;
        compare_values(key.descending, left.filter(there), right.filter(there))
    };
    keys.iter().map(by_key).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}
