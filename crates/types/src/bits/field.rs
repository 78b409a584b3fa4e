//! The integers of `BITFIELD`: `i1` to `i64` and `u1` to `u63` at any bit offset, most significant bit first.
#![forbid(unsafe_code)]

use super::BitError;

/// The type of a field. Unsigned fields end at 63 bits because a reply is a signed 64-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    signed: bool,
    bits: u32,
}

impl FieldType {
    /// From `i8`, `u63` and the like.
    pub fn parse(text: &[u8]) -> Result<FieldType, BitError> {
        let (signed, bits_max) = match text.first() {
            Some(b'i') => (true, 64),
            Some(b'u') => (false, 63),
            _ => return Err(BitError::FieldType),
        };
        match parse_integer(&text[1..]) {
            Some(bits) if (1..=bits_max).contains(&bits) => Ok(FieldType { signed, bits: bits as u32 }),
            _ => Err(BitError::FieldType),
        }
    }

    /// Width in bits.
    pub fn bits(self) -> u32 {
        self.bits
    }

    fn min(self) -> i128 {
        if self.signed { -(1 << (self.bits - 1)) } else { 0 }
    }

    fn max(self) -> i128 {
        if self.signed { (1 << (self.bits - 1)) - 1 } else { (1 << self.bits) - 1 }
    }

    /// The value that the low bits stand for; two's complement in a signed field.
    fn value_of(self, bits: u64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed { ((bits << unused) as i64) >> unused } else { (bits << unused >> unused) as i64 }
    }
}

/// What happens to a value that does not fit its field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    #[default]
    Wrap,
    Saturate,
    Fail,
}

impl Overflow {
    /// `None` for an unknown name: "Invalid OVERFLOW type specified".
    pub fn parse(name: &[u8]) -> Option<Overflow> {
        let all = [(&b"wrap"[..], Overflow::Wrap), (b"sat", Overflow::Saturate), (b"fail", Overflow::Fail)];
        all.iter().find(|(text, _)| name.eq_ignore_ascii_case(text)).map(|&(_, overflow)| overflow)
    }

    /// Fits a value into the type; `None` if it must not be stored.
    fn fit(self, field: FieldType, value: i128) -> Option<i64> {
        if (field.min()..=field.max()).contains(&value) {
            return Some(value as i64);
        }
        match self {
            Overflow::Wrap => Some(field.value_of(value as u64)),
            Overflow::Saturate => Some(value.clamp(field.min(), field.max()) as i64),
            Overflow::Fail => None,
        }
    }
}

/// A field that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub old: i64,
    pub new: i64,
}

/// The bit offset in an argument of `GETBIT`, `SETBIT` or `BITFIELD`. With a field type, `#n` is n times its
/// width. The byte of the first bit must lie below `bytes_max` (proto-max-bulk-len; `u64::MAX` for a
/// replication stream).
pub fn parse_offset(text: &[u8], field: Option<FieldType>, bytes_max: u64) -> Result<u64, BitError> {
    let offset = match (text, field) {
        ([b'#', index @ ..], Some(field)) => {
            parse_integer(index).and_then(|index| index.checked_mul(i64::from(field.bits)))
        }
        _ => parse_integer(text),
    };
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < bytes_max).ok_or(BitError::Offset)
}

/// An integer as Redis reads it strictly: no plus sign, no leading zeros, no spaces.
fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// How long a string must be, in bytes, to hold the field.
pub fn bytes_needed(field: FieldType, offset: u64) -> u64 {
    (offset.saturating_add(u64::from(field.bits)) - 1) / 8 + 1
}

/// Reads a field; bits beyond the end of the string are clear.
pub fn get(bytes: &[u8], field: FieldType, offset: u64) -> i64 {
    let tail = usize::try_from(offset / 8).ok().and_then(|first| bytes.get(first..)).unwrap_or_default();
    let (window, _) = load(tail);
    let shift = 128 - (offset % 8) as u32 - field.bits;
    field.value_of((window >> shift) as u64)
}

/// Writes a value to a field that lies within the string. `None`: it did not fit and nothing was written. An
/// unsigned field takes the 64 bits of a negative value for a large number, as in Redis.
///
/// Also as in Redis, saturation takes the wrong end for a signed field of less than 64 bits if the distance
/// of the value below the maximum exceeds an `i64`: `SET i8 0 -9223372036854775808` stores 127.
pub fn set(
    bytes: &mut [u8],
    field: FieldType,
    offset: u64,
    value: i64,
    overflow: Overflow,
) -> Option<Written> {
    let mut wanted = if field.signed { i128::from(value) } else { i128::from(value as u64) };
    let far_below = field.signed && field.bits < 64 && field.max() - wanted > i128::from(i64::MAX);
    if far_below && overflow == Overflow::Saturate {
        wanted = field.max();
    }
    let new = overflow.fit(field, wanted)?;
    Some(store(bytes, field, offset, new))
}

/// Adds to a field that lies within the string. `None`: the sum did not fit and nothing was written.
pub fn increment(
    bytes: &mut [u8],
    field: FieldType,
    offset: u64,
    by: i64,
    overflow: Overflow,
) -> Option<Written> {
    let sum = i128::from(get(bytes, field, offset)) + i128::from(by);
    let new = overflow.fit(field, sum)?;
    Some(store(bytes, field, offset, new))
}

/// Up to nine bytes (a field touches no more) at the top of a 128-bit window, and how many there were.
fn load(tail: &[u8]) -> (u128, usize) {
    let mut window = [0; 16];
    let count = tail.len().min(9);
    window[..count].copy_from_slice(&tail[..count]);
    (u128::from_be_bytes(window), count)
}

fn store(bytes: &mut [u8], field: FieldType, offset: u64, value: i64) -> Written {
    assert!(
        bytes_needed(field, offset) <= bytes.len() as u64,
        "the caller grows the string before it writes"
    );
    let old = get(bytes, field, offset);
    let tail = &mut bytes[(offset / 8) as usize..];
    let (window, count) = load(tail);
    let shift = 128 - (offset % 8) as u32 - field.bits;
    let mask = u128::from(u64::MAX >> (64 - field.bits)) << shift;
    let window = window & !mask | u128::from(value as u64) << shift & mask;
    tail[..count].copy_from_slice(&window.to_be_bytes()[..count]);
    Written { old, new: value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn field(text: &str) -> FieldType {
        FieldType::parse(text.as_bytes()).expect("a valid type")
    }

    #[test]
    fn types() {
        assert_eq!(field("i64"), FieldType { signed: true, bits: 64 });
        assert_eq!(field("u1"), FieldType { signed: false, bits: 1 });
        for text in [
            "",
            "i",
            "u",
            "u0",
            "i0",
            "u64",
            "i65",
            "i-1",
            "8",
            "I8",
            "i08",
            "i+8",
            "i 8",
            "i8 ",
            "i99999999999999999999",
        ] {
            assert_eq!(FieldType::parse(text.as_bytes()), Err(BitError::FieldType), "{text}");
        }
    }

    #[test]
    fn offsets() {
        let bytes_max = 512 << 20;
        let parse = |text: &str, field: Option<FieldType>| parse_offset(text.as_bytes(), field, bytes_max);
        assert_eq!(parse("0", None), Ok(0));
        assert_eq!(parse("4294967295", None), Ok(u64::from(u32::MAX)));
        assert_eq!(parse("#3", Some(field("u8"))), Ok(24));
        assert_eq!(parse("#0", Some(field("i64"))), Ok(0));
        for text in ["", "-1", "4294967296", "#1", "01", "-0", "+1", " 1", "1x", "9223372036854775808"] {
            assert_eq!(parse(text, None), Err(BitError::Offset), "{text}");
        }
        for text in ["#", "##1", "#-1", "#01", "#9223372036854775807", "#288230376151711744", "#67108864"] {
            assert_eq!(parse(text, Some(field("i64"))), Err(BitError::Offset), "{text}");
        }
        assert_eq!(parse_offset(b"9223372036854775807", None, u64::MAX), Ok(i64::MAX as u64));
        assert_eq!(bytes_needed(field("i64"), i64::MAX as u64), (1 << 60) + 8);
        assert_eq!(bytes_needed(field("u1"), 7), 1);
        assert_eq!(bytes_needed(field("u2"), 7), 2);
    }

    /// Bit by bit, in 128 bits.
    fn model_get(bytes: &[u8], field: FieldType, offset: u64) -> i64 {
        let raw = (0..u64::from(field.bits))
            .fold(0i128, |value, bit| value << 1 | i128::from(super::super::get(bytes, offset + bit)));
        let negative = field.signed && raw > field.max();
        (if negative { raw - (1 << field.bits) } else { raw }) as i64
    }

    fn random_field(sample: &mut Sample) -> FieldType {
        let signed = sample.below(2) == 0;
        FieldType { signed, bits: 1 + sample.below(if signed { 64 } else { 63 }) as u32 }
    }

    #[test]
    fn reads_and_writes_equal_the_model() {
        let mut sample = Sample::new(21);
        for _ in 0..50_000 {
            let len = sample.index(24);
            let bytes = sample.bytes(len);
            let field = random_field(&mut sample);
            let offset = sample.below(200);
            let old = get(&bytes, field, offset);
            assert_eq!(old, model_get(&bytes, field, offset));
            let mut written = bytes.clone();
            written.resize(bytes.len().max(bytes_needed(field, offset) as usize), 0);
            let before = written.clone();
            let value = old ^ sample.next() as i64;
            let stored =
                set(&mut written, field, offset, value, Overflow::Wrap).expect("wrapping always fits");
            assert_eq!(stored, Written { old, new: field.value_of(value as u64) });
            assert_eq!(get(&written, field, offset), stored.new);
            for bit in 0..written.len() as u64 * 8 {
                let within = (offset..offset + u64::from(field.bits)).contains(&bit);
                assert!(within || super::super::get(&written, bit) == super::super::get(&before, bit));
            }
        }
    }

    #[test]
    fn increments_equal_the_model() {
        let mut sample = Sample::new(22);
        let increments = [0, 1, -1, 100, -100, i64::MAX, i64::MIN, i64::MIN + 1];
        for _ in 0..50_000 {
            let mut bytes = sample.bytes(16);
            let before = bytes.clone();
            let field = random_field(&mut sample);
            let offset = sample.below(60);
            let by = if sample.below(2) == 0 { increments[sample.index(8)] } else { sample.next() as i64 };
            let old = get(&bytes, field, offset);
            let sum = i128::from(old) + i128::from(by);
            let fits = sum == sum.clamp(field.min(), field.max());
            let overflow = [Overflow::Wrap, Overflow::Saturate, Overflow::Fail][sample.index(3)];
            let expected = match overflow {
                Overflow::Fail if !fits => None,
                Overflow::Saturate => Some(sum.clamp(field.min(), field.max())),
                _ => Some((sum - field.min()).rem_euclid(1 << field.bits) + field.min()),
            };
            let written = increment(&mut bytes, field, offset, by, overflow);
            assert_eq!(
                written.map(|written| i128::from(written.new)),
                expected,
                "{field:?} {old} {by} {overflow:?}"
            );
            assert_eq!(i128::from(get(&bytes, field, offset)), expected.unwrap_or(i128::from(old)));
            assert!(written.is_some() || bytes == before);
        }
    }

    #[test]
    fn an_unsigned_field_takes_a_negative_value_for_a_large_one() {
        let mut bytes = [0u8];
        assert_eq!(set(&mut bytes, field("u8"), 0, -1, Overflow::Fail), None);
        assert_eq!(
            set(&mut bytes, field("u4"), 0, -1, Overflow::Saturate),
            Some(Written { old: 0, new: 15 })
        );
        assert_eq!(set(&mut bytes, field("u4"), 4, -3, Overflow::Wrap), Some(Written { old: 0, new: 13 }));
        assert_eq!(bytes, [0xfd]);
    }

    /// Replies of redis-server 7.0.15.
    #[test]
    fn setting_a_signed_field_saturates() {
        let mut bytes = [0u8; 2];
        let mut set =
            |value: i64| set(&mut bytes, field("i8"), 3, value, Overflow::Saturate).map(|set| set.new);
        assert_eq!(set(-129), Some(-128));
        assert_eq!(set(i64::MAX), Some(127));
        assert_eq!(set(i64::MIN + 128), Some(-128));
        assert_eq!(set(i64::MIN + 127), Some(127));
        assert_eq!(set(i64::MIN), Some(127));
    }
}
