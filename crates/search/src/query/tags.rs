//! `@field:{a | b* | *c | w'd?' | "e" | $f}`: any of these tags.

use super::fields::of_type;
use super::grammar::Context;
use super::scanner::Scanner;
use super::{Affix, Kind, Node};
use crate::error::{Code, Error};
use crate::text::{fold, is_separator};

/// Reads what begins with `{`.
pub(super) fn parse(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    name: &[u8],
    start: usize,
) -> Result<Node, Error> {
    scanner.at += 1;
    let mut values = Vec::new();
    loop {
        scanner.skip_blanks();
        values.push(value(context, scanner)?);
        scanner.skip_blanks();
        match scanner.peek() {
            Some(b'|') => scanner.at += 1,
            Some(b'}') => break,
            _ => return Err(scanner.syntax()),
        }
    }
    scanner.at += 1;
    let Some(field) = of_type(context, scanner, name, start, "TAG")? else {
        return Ok(Node::new(Kind::Empty));
    };
    let has_empty = values
        .iter()
        .any(|value| matches!(&value.kind, Kind::TagValue(words) if words.len() == 1 && words[0].is_empty()));
    if has_empty && !context.schema.fields[usize::from(field)].index_empty {
        let text = "Use `INDEXEMPTY` in field creation in order to index and query for empty strings";
        return Err(Error::new(Code::Syntax, text));
    }
    Ok(Node::new(Kind::Tag { field, values }))
}

fn value(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    if !context.is_legacy && matches!(scanner.peek(), Some(b'w' | b'W')) && scanner.peek_at(1) == Some(b'\'')
    {
        scanner.at += 1;
        return Ok(Node::new(Kind::Wildcard(super::modern::pattern(context, scanner)?)));
    }
    let open_before = scanner.take(b"*");
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut open_behind = false;
    loop {
        scanner.skip_blanks();
        match scanner.peek() {
            None => return Err(scanner.syntax()),
            Some(b'|' | b'}') => break,
            Some(b'*') => {
                scanner.at += 1;
                open_behind = true;
                scanner.skip_blanks();
                if !matches!(scanner.peek(), Some(b'|' | b'}')) {
                    return Err(scanner.syntax());
                }
                break;
            }
            Some(b'$') if !context.is_legacy => {
                let value = super::modern::parameter_value(context, scanner)?;
                words.push(escape(value));
            }
            Some(b'"' | b'\'') if !context.is_legacy => words.push(quoted(scanner)?),
            Some(_) => words.push(raw_word(context, scanner)?),
        }
    }
    if words.is_empty() || context.is_legacy && has_stop_word(context, &words) {
        return Err(scanner.syntax());
    }
    Ok(Node::new(if open_before || open_behind {
        Kind::Affix(Affix { word: words.join(&b' '), open_before, open_behind })
    } else {
        Kind::TagValue(words)
    }))
}

/// Whether one of several words of a tag is a stop word, which the first dialect does not read.
fn has_stop_word(context: &Context<'_>, words: &[Vec<u8>]) -> bool {
    let stop_words = &context.schema.stop_words;
    context.leaves_out_stop_words
        && words.len() > 1
        && words.iter().any(|word| stop_words.contains(&fold(word)))
}

/// A quoted tag, without the backslashes in front of quotation marks.
fn quoted(scanner: &mut Scanner<'_>) -> Result<Vec<u8>, Error> {
    let written = scanner.quoted()?;
    let mut tag = Vec::with_capacity(written.len());
    let mut bytes = written.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(b'\'' | b'"') if byte == b'\\' => {}
            // What else a backslash protects stays protected.
            Some(&next) if byte == b'\\' => {
                tag.extend([byte, next]);
                bytes.next();
            }
            _ => tag.push(byte),
        }
    }
    Ok(tag)
}

/// Backslashes in front of what would be read as such.
fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        if byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Reads up to a blank, a star or the end of the tag. Dialect 1 splits at punctuation and knows only words.
fn raw_word(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Vec<u8>, Error> {
    let start = scanner.at;
    while let Some(byte) = scanner.peek() {
        if byte == b'\\' && scanner.peek_at(1).is_some() {
            scanner.at += 2;
        } else if byte.is_ascii_whitespace() || b"|}*".contains(&byte) {
            break;
        } else if context.is_legacy && is_separator(byte) {
            if b"-()[]{\"@%~:;$".contains(&byte) {
                return Err(scanner.syntax());
            }
            let word = scanner.note(start).to_vec();
            scanner.at += 1;
            return if word.is_empty() { raw_word(context, scanner) } else { Ok(word) };
        } else {
            scanner.at += 1;
        }
    }
    Ok(scanner.note(start).to_vec())
}
