//! Tests of the bit operations against bit-by-bit models.

use super::*;
use crate::sample::Sample;

fn range(start: i64, end: Option<i64>, unit: RangeUnit) -> Range {
    Range { start, end, unit }
}

#[test]
fn single_bits() {
    let mut bytes = vec![0; 3];
    assert!(!set(&mut bytes, 7, true));
    assert!(set(&mut bytes, 7, true));
    assert!(!set(&mut bytes, 16, true));
    assert_eq!(bytes, [1, 0, 0x80]);
    assert!(set(&mut bytes, 16, false));
    assert!(get(&bytes, 7) && !get(&bytes, 6) && !get(&bytes, 16));
    assert!(!get(&bytes, 24) && !get(&bytes, u64::MAX) && !get(b"", 0));
}

/// The offsets that a range denotes, one rule at a time.
fn model_range(len: usize, range: Range) -> std::ops::Range<i128> {
    let unit = if range.unit == RangeUnit::Bit { 1 } else { 8 };
    let total = len as i128 * 8 / unit;
    let clip = |index: i64| if index < 0 { (i128::from(index) + total).max(0) } else { i128::from(index) };
    let end = range.end.map_or(total - 1, clip).min(total - 1);
    clip(range.start) * unit..(end + 1) * unit
}

fn random_range(sample: &mut Sample, len: usize) -> Range {
    let unit = if sample.below(2) == 0 { RangeUnit::Byte } else { RangeUnit::Bit };
    let near = len as i64 * if unit == RangeUnit::Bit { 8 } else { 1 } + 3;
    let mut index = || match sample.below(20) {
        0 => i64::MIN,
        1 => i64::MAX,
        _ => sample.below(2 * near as u64) as i64 - near,
    };
    let (start, end) = (index(), index());
    Range { start, end: (sample.below(5) > 0).then_some(end), unit }
}

#[test]
fn counts_and_positions_equal_the_model() {
    let mut sample = Sample::new(30);
    for round in 0..60_000 {
        let len = sample.index(40);
        let mut bytes = match round % 3 {
            0 => vec![0; len],
            1 => vec![0xff; len],
            _ => sample.bytes(len),
        };
        if len > 0 && round % 2 == 0 {
            let at = sample.index(len);
            bytes[at] = sample.next() as u8;
        }
        let range = random_range(&mut sample, len);
        let offsets = || model_range(len, range).map(|offset| (offset, get(&bytes, offset as u64)));
        let reversed = range.start < 0 && range.end.is_some_and(|end| end < 0 && end < range.start);
        let ones = if reversed { 0 } else { offsets().filter(|&(_, bit)| bit).count() as u64 };
        assert_eq!(count_range(&bytes, range), ones, "{bytes:x?} {range:?}");
        for bit in [false, true] {
            let past_end =
                if !bit && range.end.is_none() && offsets().next().is_some() { len as i128 * 8 } else { -1 };
            let expected = offsets().find(|&(_, b)| b == bit).map_or(past_end, |(offset, _)| offset);
            assert_eq!(
                i128::from(position(Some(&bytes), bit, Some(range))),
                expected,
                "{bytes:x?} {bit} {range:?}"
            );
        }
        assert_eq!(count(&bytes), bytes.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>());
    }
}

/// Clear bits past the end: found only where the client gave no end.
#[test]
fn positions_at_the_edges() {
    use RangeUnit::{Bit, Byte};
    let ones = Some(&b"\xff\xff\xff"[..]);
    assert_eq!(position(None, true, None), -1);
    assert_eq!(position(None, false, Some(range(5, Some(3), Byte))), 0);
    assert_eq!(position(Some(b""), false, None), -1);
    assert_eq!(position(ones, false, None), 24);
    assert_eq!(position(ones, false, Some(range(1, None, Byte))), 24);
    assert_eq!(position(ones, false, Some(range(3, None, Byte))), -1);
    assert_eq!(position(ones, false, Some(range(0, Some(-1), Byte))), -1);
    assert_eq!(position(ones, false, Some(range(0, Some(i64::MAX), Bit))), -1);
    assert_eq!(position(ones, true, Some(range(11, Some(100), Bit))), 11);
}

/// The example of the `BITCOUNT` documentation.
#[test]
fn foobar() {
    use RangeUnit::{Bit, Byte};
    assert_eq!(count(b"foobar"), 26);
    assert_eq!(count_range(b"foobar", range(0, Some(0), Byte)), 4);
    assert_eq!(count_range(b"foobar", range(1, Some(1), Byte)), 6);
    assert_eq!(count_range(b"foobar", range(5, Some(30), Bit)), 17);
    assert_eq!(count_range(b"foobar", range(-1, Some(-2), Byte)), 0);
    assert_eq!(count_range(b"f", range(-5, Some(-6), Bit)), 0);
}
