//! What rows have of their documents, and reading it.

use crate::families::search::query::load::{self, Manner, Source, Wanted};
use crate::families::search::query::question::Question;
use crate::{Cx, Error};
use search::DocumentId;
use search::aggregate::Fields;
use search::expression::Value;
use search::index::{Index, SortValue};
use search::schema::FieldNumber;

/// What a row has.
#[derive(Debug)]
pub enum Column {
    /// Read from the document.
    Document(Wanted),
    /// What the index sorts by.
    Sorted { name: Vec<u8>, field: FieldNumber },
    /// What the command itself knows of a document.
    Given(Vec<u8>),
}

impl Column {
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Document(wanted) => &wanted.name,
            Self::Sorted { name, .. } | Self::Given(name) => name,
        }
    }
}

/// All that rows have, in their order.
#[derive(Debug, Default)]
pub struct Columns {
    pub columns: Vec<Column>,
    /// LOAD *
    pub loads_all: bool,
}

impl Columns {
    /// Whether rows need what stands under the keys.
    pub fn reads_documents(&self) -> bool {
        self.loads_all || self.columns.iter().any(|column| matches!(column, Column::Document(_)))
    }

    /// Fills a row with what is known without the document.
    pub fn fill_given(&self, given: impl Fn(&[u8]) -> Option<Value>, row: &mut Fields) {
        for column in &self.columns {
            if let Column::Given(name) = column
                && let Some(value) = given(name)
            {
                row.set(name, value);
            }
        }
    }

    /// Fills a row. `false`: the document has gone.
    ///
    /// # Errors
    /// The index has been dropped.
    pub fn read(
        &self,
        cx: &mut Cx<'_>,
        question: &Question,
        id: DocumentId,
        given: impl Fn(&[u8]) -> Option<Value>,
        row: &mut Fields,
    ) -> Result<bool, Error> {
        let index = question.index(cx.shard)?;
        let known = |column: &Column| match column {
            Column::Sorted { field, .. } => sort_value(&index.index, id, *field),
            Column::Given(name) => given(name),
            Column::Document(_) => None,
        };
        let known: Vec<_> = self.columns.iter().map(known).collect();
        let manner = question.manner();
        if !self.reads_documents() {
            self.fill(None, known, manner, row);
            return Ok(true);
        }
        let Some(key) = index.documents.key_of(id).cloned() else { return Ok(false) };
        let on = question.definition.schema.on;
        let Some(source) = load::document(cx, &key, on) else { return Ok(false) };
        self.fill(Some((&source, &key)), known, manner, row);
        Ok(true)
    }

    /// Fills a row, in the order in which its columns were named, from what is known and what stands under the key.
    fn fill(
        &self,
        source: Option<(&Source<'_>, &[u8])>,
        known: Vec<Option<Value>>,
        manner: Manner<'_>,
        row: &mut Fields,
    ) {
        for (column, known) in self.columns.iter().zip(known) {
            let value = match column {
                Column::Sorted { .. } | Column::Given(_) => known,
                Column::Document(wanted) => {
                    source.and_then(|(source, key)| source.value(key, wanted, manner))
                }
            };
            value.into_iter().for_each(|value| row.set(column.name(), value));
        }
        if let (true, Some((source, _))) = (self.loads_all, source) {
            source.all_values(manner, |name, value| {
                if row.get(name).is_none() {
                    row.set(name, value);
                }
            });
        }
    }
}

/// What of a row the index has.
fn sort_value(index: &Index, id: DocumentId, field: FieldNumber) -> Option<Value> {
    match index.sort_value(id, field)? {
        SortValue::Number(number) => Some(Value::Number(*number)),
        SortValue::Text(text) => Some(Value::text(&**text)),
        SortValue::Missing => None,
    }
}
