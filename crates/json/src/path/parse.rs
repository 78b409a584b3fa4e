//! The text of a path into segments.

use super::expression::{Shape, expression};
use super::syntax::{Expression, Origin, Segment, Selector};
use super::text::{Cursor, is_of_function};
use super::{Body, Query};
use std::fmt;

/// Where a text is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where in the text, in bytes.
    position: usize,
    before: String,
    after: String,
    expected: String,
}

/// So much of a text is shown on either side of what is wrong.
const SHOWN_BYTES_MAX: usize = 128;

impl SyntaxError {
    pub(super) fn new(text: &[u8], position: usize, expected: &str) -> Self {
        let (before, after) = text.split_at(position.min(text.len()));
        let before = &before[before.len().saturating_sub(SHOWN_BYTES_MAX)..];
        let after = &after[..after.len().min(SHOWN_BYTES_MAX)];
        let shown = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        Self { position, before: shown(before), after: shown(after), expected: expected.to_owned() }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, before, after, expected } = self;
        write!(
            formatter,
            "Error occurred on position {position}, \"{before} ---->>>> {after}\", \
             expected one of the following: {expected}."
        )
    }
}

impl std::error::Error for SyntaxError {}

/// Any text that a command takes for a path.
pub fn query(text: &[u8]) -> Result<Query, SyntaxError> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(SyntaxError::new(text, error.valid_up_to(), "UTF-8"));
    }
    let shown = String::from_utf8_lossy(text).into_owned();
    let begins_as_path = text.first() == Some(&b'$') && matches!(text.get(1), None | Some(b'.' | b'['));
    match whole(text) {
        // What has no `$` in it may as well be a name: `true`, `[0]`.
        Ok((body, shape)) if shape.has_document || begins_as_path => {
            return Ok(Query { shown, is_old_form: false, body });
        }
        Err(error) if begins_as_path => return Err(error),
        _ => {}
    }
    let shown = match text.first() {
        None => return Err(SyntaxError::new(text, 0, "'$', '.'")),
        Some(b'.') if text.len() == 1 => "$".to_owned(),
        Some(b'.' | b'[') => format!("${shown}"),
        _ => format!("$.{shown}"),
    };
    let (body, _) = whole(shown.as_bytes())?;
    Ok(Query { shown, is_old_form: true, body })
}

/// A text that begins with `$`, or is an expression with it.
fn whole(text: &[u8]) -> Result<(Body, Shape), SyntaxError> {
    let mut cursor = Cursor::new(text);
    let mut shape = Shape::default();
    cursor.skip_blanks();
    let parsed = expression(&mut cursor, &mut shape)?;
    cursor.skip_blanks();
    if cursor.at < text.len() {
        return Err(cursor.error("'.', '..', '[', the end of the path"));
    }
    let body = match parsed {
        Expression::Nodes(Origin::Document, segments) => Body::Path(segments),
        other => Body::Projection(other),
    };
    Ok((body, shape))
}

/// What follows `$` or `@`. A name with an opening parenthesis behind it is a call, and left to the caller.
pub fn segments(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Result<Vec<Segment>, SyntaxError> {
    let mut segments = Vec::new();
    loop {
        let start = cursor.at;
        let is_descendant = cursor.eat(b"..");
        let has_dot = is_descendant || cursor.eat(b".");
        if cursor.peek() == Some(b'[') {
            let selectors = bracketed(cursor, shape)?;
            segments.push(Segment { is_descendant, selectors });
            continue;
        }
        if !has_dot {
            return Ok(segments);
        }
        if cursor.eat(b"*") {
            segments.push(Segment { is_descendant, selectors: vec![Selector::Wildcard] });
            continue;
        }
        let name = cursor.bare_name();
        if name.is_empty() {
            return Err(cursor.error("'*', '[', '<string>'"));
        }
        if cursor.peek() == Some(b'(') && !is_descendant && is_of_function(name) {
            cursor.at = start;
            return Ok(segments);
        }
        segments.push(Segment { is_descendant, selectors: vec![Selector::Name(name.into())] });
    }
}

const IN_BRACKETS: &str = "'<string>[,<string>,...]', '<number>', ['start:end:steps'], '*'";

/// `[…]`
fn bracketed(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Result<Vec<Selector>, SyntaxError> {
    cursor.expect(b"[")?;
    let mut selectors = Vec::new();
    loop {
        cursor.skip_blanks();
        selectors.push(selector(cursor, shape)?);
        cursor.skip_blanks();
        if cursor.eat(b"]") {
            return Ok(selectors);
        }
        if !cursor.eat(b",") {
            return Err(cursor.error("',', ']'"));
        }
    }
}

fn selector(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Result<Selector, SyntaxError> {
    if cursor.eat(b"*") {
        return Ok(Selector::Wildcard);
    }
    if let Some(name) = cursor.quoted()? {
        return Ok(Selector::Name(name.into()));
    }
    if cursor.eat(b"?") {
        cursor.skip_blanks();
        let was_inside = std::mem::replace(&mut shape.is_in_filter, true);
        let filter = cursor.deeper(|cursor| expression(cursor, shape))?;
        shape.is_in_filter = was_inside;
        return Ok(Selector::Filter(filter));
    }
    let start = cursor.index();
    cursor.skip_blanks();
    if !cursor.eat(b":") {
        return start.map(Selector::Index).ok_or_else(|| cursor.error(IN_BRACKETS));
    }
    cursor.skip_blanks();
    let end = cursor.index();
    cursor.skip_blanks();
    let mut step = None;
    if cursor.eat(b":") {
        cursor.skip_blanks();
        step = cursor.index();
    }
    Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
}
