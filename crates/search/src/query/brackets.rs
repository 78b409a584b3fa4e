//! What stands in brackets behind a field: ranges of numbers, circles, shapes, distances of vectors; and comparisons of numbers.

use super::fields::of_type;
use super::grammar::Context;
use super::scanner::{Scanner, is_word};
use super::{Circle, Kind, Node, NumericRange, Relation, Unit, vector};
use crate::error::{Code, Error, shown};
use crate::schema::{self, Coordinates};
use base::number::parse_f64;
use std::sync::Arc;

/// Something in brackets.
#[derive(Clone, Debug)]
enum Item {
    /// A number, whether it came from a parameter, and whether a parenthesis stands before it.
    Number {
        value: f64,
        from_parameter: bool,
        excluded: bool,
    },
    Word(Vec<u8>),
    /// A parameter where no number is wanted.
    Parameter(Vec<u8>),
}

/// Reads what begins with `[`.
pub(super) fn parse(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    name: &[u8],
    start: usize,
) -> Result<Node, Error> {
    scanner.at += 1;
    scanner.skip_blanks();
    if !context.is_legacy {
        if scanner.take_keyword(b"VECTOR_RANGE") {
            return vector::within(context, scanner, name, start);
        }
        const RELATIONS: [(&[u8], Relation); 4] = [
            (b"CONTAINS", Relation::Contains),
            (b"WITHIN", Relation::Within),
            (b"DISJOINT", Relation::Disjoint),
            (b"INTERSECTS", Relation::Intersects),
        ];
        for (word, relation) in RELATIONS {
            if scanner.take_keyword(word) {
                return shape(context, scanner, name, start, relation);
            }
        }
    }
    let items = items(context, scanner)?;
    match &items[..] {
        [Item::Number { .. }] if context.is_legacy => Err(scanner.syntax()),
        [only @ Item::Number { .. }] => range(context, scanner, name, start, only, only),
        [min @ Item::Number { .. }, max @ Item::Number { .. }] => {
            range(context, scanner, name, start, min, max)
        }
        [
            Item::Number { value: longitude, .. },
            Item::Number { value: latitude, .. },
            Item::Number { value: radius, .. },
            unit @ (Item::Word(_) | Item::Number { .. } | Item::Parameter(_)),
        ] => {
            let unit = match unit {
                Item::Word(word) => word.clone(),
                Item::Parameter(parameter) => context.parameters.get(parameter)?.to_vec(),
                Item::Number { .. } => Vec::new(),
            };
            circle(context, scanner, name, start, [*longitude, *latitude, *radius], &unit)
        }
        _ => Err(scanner.syntax()),
    }
}

/// Reads up to the closing bracket.
fn items(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    loop {
        skip_punctuation(scanner, context.is_legacy);
        if scanner.take(b"]") {
            return Ok(items);
        }
        if items.len() == 4 || scanner.peek().is_none() {
            return Err(scanner.syntax());
        }
        let excluded = scanner.take(b"(");
        if excluded {
            scanner.skip_blanks();
        }
        if let Some(b'"' | b'\'') = scanner.peek() {
            let word = scanner.quoted()?;
            items.push(Item::Word(word.to_vec()));
            continue;
        }
        match number(context, scanner, items.len())? {
            Some(Item::Number { value, from_parameter, .. }) => {
                items.push(Item::Number { value, from_parameter, excluded });
            }
            Some(item) => items.push(item),
            None => {
                let word = scanner.word();
                // Only the unit of a circle is a word.
                if word.is_empty() || excluded || items.len() != 3 {
                    return Err(scanner.syntax());
                }
                items.push(Item::Word(word.to_vec()));
            }
        }
    }
}

/// A number or a parameter that stands for one, with its sign.
fn number(context: &Context<'_>, scanner: &mut Scanner<'_>, index: usize) -> Result<Option<Item>, Error> {
    let start = scanner.at;
    let plain = |value| Ok(Some(Item::Number { value, from_parameter: false, excluded: false }));
    let length = scanner.number_length(context.is_legacy);
    if length > 0 {
        scanner.at += length;
        let text = scanner.note(start);
        if scanner
            .peek()
            .is_some_and(|byte| is_word(byte) || (byte == b'.' && scanner.peek_at(1).is_some_and(is_word)))
        {
            scanner.word();
            return Err(scanner.syntax());
        }
        return plain(parse_f64(text).ok_or_else(|| scanner.syntax())?);
    }
    let sign = match scanner.peek() {
        Some(b'-') => -1.0,
        _ => 1.0,
    };
    let signed = matches!(scanner.peek(), Some(b'-' | b'+'));
    if signed {
        scanner.at += 1;
    }
    match scanner.peek() {
        // Dialect 1 does not see a point in front of digits.
        Some(b'.') if context.is_legacy && signed => {
            scanner.at += 1;
            let digits = scanner.at;
            scanner.at += scanner.number_length(true);
            let value = parse_f64(scanner.note(digits)).ok_or_else(|| scanner.syntax())?;
            if scanner.peek().is_some_and(is_word) {
                return Err(scanner.syntax());
            }
            plain(sign * value)
        }
        Some(b'$') if !context.is_legacy => {
            scanner.at += 1;
            let name = scanner.word().to_vec();
            if name.is_empty() {
                return Err(scanner.syntax());
            }
            if index == 3 && !signed {
                return Ok(Some(Item::Parameter(name)));
            }
            let value = sign * context.parameters.number(&name)?;
            Ok(Some(Item::Number { value, from_parameter: true, excluded: false }))
        }
        _ if signed => Err(scanner.syntax()),
        _ => Ok(None),
    }
}

/// Skips what means nothing in brackets, a dollar without a name included. In dialect 1 a point in front of digits means nothing, either.
fn skip_punctuation(scanner: &mut Scanner<'_>, is_legacy: bool) {
    while let Some(byte) = scanner.peek() {
        let is_name = byte == b'$' && scanner.peek_at(1).is_some_and(is_word);
        if is_word(byte)
            || is_name
            || b"()[]{}-+\"'\\".contains(&byte)
            || scanner.number_length(is_legacy) > 0
        {
            return;
        }
        scanner.at += 1;
    }
}

fn range(
    context: &Context<'_>,
    scanner: &Scanner<'_>,
    name: &[u8],
    start: usize,
    min: &Item,
    max: &Item,
) -> Result<Node, Error> {
    let (
        Item::Number { value: min, from_parameter: min_given, excluded: excludes_min },
        Item::Number { value: max, from_parameter: max_given, excluded: excludes_max },
    ) = (min, max)
    else {
        return Err(scanner.syntax());
    };
    let field = of_type(context, scanner, name, start, "NUMERIC")?;
    if min > max {
        if *min_given || *max_given {
            let shown = base::number::format_shortest(*max);
            let shown = String::from_utf8_lossy(shown.as_bytes()).into_owned();
            return Err(Error::new(Code::Arguments, format!("Bad upper range: {shown}")));
        }
        let text = format!("Invalid numeric range (min > max): @{}:[{min:.6} {max:.6}]", shown(name));
        return Err(Error::new(Code::Syntax, text));
    }
    let range =
        NumericRange { min: *min, max: *max, excludes_min: *excludes_min, excludes_max: *excludes_max };
    Ok(numeric(field, range))
}

fn numeric(field: Option<u16>, range: NumericRange) -> Node {
    Node::new(field.map_or(Kind::Empty, |field| Kind::Numeric { field, range }))
}

fn circle(
    context: &Context<'_>,
    scanner: &Scanner<'_>,
    name: &[u8],
    start: usize,
    [longitude, latitude, radius]: [f64; 3],
    unit: &[u8],
) -> Result<Node, Error> {
    let field = of_type(context, scanner, name, start, "GEO")?;
    let refuse = |text: String| Err(Error::new(Code::Arguments, text));
    let Some(unit) = Unit::parse(unit) else {
        return refuse(format!("Invalid GeoFilter unit: {}", shown(unit)));
    };
    if radius.is_nan() || radius <= 0.0 {
        return refuse("Invalid GeoFilter radius".to_owned());
    }
    if !(-180.0..=180.0).contains(&longitude) || !(-90.0..=90.0).contains(&latitude) {
        return refuse("Invalid GeoFilter lat/lon".to_owned());
    }
    let circle = Circle { longitude, latitude, radius, unit };
    Ok(Node::new(field.map_or(Kind::Empty, |field| Kind::Geo { field, circle })))
}

fn shape(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    name: &[u8],
    start: usize,
    relation: Relation,
) -> Result<Node, Error> {
    scanner.skip_blanks();
    if scanner.peek() != Some(b'$') {
        scanner.word();
        return Err(scanner.syntax());
    }
    let written = super::modern::parameter_value(context, scanner)?.to_vec();
    scanner.skip_blanks();
    if !scanner.take(b"]") {
        return Err(scanner.syntax());
    }
    let field = of_type(context, scanner, name, start, "GEOSHAPE")?;
    let Some(field) = field else { return Ok(Node::new(Kind::Empty)) };
    let coordinates = match &context.schema.fields[usize::from(field)].kind {
        schema::Kind::Geoshape(coordinates) => *coordinates,
        _ => Coordinates::default(),
    };
    let shape = crate::shape::read(&written, coordinates)
        .map_err(|why| Error::new(Code::Query, format!("Error parsing geoshape: {why}")))?;
    Ok(Node::new(Kind::Geoshape { field, relation, shape: Arc::new(shape), written }))
}

/// `==`, `!=`, `<`, `<=`, `>`, `>=` and a number, if an operator stands here.
pub(super) fn comparison(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    name: &[u8],
    start: usize,
) -> Result<Option<Node>, Error> {
    let operators: [&[u8]; 6] = [b"==", b"!=", b"<=", b">=", b"<", b">"];
    let Some(operator) = operators.into_iter().find(|operator| scanner.starts_with(operator)) else {
        return Ok(None);
    };
    scanner.at += operator.len();
    scanner.skip_blanks();
    let Some(Item::Number { value, .. }) = number(context, scanner, 0)? else {
        scanner.word();
        return Err(scanner.syntax());
    };
    let field = of_type(context, scanner, name, start, "NUMERIC")?;
    let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
    let (min, max) = match operator {
        b"==" | b"!=" => (value, value),
        b"<" | b"<=" => (low, value),
        _ => (value, high),
    };
    let range = NumericRange { min, max, excludes_min: operator == b">", excludes_max: operator == b"<" };
    let node = numeric(field, range);
    Ok(Some(if operator == b"!=" { Node::new(Kind::Not(Box::new(node))) } else { node }))
}
