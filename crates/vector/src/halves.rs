//! Vectors of f32 in halves: the upper 16 bits of every element together, and the lower 16 bits together elsewhere.
//!
//! The upper halves are bf16 (without rounding). They tell how far vectors are apart precisely enough to walk a graph, and half as many bytes have
//! to come from memory for it; both together are the vector as it was sent, in the memory that it takes anyway.

use crate::kernel::Line;

/// Lines of each half of a row of so many lines; the other half of a last line is not used.
pub(crate) fn lines(whole: usize) -> usize {
    whole.div_ceil(2)
}

/// Whether the halves of a row of so many lines take hardly more lines than the row.
pub(crate) fn are_worth_it(whole: usize) -> bool {
    2 * lines(whole) <= whole + whole / 32
}

/// Upper and lower halves.
pub(crate) fn split(row: &[Line]) -> [Vec<Line>; 2] {
    let mut halves = [(); 2].map(|()| vec![Line::ZERO; lines(row.len())]);
    let [upper, lower] = &mut halves;
    for (pair, (upper, lower)) in row.chunks(2).zip(upper.iter_mut().zip(lower)) {
        let elements = pair.iter().flat_map(|line| line.0.as_chunks::<4>().0);
        let places = upper.0.as_chunks_mut::<2>().0.iter_mut().zip(lower.0.as_chunks_mut::<2>().0);
        for ([a, b, c, d], (upper, lower)) in elements.zip(places) {
            (*lower, *upper) = ([*a, *b], [*c, *d]);
        }
    }
    halves
}

/// A row from its halves.
pub(crate) fn join(upper: &[Line], lower: &[Line], row: &mut [Line]) {
    for (pair, (upper, lower)) in row.chunks_mut(2).zip(upper.iter().zip(lower)) {
        let halves = upper.0.chunks_exact(32).zip(lower.0.chunks_exact(32));
        for (line, (upper, lower)) in pair.iter_mut().zip(halves) {
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            for (element, ([c, d], [a, b])) in line.0.as_chunks_mut::<4>().0.iter_mut().zip(pairs) {
                *element = [*a, *b, *c, *d];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_the_row_again() {
        for whole in [1, 2, 3, 6, 24, 95, 96] {
            let bytes: Vec<u8> = (0..whole * Line::BYTES).map(|at| (at * 37 % 251) as u8).collect();
            let row = Line::pack(&bytes);
            let [upper, lower] = split(&row);
            assert_eq!((upper.len(), lower.len()), (lines(whole), lines(whole)));
            assert_eq!(upper[0].0[..4], [2, 3, 6, 7].map(|at| bytes[at]));
            assert_eq!(lower[0].0[..4], [0, 1, 4, 5].map(|at| bytes[at]));
            let mut again = vec![Line::ZERO; whole];
            join(&upper, &lower, &mut again);
            assert_eq!(again, row);
        }
    }

    #[test]
    fn no_memory_is_wasted() {
        assert!([2, 4, 8, 24, 48, 96, 97].into_iter().all(are_worth_it));
        assert!([1, 3, 7, 19, 31].into_iter().all(|whole| !are_worth_it(whole)));
    }
}
