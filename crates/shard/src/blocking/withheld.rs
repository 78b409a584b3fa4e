//! Replies that wait until it is settled who gets what their commands have brought.
//!
//! Who waits for keys of several shards is served once its own shard has agreed. If whoever pushed had its reply before, it could push to another shard's
//! key, and that shard could be quicker with the same client: the later element would go to the client that came first. In Redis clients have been served
//! when the reply to the push is there; so here, too: the reply waits until no claim to the key is open. Until then the key is locked and
//! nobody pushes to it, so that takes no longer than what was pushed lasts. The same holds while the first who waits for the key needs another one, too, that is locked.
//!
//! The reply takes its place at home as ever, so that what makes it out of date comes behind it; but that connection sends nothing meanwhile. Its
//! shard is told so before the reply comes, and again when it is settled; by as many shards as have keys that the command has pushed to.
//! Nobody is told, and nothing waits, while no operation of several shards waits for such a key.

use crate::message::{Ask, Message, WaitMail};
use crate::shard::Shard;
use crate::waiting::{Claim, WaitId, Waiters};
use command::Command;
use command::change::DbKey;
use command::tracking::ClientRef;
use resp::Reply;
use std::collections::{HashMap, HashSet};

/// Replies to an operation among keys of several shards, and the shards that say when they may be sent.
#[derive(Default)]
pub(crate) struct Settling {
    shards: Vec<u16>,
    clients: Vec<ClientRef>,
}

impl Settling {
    /// Whose replies wait for a shard.
    pub fn clients_at(&self, shard: u16) -> Vec<ClientRef> {
        if self.shards.contains(&shard) { self.clients.clone() } else { Vec::new() }
    }
}

/// What is not sent yet.
enum Withheld {
    /// Replies of these clients, whose shards keep them.
    Replies(Vec<ClientRef>),
    /// What this shard says to a command of several shards.
    Part { home: u16, ask: Ask, command: &'static Command, reply: Reply },
}

#[derive(Default)]
pub(crate) struct Withholding {
    /// Keys with a claim that is not settled.
    open: HashSet<DbKey>,
    /// Keys whose first client needs another key, too, which is locked; each with the wait that it is for.
    delayed: HashMap<DbKey, WaitId>,
    /// By number, each with how many keys it still waits for.
    withheld: HashMap<u64, (usize, Withheld)>,
    next: u64,
    /// Those that wait for a key, in the order in which they came.
    waiting: HashMap<DbKey, Vec<u64>>,
    /// So many want to know which keys are claimed while they do something; those that have been.
    looking: usize,
    claimed: Vec<DbKey>,
    /// Clients that have been served, and may have pushed to what others wait for, since all were served.
    served: Vec<ClientRef>,
}

impl Withholding {
    pub fn is_empty(&self) -> bool {
        self.withheld.is_empty()
    }

    fn keep(&mut self, keys: Vec<DbKey>, withheld: Withheld) {
        self.withheld.insert(self.next, (keys.len(), withheld));
        keys.into_iter().for_each(|key| self.waiting.entry(key).or_default().push(self.next));
        self.next += 1;
    }

    /// One of the keys that something waits for is settled; what it is, if that was the last.
    fn settle_one(&mut self, number: u64) -> Option<Withheld> {
        let (left, _) = self.withheld.get_mut(&number)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.withheld.remove(&number).map(|(_, withheld)| withheld)
    }

    /// A key is claimed for an operation.
    pub fn note_claim(&mut self, key: DbKey) {
        self.note_unsettled(&key);
        self.open.insert(key);
    }

    /// The first in the queue of a key is served as soon as another key is free.
    pub fn note_delayed(&mut self, key: DbKey, wait: WaitId) {
        self.note_unsettled(&key);
        self.delayed.insert(key, wait);
    }

    /// That is over. Somebody else may stand there by now in the place of one who has gone.
    pub fn end_delayed(&mut self, key: &DbKey, wait: WaitId) {
        if self.delayed.get(key) == Some(&wait) {
            self.delayed.remove(key);
        }
    }

    /// It is not known yet who gets what is under a key.
    pub fn note_unsettled(&mut self, key: &DbKey) {
        if self.looking > 0 && !self.claimed.contains(key) {
            self.claimed.push(key.clone());
        }
    }
}

impl Shard {
    /// Serves those who can be, by `serve`; the keys of which it is not settled then who gets what is there.
    pub(crate) fn look_for_claims(&mut self, serve: impl FnOnce(&mut Self)) -> Vec<DbKey> {
        self.withholding.looking += 1;
        serve(self);
        self.withholding.looking -= 1;
        if self.withholding.claimed.is_empty() {
            return Vec::new();
        }
        // Whoever has others served looks, too.
        let mut claimed = match self.withholding.looking {
            0 => std::mem::take(&mut self.withholding.claimed),
            _ => self.withholding.claimed.clone(),
        };
        claimed.retain(|key| self.is_unsettled(key));
        claimed
    }

    fn is_unsettled(&self, key: &DbKey) -> bool {
        let Withholding { open, delayed, .. } = &self.withholding;
        open.contains(key) || self.to_serve.contains(key) || delayed.contains_key(key)
    }

    /// As [`Shard::after_command`]; the keys of which it is not settled yet who gets what the command has brought there.
    pub(crate) fn after_claiming_command(&mut self) -> Vec<DbKey> {
        self.look_for_claims(Self::after_command)
    }

    /// Whether what has changed just now may be for an operation of several shards.
    pub(crate) fn may_be_claimed(&self) -> bool {
        self.waiting.has_operations() && self.cx.awaited.has_news()
    }

    /// Who waits for a key of this shard.
    fn waiters_of(&self, db: u16, key: &[u8]) -> Waiters {
        if self.cx.awaited.is_empty() || self.cx.awaited.find(db, key).is_none() {
            Waiters::Nobody
        } else if self.waiting.has_operations() {
            Waiters::Operations
        } else {
            Waiters::Clients
        }
    }

    /// Who waits for any of some keys of this shard.
    pub(crate) fn waiters_of_any<'a>(&self, keys: impl Iterator<Item = (u16, &'a [u8])>) -> Waiters {
        keys.map(|(db, key)| self.waiters_of(db, key)).max().unwrap_or(Waiters::Nobody)
    }

    /// The reply to a client is on its way, or about to be: it waits until it has been settled so many `times`.
    #[cold]
    pub(crate) fn withhold(&mut self, client: ClientRef, times: u32) {
        if client.home == self.cx.id {
            return self.on_withhold(client, times);
        }
        let mail = WaitMail::Withhold { client, times };
        self.outgoing.posts.push((client.home.into(), Message::Wait(mail)));
    }

    pub(super) fn on_withhold(&mut self, client: ClientRef, times: u32) {
        let conn = &mut self.conns[client.conn as usize];
        if conn.generation != client.generation || times == 0 {
            return;
        }
        let is_first = conn.withheld == 0;
        conn.withheld += times;
        // As if it were in the list already, so nobody puts it there.
        if !is_first || !std::mem::replace(&mut conn.dirty, true) {
            return;
        }
        // Most often it has come just now.
        match self.dirty_conns.last() {
            Some(&last) if last == client.conn => drop(self.dirty_conns.pop()),
            _ => self.dirty_conns.retain(|other| *other != client.conn),
        }
    }

    /// One of those that a client's reply waits for says that it is settled.
    pub(super) fn on_settled(&mut self, client: ClientRef) {
        let conn = &mut self.conns[client.conn as usize];
        if conn.generation != client.generation {
            return;
        }
        conn.withheld -= 1;
        if conn.withheld == 0 {
            conn.dirty = false;
            self.mark_dirty(client.conn as usize);
        }
    }

    /// The reply to a client, which is on its way, waits for the keys.
    #[cold]
    pub(crate) fn withhold_for(&mut self, client: ClientRef, keys: Vec<DbKey>) {
        self.withhold(client, 1);
        self.settle_with(keys, vec![client]);
    }

    /// The replies of these clients, which are withheld, wait for the keys.
    pub(crate) fn settle_with(&mut self, keys: Vec<DbKey>, clients: Vec<ClientRef>) {
        match keys.is_empty() {
            true => self.settle(Withheld::Replies(clients)),
            false => self.withholding.keep(keys, Withheld::Replies(clients)),
        }
    }

    fn settle(&mut self, withheld: Withheld) {
        match withheld {
            Withheld::Part { home, ask, command, reply } => self.answer(home, ask, command, reply),
            Withheld::Replies(clients) => {
                for client in clients {
                    if client.home == self.cx.id {
                        self.on_settled(client);
                        continue;
                    }
                    let mail = WaitMail::Settled { client };
                    self.outgoing.posts.push((client.home.into(), Message::Wait(mail)));
                }
            }
        }
    }

    /// A part of a command for all, or a share of one that is split, whose reply has been written to `out` from `mark` on, has to wait with it.
    #[cold]
    pub(crate) fn withhold_part(
        &mut self,
        keys: Vec<DbKey>,
        (home, ask, command): (u16, Ask, &'static Command),
        (out, mark): (&mut Reply, (usize, usize)),
    ) {
        let mut reply = Reply::new(out.resp3);
        reply.append_part(out, mark.0..out.buf.len());
        out.rewind(mark);
        self.withholding.keep(keys, Withheld::Part { home, ask, command, reply });
    }

    /// Answers a command that has run here by itself, and serves those who wait for what it has brought.
    pub(crate) fn answer_and_serve(
        &mut self,
        home: u16,
        ask: Ask,
        command: &'static Command,
        mut reply: Reply,
    ) {
        match (self.may_be_claimed(), ask.client(home)) {
            (true, Some(client)) => {
                self.withhold(client, 1);
                self.answer(home, ask, command, reply);
                self.tell_changes();
                self.serve_and_settle(vec![client], |_| false);
            }
            (true, None) => {
                self.tell_changes();
                let keys = self.look_for_claims(Self::serve_ready);
                match keys.is_empty() {
                    true => self.answer(home, ask, command, reply),
                    false => self.withhold_part(keys, (home, ask, command), (&mut reply, (0, 0))),
                }
            }
            (false, _) => {
                self.answer(home, ask, command, reply);
                self.tell_changes();
                self.serve_ready();
            }
        }
    }

    /// Serves those who wait for what has come; the replies of `clients`, which are withheld, wait until that is settled, and until those
    /// keys are free and settled that have changed before and were locked then, if they `had` them.
    pub(crate) fn serve_and_settle(&mut self, clients: Vec<ClientRef>, had: impl Fn(&DbKey) -> bool) {
        let mut keys = self.look_for_claims(Self::serve_ready);
        let earlier: Vec<_> = self.to_serve.iter().filter(|key| had(key) && !keys.contains(key)).collect();
        keys.extend(earlier.into_iter().cloned());
        self.settle_with(keys, clients);
    }

    /// A client has been served, and its reply is about to go: if it has pushed to what others wait for, that is to be settled first.
    pub(super) fn withhold_served(&mut self, client: ClientRef) {
        if self.may_be_claimed() {
            self.withhold(client, 1);
            self.withholding.served.push(client);
        }
    }

    /// Serves by `serve` all who wait for what has changed, also those who wait for what is moved by others that are served.
    pub(super) fn serve_all(&mut self, serve: impl FnOnce(&mut Self)) {
        let keys = self.look_for_claims(serve);
        let served = std::mem::take(&mut self.withholding.served);
        if !served.is_empty() {
            self.settle_with(keys, served);
        }
    }

    /// An operation is about to be answered, and its keys to go home to these shards, where operations wait for some of them.
    pub(crate) fn begin_settling(
        &mut self,
        shards: Vec<u16>,
        clients: impl IntoIterator<Item = ClientRef>,
    ) -> Settling {
        if shards.is_empty() {
            return Settling::default();
        }
        let clients: Vec<ClientRef> = clients.into_iter().collect();
        clients.iter().for_each(|client| self.withhold(*client, shards.len() as u32));
        Settling { shards, clients }
    }

    /// These claims are settled; the names of their keys.
    pub(super) fn close_claims(&mut self, claims: &[Claim]) -> Vec<DbKey> {
        let keys = claims.iter().map(|claim| {
            let (db, key) = self.cx.awaited.name(claim.key);
            (db, key.to_vec())
        });
        let keys: Vec<DbKey> = keys.collect();
        for key in &keys {
            self.withholding.open.remove(key);
        }
        keys
    }

    /// Sends the replies that have waited for claims to these keys, unless there are others now.
    pub(super) fn send_withheld(&mut self, keys: &[DbKey]) {
        if self.withholding.is_empty() {
            return;
        }
        for key in keys {
            if self.is_unsettled(key) {
                continue;
            }
            for number in self.withholding.waiting.remove(key).unwrap_or_default() {
                if let Some(withheld) = self.withholding.settle_one(number) {
                    self.settle(withheld);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
