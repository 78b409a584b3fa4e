//! Medians and spreads of a handful of rounds.

/// The middle and the ends of a few measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// None if there is nothing to summarise. Values that are not numbers are left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }

    /// The spread of a[i] / b[i]: each ratio compares two neighbours in time, so drift cancels out.
    pub fn of_ratios(a: &[f64], b: &[f64]) -> Option<Spread> {
        Spread::of(a.iter().zip(b).map(|(a, b)| a / b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_paired_and_division_by_nothing_is_left_out() {
        let ratios = Spread::of_ratios(&[1.0, 20.0, 5.0], &[2.0, 40.0, 0.0]).unwrap();
        assert_eq!(ratios, Spread { median: 0.5, min: 0.5, max: 0.5 });
    }
}
