//! Operations with keys on several shards that wait for keys of this one: what they are offered, and what becomes of it.
//!
//! While their coordinator thinks about a claim, the key is locked. Such a lock waits for nothing but messages, so nothing can go round
//! in a circle; with one exception, see [`Shard::yield_claims`].

use crate::locks::{Thing, WaiterId};
use crate::message::{Message, OpId, Ticket, WaitMail};
use crate::parking::Job;
use crate::shard::Shard;
use crate::waiting::{Claim, Wait, WaitId, Who};
use command::blocking::{AwaitedId, Awaits};
use command::change::DbKey;
use command::tracking::Tracker;
use command::{Command, OwnArgs};
use std::sync::Arc;

/// The command of an operation that is to be served where one of its keys is.
pub struct ClaimedCommand {
    pub(crate) ticket: Ticket,
    pub(crate) command: &'static Command,
    pub(crate) db: u16,
    pub(crate) resp3: bool,
    pub(crate) tracker: Tracker,
    pub(crate) args: Arc<OwnArgs>,
}

/// The sooner of two times, of which there may be none.
pub(crate) fn sooner(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

impl Shard {
    /// A key may serve an operation: it is locked, and the coordinator asked.
    pub(super) fn claim(&mut self, id: WaitId, key: AwaitedId) {
        let wait = self.waiting.get_mut(id).expect("it waits");
        let Who::Operation { home, op, is_alone } = wait.who else { unreachable!("clients are served") };
        if wait.claims.iter().any(|claim| claim.key == key) {
            // It has no lock any more, so more has come.
            let (db, name) = self.cx.awaited.name(key);
            return self.withholding.note_unsettled(&(db, name.to_vec()));
        }
        let is_first = !std::mem::replace(&mut wait.is_busy, true);
        wait.claims.push(Claim { key, lock: None });
        let (db, name) = self.cx.awaited.name(key);
        let name = (db, name.to_vec());
        self.withholding.note_claim(name);
        if is_first {
            let mail = WaitMail::Claim { op, from: self.cx.id };
            self.outgoing.posts.push((home as usize, Message::Wait(mail)));
        }
        // A claim that must be followed by a hold of several keys may not make other holds wait; see `yield_claims`.
        if !is_alone && (self.pending_holds > 0 || self.locks.is_contended(&Thing::Gate)) {
            return;
        }
        if !is_alone {
            self.yielding.push(id);
        }
        let (db, name) = self.cx.awaited.name(key);
        let things = vec![(Thing::Key(db, name.to_vec()), false), (Thing::Shard, true)];
        self.seize(things, Job::Claim { wait: id, key });
    }

    /// The key of a claim is locked; whether that is still wanted.
    pub(crate) fn run_claim(&mut self, id: WaitId, key: AwaitedId, lock: WaiterId) -> bool {
        let claims = self.waiting.get_mut(id).map(|wait| &mut wait.claims);
        let claim = claims.and_then(|claims| claims.iter_mut().find(|claim| claim.key == key));
        match claim {
            Some(claim) => {
                claim.lock = Some(lock);
                true
            }
            None => false,
        }
    }

    /// Gives up the locks of claims that a hold must follow. Their holds come in the order of all multi-shard operations, so they may
    /// find themselves behind others that would wait for such a lock: when a hold waits here, nobody knows for what, these locks go. The
    /// client may then be overtaken; but nothing stands still.
    #[cold]
    pub(crate) fn yield_claims(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for id in std::mem::take(&mut self.yielding) {
            let claims = self.waiting.get_mut(id).map_or(&mut [][..], |wait| &mut wait.claims[..]);
            for lock in claims.iter_mut().filter_map(|claim| claim.lock.take()) {
                self.locks.release(lock, &mut ready);
            }
        }
        self.ready = ready;
    }

    /// The locks that a hold for a claim of ours takes over.
    pub(crate) fn claimed_locks(&mut self, home: u16, op: OpId) -> Vec<WaiterId> {
        let Some(id) = self.waiting.of_operation(home, op) else { return Vec::new() };
        self.yielding.retain(|other| *other != id);
        let claims = &mut self.waiting.get_mut(id).expect("it waits").claims;
        claims.iter_mut().filter_map(|claim| claim.lock.take()).collect()
    }

    /// The coordinator says that the operation is to be served here.
    pub(super) fn on_serve(&mut self, home: u16, op: OpId, claimed: &ClaimedCommand) {
        let id = self.waiting.of_operation(home, op).expect("only its coordinator ends it");
        let wait = self.waiting.get_mut(id).expect("it waits");
        let claims = std::mem::take(&mut wait.claims);
        wait.is_busy = false;
        let awaits = wait.awaits;
        let keys = self.close_claims(&claims);
        let mut outcome = Err(None);
        for claim in &claims {
            let index = self.waiting.get(id).expect("it waits").argument_of(claim.key);
            if !awaits.is_met_by(self.found_at(claim.key)) {
                continue;
            }
            match self.attempt(home, claimed, index) {
                Ok(reply) => {
                    outcome = Ok(reply);
                    self.remove_wait(id);
                    break;
                }
                Err(again_us) => outcome = outcome.map_err(|soonest| sooner(soonest, again_us)),
            }
        }
        let mail = WaitMail::Served { op, from: self.cx.id, outcome };
        self.outgoing.posts.push((home as usize, Message::Wait(mail)));
        self.end_claims(id, claims, &keys);
    }

    /// The coordinator wants an operation to be tried again: as if all its keys had changed.
    pub(super) fn on_look(&mut self, home: u16, op: OpId) {
        let Some(id) = self.waiting.of_operation(home, op) else { return };
        let keys = &self.waiting.get(id).expect("it waits").keys;
        keys.iter().for_each(|(key, _)| self.cx.awaited.note_one(*key));
        self.serve_ready();
        self.run_ready();
    }

    /// The operation is over.
    pub(super) fn on_forget(&mut self, home: u16, op: OpId) {
        let Some(id) = self.waiting.of_operation(home, op) else { return };
        let claims = std::mem::take(&mut self.waiting.get_mut(id).expect("it waits").claims);
        let keys = self.close_claims(&claims);
        self.remove_wait(id);
        self.end_claims(id, claims, &keys);
    }

    /// Claims have come to an end: those behind in the queues have their turn, then everybody.
    fn end_claims(&mut self, id: WaitId, claims: Vec<Claim>, keys: &[DbKey]) {
        for claim in &claims {
            match claim.lock {
                Some(_) => self.serve_from(claim.key, id + 1),
                None => self.serve_key(claim.key),
            }
        }
        self.serve_ready();
        self.send_withheld(keys);
        let mut ready = std::mem::take(&mut self.ready);
        claims.iter().filter_map(|claim| claim.lock).for_each(|lock| self.locks.release(lock, &mut ready));
        self.ready = ready;
        self.run_ready();
    }

    /// Keys that were held for an operation are here again, and it waits for some of them from now on, still, or no longer.
    pub(crate) fn change_wait(&mut self, home: u16, op: OpId, change: WaitChange) {
        match change {
            WaitChange::None => {}
            WaitChange::Enter(entry) => {
                let keys = entry.keys.iter().map(|(key, index)| (entry.db, key.as_slice(), *index));
                let keys = self.enter(keys);
                let who = Who::Operation { home, op, is_alone: entry.is_alone };
                self.waiting.insert(Wait::new(who, entry.awaits, keys, None), &mut self.cx.awaited);
                self.cx.set_listening();
            }
            WaitChange::Stay | WaitChange::Leave => {
                let Some(id) = self.waiting.of_operation(home, op) else { return };
                let wait = self.waiting.get_mut(id).expect("it waits");
                let claims = std::mem::take(&mut wait.claims);
                wait.is_busy = false;
                debug_assert!(claims.iter().all(|claim| claim.lock.is_none()), "its hold took them over");
                let keys = self.close_claims(&claims);
                if matches!(change, WaitChange::Leave) {
                    self.remove_wait(id);
                }
                // They are still locked for the hold.
                claims.iter().for_each(|claim| self.serve_from(claim.key, id + 1));
                self.send_withheld(&keys);
            }
        }
    }
}

/// What becomes of an operation's place in the queues of a shard.
pub enum WaitChange {
    None,
    Enter(Box<WaitEntry>),
    Stay,
    Leave,
}

/// Keys of one shard that an operation waits for, each with the argument that names it.
pub struct WaitEntry {
    pub db: u16,
    pub keys: Vec<(Vec<u8>, usize)>,
    pub awaits: Awaits,
    /// The shard of any of its keys can serve it alone.
    pub is_alone: bool,
}
