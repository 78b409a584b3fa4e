//! Lists and streams: the order of versions follows from the longest read; all other reads must be beginnings of it.

use crate::anomaly::{Anomaly, Class};
use crate::facts::{Facts, NOBODY};
use crate::graph::{Graph, Reason};
use crate::history::{Effect, Key, NEVER, Number, Operation, Outcome};
use std::collections::HashMap;

/// What one operation did to one list.
struct Touch {
    operation: u32,
    /// How long the list was before, if the reply tells.
    length: Option<usize>,
    /// The place of the read among the effects.
    read: Option<usize>,
    /// What it appended.
    own: Vec<Number>,
}

/// A list.
#[derive(Default)]
struct List {
    touches: Vec<Touch>,
    /// The elements of the longest read, with those that the reader itself appended before it.
    order: Vec<Number>,
    /// The operation that read it, and when the last read of all was sent.
    longest: Option<u32>,
    last_read_ns: u64,
}

/// All lists of a history.
pub struct Lists {
    lists: HashMap<Key, List>,
}

impl Lists {
    /// Orders the versions.
    ///
    /// # Errors
    /// When there is no such order, or what was acknowledged is missing.
    pub fn new(facts: &Facts) -> Result<Lists, Anomaly> {
        let mut lists: HashMap<Key, List> = HashMap::new();
        for (index, operation) in facts.all_that_happened() {
            for (key, touch) in touches(facts, index, operation)? {
                let list = lists.entry(key).or_default();
                if let Some(read) = touch.read {
                    let elements = elements(operation, read);
                    list.last_read_ns = list.last_read_ns.max(operation.invoked_ns);
                    if list.longest.is_none() || elements.len() > list.order.len() {
                        list.order = elements.to_vec();
                        list.longest = Some(index);
                    }
                }
                list.touches.push(touch);
            }
        }
        let lists = Lists { lists };
        for (key, list) in &lists.lists {
            lists.check_order(facts, *key, list)?;
            lists.check_presence(facts, *key, list)?;
        }
        lists.check_torn(facts)?;
        Ok(lists)
    }

    fn check_order(&self, facts: &Facts, key: Key, list: &List) -> Result<(), Anomaly> {
        let mut place: HashMap<Number, usize> = HashMap::with_capacity(list.order.len());
        for (at, &element) in list.order.iter().enumerate() {
            let longest = list.longest.expect("there are elements");
            if place.insert(element, at).is_some() {
                let what = format!("{element} is twice in {key}");
                return Err(facts.anomaly(Class::Duplicated, &what, &[longest]));
            }
            let writer = facts.writer[element as usize];
            let is_its = |effect: &Effect| effect.written() == Some(element) && effect.key() == key;
            if writer == NOBODY || !facts.operation(writer).effects.iter().any(is_its) {
                let what = format!("nobody appended {element} to {key}");
                return Err(facts.anomaly(Class::Nowhere, &what, &[longest]));
            }
        }
        for touch in &list.touches {
            let Some(read) = touch.read else { continue };
            let elements = elements(facts.operation(touch.operation), read);
            if *elements != list.order[..elements.len()] {
                let longest = list.longest.expect("somebody read");
                let what = format!("two versions of {key} that exclude each other");
                return Err(facts.anomaly(Class::IncompatibleOrder, &what, &[longest, touch.operation]));
            }
            let base = elements.len() - own_before(facts.operation(touch.operation), read, key);
            let (Some(last), Some(next)) = (base.checked_sub(1), list.order.get(base)) else { continue };
            let writer = facts.writer[list.order[last] as usize];
            if writer == facts.writer[*next as usize] && writer != touch.operation {
                let what = format!("{key} was read in the middle of an operation");
                return Err(facts.anomaly(Class::IntermediateRead, &what, &[writer, touch.operation]));
            }
        }
        Ok(())
    }

    /// What was acknowledged before the last read was sent must be there.
    fn check_presence(&self, facts: &Facts, key: Key, list: &List) -> Result<(), Anomaly> {
        for touch in &list.touches {
            let operation = facts.operation(touch.operation);
            let is_late = operation.completed_ns >= list.last_read_ns || operation.outcome != Outcome::Done;
            let is_missing = |element: &&Number| facts.seen_ns[**element as usize] == NEVER;
            if let Some(element) = touch.own.iter().find(is_missing)
                && !is_late
            {
                let what =
                    format!("{element} is not in {key}, though it was acknowledged before the last read");
                let longest = list.longest.expect("somebody read");
                return Err(facts.anomaly(Class::Lost, &what, &[touch.operation, longest]));
            }
        }
        Ok(())
    }

    /// An operation without a reply, of which a part has been seen: the rest must be there later.
    fn check_torn(&self, facts: &Facts) -> Result<(), Anomaly> {
        for (key, list) in &self.lists {
            for touch in &list.touches {
                let operation = facts.operation(touch.operation);
                let seen_ns = facts.first_seen_ns(operation);
                let is_missing = |element: &&Number| facts.seen_ns[**element as usize] == NEVER;
                if operation.outcome == Outcome::Unknown
                    && seen_ns < list.last_read_ns
                    && let Some(element) = touch.own.iter().find(is_missing)
                {
                    let what = format!("a part of it was seen, but {element} is not in {key}");
                    return Err(facts.anomaly(Class::Torn, &what, &[touch.operation]));
                }
            }
        }
        Ok(())
    }

    /// Whether everything appended to a list has been looked for after `at_ns`.
    pub fn is_read_after(&self, key: Key, at_ns: u64) -> bool {
        self.lists.get(&key).is_some_and(|list| list.last_read_ns > at_ns)
    }

    /// Adds what the orders of versions demand.
    pub fn add_edges(&self, facts: &Facts, graph: &mut Graph) {
        let mut keys: Vec<&Key> = self.lists.keys().collect();
        keys.sort_unstable();
        for key in keys {
            let list = &self.lists[key];
            let writers: Vec<u32> =
                list.order.iter().map(|&element| facts.writer[element as usize]).collect();
            writers.windows(2).for_each(|pair| graph.add(pair[0], pair[1], Reason::Ww));
            let in_order = |touch: &&Touch| touch.own.iter().all(|n| facts.seen_ns[*n as usize] == NEVER);
            let unseen: Vec<u32> = list
                .touches
                .iter()
                .filter(|touch| !touch.own.is_empty())
                .filter(in_order)
                .map(|touch| touch.operation)
                .collect();
            if let Some(&last) = writers.last() {
                unseen.iter().for_each(|&later| graph.add(last, later, Reason::Ww));
            }
            for touch in &list.touches {
                let Some(length) = touch.length else { continue };
                if let Some(last) = length.checked_sub(1)
                    && let Some(&writer) = writers.get(last)
                {
                    graph.add(writer, touch.operation, Reason::Wr);
                }
                match writers.get(length) {
                    Some(&next) => graph.add(touch.operation, next, Reason::Rw),
                    None if length == writers.len() => {
                        unseen.iter().for_each(|&later| graph.add(touch.operation, later, Reason::Rw));
                    }
                    None => {}
                }
            }
        }
    }
}

/// The elements of a read.
fn elements(operation: &Operation, read: usize) -> &[Number] {
    match &operation.effects[read] {
        Effect::List { elements, .. } => elements,
        other => unreachable!("{other} is no read"),
    }
}

/// How many elements the operation itself had appended before its read.
fn own_before(operation: &Operation, read: usize, key: Key) -> usize {
    let is_own = |effect: &&Effect| matches!(effect, Effect::Append { .. }) && effect.key() == key;
    operation.effects[..read].iter().filter(is_own).count()
}

/// What an operation did to each list; it must agree with itself.
fn touches(facts: &Facts, index: u32, operation: &Operation) -> Result<Vec<(Key, Touch)>, Anomaly> {
    let mut found: Vec<(Key, Touch)> = Vec::new();
    let contradiction = || Err(facts.anomaly(Class::Internal, "it contradicts itself", &[index]));
    for (at, effect) in operation.effects.iter().enumerate() {
        let (key, length) = match effect {
            Effect::Append { key, length, .. } => (*key, length.map(|length| length as usize)),
            Effect::List { key, elements } if key.is_row() => (*key, Some(elements.len())),
            _ => continue,
        };
        let place = match found.iter().position(|(other, _)| *other == key) {
            Some(place) => place,
            None => {
                found.push((key, Touch { operation: index, length: None, read: None, own: Vec::new() }));
                found.len() - 1
            }
        };
        let touch = &mut found[place].1;
        if let Effect::Append { element, .. } = effect {
            touch.own.push(*element);
        }
        if let Some(length) = length {
            let Some(base) = length.checked_sub(touch.own.len()) else { return contradiction() };
            if touch.length.is_some_and(|known| known != base) {
                return contradiction();
            }
            touch.length = Some(base);
        }
        if let Effect::List { elements: seen, .. } = effect {
            let first = touch.read.map(|read| elements(operation, read));
            if !seen.ends_with(&touch.own) || first.is_some_and(|first| !seen.starts_with(first)) {
                return contradiction();
            }
            touch.read = Some(at);
        }
    }
    Ok(found)
}
