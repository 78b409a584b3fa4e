//! The queued commands of a transaction as one command: it goes to where its keys are, and waits for them, like any other.
//!
//! Its arguments: `EXEC`; a head; for each watched key its database and itself; then for each command a head and its arguments. The
//! heads are of our making, so one that cannot be read is a bug, and panics.

use crate::execute::{self, Caller};
use crate::multi;
use crate::prepare::prepared;
use command::change::DbKey;
use command::spec::flag;
use command::state::Effect;
use command::tracking::Tracker;
use command::watches::WatcherId;
use command::{Args, Command, Cx, Error, Outcome, Plan, ShardCx, registry};
use resp::reply::Blob;
use resp::{Reply, Span};
use std::sync::LazyLock;

/// Of the commands' flags those that a block has, too.
const FLAGS: [u64; 2] = [flag::WRITE, flag::DENYOOM];

/// EXEC as it travels, with and without each of [`FLAGS`].
static ROWS: LazyLock<Vec<Command>> = LazyLock::new(|| {
    let exec = row_named("exec");
    let rows = (0..1 << FLAGS.len()).map(|set| {
        let chosen = FLAGS.iter().enumerate().filter(|(bit, _)| set >> bit & 1 != 0);
        let flags = chosen.fold(exec.flags, |flags, (_, flag)| flags | flag);
        Command { handler: run, plan: Plan::Block, arity: -2, flags, ..*exec }
    });
    rows.collect()
});

/// The row of a command under the name it was born with.
pub(crate) fn row_named(full_name: &str) -> &'static Command {
    let rows = (0..registry::ids()).map(registry::by_id);
    rows.into_iter().find(|row| row.full_name == full_name).expect("a command of our own")
}

/// Another row that is the same command to all who count and tell.
pub(crate) fn as_row_of(full_name: &'static str, row: &Command) -> Command {
    let named = row_named(full_name);
    Command { id: named.id, full_name, flags: named.flags, ..*row }
}

/// The row for a block of commands that have all these flags together.
pub(crate) fn row(flags: u64) -> &'static Command {
    let set = FLAGS.iter().enumerate().map(|(bit, flag)| usize::from(flags & flag != 0) << bit);
    &ROWS[set.sum::<usize>()]
}

/// A block that is being put together.
#[derive(Default)]
pub(crate) struct BlockBuf {
    buf: Vec<u8>,
    spans: Vec<Span>,
    outside: Vec<Blob>,
    outside_bytes: usize,
    commands: u32,
}

const NAME: &[u8] = b"EXEC";
const HEAD_BYTES: usize = 16;
const COMMAND_HEAD_BYTES: usize = 18;
/// A command whose arguments take no more than this where they came, headers included, is copied in one piece.
const PIECE_BYTES_MAX: usize = 16 * 1024;

impl BlockBuf {
    /// Begins anew.
    pub fn begin(&mut self, watcher: WatcherId, watched: impl ExactSizeIterator<Item = (u16, Vec<u8>)>) {
        self.clear();
        self.push(NAME);
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&watcher.to_le_bytes());
        head[8..12].copy_from_slice(&(watched.len() as u32).to_le_bytes());
        self.push(&head);
        watched.for_each(|(db, key)| self.push(&[&db.to_le_bytes()[..], &key].concat()));
    }

    pub fn clear(&mut self) {
        self.buf.clear();
        self.spans.clear();
        self.outside.clear();
        (self.outside_bytes, self.commands) = (0, 0);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.spans.push(Span { start: self.buf.len() as u32, len: bytes.len() as u32 });
        self.buf.extend_from_slice(bytes);
    }

    /// Adds a command that runs in database `db`; `key`: the index of a key whose hash is known, or 0, and the hash. Whether there was
    /// room for it.
    pub fn push_command(&mut self, command: &Command, args: Args<'_>, db: u16, key: (u16, u64)) -> bool {
        if self.spans.len() + args.len() >= i32::MAX as usize || !self.has_room(PIECE_BYTES_MAX) {
            return false;
        }
        let (bytes, spans) = (self.buf.len(), self.spans.len());
        let mut head = [0; COMMAND_HEAD_BYTES];
        head[..2].copy_from_slice(&command.id.to_le_bytes());
        head[2..4].copy_from_slice(&db.to_le_bytes());
        head[4..8].copy_from_slice(&(args.len() as u32).to_le_bytes());
        head[8..10].copy_from_slice(&key.0.to_le_bytes());
        head[10..18].copy_from_slice(&key.1.to_le_bytes());
        self.push(&head);
        if !command::args::push_piece(args, PIECE_BYTES_MAX, &mut self.buf, &mut self.spans)
            && !self.push_each(args)
        {
            self.buf.truncate(bytes);
            self.spans.truncate(spans);
            return false;
        }
        self.commands += 1;
        let at = NAME.len() + 12;
        self.buf[at..at + 4].copy_from_slice(&self.commands.to_le_bytes());
        true
    }

    /// Adds arguments one by one; whether there was room for them.
    #[inline(never)]
    fn push_each(&mut self, args: Args<'_>) -> bool {
        if !self.has_room(args.spans().iter().map(|span| span.len as usize).sum()) {
            return false;
        }
        let before = self.outside.len();
        for index in 0..args.len() {
            command::args::push(args, index, &mut self.buf, &mut self.spans, &mut self.outside);
        }
        self.outside_bytes += self.outside[before..].iter().map(|blob| blob.len()).sum::<usize>();
        true
    }

    /// Whether so many bytes and a head still fit.
    #[inline]
    fn has_room(&self, bytes: usize) -> bool {
        self.buf.len() + bytes + COMMAND_HEAD_BYTES <= command::args::INSIDE_BYTES_MAX
    }

    pub fn commands(&self) -> usize {
        self.commands as usize
    }

    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.buf.len() + self.spans.len() * size_of::<Span>() + self.outside_bytes
    }

    /// Room it has for more.
    pub fn capacity_bytes(&self) -> usize {
        self.buf.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    pub fn args<'a>(&'a self, seed: &'a base::hash::HashSeed) -> Args<'a> {
        Args::new(&self.buf, &self.spans, seed).with_outside(&self.outside)
    }
}

/// A block that has come.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    args: Args<'a>,
    pub watcher: WatcherId,
    watched: usize,
    commands: usize,
}

/// A command of a block.
pub(crate) struct Step<'a> {
    pub command: &'static Command,
    pub db: u16,
    pub args: Args<'a>,
}

impl<'a> Block<'a> {
    pub fn of(args: Args<'a>) -> Self {
        let head = args.at(1);
        let number = |at: usize| u32_at(head, at) as usize;
        Self { args, watcher: u64_at(head, 0), watched: number(8), commands: number(12) }
    }

    pub fn watched(self) -> impl Iterator<Item = DbKey> {
        self.args.from(2).take(self.watched).map(|arg| (u16_at(arg, 0), arg[2..].to_vec()))
    }

    pub fn steps(self) -> impl Iterator<Item = Step<'a>> {
        let mut at = self.first();
        (0..self.commands).map(move |_| {
            let (step, next) = self.step_at(at);
            at = next;
            step
        })
    }

    pub fn commands(self) -> usize {
        self.commands
    }

    /// Where the head of the first command stands.
    pub fn first(self) -> usize {
        2 + self.watched
    }

    /// The command whose head stands at `at`, and where the next one's does.
    pub fn step_at(self, at: usize) -> (Step<'a>, usize) {
        let head: &[u8; COMMAND_HEAD_BYTES] = self.args.at(at).try_into().expect("a head");
        let argc = u32_at(head, 4) as usize;
        let args = self.args.part(at + 1, argc).hashed(u16_at(head, 8).into(), u64_at(head, 10));
        let command = registry::by_id(u16_at(head, 0).into());
        (Step { command, db: u16_at(head, 2), args }, at + 1 + argc)
    }

    /// All keys, those that are watched and those of the commands, each with the databases it may be used in.
    pub fn keys(self, cx: &ShardCx) -> Vec<DbKey> {
        let mut keys: Vec<_> = self.watched().collect();
        for step in self.steps() {
            keys.extend(cx.keys_of(step.command, step.args, step.db));
        }
        keys
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Whether a command of a block needs other shards while it runs: what it is to do there shows only then, or is done by all.
pub(crate) fn needs_steps(command: &Command, args: Args<'_>) -> bool {
    if command.flags & flag::SCRIPT != 0 {
        return true;
    }
    let looks_around = || (2..args.len()).any(|index| args.is(index, "BY") || args.is(index, "GET"));
    matches!(command.plan, Plan::All(..) | Plan::Rounds(_) | Plan::Cursor(_))
        || command.has_unknown_keys() && looks_around()
}

/// Whether a command needs its client to be there.
pub(crate) fn needs_client(command: &Command) -> bool {
    matches!(command.plan, Plan::Connection | Plan::Container | Plan::WithSession(..))
        || command.prepare.is_some()
}

/// What commands of a block have to know of its client; only those that are about more than keys change it.
struct Client {
    is_there: bool,
    resp3: bool,
    tracker: Tracker,
}

impl Client {
    /// As its session has it now, if there is one here; `begun_as`: how the command before was marked.
    fn now(cx: &Cx<'_>, begun_as: Tracker) -> Self {
        let session = cx.conn.and_then(|conn| cx.shard.sessions.get(conn));
        Self {
            is_there: session.is_some(),
            resp3: session.map_or(cx.resp3, |session| session.resp3),
            tracker: tracker_now(cx.shard, cx.conn, begun_as),
        }
    }
}

/// Runs a block. All its keys are here; the watched ones that this shard owns have not been looked at if the watcher is still known.
fn run(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let block = Block::of(args);
    if block.watcher != 0 && cx.shard.unwatch(block.watcher) {
        out.null_array();
        return Ok(());
    }
    let gathers = cx.shard.journal.begin_gathering();
    out.array(block.commands);
    let mut heard = None;
    let begun_as = cx.shard.tracking.caller;
    let mut client = Client::now(cx, begun_as);
    for Step { command, db, args } in block.steps() {
        cx.shard.tracking.caller = client.tracker;
        let caller = Caller { conn: cx.conn, admitted: true, ..Caller::elsewhere(db, client.resp3) };
        if !client.is_there && needs_client(command) {
            // The client has gone, and with it who would read this.
            out.null();
            continue;
        }
        match command.plan {
            Plan::Keys | Plan::Split(_) if command.flags & flag::SCRIPT == 0 => {
                run_one(cx.shard, command, args, caller, out);
                continue;
            }
            Plan::All(_, merge) => {
                run_all(cx.shard, command, merge, args, caller, out);
                if heard.is_none() && cx.conn.is_some_and(|conn| is_leaving(cx.shard, conn)) {
                    heard = Some(out.mark());
                }
            }
            _ => run_one(cx.shard, command, args, caller, out),
        }
        client = Client::now(cx, cx.shard.tracking.caller);
    }
    cx.shard.tracking.caller = begun_as;
    if let Some(mark) = heard {
        out.rewind(mark);
    }
    if gathers {
        cx.shard.journal.end_block();
    }
    Ok(())
}

/// How a command of a transaction is marked that began as `begun_as`: CLIENT TRACKING and CLIENT CACHING may stand in it. What CLIENT CACHING NO
/// has said before EXEC holds to the end, unless tracking is turned off meanwhile, or on without OPTOUT; the session knows of it no more, for what the client sends behind EXEC may have passed.
pub(crate) fn tracker_now(cx: &ShardCx, conn: Option<usize>, begun_as: Tracker) -> Tracker {
    if begun_as.reads {
        return begun_as;
    }
    let session = conn.and_then(|conn| cx.sessions.get(conn));
    match session.and_then(|session| session.tracking.as_deref()) {
        Some(mode) if !mode.keeps_exception(begun_as.exception) => mode.tracker_in_block(),
        _ => begun_as,
    }
}

/// Whether a client has killed itself: the answer to that is the last thing it reads, though all of its transaction runs.
pub(crate) fn is_leaving(cx: &ShardCx, conn: usize) -> bool {
    let is_asked =
        |effect: &Effect| matches!(effect, Effect::CloseAfterReply { conn: other } if *other == conn);
    cx.effects.iter().any(is_asked) || cx.sessions.get(conn).is_some_and(|session| session.close_after_reply)
}

fn run_one(cx: &mut ShardCx, command: &'static Command, args: Args<'_>, caller: Caller, out: &mut Reply) {
    if execute::run_inside(cx, command, args, caller, out).is_some() {
        out.error(Error::NeedKeys(Vec::new()).line());
    }
}

/// A command for all shards where there is only this one.
pub(crate) fn run_all(
    cx: &mut ShardCx,
    command: &'static Command,
    merge: command::spec::MergeHandler,
    args: Args<'_>,
    caller: Caller,
    out: &mut Reply,
) {
    let (seed, own);
    let args = match command.prepare.map(|prepare| prepared(cx, command, prepare, args, caller, true)) {
        None => args,
        Some(Ok(words)) => {
            (seed, own) = (cx.seed.clone(), words);
            own.args(&seed)
        }
        Some(Err(error)) => {
            cx.count_error(&error);
            return out.error(error.line());
        }
    };
    let mut part = Reply::new(caller.resp3);
    run_one(cx, command, args, caller, &mut part);
    let mut whole = Reply::new(caller.resp3);
    multi::merge_parts(cx, merge, args, &[part], &mut whole);
    out.append(&mut whole);
}
