//! What all dialects share: the entry, parameters, and how parts are put together.

use super::scanner::Scanner;
use super::{Dialect, Kind, NODES_MAX, Node, legacy, modern};
use crate::error::{Code, Error, shown};
use crate::schema::Schema;
use base::number::parse_f64;
use std::collections::HashMap;

/// PARAMS: what `$name` stands for.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    values: HashMap<Vec<u8>, Vec<u8>>,
}

impl Parameters {
    /// Names and values in turn.
    ///
    /// # Errors
    /// A name without a value, or twice.
    pub fn new(pairs: &[&[u8]]) -> Result<Self, Error> {
        let (pairs, rest) = pairs.as_chunks::<2>();
        if !rest.is_empty() {
            let text = "Parameters must be specified in PARAM VALUE pairs";
            return Err(Error::new(Code::Parameters, text));
        }
        let mut values = HashMap::with_capacity(pairs.len());
        for [name, value] in pairs {
            if values.insert(name.to_vec(), value.to_vec()).is_some() {
                let text = format!("Duplicate parameter `{}`", shown(name));
                return Err(Error::new(Code::Parameters, text));
            }
        }
        Ok(Self { values })
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// It is not given.
    pub fn get(&self, name: &[u8]) -> Result<&[u8], Error> {
        self.values.get(name).map(Vec::as_slice).ok_or_else(|| {
            Error::new(Code::ParameterMissing, format!("Parameter not found `{}`", shown(name)))
        })
    }

    pub(super) fn number(&self, name: &[u8]) -> Result<f64, Error> {
        let text = self.get(name)?;
        parse_f64(text).ok_or_else(|| invalid_number(name, text))
    }
}

/// The error of a parameter that is no number of the kind that is wanted.
pub(super) fn invalid_number(name: &[u8], text: &[u8]) -> Error {
    let text = format!("Invalid numeric value ({}) for parameter `{}`", shown(text), shown(name));
    Error::new(Code::Number, text)
}

/// What a parser looks at while it reads.
pub(super) struct Context<'a> {
    pub schema: &'a Schema,
    pub parameters: &'a Parameters,
    pub is_legacy: bool,
    /// Whether stop words are left out; NOSTOPWORDS says no.
    pub leaves_out_stop_words: bool,
}

/// Reads a query.
///
/// # Errors
/// What RediSearch says of a query that it cannot read, or one that is deeper than [`super::DEPTH_MAX`] or has more than [`NODES_MAX`]
/// parts.
pub fn parse(
    text: &[u8],
    dialect: Dialect,
    schema: &Schema,
    parameters: &Parameters,
    leaves_out_stop_words: bool,
) -> Result<Node, Error> {
    let context = Context { schema, parameters, is_legacy: dialect == Dialect::One, leaves_out_stop_words };
    let mut scanner = Scanner::new(text);
    let node = if context.is_legacy {
        legacy::query(&context, &mut scanner)?
    } else {
        modern::query(&context, &mut scanner)?
    };
    if count(&node) > NODES_MAX {
        return Err(Error::new(Code::Query, format!("Query has more than {NODES_MAX} parts")));
    }
    Ok(node)
}

fn count(node: &Node) -> usize {
    1 + node.children().iter().map(count).sum::<usize>()
}

/// Puts two parts of a union together: a group takes what stands beside it. One on the right does only in dialect 2 and later, at its end,
/// as FT.EXPLAIN shows.
pub(super) fn either(mut left: Node, mut right: Node, joins_right: bool) -> Node {
    if left.is_plain()
        && let Kind::Union(nodes) = &mut left.kind
    {
        nodes.push(right);
        return left;
    }
    if joins_right
        && right.is_plain()
        && let Kind::Union(nodes) = &mut right.kind
    {
        nodes.push(left);
        return right;
    }
    Node::new(Kind::Union(vec![left, right]))
}

/// Puts two parts of an intersection together; as in [`either`], one that a group on the right takes stands at its end.
pub(super) fn both(mut left: Node, mut right: Node, joins_right: bool) -> Node {
    if left.is_plain()
        && let Kind::Intersection(nodes) = &mut left.kind
    {
        nodes.push(right);
        return left;
    }
    if joins_right
        && right.is_plain()
        && let Kind::Intersection(nodes) = &mut right.kind
    {
        nodes.push(left);
        return right;
    }
    Node::new(Kind::Intersection(vec![left, right]))
}
