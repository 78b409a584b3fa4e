//! The vector parts of a query, read and checked, and what was found for them.

use super::neighbours::Neighbours;
use super::options::{Asked, Chosen, Policy};
use crate::DocumentId;
use crate::error::{Code, Error, shown};
use crate::query::{self, Node};
use crate::schema::{Algorithm, FieldNumber, Kind, Schema, VectorOptions};
use std::sync::Arc;

/// A `[KNN …]` or `[VECTOR_RANGE …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// A VECTOR field.
    pub field: FieldNumber,
    /// What the distance is called in results, if it is wanted.
    pub distance_name: Option<Vec<u8>>,
    pub(super) vector: Vec<u8>,
    pub(super) wish: Wish,
    pub(super) is_graph: bool,
}

/// What a part asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wish {
    Nearest { k: usize, ef: Option<usize>, policy: Option<Policy>, is_filtered: bool },
    Within { radius: f64, epsilon: Option<f64> },
}

/// All parts of a query, in the order in which they stand; `[KNN …]` is before those of its filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    parts: Vec<Part>,
}

impl Parts {
    /// Reads the parts of a query; `is_among` says whether it is asked of some documents only (INKEYS), which is a filter as well.
    ///
    /// # Errors
    /// A vector of another length than the field's, one that is none (NaN, infinity, without direction), options that make no sense, names of distances that are taken.
    pub fn read(query: &Node, schema: &Schema, is_among: bool) -> Result<Arc<Self>, Error> {
        let mut parts = Self::default();
        parts.walk(query, schema, is_among)?;
        Ok(Arc::new(parts))
    }

    fn walk(&mut self, node: &Node, schema: &Schema, is_among: bool) -> Result<(), Error> {
        match &node.kind {
            query::Kind::Nearest { nearest, filter } => {
                let is_filtered = is_among || filter.kind != query::Kind::All;
                let asked = if is_filtered { Asked::NearestThatPass } else { Asked::Nearest };
                let options = vector_options(schema, nearest.field);
                check_vector(options, &nearest.vector)?;
                let chosen = Chosen::read(&nearest.options, &options.algorithm, asked)?;
                let wish = Wish::Nearest { k: nearest.k, ef: chosen.ef, policy: chosen.policy, is_filtered };
                let name = Some(nearest.distance_name.clone());
                self.add(schema, options, nearest.field, nearest.vector.clone(), name, wish)?;
            }
            query::Kind::Within(within) => {
                let options = vector_options(schema, within.field);
                check_vector(options, &within.vector)?;
                let chosen = Chosen::read(&within.options, &options.algorithm, Asked::Within)?;
                let wish = Wish::Within { radius: within.radius, epsilon: chosen.epsilon };
                let name = within.distance_name.clone();
                self.add(schema, options, within.field, within.vector.clone(), name, wish)?;
            }
            _ => {}
        }
        node.children().iter().try_for_each(|child| self.walk(child, schema, is_among))
    }

    fn add(
        &mut self,
        schema: &Schema,
        options: &VectorOptions,
        field: FieldNumber,
        vector: Vec<u8>,
        distance_name: Option<Vec<u8>>,
        wish: Wish,
    ) -> Result<(), Error> {
        if let Some(name) = &distance_name {
            if schema.field(name).is_some() {
                let text = format!("Property `{}` already exists in schema", shown(name));
                return Err(Error::new(Code::Duplicate, text));
            }
            if self.names().any(|taken| taken == Some(name)) {
                let text = format!("Property `{}` specified more than once", shown(name));
                return Err(Error::new(Code::Duplicate, text));
            }
        }
        let is_graph = !matches!(options.algorithm, Algorithm::Flat { .. });
        self.parts.push(Part { field, distance_name, vector, wish, is_graph });
        Ok(())
    }

    /// Whether the query asks for no vectors.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parts.
    pub fn iter(&self) -> std::slice::Iter<'_, Part> {
        self.parts.iter()
    }

    /// What the parts' distances are called, in the order of the parts.
    pub fn names(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.parts.iter().map(|part| part.distance_name.as_deref())
    }

    /// The part whose distance has that name.
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        self.names().position(|known| known == Some(name))
    }

    pub(super) fn get(&self, at: usize) -> &Part {
        &self.parts[at]
    }
}

fn vector_options(schema: &Schema, field: FieldNumber) -> &VectorOptions {
    match &schema.fields[usize::from(field)].kind {
        Kind::Vector(options) => options,
        _ => unreachable!("the parser has looked at the field's type"),
    }
}

fn check_vector(options: &VectorOptions, vector: &[u8]) -> Result<(), Error> {
    let why = match super::field::space(options).check(vector) {
        Ok(()) => return Ok(()),
        Err(vector::Error::Length { bytes, expected }) => {
            format!("query vector blob size ({bytes}) does not match index's expected size ({expected}).")
        }
        Err(vector::Error::ZeroNorm) => {
            "query vector has length zero, and COSINE needs a direction".to_owned()
        }
        Err(_) => "query vector holds NaN or an infinity".to_owned(),
    };
    Err(Error::new(Code::Query, format!("Error parsing vector similarity query: {why}")))
}

/// The vector parts of a query and what has been found for them so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    parts: Arc<Parts>,
    found: Vec<Option<Neighbours>>,
    /// The vectors of all documents that pass the filter of the nearest were looked at.
    each: bool,
}

impl Vectors {
    /// Nothing has been found yet.
    pub fn new(parts: Arc<Parts>) -> Self {
        let found = vec![None; parts.parts.len()];
        Self { parts, found, each: false }
    }

    /// Whether each document that passes the filter of the nearest was looked at, instead of asking the filter on the way.
    pub(crate) fn are_looked_at_each(&self) -> bool {
        self.each
    }

    pub(super) fn note_each(&mut self, each: bool) {
        self.each |= each;
    }

    /// The parts.
    pub fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Whether every shard is to say what it has ([`super::Sharing`]): the graph alone does not tell the nearest.
    pub fn wants_shares(&self) -> bool {
        self.open().any(|part| matches!(part.wish, Wish::Nearest { .. }) && !part.is_on_graph())
    }

    /// Whether there is something that a walk of the graphs tells without a filter.
    pub fn wants_walk(&self) -> bool {
        self.open().any(Part::is_on_graph)
    }

    /// The parts of which nothing is known yet.
    fn open(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().zip(&self.found).filter(|(_, found)| found.is_none()).map(|(part, _)| part)
    }

    pub(crate) fn found(&self, at: usize) -> Option<&Neighbours> {
        self.found[at].as_ref()
    }

    /// Sets what was found for `[KNN …]`, if there is one.
    pub(super) fn set_nearest(&mut self, found: Neighbours) {
        let is_nearest = |part: &Part| matches!(part.wish, Wish::Nearest { .. });
        if let Some(at) = self.parts.iter().position(is_nearest) {
            self.set(at, found);
        }
    }

    pub(super) fn set(&mut self, at: usize, found: Neighbours) {
        self.found[at] = Some(found);
    }

    /// The parts of the filter of the nearest alone.
    pub(super) fn without_nearest(&self) -> Self {
        let is_of_filter = |at: &usize| !matches!(self.parts.get(*at).wish, Wish::Nearest { .. });
        let rest: Vec<usize> = (0..self.found.len()).filter(is_of_filter).collect();
        let parts = rest.iter().map(|at| self.parts.get(*at).clone()).collect();
        let found = rest.iter().map(|at| self.found[*at].clone()).collect();
        Self { parts: Arc::new(Parts { parts }), found, each: false }
    }

    /// How far a document is, for each part.
    pub(crate) fn distances(&self, id: DocumentId) -> Box<[Option<f64>]> {
        self.found.iter().map(|found| found.as_ref()?.distance(id)).collect()
    }
}

impl Part {
    /// Whether the graph alone tells what is found.
    pub(super) fn is_on_graph(&self) -> bool {
        self.is_graph && !matches!(self.wish, Wish::Nearest { is_filtered: true, .. })
    }
}
