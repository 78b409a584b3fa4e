//! Entries of a listpack without the lengths behind them ("bodies"): what a row takes that is never read backwards item by item.
//!
//! As in [`super::entry`], reading functions take what was checked or written here.

use super::entry::{self, Item, backlen_bytes, body_bytes, body_of};

/// Bytes of the body that begins `row`.
#[inline]
pub fn skip(row: &[u8]) -> usize {
    body_of(row, row[0])
}

/// The item at the start of `row` and the bytes it takes there.
#[inline]
pub fn read(row: &[u8]) -> (Item<'_>, usize) {
    let first = row[0];
    if first & 0xC0 == 0x80 {
        let end = 1 + usize::from(first & 0x3F);
        (Item::Str(&row[1..end]), end)
    } else if first < 0x80 {
        (Item::Int(i64::from(first)), 1)
    } else {
        (entry::read(row).0, body_of(row, first))
    }
}

/// Appends the body of `item`; the bytes that the whole entry takes in a listpack.
#[inline]
pub fn push(row: &mut Vec<u8>, item: Item<'_>) -> usize {
    let body = match item {
        Item::Str(bytes) if bytes.len() < 64 => {
            row.push(0x80 | bytes.len() as u8);
            row.extend_from_slice(bytes);
            return bytes.len() + 2;
        }
        Item::Int(value @ 0..=127) => {
            row.push(value as u8);
            return 2;
        }
        _ => body_bytes(item),
    };
    let at = row.len();
    row.resize(at + body, 0);
    match item {
        Item::Str(bytes) => entry::write_str(bytes, &mut row[at..]),
        Item::Int(value) => entry::write_int(value, &mut row[at..]),
    };
    body + backlen_bytes(body)
}

/// Appends the body that begins `from` as an entry to `out`; the bytes of the body.
pub fn push_entry(out: &mut Vec<u8>, from: &[u8]) -> usize {
    let body = skip(from);
    out.extend_from_slice(&from[..body]);
    push_length(out, body);
    body
}

/// Bytes of the body that begins `row` as an entry.
#[inline]
pub fn entry_bytes(row: &[u8]) -> usize {
    let body = skip(row);
    body + backlen_bytes(body)
}

/// Appends a length so that it can be read backwards.
#[inline]
pub fn push_length(row: &mut Vec<u8>, len: usize) {
    let at = row.len();
    match backlen_bytes(len) {
        1 => row.push(len as u8),
        width => {
            row.resize(at + width, 0);
            entry::write_backlen(len, &mut row[at..]);
        }
    }
}

/// Bytes of such a length.
#[inline]
pub fn length_bytes(len: usize) -> usize {
    backlen_bytes(len)
}

/// The items of a row of bodies.
#[derive(Clone)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    #[inline]
    pub fn over(row: &'a [u8]) -> Self {
        Self(row)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let (item, len) = read(self.0);
        self.0 = &self.0[len..];
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_entries_without_their_lengths() {
        let long = vec![b'x'; 100_000];
        let mut items: Vec<Item<'_>> = [0, 1, 2, 62, 63, 64, 125, 126, 127, 4095, 4096, 100_000]
            .map(|len| Item::Str(&long[..len]))
            .to_vec();
        for bits in 0..63 {
            items.extend([Item::Int(1 << bits), Item::Int(-(1 << bits)), Item::Int((1 << bits) - 1)]);
        }
        items.extend([Item::Int(i64::MAX), Item::Int(i64::MIN)]);
        let (mut row, mut entries, mut again, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for item in &items {
            bytes += push(&mut row, *item);
            entry::push(&mut entries, *item);
        }
        assert_eq!(bytes, entries.len());
        assert!(Items::over(&row).eq(items.iter().copied()));
        let mut at = 0;
        bytes = 0;
        while at < row.len() {
            bytes += entry_bytes(&row[at..]);
            assert_eq!(read(&row[at..]).1, skip(&row[at..]));
            at += push_entry(&mut again, &row[at..]);
        }
        assert_eq!((bytes, again), (entries.len(), entries));
    }

    #[test]
    fn lengths_are_read_from_behind() {
        for len in [1, 127, 128, 16382, 16383, 2_097_150, 2_097_151, 300_000_000] {
            let mut row = vec![1, 2, 3];
            push_length(&mut row, len);
            assert_eq!(row.len() - 3, length_bytes(len));
            assert_eq!(entry::skip_back(&row), len + length_bytes(len));
        }
    }
}
