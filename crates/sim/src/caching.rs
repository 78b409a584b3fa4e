//! Clients that cache what they read, with CLIENT TRACKING, and what their caches must never hold.
//!
//! - Whoever reads what was asked for after a write had been answered has been told of that write: its cache holds nothing older. Not
//!   with BCAST, where what a turn brings comes behind its replies; and not of writes to keys of several shards that lock them.
//! - Who waits for each reply is not told of a change behind a reply that is younger.
//! - When everything has come, what is in a cache is so.

use crate::history::Record;
use crate::op::{Key, Op, Text};
use base::random::Random;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use testkit::Value;

/// How a client tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    All,
    NoLoop,
    OptIn,
    OptOut,
    Broadcast,
    BroadcastNoLoop,
}

impl Mode {
    pub fn any(random: &mut Random) -> Self {
        use Mode::*;
        [All, All, NoLoop, OptIn, OptOut, Broadcast, BroadcastNoLoop][random.index(7)]
    }

    /// The request that begins it.
    pub fn request(self) -> Vec<&'static str> {
        let options: &[&str] = match self {
            Self::All => &[],
            Self::NoLoop => &["NOLOOP"],
            Self::OptIn => &["OPTIN"],
            Self::OptOut => &["OPTOUT"],
            Self::Broadcast => &["BCAST"],
            Self::BroadcastNoLoop => &["BCAST", "NOLOOP"],
        };
        [&["CLIENT", "TRACKING", "ON"], options].concat()
    }

    fn is_broadcast(self) -> bool {
        matches!(self, Self::Broadcast | Self::BroadcastNoLoop)
    }

    fn hears_of_itself(self) -> bool {
        !matches!(self, Self::NoLoop | Self::BroadcastNoLoop)
    }
}

/// What is written in a run, and where.
pub struct Written<'a> {
    pub history: &'a [Record],
    /// Which operation, by its place in the history, writes a string.
    pub writers: &'a HashMap<Text, usize>,
    /// Keys that only get new strings, from operations that write such.
    pub plain: &'a [Key],
    /// All keys are absent at first, and never again those of `plain`.
    pub never_absent: bool,
    /// The shard of each key.
    pub owners: &'a [usize],
}

/// What a client knows of a key.
struct Cached {
    value: Option<Text>,
    /// It was asked for and answered while nothing else of the client was under way.
    alone: bool,
}

/// What a client keeps.
pub struct Cache {
    pub mode: Mode,
    held: BTreeMap<Key, Cached>,
    /// Reads, by their places in the history, that are not for the cache; and those that were asked for alone.
    passing: BTreeSet<usize>,
    alone: BTreeSet<usize>,
}

impl Cache {
    pub fn new(mode: Mode) -> Self {
        let (held, passing, alone) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { mode, held, passing, alone }
    }

    /// A request is about to be sent, beside others or not; what has to be said before it.
    pub fn ask(
        &mut self,
        place: usize,
        op: &Op,
        is_alone: bool,
        random: &mut Random,
    ) -> Option<[&'static str; 3]> {
        if is_alone {
            self.alone.insert(place);
        } else {
            self.alone.clear();
        }
        if !matches!(op, Op::Get(_) | Op::MGet(_)) {
            return None;
        }
        let is_kept = random.below(4) > 0;
        if !is_kept && matches!(self.mode, Mode::OptIn | Mode::OptOut) {
            self.passing.insert(place);
        }
        match self.mode {
            Mode::OptIn if is_kept => Some(["CLIENT", "CACHING", "YES"]),
            Mode::OptOut if !is_kept => Some(["CLIENT", "CACHING", "NO"]),
            _ => None,
        }
    }

    /// A reply has come.
    pub fn keep(&mut self, place: usize, written: &Written<'_>) -> Result<(), String> {
        let record = &written.history[place];
        let Some((_, reply)) = &record.returned else { return Ok(()) };
        let alone = self.alone.remove(&place);
        let shown: Vec<(Key, Option<Text>)> = match (&record.op, reply) {
            (Op::Get(key), reply) => vec![(*key, reply.bytes().map(<[u8]>::to_vec))],
            (Op::MGet(keys), Value::Array(items)) => {
                keys.iter().zip(items).map(|(key, item)| (*key, item.bytes().map(<[u8]>::to_vec))).collect()
            }
            (op, _) if op.is_write() && !self.mode.hears_of_itself() => {
                match op.keys() {
                    Some(keys) => keys.iter().for_each(|key| _ = self.held.remove(key)),
                    None => self.held.clear(),
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        if !self.passing.contains(&place) {
            let is_single = shown.len() == 1;
            for (key, value) in &shown {
                let cached = Cached { value: value.clone(), alone: alone && is_single };
                self.held.insert(*key, cached);
            }
        }
        let asked = |text: &Text| Some(written.history[*written.writers.get(text)?].invoked);
        let learned = shown.iter().filter_map(|(_, value)| asked(value.as_ref()?)).max();
        match learned {
            Some(learned) if !self.mode.is_broadcast() => self.check(record, learned, written),
            _ => Ok(()),
        }
    }

    /// It has read something that was asked for at time `learned`: nothing that it holds is older than what had been answered by then.
    fn check(&self, record: &Record, learned: u64, written: &Written<'_>) -> Result<(), String> {
        for (key, cached) in self.held.iter().filter(|(key, _)| written.plain.contains(key)) {
            let newer = (0..written.history.len()).find(|&newer| {
                let record = &written.history[newer];
                let is_answered = record.returned.as_ref().is_some_and(|(at, _)| *at < learned);
                is_answered && written.is_told(record, *key) && written.replaces(newer, cached)
            });
            if let Some(newer) = newer.map(|newer| &written.history[newer]) {
                let value =
                    cached.value.as_ref().map_or("nothing".into(), |text| String::from_utf8_lossy(text));
                let mode = self.mode;
                return Err(format!(
                    "{mode:?}: k{key} is {value} in the cache after\n{record}\nin spite of\n{newer}"
                ));
            }
        }
        Ok(())
    }

    /// An invalidation has come.
    pub fn forget(&mut self, parts: &[Value], names: &[String], written: &Written<'_>) -> Result<(), String> {
        let Some(keys) = parts.get(1).and_then(Value::items) else {
            self.held.clear();
            return Ok(());
        };
        for name in keys {
            let key = names.iter().position(|known| name.bytes() == Some(known.as_bytes()));
            let Some(key) = key else { return Err(format!("there is no key {name}")) };
            let Some(cached) = self.held.remove(&key) else { continue };
            let may_be_newer = |place: usize| {
                let record = &written.history[place];
                let is_inert = record.returned.as_ref().is_some_and(|(_, reply)| record.op.is_inert(reply));
                let writes = record.op.is_write() && !is_inert;
                let is_of_key = record.op.keys().is_none_or(|keys| keys.contains(&key));
                // What locks keys of several shards may tell of them late.
                writes && is_of_key && !(written.is_told(record, key) && written.is_replaced(place, &cached))
            };
            let is_plain = written.plain.contains(&key) && written.never_absent;
            let is_sure = is_plain && cached.alone && !self.mode.is_broadcast();
            if is_sure && !(0..written.history.len()).any(may_be_newer) {
                let value = cached.value.map(|text| String::from_utf8_lossy(&text).into_owned());
                return Err(format!(
                    "an invalidation of k{key} comes late: {value:?} is in the cache, and newest"
                ));
            }
        }
        Ok(())
    }

    /// Nothing changes any more, and these are the values.
    pub fn check_at_the_end(&self, values: &BTreeMap<Key, Option<Text>>) -> Result<(), String> {
        for (key, cached) in &self.held {
            if values.get(key).is_some_and(|value| *value != cached.value) {
                let shown = |value: &Option<Text>| {
                    value.as_ref().map(|text| String::from_utf8_lossy(text).into_owned())
                };
                let (held, now) = (shown(&cached.value), shown(&values[key]));
                return Err(format!(
                    "{:?}: k{key} is {held:?} in a cache at the end, and {now:?} in truth",
                    self.mode
                ));
            }
        }
        Ok(())
    }
}

impl Written<'_> {
    /// Whether a record writes a new string to a key so that clients that cache are told before its reply: unless it locks keys of
    /// several shards.
    fn is_told(&self, record: &Record, key: Key) -> bool {
        let writes = |op: &Op| match op {
            Op::Set(own, _) => *own == key,
            Op::MSet(pairs) => pairs.iter().any(|(own, _)| *own == key),
            _ => false,
        };
        match &record.op {
            Op::Block { ops, .. } | Op::Script { ops, .. } => {
                let keys = record.op.keys().unwrap_or_default();
                let is_of_one_shard = keys.iter().all(|other| self.owners[*other] == self.owners[key]);
                is_of_one_shard && !record.op.asks_late() && ops.iter().any(writes)
            }
            op => writes(op),
        }
    }

    /// Whether a write to a key, by its place, must have come after the value in the cache was written.
    fn replaces(&self, newer: usize, cached: &Cached) -> bool {
        let Some(text) = &cached.value else { return self.never_absent };
        self.writers.get(text).is_some_and(|writer| self.is_before(*writer, newer))
    }

    /// Whether a write to a key must have come before the value in the cache was written, or is what wrote it.
    fn is_replaced(&self, older: usize, cached: &Cached) -> bool {
        let writer = cached.value.as_ref().and_then(|text| self.writers.get(text));
        writer.is_some_and(|writer| *writer == older || self.is_before(older, *writer))
    }

    /// Of two operations that share a key, whether the first was done before the second.
    fn is_before(&self, first: usize, second: usize) -> bool {
        let (one, other) = (&self.history[first], &self.history[second]);
        let is_answered = one.returned.as_ref().is_some_and(|(at, _)| *at < other.invoked);
        is_answered || one.link == other.link && first < second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(link: usize, op: Op, invoked: u64, returned: u64, reply: Value) -> Record {
        let request = op.args(&["a".into(), "b".into()]);
        Record { link, op, request, invoked, returned: Some((returned, reply)), seen: None }
    }

    fn set(key: Key, text: &str, invoked: u64, returned: u64) -> Record {
        record(1, Op::Set(key, text.into()), invoked, returned, Value::simple("OK"))
    }

    fn get(key: Key, text: &str, invoked: u64) -> Record {
        record(2, Op::Get(key), invoked, invoked + 1, Value::bulk(text))
    }

    /// Connection 2 has read key 0 and reads key 1, in between it has been told of a change or not.
    fn judge(mode: Mode, history: &[Record], is_told: bool) -> Result<Cache, String> {
        let texts = history.iter().enumerate().flat_map(|(place, record)| {
            record.op.new_texts().into_iter().map(move |text| (text.clone(), place))
        });
        let writers = texts.collect();
        let written =
            Written { history, writers: &writers, plain: &[0, 1], never_absent: true, owners: &[0, 1] };
        let mut cache = Cache::new(mode);
        let reads = (0..history.len()).filter(|place| history[*place].link == 2);
        for (number, place) in reads.enumerate() {
            cache.alone.insert(place);
            if number == 1 && is_told {
                let push = [Value::bulk("invalidate"), Value::bulks(&["a"])];
                cache.forget(&push, &["a".into(), "b".into()], &written)?;
            }
            cache.keep(place, &written)?;
        }
        Ok(cache)
    }

    #[test]
    fn who_reads_what_was_written_because_of_a_write_has_been_told_of_that() {
        let history = |told_at| {
            vec![
                set(0, "old", 1, 2),
                get(0, "old", 3),
                set(0, "new", 5, 6),
                set(1, "told", told_at, 9),
                get(1, "told", 11),
            ]
        };
        assert!(judge(Mode::All, &history(7), false).is_err());
        assert!(judge(Mode::All, &history(7), true).is_ok());
        // The first had not been answered.
        assert!(judge(Mode::All, &history(5), false).is_ok());
        // There it is said later; but in the end, it is.
        let cache = judge(Mode::Broadcast, &history(7), false).expect("not yet");
        let values = |text: &str| BTreeMap::from([(0, Some(text.into())), (1, Some("told".into()))]);
        assert!(cache.check_at_the_end(&values("new")).is_err());
        assert!(cache.check_at_the_end(&values("old")).is_ok());
    }

    #[test]
    fn what_is_newest_is_not_said_to_be_out_of_date() {
        let history = vec![set(0, "new", 1, 2), get(0, "new", 3), get(1, "", 5)];
        assert!(judge(Mode::All, &history, false).is_ok());
        assert!(judge(Mode::All, &history, true).is_err());
    }
}
