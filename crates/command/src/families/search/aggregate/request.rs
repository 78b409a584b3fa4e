//! FT.AGGREGATE on a shard: its steps held against the definition, and what of the documents they need.

use super::arguments::{AggregateArguments, CursorOptions, Load};
use super::rows::{Column, Columns};
use super::steps::{self, Arrange, Step};
use crate::families::search::profile::meter::Profiling;
use crate::families::search::query::load::Wanted;
use crate::families::search::query::question::Question;
use crate::families::search::query::settings::QuerySettings;
use crate::families::search::query::words::{bad_arguments, shown};
use crate::{Args, Cx, Error};
use std::collections::HashSet;
use std::sync::Arc;

/// An aggregation, the same on all shards.
#[derive(Debug)]
pub struct Request {
    pub question: Arc<Question>,
    pub steps: Vec<Step>,
    pub columns: Columns,
    pub adds_scores: bool,
    pub counts: bool,
    /// Some expression asks which words of the query a document has.
    pub asks_for_terms: bool,
    pub cursor: Option<CursorOptions>,
}

/// Properties that steps may name so far.
pub struct Known<'a> {
    question: &'a Question,
    names: HashSet<Vec<u8>>,
    /// What the command itself knows of documents, if it is asked for.
    given: Vec<Vec<u8>>,
    rows: Columns,
    /// Rows are still documents.
    has_documents: bool,
}

impl<'a> Known<'a> {
    /// Nothing yet. `given`: what the command itself knows of documents, if it is asked for.
    pub fn new(question: &'a Question, given: Vec<Vec<u8>>) -> Self {
        let rows = Columns::default();
        Self { question, names: HashSet::new(), given, rows, has_documents: true }
    }

    /// Rows have something that the command itself knows.
    pub fn give(&mut self, name: &[u8]) {
        if self.names.insert(name.to_vec()) {
            self.rows.columns.push(Column::Given(name.to_vec()));
        }
    }

    /// Looks at all steps, with each LOAD before the step whose number it has.
    ///
    /// # Errors
    /// A property that is not there, and LOAD where rows are no documents any more.
    pub fn follow(&mut self, loads: &[(usize, Load)], steps: &[Step]) -> Result<(), Error> {
        let mut loads = loads.iter().peekable();
        for at in 0..=steps.len() {
            while let Some((_, load)) = loads.next_if(|(before, _)| *before == at) {
                self.load(load)?;
            }
            if let Some(step) = steps.get(at) {
                self.step(step)?;
            }
        }
        Ok(())
    }

    /// What rows must have for all that was looked at.
    pub fn into_columns(self) -> Columns {
        self.rows
    }

    /// Whether a property is there, or can be. What is not SORTABLE is read from the documents where a step `loads` by itself: SORTBY and GROUPBY
    /// do, expressions do not.
    fn find(&mut self, name: &[u8], loads: bool) -> bool {
        if self.names.contains(name) {
            return true;
        }
        if self.has_documents && self.given.iter().any(|given| given == name) {
            self.give(name);
            return true;
        }
        let definition = &self.question.definition;
        let schema = &definition.schema;
        let field = schema.field(name).filter(|_| self.has_documents);
        let is_there = |field: &u16| loads || schema.fields[usize::from(*field)].sortable.is_some();
        let Some(field) = field.filter(is_there) else { return false };
        self.names.insert(name.to_vec());
        self.rows.columns.push(match schema.fields[usize::from(field)].sortable {
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
            Load::All => self.rows.loads_all = true,
            Load::Fields(fields) => {
                for field in fields {
                    if field.path == field.name && self.given.contains(&field.path) {
                        self.give(&field.name);
                        continue;
                    }
                    self.names.insert(field.name.clone());
                    let wanted = Wanted::new(&self.question.definition, &field.path, &field.name);
                    self.rows.columns.retain(|column| column.name() != field.name);
                    self.rows.columns.push(Column::Document(wanted));
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
                    if !(self.find(name, false) || self.rows.loads_all && self.has_documents) {
                        return missing(format!("Property not loaded nor in pipeline: `{}`", shown(name)));
                    }
                }
                if let Step::Apply(_, name) = step {
                    self.names.insert(name.clone());
                }
            }
            Step::Arrange(Arrange { keys, .. }) => {
                for key in keys {
                    if !self.find(&key.property, true) {
                        let name = shown(&key.property);
                        return missing(format!("Property `{name}` not loaded nor in schema"));
                    }
                }
            }
            Step::Group(grouping) => {
                let is_dynamic = self.rows.loads_all && self.has_documents;
                for name in &grouping.properties {
                    if !self.find(name, true) && !is_dynamic {
                        return missing(format!("No such property `{}`", shown(name)));
                    }
                }
                for reducer in &grouping.reducers {
                    for name in reducer.properties() {
                        if !self.find(name, true) && !is_dynamic {
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

impl Request {
    /// Reads the arguments from the query on, the third.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn new(
        cx: &mut Cx<'_>,
        index: &[u8],
        args: Args<'_>,
        profiling: Option<Profiling>,
    ) -> Result<Self, Error> {
        let settings = QuerySettings::of(cx.shard);
        cx.shard.index(index)?;
        let given = AggregateArguments::parse(args, &settings)?;
        let mut question = Question::new(cx, index, &given.query, &given.options, &[])?;
        question.profiling = profiling.map(Profiling::parsed);
        cx.shard.count_dialect(index, question.dialect);
        let mut known = Known::new(&question, Vec::new());
        known.names.extend(question.parts.names().flatten().map(<[u8]>::to_vec));
        if given.adds_scores {
            known.names.insert(b"__score".to_vec());
        }
        known.follow(&given.loads, &given.steps)?;
        let columns = known.into_columns();
        Ok(Self {
            asks_for_terms: given.steps.iter().any(Step::asks_for_terms),
            steps: given.steps,
            columns,
            adds_scores: given.adds_scores,
            counts: given.counts,
            cursor: given.cursor,
            question: Arc::new(question),
        })
    }

    /// The first step that needs all rows.
    pub fn first_of_all_rows(&self) -> Option<&Step> {
        steps::barrier(&self.steps).map(|at| &self.steps[at])
    }
}
