//! HOTKEYS: which keys of one shard cost most, in time and in bytes of requests and replies.
//!
//! The heaviest keys are kept by the Space-Saving algorithm (Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and
//! Top-k Elements in Data Streams", 2005): a key that comes when there is no room takes the place of the lightest one and its weight, which is
//! remembered as what it may be too heavy. Told is what is certain: what has been measured since the key came last.

use crate::platform::Usage;
use std::collections::{BTreeSet, HashMap};

/// So many keys are kept for each that is told: what is told of is seldom thrown out on the way.
const KEPT_PER_TOLD: usize = 10;

/// What HOTKEYS START asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub cpu: bool,
    pub net: bool,
    /// How many keys are told of.
    pub count: usize,
    /// When it ends by itself, after so many ms.
    pub duration_ms: Option<u64>,
    /// One command of so many is looked at, by chance.
    pub sample_ratio: u64,
}

/// The session under way, or the last one.
#[derive(Default)]
pub struct HotKeys {
    session: Option<Box<Session>>,
}

pub struct Session {
    pub wanted: Wanted,
    pub began_ms: u64,
    /// What the process had used by then.
    pub usage: Usage,
    /// How long it took, if a client has ended it.
    stopped_after_ms: Option<u64>,
    /// Of all commands with keys, sampled or not.
    pub nanos: u64,
    pub bytes: u64,
    pub sampled_bytes: u64,
    pub by_nanos: Heaviest,
    pub by_bytes: Heaviest,
    /// Time spent on keeping this.
    pub own_nanos: u64,
}

impl HotKeys {
    /// Begins a session; an earlier one that is over is forgotten.
    pub fn start(&mut self, wanted: Wanted, now_ms: u64, usage: Usage) {
        let heaviest =
            |is_wanted: bool| Heaviest::new(if is_wanted { wanted.count * KEPT_PER_TOLD } else { 0 });
        self.session = Some(Box::new(Session {
            wanted,
            began_ms: now_ms,
            usage,
            stopped_after_ms: None,
            nanos: 0,
            bytes: 0,
            sampled_bytes: 0,
            by_nanos: heaviest(wanted.cpu),
            by_bytes: heaviest(wanted.net),
            own_nanos: 0,
        }));
    }

    /// Ends the session; what it has found stays. Says whether there was one.
    pub fn stop(&mut self, now_ms: u64) -> bool {
        let Some(session) = self.active(now_ms) else { return false };
        session.stopped_after_ms = Some(now_ms.saturating_sub(session.began_ms));
        true
    }

    /// Forgets what was found.
    pub fn reset(&mut self) {
        self.session = None;
    }

    /// The session under way, or the last one.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// The session under way.
    pub fn active(&mut self, now_ms: u64) -> Option<&mut Session> {
        self.session.as_deref_mut().filter(|session| session.is_active(now_ms))
    }

    /// Whether commands have to be timed for it.
    pub fn needs_times(&self, now_ms: u64) -> bool {
        self.session().is_some_and(|session| session.is_active(now_ms))
    }
}

impl Session {
    pub fn is_active(&self, now_ms: u64) -> bool {
        let elapsed_ms = now_ms.saturating_sub(self.began_ms);
        self.stopped_after_ms.is_none() && self.wanted.duration_ms.is_none_or(|ms| elapsed_ms < ms)
    }

    /// How long it has taken so far, or took.
    pub fn duration_ms(&self, now_ms: u64) -> u64 {
        let elapsed_ms = now_ms.saturating_sub(self.began_ms);
        self.stopped_after_ms.unwrap_or(elapsed_ms.min(self.wanted.duration_ms.unwrap_or(u64::MAX)))
    }

    /// A command with these keys has taken so long and had so many bytes, with its reply: its keys share that.
    pub fn note<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
        nanos: u64,
        bytes: u64,
        draw: u64,
    ) {
        self.nanos += nanos;
        self.bytes += bytes;
        if !draw.is_multiple_of(self.wanted.sample_ratio) {
            return;
        }
        let count = keys.len() as u64;
        if count == 0 {
            return;
        }
        self.sampled_bytes += bytes / count * count;
        for key in keys {
            if self.wanted.cpu {
                self.by_nanos.add(key, nanos / count);
            }
            if self.wanted.net {
                self.by_bytes.add(key, bytes / count);
            }
        }
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.by_nanos.memory() + self.by_bytes.memory()
    }
}

/// The heaviest keys.
pub struct Heaviest {
    most: usize,
    keys: Vec<Kept>,
    /// Where a key stands in `keys`.
    places: HashMap<Box<[u8]>, u32>,
    /// By weight, the lightest first.
    order: BTreeSet<(u64, u32)>,
}

struct Kept {
    key: Box<[u8]>,
    weight: u64,
    /// What of it may have been others'.
    uncertain: u64,
}

impl Heaviest {
    /// Keeps so many.
    fn new(most: usize) -> Self {
        Self { most, keys: Vec::new(), places: HashMap::default(), order: BTreeSet::new() }
    }

    fn add(&mut self, key: &[u8], weight: u64) {
        if let Some(&place) = self.places.get(key) {
            let kept = &mut self.keys[place as usize];
            self.order.remove(&(kept.weight, place));
            kept.weight += weight;
            self.order.insert((kept.weight, place));
        } else if self.keys.len() < self.most {
            let place = self.keys.len() as u32;
            self.keys.push(Kept { key: key.into(), weight, uncertain: 0 });
            self.places.insert(key.into(), place);
            self.order.insert((weight, place));
        } else if let Some((lightest, place)) = self.order.pop_first() {
            let kept = &mut self.keys[place as usize];
            self.places.remove(&kept.key);
            *kept = Kept { key: key.into(), weight: lightest + weight, uncertain: lightest };
            self.places.insert(key.into(), place);
            self.order.insert((lightest + weight, place));
        }
    }

    /// Each key and its weight, as far as that is certain; in no order.
    pub fn certain(&self) -> impl ExactSizeIterator<Item = (&[u8], u64)> {
        self.keys.iter().map(|kept| (&*kept.key, kept.weight - kept.uncertain))
    }

    fn memory(&self) -> usize {
        let entry = size_of::<Kept>() + size_of::<(Box<[u8]>, u32)>() + size_of::<(u64, u32)>();
        self.keys.iter().map(|kept| entry + 2 * kept.key.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_keys_stay_and_are_never_told_heavier_than_they_are() {
        let mut heaviest = Heaviest::new(20);
        let mut truth = HashMap::<Vec<u8>, u64>::new();
        let mut random = base::random::Random::from_seed(1);
        for _ in 0..20_000 {
            // Every other command is of one of five keys.
            let number = if random.below(2) == 0 { random.below(5) } else { 5 + random.below(1000) };
            let (key, weight) = (number.to_string().into_bytes(), random.below(10));
            heaviest.add(&key, weight);
            *truth.entry(key).or_default() += weight;
        }
        assert!(heaviest.certain().all(|(key, weight)| weight <= truth[key]));
        let total: u64 = truth.values().sum();
        for heavy in ["0", "1", "2", "3", "4"] {
            let (_, told) = heaviest.certain().find(|(key, _)| *key == heavy.as_bytes()).expect("it is kept");
            assert!(told + total / 20 >= truth[heavy.as_bytes()]);
        }
        assert_eq!((heaviest.keys.len(), heaviest.places.len(), heaviest.order.len()), (20, 20, 20));
    }

    #[test]
    fn a_session_ends_when_its_time_is_over() {
        let wanted = Wanted { cpu: true, net: false, count: 2, duration_ms: Some(1000), sample_ratio: 1 };
        let mut hot = HotKeys::default();
        assert!(!hot.stop(0) && hot.session().is_none());
        hot.start(wanted, 5000, Usage::default());
        hot.active(5999).unwrap().note([&b"k"[..]].into_iter(), 3000, 70, 8);
        assert!(hot.needs_times(5999) && !hot.needs_times(6000));
        assert!(hot.active(6000).is_none() && !hot.stop(6001));
        let session = hot.session().unwrap();
        assert_eq!((session.duration_ms(9000), session.nanos, session.bytes), (1000, 3000, 70));
        assert_eq!(session.by_nanos.certain().collect::<Vec<_>>(), [(&b"k"[..], 3000)]);
        assert_eq!(session.by_bytes.certain().count(), 0);
        hot.reset();
        assert!(hot.session().is_none());
    }
}
