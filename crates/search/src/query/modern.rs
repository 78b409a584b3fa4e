//! Dialects 2 to 4: `|` binds loosest, then the blank, then `-`, `~` and `@field:`, which take the one part behind them.

use super::grammar::{Context, both, either};
use super::scanner::{Scanner, is_word};
use super::{Affix, Kind, Node, attributes, brackets, fields, tags, vector};
use crate::error::{Code, Error};
use crate::text::{Tokens, fold, is_separator, unescape};

/// Reads all of a query.
pub(super) fn query(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    let (node, is_single) = union(context, scanner, Place::Anywhere)?;
    let mut node = node.unwrap_or_else(|| Node::new(Kind::Empty));
    if scanner.starts_with(b"=>") {
        if !is_single {
            return Err(scanner.syntax());
        }
        node = vector::nearest(context, scanner, node)?;
    }
    skip_punctuation(scanner);
    if scanner.peek().is_some() {
        return Err(scanner.syntax());
    }
    if node.kind != Kind::All && has_all(&node) {
        return Err(scanner.syntax());
    }
    Ok(node)
}

/// Whether `*` stands among other parts, where it may not.
fn has_all(node: &Node) -> bool {
    match &node.kind {
        Kind::All => true,
        Kind::Nearest { filter, .. } => filter.kind != Kind::All && has_all(filter),
        _ => node.children().iter().any(has_all),
    }
}

/// Where a part stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anything may stand here.
    Anywhere,
    /// Behind `@field:`: no other field may be named.
    InField,
}

/// Parts with `|` between them; `None` if there are none, or nothing but stop words. Says also whether it is one part.
fn union(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    place: Place,
) -> Result<(Option<Node>, bool), Error> {
    let (mut node, mut is_single) = intersection(context, scanner, place)?;
    while scanner.take(b"|") {
        is_single = false;
        let (right, _) = intersection(context, scanner, place)?;
        node = match (node, right) {
            (Some(left), Some(right)) => Some(either(left, right, true)),
            (left, right) => left.or(right),
        };
    }
    Ok((node, is_single))
}

fn intersection(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    place: Place,
) -> Result<(Option<Node>, bool), Error> {
    let mut node: Option<Node> = None;
    let mut units = 0;
    loop {
        skip_punctuation(scanner);
        match scanner.peek() {
            None | Some(b'|' | b')') => return Ok((node, units == 1)),
            Some(b'=') if scanner.starts_with(b"=>") => return Ok((node, units == 1)),
            _ => {}
        }
        units += 1;
        let Some(right) = unit(context, scanner, place)? else { continue };
        node = Some(match node {
            Some(left) => both(left, right, true),
            None => right,
        });
    }
}

/// One part, with what `=> {…}` says of it; `None` for a stop word.
fn unit(context: &Context<'_>, scanner: &mut Scanner<'_>, place: Place) -> Result<Option<Node>, Error> {
    let mut node = primary(context, scanner, place)?;
    loop {
        let start = scanner.at;
        scanner.skip_blanks();
        if !scanner.take(b"=>") {
            scanner.at = start;
            return Ok(node);
        }
        scanner.skip_blanks();
        if scanner.peek() != Some(b'{') {
            scanner.at = start;
            scanner.skip_blanks();
            return Ok(node);
        }
        attributes::parse(context, scanner, node.as_mut())?;
    }
}

fn primary(context: &Context<'_>, scanner: &mut Scanner<'_>, place: Place) -> Result<Option<Node>, Error> {
    let Some(byte) = scanner.peek() else { return Err(scanner.syntax()) };
    let number = scanner.number_length(false);
    match byte {
        b'(' => group(context, scanner, place).map(Some),
        b'"' | b'\'' => quoted(context, scanner).map(Some),
        b'@' if place == Place::Anywhere => fields::clause(context, scanner).map(Some),
        b'%' => fuzzy(context, scanner).map(Some),
        b'*' => star(context, scanner).map(Some),
        b'w' | b'W' if scanner.peek_at(1) == Some(b'\'') => {
            scanner.at += 1;
            Ok(Some(Node::new(Kind::Wildcard(wildcard(context, scanner)?))))
        }
        _ if number > 0 && !scanner.peek_at(number).is_some_and(|byte| is_word(byte) || byte == b'*') => {
            let start = scanner.at;
            scanner.at += number;
            Ok(Some(Node::verbatim(fold(scanner.note(start)))))
        }
        b'-' | b'~' => {
            scanner.at += 1;
            scanner.descend(false)?;
            skip_punctuation(scanner);
            let inner = unit(context, scanner, place)?;
            scanner.depth -= 1;
            let sign = if byte == b'-' { Kind::Not } else { Kind::Optional };
            Ok(inner.map(|inner| Node::new(sign(Box::new(inner)))))
        }
        b'$' => parameter(context, scanner).map(Some),
        _ if is_word(byte) || byte == b'\\' => {
            if let Some(node) = fields::missing(context, scanner)? {
                return Ok(Some(node));
            }
            word(context, scanner)
        }
        _ => Err(scanner.syntax()),
    }
}

fn group(context: &Context<'_>, scanner: &mut Scanner<'_>, place: Place) -> Result<Node, Error> {
    scanner.at += 1;
    scanner.descend(false)?;
    let (node, _) = union(context, scanner, place)?;
    scanner.depth -= 1;
    if !scanner.take(b")") {
        return Err(scanner.syntax());
    }
    Ok(node.unwrap_or_else(|| Node::new(Kind::Empty)))
}

/// `@field:` with a part behind it that asks for words.
pub(super) fn text_part(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    skip_punctuation(scanner);
    Ok(primary(context, scanner, Place::InField)?.unwrap_or_else(|| Node::new(Kind::Empty)))
}

/// Skips what separates words and means nothing.
fn skip_punctuation(scanner: &mut Scanner<'_>) {
    const MEANS_SOMETHING: &[u8] = b"|()[]{}\"'@%*-~$:;\\";
    while let Some(byte) = scanner.peek() {
        let is_mark = MEANS_SOMETHING.contains(&byte) && !scanner.is_lone_apostrophe();
        if !is_separator(byte) || is_mark || scanner.starts_with(b"=>") {
            return;
        }
        if scanner.number_length(false) > 0 {
            return;
        }
        scanner.at += 1;
    }
}

/// A word, or with a star behind it all that begin so.
fn word(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    let raw = scanner.word();
    if raw.is_empty() {
        return Err(scanner.syntax());
    }
    let word = fold(&unescape(raw)).into_owned();
    if scanner.take(b"*") {
        let affix = Affix { word, open_before: false, open_behind: true };
        return Ok(Some(Node::new(Kind::Affix(affix))));
    }
    if context.leaves_out_stop_words && context.schema.stop_words.contains(&word) {
        return Ok(None);
    }
    Ok(Some(Node::term(word)))
}

/// `$name`, or `$name*`.
fn parameter(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    let value = parameter_value(context, scanner)?;
    let word = fold(value).into_owned();
    if scanner.take(b"*") {
        return Ok(Node::new(Kind::Affix(Affix { word, open_before: false, open_behind: true })));
    }
    let is_number = base::number::parse_f64(&word).is_some();
    Ok(if is_number { Node::verbatim(word) } else { Node::term(word) })
}

/// What the parameter named here stands for.
pub(super) fn parameter_value<'a>(
    context: &Context<'a>,
    scanner: &mut Scanner<'_>,
) -> Result<&'a [u8], Error> {
    scanner.at += 1;
    let name = scanner.word();
    if name.is_empty() {
        return Err(scanner.syntax());
    }
    context.parameters.get(name)
}

/// `*`, `*end`, `*part*`; a `$name` may stand for the word.
fn star(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    scanner.at += 1;
    let word = match scanner.peek() {
        Some(b'$') => fold(parameter_value(context, scanner)?).into_owned(),
        Some(byte) if is_word(byte) || byte == b'\\' => fold(&unescape(scanner.word())).into_owned(),
        Some(b'*') => return Err(scanner.syntax()),
        _ => return Ok(Node::new(Kind::All)),
    };
    let open_behind = scanner.take(b"*");
    Ok(Node::new(Kind::Affix(Affix { word, open_before: true, open_behind })))
}

/// The pattern of `w'…'`, folded; the scanner stands at the quotation mark.
pub(super) fn wildcard(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Vec<u8>, Error> {
    Ok(fold(&pattern(context, scanner)?).into_owned())
}

/// The pattern of `w'…'` as it was written; `w'$name'` stands for a parameter.
pub(super) fn pattern(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Vec<u8>, Error> {
    let written = scanner.quoted()?;
    match written {
        [b'$', name @ ..]
            if !name.is_empty() && name.iter().all(|byte| is_word(*byte)) && !context.is_legacy =>
        {
            Ok(context.parameters.get(name)?.to_vec())
        }
        _ => Ok(written.to_vec()),
    }
}

/// `%word%`, `%%word%%`, `%%%word%%%`; a `$name` may stand for the word.
pub(super) fn fuzzy(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    let signs = scanner.rest().iter().take_while(|&&byte| byte == b'%').count();
    scanner.at += signs;
    if signs > 3 {
        return Err(scanner.syntax());
    }
    let word = match scanner.peek() {
        Some(b'$') if !context.is_legacy => fold(parameter_value(context, scanner)?).into_owned(),
        _ => fold(&unescape(scanner.word())).into_owned(),
    };
    let closing = scanner.rest().iter().take_while(|&&byte| byte == b'%').count();
    if word.is_empty() || closing != signs {
        return Err(scanner.syntax());
    }
    scanner.at += closing;
    Ok(Node::new(Kind::Fuzzy { word, distance: signs }))
}

/// `"…"` or `'…'`: the words as they stand, one after the other.
fn quoted(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    let inside = scanner.quoted()?;
    let words = phrase(context, inside);
    if words.is_empty() && inside.is_empty() {
        // The empty text, which fields with INDEXEMPTY have.
        return Ok(Node::verbatim(Vec::new()));
    }
    if words.is_empty() {
        return Ok(Node::new(Kind::Empty));
    }
    Ok(Node::new(Kind::Exact(words)))
}

/// The words of a phrase. A `$` in front of one belongs to it: parameters mean nothing here.
pub(super) fn phrase(context: &Context<'_>, inside: &[u8]) -> Vec<Node> {
    let none = crate::text::StopWords::new(std::iter::empty());
    let stop_words = if context.leaves_out_stop_words { &context.schema.stop_words } else { &none };
    Tokens::new(inside, stop_words)
        .map(|token| {
            let has_dollar = token.start > 0 && inside[token.start - 1] == b'$';
            let word = token.word.into_owned();
            Node::verbatim(if has_dollar { [&b"$"[..], &word].concat() } else { word })
        })
        .collect()
}

/// What stands behind `@field:`, where it is not words.
pub(super) fn typed_part(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    name: &[u8],
    start: usize,
) -> Result<Option<Node>, Error> {
    match scanner.peek() {
        Some(b'[') => brackets::parse(context, scanner, name, start).map(Some),
        Some(b'{') => tags::parse(context, scanner, name, start).map(Some),
        Some(_) => Ok(None),
        None => Err(Error::new(Code::Syntax, scanner.syntax().text)),
    }
}
