//! Scripts of any shard that have run for too long, as this shard knows them: what could only wait for one of them is answered with
//! BUSY.
//!
//! A script in one piece ([`crate::busy`]) occupies its shard; one that learns as it goes ([`crate::multi::open`]) holds the gates of
//! all shards, and keys. Commands for other keys and shards run as ever. Operations of several shards that had begun before the script
//! was known to take so long go on waiting, for a part of them may have been done.

use crate::execute::Asked;
use crate::message::{Ask, Message, OpId, Ticket};
use crate::multi::SHARE_SHIFT;
use crate::parking::{Job, Parked};
use crate::shard::Shard;
use command::spec::flag;
use command::{Args, Command, Error, OwnArgs, Plan};
use resp::Reply;

/// A script that has run for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occupant {
    /// Where it runs.
    pub home: u16,
    /// The operation that it is; [`IN_ONE_PIECE`] if it occupies its shard.
    pub op: OpId,
    /// Of FCALL, not of EVAL.
    pub is_function: bool,
    /// Whose it is: the shard of the connection, and its place there.
    pub client: Option<(u16, Ticket)>,
}

/// No operation has this number.
pub(crate) const IN_ONE_PIECE: OpId = 1 << SHARE_SHIFT;

impl Occupant {
    pub(crate) fn error(self) -> Error {
        if self.is_function { Error::BUSY_FUNCTION } else { Error::BUSY }
    }
}

/// Whether a shard may answer this with BUSY: not what EXEC runs, nor a part of what changes something, for others have done theirs.
pub(crate) fn can_be_refused(ask: Ask, command: &Command) -> bool {
    let is_by_itself = matches!(ask, Ask::Whole(_)) && !matches!(command.plan, Plan::Block);
    let only_reads = matches!(ask, Ask::Share(..) | Ask::Part(_)) && command.flags & flag::READONLY != 0;
    command.flags & flag::ALLOW_BUSY == 0 && (is_by_itself || only_reads)
}

impl Shard {
    /// Whether a script of any shard has run for too long.
    pub fn is_occupied(&self) -> bool {
        !self.occupants.is_empty()
    }

    /// A script of this shard has run for too long.
    #[cold]
    pub(crate) fn tell_occupied(&mut self, op: OpId, is_function: bool, client: Option<(u16, Ticket)>) {
        let occupant = Occupant { home: self.cx.id, op, is_function, client };
        self.spread_occupant(occupant, false);
    }

    /// A script of this shard that was told of is over.
    #[cold]
    pub(crate) fn tell_vacant(&mut self, op: OpId) {
        let home = self.cx.id;
        let known = self.occupants.iter().find(|known| known.home == home && known.op == op).copied();
        self.spread_occupant(known.expect("it was told of"), true);
    }

    fn spread_occupant(&mut self, occupant: Occupant, is_over: bool) {
        for shard in (0..self.cx.shards).filter(|shard| *shard != occupant.home) {
            self.outgoing.posts.push((shard as usize, Message::Occupied { occupant, is_over }));
        }
        self.on_occupied(occupant, is_over);
    }

    pub(crate) fn on_occupied(&mut self, occupant: Occupant, is_over: bool) {
        match is_over {
            true => self.occupants.retain(|known| *known != occupant),
            false => self.occupants.push(occupant),
        }
        if !is_over && occupant.op != IN_ONE_PIECE {
            self.refuse_waiting(&occupant.error());
        }
    }

    /// Keeps a command back whose connection has sent one of the scripts before it; whether it did.
    #[cold]
    pub(crate) fn waits_for_script(&mut self, index: usize, args: Args<'_>) -> bool {
        let (home, conn) = (self.cx.id, &mut self.conns[index]);
        let is_its = self.occupants.iter().filter_map(|known| known.client).any(|(shard, ticket)| {
            shard == home && ticket.conn as usize == index && ticket.generation == conn.generation
        });
        if is_its && conn.open && !conn.closing {
            conn.postponed.push_back(OwnArgs::of(args));
        }
        is_its
    }

    /// The script of a client is over: if it is one of ours, it goes on with what it has sent since.
    pub(crate) fn go_on_behind_script(&mut self, client: Option<(u16, Ticket)>) {
        let Some((_, ticket)) = client.filter(|(home, _)| *home == self.cx.id) else { return };
        let conn = &self.conns[ticket.conn as usize];
        if conn.generation == ticket.generation && !conn.postponed.is_empty() {
            self.resume_later(ticket.conn as usize);
        }
    }

    /// Answers those that wait here for what an operation has, as if they had come now.
    fn refuse_waiting(&mut self, error: &Error) {
        let is_meant = |job: &Job| matches!(job, Job::Command(it) if can_be_refused(it.ask, it.command));
        for id in self.locks.waiting(is_meant) {
            let mut ready = std::mem::take(&mut self.ready);
            let job = self.locks.withdraw(id, &mut ready);
            self.ready = ready;
            // Who could go once another one had gone runs as ever.
            let Some(Job::Command(parked)) = job else { continue };
            self.pending_holds -= usize::from(parked.ask.is_of_many());
            let Parked { home, ask, command, caller, args } = *parked;
            let seed = self.cx.seed.clone();
            self.refuse_asked(&Asked { home, ask, command, caller, args: args.args(&seed) }, error);
        }
        self.run_ready();
    }

    /// Why a command must not wait here for keys that an operation has.
    pub(crate) fn refusal_to_wait(&self, command: &Command) -> Option<Error> {
        if command.flags & flag::ALLOW_BUSY != 0 {
            return None;
        }
        self.occupants.iter().find(|known| known.op != IN_ONE_PIECE).map(|known| known.error())
    }

    /// Why a command must not begin that needs several shards, and among them these.
    pub(crate) fn refusal_of_many(&self, command: &Command, needs: impl Fn(u16) -> bool) -> Option<Error> {
        if self.occupants.is_empty() || command.flags & flag::ALLOW_BUSY != 0 {
            return None;
        }
        let hinders = |known: &&Occupant| known.op != IN_ONE_PIECE || needs(known.home);
        self.occupants.iter().find(hinders).map(|known| known.error())
    }

    /// Answers a command that has not begun.
    #[cold]
    pub(crate) fn refuse_asked(&mut self, asked: &Asked<'_>, error: &Error) {
        self.cx.commands.rejected(asked.command.id);
        self.cx.count_error(error);
        let mut out = Reply::new(asked.caller.resp3);
        out.error(error.line());
        self.answer(asked.home, asked.ask, asked.command, out);
    }
}
