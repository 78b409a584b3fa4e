//! What is still under way: nothing, once every client has its replies. For tests and the simulator, which find out that way
//! when something was lost.

use crate::shard::Shard;
use command::state::Effect;

impl Shard {
    /// Everything that waits for something, in words. Empty when all work is done.
    pub fn unsettled(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut note = |is_left: bool, what: String| {
            if is_left {
                found.push(format!("shard {}: {what}", self.cx.id));
            }
        };
        note(!self.locks.is_empty(), "locks are held or waited for".to_owned());
        note(!self.holds.is_empty(), format!("keys are held for {} operations", self.holds.len()));
        note(!self.ops.is_empty(), format!("{} operations are under way", self.ops.len()));
        note(!self.away.is_empty(), format!("{} operations wait for other servers", self.away.len()));
        note(!self.splits.is_empty(), "split commands are under way".to_owned());
        note(!self.opens.is_empty(), format!("{} open operations are under way", self.opens.len()));
        note(!self.gates.is_empty(), format!("{} operations are at the gate", self.gates.len()));
        note(!self.slices.is_empty(), "parts of commands in rounds are worked on".to_owned());
        note(self.busy.is_some(), "a script runs".to_owned());
        note(!self.ready.is_empty(), format!("{} jobs are ready and not run", self.ready.len()));
        note(self.cx.guests.are_here(), "keys of other shards are guests".to_owned());
        note(!self.withholding.is_empty(), "replies are withheld".to_owned());
        note(self.pending_holds > 0, format!("{} holds are pending", self.pending_holds));
        note(self.awaits_others(), "replies of other shards are awaited".to_owned());
        note(self.has_ready_input(), "input waits to be gone on with".to_owned());
        note(self.has_outgoing(), "messages wait to be published".to_owned());
        for (index, conn) in self.conns.iter().enumerate().filter(|(_, conn)| conn.open) {
            // What blocked clients wait for may never come, nor does what those waited for who have been killed since.
            if conn.blocked.is_some() || self.is_killed(index) {
                continue;
            }
            let counts = (conn.outstanding(), conn.through_own_mailbox, conn.writes_elsewhere);
            note(
                counts != (0, 0, 0),
                format!("connection {index} awaits (replies, own mail, writes) {counts:?}"),
            );
            note(conn.is_withheld(), format!("replies of connection {index} are withheld"));
            let waits = conn.holds_back();
            note(waits, format!("connection {index} holds back input"));
        }
        found
    }

    fn is_killed(&self, index: usize) -> bool {
        self.cx.effects.iter().any(|effect| matches!(effect, Effect::Kill { conn } if *conn == index))
    }
}
