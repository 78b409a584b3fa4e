//! Who adds vectors while too many are not linked is marked, so that whoever reads from its connection lets it wait
//! (`docs/decisions/vectors-in-indexes.md`).

#[cfg(test)]
mod tests;

use crate::conn::Slowing;
use crate::queue::Queued;
use crate::shard::Shard;
use command::indexes::DB;
use command::spec::flag;
use command::{Args, Command};

impl Shard {
    /// Whether commands may have to wait, or their connections behind them.
    #[inline]
    pub(crate) fn may_hold_up(&self) -> bool {
        self.may_postpone() || self.cx.indexes.are_links_behind()
    }

    /// Marks a connection that sends what may add vectors to a graph that is behind. The command itself runs, or is queued, as ever.
    #[cold]
    pub(crate) fn mark_if_adds_vectors(&mut self, q: &Queued, command: &Command, args: Args<'_>) {
        let conn = &self.conns[q.conn as usize];
        if conn.slowing != Slowing::No || conn.db != DB || self.flags_of(command, args) & flag::WRITE == 0 {
            return;
        }
        let mut keys = Vec::new();
        let adds = command.key_indexes(&args, &mut keys).is_ok()
            && keys.into_iter().any(|at| self.cx.indexes.may_add_to_links(command, args, &args[at]));
        if adds {
            self.conns[q.conn as usize].slowing = Slowing::Marked;
        }
    }
}
