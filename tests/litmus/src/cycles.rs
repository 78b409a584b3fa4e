//! Is the whole history strictly serializable, and are the writes of each connection in order?
//!
//! As Elle does it (Kingsbury and Alvaro, VLDB 2020): operations are nodes, and an edge says that one must stand before the other
//! in every order that explains the history. A cycle is an anomaly. The edges:
//! - *time*: what was over before another began (through a chain of instants, so that there are few edges);
//! - *line*: within a pipeline, a write before the next write, and everything before what comes after it on the same key;
//! - *written*: the write of a value before its reads;
//! - *next*: whoever has seen a version before the write that replaces it. For logs the order of versions is known.
//!   For registers it is known where SET … GET tells the value before it, and else inferred from time: a write that began after
//!   another was over replaces it or something later; one that was over when a read of another value began must stand
//!   before that value's write, and so on.
//!
//! Only sound edges are used: a cycle is always a fault. The converse does not hold for registers written at the same time.

use crate::history::{Effect, Number, Operation};
use std::collections::HashMap;
use std::fmt::Write;

/// Operations shown of a cycle.
const SHOWN_MAX: usize = 24;

#[derive(Default)]
struct Register {
    /// Operation that wrote each value.
    writer: HashMap<Number, u32>,
    readers: Vec<(u32, Option<Number>)>,
    /// The write that came right after a value, where known.
    next: HashMap<Option<Number>, u32>,
}

#[derive(Default)]
struct Log {
    /// Operation and value at each place.
    appends: Vec<Option<(u32, Number)>>,
    /// Who read it, and how many values were there.
    reads: Vec<(u32, usize)>,
}

struct Graph<'a> {
    operations: &'a [Operation],
    edges: Vec<(u32, u32)>,
}

/// The first anomaly, in words.
///
/// # Errors
/// When the history is not strictly serializable.
pub fn check(operations: &[Operation]) -> Result<(), String> {
    let mut graph = Graph { operations, edges: Vec::new() };
    let nodes = graph.time();
    graph.line();
    graph.registers()?;
    graph.logs()?;
    match find_cycle(nodes, &graph.edges) {
        None => Ok(()),
        Some(cycle) => Err(graph.shown(&cycle)),
    }
}

impl Graph<'_> {
    fn add(&mut self, before: u32, after: u32) {
        if before != after {
            self.edges.push((before, after));
        }
    }

    /// Nodes after the operations' are instants, one for each beginning and end. Gives the number of all nodes.
    fn time(&mut self) -> usize {
        let count = self.operations.len();
        let mut instants: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * count);
        for (index, operation) in self.operations.iter().enumerate() {
            // Of equal times the beginning counts as the earlier: nothing is claimed in doubt.
            instants.push((operation.invoked_ns, false, index as u32));
            instants.push((operation.completed_ns, true, index as u32));
        }
        instants.sort_unstable();
        for (place, (_, is_end, operation)) in instants.iter().enumerate() {
            let instant = (count + place) as u32;
            if place > 0 {
                self.add(instant - 1, instant);
            }
            match is_end {
                true => self.add(*operation, instant),
                false => self.add(instant, *operation),
            }
        }
        3 * count
    }

    fn line(&mut self) {
        let operations = self.operations;
        let mut start = 0;
        for (index, operation) in operations.iter().enumerate() {
            let first = &operations[start];
            if (first.client, first.pipeline) != (operation.client, operation.pipeline) {
                start = index;
            }
            let mut write_seen = false;
            for before in (start..index).rev() {
                let both_write = is_write(operation) && is_write(&operations[before]);
                if both_write && !write_seen || conflict(&operations[before], operation) {
                    self.add(before as u32, index as u32);
                }
                write_seen |= is_write(&operations[before]);
            }
        }
    }

    fn registers(&mut self) -> Result<(), String> {
        let mut registers: HashMap<u32, Register> = HashMap::new();
        for (index, operation) in self.operations.iter().enumerate() {
            let index = index as u32;
            for effect in &operation.effects {
                let register = registers.entry(effect.key()).or_default();
                match effect {
                    Effect::Put { value, .. } => _ = register.writer.insert(*value, index),
                    Effect::Got { value, .. } => {
                        register.readers.push((index, *value));
                        if operation.effects.iter().any(|e| e.key() == effect.key() && e.is_write())
                            && let Some(other) = register.next.insert(*value, index)
                        {
                            return Err(format!(
                                "both replaced the same value: {}",
                                self.shown(&[other, index])
                            ));
                        }
                    }
                    Effect::Appended { .. } | Effect::Listed { .. } => {}
                }
            }
        }
        registers.values().try_for_each(|register| self.register(register))
    }

    fn register(&mut self, register: &Register) -> Result<(), String> {
        let operations = self.operations;
        let invoked = |index: u32| operations[index as usize].invoked_ns;
        let completed = |index: u32| operations[index as usize].completed_ns;
        let mut by_start: Vec<u32> = register.writer.values().copied().collect();
        let mut by_end = by_start.clone();
        by_start.sort_unstable_by_key(|&write| invoked(write));
        by_end.sort_unstable_by_key(|&write| completed(write));
        for &(reader, value) in &register.readers {
            let writer = match value {
                None => None,
                Some(value) => match register.writer.get(&value) {
                    Some(&writer) => Some(writer),
                    None => return Err(format!("from nowhere: {}", self.shown(&[reader]))),
                },
            };
            if let Some(writer) = writer {
                self.add(writer, reader);
            }
            if let Some(&next) = register.next.get(&value) {
                self.add(reader, next);
            }
            // Writes that cannot stand before the one that was read. Those that begin after the read are later anyway.
            let from =
                writer.map_or(0, |w| by_start.partition_point(|&other| invoked(other) <= completed(w)));
            let to = by_start.partition_point(|&other| invoked(other) <= completed(reader));
            by_start[from.min(to)..to].iter().for_each(|&later| self.add(reader, later));
            // Writes that were over when the read began, and so stand before it, stand before the write that was read.
            let Some(writer) = writer else { continue };
            let from = by_end.partition_point(|&other| completed(other) < invoked(writer));
            let to = by_end.partition_point(|&other| completed(other) < invoked(reader));
            by_end[from.min(to)..to].iter().for_each(|&earlier| self.add(earlier, writer));
        }
        Ok(())
    }

    fn logs(&mut self) -> Result<(), String> {
        let mut logs: HashMap<u32, Log> = HashMap::new();
        for (index, operation) in self.operations.iter().enumerate() {
            for effect in &operation.effects {
                if let Effect::Appended { key, value, place } = effect {
                    let log = logs.entry(*key).or_default();
                    let place = *place as usize;
                    log.appends.resize(log.appends.len().max(place + 1), None);
                    if let Some((other, _)) = log.appends[place].replace((index as u32, *value)) {
                        return Err(format!("both at one place: {}", self.shown(&[other, index as u32])));
                    }
                }
            }
        }
        for (index, operation) in self.operations.iter().enumerate() {
            for effect in &operation.effects {
                let Effect::Listed { key, values } = effect else { continue };
                let log = logs.entry(*key).or_default();
                let known = values.iter().enumerate().all(|(place, value)| {
                    matches!(log.appends.get(place), Some(Some((_, appended))) if appended == value)
                });
                if !known {
                    return Err(format!("not what was appended: {}", self.shown(&[index as u32])));
                }
                log.reads.push((index as u32, values.len()));
            }
        }
        for log in logs.values() {
            let writers: Option<Vec<u32>> = log.appends.iter().map(|append| Some((*append)?.0)).collect();
            let Some(writers) = writers else { return Err("an append left a gap".into()) };
            writers.windows(2).for_each(|pair| self.add(pair[0], pair[1]));
            for &(reader, count) in &log.reads {
                if let Some(last) = count.checked_sub(1) {
                    self.add(writers[last], reader);
                }
                if let Some(&next) = writers.get(count) {
                    self.add(reader, next);
                }
            }
        }
        Ok(())
    }

    /// Nodes as text, one operation a line.
    fn shown(&self, nodes: &[u32]) -> String {
        let mut text = String::new();
        let operations = nodes.iter().filter_map(|&node| self.operations.get(node as usize));
        for operation in operations.take(SHOWN_MAX) {
            let Operation { client, pipeline, invoked_ns, completed_ns, effects } = operation;
            let _ = write!(text, "\n  client {client}, pipeline {pipeline}, {invoked_ns}..{completed_ns}: ");
            let _ = write!(text, "{effects:?}");
        }
        format!("{} nodes, of which operations:{text}", nodes.len())
    }
}

fn is_write(operation: &Operation) -> bool {
    operation.effects.iter().any(Effect::is_write)
}

/// Both concern a key that one of them writes.
fn conflict(a: &Operation, b: &Operation) -> bool {
    let pairs = a.effects.iter().flat_map(|x| b.effects.iter().map(move |y| (x, y)));
    pairs.into_iter().any(|(x, y)| x.key() == y.key() && (x.is_write() || y.is_write()))
}

/// Takes away nodes that nothing stands before, until none is left or a cycle must be among the rest.
fn find_cycle(nodes: usize, edges: &[(u32, u32)]) -> Option<Vec<u32>> {
    let mut first = vec![0u32; nodes + 1];
    let mut missing = vec![0u32; nodes];
    for &(from, to) in edges {
        first[from as usize + 1] += 1;
        missing[to as usize] += 1;
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    let (mut fill, mut targets) = (first.clone(), vec![0u32; edges.len()]);
    for &(from, to) in edges {
        targets[fill[from as usize] as usize] = to;
        fill[from as usize] += 1;
    }
    let mut ready: Vec<u32> = (0..nodes as u32).filter(|&node| missing[node as usize] == 0).collect();
    let mut taken = 0;
    while let Some(node) = ready.pop() {
        taken += 1;
        for &target in &targets[first[node as usize] as usize..first[node as usize + 1] as usize] {
            missing[target as usize] -= 1;
            if missing[target as usize] == 0 {
                ready.push(target);
            }
        }
    }
    if taken == nodes { None } else { Some(shortest_of_some(&missing, edges)) }
}

/// Every node left has one left before it: going back must come round.
fn shortest_of_some(missing: &[u32], edges: &[(u32, u32)]) -> Vec<u32> {
    let mut before = HashMap::new();
    for &(from, to) in edges {
        if missing[from as usize] > 0 && missing[to as usize] > 0 {
            // An edge to an operation says more than one through time.
            let known = before.entry(to).or_insert(from);
            *known = from.min(*known);
        }
    }
    let mut at = *before.keys().min().expect("something is left");
    let (mut path, mut place) = (Vec::new(), HashMap::new());
    loop {
        if let Some(&start) = place.get(&at) {
            let mut cycle = path.split_off(start);
            cycle.reverse();
            return cycle;
        }
        place.insert(at, path.len());
        path.push(at);
        at = before[&at];
    }
}

#[cfg(test)]
mod tests;
