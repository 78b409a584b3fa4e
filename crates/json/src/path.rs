//! JSONPath as Redis has it: `$` paths, the legacy ones without, and expressions that compute a value.
//!
//! Specification: the page on paths of Redis's documentation (`develop/data-types/json/path`, 8.10). A text is looked at three ways, in this
//! order: a path that begins with `$`; an expression in which `$` occurs; a legacy path, which stands for the `$` path made by putting `$` or `$.`
//! in front. Only the last makes commands answer in the old way (the first match).
//!
//! | room | |
//! |---|---|
//! | [`syntax`] | what a path says |
//! | `parse`, `expression`, `text` | from the text to that; at most [`DEPTH_MAX`] levels deep |
//! | [`select`] | which values it leads to |
//! | `evaluate`, `functions`, `relate` | what expressions make |
//!
//! Work is bounded: each look at a value costs a step, and whoever asks says how many there are; regular expressions are linear in time, and
//! their compiled size is bounded.

mod evaluate;
mod expression;
mod functions;
mod parse;
mod relate;
pub mod select;
pub mod syntax;
mod text;

#[cfg(test)]
mod tests;

use syntax::{Expression, Segment, Selector};

pub use evaluate::Item;
pub use parse::SyntaxError;
pub use select::{Match, Selection, TooMuchWork, places, project, select};

/// How deep parentheses, filters, calls and signs may nest.
pub const DEPTH_MAX: usize = 64;

/// A parsed path or expression.
#[derive(Debug, PartialEq)]
pub struct Query {
    /// The text as a `$` path, for errors.
    shown: String,
    /// The text was no `$` path, and no expression with one.
    is_old_form: bool,
    body: Body,
}

#[derive(Debug, PartialEq)]
enum Body {
    Path(Vec<Segment>),
    Projection(Expression),
}

/// A step of a path that leads to one value at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick<'q> {
    Name(&'q [u8]),
    Index(i64),
}

impl Query {
    /// # Errors
    /// Where the text is no path, and what was expected.
    pub fn parse(text: &[u8]) -> Result<Self, SyntaxError> {
        parse::query(text)
    }

    /// `$`
    pub fn root() -> Self {
        Self { shown: "$".to_owned(), is_old_form: false, body: Body::Path(Vec::new()) }
    }

    /// `.`
    pub fn legacy_root() -> Self {
        Self { is_old_form: true, ..Self::root() }
    }

    /// Whether commands answer for the first match alone.
    pub fn is_legacy(&self) -> bool {
        // What is computed has no old way to be answered in.
        self.is_old_form && !self.is_projection()
    }

    /// Whether it was written in the old way; a path is [`Query::is_legacy`] then.
    pub fn is_old_form(&self) -> bool {
        self.is_old_form
    }

    /// Whether it computes a value instead of leading to some.
    pub fn is_projection(&self) -> bool {
        matches!(self.body, Body::Projection(_))
    }

    /// Whether it is the document as a whole.
    pub fn is_root(&self) -> bool {
        matches!(&self.body, Body::Path(segments) if segments.is_empty())
    }

    /// The text as a `$` path.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The steps, if they lead to one value at most whatever the document is.
    pub fn picks(&self) -> Option<Vec<Pick<'_>>> {
        let Body::Path(segments) = &self.body else { return None };
        picks_of(segments).collect()
    }
}

/// The step of each segment that has just one.
fn picks_of(segments: &[Segment]) -> impl Iterator<Item = Option<Pick<'_>>> {
    segments.iter().map(|segment| match segment.selectors.as_slice() {
        [Selector::Name(name)] if !segment.is_descendant => Some(Pick::Name(name)),
        [Selector::Index(index)] if !segment.is_descendant => Some(Pick::Index(*index)),
        _ => None,
    })
}
