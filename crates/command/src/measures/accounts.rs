//! The books a shard keeps of what it ran: who was slow, what failed.

use crate::rates::Totals;
use crate::slowlog::Entry;
use crate::spec::flag;
use crate::{Args, Command, Error, ShardCx};

/// With a slow log threshold below this, in µs, even short commands are timed alone.
const ALONE_BELOW_US: i64 = 1000;

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
            let stats = &self.stats;
            let totals = Totals {
                commands: self.commands.total(),
                in_bytes: stats.net_in_bytes,
                out_bytes: stats.net_out_bytes,
                turns: stats.turns,
                awake_us: stats.awake_us,
            };
            self.rates.sample(self.now_us, self.now_ms / 1000, totals, self.data_bytes() as u64);
        }
    }

    /// Finds out whether each command has to be timed alone. To be called whenever that may have changed.
    pub fn set_timing(&mut self) {
        let is_below = (0..ALONE_BELOW_US).contains(&self.config.slowlog_log_slower_than);
        self.commands.all_alone = is_below || self.hot_keys.needs_times(self.now_ms);
    }

    /// A command that was timed alone has taken `nanos` and written a reply of so many bytes: if hot keys are looked for, that is its
    /// keys' doing. What a script calls is the script's.
    #[cold]
    pub fn note_use(&mut self, command: &Command, args: Args<'_>, nanos: u64, reply_bytes: usize) {
        if self.in_script.is_some() {
            return;
        }
        let mut indexes = Vec::new();
        if command.key_indexes(&args, &mut indexes).is_err() || indexes.is_empty() {
            return;
        }
        let draw = self.random.next_u64();
        let Some(session) = self.hot_keys.active(self.now_ms) else { return self.set_timing() };
        let begun_ns = (self.platform.clock_ns)();
        let bytes = request_bytes(args) + reply_bytes;
        session.note(indexes.iter().map(|index| &args[*index]), nanos, bytes as u64, draw);
        session.own_nanos += (self.platform.clock_ns)().saturating_sub(begun_ns);
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
        if command.flags & flag::SKIP_SLOWLOG != 0 || self.config.slowlog_max_len == 0 {
            return;
        }
        self.slow_log.count(command.id, micros);
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

/// Bytes of a request as clients send it.
fn request_bytes(args: Args<'_>) -> usize {
    let header = |count: usize| 3 + count.checked_ilog10().unwrap_or(0) as usize + 1;
    header(args.len()) + args.from(0).map(|arg| header(arg.len()) + arg.len() + 2).sum::<usize>()
}
