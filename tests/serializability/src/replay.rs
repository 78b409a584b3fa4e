//! Does an order of operations, run one after the other, give all the replies? Nothing of how the order was found is trusted.

use crate::anomaly::{Anomaly, Class};
use crate::facts::Facts;
use crate::history::{Effect, Key, NEVER, Number};
use std::collections::{HashMap, HashSet, VecDeque};

/// What there is.
struct State<'a> {
    lists: HashMap<Key, Vec<Number>>,
    registers: HashMap<Key, Number>,
    queues: HashMap<Key, VecDeque<Number>>,
    /// Elements that operations without a reply have taken, nobody knows when.
    missing: &'a HashSet<Number>,
    /// Registers of which the order is not known throughout.
    open: &'a HashSet<Key>,
}

/// Runs the operations in this order.
///
/// # Errors
/// With the first operation whose reply does not fit.
pub fn replay(
    facts: &Facts,
    order: &[u32],
    missing: &HashSet<Number>,
    open: &HashSet<Key>,
) -> Result<(), Anomaly> {
    let (lists, registers, queues) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut state = State { lists, registers, queues, missing, open };
    for &index in order.iter().filter(|&&index| facts.happened[index as usize]) {
        for effect in &facts.operation(index).effects {
            if !state.fits(facts, effect) {
                let what = format!("in the order that was found, it does not fit that it {effect}");
                return Err(facts.anomaly(Class::NoReplay, &what, &[index]));
            }
        }
    }
    Ok(())
}

impl State<'_> {
    /// Applies an effect; whether it is what is to be seen.
    fn fits(&mut self, facts: &Facts, effect: &Effect) -> bool {
        match effect {
            Effect::Append { key, element, length } => {
                let list = self.lists.entry(*key).or_default();
                list.push(*element);
                // The order of those that nobody read is not known.
                let is_seen = facts.seen_ns[*element as usize] != NEVER;
                !is_seen || length.is_none_or(|length| length as usize == list.len())
            }
            Effect::List { key, elements } if key.is_row() => {
                self.lists.get(key).map_or(&[][..], |list| list) == &elements[..]
            }
            Effect::List { key, elements } => {
                let missing = self.missing;
                let queue = self.queues.entry(*key).or_default();
                queue.iter().filter(|element| !missing.contains(element)).eq(elements.iter())
            }
            Effect::Put { key, value } => {
                self.registers.insert(*key, *value);
                true
            }
            Effect::Got { key, value } => {
                self.open.contains(key) || self.registers.get(key).copied() == *value
            }
            Effect::Exists { key, is_there } => {
                self.open.contains(key) || self.registers.contains_key(key) == *is_there
            }
            Effect::Push { key, element } => {
                self.queues.entry(*key).or_default().push_back(*element);
                true
            }
            Effect::Pop { key, element } => {
                let missing = self.missing;
                let queue = self.queues.entry(*key).or_default();
                while queue.front().is_some_and(|first| missing.contains(first)) {
                    queue.pop_front();
                }
                queue.pop_front() == Some(*element)
            }
            Effect::Nothing { .. } | Effect::MayMove { .. } => true,
        }
    }
}
