//! Where a command runs, and in which place of its connection's order: here at once, through a mailbox, or on several shards.

use crate::execute::{self, Asked, Caller, Needs};
use crate::message::{Ask, Batch};
use crate::multi::away::HELD_BEFORE;
use crate::parking::parked;
use crate::queue::Queued;
use crate::route::{self, Places};
use crate::shard::Shard;
use command::args::INSIDE_BYTES_MAX;
use command::change::DbKey;
use command::scripting::Form;
use command::session::ReplyMode;
use command::spec::{Expand, flag};
use command::{Args, Command, Error, Plan};
use resp::Span;

impl Shard {
    /// Runs or forwards one command.
    #[inline]
    pub(crate) fn run_queued(&mut self, q: &Queued, args: Args<'_>) {
        self.dispatch(q, args);
        if self.conns[q.conn as usize].is_excepted {
            self.end_exception(q);
        }
        if self.conns[q.conn as usize].fenced {
            self.end_fence(q);
        }
    }

    /// A command that lets nothing pass may have been done on the spot.
    #[cold]
    fn end_fence(&mut self, q: &Queued) {
        let conn = &self.conns[q.conn as usize];
        if q.fences && conn.postponed.is_empty() {
            self.after_fulfil(q.conn as usize);
        }
    }

    /// What CLIENT CACHING has said ends with the command behind it, or with the transaction.
    #[cold]
    fn end_exception(&mut self, q: &Queued) {
        let index = q.conn as usize;
        let is_client = q.command.is_some_and(|command| command.full_name.starts_with("client"));
        if is_client || self.is_in_multi(index) || !self.conns[index].postponed.is_empty() {
            return;
        }
        if let Some(mode) = self.cx.sessions.get_mut(index).and_then(|session| session.tracking.as_mut()) {
            mode.is_excepted = false;
        }
        self.sync_from_session(index);
    }

    #[inline]
    fn dispatch(&mut self, q: &Queued, args: Args<'_>) {
        let index = q.conn as usize;
        let conn = &mut self.conns[index];
        if !conn.postponed.is_empty() && self.postpone(q, args) {
            return;
        }
        if !self.occupants.is_empty() && self.waits_for_script(index, args) {
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
            self.abort_transaction(index);
            let error = execute::unknown_command(&args[0], args);
            return self.reply_error(index, &error);
        };
        conn.last_command = Some(command);
        conn.commands += 1;
        // What is wrong with it is said at once, a pause or not.
        if !self.admits(index, command, args) || self.may_postpone() && self.postpone(q, args) {
            return;
        }
        if self.cx.indexes.are_links_behind() {
            self.mark_if_adds_vectors(q, command, args);
        }
        if self.conns[index].transaction.is_some() && self.queues_up(command, args, q) {
            return;
        }
        if !self.cx.monitors.is_empty() {
            self.feed_monitors(index, command, args);
        }
        if command.flags & flag::SCRIPT != 0
            && self.cx.shards > 1
            && !self.spread_script(index, command, args)
        {
            return;
        }
        match command.plan {
            Plan::Keys | Plan::Split(_) if q.key_index != 0 => self.run_at(index, command, args, q.shard, q),
            Plan::Keys | Plan::Split(_) => self.run_many(index, command, args, q),
            Plan::Connection | Plan::Container | Plan::Anywhere => self.run_here(index, command, args),
            Plan::WithSession(expand, row) => self.run_expanded(index, expand, row, args),
            Plan::Cursor(at) => {
                let shard = route::cursor_shard(self.cx.shards, args.get(at).unwrap_or_default());
                self.run_at(index, command, args, shard, q);
            }
            Plan::All(..) => self.start_all(index, command, args),
            Plan::Rounds(_) => self.start_rounds(index, command, args),
            Plan::Transaction(verb) => self.transact(verb, command, args, q),
            Plan::Block => unreachable!("blocks are no command of clients"),
        }
    }

    /// A command that needs its session as it is now, and then runs where its key is.
    fn run_expanded(&mut self, index: usize, expand: Expand, row: &'static Command, args: Args<'_>) {
        let (mut buf, mut spans) = (Vec::new(), Vec::new());
        let session = self.cx.sessions.get(index).expect("an open connection has a session");
        expand(&session.fieldsets, args, &mut |arg| {
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
        let looked_key = key_index;
        let q =
            Queued { conn, spans, command: Some(row), key_index, shard, db, fences: false, hash, looked_key };
        self.run_at(index, row, args, shard, &q);
    }

    /// A command with several keys (or with keys that depend on its arguments).
    pub(crate) fn run_many(&mut self, conn: usize, command: &'static Command, args: Args<'_>, q: &Queued) {
        let mut places = std::mem::take(&mut self.places);
        let one = places.find(self.cx.slots, command, args, self.cx.id);
        self.run_placed(conn, command, args, (one, &places), q);
        places.shrink();
        self.places = places;
    }

    /// The same, once it is known where the keys are and whether one shard has all of them.
    fn run_placed(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        (one, places): (Option<u16>, &Places),
        q: &Queued,
    ) {
        let Places { indexes, shards } = places;
        if self.joins_or_begins(conn, command, args) {
            let mut keys = self.cx.keys_at(command, args, self.conns[conn].db, indexes);
            let foreseen = self.cx.scripts.foreseen(Form::of(command), args).into_iter();
            keys.extend(foreseen.map(|key| (self.conns[conn].db, key)));
            return self.start_learning(conn, command, args, keys);
        }
        let foreseen = if command.flags & flag::SCRIPT != 0 && self.cx.shards > 1 {
            self.cx.scripts.foreseen(Form::of(command), args)
        } else {
            Vec::new()
        };
        if !foreseen.is_empty() {
            return self.run_foreseen(conn, command, args, (indexes, foreseen), q);
        }
        match (one, command.plan) {
            (Some(shard), _) => self.run_at(conn, command, args, shard, q),
            (None, Plan::Split(merge)) => self.start_split(conn, command, args, merge, indexes, shards),
            (None, _) => {
                let keys = self.cx.keys_at(command, args, self.conns[conn].db, indexes);
                self.start_on_several(conn, command, args, keys);
            }
        }
    }

    /// A script with its keys at `indexes` and others that it is likely to use: if all are on one shard, it runs there.
    fn run_foreseen(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        (indexes, foreseen): (&[usize], Vec<Vec<u8>>),
        q: &Queued,
    ) {
        let db = self.conns[conn].db;
        let mut keys = self.cx.keys_at(command, args, db, indexes);
        keys.extend(foreseen.into_iter().map(|key| (db, key)));
        let first = self.cx.slots.shard_of(&keys[0].1);
        if keys.iter().all(|(_, key)| self.cx.slots.shard_of(key) == first) {
            return self.run_at(conn, command, args, first, q);
        }
        self.start_on_several(conn, command, args, keys);
    }

    /// A command whose keys lie on several shards. A script that is known to need more of them learns as it goes from the beginning: it would find that
    /// out once these keys are here, and ask for them again. So does one that lets nothing pass if it comes again right behind: that can join it.
    fn start_on_several(&mut self, conn: usize, command: &'static Command, args: Args<'_>, keys: Vec<DbKey>) {
        let learns = command.flags & flag::SCRIPT != 0
            && (self.cx.scripts.is_to_learn(Form::of(command), args)
                || self.repeating == Some(conn) && self.is_fence(command, args));
        match learns {
            true => self.start_learning(conn, command, args, keys),
            false => self.start_hold(conn, command, args, keys),
        }
    }

    /// A command whose keys are all on `shard`.
    #[inline]
    pub(crate) fn run_at(
        &mut self,
        index: usize,
        command: &'static Command,
        args: Args<'_>,
        shard: u16,
        q: &Queued,
    ) {
        if self.may_run_here(index, command, shard) {
            self.conns[index].pull.against();
            return self.run_here(index, command, args);
        }
        self.send_to(index, command, args, shard, q);
    }

    /// Whether a command whose keys are all on `shard` may run at once: they are here, and it does not overtake one of its connection.
    #[inline]
    pub(crate) fn may_run_here(&self, index: usize, command: &Command, shard: u16) -> bool {
        let conn = &self.conns[index];
        shard == self.cx.id
            && conn.through_own_mailbox == 0
            && (conn.writes_elsewhere == 0 || !command.may_write())
    }

    /// Sends a command to `shard`, which may be this one.
    #[inline]
    pub(crate) fn send_to(
        &mut self,
        index: usize,
        command: &'static Command,
        args: Args<'_>,
        shard: u16,
        q: &Queued,
    ) {
        let (here, writes) = (shard == self.cx.id, command.may_write());
        let conn = &mut self.conns[index];
        let follows = writes && (conn.writes_elsewhere > 0 || conn.through_own_mailbox > 0);
        if here {
            conn.through_own_mailbox += 1;
        } else {
            conn.writes_elsewhere += u32::from(writes);
            if conn.pull.elsewhere(shard) && !conn.moving {
                conn.moving = true;
                self.wish_to_move.push(index as u32);
            }
            self.forwarded += 1;
            self.cx.stats.forwarded += 1;
        }
        let ask = Ask::Whole(self.expect(index));
        let conn = &self.conns[index];
        let (db, resp3, (marks, client)) = (conn.db, conn.resp3, conn.marks());
        let mut placed = q.placed();
        if command.flags & flag::BLOCKING != 0 {
            debug_assert_eq!(q.key_index, 0, "commands that block have more keys than one");
            placed.1 = self.cx.sessions.get(index).map_or(0, |session| session.id);
        }
        let batch = self.batch_for(shard as usize);
        let first = batch.spans.len();
        batch.push_args(args);
        batch.push_keyed(command, ask, (db, resp3), first, placed);
        if follows {
            batch.mark_follows();
        }
        if marks != 0 {
            batch.mark(marks, client);
        }
    }

    /// Runs a command now, for a connection of this shard.
    #[inline]
    pub(crate) fn run_here(&mut self, index: usize, command: &'static Command, args: Args<'_>) {
        self.cx.has_locks = !self.locks.is_empty();
        let conn = &mut self.conns[index];
        let caller = Caller::of(index, conn);
        if !self.locks.is_empty()
            && !matches!(command.plan, Plan::Connection | Plan::Anywhere | Plan::Transaction(_))
            && let Some(things) = self.contended(false, command, args, caller.db)
        {
            if let Some(error) =
                self.refusal_to_wait(command).filter(|_| !matches!(command.plan, Plan::Block))
            {
                return self.reject(index, command, &error);
            }
            self.conns[index].through_own_mailbox += 1;
            let ask = Ask::Whole(self.expect(index));
            return self.park(things, parked(self.cx.id, ask, command, caller, args));
        }
        if command.flags & flag::SESSIONS != 0 {
            self.sync_to_session(index);
        }
        if command.flags & flag::LISTENS != 0 {
            // What was published before goes to those who listened then, and before what this is answered.
            self.deliver_published();
        }
        let conn = &mut self.conns[index];
        let needed = if conn.is_in_order() && conn.replies == ReplyMode::On {
            execute::execute(&mut self.cx, command, args, caller, &mut conn.out)
        } else if conn.replies == ReplyMode::On && !matches!(command.plan, Plan::Connection | Plan::Block) {
            conn.hold(|held| execute::execute(&mut self.cx, command, args, caller, held))
        } else {
            self.run_out_of_order(index, command, args, caller)
        };
        if let Some(needs) = needed {
            return self.provide(index, command, args, needs);
        }
        if matches!(command.plan, Plan::Connection | Plan::Block) {
            self.silence_killed();
            self.sync_from_session(index);
        }
        self.mark_dirty(index);
        self.tell_of_command(index);
    }

    /// Sees to what a command of a connection of this shard needs before it can do anything.
    #[cold]
    pub(crate) fn provide(&mut self, index: usize, command: &'static Command, args: Args<'_>, needs: Needs) {
        let wait = match needs {
            Needs::Keys(keys) => return self.start_hold_more(index, command, args, keys),
            Needs::Wait(wait) => Some(*wait),
            Needs::Steps => None,
            Needs::Away(_) => unreachable!("{HELD_BEFORE}"),
        };
        let caller = Caller::of(index, &self.conns[index]);
        self.conns[index].through_own_mailbox += 1;
        let (home, ask) = (self.cx.id, Ask::Whole(self.expect(index)));
        let asked = Asked { home, ask, command, caller, args };
        match wait {
            Some(wait) => {
                self.begin_wait(asked, wait);
                self.tell_blocked(home, ask);
            }
            None => self.begin_steps(asked),
        }
    }

    /// Runs a command whose reply must wait for earlier ones, or must not be sent.
    fn run_out_of_order(
        &mut self,
        index: usize,
        command: &'static Command,
        args: Args<'_>,
        caller: Caller,
    ) -> Option<Needs> {
        let mut out = std::mem::take(&mut self.scratch);
        let needed = execute::execute(&mut self.cx, command, args, caller, &mut out);
        if needed.is_none() {
            if matches!(command.plan, Plan::Connection | Plan::Block) {
                self.sync_from_session(index);
            }
            self.deliver_result(index, command, &mut out);
        }
        out.clear();
        self.scratch = out;
        needed
    }

    /// The batch of this turn for a shard.
    #[inline(always)]
    pub(crate) fn batch_for(&mut self, shard: usize) -> &mut Batch {
        if self.outgoing.batches[shard].as_ref().is_none_or(|batch| batch.is_full()) {
            self.begin_batch(shard);
        }
        self.outgoing.batches[shard].as_mut().expect("it has begun")
    }

    #[inline(never)]
    fn begin_batch(&mut self, shard: usize) {
        let mut batch = self.batch_pool.pop().unwrap_or_default();
        batch.from = self.cx.id;
        batch.earlier = self.outgoing.batches[shard].take();
        self.outgoing.batches[shard] = Some(batch);
        self.outgoing.has_batches = true;
    }
}
