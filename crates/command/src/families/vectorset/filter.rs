//! FILTER expressions of VSIM: which elements are wanted, by their attributes.
//!
//! `tokens` reads an expression, `program` puts it in the order in which it is computed, `attributes` finds a field of an element's JSON. What an expression means
//! is told by what Redis does: all of it is computed always, and nothing passes that lacks a field that is named.

mod attributes;
mod program;
mod tokens;

pub use program::Program;

use std::borrow::Cow;

/// Longer expressions are refused.
const BYTES_MAX: usize = 1 << 20;

/// Why an expression is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be read from here on.
    At(usize),
    TooLong,
}

/// What is computed with.
#[derive(Clone, Debug, PartialEq)]
enum Value<'a> {
    Number(f64),
    Text(Cow<'a, [u8]>),
    Tuple(Vec<Value<'a>>),
    /// One of the expression's own.
    GivenTuple(&'a [Value<'static>]),
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Open,
    Close,
    Not,
    Pow,
    Times,
    Over,
    Modulo,
    Plus,
    Minus,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    Unequal,
    In,
    And,
    Or,
}

impl Op {
    /// As they are written.
    const NAMES: [(&'static str, Op); 21] = [
        ("(", Op::Open),
        (")", Op::Close),
        ("!", Op::Not),
        ("not", Op::Not),
        ("**", Op::Pow),
        ("*", Op::Times),
        ("/", Op::Over),
        ("%", Op::Modulo),
        ("+", Op::Plus),
        ("-", Op::Minus),
        (">", Op::Greater),
        (">=", Op::GreaterOrEqual),
        ("<", Op::Less),
        ("<=", Op::LessOrEqual),
        ("==", Op::Equal),
        ("!=", Op::Unequal),
        ("in", Op::In),
        ("and", Op::And),
        ("&&", Op::And),
        ("or", Op::Or),
        ("||", Op::Or),
    ];

    /// What binds more tightly is computed first.
    fn rank(self) -> u8 {
        match self {
            Op::Open | Op::Close => 7,
            Op::Not => 6,
            Op::Pow => 5,
            Op::Times | Op::Over | Op::Modulo => 4,
            Op::Plus | Op::Minus => 3,
            Op::And => 1,
            Op::Or => 0,
            _ => 2,
        }
    }

    /// How many values it takes.
    fn arity(self) -> usize {
        if self == Op::Not { 1 } else { 2 }
    }
}

impl Value<'_> {
    fn is_true(&self) -> bool {
        match self {
            Value::Number(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Tuple(_) | Value::GivenTuple(_) => true,
            Value::Null => false,
        }
    }

    /// A text counts as the number that it spells, anything else as 0.
    fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Text(text) => spelled(text.trim_ascii_start()).unwrap_or(0.0),
            _ => 0.0,
        }
    }

    fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Null, _) | (_, Value::Null) => matches!((self, other), (Value::Null, Value::Null)),
            _ => self.number() == other.number(),
        }
    }

    /// Whether it is one of a tuple, or part of a text.
    fn is_in(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (_, Value::Tuple(all)) => all.iter().any(|one| self.equals(one)),
            (_, Value::GivenTuple(all)) => all.iter().any(|one| self.equals(one)),
            (Value::Text(part), Value::Text(whole)) => memchr::memmem::find(whole, part).is_some(),
            _ => false,
        }
    }
}

/// The number that digits stand for.
fn spelled(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTRIBUTES: &[u8] = br#" {"age": 25, "name": "Alice", "active": true, "gone": false, "scores": [85, 9e1, "x"],
        "nothing": null, "deep": {"age": [1, "}", {"a": 2}]}, "mixed": [1, [2]], "esc": "a\"b\n\\", "uni": "\u0041",
        "empty": "", "digits": "25", "neg": -3, "under_score-1": 7, "age": 99}"#;

    fn passes(expression: &str) -> bool {
        Program::read(expression.as_bytes())
            .unwrap_or_else(|fault| panic!("{expression}: {fault:?}"))
            .passes(ATTRIBUTES)
    }

    #[test]
    fn expressions_mean_what_they_mean_in_redis() {
        for expression in [
            ".age == 25",
            ".age>24 and .age<=25",
            ".age > 25 or .name == \"Alice\"",
            ".age > 25 || .name == 'Alice' && .active",
            "!(.age == 26)",
            "not .gone",
            "!!.active",
            "not not .active",
            "!!.age == 1",
            ".age in [25, 35]",
            ".name in ['x', \"Alice\"]",
            "\"lic\" in .name",
            "\"\" in .name && \"\" in \"\"",
            "90 in .scores",
            "\"x\" in .scores",
            ".scores",
            ".age + 10 == 35",
            ".age*2-50 == 0",
            ".age / 5 == 5",
            ".age % 2 == 1",
            ".age ** 2 > 600",
            "2 ** 3 ** 2 == 512",
            "2 + 3 * 4 == 14",
            "(2 + 3) * 4 == 20",
            ".neg == -3",
            ".neg < -2 and -4 < .neg",
            "5 -3 == 2",
            ".nothing == null",
            "null != .age",
            ".digits == 25",
            ".digits + 1 == 26",
            ".name == 0",
            ".esc == \"a\\\"b\\n\\\\\"",
            ".under_score-1 == 7",
            ".age == 2.5e1",
            ".active == 1 and .gone == 0",
            "\t.age\n==\r25 ",
            "1 1 +",
            ".age in [ ] == 0",
            "(null == .nothing)",
            ".age == 25\0 and garbage",
        ] {
            assert!(passes(expression), "{expression}");
        }
    }

    #[test]
    fn what_does_not_hold_does_not_pass() {
        for expression in [
            ".age == 26",
            ".missing",
            "!.missing",
            ".missing or .active",
            ".active or .missing",
            ".missing == null",
            ".deep",
            ".mixed",
            ".uni",
            ".empty",
            ".nothing",
            ".gone",
            ".name in \"\"",
            "\"Alice\" in 5",
            "5 in 5",
            ".age in []",
            ".Age",
            "0 / 0",
            "1 % 0 == 0",
            ".age == null",
        ] {
            // NaN is not 0, so it counts as true, in C too.
            assert_eq!(passes(expression), expression == "0 / 0", "{expression}");
        }
        for broken in [
            &b"invalid json"[..],
            b"",
            b"{",
            b"[25]",
            b"{\"age\"",
            b"{\"age\":",
            b"{\"age\":2x}",
            b"{age:25}",
        ] {
            assert!(!Program::read(b".age").unwrap().passes(broken), "{}", String::from_utf8_lossy(broken));
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown_from_there_on() {
        for (expression, at) in [
            ("", 0),
            ("   ", 0),
            ("(1", 0),
            ("1)", 0),
            ("1 +", 0),
            ("+ 1", 0),
            ("!", 0),
            ("1 2", 0),
            (".a foo 5", 6),
            (".a @ 5", 3),
            (". 5", 0),
            (".a == 1.2.3 + 5", 11),
            (".a == 'x", 8),
            (".a in [1, x]", 10),
            (".a in [1 2]", 9),
            (".a in [[1]]", 7),
            ("\u{e9}", 0),
        ] {
            assert_eq!(Program::read(expression.as_bytes()).err(), Some(Fault::At(at)), "{expression}");
        }
        let long = vec![b' '; BYTES_MAX + 1];
        assert_eq!(Program::read(&long).err(), Some(Fault::TooLong));
    }

    #[test]
    fn deep_ones_take_no_stack() {
        let depth = 100_000;
        let expression = format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(passes(&expression));
        let expression = format!("{}1", "!".repeat(depth));
        assert!(passes(&expression));
        let attributes = format!("{{\"a\": {}1{}, \"b\": 2}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Program::read(b".b == 2").unwrap().passes(attributes.as_bytes()));
        assert!(!Program::read(b".a").unwrap().passes(attributes.as_bytes()));
    }

    #[test]
    fn no_bytes_do_harm() {
        let mut random = base::random::Random::from_seed(3);
        let alphabet = b".ab 1-2e+*/%!()<>=|&\"'[],\\inotandrul:{}\x00\xff";
        let mut draw =
            |len: usize| -> Vec<u8> { (0..len).map(|_| alphabet[random.index(alphabet.len())]).collect() };
        let mut read = 0;
        for round in 0..30_000 {
            let (expression, attributes) = (draw(1 + round % 12), draw(round % 30));
            if let Ok(program) = Program::read(&expression) {
                program.passes(&attributes);
                program.passes(b"{\"a\":1,\"b\":[\"2\"]}");
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }
}
