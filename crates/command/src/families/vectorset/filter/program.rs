//! An expression in the order in which it is computed: values are laid on a pile, operators take from it.

use super::attributes::field;
use super::tokens::{Token, tokens};
use super::{BYTES_MAX, Fault, Op, Value};
use std::borrow::Cow;

enum Step {
    Lay(Value<'static>),
    /// Lays a field of the attributes.
    LayField(Vec<u8>),
    Compute(Op),
}

/// An expression that can be computed.
pub struct Program {
    steps: Vec<Step>,
}

/// What is being put in order (Dijkstra's shunting yard).
#[derive(Default)]
struct Yard {
    steps: Vec<Step>,
    waiting: Vec<Op>,
    /// Values on the pile when all steps are done.
    height: usize,
}

impl Yard {
    /// The operator's turn has come.
    fn compute(&mut self, op: Op) -> Option<()> {
        // One value remains of those that it takes.
        self.height = self.height.checked_sub(op.arity())? + 1;
        self.steps.push(Step::Compute(op));
        Some(())
    }

    fn add(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Close => {
                while let Some(waiting) = self.waiting.pop() {
                    if waiting == Op::Open {
                        return Some(());
                    }
                    self.compute(waiting)?;
                }
                return None;
            }
            Op::Open | Op::Not => {}
            _ => {
                // A power is computed from the right.
                let yields = |waiting: &Op| {
                    *waiting != Op::Open && waiting.rank() >= op.rank() + u8::from(op == Op::Pow)
                };
                while let Some(waiting) = self.waiting.pop_if(|waiting| yields(waiting)) {
                    self.compute(waiting)?;
                }
            }
        }
        self.waiting.push(op);
        Some(())
    }

    fn finish(mut self) -> Option<Vec<Step>> {
        while let Some(op) = self.waiting.pop() {
            if op == Op::Open {
                return None;
            }
            self.compute(op)?;
        }
        (self.height == 1).then_some(self.steps)
    }
}

impl Program {
    /// Reads an expression.
    ///
    /// # Errors
    /// Where it cannot be read on; 0 if the words are right and do not fit together.
    pub fn read(expression: &[u8]) -> Result<Program, Fault> {
        if expression.len() > BYTES_MAX {
            return Err(Fault::TooLong);
        }
        let mut yard = Yard::default();
        for token in tokens(expression)? {
            match token {
                Token::Op(op) => yard.add(op).ok_or(Fault::At(0))?,
                Token::Value(value) => {
                    yard.steps.push(Step::Lay(value));
                    yard.height += 1;
                }
                Token::Field(name) => {
                    yard.steps.push(Step::LayField(name));
                    yard.height += 1;
                }
            }
        }
        yard.finish().map(|steps| Program { steps }).ok_or(Fault::At(0))
    }

    /// Whether an element with these attributes is wanted. One that lacks a field is not.
    pub fn passes(&self, attributes: &[u8]) -> bool {
        self.compute(attributes).is_some_and(|value| value.is_true())
    }

    fn compute<'a>(&'a self, attributes: &'a [u8]) -> Option<Value<'a>> {
        let mut pile: Vec<Value<'a>> = Vec::with_capacity(self.steps.len().min(64));
        for step in &self.steps {
            let value = match step {
                Step::Lay(value) => borrowed(value),
                Step::LayField(name) => field(attributes, name)?,
                Step::Compute(Op::Not) => {
                    let value = pile.pop()?;
                    Value::Number(f64::from(u8::from(!value.is_true())))
                }
                Step::Compute(op) => {
                    let (b, a) = (pile.pop()?, pile.pop()?);
                    Value::Number(apply(*op, &a, &b))
                }
            };
            pile.push(value);
        }
        pile.pop()
    }
}

fn borrowed<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Number(number) => Value::Number(*number),
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        Value::Tuple(all) => Value::GivenTuple(all),
        Value::GivenTuple(all) => Value::GivenTuple(all),
        Value::Null => Value::Null,
    }
}

fn apply(op: Op, a: &Value<'_>, b: &Value<'_>) -> f64 {
    let (x, y) = (a.number(), b.number());
    let truth = match op {
        Op::Pow => return x.powf(y),
        Op::Times => return x * y,
        Op::Over => return x / y,
        Op::Modulo => return x % y,
        Op::Plus => return x + y,
        Op::Minus => return x - y,
        Op::Greater => x > y,
        Op::GreaterOrEqual => x >= y,
        Op::Less => x < y,
        Op::LessOrEqual => x <= y,
        Op::Equal => a.equals(b),
        Op::Unequal => !a.equals(b),
        Op::In => a.is_in(b),
        Op::And => a.is_true() && b.is_true(),
        Op::Or => a.is_true() || b.is_true(),
        Op::Open | Op::Close | Op::Not => false,
    };
    f64::from(u8::from(truth))
}
