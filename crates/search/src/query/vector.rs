//! `=>[KNN k @field $vector …]` and `[VECTOR_RANGE radius $vector]`.

use super::fields::of_type;
use super::grammar::{Context, invalid_number};
use super::scanner::Scanner;
use super::{Kind, Nearest, Node, Within, attributes, modern};
use crate::error::{Code, Error, shown};
use crate::vectors::NAMES;
use base::number::{parse_f64, parse_u64};
use std::sync::Arc;

/// More neighbours than this are not asked for, as in RediSearch.
const K_MAX: u64 = 1 << 58;

/// Reads `=>[KNN …]` and what `=> {…}` says behind it. `filter` is the part before it.
pub(super) fn nearest(context: &Context<'_>, scanner: &mut Scanner<'_>, filter: Node) -> Result<Node, Error> {
    scanner.at += 2;
    scanner.skip_blanks();
    if !scanner.take(b"[") {
        return Err(scanner.syntax());
    }
    scanner.skip_blanks();
    if !scanner.take_keyword(b"KNN") {
        scanner.word();
        return Err(scanner.syntax());
    }
    scanner.skip_blanks();
    let count = Count::read(scanner)?;
    scanner.skip_blanks();
    let start = scanner.at;
    if !scanner.take(b"@") {
        return Err(scanner.syntax());
    }
    let name = crate::text::unescape(scanner.name()).into_owned();
    scanner.skip_blanks();
    let (parameter, vector) = vector(context, scanner)?;
    let field = of_type(context, scanner, &name, start, "VECTOR")?.ok_or_else(|| scanner.syntax())?;
    let k = count.value(context)?;
    let mut given_name = None;
    let mut options: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    loop {
        scanner.skip_blanks();
        if scanner.take(b"]") {
            break;
        }
        if scanner.take_keyword(b"AS") {
            scanner.skip_blanks();
            given_name = Some(attributes::value(context, scanner)?);
            continue;
        }
        let option = scanner.word().to_vec();
        if option.is_empty() {
            return Err(scanner.syntax());
        }
        scanner.skip_blanks();
        let value = attributes::value(context, scanner)?;
        add_option(&mut options, option, value)?;
    }
    let is_named = given_name.is_some();
    let distance_name = given_name.unwrap_or_else(|| [b"__", &name[..], b"_score"].concat());
    let nearest = Nearest { field, k, vector, parameter, options, distance_name, is_named };
    let mut node = Node::new(Kind::Nearest { nearest, filter: Box::new(filter) });
    scanner.skip_blanks();
    if scanner.take(b"=>") {
        scanner.skip_blanks();
        if scanner.peek() != Some(b'{') {
            return Err(scanner.syntax());
        }
        attributes::parse(context, scanner, Some(&mut node))?;
    }
    Ok(node)
}

/// How many neighbours, as it was written.
enum Count {
    Number(u64),
    Parameter(Vec<u8>),
}

impl Count {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, Error> {
        let is_parameter = scanner.take(b"$");
        let word = scanner.word();
        if is_parameter && !word.is_empty() {
            return Ok(Self::Parameter(word.to_vec()));
        }
        parse_u64(word).map(Self::Number).ok_or_else(|| scanner.syntax())
    }

    fn value(&self, context: &Context<'_>) -> Result<usize, Error> {
        let k = match self {
            Self::Number(number) => *number,
            Self::Parameter(name) => {
                let text = context.parameters.get(name)?;
                parse_u64(text).ok_or_else(|| invalid_number(name, text))?
            }
        };
        if k > K_MAX {
            let text = format!("Error parsing vector similarity query: KNN K parameter is too large ({k})");
            return Err(Error::new(Code::Query, text));
        }
        Ok(k as usize)
    }
}

/// `$name` of a vector: the name and the bytes.
fn vector(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<(Vec<u8>, Arc<[u8]>), Error> {
    if scanner.peek() != Some(b'$') {
        scanner.word();
        return Err(scanner.syntax());
    }
    let start = scanner.at + 1;
    let vector = modern::parameter_value(context, scanner)?.into();
    Ok((scanner.text[start..scanner.at].to_vec(), vector))
}

fn add_option(options: &mut Vec<(Vec<u8>, Vec<u8>)>, name: Vec<u8>, value: Vec<u8>) -> Result<(), Error> {
    if options.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
        let text = "Parameter was specified twice (Error parsing vector similarity parameters)";
        return Err(Error::new(Code::Duplicate, text));
    }
    options.push((name, value));
    Ok(())
}

/// Reads what stands behind `[VECTOR_RANGE`.
pub(super) fn within(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    name: &[u8],
    start: usize,
) -> Result<Node, Error> {
    scanner.skip_blanks();
    let radius_at = scanner.at;
    let is_parameter = scanner.peek() == Some(b'$');
    let text = attributes::value(context, scanner)?;
    let radius = parse_f64(&text).ok_or_else(|| {
        if is_parameter {
            invalid_number(&scanner.text[radius_at + 1..scanner.at], &text)
        } else {
            scanner.syntax()
        }
    })?;
    scanner.skip_blanks();
    let (parameter, vector) = vector(context, scanner)?;
    scanner.skip_blanks();
    if !scanner.take(b"]") {
        return Err(scanner.syntax());
    }
    let field = of_type(context, scanner, name, start, "VECTOR")?.ok_or_else(|| scanner.syntax())?;
    if radius < 0.0 || radius.is_nan() {
        let text = format!(
            "Error parsing vector similarity query: negative radius ({}) given in a range query",
            shown(&text)
        );
        return Err(Error::new(Code::Query, text));
    }
    let within = Within { field, radius, vector, parameter, options: Vec::new(), distance_name: None };
    Ok(Node::new(Kind::Within(within)))
}

/// An attribute that is about vectors.
pub(super) fn set_option(
    node: &mut Node,
    name: &[u8],
    value: &[u8],
    invalid: &dyn Fn() -> Error,
) -> Result<(), Error> {
    let yields = name == b"yield_distance_as";
    if yields && value.is_empty() {
        return Err(invalid());
    }
    match &mut node.kind {
        Kind::Nearest { nearest, .. } if yields && nearest.is_named => {
            let (first, second) = (shown(&nearest.distance_name), shown(value));
            let text = format!("Distance field was specified twice for vector query: {first} and {second}");
            return Err(Error::new(Code::Duplicate, text));
        }
        Kind::Nearest { nearest, .. } if yields => {
            (nearest.distance_name, nearest.is_named) = (value.to_vec(), true);
        }
        Kind::Within(within) if yields => within.distance_name = Some(value.to_vec()),
        _ if !NAMES.contains(&name) => {
            return Err(Error::new(Code::Option, format!("Invalid attribute {}", shown(name))));
        }
        Kind::Nearest { nearest: Nearest { options, .. }, .. } | Kind::Within(Within { options, .. }) => {
            add_option(options, name.to_vec(), value.to_vec())?;
        }
        _ => {}
    }
    Ok(())
}
