//! CLIENT PAUSE, shards that are behind with messages, and what might miss keys that are on their way to another server (MIGRATE): commands are kept with
//! their connection, which reads no further; when that is over they run in their order. The shard itself never waits.

use crate::queue::Queued;
use crate::shard::Shard;
use command::scripting::Form;
use command::spec::{Verb, flag};
use command::{Args, Command, OwnArgs, Plan};

const MIGRATE: &str = "MIGRATE";

impl Shard {
    /// Whether there is anything for which commands may have to wait.
    #[inline]
    pub(crate) fn may_postpone(&self) -> bool {
        self.cx.pause.is_some() || self.backlog.is_long() || self.is_alone_without_keys()
    }

    /// Keeps a command back if the pause says so, or if it may publish for a shard that is behind, or if one before it on this connection is
    /// kept; whether it did.
    #[cold]
    pub(crate) fn postpone(&mut self, q: &Queued, args: Args<'_>) -> bool {
        let must_wait = self.is_paused(q, args) || self.adds_to_backlog(q, args) || self.may_miss_keys(q);
        let may_postpone = self.may_postpone();
        let conn = &mut self.conns[q.conn as usize];
        let follows = may_postpone && !conn.postponed.is_empty();
        if !conn.open || conn.closing || !must_wait && !follows {
            return false;
        }
        conn.postponed.push_back(OwnArgs::of(args));
        true
    }

    /// Whether some keys of a shard that has no others beside it are on their way to another server.
    #[inline]
    fn is_alone_without_keys(&self) -> bool {
        self.cx.shards == 1 && !self.away.is_empty()
    }

    /// Whether a command may look for keys that it does not name, and not find those that are on their way to another server. With several shards, which nobody
    /// knows by himself, such commands ask each of them, and wait there.
    fn may_miss_keys(&self, q: &Queued) -> bool {
        let is_one = |command: &Command| {
            command.flags & flag::SCRIPT != 0
                || matches!(command.plan, Plan::Transaction(Verb::Exec))
                // Else more and more keys could be on their way, and the others never have their turn.
                || command.name == MIGRATE && self.conns.iter().any(|conn| !conn.postponed.is_empty())
        };
        self.is_alone_without_keys() && q.command.is_some_and(is_one)
    }

    /// All keys have come back, or are gone: what has waited for that goes on, last what sends keys away again.
    pub(crate) fn end_absence(&mut self) {
        if self.cx.shards > 1 || !self.away.is_empty() {
            return;
        }
        let sends_away = |conn: &usize| {
            let first = self.conns[*conn].postponed.front();
            first
                .is_some_and(|first| first.args(&self.cx.seed).at(0).eq_ignore_ascii_case(MIGRATE.as_bytes()))
        };
        let waits = |conn: &usize| !self.conns[*conn].postponed.is_empty();
        let (last, first): (Vec<_>, Vec<_>) = (0..self.conns.len()).filter(waits).partition(sends_away);
        first.into_iter().chain(last).for_each(|conn| self.resume_later(conn));
    }

    /// Whether the pause is for a command.
    fn is_paused(&self, q: &Queued, args: Args<'_>) -> bool {
        let Some(pause) = self.cx.pause.filter(|pause| pause.until_ms > self.cx.now_ms) else { return false };
        q.command.is_some_and(|command| {
            let queued = match command.plan {
                Plan::Transaction(Verb::Exec) => self.conns[q.conn as usize].queued_flags(),
                _ => 0,
            };
            let flags = self.flags_of(command, args) | queued;
            !pause.writes_only || flags & (flag::WRITE | flag::MAY_REPLICATE) != 0
        })
    }

    /// A command's flags, with what a script may do: nothing that a pause of writes holds back, if it says that it does not write.
    pub(crate) fn flags_of(&self, command: &Command, args: Args<'_>) -> u64 {
        match command.flags & flag::SCRIPT {
            0 => command.flags,
            _ if self.cx.scripts.may_write(Form::of(command), args) => command.flags | flag::WRITE,
            _ => command.flags & !flag::MAY_REPLICATE,
        }
    }

    /// When the pause ends (unix ms), if there is one.
    pub fn pause_end_ms(&self) -> Option<u64> {
        self.cx.pause.map(|pause| pause.until_ms)
    }

    /// Once the pause is over, runs what it held back. Call once per turn.
    pub fn end_pause(&mut self) {
        // What runs while all is being saved at the end would be told of and lost.
        if self.cx.is_closed || self.cx.pause.is_none_or(|pause| pause.until_ms > self.cx.now_ms) {
            return;
        }
        self.cx.pause = None;
        let held = (0..self.conns.len()).filter(|&index| !self.conns[index].postponed.is_empty());
        for index in held.collect::<Vec<_>>() {
            self.run_postponed(index);
        }
    }

    /// Runs a connection's commands that have been held back, unless they must wait again: for the end of a pause or of a script, or for
    /// replies of those before them, with which the connection goes on ([`Shard::resume`]).
    pub(crate) fn run_postponed(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        if self.cx.pause.is_some() || conn.fenced && !conn.is_in_order() {
            return;
        }
        // A fence among those held back holds when it has run.
        conn.fenced = false;
        let mut held = std::mem::take(&mut self.conns[index].postponed);
        while let Some(one) = held.pop_front() {
            self.run_kept(index, &one);
            let conn = &mut self.conns[index];
            if !conn.open || conn.closing {
                return;
            }
            if conn.fenced {
                break;
            }
        }
        let conn = &mut self.conns[index];
        conn.postponed.append(&mut held);
        if conn.postponed.is_empty() && (conn.ended || !conn.input.is_empty()) {
            self.resume_later(index);
        }
    }
}
