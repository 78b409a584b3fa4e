//! What all clients of a run share: the names of keys, the numbers that are written, which connections there are.

use crate::history::{Key, Number};
use base::random::Random;
use base::slot::SlotMap;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Lists, streams and shared registers in use at a time.
const LISTS: u32 = 8;
const STREAMS: u32 = 8;
const SHARED: u32 = 4;
/// Owned registers, queues and groups of a connection.
const OWNED: u32 = 4;
const QUEUES: u32 = 2;
const GROUPS: u32 = 2;
/// After so many appends others are used, lest the old lists and streams grow too long to be read often.
const APPENDS_MAX: u64 = 240;
/// Names of the keys that hold names of keys: see [`crate::request::INDIRECT`].
pub const TAG: &str = "tag:";

/// What clients share.
pub struct World {
    /// Hash tags that lie on the shards in turn.
    tags: Vec<String>,
    start: Instant,
    next_number: AtomicU32,
    next_connection: AtomicU32,
    appends: AtomicU64,
    /// Elements in queues, roughly.
    pub stock: AtomicI64,
    /// Entries that no consumer of their group has got, roughly.
    pub group_stock: AtomicI64,
    /// By client: the connection it has, and the number by which the server knows that.
    pub connections: Vec<AtomicU32>,
    pub server_ids: Vec<AtomicU64>,
    /// When the answer came that a connection was killed; those that their clients gave up themselves, or that may have been killed.
    pub killed_ns: Mutex<HashMap<u32, u64>>,
    pub abandoned: Mutex<Vec<u32>>,
}

impl World {
    /// For so many clients, keys spread over so many shards.
    pub fn new(clients: usize, shards: u16) -> World {
        let slots = SlotMap::new(shards);
        let mut next = 0u32;
        let mut tag_on = |shard: u16| loop {
            let tag = format!("t{next}");
            next += 1;
            if slots.shard_of(tag.as_bytes()) == shard {
                return tag;
            }
        };
        World {
            tags: (0..LISTS).map(|at| tag_on(at as u16 % shards)).collect(),
            start: Instant::now(),
            next_number: AtomicU32::new(1),
            // 0 is what clients seem to have before they come.
            next_connection: AtomicU32::new(1),
            appends: AtomicU64::new(0),
            stock: AtomicI64::new(0),
            group_stock: AtomicI64::new(0),
            connections: (0..clients).map(|_| AtomicU32::new(0)).collect(),
            server_ids: (0..clients).map(|_| AtomicU64::new(0)).collect(),
            killed_ns: Mutex::default(),
            abandoned: Mutex::default(),
        }
    }

    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// A number that nobody has written.
    pub fn number(&self) -> Number {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// A number for a new connection.
    pub fn connection(&self) -> u32 {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    /// A client has a new connection: from now on, others use its keys and kill it.
    pub fn enter(&self, client: usize, connection: u32, server_id: u64) {
        self.server_ids[client].store(server_id, Ordering::Relaxed);
        self.connections[client].store(connection, Ordering::Release);
    }

    /// Which lists, streams and shared registers are in use.
    pub fn generation(&self) -> u32 {
        (self.appends.load(Ordering::Relaxed) / APPENDS_MAX) as u32
    }

    /// One of the lists in use.
    pub fn list(&self, random: &mut Random) -> Key {
        self.list_at(self.generation(), random.below(LISTS.into()) as u32)
    }

    /// A list to write to.
    pub fn list_to_append(&self, random: &mut Random) -> Key {
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.list(random)
    }

    /// One of the streams in use.
    pub fn stream(&self, random: &mut Random) -> Key {
        Key::Stream(self.generation() * STREAMS + random.below(STREAMS.into()) as u32)
    }

    /// A stream to write to.
    pub fn stream_to_append(&self, random: &mut Random) -> Key {
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.stream(random)
    }

    /// The list of a generation that belongs to a number, as [`crate::request::INDIRECT`] reckons it.
    pub fn list_at(&self, generation: u32, number: Number) -> Key {
        Key::List(generation * LISTS + number % LISTS)
    }

    /// How many lists of a generation there are.
    pub fn lists(&self) -> u32 {
        LISTS
    }

    pub fn shared(&self, random: &mut Random) -> Key {
        Key::Shared(self.generation() * SHARED + random.below(SHARED.into()) as u32)
    }

    /// An owned register of a connection.
    pub fn owned(&self, connection: u32, random: &mut Random) -> Key {
        Key::Owned(connection * OWNED + random.below(OWNED.into()) as u32)
    }

    pub fn queue(&self, connection: u32, random: &mut Random) -> Key {
        Key::Queue(connection * QUEUES + random.below(QUEUES.into()) as u32)
    }

    pub fn group(&self, connection: u32, random: &mut Random) -> Key {
        Key::Group(connection * GROUPS + random.below(GROUPS.into()) as u32)
    }

    /// The groups of a connection, which are made before anybody uses them.
    pub fn groups_of(&self, connection: u32) -> impl Iterator<Item = Key> {
        (connection * GROUPS..(connection + 1) * GROUPS).map(Key::Group)
    }

    /// The connection that some client has now.
    pub fn some_connection(&self, random: &mut Random) -> u32 {
        self.connections[random.index(self.connections.len())].load(Ordering::Acquire)
    }

    /// The name of a key.
    pub fn name(&self, key: Key) -> String {
        let (id, count, letter) = match key {
            Key::List(id) => (id, LISTS, 'l'),
            Key::Stream(id) => (id, STREAMS, 'x'),
            Key::Shared(id) => (id, SHARED, 's'),
            Key::Owned(id) => (id, OWNED, 'o'),
            Key::Queue(id) => (id, QUEUES, 'q'),
            Key::Group(id) => (id, GROUPS, 'g'),
        };
        // Queues lie on other shards than the lists of the same place, and move around.
        let place = if key.is_queue() { id } else { id % count };
        format!("{{{}}}:{letter}:{}", self.tags[place as usize % self.tags.len()], id / count)
            + if key.is_queue() && id % count == 1 { "b" } else { "" }
    }

    /// What the keys that hold names hold, in the order of numbers.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// All keys there have ever been.
    pub fn all_keys(&self) -> Vec<Key> {
        let generations = self.generation() + 1;
        let connections = self.next_connection.load(Ordering::Relaxed);
        let lists = (0..generations * LISTS).map(Key::List);
        let streams = (0..generations * STREAMS).map(Key::Stream);
        let shared = (0..generations * SHARED).map(Key::Shared);
        let owned = (0..connections * OWNED).map(Key::Owned);
        let queues = (0..connections * QUEUES).map(Key::Queue);
        let groups = (0..connections * GROUPS).map(Key::Group);
        lists.chain(streams).chain(shared).chain(owned).chain(queues).chain(groups).collect()
    }
}
