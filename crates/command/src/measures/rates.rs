//! What a shard does per second, over the last seconds, and the most memory its data took.

/// Time between two samples, and samples kept: as in Redis the average of 16 at 100 ms.
const STEP_US: u64 = 100_000;
const SAMPLES: usize = 16;

/// What was done since the start, or by these names in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub commands: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
    pub turns: u64,
    /// Time that the shard's thread did not sleep.
    pub awake_us: u64,
}

impl Totals {
    /// Each of both, made one.
    fn with(self, other: Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            commands: both(self.commands, other.commands),
            in_bytes: both(self.in_bytes, other.in_bytes),
            out_bytes: both(self.out_bytes, other.out_bytes),
            turns: both(self.turns, other.turns),
            awake_us: both(self.awake_us, other.awake_us),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Sample {
    time_us: u64,
    totals: Totals,
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
    pub fn sample(&mut self, now_us: u64, time_s: u64, totals: Totals, data_bytes: u64) {
        // After CONFIG RESETSTAT the totals begin anew.
        if totals.with(self.samples[self.newest].totals, u64::max) != totals {
            self.samples = [Sample { time_us: now_us, totals }; SAMPLES];
        }
        self.newest = (self.newest + 1) % SAMPLES;
        self.samples[self.newest] = Sample { time_us: now_us, totals };
        if data_bytes > self.peak_bytes {
            (self.peak_bytes, self.peak_time_s) = (data_bytes, time_s);
        }
    }

    /// What was done in a second.
    pub fn per_second(&self) -> Totals {
        let (new, old) = (self.samples[self.newest], self.samples[(self.newest + 1) % SAMPLES]);
        let elapsed_us = (new.time_us - old.time_us).max(1);
        if old.time_us == 0 {
            return Totals::default();
        }
        new.totals.with(old.totals, |new, old| (new - old).saturating_mul(1_000_000) / elapsed_us)
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
            let totals =
                Totals { commands: i * 10, in_bytes: i * 1000, turns: i, awake_us: i * 7, out_bytes: 0 };
            rates.sample(now_us, 1000 + i, totals, i);
            assert!(!rates.is_due(now_us + STEP_US - 1));
        }
        let rate = Totals { commands: 100, in_bytes: 10_000, out_bytes: 0, turns: 10, awake_us: 70 };
        assert_eq!(rates.per_second(), rate);
        assert_eq!(rates.peak(), (39, 1039));
        rates.sample(60_000_000, 1, Totals { commands: 1, ..Totals::default() }, 0);
        assert_eq!(rates.per_second(), Totals::default());
    }
}
