//! Commands that wait for a lock, and what runs when it is granted.

use crate::block::Block;
use crate::execute::Caller;
use crate::gates::Want;
use crate::locks::{Thing, WaiterId};
use crate::message::{Ask, Held, OpId, Progress, Ticket};
use crate::shard::Shard;
use crate::slices::Slice;
use crate::waiting::WaitId;
use command::blocking::AwaitedId;
use command::change::DbKey;
use command::spec::flag;
use command::watches::WatcherId;
use command::{Args, Command, OwnArgs, Plan};
use resp::Reply;

/// A command that waits for a lock, with arguments of its own.
pub(crate) struct Parked {
    pub home: u16,
    pub ask: Ask,
    pub command: &'static Command,
    pub caller: Caller,
    pub args: OwnArgs,
}

impl Parked {
    /// The client that waits for the reply: its shard and its place there.
    pub fn client(&self) -> Option<(u16, Ticket)> {
        match self.ask {
            Ask::Whole(ticket) => Some((self.home, ticket)),
            _ => None,
        }
    }
}

/// What the locks hand back when it may run.
pub(crate) enum Job {
    // Boxed as it is rare: what is moved about with every lock stays small.
    Command(Box<Parked>),
    Hold {
        home: u16,
        op: OpId,
        db: u16,
        keys: Vec<Vec<u8>>,
        watcher: WatcherId,
    },
    /// An operation has the gate.
    Gate {
        home: u16,
        op: OpId,
    },
    /// A part of a command that goes in rounds.
    Slice(Box<Slice>),
    /// A command that takes many turns, and begins them.
    Steps(Box<Parked>),
    /// Nothing: what was granted at once needs no word.
    Share,
    /// It has what it wanted.
    Want {
        home: u16,
        op: OpId,
    },
    /// A key that blocked clients wait for is free: they come first.
    ServeKey {
        key: DbKey,
        /// It is locked, and the shard is nobody's alone.
        lock: Option<WaiterId>,
    },
    /// A blocked client, about to be served by `key`, has needed another key as well.
    Serve {
        wait: WaitId,
        /// By its name: when this runs, nobody may be waiting for it any more.
        key: DbKey,
    },
    /// A key is locked for an operation that it may serve.
    Claim {
        wait: WaitId,
        key: AwaitedId,
    },
}

impl Shard {
    /// The things of `command`'s that have a queue; `None` if it may run. `of_many`: other shards take part in it.
    pub(crate) fn contended(
        &self,
        of_many: bool,
        command: &Command,
        args: Args<'_>,
        db: u16,
    ) -> Option<Vec<(Thing, bool)>> {
        if matches!(command.plan, Plan::All(..)) && command.flags & flag::ALLOW_BUSY != 0 {
            // It may be what ends those that stand in the way.
            return None;
        }
        let at_gate = of_many && self.locks.is_contended(&Thing::Gate);
        let gate = at_gate.then_some((Thing::Gate, true));
        if let Plan::Block = command.plan {
            return self.contended_block(Block::of(args), gate);
        }
        if matches!(command.plan, Plan::All(..) | Plan::Rounds(_) | Plan::Cursor(_))
            || command.keys.is_empty()
        {
            let waits = at_gate || self.locks.is_contended(&Thing::Shard);
            return waits.then(|| gate.into_iter().chain([(Thing::Shard, false)]).collect());
        }
        let mut indexes = Vec::new();
        command.key_indexes(&args, &mut indexes).ok()?;
        let other_db =
            if command.flags & flag::CROSS_DB != 0 { command::families::other_db(args) } else { None };
        let dbs = || [Some(db), other_db].into_iter().flatten();
        // Alone, also who only reads: of two readers that shared a key the later could go while the earlier, of the same connection,
        // waits for something else; and an operation that locks late may change the key in between. WATCH would miss that change,
        // and MGET show it to who then finds the old value.
        let key = |db, i: usize| (Thing::Key(db, args[i].to_vec()), false);
        let mut things: Vec<_> = indexes.iter().flat_map(|&i| dbs().map(move |db| key(db, i))).collect();
        // A key that is shared is here, and somebody reads it for many turns: who only reads, too, does so meanwhile.
        let reads = command.flags & (flag::READONLY | flag::SCRIPT) == flag::READONLY;
        let stands_in_the_way = |thing: &Thing| match reads {
            true => self.locks.is_wanted_alone(thing),
            false => self.locks.is_contended(thing),
        };
        // Keys that only the handler will name may be away. And commands that look at all keys neither overtake those that
        // wait for a key, nor are overtaken.
        let alone = command.has_unknown_keys() && self.locks.is_contended(&Thing::Shard);
        let waits = alone
            || at_gate
            || self.locks.is_wanted_alone(&Thing::Shard)
            || things.iter().any(|(thing, _)| stands_in_the_way(thing));
        things.push((Thing::Shard, !alone));
        things.extend(gate);
        waits.then_some(things)
    }

    /// The same for a block of commands.
    fn contended_block(&self, block: Block<'_>, gate: Option<(Thing, bool)>) -> Option<Vec<(Thing, bool)>> {
        let keys = block.keys(&self.cx).into_iter();
        let mut things: Vec<_> = keys.map(|(db, key)| (Thing::Key(db, key), false)).collect();
        let waits = gate.is_some()
            || self.locks.is_wanted_alone(&Thing::Shard)
            || things.iter().any(|(thing, _)| self.locks.is_contended(thing));
        things.push((Thing::Shard, true));
        things.extend(gate);
        waits.then_some(things)
    }

    pub(crate) fn park(&mut self, things: Vec<(Thing, bool)>, parked: Parked) {
        let mut ready = std::mem::take(&mut self.ready);
        self.pending_holds += usize::from(parked.ask.is_of_many());
        self.locks.enqueue(things, Job::Command(Box::new(parked)), &mut ready);
        self.ready = ready;
        self.run_ready();
    }

    /// Runs everything whose locks have been granted, and what that sets free.
    pub(crate) fn run_ready(&mut self) {
        loop {
            self.run_granted();
            if self.yielding.is_empty() || self.pending_holds == 0 || self.busy.is_some() {
                return;
            }
            self.yield_claims();
        }
    }

    fn run_granted(&mut self) {
        while self.busy.is_none()
            && let Some((id, job)) = self.ready.pop_front()
        {
            match job {
                Job::Hold { home, op, db, keys, watcher } => {
                    self.pending_holds -= 1;
                    self.holds.entry((home, op)).or_default().push(id);
                    self.grant(home, op, db, keys, watcher);
                }
                Job::Share => {}
                Job::Slice(slice) => {
                    self.work_on_parked(*slice);
                    self.unlock(id);
                }
                Job::Steps(parked) => self.take_steps(*parked, id),
                Job::Gate { home, op } => self.on_gate(home, op),
                Job::Want { home, op } => {
                    self.pending_holds -= 1;
                    self.on_want(home, op, id);
                }
                Job::ServeKey { key, lock } => self.run_serve_key(key, lock, id),
                Job::Serve { wait, key } => {
                    self.run_serve(wait, &key);
                    self.unlock(id);
                }
                Job::Claim { wait, key } => {
                    if !self.run_claim(wait, key, id) {
                        self.unlock(id);
                    }
                }
                Job::Command(parked) => {
                    self.pending_holds -= usize::from(parked.ask.is_of_many());
                    self.run_parked(*parked);
                    self.unlock(id);
                }
            }
        }
    }

    pub(crate) fn unlock(&mut self, id: WaiterId) {
        let mut ready = std::mem::take(&mut self.ready);
        self.locks.release(id, &mut ready);
        self.ready = ready;
    }

    /// Runs a command that has its locks, and serves those who wait for what it has brought.
    fn run_parked(&mut self, parked: Parked) {
        let seed = self.cx.seed.clone();
        let args = parked.args.args(&seed);
        let mut out = Reply::new(parked.caller.resp3);
        let Parked { home, ask, command, caller, .. } = parked;
        match self.run_for(home, ask, command, args, caller, &mut out) {
            Progress::Replied => return self.answer_and_serve(home, ask, command, out),
            Progress::Blocked => self.tell_blocked(home, ask),
            Progress::Under => {}
        }
        self.tell_changes();
        self.serve_ready();
    }

    pub(crate) fn hold(&mut self, home: u16, op: OpId, db: u16, keys: Vec<Vec<u8>>, watcher: WatcherId) {
        if self.gates.contains_key(&(home, op)) {
            let keys = keys.into_iter().map(|key| (db, key)).collect();
            return self.want(home, op, Want::Keys { keys, watcher });
        }
        let mut things: Vec<_> = keys.iter().map(|k| (Thing::Key(db, k.clone()), false)).collect();
        things.push((Thing::Shard, true));
        if self.locks.is_contended(&Thing::Gate) {
            things.push((Thing::Gate, true));
        }
        let mut ready = std::mem::take(&mut self.ready);
        let (job, claimed) = (Job::Hold { home, op, db, keys, watcher }, self.claimed_locks(home, op));
        self.pending_holds += 1;
        if claimed.is_empty() || self.locks.is_contended(&Thing::Gate) {
            self.locks.enqueue(things, job, &mut ready);
        } else {
            // What is locked for its sake becomes its own; see `yield_claims`.
            self.locks.seize(things, job, &mut ready);
        }
        claimed.into_iter().for_each(|lock| self.locks.release(lock, &mut ready));
        self.ready = ready;
        self.run_ready();
    }

    /// Takes held keys out of the keyspace and sends them to the operation's home; if they are watched for it, with the word whether
    /// they have changed.
    fn grant(&mut self, home: u16, op: OpId, db: u16, keys: Vec<Vec<u8>>, watcher: WatcherId) {
        let is_touched = watcher != 0 && self.cx.unwatch(watcher);
        let held: Vec<Held> = keys.into_iter().map(|key| self.lend(db, key)).collect();
        self.send_granted(home, op, held, is_touched);
    }
}

/// A command with arguments of its own, to wait with.
pub(crate) fn parked(
    home: u16,
    ask: Ask,
    command: &'static Command,
    caller: Caller,
    args: Args<'_>,
) -> Parked {
    Parked { home, ask, command, caller, args: OwnArgs::of(args) }
}
