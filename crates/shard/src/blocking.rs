//! Commands that wait for a key, on the shard of that key: who is served when it changes, in which order, and what else ends a wait.
//!
//! Nothing is held while a client waits. A command that has all its keys here waits in [`crate::waiting`], and this shard alone decides
//! what becomes of it: an element is never taken for a client that has been told of its time being over. A command with keys on
//! several shards stands in the queues of all of them, and the shard that coordinates it decides ([`crate::multi::wait`]): when one of
//! its keys may serve it, that key is locked here before anybody who came later (a *claim*) until the coordinator has said who serves it.
//!
//! Clients are served once the whole command, transaction or script that changed the key is over, before anything else can use the key.

mod claims;
mod synced;
mod withheld;

pub(crate) use self::claims::ClaimedCommand;
pub use self::claims::WaitChange;
pub(crate) use self::claims::{WaitEntry, sooner};
pub(crate) use self::synced::Syncs;
pub(crate) use self::withheld::{Settling, Withholding};
use crate::conn::BlockedAt;
use crate::execute::{self, Asked, Needs};
use crate::locks::{Thing, WaiterId};
use crate::message::{Ask, Message, Ticket, WaitMail};
use crate::parking::Job;
use crate::shard::Shard;
use crate::waiting::{BlockedCommand, Wait, WaitId, Who};
use command::blocking::{AwaitedId, Awaits, Wait as Awaited};
use command::change::DbKey;
use command::state::Effect;
use command::{Args, Command, Error, OwnArgs};
use keyspace::{Found, Key};
use resp::Reply;
use std::sync::Arc;

/// Why a wait ends without being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its time is over, or CLIENT UNBLOCK says so.
    Time,
    /// CLIENT UNBLOCK … ERROR
    Error,
}

/// The keys of a command that it does not wait for.
fn other_keys(command: &Command, args: Args<'_>, wait: &Awaited) -> Vec<Vec<u8>> {
    let mut indexes = Vec::new();
    command.key_indexes(&args, &mut indexes).unwrap_or_default();
    let others = indexes
        .into_iter()
        .filter(|index| wait.keys.binary_search(index).is_err())
        .map(|index| args.at(index));
    others
        .filter(|other| wait.keys.iter().all(|&index| args.at(index) != *other))
        .map(<[u8]>::to_vec)
        .collect()
}

impl Shard {
    /// A command with all its keys here has nothing to do yet.
    pub(crate) fn begin_wait(&mut self, asked: Asked<'_>, wait: Awaited) {
        let Asked { home, ask, command, caller, args } = asked;
        let Ask::Whole(ticket) = ask else { unreachable!("only whole commands wait") };
        let session = caller.conn.and_then(|conn| self.cx.sessions.get(conn));
        let client = session.map_or(caller.client, |session| session.id);
        if let Some(id) = self.waiting.of_slot(home, ticket) {
            // The connection had another user, whose end this shard will be told of.
            self.remove_wait(id);
        }
        let keys = wait.keys.iter().map(|&index| (caller.db, args.at(index), index));
        let keys = self.enter(keys);
        let others = other_keys(command, args, &wait);
        let args = Arc::new(wait.settle(OwnArgs::of(args)));
        let blocked =
            BlockedCommand { home, ticket, client, command, caller, args, others, overdue: wait.overdue };
        let deadline_us = wait.timeout_us.map(|timeout_us| self.cx.now_us.saturating_add(timeout_us));
        let who = Who::Client(Box::new(blocked));
        let again_at_us = wait.again_us.map(|again_us| self.cx.now_us.saturating_add(again_us));
        let (rivals, awaits) = (wait.rivals, wait.awaits);
        let mut wait = Wait::new(who, awaits, keys, deadline_us);
        wait.rivals = rivals;
        let id = self.waiting.insert(wait, &mut self.cx.awaited);
        self.waiting.set_again(id, again_at_us);
        if matches!(awaits, Awaits::Sync | Awaits::SyncAndTime) {
            self.syncs.insert(id);
        }
        self.cx.set_listening();
    }

    /// Has keys awaited, each once; with each the argument that names it first.
    pub(crate) fn enter<'a>(
        &mut self,
        keys: impl Iterator<Item = (u16, &'a [u8], usize)>,
    ) -> Vec<(AwaitedId, usize)> {
        let mut entered: Vec<(AwaitedId, usize)> =
            keys.map(|(db, key, index)| (self.cx.awaited.enter(db, key), index)).collect();
        entered.sort_unstable();
        entered.dedup_by(|later, first| {
            let again = later.0 == first.0;
            if again {
                self.cx.awaited.leave(later.0);
            }
            again
        });
        entered
    }

    /// Tells the shard of a client that its command waits here.
    pub(crate) fn tell_blocked(&mut self, home: u16, ask: Ask) {
        let Ask::Whole(ticket) = ask else { unreachable!("only whole commands wait") };
        let from = self.cx.id;
        if home == from {
            return self.on_blocked(from, ticket);
        }
        let mail = WaitMail::Blocked { from, ticket };
        self.outgoing.posts.push((home as usize, Message::Wait(mail)));
    }

    /// A command of a client of ours waits on shard `from`.
    pub(crate) fn on_blocked(&mut self, from: u16, ticket: Ticket) {
        let here = from == self.cx.id;
        self.returned += u64::from(!here);
        let conn = &mut self.conns[ticket.conn as usize];
        if conn.generation != ticket.generation {
            return self.cancel(from, ticket);
        }
        // It may have been served before this message came.
        if !conn.awaits(ticket.seq) {
            return;
        }
        conn.blocked = Some(BlockedAt::Shard(from, ticket));
        if conn.ended {
            self.cx.effects.push(Effect::Kill { conn: ticket.conn as usize });
        }
    }

    /// The connection is gone: it waits for nothing any more.
    pub(crate) fn leave_wait(&mut self, at: BlockedAt) {
        match at {
            BlockedAt::Shard(shard, ticket) => self.cancel(shard, ticket),
            BlockedAt::Operation(op) => self.abandon(op),
        }
    }

    fn cancel(&mut self, shard: u16, ticket: Ticket) {
        let home = self.cx.id;
        if shard == home {
            return self.on_cancel(home, ticket);
        }
        let mail = WaitMail::Cancel { home, ticket };
        self.outgoing.cancels.push((shard as usize, Message::Wait(mail)));
    }

    fn on_cancel(&mut self, home: u16, ticket: Ticket) {
        if let Some(id) = self.waiting.of_conn(home, ticket) {
            self.remove_wait(id);
        }
    }

    pub(crate) fn remove_wait(&mut self, id: WaitId) -> Option<Wait> {
        let wait = self.waiting.remove(id, &mut self.cx.awaited);
        self.cx.set_listening();
        wait
    }

    /// To be called when a command, or several that run as one, is over.
    #[inline]
    pub(crate) fn after_command(&mut self) {
        if self.cx.awaited.has_news() || self.cx.tracking.has_news() {
            self.serve_blocked();
        }
        if self.cx.pubsub.has_much() {
            self.deliver_published();
        }
    }

    #[cold]
    fn serve_blocked(&mut self) {
        self.silence_killed();
        self.tell_changes();
        if self.cx.awaited.has_news() {
            self.cx.catch_up();
            self.serve_ready();
            self.run_ready();
            self.tell_changes();
        }
    }

    /// Serves all who can be, and frees whom CLIENT UNBLOCK has freed. What a client that is served pushes can serve others.
    pub(crate) fn serve_ready(&mut self) {
        // A script that occupies the shard is not over.
        if self.busy.is_some() {
            return;
        }
        for (client, with_error) in std::mem::take(&mut self.cx.awaited.freed) {
            let end = if with_error { End::Error } else { End::Time };
            match self.waiting.of_client(client) {
                Some(id) => self.end_wait(id, end),
                None => self.end_operation_of(client, end),
            }
        }
        self.serve_all(|shard| {
            while let Some(key) = shard.cx.awaited.take_changed() {
                shard.serve_key(key);
            }
        });
    }

    /// Serves those who wait for a key, in the order they came: at once if it is free, else as soon as it is, before anybody else.
    fn serve_key(&mut self, key: AwaitedId) {
        let (db, name) = self.cx.awaited.name(key);
        if self.locks.is_empty() {
            return self.serve_from(key, 0);
        }
        let thing = Thing::Key(db, name.to_vec());
        if !self.locks.is_contended(&thing) && !self.locks.is_wanted_alone(&Thing::Shard) {
            return self.serve_from(key, 0);
        }
        let key = (db, name.to_vec());
        self.withholding.note_unsettled(&key);
        if self.to_serve.insert(key.clone()) {
            let job = Job::ServeKey { key, lock: None };
            self.seize(vec![(thing, false)], job);
        }
    }

    fn seize(&mut self, things: Vec<(Thing, bool)>, job: Job) {
        let mut ready = std::mem::take(&mut self.ready);
        self.locks.seize(things, job, &mut ready);
        self.ready = ready;
    }

    /// A key to be served is locked (by `lock` or `id`). Its lock waits for nothing but, at most, for whoever has the shard alone, and
    /// needs no lock of a key then.
    pub(crate) fn run_serve_key(&mut self, key: DbKey, lock: Option<WaiterId>, id: WaiterId) {
        if lock.is_none() && self.locks.is_wanted_alone(&Thing::Shard) {
            return self.seize(vec![(Thing::Shard, true)], Job::ServeKey { key, lock: Some(id) });
        }
        self.to_serve.remove(&key);
        if let Some(awaited) = self.cx.awaited.find(key.0, &key.1) {
            self.serve_from(awaited, 0);
        }
        self.serve_ready();
        self.send_withheld(&[key]);
        self.unlock(id);
        lock.into_iter().for_each(|lock| self.unlock(lock));
    }

    /// Serves those who wait for a key that nobody else can use now, from a number on.
    fn serve_from(&mut self, key: AwaitedId, mut from: WaitId) {
        let mut in_vain: Vec<Box<[u8]>> = Vec::new();
        while let Some(id) = self.waiting.next_of(key, from) {
            let found = self.found_at(key);
            if found.is_none() && self.cx.awaited.with_end() == 0 {
                return;
            }
            let wait = self.waiting.get(id).expect("whoever is in a queue waits");
            from = id + 1;
            let is_vain = wait.rivals.as_ref().is_some_and(|rivals| in_vain.contains(rivals));
            if is_vain || !wait.awaits.is_met_by(found) {
                continue;
            }
            let rivals = wait.rivals.clone();
            let is_client = matches!(wait.who, Who::Client(_));
            if !is_client {
                return self.claim(id, key);
            }
            if wait.is_busy || self.serve_later(id, key) {
                return;
            }
            if !self.serve_client(id, key) {
                in_vain.extend(rivals);
            }
        }
    }

    /// What clients could wait for that is under a key now.
    fn found_at(&mut self, key: AwaitedId) -> Option<Awaits> {
        let (db, name) = self.cx.awaited.name(key);
        let hashed = Key::new(name, &self.cx.seed);
        let space = &mut self.cx.dbs[db as usize];
        match space.find(hashed, self.cx.now_ms) {
            Found::Live(pos) => Awaits::of(&space.value(pos)),
            Found::Missing => None,
            Found::Expired => {
                let name = name.to_vec();
                self.cx.write_gone(db, &name);
                None
            }
        }
    }

    /// If another key that the command needs is locked (where BLMOVE moves to), queues for it; whether it does.
    fn serve_later(&mut self, id: WaitId, key: AwaitedId) -> bool {
        if self.locks.is_empty() {
            return false;
        }
        let wait = self.waiting.get(id).expect("it waits");
        let Who::Client(blocked) = &wait.who else { return false };
        let (db, name) = self.cx.awaited.name(key);
        let others = blocked.others.iter().map(|other| Thing::Key(db, other.clone()));
        let others: Vec<_> = others.filter(|thing| self.locks.is_contended(thing)).collect();
        if others.is_empty() {
            return false;
        }
        let mut things = vec![(Thing::Key(db, name.to_vec()), false)];
        things.extend(others.into_iter().map(|thing| (thing, false)));
        things.push((Thing::Shard, true));
        let (client, key) = (blocked.client, (db, name.to_vec()));
        self.set_busy(id, client, true);
        self.withholding.note_delayed(key.clone(), id);
        let mut ready = std::mem::take(&mut self.ready);
        self.locks.enqueue(things, Job::Serve { wait: id, key }, &mut ready);
        self.ready = ready;
        true
    }

    fn set_busy(&mut self, id: WaitId, client: u64, is_busy: bool) {
        if let Some(wait) = self.waiting.get_mut(id) {
            wait.is_busy = is_busy;
            self.cx.awaited.clients.insert(client, is_busy);
        }
    }

    /// All that a client needs that was about to be served is here.
    pub(crate) fn run_serve(&mut self, id: WaitId, key: &DbKey) {
        self.withholding.end_delayed(key, id);
        // Unless nobody waits for it any more.
        if let Some(awaited) = self.cx.awaited.find(key.0, &key.1) {
            self.serve_delayed(id, awaited);
        }
        self.serve_ready();
        self.send_withheld(std::slice::from_ref(key));
    }

    fn serve_delayed(&mut self, id: WaitId, key: AwaitedId) {
        let client = match self.waiting.get(id).map(|wait| &wait.who) {
            Some(Who::Client(blocked)) => Some(blocked.client),
            _ => None,
        };
        if let Some(client) = client {
            self.set_busy(id, client, false);
            let found = self.found_at(key);
            let is_met = self.waiting.get(id).is_some_and(|wait| wait.awaits.is_met_by(found));
            let served = is_met && self.serve_client(id, key);
            if !served && self.waiting.get(id).is_some_and(|wait| wait.is_overdue) {
                self.end_wait(id, End::Time);
            }
        }
        self.serve_from(key, id + 1);
    }

    /// Runs the command of a client again, for the sake of a key; whether it was served.
    fn serve_client(&mut self, id: WaitId, key: AwaitedId) -> bool {
        let wait = self.waiting.get(id).expect("it waits");
        let Who::Client(blocked) = &wait.who else { unreachable!("claims serve operations") };
        let index = wait.argument_of(key);
        let claimed = ClaimedCommand {
            ticket: blocked.ticket,
            command: blocked.command,
            db: blocked.caller.db,
            resp3: blocked.caller.resp3,
            tracker: blocked.caller.tracker,
            args: Arc::clone(&blocked.args),
        };
        let home = blocked.home;
        let reply = match self.attempt(home, &claimed, index) {
            Ok(reply) => reply,
            Err(again_us) => {
                let at_us = again_us.map(|again_us| self.cx.now_us.saturating_add(again_us));
                self.waiting.set_again(id, at_us);
                return false;
            }
        };
        self.remove_wait(id);
        self.withhold_served(claimed.ticket.client(home));
        self.unblock(home, claimed.ticket, claimed.command, reply);
        true
    }

    /// Runs a command again for the sake of the key that its argument `index` names; its reply, or, if it waits on, after how
    /// long it is to be tried again.
    fn attempt(&mut self, home: u16, claimed: &ClaimedCommand, index: usize) -> Result<Reply, Option<u64>> {
        let ask = Ask::Whole(claimed.ticket);
        let mut caller = execute::Caller::elsewhere(claimed.db, claimed.resp3);
        // It was granted memory when it came.
        caller.admitted = true;
        caller.tracker = claimed.tracker;
        let slot = (home == self.cx.id).then(|| &self.conns[claimed.ticket.conn as usize]);
        let is_same = slot.is_some_and(|conn| conn.generation == claimed.ticket.generation);
        caller.conn = is_same.then_some(claimed.ticket.conn as usize);
        let seed = self.cx.seed.clone();
        let mut out = Reply::new(claimed.resp3);
        self.cx.awaited.serving = Some(index);
        let needs =
            execute::execute(&mut self.cx, claimed.command, claimed.args.args(&seed), caller, &mut out);
        self.cx.awaited.serving = None;
        match needs {
            None => {
                self.tell_slow(home, ask);
                Ok(out)
            }
            Some(Needs::Wait(wait)) => Err(wait.again_us),
            Some(Needs::Keys(_) | Needs::Away(_) | Needs::Steps) => {
                unreachable!("what a blocking command needs is in its arguments")
            }
        }
    }

    /// Gives a client that has waited its reply.
    fn unblock(&mut self, home: u16, ticket: Ticket, command: &'static Command, reply: Reply) {
        if home == self.cx.id {
            return self.on_unblocked(ticket, command, true, reply);
        }
        let mail = WaitMail::Unblocked { ticket, command, reply };
        self.outgoing.posts.push((home as usize, Message::Wait(mail)));
    }

    /// A client of ours has waited long enough. `here`: on this shard.
    pub(crate) fn on_unblocked(
        &mut self,
        ticket: Ticket,
        command: &'static Command,
        here: bool,
        mut reply: Reply,
    ) {
        self.tell_heard_before(ticket.conn as usize);
        let conn = &mut self.conns[ticket.conn as usize];
        if conn.generation != ticket.generation {
            return;
        }
        conn.blocked = None;
        if here {
            conn.through_own_mailbox -= 1;
        } else if command.may_write() {
            conn.writes_elsewhere -= 1;
        }
        conn.fulfil(ticket.seq, |out| out.append(&mut reply));
        self.after_fulfil(ticket.conn as usize);
    }

    /// When the next time is over, monotonic µs.
    pub fn next_deadline_us(&self) -> Option<u64> {
        // Keys that have expired while nothing ran.
        if self.cx.awaited.has_news() && self.busy.is_none() {
            return Some(0);
        }
        self.waiting.next_deadline_us().into_iter().chain(self.next_operation_deadline_us()).min()
    }

    /// Ends the waits whose time is over. Call once per turn.
    pub fn end_waits(&mut self) {
        if self.busy.is_some() {
            return;
        }
        while let Some(id) = self.waiting.take_overdue(self.cx.now_us) {
            match self.waiting.get_mut(id) {
                Some(wait) if wait.is_busy => wait.is_overdue = true,
                _ => self.end_wait(id, End::Time),
            }
        }
        self.end_operations();
        self.try_again();
    }

    /// Serves those whose time to be tried again has come, with all who have waited longer.
    fn try_again(&mut self) {
        while let Some(wait) = self.waiting.take_again(self.cx.now_us) {
            wait.keys.iter().for_each(|(key, _)| self.cx.awaited.note_one(*key));
        }
        self.look_for_operations();
        self.after_command();
    }

    fn end_wait(&mut self, id: WaitId, end: End) {
        let Some(wait) = self.remove_wait(id) else { return };
        let Who::Client(blocked) = wait.who else { unreachable!("coordinators end their operations") };
        let BlockedCommand { home, ticket, command, caller, args, overdue, .. } = *blocked;
        let seed = self.cx.seed.clone();
        let conn = (home == self.cx.id).then_some(ticket.conn as usize);
        let reply = self.unserved(command, args.args(&seed), caller.resp3, overdue, end, conn);
        self.unblock(home, ticket, command, reply);
    }

    /// The reply of a command that has waited in vain; it is counted now.
    pub(crate) fn unserved(
        &mut self,
        command: &'static Command,
        args: Args<'_>,
        resp3: bool,
        overdue: command::blocking::Overdue,
        end: End,
        conn: Option<usize>,
    ) -> Reply {
        let mut reply = Reply::new(resp3);
        match end {
            End::Time => overdue.write(&mut reply),
            End::Error => {
                self.cx.commands.failed(command.id);
                self.cx.count_error(&Error::UNBLOCKED);
                reply.error(Error::UNBLOCKED.line());
            }
        }
        self.cx.ran_alone(command, args, 0, true, conn);
        reply
    }

    pub(crate) fn on_wait_mail(&mut self, mail: WaitMail) {
        match mail {
            WaitMail::Blocked { from, ticket } => self.on_blocked(from, ticket),
            WaitMail::Cancel { home, ticket } => self.on_cancel(home, ticket),
            WaitMail::Unblocked { ticket, command, reply } => {
                self.on_unblocked(ticket, command, false, reply);
            }
            WaitMail::Claim { op, from } => self.on_claim(op, from),
            WaitMail::Serve { home, op, claimed } => self.on_serve(home, op, &claimed),
            WaitMail::Served { op, from, outcome } => self.on_served(op, from, outcome),
            WaitMail::Look { home, op } => self.on_look(home, op),
            WaitMail::Forget { home, op } => self.on_forget(home, op),
            WaitMail::Withhold { client, times } => self.on_withhold(client, times),
            WaitMail::Settled { client } => self.on_settled(client),
        }
    }
}

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod tests;
