//! What ARGREP looks for: four kinds of patterns, each of which takes time in proportion to the text.
//!
//! A `MATCH` searches in linear time. A glob costs pattern times text at most. A regular expression is linear in the text with a factor that grows
//! with its size; the size is limited, and [`Pace`] ends a search that is slow beyond reason: between two elements, or within one that is long.

use super::regular::{TOO_LARGE, translate};
use super::stepped::Stepped;
use crate::Error;
use base::glob;
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// Bytes of a regular expression.
const EXPRESSION_BYTES_MAX: usize = 2048;
/// Memory that all compiled expressions of a command may take, and each of them at least.
const COMPILED_BYTES_MAX: usize = 2 << 20;
const COMPILED_BYTES_MIN: usize = 64 << 10;

pub enum Pattern<'a> {
    Exact(&'a [u8]),
    /// In small letters if case does not matter.
    Part(Box<Finder<'static>>),
    Glob(&'a [u8]),
    Expression(Box<Expression>),
}

pub struct Expression {
    whole: Regex,
    /// See [`super::regular::Translated`].
    positions: u64,
    text: String,
    nocase: bool,
    bytes_max: usize,
    /// Made when the first long text comes.
    stepped: Option<Stepped>,
}

impl Expression {
    /// `None` if that takes too long.
    fn is_match(&mut self, text: &[u8], pace: &Pace) -> Option<bool> {
        if self.positions.saturating_mul(text.len() as u64) <= STEPS_MAX {
            return Some(self.whole.is_match(text));
        }
        if self.stepped.is_none() {
            self.stepped = Stepped::new(&self.text, self.nocase, self.bytes_max);
        }
        self.stepped.as_mut()?.is_match(text, || pace.has_time())
    }
}

/// The words of a pattern, not compiled yet.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    Exact(&'a [u8]),
    Part(&'a [u8]),
    Glob(&'a [u8]),
    Expression(&'a [u8]),
}

impl<'a> Source<'a> {
    /// The pattern that `word` introduces.
    ///
    /// # Errors
    /// An expression that is too long.
    pub fn new(word: &[u8], pattern: &'a [u8]) -> Result<Option<Self>, Error> {
        Ok(Some(match word.to_ascii_uppercase().as_slice() {
            b"EXACT" => Self::Exact(pattern),
            b"MATCH" => Self::Part(pattern),
            b"GLOB" => Self::Glob(pattern),
            b"RE" if pattern.len() > EXPRESSION_BYTES_MAX => {
                return Err(Error::err(format_args!(
                    "regular expression is too long, maximum is {EXPRESSION_BYTES_MAX} bytes"
                )));
            }
            b"RE" => Self::Expression(pattern),
            _ => return Ok(None),
        }))
    }

    /// `among`: how many patterns the command has.
    ///
    /// # Errors
    /// What is wrong with an expression.
    pub fn compile(self, nocase: bool, among: usize) -> Result<Pattern<'a>, Error> {
        Ok(match self {
            Self::Exact(text) => Pattern::Exact(text),
            Self::Glob(pattern) => Pattern::Glob(pattern),
            Self::Part(text) if nocase => {
                Pattern::Part(Box::new(Finder::new(&text.to_ascii_lowercase()).into_owned()))
            }
            Self::Part(text) => Pattern::Part(Box::new(Finder::new(text).into_owned())),
            Self::Expression(b"") => return Err(Error::err("regular expression is empty")),
            Self::Expression(text) => compile(text, nocase, among)?,
        })
    }
}

fn compile<'a>(expression: &[u8], nocase: bool, among: usize) -> Result<Pattern<'a>, Error> {
    let invalid = |what: &str| Error::err(format_args!("invalid regular expression: {what}"));
    let translated = translate(expression).map_err(invalid)?;
    if translated.refers_back {
        return Err(Error::err("regular expression backreferences are not supported"));
    }
    let bytes_max = (COMPILED_BYTES_MAX / among).max(COMPILED_BYTES_MIN);
    let regex = RegexBuilder::new(&translated.text)
        .unicode(false)
        .dot_matches_new_line(true)
        .case_insensitive(nocase)
        .size_limit(bytes_max)
        .dfa_size_limit(bytes_max)
        .build();
    // What was translated is valid, so it can only be too large.
    let regex = regex.map_err(|_| invalid(TOO_LARGE))?;
    let (positions, text) = (translated.positions, translated.text);
    let expression = Expression { whole: regex, positions, text, nocase, bytes_max, stepped: None };
    Ok(Pattern::Expression(Box::new(expression)))
}

impl Pattern<'_> {
    /// `small` is `text` in small letters, if case does not matter. `None` if finding out takes too long.
    pub fn is_match(&mut self, text: &[u8], small: &[u8], nocase: bool, pace: &Pace) -> Option<bool> {
        Some(match self {
            Self::Exact(wanted) if nocase => text.eq_ignore_ascii_case(wanted),
            Self::Exact(wanted) => text == *wanted,
            Self::Part(finder) => finder.find(if nocase { small } else { text }).is_some(),
            Self::Glob(pattern) if nocase => glob::matches_nocase(pattern, text),
            Self::Glob(pattern) => glob::matches(pattern, text),
            Self::Expression(expression) => return expression.is_match(text, pace),
        })
    }

    /// Of an expression, the positions it has.
    pub fn positions(&self) -> Option<u64> {
        if let Self::Expression(expression) = self { Some(expression.positions) } else { None }
    }

    pub fn is_part(&self) -> bool {
        matches!(self, Self::Part(_))
    }
}

/// Time that a search for expressions may take beyond what its elements and their bytes account for.
const GRACE_NS: u64 = 500_000_000;
const ELEMENT_NS: u64 = 2_000;
const BYTE_NS: u64 = 20;
/// Steps between two looks at the clock, and in one text in one piece: 60 ms at worst. A step is a byte compared with one position of an
/// expression; most searches need far fewer.
const STEPS_MAX: u64 = 1 << 22;

/// Ends searches that take much longer than searches should: an expression of some hundred states that must all be followed at once
/// is slow on every byte, and an array may have any number of them.
pub struct Pace {
    clock_ns: fn() -> u64,
    started_ns: u64,
    allowed_ns: u64,
    /// Of all expressions together.
    positions: u64,
    steps: u64,
}

impl Pace {
    pub fn new(clock_ns: fn() -> u64, positions: u64) -> Self {
        Self { clock_ns, started_ns: clock_ns(), allowed_ns: GRACE_NS, positions, steps: 0 }
    }

    /// Another element is to be looked at; false if it is enough.
    pub fn goes_on(&mut self, bytes: usize, expressions: usize) -> bool {
        self.allowed_ns += (ELEMENT_NS + BYTE_NS * bytes as u64) * expressions as u64;
        self.steps = self.steps.saturating_add((bytes as u64 + 64).saturating_mul(self.positions));
        if self.steps < STEPS_MAX {
            return true;
        }
        self.steps = 0;
        self.has_time()
    }

    pub fn has_time(&self) -> bool {
        (self.clock_ns)().saturating_sub(self.started_ns) < self.allowed_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_is_slow_ends() {
        let mut fast = Pace::new(|| 0, 100);
        assert!((0..10_000).all(|_| fast.goes_on(1000, 1)));
        let mut slow = Pace { started_ns: 0, ..Pace::new(|| 3_000_000_000, 100) };
        assert!(!(0..1000).all(|_| slow.goes_on(1000, 1)));
    }

    /// However long a single text is, and however many positions of the expression every byte may belong to.
    #[test]
    fn a_search_in_a_long_text_ends() {
        let compiled =
            |text: &'static str| Source::Expression(text.as_bytes()).compile(false, 1).expect(text);
        let mut text = b"ab".repeat(600_000);
        let late = Pace { started_ns: 0, ..Pace::new(|| 3_000_000_000, 100) };
        assert_eq!(compiled("(a|b)*a(a|b){200}c").is_match(&text, b"", false, &late), None);
        let early = Pace::new(|| 0, 1);
        for (expression, before, after) in
            [("[ab]{9}c", false, true), ("^[ab]*$", true, false), ("b$", true, false)]
        {
            let mut pattern = compiled(expression);
            assert_eq!(pattern.is_match(&text, b"", false, &early), Some(before), "{expression}");
            text.push(b'c');
            assert_eq!(pattern.is_match(&text, b"", false, &early), Some(after), "{expression}");
            text.pop();
        }
    }

    #[test]
    fn expressions_that_grow_are_too_large() {
        let error = |text: &str| match Source::Expression(text.as_bytes()).compile(true, 1) {
            Err(error) => String::from_utf8_lossy(error.line()).into_owned(),
            Ok(_) => String::new(),
        };
        assert_eq!(error("((a{255}){255}){255}"), "ERR invalid regular expression: Out of memory");
        assert_eq!(error("(a)\\1"), "ERR regular expression backreferences are not supported");
        assert_eq!(error("[[:alnum:]_.-]{1,64}@[a-z.]{1,255}"), "");
    }
}
