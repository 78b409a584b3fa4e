//! Commands that concern several shards, seen from the shard that coordinates them.
//!
//! - *split*: each shard runs its share of the keys (MGET, MSET, DEL …); one hop.
//! - *all*: every shard runs a part (DBSIZE, FLUSHALL, INFO …); one hop.
//! - *hold*: any other command with keys on several shards. The keys are locked where they live, their entries travel here — as
//!   pointers, however large they are —, the ordinary handler runs as if all had always been here, and the entries go back.
//! - *open*: an operation that learns only while it runs which keys it needs.
//!
//! All first messages of an operation leave in one exclusive publication, which gives all multi-shard operations one order.

mod all;
pub(crate) mod away;
mod hold;
pub(crate) mod open;
mod own_accord;
mod rounds;
mod split;
pub(crate) mod wait;

pub(crate) use all::merge_parts;
pub(crate) use hold::HeldKeys;
pub(crate) use own_accord::Ending;
pub(crate) use split::{LATER, Splits};

use crate::execute::Caller;
use crate::message::{Ask, Held, OpId, Ticket};
use crate::shard::Shard;
use command::change::DbKey;
use command::journal::Effects;
use command::slowlog::Entry as SlowEntry;
use command::{Args, Command, OwnArgs, Plan};
use resp::Reply;
use rounds::Round;

/// An operation under way.
pub(crate) struct Operation {
    home: u16,
    ask: Ask,
    command: &'static Command,
    caller: Caller,
    args: OwnArgs,
    kind: Kind,
    /// Messages still to come.
    missing: usize,
    /// A part of it runs on this shard; on others.
    here: bool,
    elsewhere: bool,
    /// The slowest of its parts that were slow, for the slow log.
    pub(crate) slow: Option<Box<SlowEntry>>,
    /// What has happened at its first run, if it runs twice.
    earlier: Option<Box<hold::Done>>,
}

pub(crate) enum Kind {
    All {
        parts: Vec<Reply>,
    },
    /// A round of a command that goes in rounds.
    Round(Round),
    Hold {
        keys: Vec<(u16, Held)>,
        wanted: Vec<DbKey>,
        /// A key that a transaction watches has changed: it does not run.
        is_touched: bool,
        /// The shards where operations wait for some of the keys.
        awaited: Vec<u16>,
        attempts: u32,
    },
}

impl Shard {
    pub(crate) fn next_op(&mut self) -> OpId {
        self.next_op += 1;
        self.next_op & ((1 << SHARE_SHIFT) - 1)
    }

    fn begin(
        &mut self,
        conn: usize,
        op: OpId,
        command: &'static Command,
        args: Args<'_>,
        kind: Kind,
        involved: &[u16],
    ) {
        let ask = Ask::Whole(self.expect(conn));
        let slot = &mut self.conns[conn];
        let caller = Caller::of(conn, slot);
        let here = involved.contains(&self.cx.id);
        let elsewhere = command.may_write() && involved.iter().any(|s| *s != self.cx.id);
        slot.through_own_mailbox += u32::from(here);
        slot.writes_elsewhere += u32::from(elsewhere);
        let args = OwnArgs::of(args);
        let missing = involved.len();
        let home = self.cx.id;
        self.ops.insert(
            op,
            Operation {
                home,
                ask,
                command,
                caller,
                args,
                kind,
                missing,
                here,
                elsewhere,
                slow: None,
                earlier: None,
            },
        );
        self.outgoing.exclusive = true;
    }

    /// The client of an operation of ours that is under way.
    pub(crate) fn client_of_operation(&self, tagged: OpId) -> Option<Ticket> {
        let op = tagged & ((1 << SHARE_SHIFT) - 1);
        match self.ops.get(&op)?.ask {
            Ask::Whole(ticket) => Some(ticket),
            _ => None,
        }
    }

    /// The operation of ours to which a part belongs.
    pub(crate) fn operation_of(&mut self, tagged: OpId) -> Option<&mut Operation> {
        self.ops.get_mut(&(tagged & ((1 << SHARE_SHIFT) - 1)))
    }

    /// A part has been done.
    pub(crate) fn on_part(&mut self, tagged: OpId, write: impl FnOnce(&mut Reply)) {
        let (op, part) = (tagged & ((1 << SHARE_SHIFT) - 1), (tagged >> SHARE_SHIFT) as usize);
        let operation = self.ops.get_mut(&op).expect("parts belong to operations under way");
        match &mut operation.kind {
            Kind::All { parts } => write(&mut parts[part]),
            Kind::Round(_) => {
                let mut refusal = Reply::default();
                write(&mut refusal);
                return self.on_answered(op, part as u16, Err(rounds::refused(&refusal)), Effects::default());
            }
            Kind::Hold { .. } => unreachable!("holds have no parts"),
        }
        operation.missing -= 1;
        if operation.missing == 0 {
            let operation = self.ops.remove(&op).expect("present");
            self.finish(operation);
        }
    }

    fn finish(&mut self, mut operation: Operation) {
        if let Some(mut entry) = operation.slow.take() {
            // A part may have other arguments.
            let args = operation.args.args(&self.cx.seed);
            entry.keep_args(operation.command, args, &self.cx.config);
            self.log_slow_of(operation.ask, *entry);
        }
        let mut out = Reply::new(operation.caller.resp3);
        match &operation.kind {
            Kind::All { parts } => {
                let Plan::All(_, merge) = operation.command.plan else { unreachable!() };
                let seed = self.cx.seed.clone();
                let args = operation.args.args(&seed);
                merge_parts(&mut self.cx, merge, args, parts, &mut out);
            }
            Kind::Round(_) | Kind::Hold { .. } => unreachable!("they end elsewhere"),
        }
        if let (Kind::All { .. }, Ask::Whole(ticket)) = (&operation.kind, operation.ask)
            && self.conns[ticket.conn as usize].generation == ticket.generation
        {
            self.sync_from_session(ticket.conn as usize);
        }
        self.end(operation.ask, operation.here, operation.elsewhere, &mut out);
    }

    /// Gives a connection of this shard the reply of an all-shards operation.
    fn end(&mut self, ask: Ask, here: bool, elsewhere: bool, out: &mut Reply) {
        // Nobody is there for what the server does of its own accord.
        let Ask::Whole(ticket) = ask else { return };
        self.tell_heard_before(ticket.conn as usize);
        let conn = &mut self.conns[ticket.conn as usize];
        if conn.generation != ticket.generation {
            return;
        }
        conn.through_own_mailbox -= u32::from(here);
        conn.writes_elsewhere -= u32::from(elsewhere);
        conn.fulfil(ticket.seq, |to| to.append(out));
        self.after_fulfil(ticket.conn as usize);
    }
}

/// Operation numbers use the bits below; the number of a share or part stands above.
pub(crate) const SHARE_SHIFT: u32 = 48;
