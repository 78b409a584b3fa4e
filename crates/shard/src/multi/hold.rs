//! Commands that need keys of several shards at once: the keys are locked where they live, their entries travel here — as
//! pointers, however large they are —, the ordinary handler runs as if all had always been here, and the entries go back.

mod run;

use super::{Kind, Operation};
use crate::block::Block;
use crate::blocking::{Settling, WaitChange};
use crate::execute::{Asked, Caller};
use crate::gates::Gate;
use crate::message::{Ask, Held, Message, OpId};
use crate::shard::Shard;
use crate::waiting::Waiters;
use command::change::{Change, DbKey};
use command::journal::Effects;
use command::spec::flag;
use command::tracking::{ClientRef, Tracker};
use command::watches::WatcherId;
use command::{Args, Command, Error, Event, OwnArgs, Plan};
use keyspace::{Found, Key};

/// Keys that have been brought here for an operation.
pub(crate) struct HeldKeys {
    op: OpId,
    /// Each with its shard and database.
    pub(super) places: Vec<(u16, u16, Vec<u8>)>,
    /// The shards where operations wait for some of them.
    pub(super) awaited: Vec<u16>,
}

impl HeldKeys {
    /// The shards where operations wait for some of the keys.
    pub fn awaited(&self) -> Vec<u16> {
        self.awaited.clone()
    }
}

/// What has been done among them.
pub(super) struct Done {
    changes: Vec<Change>,
    effects: Effects,
}

impl Shard {
    /// A command whose keys lie on several shards and must be together.
    pub(crate) fn start_hold(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        keys: Vec<DbKey>,
    ) {
        let ask = Ask::Whole(self.expect(conn));
        let caller = Caller::of(conn, &self.conns[conn]);
        // Whatever the connection sends next goes behind this by the same way.
        self.conns[conn].through_own_mailbox += 1;
        self.hold_keys(Asked { home: self.cx.id, ask, command, caller, args }, keys, 0);
    }

    /// As [`Shard::start_hold`] for a command that found out while running that it needs `more` keys.
    pub(crate) fn start_hold_more(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        mut more: Vec<DbKey>,
    ) {
        if command.flags & flag::AWAY == 0 {
            more.extend(self.cx.keys_of(command, args, self.conns[conn].db));
        }
        self.start_hold(conn, command, args, more);
    }

    /// Has keys of several shards locked and brought here; then the command runs.
    pub(crate) fn hold_keys(&mut self, asked: Asked<'_>, mut keys: Vec<DbKey>, attempts: u32) {
        if let Some(error) = self.refusal_to_hold(asked.command, &keys) {
            return self.refuse_asked(&asked, &error);
        }
        if self.take_over(&asked, &mut keys) {
            return;
        }
        let op = self.next_op();
        if asked.command.flags & flag::AWAY != 0 {
            self.add_own_key(op, &mut keys, asked.caller.db);
        }
        self.hold_keys_for(op, asked, keys, attempts);
    }

    /// Why a command must not wait for these keys, or for what it will need. EXEC has been asked before.
    fn refusal_to_hold(&mut self, command: &Command, keys: &[DbKey]) -> Option<Error> {
        if matches!(command.plan, Plan::Block) || self.cx.scripts.overdue.is_some() {
            return None;
        }
        let is_there = |shard| keys.iter().any(|key| self.cx.slots.shard_of(&key.1) == shard);
        let learns = self.cx.learns;
        let error = self.refusal_of_many(command, |shard| learns || is_there(shard))?;
        self.cx.learns = false;
        Some(error)
    }

    /// As [`Shard::hold_keys`] for an operation that has a number already.
    pub(super) fn hold_keys_for(&mut self, op: OpId, asked: Asked<'_>, mut keys: Vec<DbKey>, attempts: u32) {
        let watcher = watcher_of(&asked);
        let Asked { home, ask, command, caller, args } = asked;
        keys.sort();
        keys.dedup();
        let missing = self.ask_owners(op, command, watcher, &keys);
        let args = OwnArgs::of(args);
        let (is_touched, awaited) = (false, Vec::new());
        let kind = Kind::Hold { keys: Vec::new(), wanted: keys, is_touched, awaited, attempts };
        let operation = Operation {
            home,
            ask,
            command,
            caller,
            args,
            kind,
            missing,
            here: true,
            elsewhere: false,
            slow: None,
            earlier: None,
        };
        self.ops.insert(op, operation);
        self.outgoing.exclusive = true;
    }

    /// Asks the shards of keys (ascending) to hold them; how many answers that takes.
    pub(super) fn ask_owners(
        &mut self,
        op: OpId,
        command: &'static Command,
        watcher: WatcherId,
        keys: &[DbKey],
    ) -> usize {
        let owned = keys.iter().map(|key| (self.cx.slots.shard_of(&key.1), key));
        let mut owned: Vec<(u16, &DbKey)> = owned.collect();
        owned.sort_by_key(|(shard, _)| *shard);
        let same = |(shard, key): &(u16, &DbKey), next: &(u16, &DbKey)| (*shard, key.0) == (next.0, next.1.0);
        owned.chunk_by(same).map(|keys| self.ask_to_hold(op, command, watcher, keys)).sum()
    }

    /// Asks a shard to hold keys of its, all in one database, in as many items as their bytes need; how many. `watcher`: whose watched
    /// keys are among them; 0 for nobody.
    fn ask_to_hold(
        &mut self,
        op: OpId,
        command: &'static Command,
        watcher: WatcherId,
        keys: &[(u16, &DbKey)],
    ) -> usize {
        let (mut rest, mut items) = (keys, 0);
        while let Some((shard, (db, _))) = rest.first() {
            let batch = self.batch_for(*shard as usize);
            let first = batch.spans.len();
            while let Some(((_, (_, key)), others)) = rest.split_first().filter(|_| !batch.is_full()) {
                batch.push_arg(key);
                rest = others;
            }
            batch.push_keyed(command, Ask::Hold(op), (*db, false), first, (0, watcher));
            items += 1;
        }
        items
    }

    /// Takes the entry of a key out of the keyspace; with it, whether there was one whose time was over.
    pub(super) fn take_out(&mut self, db: u16, key: Vec<u8>) -> (Held, bool) {
        let now_ms = self.cx.now_ms;
        let hashed = Key::new(&key, &self.cx.seed);
        let space = &mut self.cx.dbs[db as usize];
        let (entry, is_over) = match space.find(hashed, now_ms) {
            Found::Live(pos) => (Some(space.depart(pos)), false),
            Found::Expired => (None, true),
            Found::Missing => (None, false),
        };
        self.cx.stats.expired_keys += u64::from(is_over);
        (Held { db, key, entry }, is_over)
    }

    /// Tells that a key is over which this shard has taken out of its keyspace: here, or with the `changes` that go to its owner.
    pub(super) fn tell_expired(&mut self, held: &Held, changes: &mut Vec<Change>) {
        if self.cx.slots.shard_of(&held.key) != self.cx.id {
            changes.push(expired(held));
        } else if self.cx.is_listening {
            self.cx.hear(expired(held));
        }
    }

    /// Takes a key of this shard out of the keyspace, for an operation that holds it.
    pub(crate) fn lend(&mut self, db: u16, key: Vec<u8>) -> Held {
        // What has changed is looked at while it is here.
        self.cx.settle_indexes();
        let (held, is_over) = self.take_out(db, key);
        if is_over {
            self.cx.write_gone(db, &held.key);
            if self.cx.is_listening {
                self.cx.hear(expired(&held));
            }
        }
        held
    }

    /// Puts an entry under its key again, and gives the key back.
    pub(super) fn put_back(&mut self, held: Held) -> DbKey {
        if let Some(entry) = held.entry {
            self.cx.come_in(held.db, &held.key, entry);
        }
        (held.db, held.key)
    }

    /// Keys have come for a hold of ours.
    pub(crate) fn on_granted(
        &mut self,
        op: OpId,
        from: u16,
        held: Vec<Held>,
        (touched, waiters): (bool, Waiters),
    ) {
        let Some(operation) = self.ops.get_mut(&op) else {
            return self.on_granted_open(op, from, held, (touched, waiters));
        };
        let Kind::Hold { keys, is_touched, awaited, .. } = &mut operation.kind else { unreachable!() };
        keys.extend(held.into_iter().map(|h| (from, h)));
        *is_touched |= touched;
        waiters.note(from, awaited);
        operation.missing -= 1;
        if operation.missing == 0 {
            let operation = self.ops.remove(&op).expect("present");
            self.run_held(op, operation);
        }
    }

    pub(crate) fn is_alive(&self, home: u16, ask: Ask) -> bool {
        match ask {
            Ask::Whole(t) if home == self.cx.id => self.conns[t.conn as usize].generation == t.generation,
            _ => false,
        }
    }

    /// Takes the keys out again and gives them back to their shards, which learn what has happened to them and unlock them.
    /// `waits`: what becomes of the operation's places in the queues of each shard; empty if it has none. `settling`: whose replies wait
    /// until it is settled who gets what is there now.
    fn send_home(&mut self, held_keys: HeldKeys, done: Done, waits: Vec<WaitChange>, settling: &Settling) {
        let (HeldKeys { op, places, .. }, Done { changes, mut effects }) = (held_keys, done);
        let waits = waits.into_iter().chain(std::iter::repeat_with(|| WaitChange::None));
        let mut back: Vec<Option<(Vec<Held>, Vec<Change>)>> = (0..self.cx.shards).map(|_| None).collect();
        for (from, db, key) in places {
            let (held, is_over) = if from == self.cx.id {
                // Ours stay where they are.
                (Held { db, key, entry: None }, false)
            } else {
                self.take_out(db, key)
            };
            if is_over {
                self.cx.add_gone(&mut effects, held.db, &held.key);
            }
            let back = back[from as usize].get_or_insert_default();
            back.1.extend(is_over.then(|| expired(&held)));
            back.0.push(held);
        }
        self.add_together(&effects);
        for change in changes {
            let owner = self.cx.slots.shard_of(&change.key) as usize;
            back[owner].as_mut().expect("only keys that were held have changed").1.push(change);
        }
        let home = self.cx.id;
        let mut own = None;
        for ((shard, returned), wait) in back.into_iter().enumerate().zip(waits) {
            let Some((keys, changes)) = returned else { continue };
            let clients = settling.clients_at(shard as u16);
            if shard == home as usize {
                own = Some((keys, changes, wait, clients));
            } else {
                self.outgoing
                    .posts
                    .push((shard, Message::Release { home, op, keys, changes, wait, clients }));
            }
        }
        // Last, for what then runs here may have more to say to the others about this operation.
        if let Some((keys, changes, wait, clients)) = own {
            self.on_release(home, op, (keys, changes), wait, clients);
        }
    }

    /// Keys of this shard are home again, and with them the word of what has happened to them.
    pub(super) fn come_home(&mut self, keys: Vec<Held>, changes: Vec<Change>) {
        for held in keys {
            let value = held.entry.as_ref().map(|entry| entry.value());
            self.cx.indexes.note_home(held.db, &held.key, value);
            self.put_back(held);
        }
        changes.into_iter().for_each(|change| self.cx.hear(change));
        self.cx.settle_indexes();
    }

    /// Keys held here come back. The replies of `clients` wait until it is settled who gets what is there now.
    pub(crate) fn on_release(
        &mut self,
        home: u16,
        op: OpId,
        (keys, changes): (Vec<Held>, Vec<Change>),
        wait: WaitChange,
        clients: Vec<ClientRef>,
    ) {
        let had: Vec<DbKey> = match clients.is_empty() {
            true => Vec::new(),
            false => keys.iter().map(|held| (held.db, held.key.clone())).collect(),
        };
        self.come_home(keys, changes);
        self.change_wait(home, op, wait);
        // Before those who wait for the locks.
        if clients.is_empty() {
            self.serve_ready();
        } else {
            let had_all = self.gates.get(&(home, op)).is_some_and(Gate::is_whole);
            self.serve_and_settle(clients, |key| had_all || had.contains(key));
        }
        let mut ready = std::mem::take(&mut self.ready);
        for id in self.holds.remove(&(home, op)).unwrap_or_default() {
            self.locks.release(id, &mut ready);
        }
        self.ready = ready;
        self.leave_gate(home, op);
        self.run_ready();
    }
}

/// Whose watched keys are among those of a command.
pub(crate) fn watcher_of(asked: &Asked<'_>) -> WatcherId {
    if matches!(asked.command.plan, Plan::Block) { Block::of(asked.args).watcher } else { 0 }
}

fn expired(held: &Held) -> Change {
    let event = Some((Event::Expired, "expired"));
    let subkeys = Vec::new();
    Change { db: held.db, key: held.key.clone(), event, subkeys, by: Tracker::NOBODY, is_read: false }
}
