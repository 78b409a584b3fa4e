//! Queues: each element leaves once, in the order in which it came; nothing is lost, and nobody is told that nothing is there when
//! something is.

use crate::anomaly::{Anomaly, Class};
use crate::facts::Facts;
use crate::graph::{Graph, Reason};
use crate::history::{Effect, Key, Number, Operation, Outcome};
use std::collections::{HashMap, HashSet};

/// A queue.
#[derive(Default)]
struct Queue {
    /// In the order in which they were put there, which is that of the one connection that did so.
    pushes: Vec<(Number, u32)>,
    pops: HashMap<Number, u32>,
    /// What was left at the end, and who read that.
    left: Option<(Vec<Number>, u32)>,
    /// Who found it empty.
    nothing: Vec<u32>,
}

/// All queues of a history.
pub struct Queues {
    queues: HashMap<Key, Queue>,
    /// What only operations without a reply can have taken.
    missing: HashSet<Number>,
}

impl Queues {
    /// Follows every element.
    ///
    /// # Errors
    /// When one was taken twice, is lost, or was overlooked.
    pub fn new(facts: &Facts) -> Result<Queues, Anomaly> {
        let mut queues: HashMap<Key, Queue> = HashMap::new();
        for (index, operation) in facts.all_that_happened() {
            for effect in &operation.effects {
                match effect {
                    Effect::Push { key, element } => {
                        queues.entry(*key).or_default().pushes.push((*element, index));
                    }
                    Effect::Pop { key, element } => {
                        let other = queues.entry(*key).or_default().pops.insert(*element, index);
                        if let Some(other) = other {
                            let what = format!("{element} was taken from {key} twice");
                            return Err(facts.anomaly(Class::Duplicated, &what, &[other, index]));
                        }
                    }
                    Effect::List { key, elements } if key.is_queue() => {
                        queues.entry(*key).or_default().left = Some((elements.to_vec(), index));
                    }
                    Effect::Nothing { key } => queues.entry(*key).or_default().nothing.push(index),
                    _ => {}
                }
            }
        }
        let mut missing = Vec::new();
        for (key, queue) in &queues {
            queue.check_origins(facts, *key)?;
            queue.check_overlooked(facts, *key)?;
            missing.extend(queue.missing());
        }
        let lost = lost(facts, &missing);
        if let Some((element, push)) = lost {
            let what = format!("{element} is gone, and no operation without a reply can have taken it");
            return Err(facts.anomaly(Class::Lost, &what, &[push]));
        }
        Ok(Queues { queues, missing: missing.into_iter().map(|(element, _)| element).collect() })
    }

    /// What only operations without a reply can have taken.
    pub fn missing(&self) -> &HashSet<Number> {
        &self.missing
    }

    /// Adds that elements come before they go, and that they go in the order in which they came.
    pub fn add_edges(&self, graph: &mut Graph) {
        let mut keys: Vec<&Key> = self.queues.keys().collect();
        keys.sort_unstable();
        for key in keys {
            let queue = &self.queues[key];
            let (mut last, mut is_left) = (None, false);
            for (element, push) in &queue.pushes {
                is_left |= queue.left.as_ref().is_some_and(|(left, _)| left.first() == Some(element));
                let Some(&pop) = queue.pops.get(element) else { continue };
                graph.add(*push, pop, Reason::Wr);
                if let Some(last) = last.replace(pop) {
                    graph.add(last, pop, Reason::Ww);
                }
                // What stands before it is there still at the end.
                if let Some((_, reader)) = queue.left.as_ref().filter(|_| is_left) {
                    graph.add(*reader, pop, Reason::Rw);
                }
            }
        }
    }
}

impl Queue {
    /// Whatever left or is left has come.
    fn check_origins(&self, facts: &Facts, key: Key) -> Result<(), Anomaly> {
        let place: HashMap<Number, usize> =
            self.pushes.iter().enumerate().map(|(at, (element, _))| (*element, at)).collect();
        for (element, pop) in &self.pops {
            if !place.contains_key(element) {
                let what = format!("nobody put {element} into {key}");
                return Err(facts.anomaly(Class::Nowhere, &what, &[*pop]));
            }
        }
        let Some((left, reader)) = &self.left else { return Ok(()) };
        let mut last = None;
        for element in left {
            let Some(&at) = place.get(element) else {
                let what = format!("nobody put {element} into {key}");
                return Err(facts.anomaly(Class::Nowhere, &what, &[*reader]));
            };
            if let Some(pop) = self.pops.get(element) {
                let what = format!("{element} is still in {key}");
                return Err(facts.anomaly(Class::Duplicated, &what, &[*pop, *reader]));
            }
            if last.replace(at).is_some_and(|last| last >= at) {
                let what = format!("{element} is at a wrong place in {key}");
                return Err(facts.anomaly(Class::IncompatibleOrder, &what, &[*reader]));
            }
        }
        Ok(())
    }

    /// Who found nothing: no element may have come before that began, and gone after it ended.
    fn check_overlooked(&self, facts: &Facts, key: Key) -> Result<(), Anomaly> {
        let mut stays: Vec<(u64, u64, u32, u32)> = Vec::new();
        for (element, push) in &self.pushes {
            let left =
                self.left.as_ref().filter(|(left, _)| left.contains(element)).map(|(_, reader)| *reader);
            let Some(end) = self.pops.get(element).copied().or(left) else { continue };
            let begin_ns = facts.operation(*push).completed_ns;
            stays.push((facts.operation(end).invoked_ns, begin_ns, *push, end));
        }
        stays.sort_unstable();
        // From the back: of those that end later than a time, the one that came first.
        let mut first = vec![None; stays.len() + 1];
        for at in (0..stays.len()).rev() {
            let earlier = |other: usize| stays[other].1 < stays[at].1;
            first[at] = Some(first[at + 1].filter(|other| earlier(*other)).unwrap_or(at));
        }
        for &index in &self.nothing {
            let operation = facts.operation(index);
            let from = stays.partition_point(|stay| stay.0 <= operation.completed_ns);
            if let Some(stay) = first[from].map(|at| stays[at])
                && stay.1 < operation.invoked_ns
            {
                let what = format!("what was in {key} was overlooked");
                return Err(facts.anomaly(Class::Overlooked, &what, &[stay.2, index, stay.3]));
            }
        }
        Ok(())
    }

    /// Acknowledged elements that nobody was told to have got, when it is known what is left.
    fn missing(&self) -> Vec<(Number, u32)> {
        let Some((left, _)) = &self.left else { return Vec::new() };
        let left: HashSet<Number> = left.iter().copied().collect();
        let is_gone =
            |(element, _): &&(Number, u32)| !self.pops.contains_key(element) && !left.contains(element);
        self.pushes.iter().filter(is_gone).copied().collect()
    }
}

type Taker = (u32, usize);

/// Gives each missing element to an operation without a reply that may have taken it, each operation at most one; an element for which
/// there is none, with who put it there. (Augmenting paths in a bipartite graph; Kuhn, "The Hungarian method", 1955.)
fn lost(facts: &Facts, missing: &[(Number, u32)]) -> Option<(Number, u32)> {
    // A taker is an operation and a place among its effects: a transaction may have taken several.
    let mut takers: HashMap<Key, Vec<Taker>> = HashMap::new();
    for (index, operation) in facts.operations.iter().enumerate() {
        for (at, effect) in operation.effects.iter().enumerate() {
            if let Effect::MayMove { from, to: None } = effect
                && operation.outcome == Outcome::Unknown
            {
                from.iter().for_each(|from| takers.entry(*from).or_default().push((index as u32, at)));
            }
        }
    }
    let candidates = |&(element, push): &(Number, u32)| -> Vec<Taker> {
        let push: &Operation = facts.operation(push);
        let from = push.effects.iter().find(|effect| effect.written() == Some(element));
        let from = from.expect("it pushed it").key();
        let may = |taker: &&Taker| facts.operation(taker.0).completed_ns > push.invoked_ns;
        takers.get(&from).map_or_else(Vec::new, |takers| takers.iter().filter(may).copied().collect())
    };
    let candidates: Vec<Vec<Taker>> = missing.iter().map(candidates).collect();
    let mut taken: HashMap<Taker, usize> = HashMap::new();
    for (at, element) in missing.iter().enumerate() {
        if !give(at, &candidates, &mut taken, &mut HashSet::new()) {
            return Some(*element);
        }
    }
    None
}

fn give(
    at: usize,
    candidates: &[Vec<Taker>],
    taken: &mut HashMap<Taker, usize>,
    tried: &mut HashSet<Taker>,
) -> bool {
    for &taker in &candidates[at] {
        if !tried.insert(taker) {
            continue;
        }
        let other = taken.get(&taker).copied();
        if other.is_none_or(|other| give(other, candidates, taken, tried)) {
            taken.insert(taker, at);
            return true;
        }
    }
    false
}
