//! Arrays (type 28, from Redis 8.8 on).
//!
//! ```text
//! count, 1 and the cursor or 0, then of each element: position, kind, element
//! ```
//! Count, cursor, positions and kinds are lengths. Which kind an element gets, Redis decides by its text: an integer that
//! fits 62 bits, a double whose two lowest bits are clear, a text of at most seven bytes, or a longer one.

use crate::encode::Room;
use crate::{Error, Reader, append_len, append_string};
use base::number::format_shortest;
use types::Array;
use types::array::{Element, INDEX_MAX, exact_double};

const TEXT: u64 = 0;
/// Eight bytes, little endian.
const INT: u64 = 1;
/// Eight bytes, little endian.
const FLOAT: u64 = 2;
const SHORT_TEXT: u64 = 3;

const SHORT_TEXT_BYTES_MAX: usize = 7;
const INT_MAX: i64 = (1 << 61) - 1;

/// Appends what stands before the elements.
pub fn append_head(out: &mut Vec<u8>, array: &Array) {
    append_len(out, array.len());
    match array.cursor() {
        None => append_len(out, 0),
        Some(cursor) => {
            append_len(out, 1);
            append_len(out, cursor);
        }
    }
}

/// Appends the elements from a position on; where to go on if there was not room for all of them.
pub fn append_from(out: &mut Vec<u8>, array: &Array, first: u64, room: Room) -> Option<u64> {
    let (last, mut next) = (array.end().saturating_sub(1), None);
    array.visit(first, INDEX_MAX, |index, element| {
        append_len(out, index);
        append_element(out, element, room.compress);
        next = (index < last && room.is_used_up(out)).then(|| index + 1);
        next.is_none()
    });
    next
}

/// Appends an element behind its position.
pub fn append_element(out: &mut Vec<u8>, element: Element<'_>, compress: bool) {
    if let Element::Int(value @ ..=INT_MAX) = element
        && value >= -INT_MAX - 1
    {
        append_len(out, INT);
        out.extend_from_slice(&value.to_le_bytes());
        return;
    }
    element.with_text(|text| match exact_double(text) {
        Some(value) => {
            append_len(out, FLOAT);
            out.extend_from_slice(&value.to_le_bytes());
        }
        None => {
            append_len(out, if text.len() <= SHORT_TEXT_BYTES_MAX { SHORT_TEXT } else { TEXT });
            append_string(out, text, compress);
        }
    });
}

/// The text of a double: what looks like an integer gets a point.
fn float_text(value: f64) -> Vec<u8> {
    let own = format_shortest(value);
    let mut text = own.as_bytes().to_vec();
    if value.is_finite() && !text.iter().any(|byte| b".eE".contains(byte)) {
        text.extend_from_slice(b".0");
    }
    text
}

pub fn read(reader: &mut Reader<'_>) -> Result<Array, Error> {
    const CORRUPT: Error = Error::Corrupt("array");
    let count = reader.count()?;
    let mut array = Array::new();
    match reader.length()? {
        0 => {}
        1 => {
            let cursor = reader.length()?;
            if cursor > INDEX_MAX {
                return Err(CORRUPT);
            }
            array.set_cursor(Some(cursor));
        }
        _ => return Err(CORRUPT),
    }
    let mut next = 0;
    for _ in 0..count {
        let index = reader.length()?;
        if index < next || index > INDEX_MAX {
            return Err(CORRUPT);
        }
        next = index + 1;
        match reader.length()? {
            TEXT | SHORT_TEXT => array.set(index, &reader.string()?),
            INT => array.set(index, base::number::I64Buf::new(reader.u64_le()? as i64).as_bytes()),
            FLOAT => array.set(index, &float_text(reader.f64_le()?)),
            _ => return Err(CORRUPT),
        };
    }
    Ok(array)
}

/// Passes over an array.
pub fn skip(reader: &mut Reader<'_>) -> Result<(), Error> {
    let count = reader.length()?;
    if reader.length()? == 1 {
        reader.length()?;
    }
    for _ in 0..count {
        reader.length()?;
        match reader.length()? {
            TEXT | SHORT_TEXT => reader.skip_string()?,
            INT | FLOAT => drop(reader.take(8)?),
            _ => return Err(Error::Corrupt("array")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As far as it is known without a server that has arrays: what others that read these files expect.
    #[test]
    fn the_bytes_are_those_that_others_read() {
        let mut array = Array::new();
        for (index, text) in [(0, "7"), (1, "0.5"), (5, "ab"), (70, "a long text"), (71, "1.0")] {
            array.set(index, text.as_bytes());
        }
        array.set_cursor(Some(71));
        let mut out = Vec::new();
        append_head(&mut out, &array);
        assert_eq!(append_from(&mut out, &array, 0, Room::endless(true)), None);
        let mut expected = vec![5, 1, 0x40, 71];
        expected.extend([0, 1, 7, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([1, 2]);
        expected.extend(0.5f64.to_le_bytes());
        expected.extend(b"\x05\x03\x02ab");
        expected.extend(b"\x40\x46\x00\x0ba long text");
        expected.extend([0x40, 71, 2]);
        expected.extend(1.0f64.to_le_bytes());
        assert_eq!(out, expected);
        let again = read(&mut Reader::new(&out)).expect("own bytes");
        assert_eq!((again.len(), again.cursor(), again.end()), (5, Some(71), 72));
        assert_eq!(again.get(71).map(Element::to_vec), Some(b"1.0".to_vec()));
    }

    #[test]
    fn doubles_that_are_told_by_their_bits() {
        for text in ["0.5", "-0.5", "1.0", "-1234.5", "100.25"] {
            assert!(
                exact_double(text.as_bytes()).is_some_and(|value| float_text(value) == text.as_bytes()),
                "{text}"
            );
        }
        for text in ["5", "1.00", ".5", "1e5", "1.5e3", "0.1", "", ".", "-", "+1.5", "1.2.3", "inf"] {
            assert!(exact_double(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let refused = |bytes: &[u8]| read(&mut Reader::new(bytes)).expect_err("refused");
        assert_eq!(refused(&[0, 0]), Error::Empty);
        assert_eq!(refused(&[1, 2, 0, 3, 0]), Error::Corrupt("array"));
        assert_eq!(refused(&[1, 0, 0, 4, 0]), Error::Corrupt("array"));
        assert_eq!(refused(&[2, 0, 1, 3, 0, 1, 3, 0]), Error::Corrupt("array"));
        let last = [0x81, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(refused(&[&[1, 0][..], &last, &[3, 0]].concat()), Error::Corrupt("array"));
        assert_eq!(refused(&[&[1, 1][..], &last, &[0, 3, 0]].concat()), Error::Corrupt("array"));
        assert_eq!(refused(&[1, 0, 0, 1, 0, 0]), Error::Truncated);
    }
}
