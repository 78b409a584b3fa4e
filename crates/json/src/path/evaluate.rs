//! What expressions make of a document.

use super::functions;
use super::relate::{relate, truth};
use super::select::{TooMuchWork, nodes, picked};
use super::syntax::{Expression, Operator, Origin};
use crate::{Node, Number, View};
use regex::{Regex, RegexBuilder};
use std::collections::HashMap;

/// A value: one of the document or of the query, or one that was made.
pub enum Item<'a> {
    There(View<'a>),
    Made(Node),
}

impl Item<'_> {
    pub fn view(&self) -> View<'_> {
        match self {
            Self::There(view) => *view,
            Self::Made(node) => node.view(),
        }
    }
}

/// What an expression has come to.
pub enum Value<'a> {
    Nothing,
    /// What a path leads to.
    Nodes(Vec<View<'a>>),
    /// What a path leads to that leads to one value.
    Node(View<'a>),
    Literal(View<'a>),
    Made(Node),
    /// A list that is shown as such, not as an array in a list.
    List(Vec<Item<'a>>),
}

impl<'a> Value<'a> {
    pub fn bool(value: bool) -> Self {
        Self::Literal(View::Bool(value))
    }

    pub fn number(number: Option<Number>) -> Self {
        number.map_or(Self::Nothing, |number| Self::Literal(View::Number(number)))
    }

    /// The one value, if it is one. A list counts as an array.
    pub fn single(self) -> Option<Item<'a>> {
        match self {
            Self::Nothing => None,
            Self::Nodes(nodes) => match nodes.as_slice() {
                [node] => Some(Item::There(*node)),
                _ => None,
            },
            Self::Node(view) | Self::Literal(view) => Some(Item::There(view)),
            Self::Made(node) => Some(Item::Made(node)),
            Self::List(items) => Some(Item::Made(array(&items))),
        }
    }

    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Nodes(nodes) if nodes.len() == 1 => nodes[0].as_number(),
            Self::Node(view) | Self::Literal(view) => view.as_number(),
            Self::Made(node) => node.view().as_number(),
            _ => None,
        }
    }

    /// Whether something holds of any of the values. A list counts as an array.
    pub fn any(
        &self,
        mut holds: impl FnMut(View<'_>) -> Result<bool, TooMuchWork>,
    ) -> Result<bool, TooMuchWork> {
        match self {
            Self::Nothing => Ok(false),
            Self::Nodes(nodes) => {
                for node in nodes {
                    if holds(*node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Node(view) | Self::Literal(view) => holds(*view),
            Self::Made(node) => holds(node.view()),
            Self::List(items) => holds(array(items).view()),
        }
    }

    /// The list that is shown for it.
    pub fn into_items(self) -> Vec<Item<'a>> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Nodes(nodes) => nodes.into_iter().map(Item::There).collect(),
            Self::Node(view) | Self::Literal(view) => vec![Item::There(view)],
            Self::Made(node) => vec![Item::Made(node)],
            Self::List(items) => items,
        }
    }
}

/// An array of copies.
pub fn array(items: &[Item<'_>]) -> Node {
    Node::array_of(items.iter().map(Node::from))
}

/// Bytes that a compiled regular expression may have.
const REGEX_BYTES_MAX: usize = 1 << 18;
/// So many stay compiled.
const REGEXES_MAX: usize = 32;
/// What compiling one costs for each byte of it, beside a fixed price.
const REGEX_STEPS: u64 = 64;

/// One evaluation of a query.
pub struct Evaluation<'a> {
    root: View<'a>,
    steps_left: u64,
    regexes: HashMap<(Vec<u8>, bool), Option<Regex>>,
}

impl<'a> Evaluation<'a> {
    pub fn new(root: View<'a>, steps: u64) -> Self {
        Self { root, steps_left: steps, regexes: HashMap::new() }
    }

    /// Counts a look at a value.
    pub fn step(&mut self) -> Result<(), TooMuchWork> {
        self.steps(1)
    }

    pub fn steps(&mut self, count: u64) -> Result<(), TooMuchWork> {
        self.steps_left = self.steps_left.checked_sub(count).ok_or(TooMuchWork)?;
        Ok(())
    }

    /// Whether an expression holds of a value.
    pub fn is_true(&mut self, expression: &'a Expression, current: View<'a>) -> Result<bool, TooMuchWork> {
        match expression {
            Expression::Any(operands) => {
                for operand in operands {
                    if self.is_true(operand, current)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Expression::All(operands) => {
                for operand in operands {
                    if !self.is_true(operand, current)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Expression::Not(inner) => Ok(!self.is_true(inner, current)?),
            Expression::Compare(left, relation, right) => {
                let (left, right) = (self.value(left, current)?, self.value(right, current)?);
                relate(self, &left, *relation, &right)
            }
            other => Ok(truth(&self.value(other, current)?)),
        }
    }

    /// What an expression makes of a value.
    pub fn value(&mut self, expression: &'a Expression, current: View<'a>) -> Result<Value<'a>, TooMuchWork> {
        self.step()?;
        Ok(match expression {
            Expression::Any(_) | Expression::All(_) | Expression::Not(_) | Expression::Compare(..) => {
                Value::bool(self.is_true(expression, current)?)
            }
            Expression::Arithmetic(first, others) => {
                let mut result = self.value(first, current)?.as_number();
                for (operator, operand) in others {
                    let operand = self.value(operand, current)?.as_number();
                    result = result.zip(operand).and_then(|(a, b)| calculate(a, *operator, b));
                }
                Value::number(result)
            }
            Expression::Negative(inner) => {
                Value::number(self.value(inner, current)?.as_number().and_then(Number::negated))
            }
            Expression::Positive(inner) => Value::number(self.value(inner, current)?.as_number()),
            Expression::Literal(node) => Value::Literal(node.view()),
            Expression::Nodes(origin, segments) => {
                let from = match origin {
                    Origin::Document => self.root,
                    Origin::Current => current,
                };
                match picked(from, segments) {
                    Ok(None) => Value::Nodes(Vec::new()),
                    Ok(Some(view)) => Value::Node(view),
                    Err(()) => Value::Nodes(nodes(self, from, segments)?),
                }
            }
            Expression::Names(inner) => {
                let receiver = self.value(inner, current)?;
                functions::keys(self, receiver)?
            }
            Expression::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument, current)?);
                }
                functions::call(self, *function, values)?
            }
        })
    }

    /// Whether a text has a match of a regular expression, or is one as a whole. One that cannot be compiled matches nothing.
    pub fn matches(&mut self, text: &[u8], pattern: &[u8], is_whole: bool) -> Result<bool, TooMuchWork> {
        self.steps(1 + text.len() as u64 / 64)?;
        let key = (pattern.to_vec(), is_whole);
        if !self.regexes.contains_key(&key) {
            self.steps(REGEX_STEPS * (64 + pattern.len() as u64))?;
            if self.regexes.len() == REGEXES_MAX {
                self.regexes.clear();
            }
            let compiled = compile(pattern, is_whole);
            self.regexes.insert(key.clone(), compiled);
        }
        let regex = self.regexes.get(&key).and_then(Option::as_ref);
        Ok(regex.zip(std::str::from_utf8(text).ok()).is_some_and(|(regex, text)| regex.is_match(text)))
    }
}

fn compile(pattern: &[u8], is_whole: bool) -> Option<Regex> {
    let pattern = std::str::from_utf8(pattern).ok()?;
    let anchored = is_whole.then(|| format!("^(?:{pattern})$"));
    let mut builder = RegexBuilder::new(anchored.as_deref().unwrap_or(pattern));
    builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build().ok()
}

/// Nothing if the result is not finite, or would be divided by zero.
fn calculate(a: Number, operator: Operator, b: Number) -> Option<Number> {
    match operator {
        Operator::Plus => a.plus(b),
        Operator::Minus => a.minus(b),
        Operator::Times => a.times(b),
        Operator::Over | Operator::Modulo if b.as_f64() == 0.0 => None,
        Operator::Over => Number::finite(a.as_f64() / b.as_f64()),
        Operator::Modulo => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.checked_rem(b).map(Number::Int),
            _ => Number::finite(a.as_f64() % b.as_f64()),
        },
    }
}
