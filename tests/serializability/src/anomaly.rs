//! What can be wrong with a history, and how it is told.

use crate::graph::{Cycle, Reason};
use crate::history::{Effect, Operation};
use std::fmt;

/// The class of an anomaly; the names are those of Adya ("Weak consistency", 1999) and of Elle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An operation contradicts itself.
    Internal,
    /// Something was read that nobody has written.
    Nowhere,
    /// Something was there twice.
    Duplicated,
    /// Something that was acknowledged is not there.
    Lost,
    /// Something was there that a refused operation would have written (G1a).
    AbortedRead,
    /// Something was read that its writer has replaced in the same operation (G1b).
    IntermediateRead,
    /// Two reads of a list cannot both be versions of it.
    IncompatibleOrder,
    /// An operation without a reply has happened in part.
    Torn,
    /// Of two operations of a connection, both without a reply, the later has happened and the earlier has not.
    Gap,
    /// Two operations have replaced the same version.
    LostUpdate,
    /// A queue did not serve what was in it.
    Overlooked,
    /// A cycle of writes alone (G0).
    WriteCycle { line: bool, time: bool },
    /// A cycle of writes and reads of them (G1c).
    InformationCycle { line: bool, time: bool },
    /// A cycle with one read of what was then replaced.
    GSingle { line: bool, time: bool },
    /// A cycle with several such reads.
    G2 { line: bool, time: bool },
    /// The order that the graph gives does not give the replies: there is a fault in the checker, or one that no cycle shows.
    NoReplay,
    /// A reply that is none to what was asked.
    Reply,
    /// A reply did not come.
    Silence,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    pub class: Class,
    pub text: String,
}

impl Anomaly {
    /// With operations that show it.
    pub fn new(class: Class, what: &str, operations: &[&Operation]) -> Anomaly {
        let lines: Vec<String> = operations.iter().map(|operation| format!("\n  {operation}")).collect();
        Anomaly { class, text: format!("{what}:{}", lines.concat()) }
    }

    /// A cycle, told step by step.
    pub fn of_cycle(cycle: &Cycle, operations: &[Operation]) -> Anomaly {
        let mut text = format!("a cycle of {} operations:", cycle.steps.len());
        for (at, (node, reasons)) in cycle.steps.iter().enumerate() {
            let operation = &operations[*node as usize];
            let next = cycle.steps[(at + 1) % cycle.steps.len()].0;
            let why: Vec<String> = reasons
                .iter()
                .map(|reason| in_words(*reason, operation, &operations[next as usize]))
                .collect();
            text += &format!("\n  {operation}\n    stands before the next, {}", why.join(", and then "));
        }
        text += "\n  … which is the first";
        Anomaly { class: class_of(cycle, operations), text }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.class, self.text)
    }
}

fn in_words(reason: Reason, from: &Operation, to: &Operation) -> String {
    let mut keys: Vec<String> = from
        .effects
        .iter()
        .map(Effect::key)
        .filter(|key| to.effects.iter().any(|effect| effect.key() == *key))
        .map(|key| key.to_string())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let keys = if keys.is_empty() { "what it shares with others".to_owned() } else { keys.join(" or ") };
    match reason {
        Reason::Ww => format!("for it wrote an earlier version of {keys}"),
        Reason::Wr => format!("for it wrote what was then read of {keys}"),
        Reason::Rw => format!("for it read a version of {keys} that was then replaced"),
        Reason::Line => "for its connection asked it first, and that must show".to_owned(),
        Reason::Time => "for it was over before that began".to_owned(),
    }
}

fn class_of(cycle: &Cycle, operations: &[Operation]) -> Class {
    let has = |wanted| cycle.steps.iter().any(|(_, reasons)| reasons.contains(&wanted));
    let reads = cycle.steps.iter().filter(|(_, reasons)| reasons.contains(&Reason::Rw)).count();
    let (line, time) = (has(Reason::Line), has(Reason::Time));
    if let [(first, _), (second, _)] = cycle.steps[..]
        && !line
        && !time
        && reads > 0
        && have_updated_the_same(&operations[first as usize], &operations[second as usize])
    {
        return Class::LostUpdate;
    }
    match reads {
        0 if has(Reason::Wr) => Class::InformationCycle { line, time },
        0 => Class::WriteCycle { line, time },
        1 => Class::GSingle { line, time },
        _ => Class::G2 { line, time },
    }
}

/// Both have read and written the same key.
fn have_updated_the_same(a: &Operation, b: &Operation) -> bool {
    let updates = |operation: &Operation, effect: &Effect| {
        let same = |other: &&Effect| other.key() == effect.key();
        effect.is_write() && operation.effects.iter().filter(same).any(|other| !other.is_write())
    };
    let of_both =
        |effect: &&Effect| b.effects.iter().any(|other| other.key() == effect.key() && updates(b, other));
    a.effects.iter().filter(|effect| updates(a, effect)).any(|effect| of_both(&effect))
}
