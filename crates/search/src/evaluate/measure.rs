//! What FT.PROFILE tells of an evaluation: for each part of the query how often it was read and how long that took, and how long the rest took. Only
//! an evaluation that has a clock counts; all others look at one flag for each step of a cursor.

use super::Evaluation;
use super::cursor::{Cursor, CursorKind};
use super::ids::Ids;
use super::statistics::Source;
use crate::query::{Affix, Kind, Node, NumericRange};
use crate::schema::Schema;
use crate::vectors::Vectors;

/// Monotonic ns.
pub type Clock = fn() -> u64;

/// A cursor's account.
#[derive(Debug)]
pub(super) struct Account {
    pub clock: Clock,
    /// How often it has come to a document.
    pub reads: u64,
    /// Spent in it, and in those inside it.
    pub ns: u64,
    name: Name,
}

/// What a cursor is called.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Name {
    kind: &'static str,
    detail: Option<Detail>,
    /// How vectors were looked for.
    mode: Option<Mode>,
}

/// Something that tells a part of a query from others of its kind, with what it is called.
pub type Detail = (&'static str, Vec<u8>);

/// How vectors were looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Nearest,
    Within,
    /// Each that passes the filter.
    Each,
    /// The graph, or all of them, asking the filter meanwhile; so many documents at most.
    Asking(usize),
}

/// What is told of a part of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct IteratorProfile {
    /// In RediSearch's words.
    pub kind: &'static str,
    pub detail: Option<Detail>,
    pub reads: u64,
    pub ns: u64,
    /// How many documents it may have had, where that is told.
    pub estimate: Option<u64>,
    pub mode: Option<Mode>,
    pub children: Children,
}

/// The parts inside a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Children {
    None,
    /// Of what has one by nature.
    One(Box<IteratorProfile>),
    Several(Vec<IteratorProfile>),
    /// So many, which stand for one thing that the query asks for: LIMITED leaves them out.
    Like(Vec<IteratorProfile>),
}

/// What is told of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub root: IteratorProfile,
    /// How many documents were found.
    pub found: u64,
    /// How many of them were scored and put in order; 0 if they were just counted.
    pub scored: u64,
    /// Spent with scores, with distances of vectors, and with the order.
    pub scorer_ns: u64,
    pub metrics_ns: u64,
    pub sorter_ns: u64,
}

/// What an evaluation counts beside its cursors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub scored: u64,
    pub scorer_ns: u64,
    pub metrics_ns: u64,
    pub sorter_ns: u64,
    /// Documents of INKEYS that were looked at.
    pub among: u64,
}

impl Account {
    pub fn new(clock: Clock, name: Name) -> Self {
        Self { clock, reads: 0, ns: 0, name }
    }
}

impl Name {
    /// Of a cursor by what it is, and by the part of the query that it was made for.
    pub fn of(kind: &CursorKind, node: &Node, source: Source, schema: &Schema, vectors: &Vectors) -> Self {
        let field = |number: u16| schema.fields[usize::from(number)].name.to_vec();
        let plain = |kind| Self { kind, detail: None, mode: None };
        let term = |kind, term: Vec<u8>| Self { kind, detail: Some(("Term", term)), mode: None };
        match &node.kind {
            Kind::Missing { field: number } => {
                return Self { kind: "MISSING", detail: Some(("Field", field(*number))), mode: None };
            }
            Kind::Nearest { nearest, filter } => {
                let mode = match (&filter.kind, vectors.are_looked_at_each()) {
                    (Kind::All, _) => Mode::Nearest,
                    (_, true) => Mode::Each,
                    (_, false) => Mode::Asking(nearest.k),
                };
                return Self { kind: "VECTOR", detail: None, mode: Some(mode) };
            }
            Kind::Within(_) => {
                let kind = "METRIC SORTED BY ID - VECTOR DISTANCE";
                return Self { kind, detail: None, mode: Some(Mode::Within) };
            }
            _ => {}
        }
        match kind {
            CursorKind::Empty => plain("EMPTY"),
            CursorKind::Ids(Ids { tag: Some(rarity), .. }) => term("TAG", rarity.word.to_vec()),
            CursorKind::Ids(_) => plain("WILDCARD"),
            CursorKind::Term(cursor) => term("TEXT", cursor.rarity.word.to_vec()),
            CursorKind::Range(_) => match &node.kind {
                Kind::Numeric { range, .. } => term("NUMERIC", bounds(range)),
                Kind::Geo { circle, .. } => {
                    let (longitude, latitude) = (circle.longitude, circle.latitude);
                    let text = format!("{longitude},{latitude} - {} {}", circle.radius, circle.unit.name());
                    term("GEO", text.into_bytes())
                }
                _ => plain("GEO-SHAPE"),
            },
            CursorKind::Union(_) => {
                let query = union_of(&node.kind, source);
                Self { kind: "UNION", detail: Some(("Query type", query)), mode: None }
            }
            CursorKind::Intersection(_) => plain("INTERSECT"),
            CursorKind::Not(..) => plain("NOT"),
            CursorKind::Optional(..) => plain("OPTIONAL"),
        }
    }
}

fn bounds(range: &NumericRange) -> Vec<u8> {
    format!("{} - {}", range.min, range.max).into_bytes()
}

/// What a union stands for.
fn union_of(kind: &Kind, source: Source) -> Vec<u8> {
    let of = |what: &str, word: &[u8]| [what.as_bytes(), b" - ", word].concat();
    match kind {
        Kind::Tag { .. } => b"TAG".to_vec(),
        Kind::Affix(Affix { word, open_before: false, .. }) => of("PREFIX", word),
        Kind::Affix(Affix { word, open_behind: false, .. }) => of("SUFFIX", word),
        Kind::Affix(Affix { word, .. }) => of("INFIX", word),
        Kind::Wildcard(pattern) => of("WILDCARD", pattern),
        Kind::Fuzzy { word, .. } => of("FUZZY", word),
        _ if matches!(source, Source::Tags(_)) => b"TAG".to_vec(),
        _ => b"UNION".to_vec(),
    }
}

impl Cursor {
    fn profile(&self) -> IteratorProfile {
        let (name, reads, ns) = match &self.account {
            Some(account) => (account.name.clone(), account.reads, account.ns),
            None => (Name { kind: "WILDCARD", ..Name::default() }, 0, 0),
        };
        let all = |cursors: &[Self]| cursors.iter().map(Self::profile).collect::<Vec<_>>();
        let one = |kind, cursor: &Self| IteratorProfile {
            kind,
            detail: None,
            reads: 0,
            ns: 0,
            estimate: None,
            mode: None,
            children: Children::One(Box::new(cursor.profile())),
        };
        let children = match &self.kind {
            CursorKind::Union(union) => {
                let is_written = matches!(&name.detail, Some((_, query)) if query == b"UNION");
                let children = all(&union.children);
                if is_written { Children::Several(children) } else { Children::Like(children) }
            }
            CursorKind::Intersection(parts) if name.mode.is_some() => {
                // Of vectors and a filter only the latter was read.
                parts
                    .required
                    .last()
                    .map_or(Children::None, |filter| Children::One(Box::new(filter.profile())))
            }
            CursorKind::Intersection(parts) => {
                let mut children = all(&parts.required);
                children.extend(parts.excluded().iter().map(|cursor| one("NOT", cursor)));
                children.extend(parts.optional.iter().map(|cursor| one("OPTIONAL", cursor)));
                Children::Several(children)
            }
            CursorKind::Not(inner, _) | CursorKind::Optional(inner, _) => {
                Children::One(Box::new(inner.profile()))
            }
            _ => Children::None,
        };
        let is_estimated = matches!(name.kind, "TEXT" | "TAG" | "NUMERIC" | "GEO" | "GEO-SHAPE" | "MISSING");
        let estimate = is_estimated.then(|| self.estimate());
        IteratorProfile {
            kind: name.kind,
            detail: name.detail,
            reads,
            ns,
            estimate,
            mode: name.mode,
            children,
        }
    }
}

impl Evaluation {
    /// What is told of it by now; nothing if it has no clock.
    pub fn profile(&self) -> Option<Profile> {
        self.options.clock?;
        let mut root = self.root.profile();
        let found = self.collector.hits.total;
        if self.options.among.is_some() {
            let ids = IteratorProfile {
                kind: "ID-LIST-SORTED",
                detail: None,
                reads: self.spent.among,
                ns: 0,
                estimate: None,
                mode: None,
                children: Children::None,
            };
            let (reads, ns) = (found, root.ns);
            let children = Children::Several(vec![ids, root]);
            root = IteratorProfile {
                kind: "INTERSECT",
                detail: None,
                reads,
                ns,
                estimate: None,
                mode: None,
                children,
            };
        }
        let Spent { scored, scorer_ns, metrics_ns, sorter_ns, .. } = self.spent;
        Some(Profile { root, found, scored, scorer_ns, metrics_ns, sorter_ns })
    }
}
