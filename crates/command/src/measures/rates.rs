//! What a shard does per second, over the last seconds, and the most memory its data took.

/// Time between two samples, and samples kept: as in Redis the average of 16 at 100 ms.
const STEP_US: u64 = 100_000;
const SAMPLES: usize = 16;

#[derive(Clone, Copy, Default)]
struct Sample {
    time_us: u64,
    /// Commands, bytes in, bytes out since the start.
    totals: [u64; 3],
}

#[derive(Default)]
pub struct Rates {
    samples: [Sample; SAMPLES],
    newest: usize,
    peak_bytes: u64,
    /// Unix time of the peak.
    peak_time_s: u64,
}

impl Rates {
    /// Whether it is time for [`Rates::sample`].
    #[inline]
    pub fn is_due(&self, now_us: u64) -> bool {
        now_us >= self.samples[self.newest].time_us + STEP_US
    }

    /// `time_s`: Unix time, of the peak if this is one.
    pub fn sample(&mut self, now_us: u64, time_s: u64, totals: [u64; 3], data_bytes: u64) {
        // After CONFIG RESETSTAT the totals begin anew.
        if totals.iter().zip(self.samples[self.newest].totals).any(|(now, before)| *now < before) {
            self.samples = [Sample { time_us: now_us, totals }; SAMPLES];
        }
        self.newest = (self.newest + 1) % SAMPLES;
        self.samples[self.newest] = Sample { time_us: now_us, totals };
        if data_bytes > self.peak_bytes {
            (self.peak_bytes, self.peak_time_s) = (data_bytes, time_s);
        }
    }

    /// Commands, bytes in and bytes out per second.
    pub fn per_second(&self) -> (u64, u64, u64) {
        let (new, old) = (self.samples[self.newest], self.samples[(self.newest + 1) % SAMPLES]);
        let elapsed_us = (new.time_us - old.time_us).max(1);
        if old.time_us == 0 {
            return (0, 0, 0);
        }
        let rate = |i: usize| (new.totals[i] - old.totals[i]).saturating_mul(1_000_000) / elapsed_us;
        (rate(0), rate(1), rate(2))
    }

    /// The most bytes of data that were seen, and the Unix time when.
    pub fn peak(&self) -> (u64, u64) {
        (self.peak_bytes, self.peak_time_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        let mut rates = Rates::default();
        for i in 1..40u64 {
            let now_us = 5_000_000 + i * STEP_US;
            assert!(rates.is_due(now_us));
            rates.sample(now_us, 1000 + i, [i * 10, i * 1000, 0], i);
            assert!(!rates.is_due(now_us + STEP_US - 1));
        }
        assert_eq!(rates.per_second(), (100, 10_000, 0));
        assert_eq!(rates.peak(), (39, 1039));
        rates.sample(60_000_000, 1, [1, 0, 0], 0);
        assert_eq!(rates.per_second(), (0, 0, 0));
    }
}
