//! Times of one command as counts in buckets that grow with the time: 32 for each doubling, so a time is known to 3 %.

/// Buckets for each power of two.
const STEPS: u64 = 32;
/// Times above about a minute count as this.
const NANOS_MAX: u64 = (1 << 36) - 1;
const BUCKETS: usize = 33 * STEPS as usize;

#[derive(Clone)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0 }
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min(NANOS_MAX);
    if nanos < STEPS {
        return nanos as usize;
    }
    let octave = u64::from(63 - nanos.leading_zeros());
    ((octave - 4) * STEPS + ((nanos >> (octave - 5)) & (STEPS - 1))) as usize
}

/// The largest time that falls into a bucket.
fn highest_in(bucket: usize) -> u64 {
    let (octave, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if octave == 0 { step } else { ((STEPS + step + 1) << (octave - 1)) - 1 }
}

impl Histogram {
    #[inline]
    pub fn add(&mut self, nanos: u64, count: u32) {
        let slot = &mut self.counts[bucket(nanos)];
        *slot = slot.saturating_add(count);
        self.total += u64::from(count);
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Buckets that are not empty, ascending, with their counts.
    pub fn filled(&self) -> impl Iterator<Item = (usize, u32)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| (bucket, *count))
    }

    /// Adds what [`Histogram::filled`] of another one told.
    pub fn add_bucket(&mut self, bucket: usize, count: u32) {
        self.add(highest_in(bucket.min(BUCKETS - 1)), count);
    }

    /// The time in ns that `percent` of the commands did not exceed.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.total as f64).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in self.filled() {
            seen += u64::from(count);
            if seen >= wanted {
                return highest_in(bucket);
            }
        }
        0
    }

    /// `(µs, how many took no longer)` at doubling times, only where the number grows, as LATENCY HISTOGRAM shows it.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut points: Vec<(u64, u64)> = Vec::new();
        let (mut seen, mut limit_ns) = (0u64, 1024u64);
        for (bucket, count) in self.filled() {
            while highest_in(bucket) >= limit_ns {
                limit_ns *= 2;
            }
            seen += u64::from(count);
            let limit_us = label_us(limit_ns);
            match points.last_mut() {
                Some(last) if last.0 == limit_us => last.1 = seen,
                _ => points.push((limit_us, seen)),
            }
        }
        points
    }
}

/// HdrHistogram names a bucket by the highest value that it cannot tell from the limit: 1, 2, 4, 8, 16, 33, 66, 132 …
fn label_us(limit_ns: u64) -> u64 {
    (limit_ns + limit_ns / 128 - 1) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket() {
        let mut last = 0;
        for nanos in (0..20_000).chain((20..36).map(|b| (1u64 << b) + 12_345)) {
            let at = bucket(nanos);
            assert!(at >= last && highest_in(at) >= nanos, "{nanos} in {at}");
            assert!(at == 0 || highest_in(at - 1) < nanos);
            last = at;
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn points_carry_the_names_redis_gives_them() {
        let mut times = Histogram::default();
        for exponent in 9..20 {
            times.add(1 << exponent, 1);
        }
        let labels: Vec<u64> = times.cumulative().iter().map(|(us, _)| *us).collect();
        assert_eq!(labels, [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056]);
        assert_eq!(times.cumulative().last().unwrap().1, 11);
        assert!(times.percentile(50.0) >= 1 << 14);
    }
}
