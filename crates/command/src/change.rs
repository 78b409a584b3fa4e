//! Changes of keys, and where they are told: at home, by the shard that owns the key.

use crate::Event;
use crate::tracking::Tracker;

/// A key in a database.
pub type DbKey = (u16, Vec<u8>);

/// A key has changed; or, if `is_read`, it has been read by a client that is to hear of later changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub db: u16,
    pub key: Vec<u8>,
    /// The class and the name of the event; `None` where Redis publishes none.
    pub event: Option<(Event, &'static str)>,
    /// The fields of a hash that the event is about, if anybody wants to know (`notices::subkeys`).
    pub subkeys: Vec<u8>,
    /// Whose command did it.
    pub by: Tracker,
    pub is_read: bool,
}

/// Keys of several shards that are together on this one while a command runs among them, and what it does to those of others.
#[derive(Default)]
pub struct Guests {
    /// Ascending; own keys, too.
    keys: Vec<DbKey>,
    changes: Vec<Change>,
}

impl Guests {
    /// These keys are here from now on (ascending).
    pub fn receive(&mut self, keys: Vec<DbKey>) {
        debug_assert!(self.keys.is_empty() && self.changes.is_empty(), "one command at a time has guests");
        debug_assert!(keys.is_sorted());
        self.keys = keys;
    }

    /// They go; and what has happened to those of other shards, in order.
    pub fn leave(&mut self) -> (Vec<DbKey>, Vec<Change>) {
        (std::mem::take(&mut self.keys), std::mem::take(&mut self.changes))
    }

    /// Whether a command runs among guests.
    pub fn are_here(&self) -> bool {
        !self.keys.is_empty()
    }

    pub fn has(&self, db: u16, key: &[u8]) -> bool {
        self.keys.binary_search_by(|guest| (guest.0, guest.1.as_slice()).cmp(&(db, key))).is_ok()
    }

    pub(crate) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }
}
