//! Streams: what clients ask of them, and what that means.
//!
//! Streams only grow. Each has at most one consumer group; of an entry only the text counts, for each is written once, and its id is what
//! clients are told (`World` sees to it that an entry has one id, and that ids ascend).

use crate::history::Record;
use crate::model::{Slot, State};
use crate::op::{Key, Op, Text};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use testkit::Value;

/// An entry as clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub text: Text,
}

/// An operation on streams.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamOp {
    Add(Key, Text),
    Range(Key),
    /// What stands behind an entry of each (from the beginning without one), so many of each at most. Waits for so many ms, or not.
    Read {
        behind: Vec<(Key, Option<Entry>)>,
        count: u64,
        ms: Option<u64>,
    },
    /// Makes the group, and the stream.
    Group(Key),
    /// What no consumer of the group has got yet, for this one.
    ReadGroup {
        keys: Vec<Key>,
        consumer: usize,
        count: u64,
        ms: Option<u64>,
    },
    /// What a consumer has got and nobody has acknowledged.
    Pending(Key, usize),
    Ack(Key, Vec<Entry>),
    /// All that anybody has got and nobody has acknowledged is this consumer's from now on.
    Claim(Key, usize),
}

impl StreamOp {
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Range(_) | Self::Read { .. } | Self::Pending(..))
    }

    /// Whether this reply says that it changed nothing, whatever there was.
    pub fn is_inert(&self, reply: &Value) -> bool {
        match self {
            Self::Add(..) => false,
            Self::Range(_) | Self::Read { .. } | Self::Pending(..) => true,
            Self::Group(_) => reply.is_error(),
            Self::ReadGroup { .. } => reply.is_null() || reply.is_error(),
            Self::Ack(..) => *reply == Value::Integer(0),
            Self::Claim(..) => settle(self, reply.clone()) == Value::Array(Vec::new()) || reply.is_error(),
        }
    }

    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::Add(key, _) | Self::Range(key) | Self::Group(key) => vec![*key],
            Self::Pending(key, _) | Self::Ack(key, _) | Self::Claim(key, _) => vec![*key],
            Self::Read { behind, .. } => behind.iter().map(|(key, _)| *key).collect(),
            Self::ReadGroup { keys, .. } => keys.clone(),
        }
    }

    /// Whoever waits for several keys is served with what one of them has got, whatever comes to the others meanwhile: only that
    /// one is looked at.
    pub fn keep_served(&mut self, served: &[Key]) {
        match self {
            Self::Read { behind, ms: Some(_), .. } if !served.is_empty() => {
                behind.retain(|(key, _)| served.contains(key));
            }
            Self::ReadGroup { keys, ms: Some(_), .. } if !served.is_empty() => {
                keys.retain(|key| served.contains(key));
            }
            _ => {}
        }
    }

    pub fn waits_for_ever(&self) -> bool {
        matches!(self, Self::Read { ms: Some(0), .. } | Self::ReadGroup { ms: Some(0), .. })
    }

    /// An entry that has been added and that this operation, which waits and has no reply, ought to have got when nothing happens any
    /// more. `lost`: some of what others were to get may have been lost on its way.
    pub fn overlooks<'a>(
        &self,
        history: &'a [Record],
        ids: &HashMap<Text, String>,
        lost: bool,
    ) -> Option<&'a Text> {
        let added = |key: Key| {
            let ops = history.iter().filter(|record| record.returned.is_some()).flat_map(|record| {
                match &record.op {
                    op @ Op::Stream(_) => std::slice::from_ref(op),
                    op => op.parts(),
                }
            });
            ops.filter_map(move |op| match op {
                Op::Stream(Self::Add(to, text)) if *to == key => Some(text),
                _ => None,
            })
        };
        let id_of = |text: &Text| ids.get(text).and_then(|text| id(text));
        match self {
            Self::Read { behind, ms: Some(_), .. } => behind.iter().find_map(|(key, entry)| {
                let from = entry.as_ref().and_then(|entry| id(&entry.id));
                added(*key).find(|text| id_of(text).is_some_and(|id| Some(id) > from))
            }),
            Self::ReadGroup { keys, ms: Some(_), .. } if !lost => {
                let has_got = |text: &Text| {
                    let reads = history.iter().filter(|record| {
                        matches!(&record.op, Op::Stream(Self::ReadGroup { .. })) && record.returned.is_some()
                    });
                    let mut replies = reads.filter_map(|record| Some(&record.returned.as_ref()?.1));
                    replies.any(|reply| shows(reply, text))
                };
                keys.iter().find_map(|key| added(*key).find(|text| !has_got(text)))
            }
            _ => None,
        }
    }

    /// The request.
    pub fn args(&self, names: &[String]) -> Vec<Vec<u8>> {
        let name = |key: &Key| names[*key].clone();
        let waits = |ms: &Option<u64>| ms.map_or(Vec::new(), |ms| vec!["BLOCK".to_owned(), ms.to_string()]);
        let reader = |consumer: &usize| ["GROUP", GROUP, &consumer.to_string()].map(str::to_owned).to_vec();
        let words: Vec<String> = match self {
            Self::Add(key, text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                vec!["XADD".into(), name(key), "*".into(), "e".into(), text]
            }
            Self::Range(key) => vec!["XRANGE".into(), name(key), "-".into(), "+".into()],
            Self::Read { behind, count, ms } => {
                let mut words = vec!["XREAD".to_owned(), "COUNT".into(), count.to_string()];
                words.extend(waits(ms));
                words.push("STREAMS".into());
                words.extend(behind.iter().map(|(key, _)| name(key)));
                let id = |entry: &Option<Entry>| entry.as_ref().map_or("0".into(), |entry| entry.id.clone());
                words.extend(behind.iter().map(|(_, entry)| id(entry)));
                words
            }
            Self::Group(key) => {
                ["XGROUP", "CREATE", &name(key), GROUP, "0", "MKSTREAM"].map(str::to_owned).into()
            }
            Self::ReadGroup { keys, consumer, count, ms } => {
                let mut words = vec!["XREADGROUP".to_owned()];
                words.extend(reader(consumer));
                words.extend(["COUNT".to_owned(), count.to_string()]);
                words.extend(waits(ms));
                words.push("STREAMS".into());
                words.extend(keys.iter().map(name));
                words.extend(keys.iter().map(|_| ">".to_owned()));
                words
            }
            Self::Pending(key, consumer) => {
                let mut words = vec!["XREADGROUP".to_owned()];
                words.extend(reader(consumer));
                words.extend(["STREAMS".to_owned(), name(key), "0".into()]);
                words
            }
            Self::Ack(key, entries) => {
                let ids = entries.iter().map(|entry| entry.id.clone());
                ["XACK".to_owned(), name(key), GROUP.into()].into_iter().chain(ids).collect()
            }
            Self::Claim(key, consumer) => {
                let consumer = consumer.to_string();
                ["XAUTOCLAIM", &name(key), GROUP, &consumer, "0", "0"].map(str::to_owned).to_vec()
            }
        };
        words.into_iter().map(String::into_bytes).collect()
    }

    /// The entries that a reply shows, by stream; `None` if it has not the form that it should have.
    pub fn shown(&self, reply: &Value, names: &[String]) -> Option<Vec<(Key, Vec<Entry>)>> {
        if reply.is_error() || reply.is_null() {
            return Some(Vec::new());
        }
        let by_name = |stream: &Value| {
            let [name, list] = stream.items()? else { return None };
            let is_it = |key: &Key| name.bytes() == Some(names[*key].as_bytes());
            Some((self.keys().into_iter().find(is_it)?, entries(list)?))
        };
        match self {
            Self::Add(key, text) => {
                let entry = Entry { id: reply.string()?, text: text.clone() };
                Some(vec![(*key, vec![entry])])
            }
            Self::Range(key) => Some(vec![(*key, entries(reply)?)]),
            Self::Read { .. } | Self::ReadGroup { .. } | Self::Pending(..) => {
                reply.items()?.iter().map(by_name).collect()
            }
            Self::Claim(key, _) => Some(vec![(*key, entries(reply.items()?.get(1)?)?)]),
            Self::Group(_) | Self::Ack(..) => Some(Vec::new()),
        }
    }
}

/// The one group of each stream.
const GROUP: &str = "g";

/// Whether a string is somewhere in a reply.
fn shows(reply: &Value, text: &Text) -> bool {
    reply.bytes() == Some(text)
        || reply.items().is_some_and(|items| items.iter().any(|item| shows(item, text)))
}

/// The entries of a list; `None` if it is none.
pub fn entries(list: &Value) -> Option<Vec<Entry>> {
    let entry = |entry: &Value| {
        let [id, words] = entry.items()? else { return None };
        let [_, text] = words.items()? else { return None };
        Some(Entry { id: id.string()?, text: text.bytes()?.to_vec() })
    };
    list.items()?.iter().map(entry).collect()
}

/// The two numbers of an id.
pub fn id(text: &str) -> Option<(u64, u64)> {
    let (ms, number) = text.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

/// A reply in the form that [`State::apply`] gives: texts without ids, of errors the code.
pub fn settle(op: &StreamOp, reply: Value) -> Value {
    let texts = |list: &Value| {
        let texts: Vec<Text> =
            entries(list).unwrap_or_default().into_iter().map(|entry| entry.text).collect();
        Value::bulks(&texts)
    };
    let of_stream = |stream: &Value| texts(&stream.items().unwrap_or_default()[1]);
    match (op, &reply) {
        (_, Value::Error(text)) => {
            Value::Error(text.split(|byte| *byte == b' ').next().unwrap_or_default().to_vec())
        }
        (_, Value::Null | Value::NullArray) => Value::Null,
        (StreamOp::Add(..), _) => Value::simple("added"),
        (StreamOp::Range(_), list) => texts(list),
        (StreamOp::Read { .. } | StreamOp::ReadGroup { .. }, Value::Array(streams)) => {
            Value::Array(streams.iter().map(of_stream).collect())
        }
        (StreamOp::Pending(..), Value::Array(streams)) => of_stream(&streams[0]),
        (StreamOp::Claim(..), Value::Array(items)) => texts(&items[1]),
        _ => reply,
    }
}

/// What there is under a key. Entries are known by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    entries: Vec<Text>,
    group: Option<Group>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Group {
    /// How many entries consumers have got.
    delivered: usize,
    /// Those that nobody has acknowledged, with the consumer whose they are.
    pending: BTreeMap<usize, usize>,
}

impl Stream {
    /// Entries from a place on, so many at most.
    fn from(&self, place: usize, count: u64) -> Value {
        let end = self.entries.len().min(place + count as usize);
        Value::bulks(&self.entries[place..end])
    }

    fn at(&self, places: impl Iterator<Item = usize>) -> Value {
        Value::bulks(&places.map(|place| &self.entries[place]).collect::<Vec<_>>())
    }

    fn place_of(&self, entry: &Entry) -> Option<usize> {
        self.entries.iter().position(|text| *text == entry.text)
    }
}

/// What is not empty; null if all are.
fn of_any(replies: impl Iterator<Item = Value>) -> Value {
    let replies: Vec<Value> = replies.filter(|list| *list != Value::Array(Vec::new())).collect();
    if replies.is_empty() { Value::Null } else { Value::Array(replies) }
}

fn error(code: &str) -> Value {
    Value::Error(code.as_bytes().to_vec())
}

impl State {
    fn group(&self, key: Key) -> Option<(Stream, Group)> {
        let stream = self.stream(key)?;
        let group = stream.group.clone()?;
        Some((stream, group))
    }

    fn put_group(&mut self, key: Key, mut stream: Stream, group: Group) {
        stream.group = Some(group);
        self.put(key, Slot::Stream(stream));
    }

    /// Runs an operation; its reply, as [`settle`] puts it.
    pub fn apply_to_streams(&mut self, op: &StreamOp) -> Value {
        match op {
            StreamOp::Add(key, text) => {
                let mut stream = self.stream(*key).unwrap_or_default();
                stream.entries.push(text.clone());
                self.put(*key, Slot::Stream(stream));
                Value::simple("added")
            }
            StreamOp::Range(key) => self.stream(*key).unwrap_or_default().from(0, u64::from(u32::MAX)),
            StreamOp::Read { behind, count, .. } => of_any(behind.iter().map(|(key, entry)| {
                let stream = self.stream(*key).unwrap_or_default();
                match entry.as_ref().map(|entry| stream.place_of(entry)) {
                    None => stream.from(0, *count),
                    Some(Some(place)) => stream.from(place + 1, *count),
                    Some(None) => error("nobody has seen that yet"),
                }
            })),
            StreamOp::Group(key) => {
                let mut stream = self.stream(*key).unwrap_or_default();
                if stream.group.is_some() {
                    return error("BUSYGROUP");
                }
                stream.group = Some(Group::default());
                self.put(*key, Slot::Stream(stream));
                Value::simple("OK")
            }
            StreamOp::ReadGroup { keys, consumer, count, .. } => self.read_group(keys, *consumer, *count),
            StreamOp::Pending(key, consumer) => match self.group(*key) {
                None => error("NOGROUP"),
                Some((stream, group)) => {
                    let own = group.pending.iter().filter(|(_, owner)| *owner == consumer);
                    stream.at(own.map(|(place, _)| *place))
                }
            },
            StreamOp::Ack(key, entries) => {
                let Some((stream, mut group)) = self.group(*key) else { return Value::Integer(0) };
                let places: BTreeSet<usize> =
                    entries.iter().filter_map(|entry| stream.place_of(entry)).collect();
                let ended = places.iter().filter(|place| group.pending.remove(place).is_some()).count();
                self.put_group(*key, stream, group);
                Value::Integer(ended as i64)
            }
            StreamOp::Claim(key, consumer) => {
                let Some((stream, mut group)) = self.group(*key) else { return error("NOGROUP") };
                group.pending.values_mut().for_each(|owner| *owner = *consumer);
                let reply = stream.at(group.pending.keys().copied());
                self.put_group(*key, stream, group);
                reply
            }
        }
    }

    fn read_group(&mut self, keys: &[Key], consumer: usize, count: u64) -> Value {
        if keys.iter().any(|key| self.group(*key).is_none()) {
            return error("NOGROUP");
        }
        let mut replies = Vec::new();
        for key in keys {
            let Some((stream, mut group)) = self.group(*key) else { continue };
            let (first, end) = (group.delivered, stream.entries.len().min(group.delivered + count as usize));
            replies.push(stream.from(first, count));
            group.pending.extend((first..end).map(|place| (place, consumer)));
            group.delivered = end;
            self.put_group(*key, stream, group);
        }
        of_any(replies.into_iter())
    }
}

/// What a client keeps of streams.
#[derive(Default)]
pub struct Bookmarks {
    /// Its name among consumers.
    pub consumer: usize,
    /// Streams of which it has asked for a group.
    pub grouped: Vec<Key>,
    /// What it read last of a stream.
    pub behind: BTreeMap<Key, Entry>,
    /// What it has got as a consumer and not acknowledged.
    pub got: Vec<(Key, Entry)>,
}

impl Bookmarks {
    /// Keeps what a reply has shown.
    pub fn keep(&mut self, op: &StreamOp, shown: Vec<(Key, Vec<Entry>)>) {
        for (key, entries) in shown {
            match op {
                StreamOp::Read { .. } => self.behind.extend(entries.last().map(|last| (key, last.clone()))),
                StreamOp::ReadGroup { .. } | StreamOp::Claim(..) => {
                    self.got.extend(entries.into_iter().map(|entry| (key, entry)));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(state: &mut State, key: Key, text: &str) {
        state.apply(&Op::Stream(StreamOp::Add(key, text.into())));
    }

    fn read(state: &mut State, keys: &[Key], consumer: usize, count: u64) -> Value {
        state.apply(&Op::Stream(StreamOp::ReadGroup { keys: keys.to_vec(), consumer, count, ms: None }))
    }

    #[test]
    fn an_entry_goes_to_one_consumer_until_another_claims_it() {
        let mut state = State::new(2);
        let mut run = |op: StreamOp| state.apply(&Op::Stream(op));
        assert_eq!(run(StreamOp::Pending(0, 1)), error("NOGROUP"));
        assert_eq!(run(StreamOp::Group(0)), Value::simple("OK"));
        assert_eq!(run(StreamOp::Group(0)), error("BUSYGROUP"));
        ["a", "b", "c"].into_iter().for_each(|text| add(&mut state, 0, text));
        let list = |texts: &[&str]| Value::bulks(texts);
        assert_eq!(read(&mut state, &[0, 1], 1, 9), error("NOGROUP"));
        assert_eq!(read(&mut state, &[0], 1, 2), Value::Array(vec![list(&["a", "b"])]));
        assert_eq!(read(&mut state, &[0], 2, 2), Value::Array(vec![list(&["c"])]));
        assert_eq!(read(&mut state, &[0], 2, 2), Value::Null);
        let entry = |text: &str| Entry { id: String::new(), text: text.into() };
        let mut run = |op: StreamOp| state.apply(&Op::Stream(op));
        assert_eq!(run(StreamOp::Ack(0, vec![entry("b"), entry("b"), entry("x")])), Value::Integer(1));
        assert_eq!(run(StreamOp::Pending(0, 1)), list(&["a"]));
        assert_eq!(run(StreamOp::Claim(0, 2)), list(&["a", "c"]));
        assert_eq!(run(StreamOp::Pending(0, 1)), list(&[]));
        let behind = |text: &str| StreamOp::Read {
            behind: vec![(0, Some(entry(text))), (1, None)],
            count: 1,
            ms: None,
        };
        assert_eq!(run(behind("a")), Value::Array(vec![list(&["b"])]));
        assert_eq!(run(behind("c")), Value::Null);
    }
}
