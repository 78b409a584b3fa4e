//! Operations that learn only while they run what they need, seen from a shard that has some of it.
//!
//! Such an operation comes to every shard, in the order of all multi-shard operations, and holds the *gate* there: other operations that
//! come after it wait, whatever keys they are for; commands on one shard pass. So it may ask for further keys as it goes on,
//! and gets them as if it had asked at once: nobody who stands between its coming and its asking has seen more than one shard.
//! `docs/ARCHITECTURE.md` ("Operations that learn as they go") argues why that is enough.

use crate::locks::{Thing, WaiterId};
use crate::message::{Held, Message, OpId};
use crate::parking::Job;
use crate::shard::Shard;
use crate::waiting::Waiters;
use command::change::DbKey;
use command::watches::WatcherId;
use std::collections::{HashSet, VecDeque};

/// What an operation asks of this shard while it runs.
pub enum Want {
    /// To hold some keys of the shard, beside others who do.
    Share,
    /// `watcher`: whose watched keys are among them; 0 for nobody.
    Keys { keys: Vec<DbKey>, watcher: WatcherId },
    /// To be alone here.
    Whole,
}

/// An operation that holds, or waits for, the gate of this shard.
pub(crate) struct Gate {
    marker: WaiterId,
    is_open: bool,
    /// The operation has ended before the gate was its own.
    is_over: bool,
    /// All it has been granted here.
    granted: Vec<WaiterId>,
    share: Option<WaiterId>,
    keys: HashSet<DbKey>,
    is_whole: bool,
    /// In order; the first may have been asked of the locks.
    wants: VecDeque<Want>,
    is_asking: bool,
}

impl Gate {
    /// Whether the operation is alone here.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

impl Shard {
    /// An operation comes.
    pub(crate) fn queue_at_gate(&mut self, home: u16, op: OpId) {
        let mut ready = std::mem::take(&mut self.ready);
        let marker = self.locks.enqueue(vec![(Thing::Gate, false)], Job::Gate { home, op }, &mut ready);
        self.ready = ready;
        let gate = Gate {
            marker,
            is_open: false,
            is_over: false,
            granted: Vec::new(),
            share: None,
            keys: HashSet::new(),
            is_whole: false,
            wants: VecDeque::new(),
            is_asking: false,
        };
        self.gates.insert((home, op), gate);
        self.run_ready();
    }

    /// The gate belongs to the operation.
    pub(crate) fn on_gate(&mut self, home: u16, op: OpId) {
        let gate = self.gates.get_mut(&(home, op)).expect("who waits for the gate is known");
        gate.is_open = true;
        if gate.is_over {
            return self.leave_gate(home, op);
        }
        if home == self.cx.id {
            self.on_granted(op, home, Vec::new(), (false, Waiters::Nobody));
        }
        self.ask_locks(home, op);
    }

    /// An operation of `home`'s needs more.
    pub(crate) fn want(&mut self, home: u16, op: OpId, want: Want) {
        let gate = self.gates.get_mut(&(home, op)).expect("only who came may want");
        let is_first = gate.share.is_none() && !gate.wants.iter().any(|want| matches!(want, Want::Share));
        if matches!(want, Want::Keys { .. }) && is_first && !gate.is_whole {
            gate.wants.push_back(Want::Share);
        }
        gate.wants.push_back(want);
        self.ask_locks(home, op);
        self.run_ready();
    }

    /// Asks the locks for what the operation wants next.
    fn ask_locks(&mut self, home: u16, op: OpId) {
        let gate = self.gates.get_mut(&(home, op)).expect("present");
        if !gate.is_open || gate.is_asking {
            return;
        }
        let Some(want) = gate.wants.front() else { return };
        let things: Vec<_> = match want {
            Want::Share => vec![(Thing::Shard, true)],
            Want::Whole if gate.is_whole => Vec::new(),
            Want::Whole => vec![(Thing::Shard, false)],
            Want::Keys { .. } if gate.is_whole => Vec::new(),
            Want::Keys { keys, .. } => {
                let new = keys.iter().filter(|key| !gate.keys.contains(key));
                new.map(|(db, key)| (Thing::Key(*db, key.clone()), false)).collect()
            }
        };
        gate.is_asking = true;
        self.pending_holds += 1;
        let share = if matches!(want, Want::Whole) { gate.share.take() } else { None };
        let mut ready = std::mem::take(&mut self.ready);
        self.locks.enqueue_late(gate.marker, things, Job::Want { home, op }, &mut ready);
        if let Some(share) = share {
            // To be alone it must not stand in its own way.
            self.locks.release(share, &mut ready);
        }
        self.ready = ready;
    }

    /// The locks have granted what the operation wants.
    pub(crate) fn on_want(&mut self, home: u16, op: OpId, id: WaiterId) {
        let gate = self.gates.get_mut(&(home, op)).expect("present");
        gate.is_asking = false;
        let want = gate.wants.pop_front().expect("it was asked for");
        if matches!(want, Want::Share) {
            gate.share = Some(id);
            return self.ask_locks(home, op);
        }
        gate.granted.push(id);
        let (mut held, mut is_touched) = (Vec::new(), false);
        match want {
            Want::Keys { keys, watcher } => {
                gate.keys.extend(keys.iter().cloned());
                is_touched = watcher != 0 && self.cx.unwatch(watcher);
                held = keys.into_iter().map(|(db, key)| self.lend(db, key)).collect();
            }
            _ => {
                gate.is_whole = true;
                self.cx.is_left_alone = true;
            }
        }
        self.send_granted(home, op, held, is_touched);
        self.ask_locks(home, op);
    }

    /// Locks keys of this shard for an operation that runs here, if nobody stands in the way: `lacking` loses them, `here` gains them.
    pub(crate) fn take_own(&mut self, op: OpId, lacking: &mut Vec<DbKey>, here: &mut Vec<DbKey>) {
        let gate =
            self.gates.get_mut(&(self.cx.id, op)).expect("an operation has come to its own shard first");
        let idle = gate.wants.is_empty() && !self.locks.is_wanted_alone(&Thing::Shard);
        let mut ready = std::mem::take(&mut self.ready);
        let mut things = Vec::new();
        lacking.retain(|(db, key)| {
            let (id, thing) = (self.cx.id, Thing::Key(*db, key.clone()));
            let known = gate.is_whole || gate.keys.contains(&(*db, key.clone()));
            let free = known || idle && !self.locks.is_contended(&thing);
            if !free || self.cx.slots.shard_of(key) != id {
                return true;
            }
            if !known {
                things.push((thing, false));
                gate.keys.insert((*db, key.clone()));
            }
            let place = here.partition_point(|other| (other.0, &other.1) < (*db, key));
            here.insert(place, (*db, key.clone()));
            false
        });
        if !things.is_empty() {
            if gate.share.is_none() {
                let share = vec![(Thing::Shard, true)];
                gate.share = Some(self.locks.enqueue_late(gate.marker, share, Job::Share, &mut ready));
            }
            gate.granted.push(self.locks.enqueue_late(gate.marker, things, Job::Share, &mut ready));
        }
        self.ready = ready;
        self.run_ready();
    }

    pub(crate) fn send_granted(&mut self, home: u16, op: OpId, keys: Vec<Held>, is_touched: bool) {
        let waiters = match keys.is_empty() && self.waiting.has_operations() {
            // It has all keys.
            true => Waiters::Operations,
            false => self.waiters_of_any(keys.iter().map(|held| (held.db, &held.key[..]))),
        };
        if home == self.cx.id {
            return self.on_granted(op, home, keys, (is_touched, waiters));
        }
        let granted = Message::Granted { op, from: self.cx.id, keys, is_touched, waiters };
        self.outgoing.posts.push((home as usize, granted));
    }

    /// The operation is over.
    pub(crate) fn leave_gate(&mut self, home: u16, op: OpId) {
        let Some(mut gate) = self.gates.remove(&(home, op)) else { return };
        if !gate.is_open {
            // It has touched nothing here; when its turn comes, it goes.
            gate.is_over = true;
            self.gates.insert((home, op), gate);
            return;
        }
        self.cx.is_left_alone = self.gates.values().any(|other| other.is_whole);
        debug_assert!(gate.wants.is_empty(), "an operation ends when it has all it wanted");
        let mut ready = std::mem::take(&mut self.ready);
        for id in gate.granted.into_iter().chain(gate.share).chain([gate.marker]) {
            self.locks.release(id, &mut ready);
        }
        self.ready = ready;
        self.run_ready();
    }
}
