//! Where a hash stands: positions, buckets and cursors.
//!
//! A position is the hash bent by x = u + u(1 − u)/3 (u, x in [0, 1)): monotone, so the order of positions is
//! the order of hashes, but records are twice as dense at the upper end as at the lower one (spiral storage,
//! Martin 1979). Segments cover equal stretches of positions, so their loads lie evenly between half full and
//! full and as a table grows they split one after the other, from the upper end to the lower, instead of all
//! at once.

/// Bits of a position that choose the bucket in a segment.
pub(crate) const BUCKET_BITS: u32 = 5;

/// A cursor is a position without its low bits.
const CURSOR_SHIFT: u32 = 16;

#[inline]
fn high_product(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

/// The position of a hash. Monotone; cannot overflow, as u(1 − u)/3 < 1 − u.
#[inline]
pub(crate) fn position(hash: u64) -> u64 {
    hash + high_product(high_product(hash, !hash), u64::MAX / 3)
}

/// Which share of all hashes stands in the stretch of positions of a depth that begins at `prefix`.
pub(crate) fn stretch_share(prefix: u64, depth: u32) -> f64 {
    // The hash of a position, as a share: x = u + u(1 − u)/3 solved for u.
    let hash = |x: f64| 2.0 - (4.0 - 3.0 * x).max(1.0).sqrt();
    let (width, start) = ((-f64::from(depth)).exp2(), prefix as f64 * (-64f64).exp2());
    hash(start + width) - hash(start)
}

/// The tag of a hash: bits that neither segment nor bucket depend on.
#[inline]
pub(crate) fn tag(hash: u64) -> u8 {
    hash as u8
}

/// The home bucket of a position in a segment of depth `depth`.
#[inline]
pub(crate) fn bucket(position: u64, depth: u32) -> usize {
    ((position << depth) >> (64 - BUCKET_BITS)) as usize
}

/// The first position of the bucket after the one `position` is in, `None` after the last.
pub(crate) fn next_bucket(position: u64, depth: u32) -> Option<u64> {
    next_stretch(position, depth + BUCKET_BITS)
}

/// The first position of the segment after the one `position` is in, `None` after the last.
pub(crate) fn next_segment(position: u64, depth: u32) -> Option<u64> {
    next_stretch(position, depth)
}

fn next_stretch(position: u64, bits: u32) -> Option<u64> {
    if bits == 0 {
        return None;
    }
    let shift = 64 - bits;
    ((position >> shift) << shift).checked_add(1 << shift)
}

/// Cursors are below 2^48; higher bits of what a client sends are dropped.
pub(crate) fn from_cursor(cursor: u64) -> u64 {
    cursor << CURSOR_SHIFT
}

/// The cursor of the start of a bucket or segment, 0 for "after the last".
pub(crate) fn to_cursor(position: Option<u64>) -> u64 {
    position.map_or(0, |position| position >> CURSOR_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_monotone_and_span_everything() {
        assert_eq!(position(0), 0);
        assert_eq!(position(u64::MAX), u64::MAX);
        let mut last = 0;
        for step in 0..100_000u64 {
            let hash = step * (u64::MAX / 100_000);
            for hash in [hash, hash + 1, hash + 2] {
                assert!(position(hash) >= last);
                last = position(hash);
            }
        }
    }

    #[test]
    fn the_upper_end_is_twice_as_dense() {
        let mut counts = [0u32; 64];
        for step in 0..1u64 << 20 {
            counts[(position(step << 44) >> 58) as usize] += 1;
        }
        let ratio = f64::from(counts[63]) / f64::from(counts[0]);
        assert!((1.9..2.05).contains(&ratio), "{ratio}");
    }

    #[test]
    fn shares_are_those_that_hashes_have() {
        assert!((stretch_share(0, 0) - 1.0).abs() < 1e-9);
        let (depth, hashes) = (6, 1u64 << 20);
        let mut counts = [0u32; 64];
        for step in 0..hashes {
            counts[(position(step << 44) >> (64 - depth)) as usize] += 1;
        }
        for (stretch, count) in counts.into_iter().enumerate() {
            let share = stretch_share((stretch as u64) << (64 - depth), depth);
            assert!((share * hashes as f64 - f64::from(count)).abs() < 8.0, "{stretch}: {share}, {count}");
        }
    }

    #[test]
    fn stretches_end_where_the_next_begins() {
        assert_eq!(next_segment(5, 0), None);
        assert_eq!(next_segment(5, 1), Some(1 << 63));
        assert_eq!(next_segment(u64::MAX, 1), None);
        assert_eq!(next_bucket(0, 0), Some(1 << 59));
        assert_eq!(bucket(1 << 59, 0), 1);
        assert_eq!(from_cursor(to_cursor(next_bucket(0, 25))), 1 << 34);
    }
}
