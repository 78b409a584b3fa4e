//! Shapes as text (WKT): `POINT (x y)`, `POLYGON ((x y, …), (…))`.
//!
//! As lenient as RediSearch's tests show: a coordinate too many is passed over, one that is missing is that of the corner before, commas between rings may be missing, rings need not be closed,
//! corners may be given twice. Its words are those of errors.

use super::space::Corner;
use super::{CORNERS_MAX, Figure, Ring, Shape, valid};
use crate::schema::Coordinates;
use base::number::parse_f64;

/// Reads a shape.
///
/// # Errors
/// What is wrong with the text, or with the shape.
pub fn read(text: &[u8], coordinates: Coordinates) -> Result<Shape, String> {
    let mut tokens = Tokens { text };
    let keyword = tokens.next().unwrap_or_default();
    let figure = if keyword.eq_ignore_ascii_case(b"POINT") {
        tokens.expect(b"(")?;
        let point = corner(&mut tokens, coordinates, [0.0; 2])?;
        tokens.expect(b")")?;
        Figure::Point(point)
    } else if keyword.eq_ignore_ascii_case(b"POLYGON") {
        Figure::Polygon(valid::polygon(rings(&mut tokens, coordinates)?, coordinates)?)
    } else {
        return Err("Should start with 'POLYGON'".to_owned());
    };
    match tokens.next() {
        None => Ok(Shape { coordinates, figure }),
        Some(more) => Err(format!("Too many tokens at '{}'", String::from_utf8_lossy(more))),
    }
}

/// Words, and brackets and commas by themselves.
struct Tokens<'a> {
    text: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn peek(&mut self) -> Option<&'a [u8]> {
        self.text = self.text.trim_ascii_start();
        let is_mark = |byte: &u8| matches!(byte, b'(' | b')' | b',');
        match self.text {
            [] => None,
            [first, ..] if is_mark(first) => Some(&self.text[..1]),
            text => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || is_mark(byte);
                Some(&text[..text.iter().position(ends).unwrap_or(text.len())])
            }
        }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let token = self.peek()?;
        self.text = &self.text[token.len()..];
        Some(token)
    }

    fn takes(&mut self, mark: &[u8]) -> bool {
        let is_next = self.peek() == Some(mark);
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, mark: &[u8]) -> Result<(), String> {
        if self.takes(mark) {
            return Ok(());
        }
        let mark = String::from_utf8_lossy(mark);
        Err(match self.peek() {
            Some(other) => format!("Expected '{mark}' at '{}'", String::from_utf8_lossy(other)),
            None => format!("Expected '{mark}'"),
        })
    }
}

/// A corner, and what else stands before the next comma or bracket. What is missing is as in the corner before.
fn corner(tokens: &mut Tokens<'_>, coordinates: Coordinates, before: [f64; 2]) -> Result<Corner, String> {
    let mut at = before;
    let mut numbers = at.iter_mut();
    while let Some(token) = tokens.peek().filter(|token| !matches!(*token, b"(" | b")" | b",")) {
        tokens.next();
        if let Some(number) = numbers.next() {
            let read = parse_f64(token).filter(|number| number.is_finite());
            *number = read.ok_or("bad lexical cast: source type value could not be interpreted as target")?;
        }
    }
    if coordinates == Coordinates::Spherical {
        if !(-90.0..=90.0).contains(&at[1]) || !(-360.0..=360.0).contains(&at[0]) {
            return Err("invalid geometry: Geometry has point(s) with invalid coordinate(s)".to_owned());
        }
        at[0] = super::space::turn(at[0]);
    }
    // Zero has one sign, so that equal corners are equal in all ways.
    Ok(Corner::new(coordinates, at.map(|number| number + 0.0)))
}

fn rings(tokens: &mut Tokens<'_>, coordinates: Coordinates) -> Result<Vec<Ring>, String> {
    let (mut rings, mut count) = (Vec::new(), 0);
    tokens.expect(b"(")?;
    while !tokens.takes(b")") {
        tokens.expect(b"(")?;
        let mut corners: Vec<Corner> = Vec::new();
        while !tokens.takes(b")") {
            if tokens.peek().is_none() {
                return Err("Expected ')'".to_owned());
            }
            let before = corners.last().map_or([0.0; 2], |corner| corner.at);
            let next = corner(tokens, coordinates, before)?;
            if corners.last().is_none_or(|last| last.place != next.place) {
                corners.push(next);
            }
            count += 1;
            if count > CORNERS_MAX {
                return Err(format!("more than {CORNERS_MAX} corners"));
            }
            if !tokens.takes(b",") && tokens.peek() != Some(b")") {
                tokens.expect(b")")?;
            }
        }
        if corners.len() > 1
            && corners.first().map(|first| first.place) == corners.last().map(|last| last.place)
        {
            corners.pop();
        }
        rings.push(Ring { corners: corners.into_boxed_slice(), has_pole: false });
        tokens.takes(b",");
    }
    Ok(rings)
}
