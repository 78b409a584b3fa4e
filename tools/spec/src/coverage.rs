//! Which commands the dialogues exercise: for each the number of successes, errors and WRONGTYPE errors expected. That no
//! command goes without is checked where the rows are, in `crates/command/tests/dialogues.rs`.

use crate::dialogue::{Dialogue, Section, Step};
use crate::expect::Expect;
use crate::suite;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use testkit::Value;

/// Commands whose first argument names the real command.
pub const CONTAINERS: [&str; 22] = [
    "ACL",
    "BACKUP",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DEBUG",
    "FT.CONFIG",
    "FT.CURSOR",
    "FUNCTION",
    "HIMPORT",
    "HOTKEYS",
    "JSON.DEBUG",
    "LATENCY",
    "MEMORY",
    "MODULE",
    "OBJECT",
    "PUBSUB",
    "SCRIPT",
    "SLOWLOG",
    "XGROUP",
    "XINFO",
];

/// Expected replies to one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub successes: usize,
    /// Errors other than the next two.
    pub errors: usize,
    /// Errors about the number of arguments.
    pub arities: usize,
    pub wrong_types: usize,
}

/// Reads all dialogues below a directory.
///
/// # Errors
/// The file that cannot be read, or the line that cannot be understood.
pub fn read(directory: &Path) -> Result<Vec<Dialogue>, String> {
    let mut dialogues = Vec::new();
    for path in suite::files_below(directory).map_err(|error| error.to_string())? {
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let parsed = Dialogue::parse(&text);
        dialogues.push(parsed.map_err(|(line, what)| format!("{}:{}: {what}", path.display(), line + 1))?);
    }
    Ok(dialogues)
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
            Step::Send { connection, words } | Step::Scan { connection, words } => {
                asked.entry(connection).or_default().push_back(name(words))
            }
            Step::Repeat { words, .. } => counts.entry(name(words)).or_default().successes += 1,
            Step::Receive { connection, expect, .. } => {
                let Some(command) = asked.get_mut(connection.as_str()).and_then(|queue| queue.pop_front())
                else {
                    continue;
                };
                let count = counts.entry(command).or_default();
                match error_text(expect) {
                    Some(text) if text.starts_with(b"WRONGTYPE") => count.wrong_types += 1,
                    Some(text) if is_about_arity(text) => count.arities += 1,
                    Some(_) => count.errors += 1,
                    // What a transaction has queued has not run.
                    None if *expect == Expect::Exact(Value::Simple(b"QUEUED".to_vec())) => {}
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

fn is_about_arity(text: &[u8]) -> bool {
    let words = b"wrong number of arguments";
    text.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_by_command() {
        let text = "# t\n> get k\n> OBJECT encoding k\n< (nil)\n< (error) ERR x\n> GET l\n< (error) WRONGTYPE x\n\
             > GET l\n< QUEUED\n@scan SCAN {cursor}\n< (empty array)\n";
        let counts = count(&[Dialogue::parse(text).unwrap()]);
        assert_eq!(counts["GET"], Count { successes: 1, wrong_types: 1, ..Count::default() });
        assert_eq!(counts["OBJECT ENCODING"].errors, 1);
        assert_eq!(counts["SCAN"].successes, 1);
    }
}
