//! Queries: a text of dialect 1 to 4 becomes a tree of [`Node`]s, the same for all dialects.
//!
//! [`parse`] reads the text; [`expand`] adds the other forms of its words (stems, sounds, synonyms); [`explain`] shows the tree as FT.EXPLAIN
//! does. The depth of a tree and the number of its nodes are bounded, so what works on it may recurse.

mod attributes;
mod brackets;
mod expand;
mod explain;
mod fields;
mod grammar;
mod legacy;
mod modern;
mod scanner;
mod suffixes;
mod tags;
mod vector;

use crate::schema::{ALL_FIELDS, FieldMask, FieldNumber};
use crate::shape::Shape;
use std::sync::Arc;

pub use expand::{Expansion, Forms, Synonyms, expand};
pub(crate) use expand::{SOUND_MARK, STEM_MARK, SYNONYM_MARK};
pub use explain::explain;
pub use grammar::{Parameters, parse};
pub use suffixes::ask_suffixes;

/// Parentheses and signs may be nested as deep as this.
pub const DEPTH_MAX: usize = 100;
/// A query may have as many parts as this.
pub const NODES_MAX: usize = 1 << 16;

/// A query's language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// The server's default.
    #[default]
    One,
    Two,
    /// Reads queries as 2; JSON comes back whole.
    Three,
    /// Reads queries as 2.
    Four,
}

impl Dialect {
    /// The dialect of that number.
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::One, Self::Two, Self::Three, Self::Four]
            .get(usize::try_from(number.checked_sub(1)?).ok()?)
            .copied()
    }
}

/// A part of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it asks for.
    pub kind: Kind,
    /// In which TEXT fields.
    pub fields: FieldMask,
    /// What `=> {…}` says of it.
    pub attributes: Attributes,
}

/// What a part of a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing.
    Empty,
    /// All documents: `*`.
    All,
    /// A word.
    Term(Term),
    /// Words one after the other: `"…"`.
    Exact(Vec<Node>),
    /// All of these.
    Intersection(Vec<Node>),
    /// Any of these.
    Union(Vec<Node>),
    /// `-…`
    Not(Box<Node>),
    /// `~…`: counts where it is found.
    Optional(Box<Node>),
    /// Words with a beginning, an end, or a part.
    Affix(Affix),
    /// Words that match: `w'…'`, folded.
    Wildcard(Vec<u8>),
    /// Words that are near: `%…%`.
    Fuzzy { word: Vec<u8>, distance: usize },
    /// Any of these tags; the values are of a [`Kind::TagValue`], [`Kind::Affix`] or [`Kind::Wildcard`].
    Tag { field: FieldNumber, values: Vec<Node> },
    /// A tag, as the words it was written in, backslashes included.
    TagValue(Vec<Vec<u8>>),
    /// A range of numbers.
    Numeric { field: FieldNumber, range: NumericRange },
    /// A circle.
    Geo { field: FieldNumber, circle: Circle },
    /// A relation to a shape, which is also kept as it was written.
    Geoshape { field: FieldNumber, relation: Relation, shape: Arc<Shape>, written: Vec<u8> },
    /// Documents without the field.
    Missing { field: FieldNumber },
    /// The nearest vectors, of the documents that `filter` finds.
    Nearest { nearest: Nearest, filter: Box<Node> },
    /// Vectors within a distance.
    Within(Within),
}

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it stands in the index.
    pub word: Vec<u8>,
    /// Whether [`expand`] has added it.
    pub expanded: bool,
    /// Whether it is meant exactly: quoted, or a number.
    pub verbatim: bool,
}

/// `abc*`, `*abc` or `*abc*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affix {
    /// The part given; of a tag as it was written, backslashes included.
    pub word: Vec<u8>,
    /// Whether anything may stand before it.
    pub open_before: bool,
    /// Whether anything may stand behind it.
    pub open_behind: bool,
}

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumericRange {
    pub min: f64,
    pub max: f64,
    /// Whether `min` itself is out.
    pub excludes_min: bool,
    /// Whether `max` itself is out.
    pub excludes_max: bool,
}

impl NumericRange {
    /// Whether a number is in the range.
    pub fn contains(&self, number: f64) -> bool {
        let above = if self.excludes_min { number > self.min } else { number >= self.min };
        let below = if self.excludes_max { number < self.max } else { number <= self.max };
        above && below
    }
}

/// A place and what is around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// Degrees.
    pub longitude: f64,
    /// Degrees.
    pub latitude: f64,
    /// In `unit`.
    pub radius: f64,
    pub unit: Unit,
}

impl Circle {
    /// The radius in metres.
    pub fn radius_metres(&self) -> f64 {
        self.radius * self.unit.metres()
    }
}

/// A unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Metre,
    Kilometre,
    Mile,
    Foot,
}

impl Unit {
    /// The unit of that name, in any case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"m" => Some(Self::Metre),
            b"km" => Some(Self::Kilometre),
            b"mi" => Some(Self::Mile),
            b"ft" => Some(Self::Foot),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metre => "m",
            Self::Kilometre => "km",
            Self::Mile => "mi",
            Self::Foot => "ft",
        }
    }

    /// How many metres it has, as GEORADIUS counts.
    pub fn metres(self) -> f64 {
        match self {
            Self::Metre => 1.0,
            Self::Kilometre => 1000.0,
            Self::Mile => 1609.34,
            Self::Foot => 0.3048,
        }
    }
}

/// How a document's shape stands to the query's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Contains,
    Within,
    Disjoint,
    Intersects,
}

/// `[KNN …]`
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    pub field: FieldNumber,
    /// How many.
    pub k: usize,
    /// The vector's bytes.
    pub vector: Arc<[u8]>,
    /// The parameter that the vector came from.
    pub parameter: Vec<u8>,
    /// EF_RUNTIME, HYBRID_POLICY and so on, as they were written; whoever searches vectors reads them.
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
    /// What the distance is called in results.
    pub distance_name: Vec<u8>,
    /// Whether the query says so.
    pub is_named: bool,
}

/// `[VECTOR_RANGE …]`
#[derive(Clone, Debug, PartialEq)]
pub struct Within {
    pub field: FieldNumber,
    /// In the measure of the field's metric; not negative, not nan.
    pub radius: f64,
    /// The vector's bytes.
    pub vector: Arc<[u8]>,
    /// The parameter that the vector came from.
    pub parameter: Vec<u8>,
    /// EPSILON, as it was written.
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
    /// What the distance is called in results, if it is wanted.
    pub distance_name: Option<Vec<u8>>,
}

/// What `=> {…}` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// `$weight`; 1 if not given.
    pub weight: Option<f64>,
    /// `$slop`: how many words may stand between; negative for any number.
    pub slop: Option<i64>,
    /// `$inorder`.
    pub in_order: Option<bool>,
    /// `$phonetic`.
    pub phonetic: Option<bool>,
}

impl Attributes {
    /// The weight in scores.
    pub fn weight(&self) -> f64 {
        self.weight.unwrap_or(1.0)
    }
}

impl Node {
    /// A node in all fields, without attributes.
    pub fn new(kind: Kind) -> Self {
        Self { kind, fields: ALL_FIELDS, attributes: Attributes::default() }
    }

    /// A word that may be expanded.
    pub fn term(word: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Term(Term { word: word.into(), expanded: false, verbatim: false }))
    }

    fn verbatim(word: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Term(Term { word: word.into(), expanded: false, verbatim: true }))
    }

    /// Whether nothing is said of it but what it asks for.
    fn is_plain(&self) -> bool {
        self.fields == ALL_FIELDS && self.attributes == Attributes::default()
    }

    /// Its parts.
    pub fn children(&self) -> &[Node] {
        match &self.kind {
            Kind::Exact(nodes) | Kind::Intersection(nodes) | Kind::Union(nodes) => nodes,
            Kind::Tag { values, .. } => values,
            Kind::Not(node) | Kind::Optional(node) => std::slice::from_ref(node),
            Kind::Nearest { filter, .. } => std::slice::from_ref(filter),
            _ => &[],
        }
    }

    /// Its parts, to be changed.
    pub fn children_mut(&mut self) -> &mut [Node] {
        match &mut self.kind {
            Kind::Exact(nodes) | Kind::Intersection(nodes) | Kind::Union(nodes) => nodes,
            Kind::Tag { values, .. } => values,
            Kind::Not(node) | Kind::Optional(node) => std::slice::from_mut(node),
            Kind::Nearest { filter, .. } => std::slice::from_mut(filter),
            _ => &mut [],
        }
    }

    /// Lets only documents pass that `filter` finds, too. The nearest are then looked for among those.
    pub fn narrow(self, filter: Self) -> Self {
        match self.kind {
            Kind::Nearest { nearest, filter: inner } => {
                let filter = Box::new(if inner.kind == Kind::All { filter } else { inner.narrow(filter) });
                Self { kind: Kind::Nearest { nearest, filter }, ..self }
            }
            _ => Self::new(Kind::Intersection(vec![self, filter])),
        }
    }

    /// Asks in these fields only.
    pub fn restrict(&mut self, fields: FieldMask) {
        self.fields &= fields;
        for child in self.children_mut() {
            child.restrict(fields);
        }
    }
}
