//! The books a shard keeps of what it ran: who was slow, what failed.

use crate::slowlog::Entry;
use crate::spec::flag;
use crate::{Args, Command, Error, ShardCx};

impl ShardCx {
    /// An error reply has been written.
    #[cold]
    pub fn count_error(&mut self, error: &Error) {
        self.stats.error_replies += 1;
        self.errors.count(error.code());
    }

    /// Unix µs, read now.
    pub fn wall_us(&self) -> u64 {
        (self.platform.wall_us)()
    }

    /// Notes, from time to time, how much has been done.
    pub fn sample_rates(&mut self) {
        if self.rates.is_due(self.now_us) {
            let totals = [self.commands.total(), self.stats.net_in_bytes, self.stats.net_out_bytes];
            self.rates.sample(self.now_us, self.now_ms / 1000, totals, self.data_bytes() as u64);
        }
    }

    /// Ends a run of short commands; a slow one is an event.
    #[inline]
    pub fn end_run(&mut self, now_ns: u64) {
        let elapsed_ns = self.commands.end_run(now_ns);
        self.check_latency("fast-command", elapsed_ns);
    }

    /// A command timed alone took `nanos`.
    #[inline]
    pub fn ran_alone(
        &mut self,
        command: &Command,
        args: Args<'_>,
        nanos: u64,
        counts: bool,
        conn: Option<usize>,
    ) {
        if let Some(ran) = self.platform.ran {
            ran(self, args);
        }
        self.commands.ran_alone(command.id, nanos, counts);
        let event = if command.flags & flag::FAST != 0 { "fast-command" } else { "command" };
        self.check_latency(event, nanos);
        let threshold = self.config.slowlog_log_slower_than;
        if threshold >= 0 && nanos / 1000 >= threshold as u64 {
            self.log_slow(command, args, nanos / 1000, conn);
        }
    }

    /// Notes an event that took long enough.
    #[inline]
    pub fn check_latency(&mut self, event: &'static str, nanos: u64) {
        let threshold_ms = self.config.latency_monitor_threshold;
        if threshold_ms > 0 && nanos / 1_000_000 >= threshold_ms {
            self.latency.add(event, self.now_ms / 1000, nanos / 1_000_000);
        }
    }

    #[cold]
    fn log_slow(&mut self, command: &Command, args: Args<'_>, micros: u64, conn: Option<usize>) {
        if command.flags & flag::SKIP_SLOWLOG != 0 {
            return;
        }
        let mut entry = Entry { time_us: self.wall_us(), micros, ..Entry::default() };
        entry.keep_args(command, args, &self.config);
        match conn.and_then(|conn| self.sessions.get(conn)) {
            Some(session) => {
                entry.addr.clone_from(&session.addr);
                entry.name.clone_from(&session.name);
                self.slow_log.push(entry, self.config.slowlog_max_len);
            }
            None => self.slow_log.foreign.push(entry),
        }
    }
}
