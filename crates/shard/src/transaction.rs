//! Transactions, seen from the connection: MULTI, what is queued, WATCH, and how they end.
//!
//! Queued commands are kept as they will travel (see [`crate::block`]); where their keys are is known when they are queued. What a
//! connection watches is known on the shards that own the keys; here stand only the names, for the way there. The
//! registrations end where the block runs; if none runs, they are sent after (UNWATCH, DISCARD, a connection that closes).
//!
//! A block with commands that concern the connection runs on its shard, and nothing behind it is read before it has run.

use crate::block::{self, Block, BlockBuf};
use crate::block_steps::BlockSteps;
use crate::execute::{self, Asked, Caller, Needs};
use crate::message::{Ask, Message};
use crate::queue::Queued;
use crate::shard::Shard;
use command::change::DbKey;
use command::families::transactions::{ABORTED, TOUCHED, UNWATCHED, WATCHED};
use command::session::{ReplyMode, TransactionFigures};
use command::spec::{Verb, flag};
use command::watches::{HOME_SHIFT, WatcherId};
use command::{Args, Command, Error, OwnArgs, Plan, ShardCx, eviction};
use resp::Reply;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Transactions kept for their buffers, and the room of such a buffer.
const SPARE_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// WATCH and its end as they travel.
static WATCH_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("watch", &WATCHED));
static UNWATCH_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("unwatch", &UNWATCHED));

/// The shards that have the keys of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Nowhere,
    One(u16),
    Several,
}

impl Place {
    fn with(self, shard: u16) -> Self {
        match self {
            Self::Nowhere => Self::One(shard),
            Self::One(other) if other == shard => self,
            _ => Self::Several,
        }
    }
}

/// What MULTI and WATCH have begun.
#[derive(Default)]
pub(crate) struct Transaction {
    /// MULTI has come.
    is_open: bool,
    /// A command has been refused: EXEC will be.
    is_aborted: bool,
    pub(crate) block: BlockBuf,
    /// The database of the next command.
    db: u16,
    /// All flags of the queued commands together.
    flags: u64,
    place: Place,
    /// A queued command concerns the connection.
    is_bound: bool,
    /// A queued command needs other shards while it runs.
    has_steps: bool,
    /// 0 while nothing is watched.
    pub(crate) watcher: WatcherId,
    watched: BTreeSet<DbKey>,
    /// A watched key has changed, as far as this shard has heard.
    is_touched: bool,
}

impl Transaction {
    /// As if it were new, but for the buffers.
    fn clear(&mut self) {
        self.block.clear();
        *self = Self { block: std::mem::take(&mut self.block), ..Self::default() };
    }

    /// Whether EXEC runs what is queued.
    pub fn runs(&self) -> bool {
        self.is_open && !self.is_aborted
    }

    pub fn bytes(&self) -> usize {
        self.block.bytes()
    }

    pub fn figures(&self) -> TransactionFigures {
        TransactionFigures {
            queued: if self.is_open { self.block.commands() } else { 0 },
            queued_bytes: self.bytes(),
            // What has changed settles the matter: nothing is watched any more, as far as is told.
            watched: if self.is_touched { 0 } else { self.watched.len() },
            is_touched: self.is_touched,
        }
    }

    /// Notes where a command has to run.
    fn locate(&mut self, cx: &ShardCx, command: &Command, args: Args<'_>, q: &Queued) {
        match command.plan {
            Plan::Keys | Plan::Split(_) if q.key_index != 0 => self.place = self.place.with(q.shard),
            Plan::Keys | Plan::Split(_) | Plan::WithSession(..) => {
                let mut indexes = Vec::new();
                // A wrong key count is the handler's to complain about.
                let _ = command.key_indexes(&args, &mut indexes);
                for index in indexes {
                    self.place = self.place.with(cx.slots.shard_of(&args[index]));
                }
            }
            _ => {}
        }
        self.is_bound |= matches!(command.plan, Plan::Connection | Plan::Container | Plan::WithSession(..));
        self.has_steps |= block::needs_steps(command, args);
        if command.full_name == "select"
            && let Some(db) = args.int(1).ok().and_then(|index| cx.dbs.number(index))
        {
            self.db = db;
        }
    }
}

impl crate::conn::Conn {
    /// The flags of the commands that a transaction has queued, all together.
    pub(crate) fn queued_flags(&self) -> u64 {
        self.transaction.as_ref().map_or(0, |transaction| transaction.flags)
    }
}

/// Why EXEC is refused.
pub(crate) fn abort_error(error: &Error) -> Error {
    let reason = error.line().strip_prefix(b"ERR ").unwrap_or(error.line());
    Error::Reply([b"EXECABORT Transaction discarded because of: ", reason].concat().into())
}

/// What runs in the place of a block when a watched key has changed.
pub(crate) fn run_touched(cx: &mut ShardCx, caller: Caller, out: &mut Reply) -> Option<Needs> {
    let (words, seed) = (exec_words(TOUCHED), cx.seed.clone());
    execute::execute(cx, block::row_named("exec"), words.args(&seed), caller, out)
}

fn exec_words(verdict: &[u8]) -> OwnArgs {
    OwnArgs::of_words(vec![b"EXEC".to_vec(), verdict.to_vec()])
}

impl Shard {
    /// Whether a command of a connection with a transaction may be queued, or run between; answers the error if not.
    #[inline]
    pub(crate) fn fits_transaction(&mut self, index: usize, command: &Command, args: Args<'_>) -> bool {
        let is_usual = command.flags & flag::NO_MULTI == 0 && command.subcommands.is_empty();
        is_usual && eviction::refuses_nothing(&self.cx)
            || !self.is_in_multi(index)
            || self.may_be_queued(index, command, args)
    }

    /// The same of a transaction that is open.
    #[cold]
    fn may_be_queued(&mut self, index: usize, command: &Command, args: Args<'_>) -> bool {
        let error = if command.flags & flag::NO_MULTI != 0 {
            Error::err("Command not allowed inside a transaction")
        } else if lacks_subcommand(command, args) {
            Error::unknown_subcommand(&String::from_utf8_lossy(&args[0]), &args[1])
        } else if !is_ending(command) && eviction::before(&mut self.cx, block::row(flag::DENYOOM)).is_err() {
            // Queues take memory, too.
            Error::OUT_OF_MEMORY
        } else if let Some(error) = eviction::refusal_to_write(&self.cx, command) {
            error
        } else {
            return true;
        };
        self.reject(index, command, &error);
        false
    }

    pub(crate) fn is_in_multi(&self, index: usize) -> bool {
        self.conns[index].transaction.as_ref().is_some_and(|transaction| transaction.is_open)
    }

    /// A command of a connection with a transaction is refused, or EXEC.
    #[cold]
    pub(crate) fn reject_in_transaction(&mut self, index: usize, command: &Command, error: &Error) {
        if matches!(command.plan, Plan::Transaction(Verb::Exec)) {
            return self.end_with(index, error);
        }
        self.abort_transaction(index);
        self.reply_error(index, error);
    }

    /// EXEC is refused, which ends the transaction all the same.
    fn end_with(&mut self, index: usize, error: &Error) {
        self.drop_transaction(index);
        self.reply_error(index, &abort_error(error));
    }

    /// What comes now cannot be queued: EXEC will be refused.
    pub(crate) fn abort_transaction(&mut self, index: usize) {
        if let Some(transaction) = &mut self.conns[index].transaction {
            transaction.is_aborted |= transaction.is_open;
        }
    }

    /// Queues a command if MULTI has come, unless it is one of those that run all the same; whether it did.
    pub(crate) fn queues_up(&mut self, command: &'static Command, args: Args<'_>, q: &Queued) -> bool {
        let index = q.conn as usize;
        let flags = self.flags_of(command, args);
        let conn = &mut self.conns[index];
        let transaction = conn.transaction.as_mut().expect("the caller has looked");
        if matches!(command.full_name, "reset") {
            self.drop_transaction(index);
            return false;
        }
        let runs = match command.plan {
            Plan::Transaction(verb) => verb != Verb::Unwatch,
            _ => command.full_name == "quit",
        };
        if runs || !transaction.is_open {
            return false;
        }
        if !transaction.is_aborted {
            if !transaction.block.push_command(command, args, transaction.db, q.placed()) {
                self.reject(index, command, &Error::err("transaction is too large"));
                return true;
            }
            transaction.flags |= flags;
            transaction.locate(&self.cx, command, args, q);
        }
        if conn.is_in_order() && conn.replies == ReplyMode::On {
            conn.out.raw(b"+QUEUED\r\n");
        } else {
            let mut out = Reply::default();
            out.status("QUEUED");
            self.deliver_here(index, &mut out);
        }
        self.mark_dirty(index);
        true
    }

    /// The short way of [`Shard::queues_up`], on a shard where nothing stands between: a command on one key, of a connection that awaits
    /// nothing and has a transaction open. Whether that was all.
    #[inline(never)]
    pub(crate) fn queues_up_plainly(
        &mut self,
        command: &'static Command,
        args: Args<'_>,
        q: &Queued,
    ) -> bool {
        let is_usual = command.flags & flag::NO_MULTI == 0 && eviction::refuses_nothing(&self.cx);
        let conn = &mut self.conns[q.conn as usize];
        if !is_usual || !self.occupants.is_empty() || !conn.awaits_nothing() {
            return false;
        }
        let Some(transaction) = conn.transaction.as_mut().filter(|transaction| transaction.runs()) else {
            return false;
        };
        if !transaction.block.push_command(command, args, transaction.db, q.placed()) {
            return false;
        }
        transaction.flags |= command.flags;
        transaction.place = transaction.place.with(q.shard);
        conn.last_command = Some(command);
        conn.commands += 1;
        conn.out.raw(b"+QUEUED\r\n");
        self.mark_dirty(q.conn as usize);
        true
    }

    /// MULTI, EXEC, DISCARD, WATCH or UNWATCH.
    pub(crate) fn transact(&mut self, verb: Verb, command: &'static Command, args: Args<'_>, q: &Queued) {
        let index = q.conn as usize;
        match verb {
            Verb::Exec if self.is_in_multi(index) => return self.exec(command, q),
            Verb::Watch if !self.is_in_multi(index) => return self.watch(args, q),
            _ => {}
        }
        let was_open = self.is_in_multi(index);
        self.run_here(index, command, args);
        match verb {
            Verb::Multi if !was_open => self.open_transaction(index),
            Verb::Discard if was_open => self.drop_transaction(index),
            Verb::Unwatch => self.drop_transaction(index),
            _ => {}
        }
    }

    fn set_in_multi(&mut self, index: usize, in_multi: bool) {
        if let Some(session) = self.cx.sessions.get_mut(index) {
            session.in_multi = in_multi;
        }
    }

    /// MULTI has been answered.
    fn open_transaction(&mut self, index: usize) {
        let db = self.conns[index].db;
        let mut transaction = self.transaction_of(index);
        let watched = transaction.watched.iter();
        let place =
            watched.clone().map(|key| self.cx.slots.shard_of(&key.1)).fold(Place::Nowhere, Place::with);
        transaction.block.begin(transaction.watcher, watched.cloned());
        (transaction.is_open, transaction.db, transaction.place) = (true, db, place);
        self.conns[index].transaction = Some(transaction);
    }

    /// Takes the connection's transaction, or a new one.
    fn transaction_of(&mut self, index: usize) -> Box<Transaction> {
        let own = self.conns[index].transaction.take();
        own.or_else(|| self.spare_transactions.pop()).unwrap_or_default()
    }

    /// Keeps the buffers of a transaction that is over.
    fn recycle(&mut self, mut transaction: Box<Transaction>) {
        let fits = transaction.block.capacity_bytes() <= SPARE_BYTES_MAX;
        if fits && self.spare_transactions.len() < SPARE_MAX {
            transaction.clear();
            self.spare_transactions.push(transaction);
        }
    }

    /// EXEC inside MULTI.
    fn exec(&mut self, command: &'static Command, q: &Queued) {
        let index = q.conn as usize;
        let transaction = self.conns[index].transaction.as_ref().expect("MULTI has come");
        let row = block::row(transaction.flags);
        if transaction.is_aborted {
            self.drop_transaction(index);
            let (words, seed) = (exec_words(ABORTED), self.cx.seed.clone());
            return self.run_here(index, command, words.args(&seed));
        }
        if let Err(error) = eviction::before(&mut self.cx, row) {
            self.cx.commands.rejected(command.id);
            return self.end_with(index, &error);
        }
        if (transaction.has_steps || transaction.place == Place::Several)
            && let Some(error) = self.refusal_of_many(command, |_| true)
        {
            self.cx.commands.rejected(command.id);
            return self.end_with(index, &error);
        }
        if transaction.flags & flag::SESSIONS != 0 {
            self.sync_to_sessions();
        }
        let transaction = self.conns[index].transaction.take().expect("MULTI has come");
        self.watchers.remove(&transaction.watcher);
        self.run_block(row, &transaction, q);
        self.set_in_multi(index, false);
        self.recycle(transaction);
    }

    /// Runs what is queued, or sends it to where it runs.
    fn run_block(&mut self, row: &'static Command, transaction: &Transaction, q: &Queued) {
        let index = q.conn as usize;
        let (home, seed) = (self.cx.id, self.cx.seed.clone());
        let args = transaction.block.args(&seed);
        let q = Queued { key_index: 0, hash: 0, ..*q };
        match transaction.place {
            // A script may take too long, wherever it runs.
            _ if transaction.has_steps && (self.cx.shards > 1 || transaction.flags & flag::SCRIPT != 0) => {
                self.start_steps_of_block(index, row, args)
            }
            Place::Nowhere => self.run_here(index, row, args),
            Place::One(shard) if shard == home || !transaction.is_bound => {
                self.run_at(index, row, args, shard, &q);
            }
            _ => {
                let keys = Block::of(args).keys(&self.cx);
                self.start_hold(index, row, args, keys);
            }
        }
        // What comes next may be for another database, or protocol, or publish what is to come after what the block publishes.
        let publishes = transaction.flags & flag::PUBLISHES != 0;
        let lets_nothing_pass = transaction.is_bound || transaction.has_steps || publishes;
        let conn = &mut self.conns[index];
        conn.fenced |= lets_nothing_pass && !conn.is_in_order();
    }

    /// Runs a block command by command, for some concern all shards, or show only then which keys they need.
    fn start_steps_of_block(&mut self, index: usize, row: &'static Command, args: Args<'_>) {
        let (home, ask) = (self.cx.id, Ask::Whole(self.expect(index)));
        let caller = Caller::of(index, &self.conns[index]);
        self.conns[index].through_own_mailbox += 1;
        let keys = Block::of(args).keys(&self.cx);
        let client = self.cx.sessions.get(index).map_or(0, |session| session.id);
        let steps = BlockSteps::new(args, (index, client), caller.resp3);
        self.start_open(Asked { home, ask, command: row, caller, args }, keys, Box::new(steps));
    }

    /// A block of a connection of this shard, if it is still there, has run.
    pub(crate) fn end_block(&mut self, conn: Option<usize>) {
        self.silence_killed();
        if let Some(index) = conn {
            // What CLIENT CACHING said in it is over; not what it may have said behind EXEC.
            let session = self.cx.sessions.get_mut(index);
            if let Some(mode) = session.and_then(|session| session.tracking.as_mut())
                && mode.is_excepted_in_block
            {
                (mode.is_excepted, mode.is_excepted_in_block) = (false, false);
            }
            self.sync_from_session(index);
        }
    }

    /// WATCH outside MULTI.
    fn watch(&mut self, args: Args<'_>, q: &Queued) {
        let (index, db) = (q.conn as usize, self.conns[q.conn as usize].db);
        let mut transaction = self.transaction_of(index);
        if transaction.watcher == 0 {
            self.last_watcher += 1;
            transaction.watcher = u64::from(self.cx.id) << HOME_SHIFT | self.last_watcher;
            self.watchers.insert(transaction.watcher, q.conn);
        }
        let watcher = transaction.watcher;
        transaction.watched.extend(args.from(1).map(|key| (db, key.to_vec())));
        self.conns[index].transaction = Some(transaction);
        let words = with_watcher(args.at(0), watcher, args.from(1).map(<[u8]>::to_vec));
        let seed = self.cx.seed.clone();
        let q = Queued { key_index: 0, hash: 0, ..*q };
        self.run_many(index, &WATCH_ROW, words.args(&seed), &q);
    }

    /// Ends a connection's transaction without running it, and what it watches.
    pub(crate) fn drop_transaction(&mut self, index: usize) {
        let Some(mut transaction) = self.conns[index].transaction.take() else { return };
        self.set_in_multi(index, false);
        if transaction.watcher != 0 {
            self.watchers.remove(&transaction.watcher);
            let watched = std::mem::take(&mut transaction.watched);
            self.forget_watched(index, transaction.watcher, watched);
        }
        self.recycle(transaction);
    }

    /// Ends the registrations of a watcher, behind what may still be on its way to them.
    fn forget_watched(&mut self, index: usize, watcher: WatcherId, keys: BTreeSet<DbKey>) {
        let mut of_shard: BTreeMap<(u16, u16), Vec<Vec<u8>>> = BTreeMap::new();
        for (db, key) in keys {
            of_shard.entry((self.cx.slots.shard_of(&key), db)).or_default().push(key);
        }
        let is_here = self.conns[index].through_own_mailbox == 0;
        for ((shard, db), keys) in of_shard {
            if is_here && shard == self.cx.id {
                self.cx.unwatch(watcher);
                continue;
            }
            let (words, seed) = (with_watcher(b"UNWATCH", watcher, keys.into_iter()), self.cx.seed.clone());
            let batch = self.batch_for(shard as usize);
            let first = batch.spans.len();
            batch.push_args(words.args(&seed));
            batch.push(&UNWATCH_ROW, Ask::Nobody, (db, false), first);
        }
    }

    /// Tells the shards of watchers that have been touched here.
    pub(crate) fn tell_touched(&mut self) {
        for watcher in self.cx.watches.take_touched() {
            let home = (watcher >> HOME_SHIFT) as u16;
            if home == self.cx.id {
                self.on_touched(watcher);
            } else {
                self.outgoing.posts.push((home.into(), Message::Touched { watcher }));
            }
        }
    }

    pub(crate) fn on_touched(&mut self, watcher: WatcherId) {
        let index = self.watchers.get(&watcher);
        let conn = index.and_then(|index| self.conns.get_mut(*index as usize));
        if let Some(transaction) = conn.and_then(|conn| conn.transaction.as_mut()) {
            transaction.is_touched = true;
        }
    }
}

/// Arguments that name a watcher behind each key.
fn with_watcher(name: &[u8], watcher: WatcherId, keys: impl Iterator<Item = Vec<u8>>) -> OwnArgs {
    let mut words = vec![name.to_vec()];
    keys.for_each(|key| words.extend([key, watcher.to_le_bytes().to_vec()]));
    OwnArgs::of_words(words)
}

/// Whether a container is called with a subcommand that it does not have.
fn lacks_subcommand(command: &Command, args: Args<'_>) -> bool {
    !command.subcommands.is_empty() && command.flags & flag::ONE_NAME == 0 && args.len() > 1
}

/// Whether a command ends a transaction.
fn is_ending(command: &Command) -> bool {
    matches!(command.plan, Plan::Transaction(Verb::Exec | Verb::Discard))
        || matches!(command.full_name, "quit" | "reset")
}

#[cfg(test)]
mod tests;
