//! Dialect 1: `|` binds tighter than the blank between parts, but words in a row are one part; a sign takes the words and phrases behind
//! it, `@field:` the words.

use super::grammar::{Context, both, either};
use super::modern::{fuzzy, phrase};
use super::scanner::{Scanner, is_word};
use super::{Affix, Kind, Node, attributes, fields};
use crate::error::Error;
use crate::text::{fold, is_separator, unescape};

/// Reads all of a query.
pub(super) fn query(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    skip_punctuation(scanner);
    if scanner.peek() == Some(b'*') {
        scanner.at += 1;
        skip_punctuation(scanner);
        if scanner.peek().is_none() {
            return Ok(Node::new(Kind::All));
        }
        scanner.at = 0;
    }
    let node = intersection(context, scanner)?.unwrap_or_else(|| Node::new(Kind::Empty));
    while matches!(scanner.peek(), Some(b'}' | b']')) {
        scanner.at += 1;
        skip_punctuation(scanner);
    }
    if scanner.peek().is_some() {
        return Err(scanner.syntax());
    }
    Ok(node)
}

fn intersection(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let mut node: Option<Node> = None;
    loop {
        skip_punctuation(scanner);
        if matches!(scanner.peek(), None | Some(b')' | b'}' | b']')) {
            return Ok(node);
        }
        let Some(right) = union(context, scanner)? else { continue };
        node = Some(match node {
            Some(left) => both(left, right, false),
            None => right,
        });
    }
}

fn union(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let mut node = unit(context, scanner)?;
    loop {
        skip_punctuation(scanner);
        if !scanner.take(b"|") {
            return Ok(node);
        }
        skip_punctuation(scanner);
        if matches!(scanner.peek(), None | Some(b')')) {
            return Err(scanner.syntax());
        }
        let right = unit(context, scanner)?;
        node = match (node, right) {
            (Some(left), Some(right)) => Some(either(left, right, false)),
            (left, right) => left.or(right),
        };
    }
}

fn unit(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let node = primary(context, scanner)?;
    with_attributes(context, scanner, node)
}

fn with_attributes(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    mut node: Option<Node>,
) -> Result<Option<Node>, Error> {
    loop {
        let start = scanner.at;
        scanner.skip_blanks();
        if !scanner.take(b"=>") {
            scanner.at = start;
            return Ok(node);
        }
        scanner.skip_blanks();
        if scanner.peek() != Some(b'{') {
            return Err(scanner.syntax());
        }
        attributes::parse(context, scanner, node.as_mut())?;
    }
}

fn primary(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let Some(byte) = scanner.peek() else { return Err(scanner.syntax()) };
    match byte {
        b'(' => group(context, scanner).map(Some),
        b'"' => quoted(context, scanner),
        b'@' => fields::clause(context, scanner).map(Some),
        b'%' => fuzzy(context, scanner).map(Some),
        b'*' => affix_before(scanner).map(Some),
        b'-' if scanner.peek_at(1).is_some_and(|next| next.is_ascii_digit()) => Ok(Some(number(scanner))),
        b'-' | b'~' => {
            scanner.at += 1;
            scanner.descend(true)?;
            skip_punctuation(scanner);
            let inner = signed(context, scanner)?;
            scanner.depth -= 1;
            let sign = if byte == b'-' { Kind::Not } else { Kind::Optional };
            Ok(inner.map(|inner| Node::new(sign(Box::new(inner)))))
        }
        _ if is_word(byte) || byte == b'\\' => {
            if let Some(node) = fields::missing(context, scanner)? {
                return Ok(Some(node));
            }
            words(context, scanner)
        }
        _ => Err(scanner.syntax()),
    }
}

/// What a sign stands for: a part, and if it is words or a phrase all words and phrases that follow.
fn signed(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let takes_more = scanner.peek().is_some_and(|byte| byte == b'"' || is_word(byte));
    let mut node = unit(context, scanner)?;
    if !takes_more {
        return Ok(node);
    }
    loop {
        skip_punctuation(scanner);
        if !scanner.peek().is_some_and(|byte| byte == b'"' || is_word(byte)) {
            return Ok(node);
        }
        let right = unit(context, scanner)?;
        node = match (node, right) {
            (Some(left), Some(right)) => Some(both(left, right, false)),
            (left, right) => left.or(right),
        };
    }
}

fn group(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    scanner.at += 1;
    scanner.descend(true)?;
    let node = intersection(context, scanner)?;
    scanner.depth -= 1;
    if !scanner.take(b")") {
        return Err(scanner.syntax());
    }
    Ok(node.unwrap_or_else(|| Node::new(Kind::Empty)))
}

/// `@field:` with a part behind it that asks for words.
pub(super) fn text_part(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    skip_punctuation(scanner);
    Ok(primary(context, scanner)?.unwrap_or_else(|| Node::new(Kind::Empty)))
}

fn skip_punctuation(scanner: &mut Scanner<'_>) {
    const MEANS_SOMETHING: &[u8] = b"|()[]{}\"@%*-~$:;\\";
    while let Some(byte) = scanner.peek() {
        if !is_separator(byte) || MEANS_SOMETHING.contains(&byte) || scanner.starts_with(b"=>") {
            return;
        }
        scanner.at += 1;
    }
}

fn number(scanner: &mut Scanner<'_>) -> Node {
    let start = scanner.at;
    scanner.at += scanner.number_length(true);
    let word = scanner.note(start);
    if scanner.take(b"*") {
        let affix = Affix { word: word.to_vec(), open_before: false, open_behind: true };
        return Node::new(Kind::Affix(affix));
    }
    Node::term(word)
}

/// Words in a row, without those that a star ends: one word, or all of them.
fn words(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let mut nodes = Vec::new();
    loop {
        let start = scanner.at;
        let word = one_word(scanner);
        if word.is_empty() {
            return Err(scanner.syntax());
        }
        if scanner.peek() == Some(b'*') {
            if nodes.is_empty() {
                scanner.at += 1;
                let affix = Affix { word, open_before: false, open_behind: true };
                return Ok(Some(Node::new(Kind::Affix(affix))));
            }
            scanner.at = start;
            break;
        }
        if !(context.leaves_out_stop_words && context.schema.stop_words.contains(&word)) {
            nodes.push(Node::term(word));
        }
        let behind = scanner.at;
        skip_punctuation(scanner);
        if scanner.starts_with(b"=>") || !scanner.peek().is_some_and(|byte| is_word(byte) || byte == b'\\') {
            scanner.at = behind;
            break;
        }
    }
    Ok(match nodes.len() {
        0 => None,
        1 => nodes.pop(),
        _ => Some(Node::new(Kind::Intersection(nodes))),
    })
}

/// A word, or a number with a fraction, whichever is longer.
fn one_word(scanner: &mut Scanner<'_>) -> Vec<u8> {
    let (start, number) = (scanner.at, scanner.number_length(true));
    let raw = scanner.word();
    if raw.len() < number {
        scanner.at = start + number;
        return fold(scanner.note(start)).into_owned();
    }
    fold(&unescape(raw)).into_owned()
}

/// `*end` or `*part*`.
fn affix_before(scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    scanner.at += 1;
    let word = fold(&unescape(scanner.word())).into_owned();
    if word.is_empty() {
        return Err(scanner.syntax());
    }
    let open_behind = scanner.take(b"*");
    Ok(Node::new(Kind::Affix(Affix { word, open_before: true, open_behind })))
}

fn quoted(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let inside = scanner.quoted()?;
    if inside.contains(&b'$') {
        return Err(scanner.syntax());
    }
    let mut words = phrase(context, inside);
    Ok(match words.len() {
        0 if inside.is_empty() => Some(Node::verbatim(Vec::new())),
        0 => None,
        1 => words.pop(),
        _ => Some(Node::new(Kind::Exact(words))),
    })
}
