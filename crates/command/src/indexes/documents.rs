//! Ids of the documents of an index and the keys that they are under.
//!
//! An id is unlike those of all other shards, without a message: shards take turns with containers of 65,536 ids, so that sets of ids of
//! several shards share no container. Documents that are written in turn have ids in their order as long as no id is used again, so those that sort alike are found in that order. The id of a document that has gone is
//! used again, but only once a good part of all ids has been given up, for who has it comes before documents that were written earlier; and not while a search is under way that may have found the
//! document.
//!
//! With several shards, when a document was first written is kept, so that documents of several shards that sort alike can be shown in that order.

mod key;

use base::hash::HashSeed;
use hashbrown::HashTable;
pub use key::DocumentKey;
use search::DocumentId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Ids in a container of a roaring bitmap.
const CONTAINER: u32 = 1 << 16;

/// Ids that have been given up are used again when there are more than this, and more than a share of all.
const FREE_MAX: usize = 1024;
const FREE_SHARE: usize = 8;

/// The documents of a shard's part of an index.
pub struct Documents {
    shard: u32,
    shards: u32,
    /// The slots of keys, found by the keys in `keys`, which so are kept once.
    slots: HashTable<u32>,
    seed: HashSeed,
    /// By slot; a slot without a key is free.
    keys: Vec<Option<DocumentKey>>,
    /// By slot: when the document came, in µs. Empty where there is one shard: nothing is put together there, and the order is that of ids.
    written_us: Vec<u64>,
    /// The lowest is taken first.
    free: BinaryHeap<Reverse<u32>>,
    /// Slots that searches under way may still ask for.
    resting: Vec<u32>,
    searches: Held,
    /// What keys take outside of `keys`.
    outside_bytes: usize,
}

/// While there is one, no id of a document that goes becomes another's.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<()>);

impl Documents {
    /// None yet, of the shard with this number among so many.
    pub fn new(shard: u16, shards: u16, seed: &HashSeed) -> Self {
        Self {
            shard: shard.into(),
            shards: shards.into(),
            slots: HashTable::new(),
            seed: seed.clone(),
            keys: Vec::new(),
            written_us: Vec::new(),
            free: BinaryHeap::new(),
            resting: Vec::new(),
            searches: Held::default(),
            outside_bytes: 0,
        }
    }

    /// A search begins.
    pub fn hold(&self) -> Held {
        self.searches.clone()
    }

    fn is_searched(&self) -> bool {
        Arc::strong_count(&self.searches.0) > 1
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The id of the n-th slot, if it can be told in 32 bits.
    fn id_of_slot(&self, slot: u32) -> Option<DocumentId> {
        let container = (slot / CONTAINER).checked_mul(self.shards)?.checked_add(self.shard)?;
        container.checked_mul(CONTAINER)?.checked_add(slot % CONTAINER)
    }

    fn slot_of(&self, id: DocumentId) -> Option<u32> {
        let container = id / CONTAINER;
        (container % self.shards == self.shard).then(|| container / self.shards * CONTAINER + id % CONTAINER)
    }

    /// The ids of the documents in some slots; `None` if there is none from the first of them on.
    pub fn ids_of(&self, slots: std::ops::Range<u32>) -> Option<impl Iterator<Item = DocumentId>> {
        let some = self.keys.get(slots.start as usize..).filter(|rest| !rest.is_empty())?;
        let there = slots.zip(some).filter(|(_, key)| key.is_some());
        Some(there.filter_map(|(slot, _)| self.id_of_slot(slot)))
    }

    /// The id of the document under a key.
    pub fn id_of(&self, key: &[u8]) -> Option<DocumentId> {
        let slot = self.slots.find(self.seed.hash(key), self.has(key))?;
        self.id_of_slot(*slot)
    }

    /// Whether a slot is that of a key.
    fn has(&self, key: &[u8]) -> impl Fn(&u32) -> bool {
        let keys = &self.keys;
        move |slot: &u32| keys[*slot as usize].as_deref() == Some(key)
    }

    /// The key of a document.
    pub fn key_of(&self, id: DocumentId) -> Option<&DocumentKey> {
        self.keys.get(self.slot_of(id)? as usize)?.as_ref()
    }

    /// Asks for the keys of documents, whose memory comes side by side then.
    pub fn ask_for_keys(&self, ids: impl Iterator<Item = DocumentId> + Clone) {
        let slots = ids.clone().filter_map(|id| self.keys.get(self.slot_of(id)? as usize));
        slots.for_each(|slot| keyspace::prefetch((&raw const *slot).cast()));
        ids.filter_map(|id| self.key_of(id)).for_each(|key| keyspace::prefetch(key.as_ptr()));
    }

    /// When a document came, in µs of the shards' clock; 0 if there is one.
    pub fn written_us(&self, id: DocumentId) -> u64 {
        self.slot_of(id).and_then(|slot| self.written_us.get(slot as usize)).copied().unwrap_or(0)
    }

    /// The id of the document under a key, a new one if it has none; `None` if there are no more ids.
    pub fn add(&mut self, key: &[u8], now_us: u64) -> Option<DocumentId> {
        if let Some(id) = self.id_of(key) {
            return Some(id);
        }
        if !self.resting.is_empty() && !self.is_searched() {
            self.free.extend(self.resting.drain(..).map(Reverse));
        }
        let has_many_free = self.free.len() > FREE_MAX.max(self.keys.len() / FREE_SHARE);
        let fresh = u32::try_from(self.keys.len()).ok().filter(|slot| self.id_of_slot(*slot).is_some());
        let again = if has_many_free || fresh.is_none() { self.free.pop() } else { None };
        let slot = again.map(|slot| slot.0).or(fresh)?;
        let id = self.id_of_slot(slot)?;
        let key = DocumentKey::from(key);
        self.outside_bytes += key.outside_bytes();
        let hash = self.seed.hash(&key);
        match self.keys.get_mut(slot as usize) {
            Some(free) => *free = Some(key),
            None => self.keys.push(Some(key)),
        }
        if self.shards > 1 {
            self.written_us.resize(self.keys.len(), 0);
            self.written_us[slot as usize] = now_us;
        }
        let Self { slots, keys, seed, .. } = self;
        slots.insert_unique(hash, slot, |slot| keys[*slot as usize].as_ref().map_or(0, |key| seed.hash(key)));
        Some(id)
    }

    /// Removes a key's document; the id that it had.
    pub fn remove(&mut self, key: &[u8]) -> Option<DocumentId> {
        let Self { slots, keys, seed, .. } = self;
        let has = |slot: &u32| keys[*slot as usize].as_deref() == Some(key);
        let (slot, _) = slots.find_entry(seed.hash(key), has).ok()?.remove();
        let id = self.id_of_slot(slot);
        self.outside_bytes -= self.keys[slot as usize].take().map_or(0, |key| key.outside_bytes());
        if self.is_searched() {
            self.resting.push(slot);
        } else {
            self.free.push(Reverse(slot));
        }
        id
    }

    /// All documents go.
    pub fn clear(&mut self) {
        let none = Self::new(self.shard as u16, self.shards as u16, &self.seed.clone());
        let old = std::mem::replace(self, none);
        if old.is_searched() {
            self.resting = (0..old.keys.len() as u32).collect();
            self.keys = vec![None; old.keys.len()];
            self.written_us = old.written_us;
            self.searches = old.searches;
        }
    }

    /// All ids and keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (DocumentId, &DocumentKey)> {
        let there = self.keys.iter().zip(0..).filter_map(|(key, slot)| Some((slot, key.as_ref()?)));
        there.filter_map(|(slot, key)| Some((self.id_of_slot(slot)?, key)))
    }

    /// The largest id that was ever in use.
    pub fn id_max(&self) -> Option<DocumentId> {
        self.id_of_slot((self.keys.len() as u32).checked_sub(1)?)
    }

    /// Memory that it owns: keys, slots and table entries.
    pub fn bytes(&self) -> usize {
        self.outside_bytes
            + self.slots.allocation_size()
            + self.keys.capacity() * size_of::<Option<DocumentKey>>()
            + self.written_us.capacity() * size_of::<u64>()
            + (self.free.capacity() + self.resting.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_shards_differ_and_are_used_again() {
        let mut seen = HashSet::new();
        for shard in 0..3 {
            let mut documents = Documents::new(shard, 3, &HashSeed::new(1, 2));
            for n in 0..70_000_u32 {
                let key = n.to_string().into_bytes();
                let id = documents.add(&key, u64::from(n)).expect("there are ids");
                assert!(seen.insert(id), "{id} is another's");
                assert_eq!(id / CONTAINER % 3, u32::from(shard));
                assert_eq!(documents.key_of(id).map(|key| key.to_vec()), Some(key.clone()));
                assert_eq!(documents.add(&key, 0), Some(id));
                assert_eq!(documents.written_us(id), u64::from(n));
            }
            let id = documents.remove(b"60000").expect("it is there");
            assert_eq!((documents.key_of(id), documents.id_of(b"60000")), (None, None));
            let later = documents.add(b"new", 7).expect("there are ids");
            assert!(later > id, "those that are written in turn have ids in their order");
            assert_eq!(documents.written_us(later), 7);
            assert_eq!(documents.len(), 70_000);
            for n in 0..70_001 / FREE_SHARE {
                assert!(documents.remove(n.to_string().as_bytes()).is_some());
            }
            let lowest = documents.id_of_slot(0);
            assert_eq!((lowest, documents.add(b"again", 8)), (documents.id_of(b"again"), lowest));
        }
    }

    /// With so many documents that the ids of those that go are used again at once.
    fn with_many_free() -> (Documents, DocumentId) {
        let mut documents = Documents::new(0, 1, &HashSeed::new(1, 2));
        let first = documents.add(b"first", 1).expect("there are ids");
        for n in 0..=FREE_MAX as u64 {
            documents.add(&n.to_le_bytes(), 1).expect("there are ids");
        }
        for n in 0..=FREE_MAX as u64 {
            documents.remove(&n.to_le_bytes()).expect("it is there");
        }
        (documents, first)
    }

    #[test]
    fn ids_rest_while_they_may_be_asked_for() {
        let (mut documents, first) = with_many_free();
        let held = documents.hold();
        assert_eq!(documents.remove(b"first"), Some(first));
        let other = documents.add(b"other", 2);
        assert!(other.is_some_and(|other| other != first));
        assert_eq!(documents.key_of(first), None);
        drop(held);
        assert_eq!(documents.add(b"third", 3), Some(first));
    }

    #[test]
    fn ids_rest_when_all_documents_go_during_a_search() {
        let (mut documents, first) = with_many_free();
        let held = documents.hold();
        documents.clear();
        assert_eq!((documents.len(), documents.key_of(first)), (0, None));
        let other = documents.add(b"other", 2).expect("there are ids");
        assert!(other > first + FREE_MAX as u32);
        drop(held);
        assert_eq!(documents.add(b"third", 3), Some(first));
        assert_eq!(documents.key_of(other).map(|key| key.to_vec()), Some(b"other".to_vec()));
    }

    #[test]
    fn the_last_ids() {
        let documents = Documents::new(1, 2, &HashSeed::new(1, 2));
        let last = u32::MAX / (2 * CONTAINER) * CONTAINER + CONTAINER - 1;
        assert_eq!(documents.id_of_slot(last), Some(u32::MAX));
        assert_eq!(documents.id_of_slot(last + 1), None);
    }
}
