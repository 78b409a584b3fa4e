//! Client-side caching: who has to be told when a key changes (CLIENT TRACKING).
//!
//! By default the shard that owns a key knows which clients have read it ([`table`]). A client with BCAST hears of all changes of keys with
//! its prefixes, read or not: every shard knows which shards are interested in which prefixes ([`prefixes`]), and each shard which of
//! its own clients are.
//!
//! Here is decided what is to be told to whom; the `shard` crate carries it there, in the order in which it must come. It is always right
//! to tell too much, and never right to tell too little.

pub mod mode;
mod prefixes;
mod table;

pub use mode::{Choice, Mode, Target};

use crate::change::Change;
use crate::session::Session;
use crate::spec::flag;
use crate::{Args, Command, ShardCx};
use keyspace::Key;
use prefixes::Prefixes;
use std::collections::BTreeMap;
use table::Table;

/// Entries that are removed at a time because there are too many.
const TRIMMED_MAX: usize = 100;

/// A connection, as all shards can name it: another one in its place has another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientRef {
    pub home: u16,
    pub conn: u32,
    pub generation: u32,
}

/// Who asked for a command, as far as tracking is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracker {
    pub client: ClientRef,
    /// It has tracking on; or else the rest means nothing.
    pub is_on: bool,
    /// What it reads is to be remembered.
    pub reads: bool,
    /// It need not hear of its own changes (NOLOOP).
    pub is_deaf: bool,
    /// A script of its asks.
    pub is_script: bool,
    /// The number of its mode ([`Mode::number`]), if CLIENT CACHING NO has been said for this.
    pub exception: u32,
}

impl Tracker {
    pub const NOBODY: Self = Self {
        client: ClientRef { home: 0, conn: 0, generation: 0 },
        is_on: false,
        reads: false,
        is_deaf: false,
        is_script: false,
        exception: 0,
    };

    /// Who is not to hear of what this client changes, of keys that were read.
    fn spared(self) -> Option<ClientRef> {
        (self.is_on && self.is_deaf).then_some(self.client)
    }

    /// Who is not to hear of what this client changes, of keys with its prefixes: as in Redis, what its scripts write it does hear of.
    fn spared_by_prefix(self) -> Option<ClientRef> {
        self.spared().filter(|_| !self.is_script)
    }
}

/// Something clients have to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A key that these clients have read, ascending, has changed or is remembered no longer.
    Key(Box<[u8]>, Vec<ClientRef>),
    /// Keys that these clients have read, ascending, are remembered no longer, and nobody knows which.
    Unnamed(Vec<ClientRef>),
    /// A key has changed that clients of these shards want to hear of. One of them need not.
    Broadcast { key: Vec<u8>, homes: Vec<u16>, spared: Option<ClientRef> },
    /// Nothing that has been read on any shard before is good any more.
    Flushed,
}

/// Keys that have changed, each with the client that need not hear of it.
pub type Heard = BTreeMap<Vec<u8>, Option<ClientRef>>;

/// This shard's clients that want to hear of a prefix, and what has changed in this turn.
#[derive(Default)]
pub struct Audience {
    pub conns: Vec<u32>,
    pub keys: Heard,
    /// The last wish of these.
    last_wish: u64,
}

#[derive(Default)]
pub struct Tracking {
    table: Table,
    /// Shards that want to hear of a prefix, each with the number of its last wish.
    interests: Prefixes<Vec<(u16, u64)>>,
    /// This shard's own clients by prefix; whether any of them has something to hear; the number of the last wish that was sent.
    audiences: Prefixes<Audience>,
    has_broadcasts: bool,
    last_wish: u64,
    /// Of the client that turned tracking on last.
    last_mode: u32,
    /// Prefixes that no client of this shard wants to hear of any more, with the number of the last wish to.
    forgone: Vec<(Vec<u8>, u64)>,
    /// Connections of this shard that have tracking on.
    conns: Vec<u32>,
    /// Who asked for the command that runs now.
    pub caller: Tracker,
    /// How many look-ups had found nothing when it began.
    pub misses: u64,
    /// What has to be told, in order.
    news: Vec<News>,
    /// Flushes that have begun here, and whose end has not been told.
    flushes: u16,
    keys_max: usize,
}

impl Tracking {
    /// Whether changes of keys matter.
    pub(crate) fn is_listening(&self) -> bool {
        !self.table.is_empty() || !self.interests.is_empty()
    }

    /// Whether it is worth while to [`Tracking::look_ahead`].
    #[inline]
    pub fn remembers(&self) -> bool {
        !self.table.is_empty()
    }

    /// The key with this hash is about to be remembered, or to change.
    #[inline]
    pub fn look_ahead(&self, hash: u64) {
        self.table.look_ahead(hash);
    }

    #[inline]
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// What had been taken is to be told now.
    pub fn put_back(&mut self, news: Vec<News>) {
        self.news.extend(news);
    }

    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Keeps at most so many keys here (`tracking-table-max-keys`, of all shards). Every shard may have an equal share, rounded up; keys
    /// are spread evenly enough for that.
    pub(crate) fn set_keys_max(&mut self, all_max: u64, shards: u16) {
        let max = usize::try_from(all_max.div_ceil(shards.into())).unwrap_or(usize::MAX);
        self.keys_max = if max == 0 { usize::MAX } else { max };
    }

    /// What was changed has to be told.
    fn note_change(&mut self, key: Key<'_>, by: Tracker) {
        if !self.interests.is_empty() {
            let mut homes: Vec<u16> = self.interests.of(key.bytes).flatten().map(|(home, _)| *home).collect();
            homes.sort_unstable();
            homes.dedup();
            if !homes.is_empty() {
                let spared = by.spared_by_prefix();
                self.news.push(News::Broadcast { key: key.bytes.to_vec(), homes, spared });
            }
        }
        let readers = self.table.remove(key, by.spared());
        if !readers.is_empty() {
            self.news.push(News::Key(key.bytes.into(), readers));
        }
    }

    /// Whether any client of this shard has tracking on.
    pub fn has_clients(&self) -> bool {
        !self.conns.is_empty()
    }

    pub fn conns(&self) -> &[u32] {
        &self.conns
    }

    /// Another shard's wish to hear of prefixes, or its end. What has a lower number than what is known comes too late.
    fn set_interest(&mut self, prefix: &[u8], home: u16, number: u64) {
        let homes = self.interests.entry(prefix);
        match homes.iter_mut().find(|(known, _)| *known == home) {
            Some((_, last)) => *last = number.max(*last),
            None => homes.push((home, number)),
        }
    }

    /// A shard has no client any more that wants to hear of a prefix, as of the wish with this number.
    fn end_interest(&mut self, prefix: &[u8], home: u16, number: u64) {
        let Some(homes) = self.interests.get_mut(prefix) else { return };
        homes.retain(|(known, last)| *known != home || *last > number);
        if homes.is_empty() {
            self.interests.remove(prefix);
        }
    }

    /// A key has changed that shards wanted to hear of.
    pub fn hear_broadcast(&mut self, key: &[u8], spared: Option<ClientRef>) {
        self.audiences.each_of(key, |audience| {
            audience.keys.insert(key.to_vec(), spared);
        });
        self.has_broadcasts = true;
    }

    pub fn has_broadcasts(&self) -> bool {
        self.has_broadcasts
    }

    /// Whether there is anything that has to be told with the news of a turn.
    pub fn is_untold(&self) -> bool {
        let too_many = self.table.len_now() > self.keys_max;
        self.has_news() || self.has_broadcasts || !self.forgone.is_empty() || too_many
    }

    /// For each prefix with changed keys: who wants to hear of it, and the keys, ascending.
    pub fn take_broadcasts(&mut self) -> Vec<(Vec<u32>, Heard)> {
        self.has_broadcasts = false;
        let audiences = self.audiences.iter_mut().filter(|(_, audience)| !audience.keys.is_empty());
        let mut taken: Vec<_> = audiences
            .map(|(prefix, audience)| {
                (prefix.clone(), audience.conns.clone(), std::mem::take(&mut audience.keys))
            })
            .collect();
        taken.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        taken.into_iter().map(|(_, conns, keys)| (conns, keys)).collect()
    }

    /// Prefixes that all shards are to be told nobody here wants to hear of, each with the number of the last wish to.
    pub fn take_forgone(&mut self) -> Vec<(Vec<u8>, u64)> {
        let mut forgone = std::mem::take(&mut self.forgone);
        forgone.retain(|(prefix, _)| self.audiences.get_mut(prefix).is_none());
        forgone
    }

    pub fn has_forgone(&self) -> bool {
        !self.forgone.is_empty()
    }

    /// Has all shards told that nobody here wants to hear of a prefix, if that is so.
    pub(crate) fn forgo(&mut self, prefix: &[u8], wish: u64) {
        self.forgone.push((prefix.to_vec(), wish));
    }

    fn join(&mut self, conn: u32, prefix: &[u8], wish: u64) {
        let audience = self.audiences.entry(prefix);
        audience.last_wish = audience.last_wish.max(wish);
        if !audience.conns.contains(&conn) {
            audience.conns.push(conn);
        }
    }

    fn leave(&mut self, conn: u32, prefix: &[u8]) {
        let Some(audience) = self.audiences.get_mut(prefix) else { return };
        audience.conns.retain(|other| *other != conn);
        if audience.conns.is_empty() {
            let last = audience.last_wish;
            self.audiences.remove(prefix);
            self.forgone.push((prefix.to_vec(), last));
        }
    }

    /// The memory that it takes to know who has read what.
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Figures for INFO: clients with tracking on, keys and their readers, prefixes (of all shards, as far as is known here).
    pub fn figures(&self) -> [u64; 4] {
        [self.conns.len(), self.table.len(), self.table.items(), self.interests.len()].map(|len| len as u64)
    }
}

impl ShardCx {
    /// A command has run for a client that tracks what it reads.
    #[inline]
    pub fn remember_reads(&mut self, command: &Command, args: Args<'_>, db: u16) {
        let client = self.tracking.caller.client;
        if command.placed_key != 0 {
            return self.remember_read(db, args.key(command.placed_key.into()), client, self.has_missed());
        }
        self.remember_all_reads(command, args, db);
    }

    /// Whether the command that runs now has not found all that it looked for.
    #[inline]
    fn has_missed(&self) -> bool {
        self.stats.misses != self.tracking.misses
    }

    fn remember_all_reads(&mut self, command: &Command, args: Args<'_>, db: u16) {
        let (client, missed, mut indexes) = (self.tracking.caller.client, self.has_missed(), Vec::new());
        if command.key_indexes(&args, &mut indexes).is_ok() {
            indexes.into_iter().for_each(|index| self.remember_read(db, args.key(index), client, missed));
        }
    }

    /// Remembers a read on the shard that owns the key: of a guest it is told when that goes home. The key `may_miss` in the keyspace.
    pub(crate) fn remember_read(&mut self, db: u16, key: Key<'_>, client: ClientRef, may_miss: bool) {
        let is_guest = self.guests.are_here() && self.slots.shard_of(key.bytes) != self.id;
        if is_guest || self.untold.is_some() {
            let by = self.tracking.caller;
            let (event, subkeys) = (None, Vec::new());
            let read = Change { db, key: key.bytes.to_vec(), event, subkeys, by, is_read: true };
            // What a script reads comes after what it has changed before, and before what it changes later.
            self.is_listening = true;
            return match &mut self.untold {
                Some(changes) => changes.push(read),
                None => self.guests.note(read),
            };
        }
        let (id, sessions) = (self.id, &self.sessions);
        let is_of = |reader: ClientRef, session: &Session| session.client == reader;
        let is_gone = |reader: ClientRef| {
            reader.home == id
                && !sessions.get(reader.conn as usize).is_some_and(|session| is_of(reader, session))
        };
        match may_miss {
            false => self.tracking.table.add(key, client, is_gone),
            true => self.tracking.table.add_named(key, client, is_gone),
        }
        self.is_listening = true;
        if self.tracks_too_many() {
            self.trim_tracking();
        }
    }

    /// Forgets keys, by lot, while too many are remembered, and tells their readers; not all at once.
    #[cold]
    pub fn trim_tracking(&mut self) {
        for _ in 0..TRIMMED_MAX {
            if !self.tracks_too_many() {
                break;
            }
            let dbs = &self.dbs;
            let find = |hash, is_name: &dyn Fn(&[u8]) -> bool| dbs.key_of(hash, is_name);
            let (name, readers) = self.tracking.table.remove_any(&mut self.random, find);
            self.tracking.news.push(match name {
                Some(name) => News::Key(name, readers),
                None => News::Unnamed(readers),
            });
        }
    }

    /// Whether more keys are remembered than should be.
    #[inline]
    pub fn tracks_too_many(&self) -> bool {
        self.tracking.table.len_now() > self.tracking.keys_max
    }

    /// Tells of a change of a key of this shard.
    #[cold]
    pub(crate) fn track_change(&mut self, key: &[u8]) {
        let (hash, by) = (self.seed.hash(key), self.author());
        self.tracking.note_change(Key { bytes: key, hash }, by);
    }

    /// Whose doing it is what changes now.
    pub(crate) fn author(&self) -> Tracker {
        let caller = self.tracking.caller;
        Tracker { is_script: caller.is_script || self.in_script.is_some(), ..caller }
    }

    /// This shard's part of a command that takes all keys from a database.
    pub(crate) fn begin_tracked_flush(&mut self) {
        self.tracking.table.begin_flush();
        self.tracking.flushes += 1;
    }

    /// All shards have run their parts: all clients of all shards have to be told.
    pub(crate) fn tell_flushed(&mut self) {
        self.tracking.news.push(News::Flushed);
    }

    /// This shard has been told that such a command is over.
    pub fn end_tracked_flush(&mut self) {
        self.tracking.flushes = self.tracking.flushes.saturating_sub(1);
        self.tracking.table.end_flush(self.tracking.flushes);
        self.set_listening();
    }

    /// Shard `home` has no client any more that wants to hear of a prefix.
    pub fn end_interest(&mut self, prefix: &[u8], home: u16, number: u64) {
        self.tracking.end_interest(prefix, home, number);
        self.set_listening();
    }

    /// The next wish of this shard to hear of prefixes.
    pub(crate) fn next_wish(&mut self) -> u64 {
        self.tracking.last_wish += 1;
        self.tracking.last_wish
    }

    /// Shard `home` has a client that wants to hear of these prefixes.
    pub(crate) fn set_interests<'a>(
        &mut self,
        prefixes: impl Iterator<Item = &'a [u8]>,
        home: u16,
        number: u64,
    ) {
        prefixes.for_each(|prefix| self.tracking.set_interest(prefix, home, number));
        self.set_listening();
    }

    /// A client of this shard has tracking on, from now on or in another way than before.
    pub(crate) fn set_mode(&mut self, conn: usize, mut mode: Mode, wish: u64) {
        let Some(session) = self.sessions.get_mut(conn) else { return };
        let index = conn as u32;
        if session.tracking.is_none() {
            self.tracking.conns.push(index);
            self.tracking.last_mode = self.tracking.last_mode.wrapping_add(1).max(1);
            mode.number = self.tracking.last_mode;
        }
        mode.prefixes.iter().for_each(|prefix| self.tracking.join(index, prefix, wish));
        session.tracking = Some(Box::new(mode));
    }

    /// A client of this shard has tracking off, or goes.
    pub fn end_mode(&mut self, conn: usize) {
        let taken = self.sessions.get_mut(conn).and_then(|session| session.tracking.take());
        if let Some(mode) = taken {
            self.forget_mode(conn, &mode);
        }
    }

    /// The session of a connection is no longer here.
    pub fn forget_session(&mut self, conn: usize, session: &Session) {
        if let Some(mode) = &session.tracking {
            self.forget_mode(conn, mode);
        }
    }

    fn forget_mode(&mut self, conn: usize, mode: &Mode) {
        let index = conn as u32;
        self.tracking.conns.retain(|other| *other != index);
        mode.prefixes.iter().for_each(|prefix| self.tracking.leave(index, prefix));
    }
}

/// Whether a command's reads are remembered: what scripts read is, command by command.
#[inline]
pub fn is_tracked(command: &Command) -> bool {
    command.flags & (flag::READONLY | flag::SCRIPT | flag::PUBSUB) == flag::READONLY
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientRef = ClientRef { home: 0, conn: 1, generation: 0 };
    const B: ClientRef = ClientRef { home: 2, conn: 1, generation: 0 };

    fn key(name: &str) -> Key<'_> {
        Key { bytes: name.as_bytes(), hash: name.len() as u64 }
    }

    #[test]
    fn a_change_is_told_to_readers_once_and_not_to_the_deaf_who_made_it() {
        let mut tracking = Tracking::default();
        tracking.table.add(key("k"), A, |_| false);
        tracking.table.add(key("k"), B, |_| false);
        let deaf = Tracker { client: A, is_on: true, reads: true, is_deaf: true, ..Tracker::NOBODY };
        tracking.note_change(key("k"), deaf);
        assert_eq!(tracking.take_news(), [News::Key((*b"k").into(), vec![B])]);
        tracking.note_change(key("k"), Tracker::NOBODY);
        assert_eq!(tracking.take_news(), [News::Key((*b"k").into(), vec![A])]);
        tracking.note_change(key("k"), Tracker::NOBODY);
        assert!(!tracking.has_news() && !tracking.is_listening());
    }

    #[test]
    fn interests_end_unless_there_is_a_later_wish() {
        let mut tracking = Tracking::default();
        tracking.set_interest(b"u:", 1, 3);
        tracking.set_interest(b"u:", 2, 1);
        tracking.set_interest(b"", 1, 4);
        tracking.note_change(key("u:1"), Tracker::NOBODY);
        let told = News::Broadcast { key: b"u:1".to_vec(), homes: vec![1, 2], spared: None };
        assert_eq!(tracking.take_news(), [told]);
        tracking.end_interest(b"u:", 1, 2);
        tracking.end_interest(b"u:", 2, 1);
        tracking.end_interest(b"", 1, 4);
        tracking.note_change(key("u:1"), Tracker::NOBODY);
        let told = News::Broadcast { key: b"u:1".to_vec(), homes: vec![1], spared: None };
        assert_eq!(tracking.take_news(), [told]);
        tracking.end_interest(b"u:", 1, 3);
        assert!(!tracking.is_listening());
    }

    #[test]
    fn those_who_share_a_prefix_hear_of_it_together_once_a_turn() {
        let mut tracking = Tracking::default();
        [(1, &b"u:"[..]), (2, b"u:"), (2, b"x"), (3, b"")]
            .iter()
            .for_each(|(conn, p)| tracking.join(*conn, p, 1));
        tracking.hear_broadcast(b"u:2", None);
        tracking.hear_broadcast(b"u:1", Some(A));
        let keys = BTreeMap::from([(b"u:1".to_vec(), Some(A)), (b"u:2".to_vec(), None)]);
        assert_eq!(tracking.take_broadcasts(), [(vec![3], keys.clone()), (vec![1, 2], keys)]);
        assert_eq!(tracking.take_broadcasts(), []);
        tracking.leave(1, b"u:");
        tracking.leave(2, b"x");
        tracking.leave(3, b"");
        tracking.join(9, b"x", 2);
        assert_eq!(tracking.take_forgone(), [(b"".to_vec(), 1)]);
        tracking.hear_broadcast(b"y", None);
        assert_eq!(tracking.take_broadcasts(), []);
    }

    #[test]
    fn every_shard_has_its_share_of_the_bound() {
        let mut tracking = Tracking::default();
        let shares = [(0, 4), (1, 4), (1_000_000, 4), (10, 3)].map(|(max, shards)| {
            tracking.set_keys_max(max, shards);
            tracking.keys_max
        });
        assert_eq!(shares, [usize::MAX, 1, 250_000, 4]);
    }
}
