//! What the order in which a connection sent its operations demands.
//!
//! Three things are promised, and no more:
//! - of two operations that share a key, the one sent first stands before the other;
//! - whoever sees a write, and also looks at a key that its connection wrote before, sees that, too; and so does whoever
//!   looks at that key later;
//! - what a connection asked that was killed by CLIENT KILL is there for all who look at its keys after the answer, or never happens (but
//!   for scripts: see [`Operation::asks_late`]).
//!
//! So the writes of a connection need not stand in one order for everybody. And who sees one without looking at the key of an earlier one
//! may stand before that: a command may wait for a key, in the order of an operation that holds it, while those behind it, on other
//! shards, go on.

use crate::facts::Facts;
use crate::graph::{Graph, Reason};
use crate::history::{Effect, Key, NEVER, Operation, Outcome};
use std::collections::{HashMap, HashSet};

/// What each connection wrote to each key, in order.
struct Lines {
    writes: HashMap<(u32, Key), Vec<u32>>,
}

/// Adds what connections demand.
pub fn add_lines(facts: &Facts, graph: &mut Graph) {
    let mut lines = Lines { writes: HashMap::new() };
    let mut last: HashMap<(u32, Key), u32> = HashMap::new();
    for (index, operation) in facts.all_that_happened() {
        for key in keys(operation) {
            if let Some(earlier) = last.insert((operation.connection, key), index) {
                graph.add(earlier, index, Reason::Line);
            }
            if operation.effects.iter().any(|effect| effect.key() == key && effect.is_write()) {
                lines.writes.entry((operation.connection, key)).or_default().push(index);
            }
        }
    }
    for (index, operation) in facts.all_that_happened() {
        let keys = keys(operation);
        if keys.len() > 1 {
            lines.add_observer(facts, graph, index, &keys);
        }
    }
    add_later_looks(facts, graph);
}

/// The keys of an operation, each once.
fn keys(operation: &Operation) -> Vec<Key> {
    let mut keys: Vec<Key> = operation.effects.iter().map(Effect::key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Lines {
    /// An operation sees writes, and looks at keys that their connections wrote before.
    fn add_observer(&self, facts: &Facts, graph: &mut Graph, observer: u32, keys: &[Key]) {
        let operation = facts.operation(observer);
        for effect in &operation.effects {
            let mut known = HashSet::new();
            for number in seen_last_first(effect) {
                let writer = facts.writer[number as usize];
                let connection = facts.operation(writer).connection;
                // Of what one connection wrote to a key, the last says most.
                if connection == operation.connection || !known.insert(connection) {
                    continue;
                }
                for key in keys.iter().filter(|key| **key != effect.key()) {
                    let Some(writes) = self.writes.get(&(connection, *key)) else { continue };
                    let before = writes.partition_point(|&write| write < writer);
                    if let Some(at) = before.checked_sub(1) {
                        graph.add(writes[at], observer, Reason::Line);
                    }
                }
            }
        }
    }
}

/// What a read saw, the newest first.
fn seen_last_first(effect: &Effect) -> impl Iterator<Item = u32> {
    let (one, many): (Option<u32>, &[u32]) = match effect {
        Effect::Got { value, .. } => (*value, &[]),
        Effect::List { key, elements } if key.is_row() => (None, elements),
        _ => (None, &[]),
    };
    one.into_iter().chain(many.iter().rev().copied())
}

/// Once a write has been seen, those that its connection sent before are there for all who look at their keys from then on: through
/// chains of such moments, one for each key.
fn add_later_looks(facts: &Facts, graph: &mut Graph) {
    let mut moments: HashMap<Key, Vec<(u64, u32)>> = HashMap::new();
    // From the back: when something was seen that each connection wrote later.
    let mut shown_ns: HashMap<u32, u64> = HashMap::new();
    let happened: Vec<(u32, &Operation)> = facts.all_that_happened().collect();
    for &(index, operation) in happened.iter().rev() {
        let shown = shown_ns.entry(operation.connection).or_insert(NEVER);
        let changes = operation.effects.iter().filter(|effect| effect.is_write());
        if *shown < operation.completed_ns {
            for effect in changes {
                moments.entry(effect.key()).or_default().push((*shown, index));
            }
        }
        *shown = (*shown).min(facts.first_seen_ns(operation));
        if operation.outcome == Outcome::Unknown && operation.completed_ns != NEVER && !operation.asks_late {
            for effect in operation.effects.iter().filter(|effect| effect.is_write()) {
                moments.entry(effect.key()).or_default().push((operation.completed_ns, index));
            }
        }
    }
    let mut points: HashMap<Key, Vec<(u64, u32)>> = HashMap::new();
    let mut keys: Vec<Key> = moments.keys().copied().collect();
    keys.sort_unstable();
    for key in keys {
        let moments = moments.get_mut(&key).expect("it has some");
        moments.sort_unstable();
        let chain = points.entry(key).or_default();
        for &(shown_ns, writer) in moments.iter() {
            let point = graph.add_point();
            if let Some(&(_, last)) = chain.last() {
                graph.add(last, point, Reason::Line);
            }
            graph.add(writer, point, Reason::Line);
            chain.push((shown_ns, point));
        }
    }
    for (index, operation) in happened {
        for effect in &operation.effects {
            let Some(chain) = points.get(&effect.key()) else { continue };
            let over = chain.partition_point(|(shown_ns, _)| *shown_ns < operation.invoked_ns);
            if let Some(last) = over.checked_sub(1) {
                graph.add(chain[last].1, index, Reason::Line);
            }
        }
    }
}
