//! Is there an order that keeps the constraints and gives all replies? A search, which finds out without any help.
//!
//! The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of places already
//! seen ("Testing for linearizability", 2017). One thing keeps it small: an operation that may come next and whose reply fits and
//! says that it changed nothing is taken at once, for any order that has it later is as good with it here. Another thing keeps it
//! straight: as every value is written once, an operation that overwrites one that a later reply shows is not tried.

use crate::check::Verdict;
use crate::history::flat;
use crate::model::State;
use crate::nodes::Node;
use crate::op::{Key, Text};
use base::random::Random;
use std::collections::{HashMap, HashSet};

/// Searches, trying at most `budget` places.
pub fn search(nodes: &[Node<'_>], budget: usize) -> Verdict {
    let mut search = Search::new(nodes);
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

enum Outcome {
    Found,
    None,
    OverBudget,
}

struct Search<'a> {
    /// By time of sending.
    nodes: &'a [Node<'a>],
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
    fn new(nodes: &'a [Node<'a>]) -> Self {
        let replies_left = nodes.iter().filter(|node| node.reply.is_some()).count();
        let done = vec![false; nodes.len()];
        let used = nodes.iter().filter_map(|node| node.record.op.keys()).flatten();
        let keys = used.max().map_or(0, |key| key + 1);
        let mut awaited = HashMap::new();
        for node in nodes {
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
        if self.replies_left == 0 && !self.has_gap() {
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
        let (nodes, random, stray) = (self.nodes, &mut self.random, self.stray);
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

    /// Whether an operation was done without one that it requires.
    fn has_gap(&self) -> bool {
        let is_left = |node: &Node<'_>| node.requires.is_some_and(|other| !self.done[other]);
        self.order.iter().any(|&index| is_left(&self.nodes[index]))
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
                let is_over = node.ended_by.is_some_and(|end| self.done[end]);
                if !is_over && node.before.iter().all(|&other| self.done[other]) {
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

/// A random number for each operation, the same in every run.
fn base_mark(index: usize) -> u64 {
    Random::from_seed(index as u64).next_u64()
}
