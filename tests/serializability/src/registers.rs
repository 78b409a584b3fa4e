//! Registers: owned ones have the order in which their connection wrote them; in shared ones each write tells the version that it
//! has replaced.

use crate::anomaly::{Anomaly, Class};
use crate::facts::{Facts, NOBODY};
use crate::graph::{Graph, Reason};
use crate::history::{Effect, Key, Number, Operation};
use std::collections::{HashMap, HashSet};

/// What one operation did to one register.
struct Touch {
    operation: u32,
    /// What was there before, if it looked; at most one of both.
    got: Option<Option<Number>>,
    exists: Option<bool>,
    /// What it left there.
    put: Option<Number>,
}

/// A register.
#[derive(Default)]
struct Register {
    touches: Vec<Touch>,
    /// The version after each, and who wrote that.
    next: HashMap<Option<Number>, (Number, u32)>,
    /// Where the version before a write is unknown: writes without a reply.
    gaps: usize,
}

/// All registers of a history.
pub struct Registers {
    registers: HashMap<Key, Register>,
}

impl Registers {
    /// Orders the versions.
    ///
    /// # Errors
    /// When two have replaced the same, or something was read that its writer replaced at once.
    pub fn new(facts: &Facts) -> Result<Registers, Anomaly> {
        let mut registers: HashMap<Key, Register> = HashMap::new();
        let mut replaced: HashMap<Number, u32> = HashMap::new();
        for (index, operation) in facts.all_that_happened() {
            for (key, touch) in touches(facts, index, operation, &mut replaced)? {
                registers.entry(key).or_default().touches.push(touch);
            }
        }
        for (key, register) in &mut registers {
            for touch in &register.touches {
                let Some(Some(value)) = touch.got else { continue };
                let writer = facts.writer[value as usize];
                let is_its = |effect: &Effect| effect.written() == Some(value) && effect.key() == *key;
                if writer == NOBODY || !facts.operation(writer).effects.iter().any(is_its) {
                    let what = format!("nobody set {key} to {value}");
                    return Err(facts.anomaly(Class::Nowhere, &what, &[touch.operation]));
                }
                if replaced.contains_key(&value) {
                    let what = format!("{value} was seen in {key}");
                    let shown = [writer, touch.operation];
                    return Err(facts.anomaly(Class::IntermediateRead, &what, &shown));
                }
            }
            match key {
                Key::Owned(_) => register.order_by_line(facts, *key)?,
                _ => register.order_by_what_was_replaced(facts, *key)?,
            }
        }
        Ok(Registers { registers })
    }

    /// Registers of which the versions stand in more than one chain: what was there at a time may be open.
    pub fn gaps(&self) -> HashSet<Key> {
        self.registers.iter().filter(|(_, register)| register.gaps > 1).map(|(key, _)| *key).collect()
    }

    /// Adds what the orders of versions demand.
    pub fn add_edges(&self, facts: &Facts, graph: &mut Graph) {
        let mut keys: Vec<&Key> = self.registers.keys().collect();
        keys.sort_unstable();
        for key in keys {
            let register = &self.registers[key];
            for (value, &(_, next)) in &register.next {
                if let Some(value) = value {
                    graph.add(facts.writer[*value as usize], next, Reason::Ww);
                }
            }
            for touch in &register.touches {
                let at = touch.operation;
                if let Some(Some(value)) = touch.got {
                    graph.add(facts.writer[value as usize], at, Reason::Wr);
                }
                let first = register.next.get(&None);
                if touch.exists == Some(true)
                    && let Some(&(_, first)) = first
                {
                    graph.add(first, at, Reason::Wr);
                }
                let absent = (touch.exists == Some(false)).then_some(None);
                if let Some(&(_, next)) = touch.got.or(absent).and_then(|value| register.next.get(&value)) {
                    graph.add(at, next, Reason::Rw);
                }
            }
        }
    }
}

impl Register {
    /// The writes stand in the history in the order of their connection.
    fn order_by_line(&mut self, facts: &Facts, key: Key) -> Result<(), Anomaly> {
        let (mut last, mut connection) = (None, None);
        for touch in &self.touches {
            let Some(value) = touch.put else { continue };
            let own = facts.operation(touch.operation).connection;
            if connection.replace(own).is_some_and(|other| other != own) {
                let what = format!("the history is no good: two connections have written {key}");
                return Err(facts.anomaly(Class::Reply, &what, &[touch.operation]));
            }
            self.next.insert(last, (value, touch.operation));
            last = Some(value);
        }
        Ok(())
    }

    fn order_by_what_was_replaced(&mut self, facts: &Facts, key: Key) -> Result<(), Anomaly> {
        let mut heads = Vec::new();
        for touch in &self.touches {
            let Some(value) = touch.put else { continue };
            let Some(before) = touch.got else {
                heads.push((value, touch.operation));
                continue;
            };
            if let Some((_, other)) = self.next.insert(before, (value, touch.operation)) {
                let what = format!("both have replaced the same version of {key}");
                return Err(facts.anomaly(Class::LostUpdate, &what, &[other, touch.operation]));
            }
        }
        self.gaps = heads.len();
        if let [head] = heads[..] {
            // There is one end that nobody is known to have replaced, other than the end of the chain that begins here.
            let mut end = None;
            for _ in 0..=self.next.len() {
                match self.next.get(&end) {
                    Some((value, _)) => end = Some(*value),
                    None => break,
                }
            }
            self.next.entry(end).or_insert(head);
        }
        Ok(())
    }
}

/// What an operation did to each register; it must agree with itself. What it replaced itself is noted.
fn touches(
    facts: &Facts,
    index: u32,
    operation: &Operation,
    replaced: &mut HashMap<Number, u32>,
) -> Result<Vec<(Key, Touch)>, Anomaly> {
    let mut found: Vec<(Key, Touch)> = Vec::new();
    let contradiction = || Err(facts.anomaly(Class::Internal, "it contradicts itself", &[index]));
    for effect in &operation.effects {
        let key = effect.key();
        if !matches!(effect, Effect::Put { .. } | Effect::Got { .. } | Effect::Exists { .. }) {
            continue;
        }
        let place = match found.iter().position(|(other, _)| *other == key) {
            Some(place) => place,
            None => {
                found.push((key, Touch { operation: index, got: None, exists: None, put: None }));
                found.len() - 1
            }
        };
        let touch = &mut found[place].1;
        match *effect {
            Effect::Put { value, .. } => {
                if let Some(before) = touch.put.replace(value) {
                    replaced.insert(before, index);
                }
            }
            Effect::Got { value, .. } => {
                let known = touch.put.map(Some).or(touch.got);
                let known_to_exist = touch.put.map(|_| true).or(touch.exists);
                if known.is_some_and(|known| known != value)
                    || known_to_exist.is_some_and(|exists| exists != value.is_some())
                {
                    return contradiction();
                }
                if touch.put.is_none() {
                    touch.got = Some(value);
                }
            }
            Effect::Exists { is_there, .. } => {
                let known = touch.put.map(|_| true).or(touch.got.map(|got| got.is_some())).or(touch.exists);
                if known.is_some_and(|known| known != is_there) {
                    return contradiction();
                }
                if touch.put.is_none() {
                    touch.exists = Some(is_there);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
