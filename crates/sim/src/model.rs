//! What operations mean, in the simplest words: the specification that histories are checked against. A mistake here shows as an
//! anomaly in runs that keep all rules.

use crate::op::{Key, Op, Text, followed};
use crate::streams::{self, Stream};
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use testkit::Value;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Absent,
    Text(Text),
    List(Vec<Text>),
    Set(BTreeSet<Text>),
    Stream(Stream),
}

/// What there is under a key, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    slot: Slot,
    until_ms: Option<u64>,
}

const NOTHING: Entry = Entry { slot: Slot::Absent, until_ms: None };

/// What a change has replaced.
enum Was {
    Entry(Key, Entry),
    Clock(Key, u64),
}

/// All keys. Changes can be taken back.
pub struct State {
    entries: Vec<Entry>,
    /// What expires by then is over, for each key.
    clocks: Vec<u64>,
    undo: Vec<Was>,
}

impl State {
    pub fn new(keys: usize) -> Self {
        Self { entries: vec![NOTHING; keys], clocks: vec![0; keys], undo: Vec::new() }
    }

    /// A point to come back to.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back all changes since the mark.
    pub fn rewind(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop().expect("longer than the mark") {
                Was::Entry(key, entry) => self.entries[key] = entry,
                Was::Clock(key, time) => self.clocks[key] = time,
            }
        }
    }

    /// The strings that were somewhere at the mark and are nowhere now, each with its key.
    pub fn lost_since(&self, mark: usize) -> impl Iterator<Item = (Key, &Text)> {
        self.undo[mark..].iter().filter_map(|was| match was {
            Was::Entry(key, Entry { slot: slot @ Slot::Text(text), .. }) => {
                let is_gone = self.entries.iter().all(|entry| entry.slot != *slot);
                is_gone.then_some((*key, text))
            }
            _ => None,
        })
    }

    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.entries, &self.clocks).hash(&mut hasher);
        hasher.finish()
    }

    fn put_entry(&mut self, key: Key, mut entry: Entry) {
        let is_empty = match &entry.slot {
            Slot::List(items) => items.is_empty(),
            Slot::Set(items) => items.is_empty(),
            Slot::Absent => true,
            // A stream may be there without entries.
            Slot::Text(_) | Slot::Stream(_) => false,
        };
        if is_empty || entry.until_ms.is_some_and(|until_ms| until_ms <= self.clocks[key]) {
            entry = NOTHING;
        }
        let was = std::mem::replace(&mut self.entries[key], entry);
        self.undo.push(Was::Entry(key, was));
    }

    /// Puts something under a key for ever.
    pub(crate) fn put(&mut self, key: Key, slot: Slot) {
        self.put_entry(key, Entry { slot, until_ms: None });
    }

    /// Changes what is under a key, which keeps its time.
    fn change(&mut self, key: Key, slot: Slot) {
        let until_ms = self.entries[key].until_ms;
        self.put_entry(key, Entry { slot, until_ms });
    }

    /// A time has come.
    fn strike(&mut self, key: Key, at_ms: u64) {
        let was = std::mem::replace(&mut self.clocks[key], at_ms);
        self.undo.push(Was::Clock(key, was));
        self.put_entry(key, self.entries[key].clone());
    }

    fn text(&self, key: Key) -> Option<&Text> {
        match &self.entries[key].slot {
            Slot::Absent => None,
            Slot::Text(text) => Some(text),
            other => panic!("{other:?} in the pool of strings"),
        }
    }

    fn list(&self, key: Key) -> Vec<Text> {
        match &self.entries[key].slot {
            Slot::Absent => Vec::new(),
            Slot::List(items) => items.clone(),
            other => panic!("{other:?} in the pool of lists"),
        }
    }

    fn set(&self, key: Key) -> BTreeSet<Text> {
        match &self.entries[key].slot {
            Slot::Absent => BTreeSet::new(),
            Slot::Set(items) => items.clone(),
            other => panic!("{other:?} in the pool of sets"),
        }
    }

    pub(crate) fn stream(&self, key: Key) -> Option<Stream> {
        match &self.entries[key].slot {
            Slot::Absent => None,
            Slot::Stream(stream) => Some(stream.clone()),
            other => panic!("{other:?} in the pool of streams"),
        }
    }

    fn has(&self, key: Key) -> bool {
        self.entries[key].slot != Slot::Absent
    }

    /// Runs an operation; its reply, as [`settle`] puts it.
    pub fn apply(&mut self, op: &Op) -> Value {
        match op {
            Op::Get(key) => bulk(self.text(*key)),
            Op::Peek(key, _) => Value::bulk(self.text(*key).map_or(&[][..], |text| text)),
            Op::PeekList(key, _) => Value::bulks(&self.list(*key)),
            Op::Refused => Value::Null,
            Op::Script { ops, .. } => Value::Array(ops.iter().map(|op| self.apply(op)).collect()),
            Op::Block { seen, ops } => {
                let is_there = |(key, reply): &(Key, Value)| match &self.entries[*key].slot {
                    Slot::List(items) => *reply == Value::bulks(items),
                    Slot::Text(text) => *reply == Value::bulk(text),
                    _ => matches!(reply, Value::Null) || *reply == Value::Array(Vec::new()),
                };
                if !seen.iter().all(is_there) {
                    return Value::Error(b"something watched has changed".to_vec());
                }
                Value::Array(ops.iter().map(|op| self.apply(op)).collect())
            }
            Op::Follow { string, lists, text, number } => {
                let seen = self.apply(&Op::Peek(*string, *number));
                let list = followed(lists, seen.bytes().unwrap_or_default());
                Value::Array(vec![seen, self.apply(&Op::RPush(list, text.clone()))])
            }
            Op::BlMove(from, to, _) => self.transfer(&Op::LMove(*from, *to)),
            Op::BlPop(keys, _) => {
                let Some(&key) = keys.iter().find(|key| self.has(**key)) else { return Value::Null };
                let mut items = self.list(key);
                let item = items.remove(0);
                self.put(key, Slot::List(items));
                Value::Array(vec![Value::Bulk(item)])
            }
            Op::MGet(keys) => Value::Array(keys.iter().map(|key| bulk(self.text(*key))).collect()),
            Op::LRange(key) => Value::bulks(&self.list(*key)),
            Op::SMembers(key) => Value::bulks(&self.set(*key).into_iter().collect::<Vec<_>>()),
            Op::DbSize => count((0..self.entries.len()).filter(|key| self.has(*key)).count()),
            Op::Echo(text) => Value::bulk(text),
            Op::Set(key, text) => {
                self.put(*key, Slot::Text(text.clone()));
                Value::simple("OK")
            }
            Op::SetUntil(key, text, until_ms) => {
                let slot = Slot::Text(text.clone());
                self.put_entry(*key, Entry { slot, until_ms: Some(*until_ms) });
                Value::simple("OK")
            }
            Op::FlushAll => {
                (0..self.entries.len()).for_each(|key| self.put(key, Slot::Absent));
                Value::simple("OK")
            }
            Op::Strike(key, at_ms) => {
                self.strike(*key, *at_ms);
                Value::Null
            }
            // How many there were is not the keys' business.
            Op::Kill(_) | Op::Publish { .. } => Value::Null,
            Op::Stream(op) => self.apply_to_streams(op),
            Op::Append(key, text) => {
                let whole = [self.text(*key).map_or(&[][..], |t| t), text].concat();
                let len = whole.len();
                self.change(*key, Slot::Text(whole));
                count(len)
            }
            Op::Incr(key) => {
                let text = self.text(*key).map(|t| String::from_utf8_lossy(t).into_owned());
                let number = text.map_or(0, |t| t.parse::<i64>().expect("the pool of counters")) + 1;
                self.change(*key, Slot::Text(number.to_string().into_bytes()));
                Value::Integer(number)
            }
            Op::Del(keys) => {
                let found = keys.iter().filter(|key| self.has(**key)).count();
                keys.iter().for_each(|key| self.put(*key, Slot::Absent));
                count(found)
            }
            Op::MSetNx(pairs) if pairs.iter().any(|(key, _)| self.has(*key)) => count(0),
            Op::MSet(pairs) | Op::MSetNx(pairs) => {
                pairs.iter().for_each(|(key, text)| self.put(*key, Slot::Text(text.clone())));
                if matches!(op, Op::MSet(_)) { Value::simple("OK") } else { count(1) }
            }
            Op::Rename(..) | Op::Copy(..) | Op::LMove(..) | Op::SMove(..) => self.transfer(op),
            Op::RPush(key, text) => {
                let mut items = self.list(*key);
                items.push(text.clone());
                let len = items.len();
                self.put(*key, Slot::List(items));
                count(len)
            }
            Op::SAdd(key, text) => {
                let mut items = self.set(*key);
                let is_new = items.insert(text.clone());
                self.put(*key, Slot::Set(items));
                count(usize::from(is_new))
            }
            Op::SUnionStore(to, from) => {
                let union: BTreeSet<Text> = from.iter().flat_map(|key| self.set(*key)).collect();
                let len = union.len();
                self.put(*to, Slot::Set(union));
                count(len)
            }
        }
    }

    /// From one key to another.
    fn transfer(&mut self, op: &Op) -> Value {
        match op {
            Op::Rename(from, to) => {
                if !self.has(*from) {
                    return Value::Error(b"ERR no such key".to_vec());
                }
                let entry = self.entries[*from].clone();
                self.put(*from, Slot::Absent);
                self.put_entry(*to, entry);
                Value::simple("OK")
            }
            Op::Copy(from, to) => {
                let can = self.has(*from) && !self.has(*to);
                if can {
                    self.put_entry(*to, self.entries[*from].clone());
                }
                count(usize::from(can))
            }
            Op::LMove(from, to) => {
                let mut source = self.list(*from);
                if source.is_empty() {
                    return Value::Null;
                }
                let item = source.remove(0);
                self.put(*from, Slot::List(source));
                let mut target = self.list(*to);
                target.push(item.clone());
                self.put(*to, Slot::List(target));
                Value::Bulk(item)
            }
            Op::SMove(from, to, member) => {
                let mut source = self.set(*from);
                if !source.remove(member) {
                    return count(0);
                }
                self.put(*from, Slot::Set(source));
                let mut target = self.set(*to);
                target.insert(member.clone());
                self.put(*to, Slot::Set(target));
                count(1)
            }
            _ => unreachable!("not a transfer"),
        }
    }
}

fn bulk(text: Option<&Text>) -> Value {
    text.map_or(Value::Null, Value::bulk)
}

fn count(number: usize) -> Value {
    Value::Integer(number as i64)
}

/// A reply in the form that [`State::apply`] gives: members of sets in order, nothing where it does not know.
pub fn settle(op: &Op, mut reply: Value) -> Value {
    match (op, &mut reply) {
        (Op::Stream(op), _) => return streams::settle(op, reply),
        (Op::Block { ops, .. } | Op::Script { ops, .. }, Value::Array(replies)) => {
            let settled =
                ops.iter().zip(replies).map(|(op, reply)| settle(op, std::mem::replace(reply, Value::Null)));
            return Value::Array(settled.collect());
        }
        (Op::SMembers(_), Value::Array(items)) => items.sort_by(|a, b| a.bytes().cmp(&b.bytes())),
        (Op::Kill(_) | Op::Publish { .. }, Value::Integer(_)) => return Value::Null,
        (Op::BlPop(..) | Op::BlMove(..) | Op::Refused, Value::NullArray) => return Value::Null,
        // The name of the key; the string that follows is in no other.
        (Op::BlPop(..), Value::Array(items)) if items.len() == 2 => _ = items.remove(0),
        _ => {}
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_can_be_taken_back() {
        let mut state = State::new(3);
        state.apply(&Op::Set(0, b"a".to_vec()));
        let (mark, before) = (state.mark(), state.fingerprint());
        assert_eq!(state.apply(&Op::Rename(0, 1)), Value::simple("OK"));
        assert_eq!(state.apply(&Op::Rename(1, 0)), Value::simple("OK"));
        assert_eq!(state.apply(&Op::Del(vec![0, 1, 2])), Value::Integer(1));
        assert_eq!(state.apply(&Op::DbSize), Value::Integer(0));
        state.rewind(mark);
        assert_eq!(state.fingerprint(), before);
    }

    #[test]
    fn what_expires_is_gone_once_its_time_has_come_for_its_key() {
        let mut state = State::new(2);
        state.apply(&Op::SetUntil(0, b"a".to_vec(), 5));
        let mark = state.mark();
        state.apply(&Op::Strike(0, 5));
        assert_eq!(state.apply(&Op::Get(0)), Value::Null);
        state.apply(&Op::SetUntil(0, b"b".to_vec(), 5));
        assert_eq!(state.apply(&Op::Get(0)), Value::Null);
        state.rewind(mark);
        state.apply(&Op::Append(0, b".c".to_vec()));
        assert_eq!(state.apply(&Op::Rename(0, 1)), Value::simple("OK"));
        assert_eq!(state.apply(&Op::Get(1)), Value::bulk("a.c"));
        state.apply(&Op::Strike(1, 5));
        assert_eq!(state.apply(&Op::DbSize), Value::Integer(0));
    }
}
