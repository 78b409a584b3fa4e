//! The language of APPLY and FILTER: arithmetic, comparisons, logic and functions over the properties of a row.
//!
//! An expression is read once: functions are looked up and their arguments counted then. What is nested too deep is refused, so evaluation may recurse.

mod evaluate;
mod functions;
mod parse;
mod time;
mod value;

use crate::error::Error;
use functions::Function;

pub use value::Value;

/// An expression.
#[derive(Clone, Debug)]
pub struct Expression {
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Literal(Value),
    Property(Vec<u8>),
    Negated(Box<Node>),
    Not(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Call(&'static Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

impl Operator {
    fn summary(self) -> String {
        let (kind, sign) = match self {
            Self::Or => ("Predicate", "||"),
            Self::And => ("Predicate", "&&"),
            Self::Equal => ("Predicate", "=="),
            Self::Unequal => ("Predicate", "!="),
            Self::Less => ("Predicate", "<"),
            Self::LessOrEqual => ("Predicate", "<="),
            Self::Greater => ("Predicate", ">"),
            Self::GreaterOrEqual => ("Predicate", ">="),
            Self::Add => ("Operator", "+"),
            Self::Subtract => ("Operator", "-"),
            Self::Multiply => ("Operator", "*"),
            Self::Divide => ("Operator", "/"),
            Self::Modulo => ("Operator", "%"),
            Self::Power => ("Operator", "^"),
        };
        format!("{kind} {sign}")
    }
}

/// What an expression is evaluated for.
pub trait Row {
    /// The value of a property; `None` if the row has none.
    fn property(&self, name: &[u8]) -> Option<Value>;

    /// All properties that it has by now, in their order.
    fn properties(&self) -> Vec<(Vec<u8>, Value)> {
        Vec::new()
    }

    /// When the row's document was written, in µs; 0 if it is none.
    fn written_us(&self) -> u64 {
        0
    }

    /// The words of the query that the row's document has, at most so many, in the order of the query.
    fn matched_terms(&self, limit: usize) -> Vec<Vec<u8>> {
        _ = limit;
        Vec::new()
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What cannot be read, a function that there is not, or one with the wrong number of arguments.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self { root: parse::parse(text)? })
    }

    /// The properties that it names, each once, in their order.
    pub fn properties(&self) -> Vec<&[u8]> {
        let mut names = Vec::new();
        collect(&self.root, &mut names);
        names
    }

    /// Whether it asks which words of the query a document has.
    pub fn asks_for_terms(&self) -> bool {
        calls(&self.root, "matched_terms")
    }

    /// What it is by its outermost part, as FT.PROFILE tells it.
    pub fn summary(&self) -> String {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match &self.root {
            Node::Literal(value) => format!("Literal {}", shown(&value.shown().unwrap_or_default())),
            Node::Property(name) => format!("Property {}", shown(name)),
            Node::Negated(_) => "Operator -".to_owned(),
            Node::Not(_) => "Inverted".to_owned(),
            Node::Binary(operator, ..) => operator.summary(),
            Node::Call(function, _) => format!("Function {}", function.name),
        }
    }

    /// Its value for a row.
    ///
    /// # Errors
    /// A property that the row does not have (unless `exists` asks for it), and arguments that a function refuses.
    pub fn evaluate(&self, row: &dyn Row) -> Result<Value, Error> {
        evaluate::evaluate(&self.root, row)
    }

    /// Whether a row passes it as a FILTER.
    ///
    /// # Errors
    /// As for [`Expression::evaluate`].
    pub fn accepts(&self, row: &dyn Row) -> Result<bool, Error> {
        Ok(self.evaluate(row)?.is_true())
    }
}

fn calls(node: &Node, name: &str) -> bool {
    match node {
        Node::Literal(_) | Node::Property(_) => false,
        Node::Negated(inner) | Node::Not(inner) => calls(inner, name),
        Node::Binary(_, left, right) => calls(left, name) || calls(right, name),
        Node::Call(function, arguments) => {
            function.name == name || arguments.iter().any(|argument| calls(argument, name))
        }
    }
}

fn collect<'a>(node: &'a Node, names: &mut Vec<&'a [u8]>) {
    match node {
        Node::Literal(_) => {}
        Node::Property(name) => {
            if !names.contains(&&name[..]) {
                names.push(name);
            }
        }
        Node::Negated(inner) | Node::Not(inner) => collect(inner, names),
        Node::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
        Node::Call(_, arguments) => arguments.iter().for_each(|argument| collect(argument, names)),
    }
}
