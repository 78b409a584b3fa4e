//! What a path says, once parsed. Nesting is bounded by the parser, so trees of these need no care for the stack.

use crate::Node;

/// A step of a path: the selectors are applied to each value so far, or to it and everything inside it.
#[derive(Debug, PartialEq)]
pub struct Segment {
    pub is_descendant: bool,
    pub selectors: Vec<Selector>,
}

#[derive(Debug, PartialEq)]
pub enum Selector {
    /// The member with this name.
    Name(Box<[u8]>),
    /// All elements or members.
    Wildcard,
    /// An element, negative ones counted from the end.
    Index(i64),
    /// Elements from the first bound up to the second, every `step`-th; backwards if that is negative; none if it is 0.
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    /// Elements or members of which this is true.
    Filter(Expression),
}

/// What is computed: of the value that a filter looks at, or of the document.
#[derive(Debug, PartialEq)]
pub enum Expression {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Compare(Box<Self>, Relation, Box<Self>),
    /// The first operand, then what is done with the others, one after the other.
    Arithmetic(Box<Self>, Vec<(Operator, Self)>),
    Negative(Box<Self>),
    Positive(Box<Self>),
    Literal(Node),
    Nodes(Origin, Vec<Segment>),
    /// `~`
    Names(Box<Self>),
    Call(Function, Vec<Self>),
}

/// Where a path inside an expression begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `$`
    Document,
    /// `@`
    Current,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `=~`
    Matches,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    SizeOf,
    Empty,
}

impl Relation {
    /// The relations that are words.
    pub const WORDS: [(&'static [u8], Self); 8] = [
        (b"in", Self::In),
        (b"nin", Self::NotIn),
        (b"subsetof", Self::SubsetOf),
        (b"anyof", Self::AnyOf),
        (b"noneof", Self::NoneOf),
        (b"sizeof", Self::SizeOf),
        (b"size", Self::SizeOf),
        (b"empty", Self::Empty),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Length,
    Count,
    Value,
    Keys,
    Match,
    Search,
    Concat,
    Abs,
    Ceiling,
    Floor,
    First,
    Last,
    Index,
    Min,
    Max,
    Avg,
    Sum,
    Stddev,
    Append,
    /// One that there is not: its result is nothing.
    Unknown,
}

impl Function {
    pub fn named(name: &[u8]) -> Self {
        match name {
            b"length" => Self::Length,
            b"count" => Self::Count,
            b"value" => Self::Value,
            b"keys" => Self::Keys,
            b"match" => Self::Match,
            b"search" => Self::Search,
            b"concat" => Self::Concat,
            b"abs" => Self::Abs,
            b"ceiling" => Self::Ceiling,
            b"floor" => Self::Floor,
            b"first" => Self::First,
            b"last" => Self::Last,
            b"index" => Self::Index,
            b"min" => Self::Min,
            b"max" => Self::Max,
            b"avg" => Self::Avg,
            b"sum" => Self::Sum,
            b"stddev" => Self::Stddev,
            b"append" => Self::Append,
            _ => Self::Unknown,
        }
    }
}
