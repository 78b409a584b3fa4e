//! Running one command on this shard.

use crate::conn::Conn;
use crate::message::Ask;
use crate::parking::Parked;
use crate::{running, timing};
use command::blocking::Wait;
use command::change::DbKey;
use command::shipping::Shipment;
use command::tracking::{Tracker, is_tracked};
use command::{Args, Command, Cx, Error, OwnArgs, ShardCx, eviction};
use resp::Reply;

/// Who asked: the connection if it is this shard's, the database and the protocol.
#[derive(Clone, Copy)]
pub struct Caller {
    pub conn: Option<usize>,
    pub db: u16,
    pub resp3: bool,
    /// The first or only shard to run it: the command is counted here.
    pub counts: bool,
    /// Memory for it was granted where it came from: it must not be refused for want of memory here.
    pub admitted: bool,
    /// CLIENT ID of a client elsewhere whose command may block.
    pub client: u64,
    /// Whose reads are remembered.
    pub tracker: Tracker,
}

impl Caller {
    /// A connection of this shard.
    #[inline]
    pub fn of(index: usize, conn: &Conn) -> Self {
        let (db, resp3, tracker) = (conn.db, conn.resp3, conn.tracker);
        Self { conn: Some(index), db, resp3, counts: true, admitted: false, client: 0, tracker }
    }

    /// A client that is not, or need not be, known here.
    #[inline]
    pub fn elsewhere(db: u16, resp3: bool) -> Self {
        Self { conn: None, db, resp3, counts: true, admitted: false, client: 0, tracker: Tracker::NOBODY }
    }
}

/// A command on its way: who asked, and for what.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The shard of the client.
    pub home: u16,
    pub ask: Ask,
    pub command: &'static Command,
    pub caller: Caller,
    pub args: Args<'a>,
}

impl Asked<'_> {
    /// The same with arguments of its own, to wait with.
    pub fn parked(&self) -> Parked {
        let Self { home, ask, command, caller, args } = *self;
        Parked { home, ask, command, caller, args: OwnArgs::of(args) }
    }
}

/// What a command needs before it can do anything.
pub enum Needs {
    /// These keys of other shards.
    Keys(Vec<DbKey>),
    /// Something to happen.
    Wait(Box<Wait>),
    /// This to be carried to another server.
    Away(Box<Shipment>),
    /// Many turns: see [`Command::in_steps`].
    Steps,
}

/// Runs the handler; an error becomes its reply. Returns what it needs first, if anything: then nothing has been written and
/// nothing changed.
#[inline]
pub fn execute(
    shard: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    caller: Caller,
    out: &mut Reply,
) -> Option<Needs> {
    if let Err(error) = eviction::before(shard, command)
        && !caller.admitted
    {
        out.resp3 = caller.resp3;
        return refuse(shard, command, &error, caller, out);
    }
    if caller.tracker.is_on {
        begin_tracked(shard, caller);
    }
    let needs = run_handler(shard, command, args, caller, false, out);
    shard.settle_indexes();
    if caller.tracker.is_on {
        end_tracked(shard, command, args, caller, needs.is_none());
    }
    needs
}

/// A client that has tracking on asks: what changes now is its doing.
#[inline]
fn begin_tracked(shard: &mut ShardCx, caller: Caller) {
    shard.tracking.caller = caller.tracker;
    shard.tracking.misses = shard.stats.misses;
}

/// What it has read, if its command `has_run`, is remembered. (Not marked as cold: else the compiler makes another, slower path for
/// all that such a client asks.)
#[inline(never)]
fn end_tracked(shard: &mut ShardCx, command: &Command, args: Args<'_>, caller: Caller, has_run: bool) {
    if has_run && caller.tracker.reads && is_tracked(command) {
        shard.remember_reads(command, args, caller.db);
    }
    shard.tracking.caller = Tracker::NOBODY;
}

/// A command has been run in steps, from `begun_ns` (monotonic) on: what [`execute`] does behind the handler of a command that changes nothing.
pub(crate) fn end_steps(
    shard: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    caller: Caller,
    begun_ns: u64,
) {
    if caller.tracker.is_on {
        begin_tracked(shard, caller);
        end_tracked(shard, command, args, caller, true);
    }
    timing::end(shard, command, args, Some(begun_ns), caller.counts, caller.conn);
}

/// As [`execute`] for a command inside another one: memory has been seen to, and it cannot wait for anything.
pub(crate) fn run_inside(
    shard: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    caller: Caller,
    out: &mut Reply,
) -> Option<Vec<DbKey>> {
    shard.tracking.misses = shard.stats.misses;
    let needs = run_handler(shard, command, args, caller, true, out);
    shard.settle_indexes();
    match needs {
        None => {
            if shard.tracking.caller.reads && is_tracked(command) {
                shard.remember_reads(command, args, caller.db);
            }
            None
        }
        Some(Needs::Keys(keys)) => Some(keys),
        Some(Needs::Wait(_) | Needs::Away(_) | Needs::Steps) => {
            unreachable!("it must not wait, and does not")
        }
    }
}

#[inline(always)]
fn run_handler(
    shard: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    caller: Caller,
    deny_blocking: bool,
    out: &mut Reply,
) -> Option<Needs> {
    let mark = out.mark();
    out.resp3 = caller.resp3;
    running::note(command.name);
    let begun = timing::begin(shard, command, args);
    let dirty = shard.dirty;
    let mut cx = Cx { shard, db: caller.db, resp3: caller.resp3, conn: caller.conn, deny_blocking };
    let result = (command.handler)(&mut cx, args, out);
    if let Err(error) = result {
        return fail(shard, command, args, error, caller, begun, (out, mark));
    }
    if shard.logs() {
        shard.write_down(command, args, caller.db, dirty);
    }
    if let Some(nanos) = timing::end(shard, command, args, begun, caller.counts, caller.conn) {
        shard.note_use(command, args, nanos, out.bytes_since(mark));
    }
    None
}

/// A command that does not run for want of memory.
#[cold]
fn refuse(
    shard: &mut ShardCx,
    command: &Command,
    error: &Error,
    caller: Caller,
    out: &mut Reply,
) -> Option<Needs> {
    if caller.counts {
        shard.commands.rejected(command.id);
        shard.count_error(error);
    }
    out.error(error.line());
    None
}

#[cold]
fn fail(
    shard: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    error: Error,
    caller: Caller,
    begun: Option<u64>,
    (out, mark): (&mut Reply, (usize, usize)),
) -> Option<Needs> {
    out.rewind(mark);
    if shard.logs() {
        shard.write_failed();
    }
    match error {
        Error::NeedKeys(keys) => return Some(Needs::Keys(keys)),
        Error::Wait(wait) => return Some(Needs::Wait(wait)),
        Error::Away(shipment) => return Some(Needs::Away(shipment)),
        Error::Long => return Some(Needs::Steps),
        Error::Reply(_) => {}
    }
    if caller.counts {
        shard.commands.failed(command.id);
        shard.count_error(&error);
    }
    let nanos = timing::end(shard, command, args, begun, caller.counts, caller.conn);
    out.error(error.line());
    if let Some(nanos) = nanos {
        shard.note_use(command, args, nanos, out.bytes_since(mark));
    }
    None
}

/// Whether a request is the first line or a header of HTTP: a browser that was lured here gets no answer, and nothing of what
/// it sends further is read.
pub fn is_of_browser(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// The error for a name that no command has, as Redis words it.
pub fn unknown_command(name: &[u8], args: Args<'_>) -> Error {
    Error::unknown_command(name, args.from(1))
}
