//! FT.AGGREGATE on a shard: its steps held against the definition, and what of the documents they need.

use super::arguments::{AggregateArguments, CursorOptions, Load};
use super::steps::{self, Arrange, Step};
use crate::families::search::query::load::{Manner, Wanted};
use crate::families::search::query::question::Question;
use crate::families::search::query::settings::QuerySettings;
use crate::families::search::query::words::{bad_arguments, shown};
use crate::{Args, Cx, Error};
use search::schema::FieldNumber;
use std::collections::HashSet;
use std::sync::Arc;

/// An aggregation, the same on all shards.
#[derive(Debug)]
pub struct Request {
    pub question: Arc<Question>,
    pub steps: Vec<Step>,
    pub columns: Vec<Column>,
    /// LOAD *
    pub loads_all: bool,
    pub adds_scores: bool,
    pub counts: bool,
    pub cursor: Option<CursorOptions>,
}

/// What a row has of its document.
#[derive(Debug)]
pub enum Column {
    /// Read from the document.
    Document(Wanted),
    /// What the index sorts by.
    Sorted { name: Vec<u8>, field: FieldNumber },
}

/// Properties that steps may name so far.
struct Known<'a> {
    question: &'a Question,
    names: HashSet<Vec<u8>>,
    columns: Vec<Column>,
    loads_all: bool,
    /// Rows are still documents.
    has_documents: bool,
}

impl Known<'_> {
    /// Whether a property is there, or can be.
    fn find(&mut self, name: &[u8]) -> bool {
        if self.names.contains(name) {
            return true;
        }
        let definition = &self.question.definition;
        let schema = &definition.schema;
        let field = schema.field(name).filter(|_| self.has_documents);
        let Some(field) = field else { return false };
        self.names.insert(name.to_vec());
        self.columns.push(match schema.fields[usize::from(field)].sortable {
            Some(_) => Column::Sorted { name: name.to_vec(), field },
            None => Column::Document(Wanted::new(definition, name, name)),
        });
        true
    }

    fn load(&mut self, load: &Load) -> Result<(), Error> {
        if !self.has_documents {
            return Err(bad_arguments("LOAD cannot be applied after projectors or reducers"));
        }
        match load {
            Load::All => self.loads_all = true,
            Load::Fields(fields) => {
                for field in fields {
                    self.names.insert(field.name.clone());
                    let wanted = Wanted::new(&self.question.definition, &field.path, &field.name);
                    self.columns.retain(|column| column.name() != field.name);
                    self.columns.push(Column::Document(wanted));
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        let missing = |text: String| Err(Error::text(format!("SEARCH_PROP_NOT_FOUND {text}")));
        match step {
            Step::Apply(expression, _) | Step::Filter(expression) => {
                for name in expression.properties() {
                    if !(self.find(name) || self.loads_all && self.has_documents) {
                        return missing(format!("Property not loaded nor in pipeline: `{}`", shown(name)));
                    }
                }
                if let Step::Apply(_, name) = step {
                    self.names.insert(name.clone());
                }
            }
            Step::Arrange(Arrange { keys, .. }) => {
                for key in keys {
                    if !self.find(&key.property) {
                        let name = shown(&key.property);
                        return missing(format!("Property `{name}` not loaded nor in schema"));
                    }
                }
            }
            Step::Group(grouping) => {
                let is_dynamic = self.loads_all && self.has_documents;
                for name in &grouping.properties {
                    if !self.find(name) && !is_dynamic {
                        return missing(format!("No such property `{}`", shown(name)));
                    }
                }
                for reducer in &grouping.reducers {
                    for name in reducer.properties() {
                        if !self.find(name) && !is_dynamic {
                            let name = shown(name);
                            return missing(format!("Property `{name}` not present in document or pipeline"));
                        }
                    }
                }
                let reduced = grouping.reducers.iter().map(|reducer| reducer.alias.clone());
                self.names = grouping.properties.iter().cloned().chain(reduced).collect();
                self.has_documents = false;
            }
        }
        Ok(())
    }
}

impl Column {
    fn name(&self) -> &[u8] {
        match self {
            Self::Document(wanted) => &wanted.name,
            Self::Sorted { name, .. } => name,
        }
    }
}

impl Request {
    /// Reads the arguments.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn new(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        let settings = QuerySettings::of(cx.shard);
        cx.shard.index(args.at(1))?;
        let given = AggregateArguments::parse(args, &settings)?;
        let question = Question::new(cx, &given.index, &given.query, &given.options, &[])?;
        let mut known = Known {
            question: &question,
            names: HashSet::new(),
            columns: Vec::new(),
            loads_all: false,
            has_documents: true,
        };
        known.names.extend(question.parts.names().flatten().map(<[u8]>::to_vec));
        if given.adds_scores {
            known.names.insert(b"__score".to_vec());
        }
        let mut loads = given.loads.iter().peekable();
        for at in 0..=given.steps.len() {
            while let Some((_, load)) = loads.next_if(|(before, _)| *before == at) {
                known.load(load)?;
            }
            if let Some(step) = given.steps.get(at) {
                known.step(step)?;
            }
        }
        let (columns, loads_all) = (known.columns, known.loads_all);
        Ok(Self {
            steps: given.steps,
            columns,
            loads_all,
            adds_scores: given.adds_scores,
            counts: given.counts,
            cursor: given.cursor,
            question: Arc::new(question),
        })
    }

    pub fn manner(&self) -> Manner {
        Manner { dialect: self.question.dialect, expands: self.question.expands }
    }

    /// The first step that needs all rows.
    pub fn first_of_all_rows(&self) -> Option<&Step> {
        steps::barrier(&self.steps).map(|at| &self.steps[at])
    }

    /// Whether rows need what stands under the keys.
    pub fn reads_documents(&self) -> bool {
        self.loads_all || self.columns.iter().any(|column| matches!(column, Column::Document(_)))
    }
}
