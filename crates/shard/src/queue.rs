//! The queue of a chunk: parsed commands whose memory is asked for before the first of them runs.
//!
//! The short way is here, too: a command on one key of this shard, of a connection that awaits nothing, on a shard where nothing stands
//! between them. All others are dispatched.

use crate::ahead::{Look, look_ahead, look_into_small_ones};
use crate::execute::{self, Caller};
use crate::shard::Shard;
use crate::timing;
use command::spec::{Verb, flag};
use command::tracking::ClientRef;
use command::{Args, Command, Plan};
use resp::Span;

/// A parsed command that has not run yet.
#[derive(Clone, Copy)]
pub(crate) struct Queued {
    pub(crate) conn: u32,
    pub(crate) spans: (u32, u32),
    pub(crate) command: Option<&'static Command>,
    pub(crate) key_index: u16,
    pub(crate) shard: u16,
    /// The client's database when the command came: where to look ahead.
    pub(crate) db: u16,
    /// What its connection sends next waits until it is done.
    pub(crate) fences: bool,
    /// Of the key at `looked_key`.
    pub(crate) hash: u64,
    /// The key to look ahead for if it is on this shard: `key_index`, or the first one of a script; 0 for none.
    pub(crate) looked_key: u16,
}

impl Queued {
    /// What to look ahead for, if its key is on shard `here`.
    #[inline]
    fn look<'a>(&self, here: u16, buf: &'a [u8], spans: &[Span]) -> Option<Look<'a>> {
        let command = self.command.filter(|_| self.looked_key != 0 && self.shard == here)?;
        let own = &spans[self.spans.0 as usize..(self.spans.0 + self.spans.1) as usize];
        Some(Look::new(command, self.db, buf, own, self.looked_key, self.hash))
    }

    /// Whether it is a script whose first key is looked ahead for.
    #[inline]
    fn is_looked_script(&self) -> bool {
        self.looked_key != self.key_index
    }

    /// Index and hash of its one key, 0 without.
    #[inline]
    pub(crate) fn placed(&self) -> (u16, u64) {
        if self.key_index == 0 { (0, 0) } else { (self.key_index, self.hash) }
    }
}

impl Shard {
    /// Puts the request whose spans begin at `mark` into the queue and asks for the memory of its key. Whether what comes behind it may have to
    /// wait for it: EXEC, on several shards or of scripts.
    #[inline]
    pub(crate) fn enqueue(&mut self, conn: usize, buf: &[u8], mark: usize) -> bool {
        let args = Args::new(buf, &self.spans[mark..], &self.cx.seed);
        let command = command::lookup_request(args);
        if let Some(row) = command
            && row.flags & flag::PLAIN != 0
            && usize::from(row.placed_key) < args.len()
        {
            let queued = self.queued_placed(conn, mark, args, row);
            self.queue.push(queued);
            return false;
        }
        self.enqueue_any(conn, buf, mark, command)
    }

    fn enqueue_any(
        &mut self,
        conn: usize,
        buf: &[u8],
        mark: usize,
        command: Option<&'static Command>,
    ) -> bool {
        let args = Args::new(buf, &self.spans[mark..], &self.cx.seed);
        let queued = self.queued(conn, mark, args, command);
        if queued.fences {
            self.conns[conn].fenced = true;
        }
        self.queue.push(queued);
        let is_exec = |command: &Command| matches!(command.plan, Plan::Transaction(Verb::Exec));
        queued.command.is_some_and(is_exec) && (self.cx.shards > 1 || self.may_run_scripts(&queued))
    }

    /// Whether there may be scripts in a transaction, some commands of which may still be in the queue.
    fn may_run_scripts(&self, exec: &Queued) -> bool {
        let is_script = |queued: &Queued| queued.command.is_some_and(|row| row.flags & flag::SCRIPT != 0);
        self.conns[exec.conn as usize].queued_flags() & flag::SCRIPT != 0 || self.queue.iter().any(is_script)
    }

    /// A request of a command whose one key is there, at its fixed place.
    #[inline(always)]
    fn queued_placed(&self, conn: usize, mark: usize, args: Args<'_>, command: &'static Command) -> Queued {
        let key = args.at(command.placed_key as usize);
        let (hash, shard) = (self.cx.seed.hash(key), self.cx.slots.shard_of(key));
        let db = self.conns[conn].db;
        if shard == self.cx.id {
            self.cx.dbs[db as usize].prefetch_bucket(hash);
        }
        Queued {
            conn: conn as u32,
            spans: (mark as u32, args.len() as u32),
            command: Some(command),
            key_index: command.placed_key,
            shard,
            db,
            fences: false,
            hash,
            looked_key: command.placed_key,
        }
    }

    /// Asks for what will be needed to remember who has read keys, or to find who has read what changes. For all commands in a row: one
    /// after the other would wait each for the translation of an address.
    #[inline(never)]
    fn look_ahead_tracked(&self, queue: &[Queued]) {
        for q in queue.iter().filter(|q| q.key_index != 0 && q.shard == self.cx.id) {
            let writes = q.command.is_some_and(|command| command.flags & flag::WRITE != 0);
            if self.conns[q.conn as usize].tracker.reads || writes {
                self.cx.tracking.look_ahead(q.hash);
            }
        }
    }

    /// A request whose spans begin at `mark` of the command, or container, that has been looked up.
    pub(crate) fn queued(
        &self,
        conn: usize,
        mark: usize,
        args: Args<'_>,
        mut command: Option<&'static Command>,
    ) -> Queued {
        if let Some(container @ Command { plan: Plan::Container, .. }) = command
            && let Some(sub) = args.get(1).and_then(|arg| command::registry::subcommand(container, arg))
        {
            command = Some(sub);
        }
        if let Some(row) = command
            && row.placed_key != 0
            && usize::from(row.placed_key) < args.len()
        {
            return Queued { fences: self.is_fence(row, args), ..self.queued_placed(conn, mark, args, row) };
        }
        let mut queued = Queued {
            conn: conn as u32,
            spans: (mark as u32, args.len() as u32),
            command,
            key_index: 0,
            shard: self.cx.id,
            db: self.conns[conn].db,
            fences: command.is_some_and(|command| self.is_fence(command, args)),
            hash: 0,
            looked_key: 0,
        };
        if command.is_some_and(|command| command.flags & flag::SCRIPT != 0) {
            self.look_at_script(args, &mut queued);
        }
        queued
    }

    /// Asks for the memory of a script's first key: `EVALSHA sha numkeys key …`.
    #[inline(never)]
    fn look_at_script(&self, args: Args<'_>, queued: &mut Queued) {
        let Some(key) = args.get(3).filter(|_| args.at(2) != b"0") else { return };
        if self.cx.slots.shard_of(key) == self.cx.id {
            (queued.looked_key, queued.hash) = (3, self.cx.seed.hash(key));
            self.queued_scripts.set(self.queued_scripts.get() + 1);
            self.cx.dbs[queued.db as usize].prefetch_bucket(queued.hash);
        }
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
        // Last, for it is needed last.
        if self.cx.tracking.remembers() {
            self.look_ahead_tracked(&queue);
        }
        // For a single one there is nothing to overlap with.
        if self.queued_scripts.take() > 1 {
            let scripts = queue.iter().filter(|q| q.is_looked_script());
            look_into_small_ones(&self.cx.dbs, scripts.filter_map(|q| q.look(self.cx.id, buf, &spans)));
        }
        let seed = self.cx.seed.clone();
        let mut plain = self.is_plain();
        // The connection that was plain when its last command ran, since which nothing else has.
        let mut proven = None;
        for q in &queue {
            let own = &spans[q.spans.0 as usize..(q.spans.0 + q.spans.1) as usize];
            let args = Args::with_hash(buf, own, &seed, q.key_index as usize, q.hash);
            if plain
                && q.key_index != 0
                && let Some(command) = q.command
                && command.flags & flag::PLAIN != 0
                && command.takes(own.len())
            {
                if q.shard == self.cx.id && (proven == Some(q.conn) || self.conns[q.conn as usize].is_plain())
                {
                    if self.run_plain(q.conn as usize, command, args) {
                        proven = Some(q.conn);
                    } else {
                        (plain, proven) = (self.is_plain(), None);
                    }
                    continue;
                }
                let conn = &self.conns[q.conn as usize];
                if conn.transaction.is_some() {
                    if self.queues_up_plainly(command, args, q) {
                        continue;
                    }
                } else if conn.lets_all_pass() && self.occupants.is_empty() {
                    plain = self.pass_on(q, command, args) || self.is_plain();
                    proven = proven.filter(|conn| *conn != q.conn);
                    continue;
                }
            }
            self.run_queued(q, args);
            (plain, proven) = (self.is_plain(), None);
        }
        timing::end_chunk(&mut self.cx);
        (self.queue, self.spans) = (queue, spans);
        self.queue.clear();
        self.spans.clear();
    }

    /// The short way of [`Shard::dispatch`] for a command on one key of any shard, of a connection that awaits replies or is about to: it
    /// goes to that shard, or is run here with its reply kept until its turn comes. Whether the shard is as plain as before.
    #[inline]
    fn pass_on(&mut self, q: &Queued, command: &'static Command, args: Args<'_>) -> bool {
        let index = q.conn as usize;
        let conn = &mut self.conns[index];
        conn.last_command = Some(command);
        conn.commands += 1;
        if !self.may_run_here(index, command, q.shard) {
            self.send_to(index, command, args, q.shard, q);
            return true;
        }
        let conn = &mut self.conns[index];
        conn.pull.against();
        self.cx.has_locks = false;
        let caller = Caller::of(index, conn);
        if let Some(needs) = conn.hold(|held| execute::execute(&mut self.cx, command, args, caller, held)) {
            self.provide(index, command, args, needs);
            return false;
        }
        self.mark_dirty(index);
        !self.tell_of_command(index)
    }

    /// Sees to what has become of others by a command that a connection of this shard has had run here; whether there was anything.
    #[inline]
    pub(crate) fn tell_of_command(&mut self, index: usize) -> bool {
        let has_news = self.cx.has_news();
        if has_news {
            let claimed = self.after_claiming_command();
            if !claimed.is_empty() {
                let (home, generation) = (self.cx.id, self.conns[index].generation);
                let client = ClientRef { home, conn: index as u32, generation };
                self.withhold_for(client, claimed);
            }
        }
        has_news
    }

    /// Whether nothing on this shard stands between a command on one of its keys and that key.
    #[inline]
    fn is_plain(&self) -> bool {
        !self.may_hold_up()
            && self.cx.monitors.is_empty()
            && self.locks.is_empty()
            && self.busy.is_none()
            && !self.cx.is_loading
    }

    /// The short way of [`Shard::dispatch`]: a command on a key of this shard, of a connection that awaits nothing. Whether that was all, and the
    /// shard and the connection are as plain as before.
    #[inline]
    fn run_plain(&mut self, index: usize, command: &'static Command, args: Args<'_>) -> bool {
        let conn = &mut self.conns[index];
        conn.last_command = Some(command);
        conn.commands += 1;
        if self.cx.shards > 1 {
            conn.pull.against();
        }
        let caller = Caller::of(index, conn);
        let needs = execute::execute(&mut self.cx, command, args, caller, &mut conn.out);
        if let Some(needs) = needs {
            self.provide(index, command, args, needs);
            return false;
        }
        self.mark_dirty(index);
        !self.tell_of_command(index)
    }
}
