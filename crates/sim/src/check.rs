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
use base::random::Random;
use std::collections::{HashMap, HashSet};
use testkit::Value;

/// What the order keeps of the order in which a connection sends writes to different keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramOrder {
    /// Whoever sees the later one, in the same operation or in one sent after the reply to that, sees the earlier one. This is what the
    /// engine promises.
    Visible,
    /// They stand in the order in that order. This is more: see the crate's documentation.
    Total,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Serializable,
    /// There is no such order; where the longest attempt ended.
    Anomalous(String),
    /// Too many possibilities were tried; where the longest attempt ended.
    Undecided(String),
}

/// Checks a history, trying at most `budget` places.
pub fn check(history: &[Record], program_order: ProgramOrder, budget: usize) -> Verdict {
    let mut search = Search::new(history, program_order);
    let mut spent = 0;
    while spent < budget {
        // A search that went wrong early is lost for long: short ones in different orders find more. What they have shown to lead
        // nowhere stays known.
        search.budget = if spent < budget / 2 { SHORT_SEARCH } else { budget - spent };
        spent += search.budget;
        match search.go() {
            Outcome::Found => return Verdict::Serializable,
            Outcome::None => return Verdict::Anomalous(search.best.unwrap_or_default()),
            Outcome::OverBudget => search.start_again(),
        }
    }
    Verdict::Undecided(search.best.unwrap_or_default())
}

/// Places tried before the search starts again in another order.
const SHORT_SEARCH: usize = 500;

/// The replies of an anomalous history that suffice to show that no order explains it; the rest could have been anything.
pub fn core(history: &[Record], program_order: ProgramOrder, budget: usize) -> Vec<Record> {
    let mut left = history.to_vec();
    // What came late explains little: it goes first.
    for index in (0..left.len()).rev() {
        let Some(returned) = left[index].returned.take() else { continue };
        if !matches!(check(&left, program_order, budget), Verdict::Anomalous(_)) {
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
    /// Where in time it seems to have been done.
    about: u64,
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
    /// Places from which there is no way on.
    dead: HashSet<(u64, u64)>,
    random: Random,
    /// How far candidates may stray from the order in which they seem to have been done.
    stray: u64,
    /// How many operations not yet done saw a string under a key.
    awaited: HashMap<(Key, Text), usize>,
    budget: usize,
    best_len: usize,
    best: Option<String>,
}

impl<'a> Search<'a> {
    fn new(history: &'a [Record], program_order: ProgramOrder) -> Self {
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
                about: about(&nodes, record),
                before: before(&nodes, record, program_order),
            });
        }
        if program_order == ProgramOrder::Visible {
            order_what_is_seen(&mut nodes);
        }
        let replies_left = nodes.iter().filter(|node| node.reply.is_some()).count();
        let done = vec![false; nodes.len()];
        let used = history.iter().filter_map(|record| record.op.keys()).flatten();
        let keys = used.max().map_or(0, |key| key + 1);
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
            dead: HashSet::new(),
            random: Random::from_seed(1),
            stray: 0,
            awaited,
            budget: 0,
            best_len: 0,
            best: None,
        }
    }

    fn start_again(&mut self) {
        self.give_back(0);
        self.state.rewind(0);
        self.stray = [30, 100, 300, 1000, 3000][self.random.index(5)];
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
        let place = (self.done_mark, self.state.fingerprint());
        if self.dead.contains(&place) {
            self.give_back(mark);
            return Outcome::None;
        }
        self.budget -= 1;
        let mut candidates = self.candidates();
        let (nodes, random, stray) = (&self.nodes, &mut self.random, self.stray);
        candidates.sort_by_cached_key(|&index| nodes[index].returned.saturating_add(random.below(stray + 1)));
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
        self.dead.insert(place);
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
fn before(nodes: &[Node<'_>], record: &Record, program_order: ProgramOrder) -> Vec<usize> {
    let mut found = Vec::new();
    let earlier = || nodes.iter().enumerate().rev().filter(|(_, node)| node.record.link == record.link);
    if record.op.is_write() {
        let previous = earlier().find(|(_, node)| node.record.op.is_write());
        // Without a reply, an operation may be left out only if those behind it are.
        let counts = |node: &Node<'_>| {
            program_order == ProgramOrder::Total || node.reply.is_none() && record.returned.is_none()
        };
        found.extend(previous.filter(|(_, node)| counts(node)).map(|(index, _)| index));
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

/// When an operation seems to have been done: when its write showed, or else right behind the one that its connection sent before.
fn about(nodes: &[Node<'_>], record: &Record) -> u64 {
    let previous = nodes.iter().rev().find(|node| node.record.link == record.link);
    let guess = previous.map_or(0, |node| node.about).max(record.invoked);
    record.applied.unwrap_or(guess)
}

/// Whoever sees a write, at once or later sees those that its connection sent before.
fn order_what_is_seen(nodes: &mut [Node<'_>]) {
    let mut writer = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        node.record.op.new_texts().into_iter().for_each(|text| {
            writer.insert(text.clone(), index);
        });
    }
    for observer in 0..nodes.len() {
        let texts = nodes[observer].reply.as_ref().map_or_else(Vec::new, texts_of);
        for &seen in texts.iter().filter_map(|text| writer.get(text)) {
            let link = nodes[seen].record.link;
            let earlier = |node: &Node<'_>| node.record.link == link && node.record.op.is_write();
            for first in (0..seen).filter(|&index| earlier(&nodes[index])).collect::<Vec<_>>() {
                let keys = nodes[first].record.op.keys().unwrap_or_default();
                let later = nodes[observer].returned;
                for (index, node) in nodes.iter_mut().enumerate() {
                    let looks = node.record.op.keys().is_none_or(|ks| ks.iter().any(|k| keys.contains(k)));
                    if looks && index != first && (index == observer || node.invoked > later) {
                        node.before.push(first);
                    }
                }
            }
        }
    }
    for node in nodes {
        node.before.sort_unstable();
        node.before.dedup();
    }
}

/// All strings in a reply that some operation wrote. Appended ones stand one behind the other.
fn texts_of(reply: &Value) -> Vec<Text> {
    match reply {
        Value::Bulk(whole) => texts(whole),
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

/// The strings that a value consists of, by the letters they begin with.
pub fn texts(whole: &[u8]) -> Vec<Text> {
    let starts: Vec<usize> = (0..whole.len()).filter(|&at| !whole[at].is_ascii_digit()).collect();
    let ends = starts.iter().skip(1).copied().chain([whole.len()]);
    starts.iter().zip(ends).map(|(&start, end)| whole[start..end].to_vec()).collect()
}

/// A random number for each operation, the same in every run.
fn base_mark(index: usize) -> u64 {
    Random::from_seed(index as u64).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(link: usize, op: Op, invoked: u64, returned: Option<(u64, Value)>) -> Record {
        Record { link, op, invoked, returned, applied: None }
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
        match check(history, ProgramOrder::Visible, 1000) {
            Verdict::Serializable => true,
            Verdict::Anomalous(_) => false,
            Verdict::Undecided(_) => panic!("such a small history"),
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
