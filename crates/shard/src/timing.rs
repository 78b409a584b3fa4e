//! The time commands take, for INFO commandstats, the slow log and LATENCY.
//!
//! Reading the clock costs as much as a small command. So a command is timed alone only if it may take long (by its row, or
//! because its arguments are large); short ones share the time of their run, which ends with a command timed alone or
//! with the chunk of commands it belongs to. With a slow log threshold below a millisecond all are timed alone.

use crate::message::{Ask, Message, Ticket};
use crate::shard::Shard;
use command::slowlog::Entry;
use command::spec::{Merge, flag};
use command::{Args, Command, Plan, ShardCx};

/// Short commands with more bytes of arguments than this are timed alone.
const LARGE_ARGS_BYTES: u32 = 32 * 1024;
/// MGET, MSET, EXISTS and their like with no more arguments than this are short: most of their shares when they are split.
const FEW_ARGS_MAX: usize = 9;

/// A run of commands begins.
#[inline]
pub fn begin_chunk(cx: &mut ShardCx) {
    cx.commands.begin_run((cx.platform.clock_ns)());
}

/// The run is over: its commands share its time.
#[inline]
pub fn end_chunk(cx: &mut ShardCx) {
    cx.end_run((cx.platform.clock_ns)());
}

/// The time at which a command that is timed alone begins; `None` for others.
#[inline]
pub fn begin(cx: &mut ShardCx, command: &Command, args: Args<'_>) -> Option<u64> {
    if is_short(command, args) && !cx.commands.all_alone && !is_large(args) {
        return None;
    }
    let now_ns = (cx.platform.clock_ns)();
    cx.end_run(now_ns);
    // It may run others, which share its time.
    cx.commands.begin_run(now_ns);
    Some(now_ns)
}

/// Whether it takes little time: by its row, or because it does little with few keys.
#[inline]
fn is_short(command: &Command, args: Args<'_>) -> bool {
    let is_light = || {
        command.flags & flag::FAST != 0 || matches!(command.plan, Plan::Split(Merge::Ok | Merge::Elements))
    };
    let is_few = || matches!(command.plan, Plan::Split(_)) && args.len() <= FEW_ARGS_MAX && is_light();
    command.flags & flag::SHORT != 0 || is_few()
}

#[inline]
fn is_large(args: Args<'_>) -> bool {
    // The name may stand elsewhere.
    match args.spans() {
        [_, first, .., last] if args.all_inside() => last.start + last.len - first.start > LARGE_ARGS_BYTES,
        [_, only] if args.all_inside() => only.len > LARGE_ARGS_BYTES,
        _ => !args.all_inside(),
    }
}

/// A command has run. `begun`: as [`begin`] said; `counts`: it is not one of several parts of a command that is counted
/// elsewhere; `conn`: the connection, if it is on this shard. Gives the time that a command has taken which is timed alone, if
/// somebody looks for hot keys.
#[inline]
pub fn end(
    cx: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    begun: Option<u64>,
    counts: bool,
    conn: Option<usize>,
) -> Option<u64> {
    let Some(begun_ns) = begun else {
        cx.commands.ran_in_run(command.id, counts);
        return None;
    };
    end_alone(cx, command, args, begun_ns, counts, conn)
}

/// A command that was timed alone has run. (A function of its own: what most commands pass stays short.)
#[inline(never)]
fn end_alone(
    cx: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    begun_ns: u64,
    counts: bool,
    conn: Option<usize>,
) -> Option<u64> {
    let now_ns = (cx.platform.clock_ns)();
    cx.end_run(now_ns);
    cx.commands.begin_run(now_ns);
    let nanos = now_ns.saturating_sub(begun_ns);
    cx.ran_alone(command, args, nanos, counts, conn);
    cx.hot_keys.needs_times(cx.now_ms).then_some(nanos)
}

impl Shard {
    /// If the command that just ran for `home`, or one inside it, was slow, has its client added to the entry of the slow log.
    #[inline]
    pub(crate) fn tell_slow(&mut self, home: u16, ask: Ask) {
        if !self.cx.slow_log.foreign.is_empty() {
            self.log_foreign(home, ask);
        }
    }

    #[cold]
    fn log_foreign(&mut self, home: u16, ask: Ask) {
        for entry in std::mem::take(&mut self.cx.slow_log.foreign) {
            if home == self.cx.id {
                self.on_slow(ask, entry);
            } else {
                let entry = Box::new(entry);
                self.outgoing.posts.push((home as usize, Message::Slow { ask, entry }));
            }
        }
    }

    /// Logs a command that was slow; the shares or parts of one operation run at the same time and become one entry, which tells
    /// the time of the slowest.
    pub(crate) fn on_slow(&mut self, ask: Ask, entry: Entry) {
        let operation = match ask {
            Ask::Share(tagged, _) => return self.on_slow_share(tagged, entry),
            Ask::Part(tagged) => self.operation_of(tagged),
            Ask::Whole(_) | Ask::Hold(_) | Ask::Open(_) | Ask::Nobody => None,
        };
        match operation {
            Some(operation) if operation.slow.as_ref().is_some_and(|slow| slow.micros >= entry.micros) => {}
            Some(operation) => operation.slow = Some(Box::new(entry)),
            None => self.log_slow_of(ask, entry),
        }
    }

    /// Adds the client that asked, if it is still there, and logs.
    pub(crate) fn log_slow_of(&mut self, ask: Ask, mut entry: Entry) {
        if let Some(ticket) = self.client_of(ask) {
            let is_same = self.conns[ticket.conn as usize].generation == ticket.generation;
            if let Some(session) = self.cx.sessions.get(ticket.conn as usize).filter(|_| is_same) {
                entry.addr.clone_from(&session.addr);
                entry.name.clone_from(&session.name);
            }
        }
        self.cx.slow_log.push(entry, self.cx.config.slowlog_max_len);
    }

    fn client_of(&self, ask: Ask) -> Option<Ticket> {
        match ask {
            Ask::Whole(ticket) => Some(ticket),
            Ask::Share(..) => unreachable!("what is slow about shares is told with their command's ticket"),
            Ask::Part(tagged) | Ask::Hold(tagged) | Ask::Open(tagged) => self.client_of_operation(tagged),
            Ask::Nobody => None,
        }
    }
}
