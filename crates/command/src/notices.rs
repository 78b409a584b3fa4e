//! Events of keys as messages (`notify-keyspace-events`).
//!
//! They are published where the key belongs, as changes are told there; so the events of one key come in the order of its changes. Nothing
//! is done, not even asked, while nothing is configured or nobody can be listening.
//!
//! Four more channels name the fields of the hash that an event is about (`subkeys`); fields are collected only while one of these is
//! configured.

pub mod subkeys;

use crate::{Event, ShardCx};
use config::KeyEvents;
use keyspace::Birth;

/// What is published, as far as it has to be known at every turn.
#[derive(Default)]
pub struct Notices {
    /// Any events at all.
    pub any: bool,
    /// Keys that were looked for and are not there.
    pub misses: bool,
    /// Keys that have come, or have another value.
    pub births: bool,
    /// Which fields of hashes an event is about.
    pub subkeys: bool,
}

/// The kinds of channels.
const CHANNELS: [KeyEvents; 2] = [KeyEvents::KEYSPACE, KeyEvents::KEYEVENT];
const SUBKEY_CHANNELS: [KeyEvents; 4] =
    [KeyEvents::SUBKEYSPACE, KeyEvents::SUBKEYEVENT, KeyEvents::SUBKEYSPACEITEM, KeyEvents::SUBKEYSPACEEVENT];
const BIRTHS: [KeyEvents; 3] = [KeyEvents::NEW, KeyEvents::OVERWRITTEN, KeyEvents::TYPE_CHANGED];

impl ShardCx {
    /// Finds out which events are published: those that are configured, if anybody can be listening. To be called whenever either may have
    /// changed.
    pub fn set_notices(&mut self) {
        let audible = self.pubsub.may_hear_events();
        let events = if audible { self.config.notify_keyspace_events } else { KeyEvents::NONE };
        let has_any = |kinds: &[KeyEvents]| kinds.iter().any(|kind| events.has_any(*kind));
        let of_keys = has_any(&CHANNELS);
        let subkeys = has_any(&SUBKEY_CHANNELS) && events.has_any(KeyEvents::HASH);
        let before = self.notices.births;
        self.notices = Notices {
            any: of_keys || subkeys,
            misses: of_keys && events.has_any(KeyEvents::MISS),
            births: of_keys && has_any(&BIRTHS),
            subkeys,
        };
        if self.notices.births != before {
            self.dbs.set_births(self.notices.births);
        }
        self.set_listening();
    }

    /// Publishes an event of a key, if such are to be published; and of those of its fields that it is about.
    #[cold]
    pub fn publish_event(&mut self, db: u16, class: Event, name: &'static str, key: &[u8], subkeys: &[u8]) {
        let events = self.config.notify_keyspace_events;
        if !events.has_any(class.class()) {
            return;
        }
        let db = db.to_string();
        if events.has_any(KeyEvents::KEYSPACE) {
            let channel = [b"__keyspace@", db.as_bytes(), b"__:", key];
            self.pubsub.publish_event(&channel, name.as_bytes());
        }
        if events.has_any(KeyEvents::KEYEVENT) {
            let channel = [b"__keyevent@", db.as_bytes(), b"__:", name.as_bytes()];
            self.pubsub.publish_event(&channel, key);
        }
        if !subkeys.is_empty() {
            self.publish_subkeys(events, db.as_bytes(), name.as_bytes(), key, subkeys);
        }
    }

    /// Publishes which fields an event is about. The name of no event has `|` in it, which separates what stands behind it.
    fn publish_subkeys(&mut self, events: KeyEvents, db: &[u8], name: &[u8], key: &[u8], subkeys: &[u8]) {
        if events.has_any(KeyEvents::SUBKEYSPACE) {
            let message = [name, b"|", subkeys].concat();
            self.pubsub.publish_event(&[b"__subkeyspace@", db, b"__:", key], &message);
        }
        if events.has_any(KeyEvents::SUBKEYEVENT) {
            let message = [key.len().to_string().as_bytes(), b":", key, b"|", subkeys].concat();
            self.pubsub.publish_event(&[b"__subkeyevent@", db, b"__:", name], &message);
        }
        // A line feed ends the key in the channel's name.
        if events.has_any(KeyEvents::SUBKEYSPACEITEM) && !key.contains(&b'\n') {
            for subkey in subkeys::each(subkeys) {
                let channel = [b"__subkeyspaceitem@", db, b"__:", key, b"\n", subkey];
                self.pubsub.publish_event(&channel, name);
            }
        }
        if events.has_any(KeyEvents::SUBKEYSPACEEVENT) {
            self.pubsub.publish_event(&[b"__subkeyspaceevent@", db, b"__:", name, b"|", key], subkeys);
        }
    }

    /// Tells which keys have come or have another value.
    #[cold]
    pub(crate) fn tell_births(&mut self) {
        let mut births = Vec::new();
        for (db, space) in self.dbs.iter_mut_numbered() {
            births.extend(space.births.take().into_iter().map(|(key, birth)| (db, key, birth)));
        }
        for (db, key, birth) in births {
            match birth {
                Birth::New => self.tell_change(db, Some((Event::New, "new")), &key, &[]),
                Birth::Overwritten { type_changed } => {
                    self.tell_change(db, Some((Event::Overwritten, "overwritten")), &key, &[]);
                    if type_changed {
                        self.tell_change(db, Some((Event::TypeChanged, "type_changed")), &key, &[]);
                    }
                }
            }
        }
    }
}
