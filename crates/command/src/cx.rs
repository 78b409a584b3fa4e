//! What a handler works with: its shard's state and who asked, with typed look-ups on top.

use crate::notices::subkeys::Subkeys;
use crate::session::Session;
use crate::{Error, ShardCx};
use config::KeyEvents;
use keyspace::Pos;
use keyspace::value::StrRef;
use keyspace::{Db, Found, Free, Key, Kind, Typed, Update, ValueRef};

/// The class of a keyspace event, as `notify-keyspace-events` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Generic,
    String,
    List,
    Set,
    Hash,
    ZSet,
    Stream,
    /// The numbers and consumer groups of a stream: published like its other events, but whoever watches or caches the key is not told.
    /// Without a name it is not published.
    Group,
    Array,
    /// Of types that are modules in Redis: JSON documents.
    Module,
    Expired,
    Evicted,
    New,
    Overwritten,
    TypeChanged,
    Miss,
}

impl Event {
    /// The class as the configuration knows it.
    pub fn class(self) -> KeyEvents {
        match self {
            Self::Generic => KeyEvents::GENERIC,
            Self::String => KeyEvents::STRING,
            Self::List => KeyEvents::LIST,
            Self::Set => KeyEvents::SET,
            Self::Hash => KeyEvents::HASH,
            Self::ZSet => KeyEvents::ZSET,
            Self::Stream | Self::Group => KeyEvents::STREAM,
            Self::Array => KeyEvents::ARRAY,
            Self::Module => KeyEvents::MODULE,
            Self::Expired => KeyEvents::EXPIRED,
            Self::Evicted => KeyEvents::EVICTED,
            Self::New => KeyEvents::NEW,
            Self::Overwritten => KeyEvents::OVERWRITTEN,
            Self::TypeChanged => KeyEvents::TYPE_CHANGED,
            Self::Miss => KeyEvents::MISS,
        }
    }
}

pub struct Cx<'a> {
    pub shard: &'a mut ShardCx,
    /// The client's selected database.
    pub db: u16,
    /// The client's protocol.
    pub resp3: bool,
    /// The connection, when the command runs on the connection's own shard.
    pub conn: Option<usize>,
    /// It runs inside another command (EXEC, a script), which cannot wait: what would block answers at once; see [`Cx::wait`].
    pub deny_blocking: bool,
}

impl<'a> Cx<'a> {
    /// For what the shard does of its own accord in a database: expiry, eviction.
    pub fn internal(shard: &'a mut ShardCx, db: u16) -> Self {
        Self { shard, db, resp3: false, conn: None, deny_blocking: true }
    }

    #[inline]
    pub fn db(&mut self) -> &mut Db {
        &mut self.shard.dbs[self.db as usize]
    }

    /// All keys of a command that are perhaps not on this shard: return the error before changing anything, and the
    /// command runs again with all of them here. For keys that no key specification names (SORT … BY).
    ///
    /// # Errors
    /// `NeedKeys` with all of `keys` when some are elsewhere: those of this shard are to be locked too, or they would change
    /// while the others travel.
    pub fn require_keys(&self, keys: impl Iterator<Item = Vec<u8>>) -> Result<(), Error> {
        let keys: Vec<_> = keys.collect();
        let all_here = keys.iter().all(|key| self.shard.has_key(self.db, key));
        if all_here {
            return Ok(());
        }
        Err(Error::NeedKeys(keys.into_iter().map(|key| (self.db, key)).collect()))
    }

    /// Wall clock, unix ms.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.shard.now_ms
    }

    /// The session of the client. Only for commands with [`crate::Plan::Connection`].
    pub fn session(&mut self) -> &mut Session {
        let conn = self.conn.expect("connection commands run on the connection's shard");
        self.shard.sessions.get_mut(conn).expect("a running command has a session")
    }

    /// Where a live entry stands, for a command that will change it: no hit or miss is counted, its age stays.
    #[inline]
    pub fn find_for_write(&mut self, key: Key<'_>) -> Option<Pos> {
        self.find_in(self.db, key)
    }

    /// As [`Cx::find_for_write`] in another database.
    #[inline]
    pub fn find_in(&mut self, db: u16, key: Key<'_>) -> Option<Pos> {
        let now_ms = self.shard.now_ms;
        let found = self.shard.dbs[db as usize].find(key, now_ms);
        self.live(db, key, found)
    }

    /// Where a live entry was found; tells of one that was over.
    #[inline]
    fn live(&mut self, db: u16, key: Key<'_>, found: Found) -> Option<Pos> {
        match found {
            Found::Live(pos) => Some(pos),
            Found::Missing => None,
            Found::Expired => {
                self.note_expired(db, key);
                None
            }
        }
    }

    #[cold]
    fn note_expired(&mut self, db: u16, key: Key<'_>) {
        self.shard.stats.expired_keys += 1;
        self.shard.write_gone(db, key.bytes);
        self.notice_in(db, Event::Expired, "expired", key.bytes);
    }

    /// Tells that fields of a hash were over and are gone, and the hash with them if that has `emptied` it.
    pub fn note_expired_fields(&mut self, key: &[u8], fields: &Subkeys, emptied: bool) {
        if fields.is_empty() {
            return;
        }
        self.shard.stats.expired_fields += fields.count() as u64;
        self.shard.write_gone_fields(self.db, key, fields);
        self.notice_on(Event::Hash, "hexpired", key, fields);
        if emptied {
            self.notice(Event::Generic, "del", key);
        }
    }

    #[inline]
    fn count_look_up(&mut self, key: Key<'_>, hit: bool) {
        if hit {
            self.shard.stats.hits += 1;
        } else {
            self.shard.stats.misses += 1;
            if self.shard.notices.misses {
                self.shard.publish_event(self.db, Event::Miss, "keymiss", key.bytes, &[]);
            }
        }
    }

    /// Where a live entry stands, for a command that reads it: counts a hit or a miss and renews its age.
    #[inline]
    pub fn find(&mut self, key: Key<'_>) -> Option<Pos> {
        if self.shard.ages.some_reads_leave && !self.read_renews() {
            return self.find_untouched(key);
        }
        let (now_ms, fresh) = (self.shard.now_ms, self.shard.clock_age());
        let found = self.shard.dbs[self.db as usize].find_used(key, now_ms, fresh);
        let found = self.live(self.db, key, found);
        self.count_look_up(key, found.is_some());
        found
    }

    /// As [`Cx::find`], but leaves the age: for commands that look at a key rather than use it (TTL, TYPE, EXISTS, OBJECT).
    #[inline]
    pub fn find_untouched(&mut self, key: Key<'_>) -> Option<Pos> {
        let found = self.find_for_write(key);
        self.count_look_up(key, found.is_some());
        found
    }

    /// As [`Cx::find_untouched`], and nobody is told of a miss: for OBJECT.
    pub fn find_unheard(&mut self, key: Key<'_>) -> Option<Pos> {
        let found = self.find_for_write(key);
        match found {
            Some(_) => self.shard.stats.hits += 1,
            None => self.shard.stats.misses += 1,
        }
        found
    }

    /// Renews the age of an entry.
    #[inline]
    pub fn touch(&mut self, pos: Pos) {
        let age = self.shard.clock_age();
        self.db().touch(pos, age);
    }

    /// As [`Cx::find`] for keys that are read together: all places are good at the same time.
    pub fn find_all<'k>(&mut self, keys: impl Iterator<Item = Key<'k>> + Clone) -> Vec<Option<Pos>> {
        // What is over goes now, so that the second look finds the entries where they then stay.
        keys.clone().for_each(|key| {
            self.find(key);
        });
        keys.map(|key| self.find_for_write(key)).collect()
    }

    /// The value of a key, for reading.
    pub fn value(&mut self, key: Key<'_>) -> Option<ValueRef<'_>> {
        let pos = self.find(key)?;
        Some(self.db().value(pos))
    }

    /// The string under a key.
    ///
    /// # Errors
    /// WRONGTYPE
    #[inline]
    pub fn str(&mut self, key: Key<'_>) -> Result<Option<StrRef<'_>>, Error> {
        match self.find(key) {
            None => Ok(None),
            Some(pos) => self.db().str(pos).map(Some).ok_or_else(|| Error::WRONG_TYPE),
        }
    }

    /// The collection under a key, for reading.
    ///
    /// # Errors
    /// WRONGTYPE
    #[inline]
    pub fn read<T: Typed>(&mut self, key: Key<'_>) -> Result<Option<&T>, Error> {
        match self.find(key) {
            None => Ok(None),
            Some(pos) => T::of(self.db().value(pos)).map(Some).ok_or_else(|| Error::WRONG_TYPE),
        }
    }

    /// The collection under a key, to be changed; if it ends up empty the key goes.
    ///
    /// # Errors
    /// WRONGTYPE
    #[inline]
    pub fn update<T: Typed>(&mut self, key: Key<'_>) -> Result<Option<Update<'_, T>>, Error> {
        let Some(pos) = self.find_for_write(key) else { return Ok(None) };
        let age = self.shard.clock_age();
        self.db().update_used::<T>(pos, age).map(Some).ok_or_else(|| Error::WRONG_TYPE)
    }

    /// As [`Cx::update`] for a command that counts as a reader, too: of a hit or a miss is told, as [`Cx::find`] does.
    ///
    /// # Errors
    /// WRONGTYPE
    #[inline]
    pub fn update_read<T: Typed>(&mut self, key: Key<'_>) -> Result<Option<Update<'_, T>>, Error> {
        let Some(pos) = self.find_untouched(key) else { return Ok(None) };
        let age = self.shard.clock_age();
        self.db().update_used::<T>(pos, age).map(Some).ok_or_else(|| Error::WRONG_TYPE)
    }

    /// The collection under a key, to be changed; made by `new` if there is none.
    ///
    /// # Errors
    /// WRONGTYPE
    #[inline(always)]
    pub fn upsert<T: Typed>(
        &mut self,
        key: Key<'_>,
        new: impl FnOnce() -> T,
    ) -> Result<Update<'_, T>, Error> {
        let age = self.shard.clock_age();
        if let Some(pos) = self.find_for_write(key) {
            return self.db().update_used::<T>(pos, age).ok_or_else(|| Error::WRONG_TYPE);
        }
        let pos = self.db().put(key, None, new().into_value(), None, age);
        Ok(self.db().update::<T>(pos))
    }

    /// Removes a key as a side effect; whether there was one.
    pub fn delete(&mut self, key: Key<'_>) -> bool {
        let free = self.db().frees.overwritten;
        self.discard(key, free)
    }

    /// Removes a key, whose memory comes back when `free` says; whether there was one.
    pub fn discard(&mut self, key: Key<'_>, free: Free) -> bool {
        match self.find_for_write(key) {
            Some(pos) => {
                self.db().discard(pos, free);
                true
            }
            None => false,
        }
    }

    /// Says that a key has changed, and how. Every write ends in at least one call: dirty count now; watched keys, client-side
    /// caching, keyspace notifications and the journal hang on it.
    #[inline]
    pub fn event(&mut self, class: Event, name: &'static str, key: &[u8]) {
        self.event_in(self.db, class, name, key);
    }

    /// As [`Cx::event`] where Redis counts `changes` changes since the last save, most often one for each element.
    #[inline]
    pub fn event_of(&mut self, changes: usize, class: Event, name: &'static str, key: &[u8]) {
        self.notice_in(self.db, class, name, key);
        self.shard.dirty += changes as u64;
    }

    /// As [`Cx::event`] for what follows from a change that is counted already, or is no client's doing.
    #[inline]
    pub fn notice(&mut self, class: Event, name: &'static str, key: &[u8]) {
        self.notice_in(self.db, class, name, key);
    }

    /// Says that a key had a value of another kind, or the same, before it got the one that it has now.
    pub fn notice_overwritten(&mut self, db: u16, key: &[u8], kinds: [Option<Kind>; 2]) {
        if let [Some(old), new] = kinds {
            self.notice_in(db, Event::Overwritten, "overwritten", key);
            if Some(old) != new {
                self.notice_in(db, Event::TypeChanged, "type_changed", key);
            }
        }
    }

    /// The type of the value of a key, if it is there.
    pub fn kind_in(&mut self, db: u16, key: Key<'_>) -> Option<Kind> {
        let pos = self.find_in(db, key)?;
        Some(self.shard.dbs[db as usize].value(pos).kind())
    }

    /// Says that a key's bytes have changed where Redis publishes no event: a cache inside the value, or a string that
    /// was only lengthened.
    #[inline]
    pub fn changed(&mut self, key: &[u8]) {
        self.tell(self.db, None, key, &[]);
        self.shard.dirty += 1;
    }

    /// As [`Cx::event`] for a key of another database.
    #[inline]
    pub fn event_in(&mut self, db: u16, class: Event, name: &'static str, key: &[u8]) {
        self.notice_in(db, class, name, key);
        self.shard.dirty += 1;
    }

    /// As [`Cx::notice`] for a key of another database.
    #[inline]
    pub fn notice_in(&mut self, db: u16, class: Event, name: &'static str, key: &[u8]) {
        self.tell(db, Some((class, name)), key, &[]);
    }

    /// To collect the fields of a hash that an event is about.
    #[inline]
    pub fn subkeys(&self) -> Subkeys {
        Subkeys::new(self.shard.names_fields())
    }

    /// As [`Cx::event_of`] of these fields: each is a change.
    #[inline]
    pub fn event_on(&mut self, class: Event, name: &'static str, key: &[u8], subkeys: &Subkeys) {
        self.notice_on(class, name, key, subkeys);
        self.shard.dirty += subkeys.count() as u64;
    }

    /// The same of fields that need not be collected unless somebody wants to know.
    #[inline]
    pub fn event_on_each<'f>(
        &mut self,
        class: Event,
        name: &'static str,
        key: &[u8],
        fields: impl ExactSizeIterator<Item = &'f [u8]>,
    ) {
        if !self.shard.notices.subkeys {
            return self.event_of(fields.len(), class, name, key);
        }
        let mut subkeys = self.subkeys();
        fields.for_each(|field| subkeys.add(field));
        self.event_on(class, name, key, &subkeys);
    }

    /// As [`Cx::notice`] of these fields.
    #[inline]
    pub fn notice_on(&mut self, class: Event, name: &'static str, key: &[u8], subkeys: &Subkeys) {
        self.tell(self.db, Some((class, name)), key, subkeys.names());
    }

    #[inline]
    fn tell(&mut self, db: u16, event: Option<(Event, &'static str)>, key: &[u8], subkeys: &[u8]) {
        if self.shard.is_listening {
            self.shard.hear_of(db, event, key, subkeys);
        }
    }
}
