//! Latency events of one shard: when something took at least `latency-monitor-threshold` ms, by what it was.

use std::collections::VecDeque;

/// Samples kept of an event, as in Redis.
pub const SAMPLES_MAX: usize = 160;

/// One sample: the worst of its second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix seconds.
    pub time_s: u64,
    pub millis: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Series {
    pub samples: VecDeque<Sample>,
    pub max_ms: u64,
}

#[derive(Default)]
pub struct Latency {
    events: Vec<(&'static str, Series)>,
}

impl Latency {
    pub fn add(&mut self, event: &'static str, time_s: u64, millis: u64) {
        let at = self.events.iter().position(|(name, _)| *name == event).unwrap_or_else(|| {
            self.events.push((event, Series::default()));
            self.events.len() - 1
        });
        let series = &mut self.events[at].1;
        series.max_ms = series.max_ms.max(millis);
        match series.samples.back_mut() {
            Some(last) if last.time_s == time_s => last.millis = last.millis.max(millis),
            _ => series.samples.push_back(Sample { time_s, millis }),
        }
        if series.samples.len() > SAMPLES_MAX {
            series.samples.pop_front();
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Series)> {
        self.events.iter().map(|(name, series)| (*name, series))
    }

    /// Forgets an event; whether there was one.
    pub fn reset(&mut self, event: &[u8]) -> bool {
        let before = self.events.len();
        self.events.retain(|(name, _)| !event.eq_ignore_ascii_case(name.as_bytes()));
        self.events.len() < before
    }

    pub fn clear(&mut self) {
        self.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_a_second_and_no_more_than_the_limit() {
        let mut latency = Latency::default();
        for second in 0..200 {
            latency.add("command", second, 5);
            latency.add("command", second, second);
        }
        let (_, series) = latency.iter().next().unwrap();
        assert_eq!(series.samples.len(), SAMPLES_MAX);
        assert_eq!(series.samples[0], Sample { time_s: 40, millis: 40 });
        assert_eq!(series.max_ms, 199);
        assert!(latency.reset(b"COMMAND") && !latency.reset(b"command"));
    }
}
