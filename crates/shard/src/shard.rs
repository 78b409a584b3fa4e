//! The shard's loop turn, seen from inside.
//!
//! The caller (runtime or simulator) takes the steps in the order of [`crate::TURN`]: it collects input; hands over all mail; then
//! the input; then publishes [`Shard::outgoing`]; then sends the replies of [`Shard::dirty_conns`].

use crate::ahead::{CHUNK_COMMANDS, Look, look_ahead};
use crate::conn::Conn;
use crate::execute::{self, Caller};
use crate::locks::{Locks, Ready, WaiterId};
use crate::message::{Ask, Batch, Message, OpId, Ticket};
use crate::multi::Operation;
use crate::parking::parked;
use crate::route::{self, Place};
use crate::timing;
use command::args::INSIDE_BYTES_MAX;
use command::session::{ReplyMode, Session};
use command::spec::{Expand, flag};
use command::{Args, Command, Error, OwnArgs, Plan, ShardCx};
use resp::{Limits, Parsed, Reply, Span};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// What a turn leaves to be published.
#[derive(Default)]
pub struct Outgoing {
    /// Commands for each shard (the own one included), to be published together.
    pub batches: Vec<Option<Box<Batch>>>,
    /// Some of them are parts of multi-shard operations.
    pub exclusive: bool,
    /// Replies and continuations: need no order among others.
    pub posts: Vec<(usize, Message)>,
}

/// A parsed command that has not run yet.
#[derive(Clone, Copy)]
pub(crate) struct Queued {
    pub(crate) conn: u32,
    spans: (u32, u32),
    pub(crate) command: Option<&'static Command>,
    pub(crate) key_index: u16,
    shard: u16,
    /// The client's database when the command came: where to look ahead.
    db: u16,
    pub(crate) hash: u64,
}

impl Queued {
    /// What to look ahead for, if its key is on shard `here`.
    #[inline]
    fn look<'a>(&self, here: u16, buf: &'a [u8], spans: &[Span]) -> Option<Look<'a>> {
        let command = self.command.filter(|_| self.key_index != 0 && self.shard == here)?;
        let own = &spans[self.spans.0 as usize..(self.spans.0 + self.spans.1) as usize];
        Some(Look::new(command, self.db, buf, own, self.key_index, self.hash))
    }
}

/// A command that waits for a lock, with arguments of its own.
pub(crate) struct Parked {
    pub home: u16,
    pub ask: Ask,
    pub command: &'static Command,
    pub caller: Caller,
    pub args: OwnArgs,
}

/// What the locks hand back when it may run.
pub(crate) enum Job {
    Command(Parked),
    Hold { home: u16, op: OpId, db: u16, keys: Vec<Vec<u8>> },
}

pub struct Shard {
    pub cx: ShardCx,
    pub(crate) conns: Vec<Conn>,
    free_conns: Vec<u32>,
    /// Connections with replies to send, each once.
    pub dirty_conns: Vec<u32>,
    pub outgoing: Outgoing,
    // Boxed as they travel: taking one moves a pointer.
    #[allow(clippy::vec_box)]
    pub(crate) batch_pool: Vec<Box<Batch>>,
    pub(crate) locks: Locks<Job>,
    /// Locks held here for operations, by home shard and operation.
    pub(crate) holds: HashMap<(u16, OpId), Vec<WaiterId>>,
    pub(crate) ops: HashMap<OpId, Operation>,
    pub(crate) next_op: OpId,
    pub(crate) queue: Vec<Queued>,
    pub(crate) spans: Vec<Span>,
    scratch: Reply,
    /// Commands sent to other shards and replies that came back, since start.
    forwarded: u64,
    pub(crate) returned: u64,
    /// Connections whose input may go on.
    pub(crate) resume: VecDeque<u32>,
    pub(crate) ready: Ready<Job>,
    /// Connections that want to move to another shard.
    pub(crate) wish_to_move: Vec<u32>,
}

impl Shard {
    pub fn new(cx: ShardCx) -> Self {
        let shards = cx.shards as usize;
        let outgoing = Outgoing { batches: (0..shards).map(|_| None).collect(), ..Outgoing::default() };
        Self {
            cx,
            conns: Vec::new(),
            free_conns: Vec::new(),
            dirty_conns: Vec::new(),
            outgoing,
            batch_pool: Vec::new(),
            locks: Locks::default(),
            holds: HashMap::new(),
            ops: HashMap::new(),
            next_op: 1,
            queue: Vec::new(),
            spans: Vec::new(),
            scratch: Reply::default(),
            forwarded: 0,
            returned: 0,
            resume: VecDeque::new(),
            ready: Ready::new(),
            wish_to_move: Vec::new(),
        }
    }

    /// The clocks as of now: unix ms and monotonic µs.
    pub fn set_time(&mut self, now_ms: u64, now_us: u64) {
        self.cx.now_ms = now_ms;
        self.cx.now_us = now_us;
        self.cx.stats.turns += 1;
        self.cx.sample_rates();
    }

    /// A new connection; its index, which stays its name until [`Shard::close`].
    pub fn open(&mut self, session: Session) -> usize {
        let index = match self.free_conns.pop() {
            Some(index) => index as usize,
            None => {
                self.conns.push(Conn::default());
                self.conns.len() - 1
            }
        };
        let generation = self.conns[index].generation;
        self.conns[index] = Conn::new(generation, true);
        self.cx.sessions.put(index, session);
        self.cx.stats.connections += 1;
        self.sync_from_session(index);
        index
    }

    /// The connection is gone; replies still on their way to it will be dropped.
    pub fn close(&mut self, conn: usize) {
        let slot = &mut self.conns[conn];
        if !slot.open {
            return;
        }
        let generation = slot.generation.wrapping_add(1);
        *slot = Conn::new(generation, false);
        self.cx.sessions.take(conn);
        self.cx.monitoring.retain(|index| *index != conn);
        self.free_conns.push(conn as u32);
    }

    pub fn conn(&self, conn: usize) -> &Conn {
        &self.conns[conn]
    }

    pub fn conn_mut(&mut self, conn: usize) -> &mut Conn {
        &mut self.conns[conn]
    }

    /// Whether commands of this shard's connections are under way on other shards.
    pub fn awaits_others(&self) -> bool {
        self.forwarded > self.returned || !self.ops.is_empty()
    }

    /// Whether any key is locked here or any command waits for a lock.
    pub fn holds_locks(&self) -> bool {
        !self.locks.is_empty() || !self.holds.is_empty() || !self.ready.is_empty()
    }

    /// Whether anything waits to be published.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.posts.is_empty() || self.outgoing.batches.iter().any(Option::is_some)
    }

    /// Input of several connections: `(connection, range of buf)`, each connection at most once.
    pub fn receive(&mut self, buf: &[u8], inputs: &[(u32, Range<usize>)]) {
        debug_assert!(is_each_once(inputs), "a connection's input is in one piece");
        for (conn, range) in inputs {
            let conn = *conn as usize;
            self.cx.stats.net_in_bytes += range.len() as u64;
            self.conns[conn].net_in_bytes += range.len() as u64;
            self.conns[conn].last_active_ms = self.cx.now_ms;
            if !self.conns[conn].input.is_empty() {
                self.receive_more(conn, &buf[range.clone()]);
                continue;
            }
            let end = self.parse(conn, &buf[..range.end], range.start, range.end);
            if end < range.end {
                self.conns[conn].input.extend(&buf[end..range.end]);
                self.conns[conn].set_large_apart();
            }
        }
        self.run_queue(buf);
    }

    /// More input stands at the end of the connection's own input buffer.
    pub fn receive_own(&mut self, conn: usize) {
        let mut input = std::mem::take(&mut self.conns[conn].input);
        let waiting = std::mem::take(&mut self.queue);
        let spans = std::mem::take(&mut self.spans);
        let (buf, start) = input.buf();
        let stop = buf.len().min(start + OWN_BYTES_MAX);
        let end = self.parse(conn, buf, start, stop);
        self.run_queue(buf);
        (self.queue, self.spans) = (waiting, spans);
        let slot = &mut self.conns[conn];
        if !slot.open {
            return;
        }
        let may_go_on = end >= stop && !slot.closing;
        input.consume_to(if slot.closing { buf.len() } else { end });
        slot.input = input;
        slot.set_large_apart();
        if may_go_on && !slot.fenced && !slot.input.is_empty() {
            self.resume_later(conn);
        }
    }

    /// Parses whole requests of one connection, all that begin before `end`, running the queue whenever a chunk is full; where the
    /// rest begins.
    fn parse(&mut self, conn: usize, buf: &[u8], mut at: usize, end: usize) -> usize {
        while at < end && self.conns[conn].takes_input() {
            let authenticated = self.conns[conn].authenticated;
            let limits = Limits {
                bulk_bytes_max: self.cx.config.proto_max_bulk_len,
                args_max: i32::MAX as u64,
                authenticated,
            };
            let mark = self.spans.len();
            match self.conns[conn].parser.parse(buf, at, &mut self.spans, &limits) {
                Ok(Parsed::Request { end }) => {
                    at = end;
                    if self.spans.len() > mark {
                        self.enqueue(conn, buf, mark);
                    }
                    if self.queue.len() >= CHUNK_COMMANDS || !authenticated {
                        self.run_queue(buf);
                    }
                }
                Ok(Parsed::Large { end }) => {
                    at = end;
                    self.run_large(conn, buf, mark);
                }
                Ok(Parsed::Incomplete { .. }) => break,
                Err(error) => {
                    self.run_queue(buf);
                    // Nothing counts behind QUIT.
                    if self.conns[conn].closing {
                        return end;
                    }
                    if let Some(end) = self.run_quoted_line(conn, buf, at) {
                        at = end;
                        continue;
                    }
                    self.reply_error(conn, &Error::Reply([b"ERR ", &error.0[..]].concat().into()));
                    self.conns[conn].closing = true;
                    return end;
                }
            }
        }
        if self.conns[conn].closing { end } else { at }
    }

    /// Puts the request whose spans begin at `mark` into the queue and asks for the memory of its key.
    #[inline]
    pub(crate) fn enqueue(&mut self, conn: usize, buf: &[u8], mark: usize) {
        let args = Args::new(buf, &self.spans[mark..], &self.cx.seed);
        let queued = self.queued(conn, mark, args);
        // Where its keys are shows only while it runs: what follows waits until it is done.
        if self.cx.shards > 1 && queued.command.is_some_and(Command::has_unknown_keys) {
            self.conns[conn].fenced = true;
        }
        self.queue.push(queued);
    }

    /// Looks a request up whose spans begin at `mark`.
    #[inline]
    pub(crate) fn queued(&self, conn: usize, mark: usize, args: Args<'_>) -> Queued {
        let mut command = command::lookup(args.at(0));
        if let Some(container @ Command { plan: Plan::Container, .. }) = command
            && let Some(sub) = args.get(1).and_then(|arg| command::registry::subcommand(container, arg))
        {
            command = Some(sub);
        }
        let mut queued = Queued {
            conn: conn as u32,
            spans: (mark as u32, args.len() as u32),
            command,
            key_index: 0,
            shard: self.cx.id,
            db: self.conns[conn].db,
            hash: 0,
        };
        if let Some(command) = command {
            let index = command.placed_key;
            if index != 0 && (index as usize) < args.len() {
                let key = args.at(index as usize);
                queued.key_index = index;
                queued.hash = self.cx.seed.hash(key);
                queued.shard = self.cx.slots.shard_of(key);
                if queued.shard == self.cx.id {
                    self.cx.dbs[queued.db as usize].prefetch_bucket(queued.hash);
                }
            }
        }
        queued
    }

    /// Runs or forwards all queued commands, in order.
    pub(crate) fn run_queue(&mut self, buf: &[u8]) {
        if self.queue.is_empty() {
            self.spans.clear();
            return;
        }
        let queue = std::mem::take(&mut self.queue);
        let spans = std::mem::take(&mut self.spans);
        timing::begin_chunk(&mut self.cx);
        look_ahead(&self.cx.dbs, queue.iter().filter_map(|q| q.look(self.cx.id, buf, &spans)));
        let seed = self.cx.seed.clone();
        let mut plain = self.is_plain();
        for q in &queue {
            let own = &spans[q.spans.0 as usize..(q.spans.0 + q.spans.1) as usize];
            let args = Args::with_hash(buf, own, &seed, q.key_index as usize, q.hash);
            if plain
                && q.key_index != 0
                && q.shard == self.cx.id
                && let Some(command) = q.command
                && command.flags & flag::PLAIN != 0
                && command.takes(own.len())
                && self.conns[q.conn as usize].is_plain()
            {
                plain = self.run_plain(q.conn as usize, command, args);
                continue;
            }
            self.run_queued(q, args);
            plain = self.is_plain();
        }
        timing::end_chunk(&mut self.cx);
        (self.queue, self.spans) = (queue, spans);
        self.queue.clear();
        self.spans.clear();
    }

    /// Whether nothing on this shard stands between a command on one of its keys and that key.
    #[inline]
    fn is_plain(&self) -> bool {
        self.cx.pause.is_none() && self.cx.monitors.is_empty() && self.locks.is_empty()
    }

    /// The short way of [`Shard::dispatch`]: a command on a key of this shard, of a connection that awaits nothing. Whether the
    /// shard is as plain as before.
    #[inline]
    fn run_plain(&mut self, index: usize, command: &'static Command, args: Args<'_>) -> bool {
        let conn = &mut self.conns[index];
        conn.last_command = Some(command);
        conn.commands += 1;
        if self.cx.shards > 1 {
            conn.pull.against();
        }
        let caller = Caller::of(index, conn);
        if let Some(keys) = execute::execute(&mut self.cx, command, args, caller, &mut conn.out) {
            self.start_hold_more(index, command, args, keys);
            return false;
        }
        self.mark_dirty(index);
        true
    }

    /// Runs or forwards one command.
    #[inline]
    pub(crate) fn run_queued(&mut self, q: &Queued, args: Args<'_>) {
        self.dispatch(q, args);
        if self.conns[q.conn as usize].fenced {
            self.end_fence(q);
        }
    }

    /// A command that lets nothing pass may have been done on the spot.
    #[cold]
    fn end_fence(&mut self, q: &Queued) {
        let conn = &self.conns[q.conn as usize];
        if q.command.is_some_and(Command::has_unknown_keys) && conn.postponed.is_empty() {
            self.after_fulfil(q.conn as usize);
        }
    }

    #[inline]
    fn dispatch(&mut self, q: &Queued, args: Args<'_>) {
        let index = q.conn as usize;
        if self.cx.pause.is_some() && self.postpone(q, args) {
            return;
        }
        let conn = &mut self.conns[index];
        if !conn.open || conn.closing {
            return;
        }
        let Some(command) = q.command else {
            if execute::is_of_browser(&args[0]) {
                conn.closing = true;
                return self.mark_dirty(index);
            }
            let error = execute::unknown_command(&args[0], args);
            return self.reply_error(index, &error);
        };
        conn.last_command = Some(command);
        conn.commands += 1;
        if !command.takes(args.len()) {
            return self.reject(index, command, &Error::wrong_arity(command.full_name));
        }
        if !conn.authenticated && command.flags & flag::NO_AUTH == 0 && self.cx.config.requirepass.is_some() {
            return self.reject(index, command, &Error::NO_AUTH);
        }
        if command.flags & flag::PROTECTED != 0 && !self.may_use(index, command) {
            return;
        }
        if !self.cx.monitors.is_empty() {
            self.feed_monitors(index, command, args);
        }
        match command.plan {
            Plan::Keys | Plan::Split(_) if q.key_index != 0 => self.run_at(index, command, args, q.shard, q),
            Plan::Keys | Plan::Split(_) => self.run_many(index, command, args, q),
            Plan::Connection | Plan::Container => self.run_here(index, command, args),
            Plan::WithSession(expand, row) => self.run_expanded(index, expand, row, args),
            Plan::Cursor => {
                let shard = route::cursor_shard(self.cx.shards, args.get(1).unwrap_or_default());
                self.run_at(index, command, args, shard, q);
            }
            Plan::All(..) => self.start_all(index, command, args),
        }
    }

    /// A command that needs its session as it is now, and then runs where its key is.
    fn run_expanded(&mut self, index: usize, expand: Expand, row: &'static Command, args: Args<'_>) {
        let (mut buf, mut spans) = (Vec::new(), Vec::new());
        let session = self.cx.sessions.get(index).expect("an open connection has a session");
        expand(session, args, &mut |arg| {
            spans.push(Span { start: buf.len() as u32, len: arg.len() as u32 });
            buf.extend_from_slice(arg);
        });
        if buf.len() > INSIDE_BYTES_MAX {
            return self.reply_error(index, &Error::STRING_TOO_LONG);
        }
        let seed = self.cx.seed.clone();
        let key_index = row.only_key().expect("such a row has one key");
        let key = spans[key_index].of(&buf);
        let (hash, shard) = (seed.hash(key), self.cx.slots.shard_of(key));
        let args = Args::with_hash(&buf, &spans, &seed, key_index, hash);
        let (conn, spans) = (index as u32, (0, args.len() as u32));
        let (db, key_index) = (self.conns[index].db, key_index as u16);
        let q = Queued { conn, spans, command: Some(row), key_index, shard, db, hash };
        self.run_at(index, row, args, shard, &q);
    }

    /// A command with several keys (or with keys that depend on its arguments).
    fn run_many(&mut self, conn: usize, command: &'static Command, args: Args<'_>, q: &Queued) {
        let mut indexes = Vec::new();
        // A wrong key count is the handler's to complain about, in its own words.
        let placed = match command.key_indexes(&args, &mut indexes) {
            Ok(()) => route::place(self.cx.slots, args, &indexes, self.cx.id),
            Err(_) => Place::One(self.cx.id),
        };
        match placed {
            Place::One(shard) => self.run_at(conn, command, args, shard, q),
            Place::Many(shards) => match command.plan {
                Plan::Split(merge) => self.start_split(conn, command, args, merge, &indexes, &shards),
                _ => {
                    let keys = indexes.iter().map(|&i| args[i].to_vec()).collect();
                    self.start_hold(conn, command, args, keys);
                }
            },
        }
    }

    /// A command whose keys are all on `shard`.
    #[inline]
    fn run_at(&mut self, index: usize, command: &'static Command, args: Args<'_>, shard: u16, q: &Queued) {
        let conn = &mut self.conns[index];
        let here = shard == self.cx.id;
        if here && conn.through_own_mailbox == 0 && (conn.writes_elsewhere == 0 || !command.is_write()) {
            conn.pull.against();
            return self.run_here(index, command, args);
        }
        if !here && conn.pull.elsewhere(shard) && !conn.moving {
            conn.moving = true;
            self.wish_to_move.push(index as u32);
        }
        if here {
            conn.through_own_mailbox += 1;
        } else if command.is_write() {
            conn.writes_elsewhere += 1;
        }
        let ask = Ask::Whole(self.expect(index));
        self.forwarded += u64::from(!here);
        self.cx.stats.forwarded += u64::from(!here);
        let (db, resp3) = (self.conns[index].db, self.conns[index].resp3);
        let batch = self.batch_for(shard as usize);
        let first = batch.spans.len();
        batch.push_args(args);
        batch.push_keyed(command, ask, (db, resp3), first, (q.key_index, q.hash));
    }

    /// Runs a command now, for a connection of this shard.
    #[inline]
    fn run_here(&mut self, index: usize, command: &'static Command, args: Args<'_>) {
        let conn = &mut self.conns[index];
        let caller = Caller::of(index, conn);
        if !self.locks.is_empty()
            && !matches!(command.plan, Plan::Connection)
            && let Some(things) = self.contended(command, args, caller.db)
        {
            self.conns[index].through_own_mailbox += 1;
            let ask = Ask::Whole(self.expect(index));
            return self.park(things, parked(self.cx.id, ask, command, caller, args));
        }
        if command.flags & flag::SESSIONS != 0 {
            self.sync_to_session(index);
        }
        let conn = &mut self.conns[index];
        let needed = if conn.is_in_order() && conn.replies == ReplyMode::On {
            execute::execute(&mut self.cx, command, args, caller, &mut conn.out)
        } else if conn.replies == ReplyMode::On && !matches!(command.plan, Plan::Connection) {
            conn.hold(|held| execute::execute(&mut self.cx, command, args, caller, held))
        } else {
            self.run_out_of_order(index, command, args, caller)
        };
        if let Some(keys) = needed {
            return self.start_hold_more(index, command, args, keys);
        }
        if matches!(command.plan, Plan::Connection) {
            self.sync_from_session(index);
        }
        self.mark_dirty(index);
    }

    /// Runs a command whose reply must wait for earlier ones, or must not be sent.
    fn run_out_of_order(
        &mut self,
        index: usize,
        command: &'static Command,
        args: Args<'_>,
        caller: Caller,
    ) -> Option<Vec<Vec<u8>>> {
        let mut out = std::mem::take(&mut self.scratch);
        let needed = execute::execute(&mut self.cx, command, args, caller, &mut out);
        if needed.is_none() {
            if matches!(command.plan, Plan::Connection) {
                self.sync_from_session(index);
            }
            self.deliver_here(index, &mut out);
        }
        out.clear();
        self.scratch = out;
        needed
    }

    /// Gives a connection of this shard a reply that is complete, in its order and if it wants it.
    pub(crate) fn deliver_here(&mut self, index: usize, out: &mut Reply) {
        // CLIENT REPLY OFF and SKIP say nothing themselves, which must not count as the reply that is skipped.
        if out.is_empty() || self.discards(index) {
            return;
        }
        let conn = &mut self.conns[index];
        if conn.is_in_order() {
            conn.out.append(out);
        } else {
            conn.hold(|held| held.append(out));
        }
    }

    /// Whether the reply of the command at hand is not wanted; ends a SKIP.
    fn discards(&mut self, index: usize) -> bool {
        let conn = &mut self.conns[index];
        match conn.replies {
            ReplyMode::On => false,
            ReplyMode::Off => true,
            ReplyMode::SkipNext => {
                if let Some(session) = self.cx.sessions.get_mut(index) {
                    session.reply_mode = ReplyMode::On;
                }
                conn.replies = ReplyMode::On;
                true
            }
        }
    }

    /// A place in the connection's order of replies.
    pub(crate) fn expect(&mut self, index: usize) -> Ticket {
        let discard = self.discards(index);
        let conn = &mut self.conns[index];
        let seq = conn.expect(discard);
        Ticket { conn: index as u32, generation: conn.generation, seq }
    }

    pub(crate) fn reply_error(&mut self, index: usize, error: &Error) {
        self.cx.count_error(error);
        let mut out = Reply::new(self.conns[index].resp3);
        out.error(error.line());
        self.deliver_here(index, &mut out);
        self.mark_dirty(index);
    }

    #[inline]
    pub(crate) fn mark_dirty(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        if !conn.dirty {
            conn.dirty = true;
            self.dirty_conns.push(index as u32);
        }
    }

    /// A reply has taken its place: send it, and go on with a connection that waited for all of them.
    pub(crate) fn after_fulfil(&mut self, index: usize) {
        self.mark_dirty(index);
        let conn = &mut self.conns[index];
        if conn.fenced && conn.is_in_order() {
            conn.fenced = false;
            self.resume_later(index);
        }
    }

    /// Has the connection's input gone on with, once in this turn.
    pub(crate) fn resume_later(&mut self, index: usize) {
        if !std::mem::replace(&mut self.conns[index].resumes, true) {
            self.resume.push_back(index as u32);
        }
    }

    /// Whether connections that had to wait can go on.
    pub fn has_ready_input(&self) -> bool {
        !self.resume.is_empty()
    }

    /// Goes on with the input of connections that had to wait: a step of each in turn, and not more than [`RESUMES_MAX`] in all.
    /// Call once per turn, after the mail.
    pub fn resume(&mut self) {
        for _ in 0..RESUMES_MAX {
            let Some(index) = self.resume.pop_front() else { return };
            let index = index as usize;
            let conn = &mut self.conns[index];
            conn.resumes = false;
            if conn.open && !conn.fenced && !conn.input.is_empty() {
                self.receive_own(index);
            }
            let conn = &mut self.conns[index];
            if conn.ended && !conn.holds_back() {
                conn.closing = true;
                self.mark_dirty(index);
            }
        }
    }

    /// Takes over what commands change in the session.
    pub(crate) fn sync_from_session(&mut self, index: usize) {
        let Some(session) = self.cx.sessions.get(index) else { return };
        let conn = &mut self.conns[index];
        conn.db = session.db;
        conn.resp3 = session.resp3;
        conn.replies = session.reply_mode;
        conn.authenticated = session.authenticated;
        conn.closing |= session.close_after_reply;
        if session.no_touch {
            self.cx.ages.note_no_touch();
        }
    }

    /// The batch of this turn for a shard.
    #[inline]
    pub(crate) fn batch_for(&mut self, shard: usize) -> &mut Batch {
        if self.outgoing.batches[shard].as_ref().is_none_or(|batch| batch.is_full()) {
            self.begin_batch(shard);
        }
        self.outgoing.batches[shard].as_mut().expect("it has begun")
    }

    fn begin_batch(&mut self, shard: usize) {
        let mut batch = self.batch_pool.pop().unwrap_or_default();
        batch.from = self.cx.id;
        batch.earlier = self.outgoing.batches[shard].take();
        self.outgoing.batches[shard] = Some(batch);
    }
}

fn is_each_once(inputs: &[(u32, Range<usize>)]) -> bool {
    let mut conns: Vec<u32> = inputs.iter().map(|(conn, _)| *conn).collect();
    conns.sort_unstable();
    conns.windows(2).all(|pair| pair[0] != pair[1])
}

/// Bytes of a connection's own input that are run in one step.
const OWN_BYTES_MAX: usize = 64 * 1024;
/// Steps of connections that go on with their input, in one turn.
const RESUMES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};

    /// SORT lets nothing pass on several shards. A long pipeline of it keeps nobody else waiting, and is not handed on
    /// whole with each.
    #[test]
    fn a_pipeline_that_waits_for_itself_goes_on_step_by_step() {
        let mut trial = Trial::new(4);
        let (conn, other) = (trial.connect(), trial.connect());
        let key = trial.key_on(0, "list");
        trial.ask(conn, &request(&["RPUSH", &key, "2", "1"]));
        let count = 20_000;
        let (mut requests, mut expected) = (Vec::new(), Vec::new());
        for round in 0..count {
            requests.extend(request(&["SORT", &key]));
            requests.extend(request(&["ECHO", &round.to_string()]));
            let round = round.to_string();
            expected.extend(format!("*2\r\n$1\r\n1\r\n$1\r\n2\r\n${}\r\n{round}\r\n", round.len()).bytes());
        }
        trial.send(conn, &requests);
        assert!(trial.shards[0].has_ready_input());
        assert!(trial.shards[0].conn(conn).out.len() < expected.len() / 100);
        trial.send(other, b"PING\r\n");
        assert_eq!(trial.take_replies(other), b"+PONG\r\n");
        trial.settle();
        assert!(trial.take_replies(conn) == expected);
    }

    /// A client that has sent all it will gets all its replies; then the connection is closing.
    #[test]
    fn what_waits_runs_after_the_end_of_input() {
        for fences in [1, 300] {
            let mut trial = Trial::new(2);
            let conn = trial.connect();
            let there = trial.key_on(1, "there");
            let mut requests = request(&["SORT", &there]).repeat(fences);
            requests.extend(request(&["SET", "last", "1"]));
            requests.extend(b"*2\r\n$3\r\nGET");
            trial.send(conn, &requests);
            let slot = trial.shards[0].conn_mut(conn);
            assert!(slot.holds_back() && !slot.closing);
            slot.ended = true;
            trial.settle();
            assert!(trial.shards[0].conn(conn).closing);
            assert_eq!(trial.take_replies(conn), [b"*0\r\n".repeat(fences), b"+OK\r\n".to_vec()].concat());
        }
    }
}
