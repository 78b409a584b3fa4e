//! What commands have cost on one shard: calls, time, failures, by the command's number.
//!
//! Short commands are not timed one by one: those of a run share the time between its begin and its end. Times are kept in
//! nanoseconds so that many short commands do not add up to nothing.

use crate::histogram::Histogram;
use crate::registry;

#[derive(Clone, Default)]
pub struct CommandStat {
    pub calls: u64,
    pub nanos: u64,
    pub rejected: u64,
    pub failed: u64,
    pub times: Option<Histogram>,
    /// Calls in the run that has not ended yet.
    in_run: u32,
    /// How many of them do not count as calls.
    uncounted_in_run: u32,
}

pub struct CommandStats {
    rows: Vec<CommandStat>,
    /// Commands of the run under way, each once.
    run: Vec<u16>,
    run_calls: u32,
    run_began_ns: u64,
    /// Commands since the start.
    total: u64,
    /// Time every command alone.
    pub all_alone: bool,
    /// Keep histograms (`latency-tracking`).
    pub keeps_times: bool,
}

impl Default for CommandStats {
    fn default() -> Self {
        let rows = vec![CommandStat::default(); registry::ids()];
        Self {
            rows,
            run: Vec::new(),
            run_calls: 0,
            run_began_ns: 0,
            total: 0,
            all_alone: false,
            keeps_times: true,
        }
    }
}

impl CommandStats {
    pub fn row(&self, id: u16) -> &CommandStat {
        &self.rows[id as usize]
    }

    /// Commands that have run.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Rows of commands that have been called or refused, with their numbers.
    pub fn used(&self) -> impl Iterator<Item = (usize, &CommandStat)> {
        self.rows.iter().enumerate().filter(|(_, row)| row.calls + row.rejected + row.failed > 0)
    }

    #[inline]
    pub fn begin_run(&mut self, now_ns: u64) {
        self.run_began_ns = now_ns;
    }

    /// When the run began, or the command that is timed alone and runs now.
    #[inline]
    pub fn run_began_ns(&self) -> u64 {
        self.run_began_ns
    }

    /// A command of the run has run.
    #[inline]
    pub fn ran_in_run(&mut self, id: u16, counts: bool) {
        let row = &mut self.rows[id as usize];
        row.calls += u64::from(counts);
        self.total += u64::from(counts);
        row.in_run += 1;
        row.uncounted_in_run += u32::from(!counts);
        self.run_calls += 1;
        if row.in_run == 1 {
            self.run.push(id);
        }
    }

    /// A command that has run has been taken back. The time is spent.
    pub fn take_back(&mut self, id: u16) {
        let row = &mut self.rows[id as usize];
        row.calls = row.calls.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
    }

    /// Ends the run; how long it took in ns, 0 if nothing ran in it.
    #[inline]
    pub fn end_run(&mut self, now_ns: u64) -> u64 {
        if self.run_calls == 0 {
            return 0;
        }
        let elapsed_ns = now_ns.saturating_sub(self.run_began_ns);
        let share_ns = elapsed_ns / u64::from(self.run_calls);
        for id in self.run.drain(..) {
            let row = &mut self.rows[id as usize];
            let calls = std::mem::take(&mut row.in_run);
            let uncounted = std::mem::take(&mut row.uncounted_in_run);
            row.nanos += share_ns * u64::from(calls);
            if self.keeps_times {
                row.times.get_or_insert_default().add(share_ns, calls - uncounted);
            }
        }
        self.run_calls = 0;
        self.run_began_ns = now_ns;
        elapsed_ns
    }

    /// A command timed alone has run.
    #[inline]
    pub fn ran_alone(&mut self, id: u16, nanos: u64, counts: bool) {
        let row = &mut self.rows[id as usize];
        row.calls += u64::from(counts);
        self.total += u64::from(counts);
        row.nanos += nanos;
        if self.keeps_times && counts {
            row.times.get_or_insert_default().add(nanos, 1);
        }
    }

    pub fn rejected(&mut self, id: u16) {
        self.rows[id as usize].rejected += 1;
    }

    pub fn failed(&mut self, id: u16) {
        self.rows[id as usize].failed += 1;
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        self.rows.iter_mut().for_each(|row| *row = CommandStat::default());
        self.run.clear();
        (self.run_calls, self.total) = (0, 0);
    }

    /// LATENCY RESET, `latency-tracking no`: forgets the histograms only.
    pub fn forget_times(&mut self) {
        self.rows.iter_mut().for_each(|row| row.times = None);
    }
}

/// Error replies by their code (`ERR`, `WRONGTYPE` …).
#[derive(Default)]
pub struct ErrorStats {
    counts: Vec<(String, u64)>,
}

/// Scripts can make up codes: from here on new ones are not counted, as in Redis.
const CODES_MAX: usize = 128;

impl ErrorStats {
    pub fn count(&mut self, code: &str) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| known == code) {
            *count += 1;
        } else if self.counts.len() < CODES_MAX {
            self.counts.push((code.to_owned(), 1));
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.counts.iter().map(|(code, count)| (code.as_str(), *count))
    }

    pub fn reset(&mut self) {
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_shares_its_time() {
        let mut stats = CommandStats::default();
        stats.begin_run(1000);
        (0..3).for_each(|_| stats.ran_in_run(1, true));
        stats.ran_in_run(2, true);
        assert_eq!(stats.end_run(1400), 400);
        assert_eq!((stats.row(1).calls, stats.row(1).nanos), (3, 300));
        assert_eq!((stats.row(2).calls, stats.row(2).nanos), (1, 100));
        assert_eq!(stats.end_run(2000), 0);
        stats.ran_alone(2, 5000, true);
        assert_eq!(stats.row(2).nanos, 5100);
        assert_eq!(stats.row(2).times.as_ref().unwrap().total(), 2);
    }
}
