//! Who waits for which key: the queues, without what is done with them (that is [`crate::blocking`]).
//!
//! Every wait has a number, in the order in which they came to this shard; the queue of a key is the numbers of its waits, so whoever
//! has waited longest is found at once, and anybody is taken out in a time that does not grow with the queue but for its logarithm.

use crate::execute::Caller;
use crate::locks::WaiterId;
use crate::message::{OpId, Ticket};
use command::blocking::{Awaited, AwaitedId, Awaits, Overdue};
use command::{Command, OwnArgs};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Names a wait, in the order they came.
pub(crate) type WaitId = u64;

/// Who waits for keys on the shard that has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiters {
    Nobody,
    Clients,
    /// Clients, and operations of several shards may be among them.
    Operations,
}

impl Waiters {
    /// Notes the shard where they wait, if operations do, once.
    pub fn note(self, shard: u16, shards: &mut Vec<u16>) {
        if self == Self::Operations && !shards.contains(&shard) {
            shards.push(shard);
        }
    }
}

/// A command of a client that waits on this shard, which decides on it alone.
pub(crate) struct BlockedCommand {
    pub home: u16,
    pub ticket: Ticket,
    /// CLIENT ID
    pub client: u64,
    pub command: &'static Command,
    pub caller: Caller,
    pub args: Arc<OwnArgs>,
    /// Its keys that are not awaited.
    pub others: Vec<Vec<u8>>,
    pub overdue: Overdue,
}

/// On whose behalf a wait is.
pub(crate) enum Who {
    Client(Box<BlockedCommand>),
    /// A command with keys on several shards; the shard that coordinates it decides.
    /// With `is_alone`, the shard of any of its keys can serve it by itself.
    Operation {
        home: u16,
        op: OpId,
        is_alone: bool,
    },
}

/// A key of this shard by which an operation may be served, until its coordinator says so or not.
pub(crate) struct Claim {
    pub key: AwaitedId,
    /// The lock that keeps everybody else away meanwhile.
    pub lock: Option<WaiterId>,
}

pub(crate) struct Wait {
    pub who: Who,
    pub awaits: Awaits,
    /// The keys, ascending, each with the argument that names it.
    pub keys: Vec<(AwaitedId, usize)>,
    /// When the time is over, monotonic µs.
    pub deadline_us: Option<u64>,
    /// When it is tried again though nothing has happened.
    again_at_us: Option<u64>,
    /// See [`command::blocking::Wait::rivals`].
    pub rivals: Option<Box<[u8]>>,
    /// It is about to be served: nothing else ends it now.
    pub is_busy: bool,
    /// The time was over meanwhile.
    pub is_overdue: bool,
    pub claims: Vec<Claim>,
}

impl Wait {
    pub fn new(who: Who, awaits: Awaits, keys: Vec<(AwaitedId, usize)>, deadline_us: Option<u64>) -> Self {
        let (again_at_us, rivals, claims) = (None, None, Vec::new());
        Self {
            who,
            awaits,
            keys,
            deadline_us,
            again_at_us,
            rivals,
            is_busy: false,
            is_overdue: false,
            claims,
        }
    }

    /// The argument that names a key.
    pub fn argument_of(&self, key: AwaitedId) -> usize {
        let at = self.keys.binary_search_by_key(&key, |(awaited, _)| *awaited).expect("an awaited key");
        self.keys[at].1
    }
}

#[derive(Default)]
pub(crate) struct Waiting {
    next: WaitId,
    waits: HashMap<WaitId, Wait>,
    queues: HashMap<AwaitedId, BTreeSet<WaitId>>,
    deadlines: BTreeSet<(u64, WaitId)>,
    /// Who is tried again, and when.
    agains: BTreeSet<(u64, WaitId)>,
    /// Waits of clients, by their home shard and connection there, and by CLIENT ID.
    by_conn: HashMap<(u16, u32), WaitId>,
    by_client: HashMap<u64, WaitId>,
    by_op: HashMap<(u16, OpId), WaitId>,
}

impl Waiting {
    pub fn insert(&mut self, wait: Wait, awaited: &mut Awaited) -> WaitId {
        self.next += 1;
        let id = self.next;
        for (key, _) in &wait.keys {
            self.queues.entry(*key).or_default().insert(id);
        }
        if let Some(at_us) = wait.deadline_us {
            self.deadlines.insert((at_us, id));
            awaited.timed += 1;
        }
        if wait.awaits == Awaits::Group {
            wait.keys.iter().for_each(|(key, _)| awaited.set_end(*key, true));
        }
        match &wait.who {
            Who::Client(blocked) => {
                let known = self.by_conn.insert((blocked.home, blocked.ticket.conn), id);
                debug_assert!(known.is_none(), "a connection waits once");
                self.by_client.insert(blocked.client, id);
                awaited.clients.insert(blocked.client, false);
            }
            Who::Operation { home, op, .. } => _ = self.by_op.insert((*home, *op), id),
        }
        self.waits.insert(id, wait);
        id
    }

    /// Takes a wait out everywhere.
    pub fn remove(&mut self, id: WaitId, awaited: &mut Awaited) -> Option<Wait> {
        let wait = self.waits.remove(&id)?;
        for (key, _) in &wait.keys {
            let queue = self.queues.get_mut(key).expect("an awaited key has a queue");
            queue.remove(&id);
            if queue.is_empty() {
                self.queues.remove(key);
            }
            awaited.leave(*key);
        }
        if let Some(at_us) = wait.deadline_us {
            self.deadlines.remove(&(at_us, id));
            awaited.timed -= 1;
        }
        if let Some(at_us) = wait.again_at_us {
            self.agains.remove(&(at_us, id));
        }
        if wait.awaits == Awaits::Group {
            wait.keys.iter().for_each(|(key, _)| awaited.set_end(*key, false));
        }
        match &wait.who {
            Who::Client(blocked) => {
                self.by_conn.remove(&(blocked.home, blocked.ticket.conn));
                self.by_client.remove(&blocked.client);
                awaited.clients.remove(&blocked.client);
            }
            Who::Operation { home, op, .. } => _ = self.by_op.remove(&(*home, *op)),
        }
        Some(wait)
    }

    pub fn get(&self, id: WaitId) -> Option<&Wait> {
        self.waits.get(&id)
    }

    pub fn get_mut(&mut self, id: WaitId) -> Option<&mut Wait> {
        self.waits.get_mut(&id)
    }

    /// The first in the queue of a key with a number from `from` on.
    pub fn next_of(&self, key: AwaitedId, from: WaitId) -> Option<WaitId> {
        self.queues.get(&key)?.range(from..).next().copied()
    }

    pub fn of_conn(&self, home: u16, ticket: Ticket) -> Option<WaitId> {
        let id = *self.by_conn.get(&(home, ticket.conn))?;
        match &self.waits[&id].who {
            Who::Client(blocked) => (blocked.ticket.generation == ticket.generation).then_some(id),
            Who::Operation { .. } => None,
        }
    }

    /// The wait of another connection that had the same place at its shard.
    pub fn of_slot(&self, home: u16, ticket: Ticket) -> Option<WaitId> {
        self.by_conn.get(&(home, ticket.conn)).copied()
    }

    pub fn of_client(&self, client: u64) -> Option<WaitId> {
        self.by_client.get(&client).copied()
    }

    /// Whether operations of several shards wait here.
    pub fn has_operations(&self) -> bool {
        !self.by_op.is_empty()
    }

    pub fn of_operation(&self, home: u16, op: OpId) -> Option<WaitId> {
        self.by_op.get(&(home, op)).copied()
    }

    /// When the next time is over, monotonic µs.
    pub fn next_deadline_us(&self) -> Option<u64> {
        if self.waits.is_empty() {
            return None;
        }
        self.deadlines.first().into_iter().chain(self.agains.first()).map(|(at_us, _)| *at_us).min()
    }

    /// Has a wait tried again at a time.
    pub fn set_again(&mut self, id: WaitId, at_us: Option<u64>) {
        let Some(wait) = self.waits.get_mut(&id) else { return };
        let before = std::mem::replace(&mut wait.again_at_us, at_us);
        before.into_iter().for_each(|at_us| _ = self.agains.remove(&(at_us, id)));
        self.agains.extend(at_us.map(|at_us| (at_us, id)));
    }

    /// A wait that is to be tried again by now.
    pub fn take_again(&mut self, now_us: u64) -> Option<&Wait> {
        let (_, id) = *self.agains.first().filter(|(at_us, _)| *at_us <= now_us)?;
        self.set_again(id, None);
        self.waits.get(&id)
    }

    /// A wait whose time is over by now; it is not told of again.
    pub fn take_overdue(&mut self, now_us: u64) -> Option<WaitId> {
        let (at_us, id) = *self.deadlines.first().filter(|(at_us, _)| *at_us <= now_us)?;
        self.deadlines.remove(&(at_us, id));
        Some(id)
    }
}
