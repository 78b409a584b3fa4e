//! Who listens to what: names (channels, or patterns) with the connections of this shard that are subscribed to them, and how many
//! connections of each other shard are.
//!
//! Invariants: a name is known while anybody is subscribed to it, or while the other shards have not been told that nobody here is any
//! more. Each connection stands in the list of a name at the place that it remembers, so that it leaves in constant time.

use std::collections::HashMap;
use std::sync::Arc;

/// A channel's or a pattern's name.
pub type Name = Arc<[u8]>;

/// A name, and how many connections of the shard that says so are subscribed to it now.
pub type Interest = (Name, u32);

#[derive(Default)]
struct Topic {
    name: Name,
    /// Connections of this shard.
    here: Vec<u32>,
    /// Other shards and how many of their connections.
    elsewhere: Vec<(u16, u32)>,
    /// What the other shards know of `here`.
    told: u32,
    /// It is in `changed`.
    is_changed: bool,
}

impl Topic {
    fn is_active(&self) -> bool {
        !self.here.is_empty() || !self.elsewhere.is_empty()
    }
}

/// Places of one connection in the lists of its names, by the numbers of the names.
type Places = HashMap<u32, u32>;

#[derive(Default)]
pub struct Topics {
    ids: HashMap<Name, u32>,
    topics: Vec<Topic>,
    free: Vec<u32>,
    conns: HashMap<u32, Places>,
    changed: Vec<u32>,
    active: usize,
    /// Those of them that begin with `__`, as the server's own channels do.
    reserved: usize,
    /// Bytes of all names; subscriptions of connections here; and shards with others, over all names.
    name_bytes: usize,
    here: usize,
    elsewhere: usize,
}

/// What a name, a subscription, a connection with such, and another shard's interest take in tables that are half full, beside the bytes
/// of the name.
const NAME_BYTES: usize = size_of::<Topic>() + 2 * (size_of::<(Name, u32)>() + 1) + 2 * size_of::<usize>();
const HERE_BYTES: usize = size_of::<u32>() + 2 * (size_of::<(u32, u32)>() + 1);
const CONN_BYTES: usize = 2 * (size_of::<(u32, Places)>() + 1);
const ELSEWHERE_BYTES: usize = size_of::<(u16, u32)>();

impl Topics {
    /// Names that anybody is subscribed to.
    pub fn len(&self) -> usize {
        self.active
    }

    pub fn is_empty(&self) -> bool {
        self.active == 0
    }

    /// The memory that all takes, about.
    pub fn bytes(&self) -> usize {
        self.name_bytes
            + self.ids.len() * NAME_BYTES
            + self.conns.len() * CONN_BYTES
            + self.here * HERE_BYTES
            + self.elsewhere * ELSEWHERE_BYTES
    }

    /// Whether anybody is subscribed to a name such as the server's own channels have.
    pub fn has_reserved(&self) -> bool {
        self.reserved > 0
    }

    /// Keeps the counts after a name has changed that was active or not.
    fn recount(&mut self, id: u32, was_active: bool) {
        let topic = &self.topics[id as usize];
        let (is_active, is_reserved) = (topic.is_active(), topic.name.starts_with(b"__"));
        self.active = self.active + usize::from(is_active) - usize::from(was_active);
        if is_reserved {
            self.reserved = self.reserved + usize::from(is_active) - usize::from(was_active);
        }
    }

    /// Subscribes a connection of this shard; whether it was not subscribed before.
    pub fn subscribe(&mut self, conn: u32, name: &[u8]) -> bool {
        let id = self.id_of(name);
        let places = self.conns.entry(conn).or_default();
        if places.contains_key(&id) {
            return false;
        }
        let topic = &mut self.topics[id as usize];
        let was_active = topic.is_active();
        places.insert(id, topic.here.len() as u32);
        topic.here.push(conn);
        self.here += 1;
        self.recount(id, was_active);
        self.note_change(id);
        true
    }

    /// Ends a subscription; whether there was one.
    pub fn unsubscribe(&mut self, conn: u32, name: &[u8]) -> bool {
        let Some(&id) = self.ids.get(name) else { return false };
        let Some(places) = self.conns.get_mut(&conn) else { return false };
        let Some(place) = places.remove(&id) else { return false };
        if places.is_empty() {
            self.conns.remove(&conn);
        }
        self.take_from_list(id, place);
        true
    }

    /// Ends all subscriptions of a connection.
    pub fn leave(&mut self, conn: u32) {
        for (id, place) in self.conns.remove(&conn).unwrap_or_default() {
            self.take_from_list(id, place);
        }
    }

    fn take_from_list(&mut self, id: u32, place: u32) {
        let topic = &mut self.topics[id as usize];
        topic.here.swap_remove(place as usize);
        self.here -= 1;
        if let Some(moved) = topic.here.get(place as usize) {
            let places = self.conns.get_mut(moved).expect("who listens has places");
            places.insert(id, place);
        }
        self.recount(id, true);
        self.note_change(id);
    }

    /// The names that a connection is subscribed to.
    pub fn names_of(&self, conn: u32) -> Vec<Name> {
        let ids = self.conns.get(&conn).into_iter().flat_map(HashMap::keys);
        ids.map(|id| Arc::clone(&self.topics[*id as usize].name)).collect()
    }

    /// How many names a connection is subscribed to.
    pub fn count_of(&self, conn: u32) -> usize {
        self.conns.get(&conn).map_or(0, HashMap::len)
    }

    /// Whether a connection is subscribed to a name.
    #[cfg(test)]
    fn has(&self, conn: u32, name: &[u8]) -> bool {
        let places = || self.ids.get(name).zip(self.conns.get(&conn));
        places().is_some_and(|(id, places)| places.contains_key(id))
    }

    /// The connections of this shard that are subscribed to a name.
    pub fn here(&self, name: &[u8]) -> &[u32] {
        self.ids.get(name).map_or(&[], |id| &self.topics[*id as usize].here)
    }

    /// Those of this shard, and shards with the number of theirs.
    pub fn reach(&self, name: &[u8]) -> (&[u32], &[(u16, u32)]) {
        self.ids.get(name).map_or((&[], &[]), |id| {
            let topic = &self.topics[*id as usize];
            (&topic.here, &topic.elsewhere)
        })
    }

    /// How many connections of all shards are subscribed to a name.
    pub fn count(&self, name: &[u8]) -> usize {
        let (here, elsewhere) = self.reach(name);
        here.len() + elsewhere.iter().map(|(_, count)| *count as usize).sum::<usize>()
    }

    /// All names that anybody is subscribed to, as [`Topics::reach`] has them.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &[u32], &[(u16, u32)])> {
        let active = self.topics.iter().filter(|topic| topic.is_active());
        active.map(|topic| (&topic.name, topic.here.as_slice(), topic.elsewhere.as_slice()))
    }

    /// Another shard says how many of its connections are subscribed to a name.
    pub fn hear(&mut self, from: u16, (name, count): &Interest) {
        if *count == 0 && !self.ids.contains_key(name) {
            return;
        }
        let id = self.id_of(name);
        let topic = &mut self.topics[id as usize];
        let was_active = topic.is_active();
        self.elsewhere -= topic.elsewhere.len();
        topic.elsewhere.retain(|(shard, _)| *shard != from);
        if *count > 0 {
            topic.elsewhere.push((from, *count));
        }
        self.elsewhere += topic.elsewhere.len();
        self.recount(id, was_active);
        self.forget_if_unused(id);
    }

    /// Whether the other shards know less than this one.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What the other shards have to be told since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Interest> {
        let mut changes = Vec::new();
        for id in std::mem::take(&mut self.changed) {
            let topic = &mut self.topics[id as usize];
            topic.is_changed = false;
            let count = topic.here.len() as u32;
            if topic.told != count {
                topic.told = count;
                changes.push((Arc::clone(&topic.name), count));
            }
            self.forget_if_unused(id);
        }
        changes
    }

    fn note_change(&mut self, id: u32) {
        let topic = &mut self.topics[id as usize];
        if !std::mem::replace(&mut topic.is_changed, true) {
            self.changed.push(id);
        }
    }

    /// The number of a name, which is known from now on.
    fn id_of(&mut self, name: &[u8]) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        self.name_bytes += name.len();
        let topic = Topic { name: Arc::from(name), ..Topic::default() };
        let name = Arc::clone(&topic.name);
        let id = match self.free.pop() {
            Some(id) => {
                self.topics[id as usize] = topic;
                id
            }
            None => {
                self.topics.push(topic);
                self.topics.len() as u32 - 1
            }
        };
        self.ids.insert(name, id);
        id
    }

    fn forget_if_unused(&mut self, id: u32) {
        let topic = &mut self.topics[id as usize];
        if !topic.is_active() && topic.told == 0 && !topic.is_changed {
            let topic = std::mem::take(topic);
            self.name_bytes -= topic.name.len();
            self.ids.remove(&topic.name);
            self.free.push(id);
        }
        if self.ids.is_empty() {
            // Nobody is left: neither is the memory.
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use std::collections::{BTreeMap, BTreeSet};

    const SHARDS: u16 = 3;

    /// Three shards that tell each other now and then, against sets of pairs.
    #[test]
    fn tables_of_all_shards_agree_with_a_model() {
        let mut random = Random::from_seed(7);
        let mut shards: Vec<Topics> = (0..SHARDS).map(|_| Topics::default()).collect();
        let mut model: BTreeSet<(u16, u32, Vec<u8>)> = BTreeSet::new();
        for round in 0..30_000u64 {
            let (shard, conn) = (random.below(u64::from(SHARDS)) as u16, random.below(12) as u32);
            let name = vec![b'a' + random.below(8) as u8; 1 + random.below(2) as usize];
            let topics = &mut shards[shard as usize];
            match random.below(if round % 1000 < 800 { 12 } else { 40 }) {
                0..5 => {
                    assert_eq!(topics.subscribe(conn, &name), model.insert((shard, conn, name.clone())));
                }
                5..10 => {
                    let was = model.remove(&(shard, conn, name.clone()));
                    assert_eq!(topics.unsubscribe(conn, &name), was);
                }
                10 => tell(&mut shards, shard),
                _ => {
                    topics.leave(conn);
                    model.retain(|(of, who, _)| (*of, *who) != (shard, conn));
                }
            }
            if round % 16 == 0 {
                check(&shards, &model);
            }
        }
        (0..SHARDS).for_each(|shard| tell(&mut shards, shard));
        model.iter().for_each(|(shard, conn, _)| shards[*shard as usize].leave(*conn));
        (0..SHARDS).for_each(|shard| tell(&mut shards, shard));
        for topics in &shards {
            assert!(topics.is_empty() && !topics.has_changes());
            assert!(topics.ids.is_empty() && topics.conns.is_empty() && topics.topics.is_empty());
            assert_eq!(topics.bytes(), 0);
        }
    }

    fn tell(shards: &mut [Topics], from: u16) {
        let changes = shards[from as usize].take_changes();
        for (_, topics) in shards.iter_mut().enumerate().filter(|(other, _)| *other != from as usize) {
            changes.iter().for_each(|change| topics.hear(from, change));
        }
    }

    fn check(shards: &[Topics], model: &BTreeSet<(u16, u32, Vec<u8>)>) {
        for (shard, topics) in shards.iter().enumerate() {
            let mut here: BTreeMap<&[u8], BTreeSet<u32>> = BTreeMap::new();
            let mut of_conn: BTreeMap<u32, usize> = BTreeMap::new();
            for (_, conn, name) in model.iter().filter(|(of, _, _)| usize::from(*of) == shard) {
                here.entry(name).or_default().insert(*conn);
                *of_conn.entry(*conn).or_default() += 1;
            }
            for (name, conns) in &here {
                assert_eq!(&topics.here(name).iter().copied().collect::<BTreeSet<_>>(), conns);
                assert!(conns.iter().all(|conn| topics.has(*conn, name)));
            }
            let listed: usize = topics.iter().map(|(_, here, _)| here.len()).sum();
            assert_eq!(listed, of_conn.values().sum::<usize>());
            for (conn, count) in of_conn {
                assert_eq!((topics.count_of(conn), topics.names_of(conn).len()), (count, count));
            }
            assert_eq!(topics.len(), topics.iter().count());
            let pairs = topics.topics.iter().map(|topic| topic.elsewhere.len()).sum();
            let names = topics.ids.keys().map(|name| name.len()).sum();
            assert_eq!((topics.here, topics.elsewhere, topics.name_bytes), (listed, pairs, names));
        }
    }

    #[test]
    fn what_others_are_told_is_what_they_then_know() {
        let (mut one, mut other) = (Topics::default(), Topics::default());
        assert!(one.subscribe(1, b"news") && one.subscribe(2, b"news") && !one.subscribe(1, b"news"));
        let changes = one.take_changes();
        assert_eq!(changes, [(Arc::from(&b"news"[..]), 2)]);
        changes.iter().for_each(|change| other.hear(4, change));
        assert_eq!((other.count(b"news"), other.reach(b"news").1), (2, &[(4, 2)][..]));
        // What comes and goes between two looks is nobody's business.
        assert!(one.subscribe(3, b"brief") && one.unsubscribe(3, b"brief"));
        assert_eq!(one.take_changes(), []);
        assert_eq!((one.len(), one.ids.len()), (1, 1));
        one.leave(1);
        one.leave(2);
        one.take_changes().iter().for_each(|change| other.hear(4, change));
        assert!(other.is_empty() && other.ids.is_empty() && one.ids.is_empty());
    }
}
