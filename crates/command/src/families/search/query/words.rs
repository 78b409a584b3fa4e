//! The words of FT.SEARCH and FT.AGGREGATE, one after the other, with the sentences of RediSearch's argument parser.

use crate::{Args, Error};
use base::number::{parse_f64, parse_u64};

/// Words of a command, from a place on.
pub struct Words<'a> {
    args: Args<'a>,
    at: usize,
}

/// `SEARCH_PARSE_ARGS text`
pub fn bad_arguments(text: impl std::fmt::Display) -> Error {
    Error::text(format!("SEARCH_PARSE_ARGS {text}"))
}

/// `Bad arguments for WHAT: why`
fn bad(what: &str, why: &str) -> Error {
    bad_arguments(format_args!("Bad arguments for {what}: {why}"))
}

const NONE_LEFT: &str = "Expected an argument, but none provided";
const NOT_CONVERTED: &str = "Could not convert argument to expected type";
const OUT_OF_BOUNDS: &str = "Value is outside acceptable bounds";

/// Bytes of a client inside a sentence.
pub fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<'a> Words<'a> {
    pub fn new(args: Args<'a>, at: usize) -> Self {
        Self { args, at }
    }

    pub fn peek(&self) -> Option<&'a [u8]> {
        (self.at < self.args.len()).then(|| self.args.at(self.at))
    }

    pub fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    /// Takes the word if it is the next, in any case.
    pub fn take(&mut self, word: &str) -> bool {
        let is_next = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        self.at += usize::from(is_next);
        is_next
    }

    /// The words that are left.
    pub fn rest(&self) -> Vec<&'a [u8]> {
        (self.at..self.args.len()).map(|at| self.args.at(at)).collect()
    }

    /// How many words are left.
    pub fn left(&self) -> usize {
        self.args.len() - self.at
    }

    /// The next word.
    ///
    /// # Errors
    /// There is none.
    pub fn argument(&mut self, what: &str) -> Result<&'a [u8], Error> {
        self.next().ok_or_else(|| bad(what, NONE_LEFT))
    }

    /// The next word as a number that is not negative.
    ///
    /// # Errors
    /// There is none, or it is no such number.
    pub fn count(&mut self, what: &str) -> Result<u64, Error> {
        let word = self.argument(what)?;
        parse_u64(word).ok_or_else(|| {
            let is_number = parse_f64(word).is_some_and(|number| number < 0.0 || number > u64::MAX as f64);
            bad(what, if is_number { OUT_OF_BOUNDS } else { NOT_CONVERTED })
        })
    }

    /// The next word as a number.
    ///
    /// # Errors
    /// There is none, or it is no number.
    pub fn number(&mut self, what: &str) -> Result<f64, Error> {
        parse_f64(self.argument(what)?).ok_or_else(|| bad(what, NOT_CONVERTED))
    }

    /// As many words as the next one says.
    ///
    /// # Errors
    /// There are not so many.
    pub fn counted(&mut self, what: &str) -> Result<Vec<&'a [u8]>, Error> {
        let count = self.count(what)?;
        let count = usize::try_from(count).ok().filter(|count| *count <= self.left());
        let count = count.ok_or_else(|| bad(what, NONE_LEFT))?;
        let words = (self.at..self.at + count).map(|at| self.args.at(at)).collect();
        self.at += count;
        Ok(words)
    }

    /// That the word just taken is not known.
    pub fn unknown(&self) -> Error {
        let word = shown(self.args.at(self.at - 1));
        Error::text(format!(
            "SEARCH_ARG_UNRECOGNIZED Unknown argument `{word}` at position {} for <main>",
            self.at - 3
        ))
    }
}
