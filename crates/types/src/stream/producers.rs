//! Producers that add each of their messages once at most, however often they send it (IDMP and IDMPAUTO of XADD): of each, the
//! last messages and the ids of the entries that were made of them.
//!
//! A message is remembered for a time, counted from the id of its entry, and until its producer has sent so many others.

use super::id::StreamId;
use super::names::Names;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// How long, and how many, messages are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Seconds.
    pub duration_s: u64,
    /// Of each producer.
    pub messages_max: usize,
}

impl Memory {
    pub const DURATION_S: std::ops::RangeInclusive<u64> = 1..=86_400;
    pub const MESSAGES: std::ops::RangeInclusive<usize> = 1..=10_000;
    /// Of a stream of which nobody has said anything else, as far as the configuration does not.
    pub const USUAL: Self = Self { duration_s: 100, messages_max: 100 };

    fn is_over(&self, id: StreamId, now_ms: u64) -> bool {
        id.ms.saturating_add(self.duration_s.saturating_mul(1000)) < now_ms
    }
}

/// What stands in front of and behind the name of a message on the heap.
const NAME_OVERHEAD_BYTES: usize = 16;
/// What a message takes in map and queue, without its name; about.
const MESSAGE_BYTES: usize = NAME_OVERHEAD_BYTES + 2 * size_of::<Arc<[u8]>>() + size_of::<StreamId>();
/// What a producer takes, without its name; about.
const PRODUCER_BYTES: usize = 128;

#[derive(Clone, Debug, Default)]
struct Producer {
    ids: BTreeMap<Arc<[u8]>, StreamId>,
    /// In the order they came.
    order: VecDeque<Arc<[u8]>>,
}

/// The producers of a stream. A copy shares what is remembered of each until that changes.
#[derive(Clone, Debug)]
pub struct Producers {
    memory: Memory,
    producers: Names<Arc<Producer>>,
    /// Messages ever remembered.
    pub added: u64,
    /// Messages that came again.
    pub duplicates: u64,
    bytes: usize,
    /// Whose messages were looked through last for those whose time is over.
    swept: Arc<[u8]>,
}

impl Producers {
    pub fn new(memory: Memory) -> Self {
        Self { memory, producers: Names::default(), added: 0, duplicates: 0, bytes: 0, swept: Arc::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// No message has ever come.
    pub fn is_as_new(&self) -> bool {
        self.is_empty() && self.added == 0 && self.duplicates == 0
    }

    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Changes what is remembered; if that is a change, all is forgotten.
    pub fn set_memory(&mut self, memory: Memory) {
        if self.memory != memory {
            self.memory = memory;
            self.producers.clear();
            self.bytes = 0;
        }
    }

    /// Heap bytes held, about.
    pub fn bytes(&self) -> usize {
        self.bytes + self.swept.len()
    }

    /// Blocks of memory they have, but for those of each one's messages.
    pub fn blocks(&self) -> usize {
        self.producers.blocks()
    }

    /// Frees some hundred of them, of a stream on its way out; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        let bytes = &mut self.bytes;
        self.producers.free_step(|name, producer| {
            let messages = producer.order.iter().map(|message| MESSAGE_BYTES + message.len());
            *bytes -= PRODUCER_BYTES + name.len() + messages.sum::<usize>();
        })
    }

    /// The entry that was made of a message, if it is remembered.
    pub fn get(&self, producer: &[u8], message: &[u8], now_ms: u64) -> Option<StreamId> {
        let id = *self.producers.get(producer)?.ids.get(message)?;
        (!self.memory.is_over(id, now_ms)).then_some(id)
    }

    /// Remembers a message, in the place of what it was remembered by, and forgets those whose time is over: of this producer all, and of
    /// another one, which is the next each time.
    pub fn add(&mut self, producer: &[u8], message: &[u8], id: StreamId, now_ms: u64) {
        self.forget(producer, now_ms);
        if !self.insert(producer, message, id) {
            // What is over may stand behind what is not, where a client has said which entries came of which messages.
            self.forget_message(producer, message);
            self.insert(producer, message, id);
        }
        self.added += 1;
        let next = self.producers.iter_from(Bound::Excluded(&*self.swept)).next();
        let next = next.map(|(name, _)| Arc::clone(name));
        self.swept = next.unwrap_or_default();
        if *self.swept != *producer {
            self.forget(&Arc::clone(&self.swept), now_ms);
        }
    }

    /// Puts a message behind all others of its producer; false if it is there.
    pub fn insert(&mut self, producer: &[u8], message: &[u8], id: StreamId) -> bool {
        match self.producers.get(producer) {
            Some(it) if it.ids.contains_key(message) => return false,
            Some(_) => {}
            None => {
                self.producers.add(producer, Arc::default());
                self.bytes += PRODUCER_BYTES + producer.len();
            }
        }
        let messages_max = self.memory.messages_max;
        let it = Arc::make_mut(self.producers.get_mut(producer).expect("it is there now"));
        while it.order.len() >= messages_max {
            self.bytes -= it.forget_first();
        }
        let message: Arc<[u8]> = message.into();
        self.bytes += MESSAGE_BYTES + message.len();
        it.ids.insert(Arc::clone(&message), id);
        it.order.push_back(message);
        true
    }

    fn forget_message(&mut self, producer: &[u8], message: &[u8]) {
        let Some(it) = self.producers.get_mut(producer).map(Arc::make_mut) else { return };
        if it.ids.remove(message).is_some() {
            it.order.retain(|other| **other != *message);
            self.bytes -= MESSAGE_BYTES + message.len();
        }
    }

    fn forget(&mut self, name: &[u8], now_ms: u64) {
        let memory = self.memory;
        let has_old = |producer: &Producer| {
            producer.order.front().is_some_and(|first| memory.is_over(producer.ids[first], now_ms))
        };
        // What a copy shares is left alone if there is nothing to be forgotten.
        if !self.producers.get(name).is_some_and(|producer| has_old(producer)) {
            return;
        }
        let Some(producer) = self.producers.get_mut(name).map(Arc::make_mut) else { return };
        while has_old(producer) {
            self.bytes -= producer.forget_first();
        }
        if producer.order.is_empty() {
            self.producers.remove(name);
            self.bytes -= PRODUCER_BYTES + name.len();
        }
    }

    /// Producers that have messages that are remembered, and how many messages that are.
    pub fn count(&self, now_ms: u64) -> (usize, usize) {
        let of_each = self.producers.values();
        let of_each =
            of_each.map(|it| it.ids.values().filter(|id| !self.memory.is_over(**id, now_ms)).count());
        of_each.filter(|&count| count > 0).fold((0, 0), |(all, sum), count| (all + 1, sum + count))
    }

    /// All producers with their messages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], impl Iterator<Item = (&[u8], StreamId)>)> {
        self.iter_from(Bound::Unbounded, 0).map(|(name, _, messages)| (name, messages))
    }

    /// The producers from one on, in the order of [`Producers::iter`]: the name, how many messages, and these, of the first from number `first` on.
    pub fn iter_from(
        &self,
        from: Bound<&[u8]>,
        first: usize,
    ) -> impl Iterator<Item = (&[u8], usize, impl Iterator<Item = (&[u8], StreamId)>)> {
        let firsts = std::iter::once(first).chain(std::iter::repeat(0));
        let producers = self.producers.iter_from(from);
        producers.zip(firsts).map(|((name, producer), first)| {
            let messages = producer.order.iter().skip(first);
            (&**name, producer.order.len(), messages.map(|message| (&**message, producer.ids[message])))
        })
    }
}

impl Producer {
    /// Forgets the oldest message, which there is; its bytes.
    fn forget_first(&mut self) -> usize {
        let first = self.order.pop_front().expect("there is one");
        self.ids.remove(&first);
        MESSAGE_BYTES + first.len()
    }
}

/// The name of a message that its producer has given none: made of its pairs, in whatever order they stand.
pub fn name_of_pairs<'a>(words: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let (mut words, mut sum, mut pair) = (words, 0u128, Vec::new());
    while let (Some(field), Some(value)) = (words.next(), words.next()) {
        pair.clear();
        pair.extend_from_slice(&(field.len() as u64).to_le_bytes());
        pair.extend_from_slice(field);
        pair.extend_from_slice(value);
        let low = base::xxh3::xxh3_64(&pair);
        // The length tells fields and values apart; the highest byte of a length is 0 otherwise.
        pair[7] = 0xFF;
        sum = sum.wrapping_add(u128::from(base::xxh3::xxh3_64(&pair)) << 64 | u128::from(low));
    }
    sum.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    #[test]
    fn messages_are_remembered_for_a_time_and_a_number() {
        let memory = Memory { duration_s: 10, messages_max: 3 };
        let mut producers = Producers::new(memory);
        for n in 1..=4 {
            producers.add(b"p", format!("m{n}").as_bytes(), id(n * 1000), n * 1000);
        }
        producers.add(b"q", b"m1", id(5000), 5000);
        assert_eq!(producers.get(b"p", b"m1", 5000), None);
        assert_eq!(producers.get(b"p", b"m2", 5000), Some(id(2000)));
        assert_eq!(producers.get(b"q", b"m1", 5000), Some(id(5000)));
        assert_eq!((producers.get(b"q", b"m2", 5000), producers.count(5000)), (None, (2, 4)));
        assert_eq!(producers.get(b"p", b"m2", 12_000), Some(id(2000)));
        assert_eq!((producers.get(b"p", b"m2", 12_001), producers.count(12_001)), (None, (2, 3)));
        assert_eq!(producers.count(16_000), (0, 0));
        // Others forget as well, in turn.
        for name in [b"1", b"2", b"3", b"4", b"5"] {
            producers.add(b"z", name, id(16_000), 16_000);
        }
        assert_eq!(producers.len(), 1);
        let left: Vec<_> = producers.iter().flat_map(|(_, messages)| messages).collect();
        assert_eq!(left, [(&b"3"[..], id(16_000)), (b"4", id(16_000)), (b"5", id(16_000))]);
        assert_eq!(producers.added, 10);
        producers.set_memory(memory);
        assert_eq!(producers.count(16_000), (1, 3));
        let bytes = producers.bytes;
        producers.add(b"z", b"4", id(17_000), 17_000);
        assert_eq!((producers.get(b"z", b"4", 17_000), producers.count(17_000)), (Some(id(17_000)), (1, 3)));
        assert_eq!(producers.bytes, bytes);
        producers.set_memory(Memory { messages_max: 4, ..memory });
        assert_eq!((producers.count(16_000), producers.bytes() < 2, producers.added), ((0, 0), true, 11));
    }

    #[test]
    fn a_copy_stays_as_it_is() {
        let mut producers = Producers::new(Memory { duration_s: 10, messages_max: 3 });
        for n in 0..9u64 {
            producers.add([b"p", b"q"][n as usize % 2], format!("m{n}").as_bytes(), id(n), 0);
        }
        let told = |producers: &Producers| {
            let of_each = producers.iter();
            of_each
                .map(|(name, messages)| format!("{name:?} {:?}", messages.collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        };
        let (copy, before) = (producers.clone(), told(&producers));
        producers.add(b"p", b"m8", id(10), 0);
        producers.add(b"r", b"m", id(11), 0);
        assert_ne!(told(&producers), before);
        producers.add(b"q", b"m", id(30_000), 30_000);
        assert_eq!((told(&copy), copy.added), (before, 9));
        while producers.free_step() {}
        assert_eq!((producers.len(), producers.bytes), (0, 0));
    }

    #[test]
    fn the_order_of_pairs_does_not_matter_but_their_bounds_do() {
        let name = |words: &[&str]| name_of_pairs(words.iter().map(|word| word.as_bytes()));
        assert_eq!(name(&["a", "1", "b", "2"]), name(&["b", "2", "a", "1"]));
        for other in [&["a", "2", "b", "1"][..], &["a", "1"], &["a1", "", "b", "2"], &["1", "a", "2", "b"]] {
            assert_ne!(name(&["a", "1", "b", "2"]), name(other));
        }
        assert_ne!(name(&["ab", "c"]), name(&["a", "bc"]));
        assert_ne!(name(&["a", "1", "a", "1"]), name(&["b", "1", "b", "1"]));
    }
}
