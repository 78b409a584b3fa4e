//! Zipmaps, which small hashes were before Redis 2.6 (`zipmap.c` there).
//!
//! ```text
//! number of pairs (1 byte; 254 and above: count them), pairs, 255
//! ```
//! A pair is the length of the field, the field, the length of the value, the number of unused bytes behind it (1 byte),
//! the value, and those bytes. A length is 1 byte, or 254 and 4 bytes, little endian.

use super::pairs::HashBuilder;
use crate::{Error, Shapes};
use types::Hash;

const END: u8 = 255;
const LONG: u8 = 254;

const CORRUPT: Error = Error::Corrupt("zipmap");

/// Checks a zipmap through and through and makes a hash of it.
pub fn to_hash(raw: &[u8], shapes: &Shapes<'_>) -> Result<Hash, Error> {
    let (&announced, rest) = raw.split_first().ok_or(CORRUPT)?;
    let (&end, mut rest) = rest.split_last().ok_or(CORRUPT)?;
    if end != END {
        return Err(CORRUPT);
    }
    let mut hash = HashBuilder::new(announced.into(), shapes);
    let mut count = 0usize;
    while !rest.is_empty() {
        let (field, value, behind) = pair(rest).ok_or(CORRUPT)?;
        hash.add(field, value, None)?;
        rest = behind;
        count += 1;
    }
    if count == 0 {
        return Err(Error::Empty);
    }
    if announced < LONG && usize::from(announced) != count {
        return Err(CORRUPT);
    }
    Ok(hash.finish())
}

/// The first pair and what is behind it.
fn pair(row: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, row) = length(row)?;
    let (field, row) = row.split_at_checked(len)?;
    let (len, row) = length(row)?;
    let (&unused, row) = row.split_first()?;
    let (value, row) = row.split_at_checked(len)?;
    Some((field, value, row.get(usize::from(unused)..)?))
}

fn length(row: &[u8]) -> Option<(usize, &[u8])> {
    match row {
        [END, ..] | [] => None,
        [LONG, rest @ ..] => {
            let (bytes, rest) = rest.split_first_chunk::<4>()?;
            Some((u32::from_le_bytes(*bytes) as usize, rest))
        }
        [len, rest @ ..] => Some((usize::from(*len), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;

    const EXAMPLE: &[u8] = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world??\xff";

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn read(raw: &[u8]) -> Result<Pairs, Error> {
        let seed = HashSeed::new(3, 4);
        let hash = to_hash(raw, &Shapes::with_defaults(&seed))?;
        Ok(hash.iter_all().map(|entry| (entry.field.to_vec(), entry.value.to_vec())).collect())
    }

    #[test]
    fn the_documented_example_is_read() {
        let pairs = vec![(b"foo".to_vec(), b"bar".to_vec()), (b"hello".to_vec(), b"world".to_vec())];
        assert_eq!(read(EXAMPLE), Ok(pairs.clone()));
        let uncounted = [&[LONG], &EXAMPLE[1..]].concat();
        assert_eq!(read(&uncounted), Ok(pairs));
        let long = [&b"\x01\xfe\x2c\x01\0\0"[..], &[b'f'; 300], b"\x00\x00\xff"].concat();
        assert_eq!(read(&long), Ok(vec![(vec![b'f'; 300], Vec::new())]));
    }

    #[test]
    fn whatever_does_not_agree_is_refused() {
        for len in 0..EXAMPLE.len() {
            assert_eq!(read(&EXAMPLE[..len]), Err(CORRUPT), "{len}");
        }
        assert_eq!(read(b"\x00\xff"), Err(Error::Empty));
        assert_eq!(read(b"\x03\x01a\x01\x00b\xff"), Err(CORRUPT));
        assert_eq!(read(b"\x01\xff\x01\x00b\xff"), Err(CORRUPT));
        let twice = Err(Error::Corrupt("field of a hash comes twice"));
        assert_eq!(read(b"\x02\x01a\x01\x00b\x01a\x01\x00c\xff"), twice);
    }
}
