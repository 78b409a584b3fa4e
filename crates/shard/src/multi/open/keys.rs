//! The keys of an operation that learns as it goes: here while it runs, in no keyspace while it waits, and home when they are needed there.

use super::Open;
use crate::message::{Held, Message};
use crate::shard::Shard;
use command::change::Change;

impl Shard {
    /// Puts the keys that are here for the operation into the keyspace; it is the time at which it began, again.
    pub(super) fn bring_in(&mut self, open: &mut Open) {
        open.others_now = (self.cx.now_ms, self.cx.now_us);
        (self.cx.now_ms, self.cx.now_us) = *open.now.get_or_insert(open.others_now);
        for held in open.aside.drain(..) {
            open.keys.push((held.db, held.key.clone()));
            self.put_back(held);
        }
        open.keys.sort();
        open.keys.dedup();
    }

    /// Takes them out while the operation waits, and sets the clocks right.
    pub(super) fn set_aside(&mut self, open: &mut Open) {
        for (db, key) in open.keys.drain(..) {
            let (held, is_over) = self.take_out(db, key);
            if is_over {
                self.cx.add_gone(&mut open.effects, held.db, &held.key);
                self.tell_expired(&held, &mut open.changes);
            }
            open.aside.push(held);
        }
        (self.cx.now_ms, self.cx.now_us) = open.others_now;
    }

    /// Sends the keys home, where they stay locked.
    pub(super) fn return_keys(&mut self, open: &mut Open) {
        open.is_awaited |= self.awaits_any(&open.keys);
        self.set_aside(open);
        for (shard, (keys, changes)) in self.by_owner(open).into_iter().enumerate() {
            if shard == self.cx.id as usize {
                self.on_return(keys, changes);
            } else if !keys.is_empty() {
                self.outgoing.posts.push((shard, Message::Return { keys, changes }));
            }
        }
    }

    /// Keys of this shard come home from an operation that goes on; they stay locked.
    pub(crate) fn on_return(&mut self, keys: Vec<Held>, changes: Vec<Change>) {
        self.come_home(keys, changes);
    }

    pub(super) fn by_owner(&self, open: &mut Open) -> Vec<(Vec<Held>, Vec<Change>)> {
        let mut back: Vec<(Vec<Held>, Vec<Change>)> =
            (0..self.cx.shards).map(|_| Default::default()).collect();
        for held in open.aside.drain(..) {
            back[self.cx.slots.shard_of(&held.key) as usize].0.push(held);
        }
        for change in open.changes.drain(..) {
            back[self.cx.slots.shard_of(&change.key) as usize].1.push(change);
        }
        back
    }
}
