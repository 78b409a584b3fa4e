//! Operations whose keys are held while another server is asked to take them (MIGRATE).
//!
//! The keys are brought together like those of any command (`hold`); the command runs and says what is to be carried. Their entries are laid aside,
//! in no keyspace, and the shard does other things. When it is known what has come of it the command runs again.

use super::{HeldKeys, Kind, Operation};
use crate::message::{Held, OpId};
use crate::shard::Shard;
use command::change::DbKey;
use command::shipping::{Delivery, Shipment};
use command::state::Effect;
use keyspace::walk::Moving;
use keyspace::{Found, Key};

pub(crate) const HELD_BEFORE: &str = "what goes to another server is held before";

impl Shard {
    /// An operation whose keys are here waits for another server.
    pub(super) fn send_away(
        &mut self,
        op: OpId,
        mut operation: Operation,
        HeldKeys { places, awaited, .. }: HeldKeys,
        wanted: Vec<DbKey>,
        shipment: Box<Shipment>,
    ) {
        let mut keys = Vec::with_capacity(places.len());
        for (from, db, key) in places {
            let hashed = Key::new(&key, &self.cx.seed);
            let space = &mut self.cx.dbs[usize::from(db)];
            // What is over meanwhile is found to be so later.
            let entry = match space.find(hashed, 0) {
                Found::Live(pos) => Some(space.depart(pos)),
                Found::Expired | Found::Missing => None,
            };
            if entry.as_ref().is_some_and(Moving::is_begun) {
                self.cx.has_begun_values = true;
                self.begun_away.push((op, keys.len()));
            }
            keys.push((from, Held { db, key, entry }));
        }
        operation.kind = Kind::Hold { keys, wanted, is_touched: false, awaited, attempts: 0 };
        self.away.insert(op, operation);
        self.cx.effects.push(Effect::Ship { op, shipment });
    }

    /// Goes on with what is to be saved for a step; whether there is more. What is laid aside comes first: a save does not wait for the other server.
    pub fn save_on(&mut self) -> bool {
        while let Some((op, place)) = self.begun_away.last() {
            if let Some(Operation { kind: Kind::Hold { keys, .. }, .. }) = self.away.get_mut(op)
                && keys[*place].1.entry.as_mut().is_some_and(Moving::write_on)
            {
                return true;
            }
            self.begun_away.pop();
        }
        self.cx.save_on()
    }

    /// It is known what has come of it.
    pub(crate) fn on_delivered(&mut self, op: OpId, delivery: Box<Delivery>) {
        let operation = self.away.remove(&op).expect("it waits for that");
        self.cx.delivery = Some(delivery);
        self.run_held(op, operation);
        debug_assert!(self.cx.delivery.is_none(), "the command has taken it");
        self.end_absence();
    }

    /// Adds a key of this shard if there is none: whatever concerns the whole shard then waits here, too, until the operation is over, and
    /// does not wait, standing still, for others that wait for it.
    pub(super) fn add_own_key(&self, op: OpId, keys: &mut Vec<DbKey>, db: u16) {
        if keys.iter().all(|(_, key)| self.cx.slots.shard_of(key) != self.cx.id) {
            let mut names = (0_u32..).map(|number| format!("\0migrate:{op}:{number}").into_bytes());
            keys.extend(names.find(|name| self.cx.slots.shard_of(name) == self.cx.id).map(|name| (db, name)));
        }
    }
}
