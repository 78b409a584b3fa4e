//! Is there an order of all operations in which each reply is right, and which agrees with what was observed?
//!
//! The order must keep
//! - real time: what was answered before something else was sent stands before it (strict serializability);
//! - the writes of each connection in the order they were sent (invariant 3), pipelined or not;
//! - of two operations of one connection that share a key, the one sent first before the other.
//!
//! Operations without a reply may be left out, but not with a gap: if one is done, so are the writes its connection sent before.
//!
//! The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of places already
//! seen ("Testing for linearizability", 2017). One thing keeps it small: an operation that may come next and whose reply fits and
//! says that it changed nothing is taken at once, for any order that has it later is as good with it here. Another thing keeps it
//! straight: as every value is written once, an operation that overwrites one that a later reply shows is not tried.

use crate::history::{Record, flat};
use crate::model::{State, settle};
use crate::workload::{Key, Op, Text};
use std::collections::{HashMap, HashSet};
use testkit::Value;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Serializable,
    /// There is no such order; where the longest attempt ended.
    Anomalous(String),
    /// Too many possibilities were tried.
    Undecided,
}

/// Checks a history over `keys` keys, trying at most `budget` places.
pub fn check(history: &[Record], keys: usize, budget: usize) -> Verdict {
    let mut search = Search::new(history, keys, budget);
    match search.go() {
        Outcome::Found => Verdict::Serializable,
        Outcome::None => Verdict::Anomalous(search.best.unwrap_or_default()),
        Outcome::OverBudget => Verdict::Undecided,
    }
}

/// The replies of an anomalous history that suffice to show that no order explains it; the rest could have been anything.
pub fn core(history: &[Record], keys: usize, budget: usize) -> Vec<Record> {
    let mut left = history.to_vec();
    // What came late explains little: it goes first.
    for index in (0..left.len()).rev() {
        let Some(returned) = left[index].returned.take() else { continue };
        if !matches!(check(&left, keys, budget), Verdict::Anomalous(_)) {
            left[index].returned = Some(returned);
        }
    }
    left.retain(|record| record.returned.is_some());
    left
}

struct Node<'a> {
    record: &'a Record,
    reply: Option<Value>,
    /// It has a reply, which says that nothing was changed.
    is_inert: bool,
    /// Strings that its reply shows, with their keys.
    sights: Vec<(Key, Text)>,
    invoked: u64,
    /// `u64::MAX` without a reply.
    returned: u64,
    /// Operations of the same connection that come before.
    before: Vec<usize>,
}

enum Outcome {
    Found,
    None,
    OverBudget,
}

struct Search<'a> {
    /// By time of sending.
    nodes: Vec<Node<'a>>,
    done: Vec<bool>,
    /// The order so far.
    order: Vec<usize>,
    /// All before this one are done.
    first_open: usize,
    replies_left: usize,
    done_mark: u64,
    state: State,
    seen: HashSet<(u64, u64)>,
    /// How many operations not yet done saw a string under a key.
    awaited: HashMap<(Key, Text), usize>,
    budget: usize,
    best_len: usize,
    best: Option<String>,
}

impl<'a> Search<'a> {
    fn new(history: &'a [Record], keys: usize, budget: usize) -> Self {
        let mut nodes: Vec<Node<'a>> = Vec::new();
        // Reads without a reply say nothing.
        for record in history.iter().filter(|record| record.returned.is_some() || record.op.is_write()) {
            let returned = record.returned.as_ref();
            nodes.push(Node {
                record,
                is_inert: returned.is_some_and(|(_, reply)| record.op.is_inert(reply)),
                sights: returned.map_or_else(Vec::new, |(_, reply)| sights(&record.op, reply)),
                reply: returned.map(|(_, reply)| settle(&record.op, reply.clone())),
                invoked: record.invoked,
                returned: returned.map_or(u64::MAX, |(at, _)| *at),
                before: before(&nodes, record),
            });
        }
        let replies_left = nodes.iter().filter(|node| node.reply.is_some()).count();
        let done = vec![false; nodes.len()];
        let mut awaited = HashMap::new();
        for node in &nodes {
            node.sights.iter().for_each(|sight| *awaited.entry(sight.clone()).or_default() += 1);
        }
        Self {
            nodes,
            done,
            order: Vec::new(),
            first_open: 0,
            replies_left,
            done_mark: 0,
            state: State::new(keys),
            seen: HashSet::new(),
            awaited,
            budget,
            best_len: 0,
            best: None,
        }
    }

    fn go(&mut self) -> Outcome {
        let mark = self.order.len();
        self.take_what_changes_nothing();
        if self.replies_left == 0 {
            return Outcome::Found;
        }
        if self.budget == 0 {
            return Outcome::OverBudget;
        }
        if !self.seen.insert((self.done_mark, self.state.fingerprint())) {
            self.give_back(mark);
            return Outcome::None;
        }
        self.budget -= 1;
        let mut candidates = self.candidates();
        candidates.sort_by_key(|&index| self.nodes[index].returned);
        for &index in &candidates {
            let before = self.state.mark();
            if self.try_op(index) && !self.loses_what_is_awaited(before) {
                self.take(index);
                match self.go() {
                    Outcome::None => self.give_back(self.order.len() - 1),
                    decided => return decided,
                }
            }
            self.state.rewind(before);
        }
        self.note_end(&candidates);
        self.give_back(mark);
        Outcome::None
    }

    /// Operations that may come next: all before them are done, and nothing that must precede them in time is open.
    fn candidates(&self) -> Vec<usize> {
        let (mut earliest_return, mut found) = (u64::MAX, Vec::new());
        for (index, node) in self.nodes.iter().enumerate().skip(self.first_open) {
            if node.invoked > earliest_return {
                break;
            }
            if !self.done[index] {
                earliest_return = earliest_return.min(node.returned);
                if node.before.iter().all(|&other| self.done[other]) {
                    found.push(index);
                }
            }
        }
        found
    }

    /// Applies an operation; whether its reply fits.
    fn try_op(&mut self, index: usize) -> bool {
        let node = &self.nodes[index];
        let reply = self.state.apply(&node.record.op);
        node.reply.as_ref().is_none_or(|expected| *expected == reply)
    }

    /// Whether since the mark a string is gone that an open operation has seen. No operation with a reply that fits sees what it
    /// overwrites, so that all of them are other ones.
    fn loses_what_is_awaited(&self, mark: usize) -> bool {
        let mut lost = self.state.lost_since(mark);
        lost.any(|(key, text)| self.awaited.get(&(key, text.clone())).is_some_and(|count| *count > 0))
    }

    fn take_what_changes_nothing(&mut self) {
        loop {
            let count = self.order.len();
            for index in self.candidates() {
                if !self.nodes[index].is_inert {
                    continue;
                }
                let mark = self.state.mark();
                if self.try_op(index) {
                    self.take(index);
                }
                self.state.rewind(mark);
            }
            if self.order.len() == count {
                return;
            }
        }
    }

    fn take(&mut self, index: usize) {
        self.order.push(index);
        self.flip(index, true);
        while self.first_open < self.done.len() && self.done[self.first_open] {
            self.first_open += 1;
        }
    }

    /// Takes operations out of the order again, down to a length; the state is the caller's to rewind.
    fn give_back(&mut self, len: usize) {
        while self.order.len() > len {
            let index = self.order.pop().expect("longer");
            self.flip(index, false);
            self.first_open = self.first_open.min(index);
        }
    }

    fn flip(&mut self, index: usize, done: bool) {
        self.done[index] = done;
        self.done_mark ^= base_mark(index);
        for sight in &self.nodes[index].sights {
            let count = self.awaited.get_mut(sight).expect("counted at the start");
            *count = if done { *count - 1 } else { *count + 1 };
        }
        if self.nodes[index].reply.is_some() {
            self.replies_left = if done { self.replies_left - 1 } else { self.replies_left + 1 };
        }
    }

    /// Remembers the longest attempt, in words.
    fn note_end(&mut self, candidates: &[usize]) {
        if self.best.is_some() && self.order.len() <= self.best_len {
            return;
        }
        self.best_len = self.order.len();
        let mut text = String::from("the longest order ends with\n");
        for &index in self.order.iter().rev().take(12).rev() {
            text += &format!("  {}\n", self.nodes[index].record);
        }
        text += "and none of these can follow\n";
        for &index in candidates {
            let mark = self.state.mark();
            let would = self.state.apply(&self.nodes[index].record.op);
            self.state.rewind(mark);
            text += &format!("  {} (here: {})\n", self.nodes[index].record, flat(&would));
        }
        self.best = Some(text);
    }
}

/// The strings that a reply shows. Numbers are not written once, and do not count.
fn sights(op: &Op, reply: &Value) -> Vec<(Key, Text)> {
    let replies = match (op, reply) {
        (Op::Get(key), reply) => vec![(*key, reply)],
        (Op::MGet(keys), Value::Array(items)) => keys.iter().copied().zip(items).collect(),
        _ => Vec::new(),
    };
    let text = |(key, reply): (Key, &Value)| match reply {
        Value::Bulk(text) if text[0].is_ascii_alphabetic() => Some((key, text.clone())),
        _ => None,
    };
    replies.into_iter().filter_map(text).collect()
}

/// The operations among `nodes` that must come before `record` because its connection sent them earlier.
fn before(nodes: &[Node<'_>], record: &Record) -> Vec<usize> {
    let mut found = Vec::new();
    let earlier = || nodes.iter().enumerate().rev().filter(|(_, node)| node.record.link == record.link);
    if record.op.is_write() {
        found.extend(earlier().find(|(_, node)| node.record.op.is_write()).map(|(index, _)| index));
    }
    // Of those that share a key, the last one will do for each key: they are in order themselves.
    match record.op.keys() {
        None => found.extend(earlier().map(|(index, _)| index)),
        Some(keys) => found.extend(keys.into_iter().filter_map(|key| {
            let shares = |node: &Node<'_>| node.record.op.keys().is_none_or(|keys| keys.contains(&key));
            earlier().find(|(_, node)| shares(node)).map(|(index, _)| index)
        })),
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// A random number for each operation, the same in every run.
fn base_mark(index: usize) -> u64 {
    base::random::Random::from_seed(index as u64).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(link: usize, op: Op, invoked: u64, returned: Option<(u64, Value)>) -> Record {
        Record { link, op, invoked, returned }
    }

    fn set(link: usize, key: usize, text: &str, invoked: u64, returned: u64) -> Record {
        let reply = (returned > 0).then(|| (returned, Value::simple("OK")));
        record(link, Op::Set(key, text.as_bytes().to_vec()), invoked, reply)
    }

    fn get(link: usize, key: usize, text: &str, invoked: u64, returned: u64) -> Record {
        let value = if text.is_empty() { Value::Null } else { Value::bulk(text) };
        record(link, Op::Get(key), invoked, Some((returned, value)))
    }

    fn is_fine(history: &[Record]) -> bool {
        match check(history, 2, 1000) {
            Verdict::Serializable => true,
            Verdict::Anomalous(_) => false,
            Verdict::Undecided => panic!("such a small history"),
        }
    }

    #[test]
    fn an_answered_write_is_seen() {
        assert!(is_fine(&[set(0, 0, "a", 1, 2), get(1, 0, "a", 3, 4)]));
        assert!(!is_fine(&[set(0, 0, "a", 1, 2), get(1, 0, "", 3, 4)]));
        assert!(is_fine(&[set(0, 0, "a", 1, 5), get(1, 0, "", 3, 4)]));
        assert!(!is_fine(&[set(0, 0, "a", 1, 9), get(1, 0, "a", 2, 3), get(1, 0, "", 4, 5)]));
    }

    #[test]
    fn writes_of_a_connection_are_seen_in_order() {
        let writes = |returned| vec![set(0, 0, "a", 1, returned), set(0, 1, "b", 1, returned)];
        let mget = |first: &str, second: &str| {
            let value = |text: &str| if text.is_empty() { Value::Null } else { Value::bulk(text) };
            record(1, Op::MGet(vec![0, 1]), 2, Some((3, Value::Array(vec![value(first), value(second)]))))
        };
        for returned in [0, 9] {
            for (first, second, fine) in [("a", "b", true), ("a", "", true), ("", "", true), ("", "b", false)]
            {
                let mut history = writes(returned);
                history.push(mget(first, second));
                assert_eq!(is_fine(&history), fine, "{first} {second} {returned}");
            }
            let mut history = writes(returned);
            history.extend([get(1, 1, "b", 2, 3), get(1, 0, "", 4, 5)]);
            assert!(!is_fine(&history));
        }
    }

    #[test]
    fn a_connection_sees_its_own_writes() {
        assert!(is_fine(&[set(0, 0, "a", 1, 5), get(0, 0, "a", 1, 6)]));
        assert!(!is_fine(&[set(0, 0, "a", 1, 5), get(0, 0, "", 1, 6)]));
        // A read of another key may overtake a write.
        assert!(is_fine(&[
            set(0, 0, "a", 1, 5),
            get(0, 1, "", 1, 6),
            set(1, 1, "b", 2, 3),
            get(1, 0, "", 4, 5)
        ]));
    }

    #[test]
    fn two_readers_must_agree() {
        let writes = [set(0, 0, "a", 1, 9), set(1, 1, "b", 1, 9)];
        let reads = [get(2, 0, "a", 2, 3), get(2, 1, "", 4, 5), get(3, 1, "b", 2, 3), get(3, 0, "", 4, 5)];
        let mut history = writes.to_vec();
        history.extend(reads);
        history.sort_by_key(|r| r.invoked);
        assert!(!is_fine(&history));
    }
}
