//! A consumer group: how far it has read, who reads for it, and what was delivered but not acknowledged.

use super::StreamId;
use super::pending::{ConsumerId, Delivery, Pending};

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried to do anything, unix ms.
    pub seen_ms: u64,
    /// When it last got an entry, unix ms.
    pub active_ms: Option<u64>,
    pending: usize,
}

impl Consumer {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries it has to acknowledge.
    pub fn pending(&self) -> usize {
        self.pending
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    name: Box<[u8]>,
    /// The last entry that was delivered.
    pub last_id: StreamId,
    /// How many entries of the stream, from the first there ever was, have been read up to `last_id`, if that is known.
    pub entries_read: Option<u64>,
    pending: Pending,
    /// By number; those of consumers that have gone are free.
    consumers: Vec<Option<Consumer>>,
    /// Their numbers by name.
    by_name: Vec<ConsumerId>,
    names_bytes: usize,
    /// How many entries were ever given back, and how many of them nobody has taken since.
    given_back_ever: u64,
    given_back: usize,
}

impl Group {
    /// A group without consumers.
    pub fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            pending: Pending::default(),
            consumers: Vec::new(),
            by_name: Vec::new(),
            names_bytes: 0,
            given_back_ever: 0,
            given_back: 0,
        }
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.name.len()
            + self.names_bytes
            + self.pending.bytes()
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.by_name.capacity() * size_of::<ConsumerId>()
    }

    #[inline]
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    // ---- consumers

    /// Consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerId, &Consumer)> {
        self.by_name.iter().map(|&id| (id, self.consumer(id)))
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&id| (*self.consumer(id).name).cmp(name))
    }

    pub fn consumer_of(&self, name: &[u8]) -> Option<ConsumerId> {
        self.find(name).ok().map(|index| self.by_name[index])
    }

    /// A consumer that has not been deleted.
    #[inline]
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        self.consumers[id.0 as usize].as_ref().expect("the number of a consumer that is there")
    }

    #[inline]
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers[id.0 as usize].as_mut().expect("the number of a consumer that is there")
    }

    /// Adds a consumer unless there is one of this name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: u64) -> Option<ConsumerId> {
        let Err(place) = self.find(name) else { return None };
        let consumer = Consumer { name: name.into(), seen_ms: now_ms, active_ms: None, pending: 0 };
        let free = (self.by_name.len() < self.consumers.len())
            .then(|| self.consumers.iter().position(Option::is_none))
            .flatten();
        let index = free.unwrap_or(self.consumers.len());
        match free {
            Some(index) => self.consumers[index] = Some(consumer),
            None => self.consumers.push(Some(consumer)),
        }
        let id = ConsumerId(u32::try_from(index).expect("fewer consumers than bytes"));
        self.by_name.insert(place, id);
        self.names_bytes += name.len();
        Some(id)
    }

    /// Deletes a consumer and what is pending for it; how much that was.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.by_name.remove(self.find(name).ok()?);
        let consumer = self.consumers[id.0 as usize].take()?;
        self.names_bytes -= consumer.name.len();
        if consumer.pending > 0 {
            let removed = self.pending.remove_of(id);
            assert!(removed == consumer.pending, "a consumer's entries are counted");
        }
        Some(consumer.pending)
    }

    // ---- deliveries

    /// The delivery of an entry, if it is pending.
    pub fn delivery(&self, id: StreamId) -> Option<Delivery> {
        self.pending.get(id)
    }

    /// An entry goes to a consumer, whoever had it before.
    pub fn assign(&mut self, id: StreamId, consumer: ConsumerId, at_ms: u64, count: u64) {
        self.enter(id, Delivery::new(consumer, at_ms, count));
    }

    /// An entry is given back to the group, behind all that were before.
    pub fn give_back(&mut self, id: StreamId, count: u64) {
        self.given_back_ever += 1;
        self.enter(id, Delivery { consumer: None, at: self.given_back_ever, count });
    }

    fn enter(&mut self, id: StreamId, delivery: Delivery) {
        self.count(delivery.consumer, 1);
        if let Some(before) = self.pending.set(id, delivery) {
            self.count(before.consumer, -1);
        }
    }

    fn count(&mut self, consumer: Option<ConsumerId>, by: isize) {
        let count = match consumer {
            Some(id) => &mut self.consumer_mut(id).pending,
            None => &mut self.given_back,
        };
        *count = count.checked_add_signed(by).expect("what goes has come");
    }

    /// An entry is pending no longer; whether it was.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(delivery) = self.pending.remove(id) else { return false };
        self.count(delivery.consumer, -1);
        true
    }

    // ---- groups from files

    /// An entry whose consumer is not known yet; false if there is one with this ID.
    pub fn load(&mut self, id: StreamId, stored_at: u64, count: u64) -> bool {
        let is_new = self.pending.get(id).is_none();
        if is_new {
            self.enter(id, Delivery { consumer: None, at: stored_at, count });
        }
        is_new
    }

    /// The consumer of such an entry; false if none waits for one.
    pub fn load_owner(&mut self, id: StreamId, consumer: ConsumerId) -> bool {
        match self.pending.get(id) {
            Some(Delivery { consumer: None, at, count }) => {
                self.assign(id, consumer, at, count);
                true
            }
            _ => false,
        }
    }

    /// What was given back, first to last; false unless these are just the entries whose consumer is not known.
    pub fn load_given_back(&mut self, ids: &[StreamId]) -> bool {
        if ids.len() != self.given_back {
            return false;
        }
        let mut left: std::collections::BTreeSet<StreamId> =
            self.pending.iter_of(None, StreamId::MIN).map(|(id, _)| id).collect();
        ids.iter().all(|&id| {
            let count = self.pending.get(id).map_or(0, |delivery| delivery.count);
            let is_known = left.remove(&id);
            if is_known {
                self.give_back(id, count);
            }
            is_known
        })
    }

    /// All consumers are known: what none of them has was given back, in the order of what stood for the time.
    pub fn loaded(&mut self) {
        if self.given_back == 0 {
            return;
        }
        let entries = self.pending.iter_of(None, StreamId::MIN);
        let mut entries: Vec<_> = entries.map(|(id, delivery)| (delivery.at, id, delivery.count)).collect();
        entries.sort_unstable();
        entries.into_iter().for_each(|(_, id, count)| self.give_back(id, count));
    }

    /// What was given back and nobody has taken since, first to last.
    pub fn given_back_in_order(&self) -> Vec<StreamId> {
        if self.given_back == 0 {
            return Vec::new();
        }
        let entries = self.pending.iter_of(None, StreamId::MIN);
        let mut entries: Vec<_> = entries.map(|(id, delivery)| (delivery.at, id)).collect();
        entries.sort_unstable();
        entries.into_iter().map(|(_, id)| id).collect()
    }

    /// Entries that were given back and that nobody has taken since.
    pub fn given_back(&self) -> usize {
        self.given_back
    }

    /// See [`Pending::oldest`].
    pub fn oldest(&mut self, until_ms: u64, count: usize) -> Vec<StreamId> {
        self.pending.oldest(until_ms, count)
    }

    pub(super) fn free_step(&mut self) -> bool {
        self.pending.free_step()
    }
}
