//! The entries of a listpack: how one value is laid out in bytes, without the header and terminator around
//! them. Both `Listpack` and the nodes of `List` are rows of such entries.
//!
//! An entry is an encoding byte (with part of the value or length in it), the rest of the value, and the
//! length of all that again, written so that it can be read backwards ("backlen", 7 bits a byte, 1–5 bytes).
//! The format is the one of Redis (listpack.md of antirez; RDB files carry it), so bytes can go to and come
//! from files as they are.
//!
//! Reading functions other than [`check`] take entries that were checked or written here; on anything else
//! they may panic, never read out of bounds.

use base::number::{I64Buf, append_i64, i64_text_bytes, parse_i64};
use std::ops::Deref;

const INT_13: u8 = 0xC0;
const STR_12: u8 = 0xE0;
const STR_32: u8 = 0xF0;
const INT_16: u8 = 0xF1;
const INT_24: u8 = 0xF2;
const INT_32: u8 = 0xF3;
const INT_64: u8 = 0xF4;

/// Longest text of an integer of 64 bits.
const INTEGER_BYTES_MAX: usize = 20;

/// One value of a packed collection. Strings that are canonical integers are held as integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Int(i64),
    Str(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The item for a client's string: an integer if it is the canonical text of one.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        parse_i64(bytes).map_or(Item::Str(bytes), Item::Int)
    }

    /// Length in bytes as a string.
    #[inline]
    pub fn len(&self) -> usize {
        match *self {
            Item::Int(value) => i64_text_bytes(value),
            Item::Str(bytes) => bytes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item as string bytes.
    #[inline]
    pub fn text(&self) -> Text<'a> {
        match *self {
            Item::Int(value) => Text::Int(I64Buf::new(value)),
            Item::Str(bytes) => Text::Str(bytes),
        }
    }

    /// Calls `f` with the item as string bytes.
    #[inline]
    pub fn with_text<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match *self {
            Item::Int(value) => f(I64Buf::new(value).as_bytes()),
            Item::Str(bytes) => f(bytes),
        }
    }

    /// Appends the string bytes to `out`.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>) {
        match *self {
            Item::Int(value) => append_i64(out, value),
            Item::Str(bytes) => out.extend_from_slice(bytes),
        }
    }

    pub fn to_vec(&self) -> Vec<u8> {
        self.with_text(<[u8]>::to_vec)
    }

    /// The integer, if the item is one (also when a foreign file holds it as a string).
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Item::Int(value) => Some(value),
            Item::Str(bytes) => parse_i64(bytes),
        }
    }

    /// Whether the item is the string `bytes`. For many comparisons build a [`Needle`].
    pub fn eq_bytes(&self, bytes: &[u8]) -> bool {
        Needle::new(bytes).matches(*self)
    }
}

/// The string bytes of an item: borrowed, or the digits of an integer on the stack.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    Int(I64Buf),
    Str(&'a [u8]),
}

impl Deref for Text<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Text::Int(digits) => digits.as_bytes(),
            Text::Str(bytes) => bytes,
        }
    }
}

/// A string that is looked for: its integer value is worked out once.
#[derive(Clone, Copy)]
pub struct Needle<'a> {
    bytes: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, int: parse_i64(bytes) }
    }

    /// Integers held as strings (foreign files may do that) match too.
    #[inline]
    pub fn matches(&self, item: Item<'_>) -> bool {
        match item {
            Item::Int(value) => self.int == Some(value),
            Item::Str(bytes) => bytes == self.bytes,
        }
    }

    /// The item to store for this string.
    #[inline]
    pub fn item(&self) -> Item<'a> {
        self.int.map_or(Item::Str(self.bytes), Item::Int)
    }
}

/// Compares entries with one string without decoding the short ones.
pub struct Finder<'a> {
    needle: Needle<'a>,
    /// Last byte of the needle; for an empty one the encoding byte, which then stands in its place.
    last: u8,
}

impl<'a> Finder<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { needle: Needle::new(bytes), last: *bytes.last().unwrap_or(&0x80) }
    }

    /// Whether the entry that begins `row` is the string, and the bytes of the entry. Strings that are
    /// compared often begin alike (`field:1`, `field:2`), so the last byte is looked at first.
    #[inline]
    pub fn look(&self, row: &[u8]) -> (bool, usize) {
        let first = row[0];
        if first & 0xC0 == 0x80 {
            let n = usize::from(first & 0x3F);
            let bytes = self.needle.bytes;
            (n == bytes.len() && row[n] == self.last && row[1..1 + n] == *bytes, n + 2)
        } else {
            let (item, len) = read(row);
            (self.needle.matches(item), len)
        }
    }
}

/// Bytes of the backlen of an entry whose encoding byte and value take `len` bytes.
/// The bounds are those of Redis, which leaves the largest value of each width unused.
#[inline]
pub(super) fn backlen_bytes(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16383 => 2,
        16383..2097151 => 3,
        2097151..268435455 => 4,
        _ => 5,
    }
}

#[inline]
pub(super) fn body_bytes(item: Item<'_>) -> usize {
    match item {
        Item::Str(bytes) => match bytes.len() {
            n @ 0..64 => n + 1,
            n @ 64..4096 => n + 2,
            n => n + 5,
        },
        Item::Int(0..=127) => 1,
        Item::Int(-4096..=4095) => 2,
        Item::Int(-32_768..=32_767) => 3,
        Item::Int(-8_388_608..=8_388_607) => 4,
        Item::Int(-2_147_483_648..=2_147_483_647) => 5,
        Item::Int(_) => 9,
    }
}

/// Bytes the entry of `item` takes, backlen included.
#[inline]
pub fn bytes(item: Item<'_>) -> usize {
    let body = body_bytes(item);
    body + backlen_bytes(body)
}

/// Writes the entry of `item` over the whole of `out`, which is exactly `bytes(item)` long.
#[inline]
pub fn write(item: Item<'_>, out: &mut [u8]) {
    let body = match item {
        Item::Str(bytes) => write_str(bytes, out),
        Item::Int(value) => write_int(value, out),
    };
    write_backlen(body, &mut out[body..]);
}

/// Longest text of which the whole entry's length is written in one byte.
const SHORT_TEXT_BYTES_MAX: usize = 125;

/// Bytes the entry of `text` takes, if that is so short that the rest follows easily, and a look shows that it is no integer.
#[inline]
pub fn short_text_bytes(text: &[u8]) -> Option<usize> {
    let may_be_integer = text.len() <= INTEGER_BYTES_MAX && matches!(text.first(), Some(b'-' | b'0'..=b'9'));
    if may_be_integer || text.len() > SHORT_TEXT_BYTES_MAX {
        return None;
    }
    Some(text.len() + if text.len() < 64 { 2 } else { 3 })
}

/// Writes the entry of a text over the whole of `out`, whose length [`short_text_bytes`] has told.
#[inline]
pub fn write_short_text(text: &[u8], out: &mut [u8]) {
    let (last, body) = out.split_last_mut().expect("no entry is empty");
    *last = body.len() as u8;
    let head = body.len() - text.len();
    body[head..].copy_from_slice(text);
    if head == 1 {
        body[0] = 0x80 | text.len() as u8;
    } else {
        [body[0], body[1]] = [STR_12, text.len() as u8];
    }
}

/// Appends the entry of `item`.
#[inline]
pub fn push(row: &mut Vec<u8>, item: Item<'_>) {
    match item {
        Item::Str(bytes) if bytes.len() < 64 => {
            row.push(0x80 | bytes.len() as u8);
            row.extend_from_slice(bytes);
            row.push(bytes.len() as u8 + 1);
        }
        Item::Int(value @ 0..=127) => row.extend_from_slice(&[value as u8, 1]),
        _ => {
            let at = row.len();
            row.resize(at + bytes(item), 0);
            write(item, &mut row[at..]);
        }
    }
}

#[inline]
pub(super) fn write_str(bytes: &[u8], out: &mut [u8]) -> usize {
    let head = match bytes.len() {
        n @ 0..64 => {
            out[0] = 0x80 | n as u8;
            1
        }
        n @ 64..4096 => {
            out[0] = STR_12 | (n >> 8) as u8;
            out[1] = n as u8;
            2
        }
        n => {
            out[0] = STR_32;
            out[1..5].copy_from_slice(&(n as u32).to_le_bytes());
            5
        }
    };
    out[head..head + bytes.len()].copy_from_slice(bytes);
    head + bytes.len()
}

pub(super) fn write_int(value: i64, out: &mut [u8]) -> usize {
    let body = body_bytes(Item::Int(value));
    match body {
        1 => out[0] = value as u8,
        2 => {
            out[0] = INT_13 | ((value >> 8) as u8 & 0x1F);
            out[1] = value as u8;
        }
        _ => {
            out[0] = match body {
                3 => INT_16,
                4 => INT_24,
                5 => INT_32,
                _ => INT_64,
            };
            out[1..body].copy_from_slice(&value.to_le_bytes()[..body - 1]);
        }
    }
    body
}

/// Most significant group first; every byte but the first has its top bit set, so a reader that comes from
/// the right knows when to stop.
#[inline]
pub(super) fn write_backlen(body: usize, out: &mut [u8]) {
    let count = out.len();
    debug_assert_eq!(count, backlen_bytes(body));
    if let [only] = out {
        *only = body as u8;
        return;
    }
    for (index, byte) in out.iter_mut().enumerate() {
        let group = (body >> (7 * (count - 1 - index))) as u8 & 0x7F;
        *byte = if index == 0 { group } else { group | 0x80 };
    }
}

/// The item at the start of `row` and the bytes its whole entry takes. `row` may go on behind the entry.
#[inline]
pub fn read(row: &[u8]) -> (Item<'_>, usize) {
    let first = row[0];
    if first & 0xC0 == 0x80 {
        let n = usize::from(first & 0x3F);
        (Item::Str(&row[1..1 + n]), n + 2)
    } else if first < 0x80 {
        (Item::Int(i64::from(first)), 2)
    } else if first & 0xF0 == STR_12 {
        let body = 2 + (usize::from(first & 0x0F) << 8 | usize::from(row[1]));
        (Item::Str(&row[2..body]), body + backlen_bytes(body))
    } else {
        read_wide(row, first)
    }
}

fn read_wide(row: &[u8], first: u8) -> (Item<'_>, usize) {
    if first == STR_32 {
        let body = body_of(row, first);
        return (Item::Str(&row[5..body]), body + backlen_bytes(body));
    }
    if first == INT_64 {
        return (Item::Int(i64::from_le_bytes(row[1..9].try_into().expect("eight bytes"))), 10);
    }
    let value = match first {
        INT_16 => i64::from(i16::from_le_bytes([row[1], row[2]])),
        INT_24 => i64::from(i32::from_le_bytes([0, row[1], row[2], row[3]]) >> 8),
        INT_32 => i64::from(i32::from_le_bytes([row[1], row[2], row[3], row[4]])),
        _ => i64::from((u16::from_be_bytes([first & 0x1F, row[1]]) << 3) as i16 >> 3),
    };
    (Item::Int(value), body_of(row, first) + 1)
}

/// Bytes of encoding and value of the entry that begins `row`, without backlen; 0 for no known encoding.
/// Reads at most 5 bytes of `row`.
#[inline]
pub(super) fn body_of(row: &[u8], first: u8) -> usize {
    match first {
        0..0x80 => 1,
        0x80..0xC0 => 1 + usize::from(first & 0x3F),
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 2 + (usize::from(first & 0x0F) << 8 | usize::from(row[1])),
        STR_32 => 5 + u32::from_le_bytes([row[1], row[2], row[3], row[4]]) as usize,
        INT_16 => 3,
        INT_24 => 4,
        INT_32 => 5,
        INT_64 => 9,
        _ => 0,
    }
}

/// Bytes of the entry that begins `row`.
#[inline]
pub fn skip(row: &[u8]) -> usize {
    let first = row[0];
    if first & 0xC0 == 0x80 {
        return usize::from(first & 0x3F) + 2;
    }
    if first == INT_64 {
        // Times, often.
        return 10;
    }
    let body = body_of(row, row[0]);
    body + backlen_bytes(body)
}

/// Bytes of the entry that ends `row`.
#[inline]
pub fn skip_back(row: &[u8]) -> usize {
    let last = row[row.len() - 1];
    if last < 0x80 {
        return usize::from(last) + 1;
    }
    let (body, width) = read_backlen(row).expect("rows end with a backlen");
    body + width
}

/// The backlen that ends `row`: its value and how many bytes it takes.
fn read_backlen(row: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (index, &byte) in row.iter().rev().take(5).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Checks foreign bytes: the length of the entry that begins `row` if it is whole and its backlen agrees.
pub fn check(row: &[u8]) -> Option<usize> {
    let first = *row.first()?;
    let head = match first {
        0xE0..0xF0 => 2,
        STR_32 => 5,
        _ => 1,
    };
    if row.len() < head {
        return None;
    }
    let body = body_of(row, first);
    let len = body.checked_add(backlen_bytes(body))?;
    if body == 0 || len > row.len() {
        return None;
    }
    (read_backlen(&row[body..len]) == Some((body, len - body))).then_some(len)
}
