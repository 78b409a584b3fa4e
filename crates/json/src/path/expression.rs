//! The text of an expression into a tree. From the loosest to the tightest: `||`, `&&`, `!`, relations, `+ -`, `* / %`, signs, calls.

use super::parse::{SyntaxError, segments};
use super::syntax::{Expression, Function, Operator, Origin, Relation};
use super::text::{Cursor, is_of_function, is_of_name};
use crate::{Node, parse as parse_json, write};

/// What is learned on the way.
#[derive(Default)]
pub struct Shape {
    /// `$` occurs.
    pub has_document: bool,
    /// There is a current value.
    pub is_in_filter: bool,
}

const OPERAND: &str = "'$', '@', '(', '!', '-', '<string>', '<number>', a literal, a function";

type Parsed = Result<Expression, SyntaxError>;

pub fn expression(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    chain(cursor, shape, b"||", Expression::Any, |cursor, shape| {
        chain(cursor, shape, b"&&", Expression::All, negation)
    })
}

/// Operands with a token between each two.
fn chain(
    cursor: &mut Cursor<'_>,
    shape: &mut Shape,
    token: &[u8],
    together: fn(Vec<Expression>) -> Expression,
    operand: fn(&mut Cursor<'_>, &mut Shape) -> Parsed,
) -> Parsed {
    let first = operand(cursor, shape)?;
    let mut operands = vec![first];
    while eat_behind_blanks(cursor, token) {
        cursor.skip_blanks();
        operands.push(operand(cursor, shape)?);
    }
    Ok(if operands.len() == 1 { operands.remove(0) } else { together(operands) })
}

/// Passes over blanks and a token; over nothing if the token is not there.
fn eat_behind_blanks(cursor: &mut Cursor<'_>, token: &[u8]) -> bool {
    let start = cursor.at;
    cursor.skip_blanks();
    let found = cursor.eat(token);
    if !found {
        cursor.at = start;
    }
    found
}

fn negation(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    if cursor.peek() == Some(b'!') && !cursor.rest().starts_with(b"!=") {
        cursor.at += 1;
        cursor.skip_blanks();
        return cursor.deeper(|cursor| negation(cursor, shape)).map(|inner| Expression::Not(Box::new(inner)));
    }
    relation(cursor, shape)
}

fn relation(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    let left = sum(cursor, shape)?;
    let start = cursor.at;
    cursor.skip_blanks();
    let Some(relation) = relation_sign(cursor) else {
        cursor.at = start;
        return Ok(left);
    };
    cursor.skip_blanks();
    let right = sum(cursor, shape)?;
    Ok(Expression::Compare(Box::new(left), relation, Box::new(right)))
}

fn relation_sign(cursor: &mut Cursor<'_>) -> Option<Relation> {
    const SIGNS: [(&[u8], Relation); 7] = [
        (b"==", Relation::Equal),
        (b"!=", Relation::Unequal),
        (b"<=", Relation::LessOrEqual),
        (b">=", Relation::GreaterOrEqual),
        (b"=~", Relation::Matches),
        (b"<", Relation::Less),
        (b">", Relation::Greater),
    ];
    if let Some((_, relation)) = SIGNS.iter().find(|(sign, _)| cursor.eat(sign)) {
        return Some(*relation);
    }
    let len = cursor.rest().iter().take_while(|byte| is_of_name(**byte)).count();
    let word = &cursor.rest()[..len];
    let (_, relation) = Relation::WORDS.iter().find(|(known, _)| *known == word)?;
    cursor.at += len;
    Some(*relation)
}

fn sum(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    arithmetic(cursor, shape, &[(b'+', Operator::Plus), (b'-', Operator::Minus)], |cursor, shape| {
        let signs = [(b'*', Operator::Times), (b'/', Operator::Over), (b'%', Operator::Modulo)];
        arithmetic(cursor, shape, &signs, signed)
    })
}

fn arithmetic(
    cursor: &mut Cursor<'_>,
    shape: &mut Shape,
    signs: &[(u8, Operator)],
    operand: fn(&mut Cursor<'_>, &mut Shape) -> Parsed,
) -> Parsed {
    let first = operand(cursor, shape)?;
    let mut others = Vec::new();
    while let Some((_, operator)) = signs.iter().find(|(sign, _)| eat_behind_blanks(cursor, &[*sign])) {
        cursor.skip_blanks();
        others.push((*operator, operand(cursor, shape)?));
    }
    Ok(if others.is_empty() { first } else { Expression::Arithmetic(Box::new(first), others) })
}

fn signed(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    let make = match cursor.peek() {
        Some(b'-') => Expression::Negative,
        Some(b'+') => Expression::Positive,
        _ => return called(cursor, shape),
    };
    cursor.at += 1;
    cursor.skip_blanks();
    cursor.deeper(|cursor| signed(cursor, shape)).map(|inner| make(Box::new(inner)))
}

/// An operand with `.name(…)` behind it, as often as it comes, or `~`.
fn called(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    let mut operand = operand(cursor, shape)?;
    if matches!(operand, Expression::Nodes(..)) && cursor.eat(b"~") {
        return Ok(Expression::Names(Box::new(operand)));
    }
    let mut calls = 0;
    while let Some(function) = method(cursor) {
        // Each is a level of the tree.
        cursor.descend()?;
        calls += 1;
        let mut arguments = vec![operand];
        arguments_into(cursor, shape, &mut arguments)?;
        operand = Expression::Call(function, arguments);
    }
    cursor.ascend(calls);
    Ok(operand)
}

/// `.name` in front of a parenthesis.
fn method(cursor: &mut Cursor<'_>) -> Option<Function> {
    let start = cursor.at;
    if cursor.eat(b".") {
        let name = cursor.bare_name();
        if is_of_function(name) && cursor.peek() == Some(b'(') {
            return Some(Function::named(name));
        }
    }
    cursor.at = start;
    None
}

/// `(…)` behind the name of a function.
fn arguments_into(
    cursor: &mut Cursor<'_>,
    shape: &mut Shape,
    arguments: &mut Vec<Expression>,
) -> Result<(), SyntaxError> {
    cursor.expect(b"(")?;
    cursor.skip_blanks();
    if cursor.eat(b")") {
        return Ok(());
    }
    loop {
        cursor.skip_blanks();
        arguments.push(cursor.deeper(|cursor| expression(cursor, shape))?);
        cursor.skip_blanks();
        if cursor.eat(b")") {
            return Ok(());
        }
        cursor.expect(b",")?;
    }
}

fn operand(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    match cursor.peek() {
        Some(b'$') => {
            cursor.at += 1;
            shape.has_document = true;
            let was_inside = shape.is_in_filter;
            let segments = segments(cursor, shape)?;
            shape.is_in_filter = was_inside;
            Ok(Expression::Nodes(Origin::Document, segments))
        }
        Some(b'@') if shape.is_in_filter => {
            cursor.at += 1;
            segments(cursor, shape).map(|segments| Expression::Nodes(Origin::Current, segments))
        }
        Some(b'(') => {
            cursor.at += 1;
            cursor.skip_blanks();
            let inner = cursor.deeper(|cursor| expression(cursor, shape))?;
            cursor.skip_blanks();
            cursor.expect(b")")?;
            Ok(inner)
        }
        Some(b'"' | b'\'' | b'[' | b'{' | b'0'..=b'9') => literal(cursor),
        Some(byte) if byte.is_ascii_lowercase() => word(cursor, shape),
        _ => Err(cursor.error(OPERAND)),
    }
}

/// `true`, `false`, `null`, or a call.
fn word(cursor: &mut Cursor<'_>, shape: &mut Shape) -> Parsed {
    let start = cursor.at;
    let len = cursor.rest().iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let name = &cursor.rest()[..len];
    cursor.at += len;
    if matches!(name, b"true" | b"false" | b"null") {
        let node = parse_json(name, None).map_err(|_| cursor.error(OPERAND))?;
        return Ok(Expression::Literal(node));
    }
    cursor.skip_blanks();
    if cursor.peek() != Some(b'(') {
        cursor.at = start;
        return Err(cursor.error(OPERAND));
    }
    let mut arguments = Vec::new();
    arguments_into(cursor, shape, &mut arguments)?;
    Ok(Expression::Call(Function::named(name), arguments))
}

/// A string, number, array or object. It is put down as JSON, strings in JSON's quotes, and parsed as such.
fn literal(cursor: &mut Cursor<'_>) -> Parsed {
    let (start, mut json) = (cursor.at, Vec::new());
    append_literal(cursor, &mut json)?;
    let node: Result<Node, String> = parse_json(&json, None);
    node.map(Expression::Literal).map_err(|error| SyntaxError::new(cursor.text, start, &error))
}

/// Appends a literal as JSON. Whether what stands in brackets is in order the parser of JSON finds out, which bounds its depth, too.
fn append_literal(cursor: &mut Cursor<'_>, json: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let mut open = 0_usize;
    loop {
        match cursor.peek() {
            Some(b'"' | b'\'') => {
                let text = cursor.quoted()?.unwrap_or_default();
                write::write_string(&text, json);
            }
            Some(byte @ (b'[' | b'{')) => {
                open += 1;
                json.push(byte);
                cursor.at += 1;
            }
            Some(byte @ (b']' | b'}')) if open > 0 => {
                open -= 1;
                json.push(byte);
                cursor.at += 1;
            }
            Some(byte) if open > 0 => {
                json.push(byte);
                cursor.at += 1;
            }
            Some(b'0'..=b'9') => {
                let len = number_bytes(cursor.rest());
                json.extend_from_slice(&cursor.rest()[..len]);
                cursor.at += len;
            }
            _ => return Err(cursor.error("']', '}'")),
        }
        if open == 0 {
            return Ok(());
        }
    }
}

/// How long the number is that comes next.
fn number_bytes(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(0);
    if text.get(len) == Some(&b'.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
    }
    if matches!(text.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        let power = digits((len + 1 + sign).min(text.len()));
        if power > 0 {
            len += 1 + sign + power;
        }
    }
    len
}
