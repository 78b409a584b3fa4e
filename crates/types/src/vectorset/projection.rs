//! Fewer dimensions: inner products with rows of a matrix (REDUCE).
//!
//! The matrix that Redis makes is a Hadamard matrix, cut off: the sign at row `i` and column `j` is that of the parity of `i & j`. All of its inner products
//! come from one Walsh–Hadamard transform, so it is not kept; another one, which a file may bring, is.

/// The matrix may have so many bytes in a file: the most that a string may have.
pub const MATRIX_BYTES_MAX: usize = 512 << 20;

/// From `input` dimensions to `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    input: usize,
    output: usize,
    /// Row after row, if it is not the usual one.
    matrix: Option<Box<[f32]>>,
}

impl Projection {
    /// `None` if there is nothing to reduce, or the matrix is too large.
    pub fn new(input: usize, output: usize) -> Option<Projection> {
        let bytes = input.checked_mul(output)?.checked_mul(4)?;
        let is_sound = 1 <= output && output <= input && bytes <= MATRIX_BYTES_MAX;
        is_sound.then_some(Projection { input, output, matrix: None })
    }

    /// With the matrix that a file brings, row after row.
    pub fn with_matrix(input: usize, output: usize, bytes: &[u8]) -> Option<Projection> {
        let mut projection = Projection::new(input, output)?;
        let numbers = bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it));
        if bytes.len() != input * output * 4 || numbers.clone().any(|number| !number.is_finite()) {
            return None;
        }
        let is_usual =
            (0..output).all(|row| projection.row(row).eq(numbers.clone().skip(row * input).take(input)));
        if !is_usual {
            projection.matrix = Some(numbers.collect());
        }
        Some(projection)
    }

    pub fn input(&self) -> usize {
        self.input
    }

    pub fn output(&self) -> usize {
        self.output
    }

    /// Heap bytes.
    pub fn bytes(&self) -> usize {
        self.matrix.as_ref().map_or(0, |matrix| size_of_val(&**matrix))
    }

    fn scale(&self) -> f32 {
        1.0 / (self.input as f64).sqrt() as f32
    }

    /// A row of the matrix.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f32> + '_ {
        let kept = self.matrix.as_ref().map(|matrix| &matrix[row * self.input..(row + 1) * self.input]);
        let scale = self.scale();
        let usual =
            move |column: usize| if (row & column).count_ones().is_multiple_of(2) { scale } else { -scale };
        (0..self.input).map(move |column| kept.map_or_else(|| usual(column), |row| row[column]))
    }

    /// A vector of `input` numbers as one of `output`.
    pub fn apply(&self, numbers: &[f32]) -> Vec<f32> {
        debug_assert_eq!(numbers.len(), self.input, "callers check dimensions");
        if self.matrix.is_some() {
            let product =
                |row| self.row(row).zip(numbers).map(|(a, b)| f64::from(a) * f64::from(*b)).sum::<f64>();
            return (0..self.output).map(|row| product(row) as f32).collect();
        }
        let mut sums: Vec<f64> = numbers.iter().map(|number| f64::from(*number)).collect();
        sums.resize(self.input.next_power_of_two(), 0.0);
        transform(&mut sums);
        let scale = f64::from(self.scale());
        sums[..self.output].iter().map(|sum| (sum * scale) as f32).collect()
    }
}

/// The Walsh–Hadamard transform of 2^n numbers, in place.
fn transform(numbers: &mut [f64]) {
    let mut half = 1;
    while half < numbers.len() {
        for pair in numbers.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_multiplies_by_the_matrix() {
        for (input, output) in [(1, 1), (3, 2), (100, 50), (64, 64), (300, 7)] {
            let projection = Projection::new(input, output).unwrap();
            let numbers: Vec<f32> = (0..input).map(|n| ((n * 37) % 11) as f32 - 5.0).collect();
            let reduced = projection.apply(&numbers);
            for (row, number) in reduced.iter().enumerate() {
                let product: f64 =
                    projection.row(row).zip(&numbers).map(|(a, b)| f64::from(a) * f64::from(*b)).sum();
                assert!((product - f64::from(*number)).abs() < 1e-4, "{input} {output} {row}");
            }
            assert_eq!(reduced.len(), output);
        }
    }

    #[test]
    fn a_matrix_comes_back_from_its_bytes() {
        let usual = Projection::new(10, 4).unwrap();
        let bytes = |it: &Projection| {
            (0..4)
                .flat_map(|row| it.row(row).collect::<Vec<_>>())
                .flat_map(f32::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        assert_eq!(Projection::with_matrix(10, 4, &bytes(&usual)).as_ref(), Some(&usual));
        let mut other = bytes(&usual);
        other[..4].copy_from_slice(&0.25f32.to_le_bytes());
        let kept = Projection::with_matrix(10, 4, &other).unwrap();
        assert_eq!((bytes(&kept), kept.bytes(), usual.bytes()), (other.clone(), 160, 0));
        assert_eq!(kept.apply(&[1.0; 10])[1], usual.apply(&[1.0; 10])[1]);
        assert!(Projection::with_matrix(10, 4, &other[1..]).is_none());
        other[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Projection::with_matrix(10, 4, &other).is_none());
    }

    #[test]
    fn what_is_not_less_is_refused() {
        for (input, output) in [(4, 0), (4, 5), (65_536, 65_536), (usize::MAX, usize::MAX)] {
            assert!(Projection::new(input, output).is_none());
        }
        assert!(Projection::new(4, 4).is_some());
    }
}
