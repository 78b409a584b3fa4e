//! Who has written what, what of it has been seen, and so which operations without a reply have happened.

use crate::anomaly::{Anomaly, Class};
use crate::history::{Effect, Key, NEVER, Number, Operation, Outcome};
use std::collections::HashMap;

/// No operation.
pub const NOBODY: u32 = u32::MAX;

/// What the parts of the check have in common.
pub struct Facts {
    pub operations: Vec<Operation>,
    /// Who put a number into a list or register, and into a queue; [`NOBODY`] did.
    pub writer: Vec<u32>,
    pub pusher: Vec<u32>,
    /// When each number was seen for the first time in a list or register, and when in a queue or taken from it.
    pub seen_ns: Vec<u64>,
    pub taken_ns: Vec<u64>,
    /// Whether each operation has happened, as far as anybody knows.
    pub happened: Vec<bool>,
}

impl Facts {
    /// Reads the history through once.
    ///
    /// # Errors
    /// When something was seen that nobody can have written, or something was seen of a refused operation.
    pub fn new(operations: Vec<Operation>) -> Result<Facts, Anomaly> {
        let numbers = operations.iter().flat_map(|op| &op.effects).flat_map(numbers_of).max().unwrap_or(0);
        let size = numbers as usize + 1;
        let mut facts = Facts {
            writer: vec![NOBODY; size],
            pusher: vec![NOBODY; size],
            seen_ns: vec![NEVER; size],
            taken_ns: vec![NEVER; size],
            happened: Vec::new(),
            operations,
        };
        facts.note_writers()?;
        facts.note_moved()?;
        facts.note_seen();
        facts.happened = facts.operations.iter().map(|operation| facts.has_happened(operation)).collect();
        facts.refuse_what_was_refused()?;
        Ok(facts)
    }

    /// The operation of a number.
    pub fn operation(&self, index: u32) -> &Operation {
        &self.operations[index as usize]
    }

    /// An anomaly that these operations show.
    pub fn anomaly(&self, class: Class, what: &str, shown: &[u32]) -> Anomaly {
        let shown: Vec<&Operation> = shown.iter().map(|&index| self.operation(index)).collect();
        Anomaly::new(class, what, &shown)
    }

    /// All that have happened, with their numbers.
    pub fn all_that_happened(&self) -> impl Iterator<Item = (u32, &Operation)> {
        let happened = |(index, _): &(usize, &Operation)| self.happened[*index];
        self.operations.iter().enumerate().filter(happened).map(|(index, op)| (index as u32, op))
    }

    fn note_writers(&mut self) -> Result<(), Anomaly> {
        for (index, operation) in self.operations.iter().enumerate() {
            for effect in &operation.effects {
                let Some(number) = effect.written() else { continue };
                let writers = match effect {
                    Effect::Push { .. } => &mut self.pusher,
                    _ => &mut self.writer,
                };
                let other = std::mem::replace(&mut writers[number as usize], index as u32);
                if other != NOBODY {
                    let what = format!("{number} was written twice");
                    return Err(self.anomaly(Class::Duplicated, &what, &[other, index as u32]));
                }
            }
        }
        Ok(())
    }

    /// Elements of queues that are in a list though nobody was told so: an operation without a reply has moved them. Which one does
    /// not matter; there must be enough that may have.
    fn note_moved(&mut self) -> Result<(), Anomaly> {
        let mut moved: HashMap<Number, (u32, u32)> = HashMap::new();
        for (index, operation) in self.operations.iter().enumerate() {
            for effect in operation.effects.iter() {
                let Effect::List { key: Key::List(list), elements } = effect else { continue };
                for &element in elements.iter().filter(|element| self.writer[**element as usize] == NOBODY) {
                    if self.pusher[element as usize] == NOBODY {
                        let what = format!("{element} is from nowhere");
                        return Err(self.anomaly(Class::Nowhere, &what, &[index as u32]));
                    }
                    moved.entry(element).or_insert((*list, index as u32));
                }
            }
        }
        let mut movers: HashMap<(Key, Key), Vec<u32>> = HashMap::new();
        for (index, operation) in self.operations.iter().enumerate() {
            for effect in operation.effects.iter().filter(|_| operation.outcome == Outcome::Unknown) {
                if let Effect::MayMove { from, to: Some(to) } = effect {
                    from.iter().for_each(|from| movers.entry((*from, *to)).or_default().push(index as u32));
                }
            }
        }
        let mut taken: HashMap<(Key, Key), usize> = HashMap::new();
        let mut moved: Vec<(Number, (u32, u32))> = moved.into_iter().collect();
        moved.sort_unstable();
        for (element, (list, reader)) in moved {
            let to = Key::List(list);
            let push = self.operation(self.pusher[element as usize]);
            let from = push.effects.iter().find(|effect| effect.written() == Some(element));
            let from = from.expect("it pushed it").key();
            // A transaction that has put something beside it did so itself.
            let beside = self.beside(reader, to, element);
            let own = movers.get(&(from, to)).into_iter().flatten();
            let own = own.copied().find(|&index| {
                let wrote = |effect: &Effect| effect.written().is_some_and(|number| beside.contains(&number));
                self.operation(index).effects.iter().any(wrote)
            });
            if let Some(index) = own {
                let asked = Effect::MayMove { from: [from].into(), to: Some(to) };
                let effects = &mut self.operations[index as usize].effects;
                if let Some(at) = effects.iter().position(|effect| *effect == asked) {
                    let moved = [
                        Effect::Pop { key: from, element },
                        Effect::Append { key: to, element, length: None },
                    ];
                    effects.splice(at..=at, moved);
                    self.writer[element as usize] = index;
                    continue;
                }
            }
            let candidates: &[u32] = movers.get(&(from, to)).map_or(&[], |movers| movers);
            let candidates: Vec<&Operation> = candidates.iter().map(|&index| self.operation(index)).collect();
            let taken = taken.entry((from, to)).or_default();
            *taken += 1;
            if candidates.len() < *taken {
                let what = format!("{element} was moved, but nobody can have done so");
                return Err(self.anomaly(Class::Nowhere, &what, &[self.pusher[element as usize], reader]));
            }
            let operation = Operation {
                // Of its own, so that nothing is known of what came before and after it.
                connection: u32::MAX - element,
                name: "one of those without a reply",
                invoked_ns: candidates.iter().map(|op| op.invoked_ns).min().expect("there is one"),
                completed_ns: candidates.iter().map(|op| op.completed_ns).max().expect("there is one"),
                outcome: Outcome::Unknown,
                is_conditional: true,
                asks_late: false,
                effects: vec![
                    Effect::Pop { key: from, element },
                    Effect::Append { key: to, element, length: None },
                ],
            };
            self.writer[element as usize] = self.operations.len() as u32;
            self.operations.push(operation);
        }
        Ok(())
    }

    /// What stands right before and behind an element in a list that an operation has read.
    fn beside(&self, reader: u32, list: Key, element: Number) -> Vec<Number> {
        let reads = self.operation(reader).effects.iter().filter_map(|effect| match effect {
            Effect::List { key, elements } if *key == list => Some(elements),
            _ => None,
        });
        let pairs = reads.flat_map(|elements| elements.windows(2));
        pairs
            .filter(|pair| pair.contains(&element))
            .map(|pair| if pair[0] == element { pair[1] } else { pair[0] })
            .collect()
    }

    fn note_seen(&mut self) {
        for operation in self.operations.iter().filter(|operation| operation.outcome == Outcome::Done) {
            for effect in operation.effects.iter().filter(|effect| effect.written().is_none()) {
                let in_queue = effect.key().is_queue();
                let times = if in_queue { &mut self.taken_ns } else { &mut self.seen_ns };
                for number in numbers_of(effect) {
                    let time = &mut times[number as usize];
                    *time = (*time).min(operation.completed_ns);
                }
            }
        }
    }

    /// When what an operation wrote was seen for the first time.
    pub fn first_seen_ns(&self, operation: &Operation) -> u64 {
        let times = operation.effects.iter().filter_map(|effect| {
            let number = effect.written()? as usize;
            // What was put into a queue may have got into a list without anybody having been told.
            let is_push = matches!(effect, Effect::Push { .. });
            let taken_ns = if is_push { self.taken_ns[number] } else { NEVER };
            Some(self.seen_ns[number].min(taken_ns))
        });
        times.min().unwrap_or(NEVER)
    }

    fn has_happened(&self, operation: &Operation) -> bool {
        match operation.outcome {
            Outcome::Done => true,
            Outcome::Refused => false,
            Outcome::Unknown => self.first_seen_ns(operation) != NEVER,
        }
    }

    fn refuse_what_was_refused(&self) -> Result<(), Anomaly> {
        for (index, operation) in self.operations.iter().enumerate() {
            if operation.outcome != Outcome::Refused {
                continue;
            }
            let mut written = operation.effects.iter().filter_map(Effect::written);
            let Some(number) = written.find(|number| self.seen_ns[*number as usize] != NEVER) else {
                continue;
            };
            let is_sight = |op: &Operation| {
                op.outcome == Outcome::Done
                    && op.effects.iter().any(|effect| numbers_of(effect).any(|n| n == number))
            };
            let reader = self.operations.iter().position(is_sight).expect("somebody saw it") as u32;
            let what = format!("{number} was seen though it was refused");
            return Err(self.anomaly(Class::AbortedRead, &what, &[index as u32, reader]));
        }
        Ok(())
    }
}

/// The numbers that an effect wrote or saw.
fn numbers_of(effect: &Effect) -> impl Iterator<Item = Number> {
    let (one, many): (Option<Number>, &[Number]) = match effect {
        Effect::List { elements, .. } => (None, elements),
        Effect::Got { value, .. } => (*value, &[]),
        Effect::Pop { element, .. } => (Some(*element), &[]),
        effect => (effect.written(), &[]),
    };
    one.into_iter().chain(many.iter().copied())
}
