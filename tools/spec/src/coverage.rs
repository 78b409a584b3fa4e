//! Which commands the dialogues exercise: for each the number of successes, errors and WRONGTYPE errors expected.

use crate::dialogue::{Dialogue, Section, Step};
use crate::expect::Expect;
use std::collections::BTreeMap;
use testkit::Value;

/// Commands whose first argument names the real command.
const CONTAINERS: [&str; 14] = [
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT",
    "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP",
];

/// Expected replies to one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub successes: usize,
    pub errors: usize,
    pub wrong_types: usize,
}

/// The counts of each command, by its name in capitals (`CLIENT LIST`).
pub fn count(dialogues: &[Dialogue]) -> BTreeMap<String, Count> {
    let mut counts = BTreeMap::new();
    for section in dialogues.iter().flat_map(|dialogue| &dialogue.sections) {
        count_section(section, &mut counts);
    }
    counts
}

/// Pairs the commands of each connection with its replies, first to first.
fn count_section(section: &Section, counts: &mut BTreeMap<String, Count>) {
    let mut asked: BTreeMap<&str, std::collections::VecDeque<String>> = BTreeMap::new();
    for (_, step) in &section.steps {
        match step {
            Step::Send { connection, words } => asked.entry(connection).or_default().push_back(name(words)),
            Step::Repeat { words, .. } => counts.entry(name(words)).or_default().successes += 1,
            Step::Receive { connection, expect, .. } => {
                let Some(command) = asked.get_mut(connection.as_str()).and_then(|queue| queue.pop_front())
                else {
                    continue;
                };
                let count = counts.entry(command).or_default();
                match error_text(expect) {
                    Some(text) if text.starts_with(b"WRONGTYPE") => count.wrong_types += 1,
                    Some(_) => count.errors += 1,
                    None => count.successes += 1,
                }
            }
            _ => {}
        }
    }
}

fn name(words: &[Vec<u8>]) -> String {
    let word = |index: usize| words.get(index).map(|w| w.to_ascii_uppercase().escape_ascii().to_string());
    let first = word(0).unwrap_or_default();
    match word(1) {
        Some(second) if CONTAINERS.contains(&first.as_str()) => format!("{first} {second}"),
        _ => first,
    }
}

fn error_text(expect: &Expect) -> Option<&[u8]> {
    match expect {
        Expect::Exact(Value::Error(text)) | Expect::ErrorMatch(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_by_command() {
        let text =
            "# t\n> get k\n> OBJECT encoding k\n< (nil)\n< (error) ERR x\n> GET l\n< (error) WRONGTYPE x\n";
        let counts = count(&[Dialogue::parse(text).unwrap()]);
        assert_eq!(counts["GET"], Count { successes: 1, errors: 0, wrong_types: 1 });
        assert_eq!(counts["OBJECT ENCODING"].errors, 1);
    }
}
