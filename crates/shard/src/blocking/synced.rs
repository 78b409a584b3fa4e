//! Clients that wait until what they have written is synced (WAITAOF).
//!
//! What is to be synced is known once two things have happened: all that the client asked before has been answered, and what this shard has
//! written down by then has been handed over. Whoever owns the log says up to which number it has been handed over, and synced.

use super::End;
use crate::shard::Shard;
use crate::waiting::{WaitId, Who};
use command::blocking::{Awaits, Overdue};

/// Who waits for a sync.
#[derive(Default)]
pub(crate) struct Syncs {
    /// With the number that is to be synced, once that is known.
    waits: Vec<(WaitId, Option<u64>)>,
}

impl Syncs {
    pub fn insert(&mut self, id: WaitId) {
        self.waits.push((id, None));
    }
}

impl Shard {
    /// Whether anybody waits for a sync.
    #[inline]
    pub fn awaits_sync(&self) -> bool {
        !self.syncs.waits.is_empty()
    }

    /// What this shard has written down has been handed over, and so has all that others had when they answered, under numbers up to
    /// `handed`. The first number that somebody waits for.
    pub fn note_handed(&mut self, handed: u64) -> Option<u64> {
        let mut waits = std::mem::take(&mut self.syncs.waits);
        waits.retain_mut(|(id, number)| {
            let Some(wait) = self.waiting.get(*id) else { return false };
            let Who::Client(blocked) = &wait.who else { unreachable!("no key is awaited") };
            let conn = &self.conns[blocked.ticket.conn as usize];
            if number.is_none() && conn.is_next(blocked.ticket.seq) {
                *number = Some(handed);
            }
            true
        });
        self.syncs.waits = waits;
        self.syncs.waits.iter().filter_map(|(_, number)| *number).min()
    }

    /// Everything up to this number is synced.
    pub fn note_synced(&mut self, synced: u64) {
        let is_over = |(_, number): &mut (WaitId, Option<u64>)| number.is_some_and(|number| number <= synced);
        let over: Vec<_> = self.syncs.waits.extract_if(.., is_over).collect();
        for (id, _) in over {
            let Some(wait) = self.waiting.get_mut(id) else { continue };
            let Who::Client(blocked) = &mut wait.who else { unreachable!("no key is awaited") };
            blocked.overdue = Overdue::OneAndNone;
            // Those of replicas are still to come, until the time is over.
            if wait.awaits == Awaits::Sync {
                self.end_wait(id, End::Time);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};

    #[test]
    fn it_waits_for_the_sync_of_what_was_handed_over_behind_it() {
        let mut trial = Trial::new(1);
        trial.shards[0].set_journal(true);
        let client = trial.connect();
        let asked = [request(&["SET", "k", "v"]), request(&["WAITAOF", "1", "0", "0"])].concat();
        assert_eq!(trial.ask(client, &asked), b"+OK\r\n");
        let shard = &mut trial.shards[0];
        assert!(shard.awaits_sync());
        shard.note_synced(6);
        assert!(shard.awaits_sync(), "it is not known yet what it waits for");
        assert_eq!(shard.note_handed(7), Some(7));
        assert_eq!(shard.note_handed(9), Some(7));
        shard.note_synced(6);
        assert!(shard.awaits_sync());
        shard.note_synced(7);
        assert!(!shard.awaits_sync());
        assert_eq!(trial.ask(client, b""), b"*2\r\n:1\r\n:0\r\n");
    }

    #[test]
    fn replicas_are_awaited_until_the_time_is_over() {
        let mut trial = Trial::new(1);
        trial.shards[0].set_journal(true);
        let client = trial.connect();
        for (is_synced, reply) in [(true, b"*2\r\n:1\r\n:0\r\n"), (false, b"*2\r\n:0\r\n:0\r\n")] {
            assert_eq!(trial.ask(client, &request(&["WAITAOF", "1", "1", "50"])), b"");
            let shard = &mut trial.shards[0];
            shard.note_handed(3);
            shard.note_synced(if is_synced { 3 } else { 2 });
            let (now_ms, now_us) = (shard.cx.now_ms, shard.cx.now_us);
            shard.set_time(now_ms + 60, now_us + 60_000);
            shard.end_waits();
            assert_eq!(trial.ask(client, b""), reply);
            trial.shards[0].note_handed(3);
            assert!(!trial.shards[0].awaits_sync(), "{is_synced}");
        }
    }
}
