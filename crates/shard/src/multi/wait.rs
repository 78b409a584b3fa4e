//! Commands that wait for keys of several shards, seen from the shard that coordinates them: their client's.
//!
//! The first attempt is a hold like any other. If it finds nothing, the keys go home with an entry into the queue of each, so no change
//! is missed, and nothing is held any more. A shard that then has something for the command *claims* it. One claim at a time is
//! followed up: a command that needs nothing but the one key (BLPOP) is served by the shard that has it; one that needs others as well
//! (BLMOVE) by a new hold. The element is taken only then, so the client gets exactly one, or is told that its time is over.
//!
//! A claim that is being followed up wins over everything that ends the wait meanwhile.

use super::Operation;
use crate::blocking::{ClaimedCommand, End, WaitChange, WaitEntry, sooner};
use crate::conn::BlockedAt;
use crate::execute::{Asked, Caller};
use crate::message::{Ask, Message, OpId, Ticket, WaitMail};
use crate::shard::Shard;
use command::blocking::Wait;
use command::change::DbKey;
use command::state::Effect;
use command::{Command, OwnArgs};
use resp::Reply;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// A command that waits on several shards.
pub(crate) struct BlockedOperation {
    ticket: Ticket,
    /// CLIENT ID
    client: u64,
    command: &'static Command,
    caller: Caller,
    args: Arc<OwnArgs>,
    wait: Box<Wait>,
    deadline_us: Option<u64>,
    /// When its shards are to try it again, though nothing has happened.
    again_at_us: Option<u64>,
    /// Every key it needs.
    keys: Vec<DbKey>,
    /// The shards in whose queues it stands.
    shards: Vec<u16>,
    is_alone: bool,
    /// The shard whose claim is followed up, and those that have claimed it meanwhile.
    claimed_by: Option<u16>,
    claims: VecDeque<u16>,
    /// Meanwhile its time was over; its connection has gone.
    is_overdue: bool,
    is_abandoned: bool,
}

#[derive(Default)]
pub(crate) struct BlockedOperations {
    by_op: HashMap<OpId, BlockedOperation>,
    by_client: HashMap<u64, OpId>,
    deadlines: BTreeSet<(u64, OpId)>,
    agains: BTreeSet<(u64, OpId)>,
}

impl BlockedOperations {
    /// Whether the client of an operation has gone while it was followed up.
    pub fn is_abandoned(&self, op: OpId) -> bool {
        self.by_op.get(&op).is_some_and(|blocked| blocked.is_abandoned)
    }

    pub fn has(&self, op: OpId) -> bool {
        self.by_op.contains_key(&op)
    }

    fn set_again(&mut self, op: OpId, at_us: Option<u64>) {
        let Some(blocked) = self.by_op.get_mut(&op) else { return };
        let before = std::mem::replace(&mut blocked.again_at_us, at_us);
        before.into_iter().for_each(|at_us| _ = self.agains.remove(&(at_us, op)));
        self.agains.extend(at_us.map(|at_us| (at_us, op)));
    }

    fn take_again(&mut self, now_us: u64) -> Option<OpId> {
        let (_, op) = *self.agains.first().filter(|(at_us, _)| *at_us <= now_us)?;
        self.set_again(op, None);
        Some(op)
    }
}

impl Shard {
    /// An operation that needs these keys has found nothing at its first attempt, and waits from now on; what its keys' shards are told.
    pub(super) fn block_operation(
        &mut self,
        op: OpId,
        operation: &Operation,
        keys: &[DbKey],
        wait: Box<Wait>,
    ) -> Vec<WaitChange> {
        let mut changes: Vec<WaitChange> = (0..self.cx.shards).map(|_| WaitChange::None).collect();
        let Ask::Whole(ticket) = operation.ask else { unreachable!("only whole commands wait") };
        let (caller, command) = (operation.caller, operation.command);
        let args = Arc::new(wait.settle(operation.args.clone()));
        let seed = self.cx.seed.clone();
        let of = args.args(&seed);
        let awaited: HashSet<&[u8]> = wait.keys.iter().map(|&index| of.at(index)).collect();
        let is_alone = keys.iter().all(|(_, key)| awaited.contains(key.as_slice()));
        let mut shards = Vec::new();
        for &index in &wait.keys {
            let shard = self.cx.slots.shard_of(of.at(index));
            if !shards.contains(&shard) {
                shards.push(shard);
                let entry = WaitEntry { db: caller.db, keys: Vec::new(), awaits: wait.awaits, is_alone };
                changes[shard as usize] = WaitChange::Enter(Box::new(entry));
            }
            if let WaitChange::Enter(entry) = &mut changes[shard as usize] {
                entry.keys.push((of.at(index).to_vec(), index));
            }
        }
        let client = self.cx.sessions.get(ticket.conn as usize).map_or(0, |session| session.id);
        let deadline_us = wait.timeout_us.map(|timeout_us| self.cx.now_us.saturating_add(timeout_us));
        if let Some(at_us) = deadline_us {
            self.blocked_ops.deadlines.insert((at_us, op));
            self.cx.awaited.timed += 1;
        }
        self.blocked_ops.by_client.insert(client, op);
        self.cx.awaited.clients.insert(client, false);
        let conn = &mut self.conns[ticket.conn as usize];
        conn.blocked = Some(BlockedAt::Operation(op));
        if conn.ended {
            self.cx.effects.push(Effect::Kill { conn: ticket.conn as usize });
        }
        let again_at_us = wait.again_us.map(|again_us| self.cx.now_us.saturating_add(again_us));
        let blocked = BlockedOperation {
            ticket,
            client,
            command,
            caller,
            args,
            wait,
            deadline_us,
            again_at_us: None,
            keys: keys.to_vec(),
            shards,
            is_alone,
            claimed_by: None,
            claims: VecDeque::new(),
            is_overdue: false,
            is_abandoned: false,
        };
        self.blocked_ops.by_op.insert(op, blocked);
        self.blocked_ops.set_again(op, again_at_us);
        changes
    }

    /// A shard has something for an operation.
    pub(crate) fn on_claim(&mut self, op: OpId, from: u16) {
        match self.blocked_ops.by_op.get_mut(&op) {
            // It is over, and the shard has been told or is about to be.
            None => {}
            Some(blocked) if blocked.claimed_by.is_some() => blocked.claims.push_back(from),
            Some(_) => self.follow_up(op, from),
        }
    }

    fn follow_up(&mut self, op: OpId, from: u16) {
        let home = self.cx.id;
        let blocked = self.blocked_ops.by_op.get_mut(&op).expect("it waits");
        blocked.claimed_by = Some(from);
        self.cx.awaited.clients.insert(blocked.client, true);
        let BlockedOperation { ticket, command, caller, .. } = *blocked;
        let args = Arc::clone(&blocked.args);
        if blocked.is_alone {
            let (db, resp3, tracker) = (caller.db, caller.resp3, caller.tracker);
            let claimed = Box::new(ClaimedCommand { ticket, command, db, resp3, tracker, args });
            let mail = WaitMail::Serve { home, op, claimed };
            return self.outgoing.posts.push((from as usize, Message::Wait(mail)));
        }
        let (keys, seed) = (blocked.keys.clone(), self.cx.seed.clone());
        let asked = Asked { home, ask: Ask::Whole(ticket), command, caller, args: args.args(&seed) };
        self.hold_keys_for(op, asked, keys, 0);
    }

    /// What came of a claim that its shard has followed up itself.
    pub(crate) fn on_served(&mut self, op: OpId, from: u16, outcome: Result<Reply, Option<u64>>) {
        match outcome {
            Ok(reply) => self.end_operation(op, Some(from), reply),
            Err(again_us) => {
                let at_us = again_us.map(|again_us| self.cx.now_us.saturating_add(again_us));
                let known = self.blocked_ops.by_op.get(&op).and_then(|blocked| blocked.again_at_us);
                self.blocked_ops.set_again(op, sooner(known, at_us));
                self.give_up_claim(op);
            }
        }
    }

    /// Has the shards of operations whose time has come try them again.
    pub(crate) fn look_for_operations(&mut self) {
        let home = self.cx.id;
        while let Some(op) = self.blocked_ops.take_again(self.cx.now_us) {
            for &shard in &self.blocked_ops.by_op[&op].shards {
                self.outgoing.posts.push((shard as usize, Message::Wait(WaitMail::Look { home, op })));
            }
        }
    }

    /// Following a claim up came to nothing: the next, if there is one.
    pub(super) fn give_up_claim(&mut self, op: OpId) {
        let Some(blocked) = self.blocked_ops.by_op.get_mut(&op) else { return };
        blocked.claimed_by = None;
        self.cx.awaited.clients.insert(blocked.client, false);
        if blocked.is_abandoned {
            return self.end_operation(op, None, Reply::new(false));
        }
        let is_overdue = blocked.is_overdue;
        match blocked.claims.pop_front() {
            Some(from) => self.follow_up(op, from),
            None if is_overdue => self.end_operation_as(op, End::Time),
            None => {}
        }
    }

    /// An operation waits no longer: its client gets the reply, the shards (but `knowing`) forget it.
    pub(super) fn end_operation(&mut self, op: OpId, knowing: Option<u16>, reply: Reply) {
        self.blocked_ops.set_again(op, None);
        let Some(blocked) = self.blocked_ops.by_op.remove(&op) else { return };
        self.blocked_ops.by_client.remove(&blocked.client);
        self.cx.awaited.clients.remove(&blocked.client);
        if let Some(at_us) = blocked.deadline_us {
            self.blocked_ops.deadlines.remove(&(at_us, op));
            self.cx.awaited.timed -= 1;
        }
        let home = self.cx.id;
        for shard in blocked.shards.into_iter().filter(|shard| Some(*shard) != knowing) {
            self.outgoing.posts.push((shard as usize, Message::Wait(WaitMail::Forget { home, op })));
        }
        self.on_unblocked(blocked.ticket, blocked.command, true, reply);
    }

    fn end_operation_as(&mut self, op: OpId, end: End) {
        let blocked = &self.blocked_ops.by_op[&op];
        let (command, resp3, overdue) = (blocked.command, blocked.caller.resp3, blocked.wait.overdue);
        let (args, conn) = (Arc::clone(&blocked.args), blocked.ticket.conn as usize);
        let seed = self.cx.seed.clone();
        let reply = self.unserved(command, args.args(&seed), resp3, overdue, end, Some(conn));
        self.end_operation(op, None, reply);
    }

    /// CLIENT UNBLOCK has freed a client, of which nothing was being followed up.
    pub(crate) fn end_operation_of(&mut self, client: u64, end: End) {
        if let Some(&op) = self.blocked_ops.by_client.get(&client) {
            self.end_operation_as(op, end);
        }
    }

    /// The connection of an operation is gone.
    pub(crate) fn abandon(&mut self, op: OpId) {
        match self.blocked_ops.by_op.get_mut(&op) {
            Some(blocked) if blocked.claimed_by.is_some() => blocked.is_abandoned = true,
            _ => self.end_operation(op, None, Reply::new(false)),
        }
    }

    pub(crate) fn next_operation_deadline_us(&self) -> Option<u64> {
        let ops = &self.blocked_ops;
        if ops.by_op.is_empty() {
            return None;
        }
        ops.deadlines.first().into_iter().chain(ops.agains.first()).map(|(at_us, _)| *at_us).min()
    }

    /// Ends the operations whose time is over.
    pub(crate) fn end_operations(&mut self) {
        let now_us = self.cx.now_us;
        while let Some(&(at_us, op)) =
            self.blocked_ops.deadlines.first().filter(|(at_us, _)| *at_us <= now_us)
        {
            self.blocked_ops.deadlines.remove(&(at_us, op));
            match self.blocked_ops.by_op.get_mut(&op) {
                Some(blocked) if blocked.claimed_by.is_some() => blocked.is_overdue = true,
                _ => self.end_operation_as(op, End::Time),
            }
        }
    }
}
