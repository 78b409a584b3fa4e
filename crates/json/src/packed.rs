//! The packed form: a value as one run of bytes.
//!
//! The first byte says what follows:
//!
//! | byte | value |
//! |---|---|
//! | 0, 1, 2 | null, false, true |
//! | 3 … 6 | a whole number of 1, 2, 4, 8 bytes |
//! | 7 | a whole number above `i64::MAX`, 8 bytes |
//! | 8, 9 | a number with a fraction of 4 (see [`crate::numbers`]), 8 bytes |
//! | 10 | a string: its length, its bytes |
//! | 11 | an array: its body's length, its number of elements, the elements |
//! | 12 | an object: its body's length, its number of members, each a name (length, bytes) and a value |
//! | 13 | an array of numbers: one byte for the width, the number of elements, these |
//! | 64 … 127 | a string of 0 to 63 bytes, which follow |
//! | 128 … 255 | a whole number from −16 to 111 |
//!
//! Lengths are unsigned LEB128. The bytes are ours alone: what comes from outside is parsed, never taken for packed.

use crate::Number;
use crate::numbers::{self, NumbersRef, Width};
use crate::view::{Array, Object, View};

/// Arrays and objects of more bytes have their elements as nodes of their own.
pub const BYTES_MAX: usize = 2048;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UNSIGNED: u8 = 7;
const FLOAT_4: u8 = 8;
const FLOAT_8: u8 = 9;
const STRING: u8 = 10;
const ARRAY: u8 = 11;
const OBJECT: u8 = 12;
const NUMBERS: u8 = 13;
const SHORT_STRING: u8 = 64;
const SHORT_STRING_MAX: usize = 63;
const SMALL: u8 = 128;
const SMALL_MIN: i64 = -16;
const SMALL_MAX: i64 = 111;

/// Appends a length.
pub fn put_len(mut len: usize, out: &mut Vec<u8>) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

/// How many bytes a length takes.
fn len_bytes(len: usize) -> usize {
    (usize::BITS - (len | 1).leading_zeros()).div_ceil(7) as usize
}

fn get_len(bytes: &[u8]) -> (usize, usize) {
    let (mut len, mut used) = (0, 0);
    loop {
        let byte = bytes[used];
        len |= usize::from(byte & 0x7f) << (7 * used);
        used += 1;
        if byte & 0x80 == 0 {
            return (len, used);
        }
    }
}

pub fn put_null(out: &mut Vec<u8>) {
    out.push(NULL);
}

pub fn put_bool(value: bool, out: &mut Vec<u8>) {
    out.push(if value { TRUE } else { FALSE });
}

pub fn put_number(number: Number, out: &mut Vec<u8>) {
    match number {
        Number::Int(value @ SMALL_MIN..=SMALL_MAX) => out.push(SMALL + (value - SMALL_MIN) as u8),
        Number::Unsigned(value) => {
            out.push(UNSIGNED);
            out.extend_from_slice(&value.to_le_bytes());
        }
        number => {
            let width = Width::for_number(number).expect("all but the unsigned ones have a width");
            out.push(match width {
                Width::F32 => FLOAT_4,
                Width::F64 => FLOAT_8,
                whole => INT + whole as u8,
            });
            numbers::push(width, number, out);
        }
    }
}

/// Appends a number with a fraction at full width.
pub fn put_double(value: f64, out: &mut Vec<u8>) {
    out.push(FLOAT_8);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Gives the number at the end of `out` the width that it needs, if what begins at `at` is one with a fraction.
pub fn shorten_double(at: usize, out: &mut Vec<u8>) {
    if out[at] == FLOAT_8 {
        let (View::Number(number), _) = get(&out[at..]) else { unreachable!("the tag says so") };
        out.truncate(at);
        put_number(number, out);
    }
}

/// Appends a string, UTF-8.
pub fn put_string(text: &[u8], out: &mut Vec<u8>) {
    if text.len() <= SHORT_STRING_MAX {
        out.push(SHORT_STRING + text.len() as u8);
    } else {
        out.push(STRING);
        put_len(text.len(), out);
    }
    out.extend_from_slice(text);
}

/// Appends the name of a member.
pub fn put_name(name: &[u8], out: &mut Vec<u8>) {
    put_len(name.len(), out);
    out.extend_from_slice(name);
}

pub fn put_numbers(numbers: NumbersRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[NUMBERS, numbers.width as u8]);
    put_len(numbers.len(), out);
    out.extend_from_slice(numbers.bytes);
}

/// Makes what stands behind `start` the body of an array of `count` elements.
pub fn close_array(start: usize, count: usize, out: &mut Vec<u8>) {
    close(ARRAY, start, count, out);
}

/// Makes what stands behind `start` the body of an object of `count` members.
pub fn close_object(start: usize, count: usize, out: &mut Vec<u8>) {
    close(OBJECT, start, count, out);
}

fn close(tag: u8, start: usize, count: usize, out: &mut Vec<u8>) {
    let body = out.len() - start;
    let head = 1 + len_bytes(body) + len_bytes(count);
    out.resize(out.len() + head, 0);
    out.copy_within(start..start + body, start + head);
    let mut header = Vec::with_capacity(head);
    header.push(tag);
    put_len(body, &mut header);
    put_len(count, &mut header);
    out[start..start + head].copy_from_slice(&header);
}

/// The value at the beginning of `bytes`, and how many it takes.
///
/// # Panics
/// If they are not packed.
pub fn get(bytes: &[u8]) -> (View<'_>, usize) {
    match bytes[0] {
        small @ SMALL.. => (View::Number(Number::Int(i64::from(small - SMALL) + SMALL_MIN)), 1),
        tag @ SHORT_STRING.. => {
            let len = usize::from(tag - SHORT_STRING);
            (View::String(&bytes[1..=len]), 1 + len)
        }
        NULL => (View::Null, 1),
        FALSE => (View::Bool(false), 1),
        TRUE => (View::Bool(true), 1),
        UNSIGNED => {
            let value: [u8; 8] = bytes[1..9].try_into().expect("eight bytes");
            (View::Number(Number::Unsigned(u64::from_le_bytes(value))), 9)
        }
        STRING => {
            let (len, used) = get_len(&bytes[1..]);
            (View::String(&bytes[1 + used..][..len]), 1 + used + len)
        }
        tag @ (ARRAY | OBJECT) => {
            let (len, used) = get_len(&bytes[1..]);
            let (count, more) = get_len(&bytes[1 + used..]);
            let start = 1 + used + more;
            let body = &bytes[start..][..len];
            let view = if tag == ARRAY {
                View::Array(Array::Packed { body, len: count })
            } else {
                View::Object(Object::Packed { body, len: count })
            };
            (view, start + len)
        }
        NUMBERS => {
            let width = Width::of(bytes[1]).expect("a width");
            let (count, used) = get_len(&bytes[2..]);
            let bytes = &bytes[2 + used..][..count * width.bytes()];
            (View::Array(Array::Numbers(NumbersRef { width, bytes })), 2 + used + bytes.len())
        }
        tag => {
            let width = match tag {
                FLOAT_4 => Width::F32,
                FLOAT_8 => Width::F64,
                whole => Width::of(whole - INT).expect("a width"),
            };
            let numbers = NumbersRef { width, bytes: &bytes[1..][..width.bytes()] };
            (View::Number(numbers.get(0)), 1 + width.bytes())
        }
    }
}

/// How many bytes the value at the beginning of `bytes` takes.
pub fn skip(bytes: &[u8]) -> usize {
    match bytes[0] {
        NULL | FALSE | TRUE | SMALL.. => 1,
        tag @ SHORT_STRING.. => 1 + usize::from(tag - SHORT_STRING),
        STRING => {
            let (len, used) = get_len(&bytes[1..]);
            1 + used + len
        }
        ARRAY | OBJECT => {
            let (len, used) = get_len(&bytes[1..]);
            let (_, more) = get_len(&bytes[1 + used..]);
            1 + used + more + len
        }
        NUMBERS => get(bytes).1,
        tag => {
            1 + match tag {
                FLOAT_4 => 4,
                FLOAT_8 | UNSIGNED => 8,
                whole => 1 << (whole - INT),
            }
        }
    }
}

/// The name at the beginning of `bytes`, and how many bytes it takes.
pub fn get_name(bytes: &[u8]) -> (&[u8], usize) {
    let (len, used) = get_len(bytes);
    (&bytes[used..][..len], used + len)
}

/// Appends a value in packed form, however it is kept, as if there were no limit.
pub fn put(view: View<'_>, out: &mut Vec<u8>) {
    match view {
        View::Null => put_null(out),
        View::Bool(value) => put_bool(value, out),
        View::Number(number) => put_number(number, out),
        View::String(text) => put_string(text, out),
        View::Array(Array::Numbers(numbers)) => put_numbers(numbers, out),
        View::Array(array) => {
            let start = out.len();
            array.iter().for_each(|element| put(element, out));
            close_array(start, array.len(), out);
        }
        View::Object(object) => {
            let start = out.len();
            for (name, value) in object.iter() {
                put_name(name, out);
                put(value, out);
            }
            close_object(start, object.len(), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 1 << 28, usize::MAX >> 1] {
            let mut out = Vec::new();
            put_len(len, &mut out);
            assert_eq!((get_len(&out), len_bytes(len)), ((len, out.len()), out.len()));
        }
    }

    #[test]
    fn scalars() {
        let numbers = [
            Number::Int(-16),
            Number::Int(111),
            Number::Int(112),
            Number::Int(-17),
            Number::Int(-30_000),
            Number::Int(1 << 31),
            Number::Unsigned(u64::MAX),
            Number::Float(0.1),
            Number::Float(1.0e-300),
        ];
        for number in numbers {
            let mut out = Vec::new();
            put_number(number, &mut out);
            let (View::Number(read), used) = get(&out) else { panic!("no number") };
            assert_eq!((read, read.is_whole(), used), (number, number.is_whole(), out.len()));
            assert_eq!(skip(&out), out.len());
        }
        for len in [0, 1, 63, 64, 127, 128, 70_000] {
            let (text, mut out) = (vec![b'x'; len], Vec::new());
            put_string(&text, &mut out);
            assert!(matches!(get(&out), (View::String(read), used) if read == text && used == out.len()));
            assert_eq!(skip(&out), out.len());
        }
    }
}
