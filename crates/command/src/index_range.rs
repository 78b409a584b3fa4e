//! Ranges of indexes as clients give them: both ends included, negative ones counted from the end.

use std::ops::Range;

/// The indexes from `start` to `stop` of something with `len` elements; empty where they do not meet it.
#[inline]
pub fn clamp(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_start = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let start = usize::try_from(from_start(start)).unwrap_or(0);
    let end = usize::try_from(from_start(stop)).map_or(0, |stop| stop.saturating_add(1)).min(len);
    if start < end { start..end } else { 0..0 }
}

/// The index of one element, if it is there.
#[inline]
pub fn resolve(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(clamp(0, -1, 3), 0..3);
        assert_eq!(clamp(-2, 100, 3), 1..3);
        assert_eq!(clamp(-100, 1, 3), 0..2);
        assert_eq!(clamp(i64::MIN, i64::MAX, 3), 0..3);
        for (start, stop) in
            [(1, 0), (3, 5), (0, -4), (i64::MAX, i64::MIN), (i64::MAX, i64::MAX), (0, i64::MIN)]
        {
            assert_eq!(clamp(start, stop, 3), 0..0, "{start} {stop}");
        }
        assert_eq!(clamp(0, -1, 0), 0..0);
    }

    #[test]
    fn an_index_is_in_range_or_none() {
        let found = [0, 2, 3, -1, -3, -4, i64::MIN, i64::MAX].map(|index| resolve(index, 3));
        assert_eq!(found, [Some(0), Some(2), None, Some(2), Some(0), None, None, None]);
    }
}
