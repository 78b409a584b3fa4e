//! The bounds of ranges by score and by name, as clients write them.

use crate::Error;
use base::number;
use types::zset::{LexBound, LexRange, ScoreBound, ScoreRange};

/// `min` and `max` of a range by score: a number, or `(` and a number that is itself left out.
///
/// # Errors
/// `ERR min or max is not a float`
pub fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, Error> {
    let bound = |text| score_bound(text).ok_or_else(|| Error::MIN_MAX_NOT_FLOAT);
    Ok(ScoreRange { min: bound(min)?, max: bound(max)? })
}

fn score_bound(text: &[u8]) -> Option<ScoreBound> {
    match text {
        [b'(', text @ ..] => score(text).map(ScoreBound::Exclusive),
        text => score(text).map(ScoreBound::Inclusive),
    }
}

/// As Redis reads bounds since 8.0: they end at a zero byte, nothing at all is 0, numbers out of range become infinite or 0, and there are no
/// hexadecimal ones.
fn score(text: &[u8]) -> Option<f64> {
    if (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit) {
        // The usual case.
        return number::parse_f64(text);
    }
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let hexadecimal = text.iter().any(|b| b.eq_ignore_ascii_case(&b'x'));
    number::parse_f64(text).filter(|_| !hexadecimal).or_else(|| {
        let decimal =
            text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        std::str::from_utf8(text).ok().filter(|_| decimal)?.parse().ok()
    })
}

/// `min` and `max` of a range by name: `-`, `+`, `[name` or `(name`.
///
/// # Errors
/// `ERR min or max not valid string range item`
pub fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Error> {
    let bound = |text| lex_bound(text).ok_or_else(|| Error::MIN_MAX_NOT_STRING_RANGE);
    Ok(LexRange { min: bound(min)?, max: bound(max)? })
}

fn lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" => Some(LexBound::Min),
        b"+" => Some(LexBound::Max),
        [b'(', name @ ..] => Some(LexBound::Exclusive(name)),
        [b'[', name @ ..] => Some(LexBound::Inclusive(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_scores() {
        use ScoreBound::{Exclusive, Inclusive};
        let bound = |text: &str| score_bound(text.as_bytes());
        assert_eq!(bound("1.5"), Some(Inclusive(1.5)));
        assert_eq!(bound("(-inf"), Some(Exclusive(f64::NEG_INFINITY)));
        assert_eq!(bound("+inf"), Some(Inclusive(f64::INFINITY)));
        assert_eq!(bound(""), Some(Inclusive(0.0)));
        assert_eq!(bound("("), Some(Exclusive(0.0)));
        assert_eq!(bound("1e999"), Some(Inclusive(f64::INFINITY)));
        assert_eq!(bound("1e-999"), Some(Inclusive(0.0)));
        for wrong in ["nan", "(nan", "1x", "((1", "[1", "1e", " 1", ".", "0x10"] {
            assert_eq!(bound(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bounds_of_names() {
        assert_eq!(lex_bound(b"[a"), Some(LexBound::Inclusive(b"a")));
        assert_eq!(lex_bound(b"("), Some(LexBound::Exclusive(b"")));
        for wrong in [&b""[..], b"a", b"-a", b"+inf", b"--"] {
            assert_eq!(lex_bound(wrong), None);
        }
    }
}
