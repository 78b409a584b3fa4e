//! How long files and functions may be. What was longer when the rule came, or must be for a reason, stands with its
//! length in `tools/xtask/tidy-exceptions.txt`. That length may only go down: longer is an error, and shorter asks
//! for the record to be lowered, which `cargo xtask tidy --shrink` does.

use super::{Problem, Source};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 100;

/// What is measured: a path, and for a function its name. The sort order is that of the exceptions file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    path: String,
    function: Option<String>,
}

type Lengths = BTreeMap<Subject, usize>;

/// Compares all lengths with the limits and the exceptions.
pub fn check(sources: &[Source]) -> Result<Vec<Problem>, String> {
    let exceptions = parse(&fs::read_to_string(exceptions_path()).map_err(|error| error.to_string())?)?;
    Ok(compare(&too_long(sources), &exceptions))
}

/// Lowers the recorded lengths of what has shrunk and drops what is short enough or gone. Adds nothing.
pub fn shrink(sources: &[Source]) -> Result<(), String> {
    let text = fs::read_to_string(exceptions_path()).map_err(|error| error.to_string())?;
    let long = too_long(sources);
    let mut out: String =
        text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    for (subject, recorded) in parse(&text)? {
        if let Some(length) = long.get(&subject) {
            let name = subject.function.map_or(String::new(), |name| format!(" {name}"));
            out.push_str(&format!("{}{name} {}\n", subject.path, recorded.min(*length)));
        }
    }
    fs::write(exceptions_path(), out).map_err(|error| error.to_string())
}

fn exceptions_path() -> PathBuf {
    crate::root().join("tools/xtask/tidy-exceptions.txt")
}

/// Every file and function above its limit. Of functions with one name in a file the longest counts.
fn too_long(sources: &[Source]) -> Lengths {
    let mut long = Lengths::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            long.insert(Subject { path: source.path.clone(), function: None }, lines);
        }
        for function in source.functions() {
            if function.line_count > FUNCTION_LINES_MAX {
                let subject = Subject { path: source.path.clone(), function: Some(function.name) };
                let length = long.entry(subject).or_default();
                *length = function.line_count.max(*length);
            }
        }
    }
    long
}

fn compare(long: &Lengths, exceptions: &Lengths) -> Vec<Problem> {
    let problem = |subject: &Subject, what: String| Problem { path: subject.path.clone(), line: 0, what };
    let mut problems = Vec::new();
    for (subject, &length) in long {
        let (name, limit) = match &subject.function {
            Some(name) => (format!("the function {name}"), FUNCTION_LINES_MAX),
            None => ("the file".to_owned(), FILE_LINES_MAX),
        };
        match exceptions.get(subject) {
            None => problems.push(problem(subject, format!("{name} has {length} lines; at most {limit}"))),
            Some(&recorded) if length > recorded => {
                problems
                    .push(problem(subject, format!("{name} has grown from {recorded} to {length} lines")));
            }
            Some(&recorded) if length < recorded => {
                let what = format!("{name} has shrunk to {length} lines: run cargo xtask tidy --shrink");
                problems.push(problem(subject, what));
            }
            Some(_) => {}
        }
    }
    for subject in exceptions.keys().filter(|subject| !long.contains_key(subject)) {
        let what =
            "no exception from the lengths is needed any more: run cargo xtask tidy --shrink".to_owned();
        problems.push(problem(subject, what));
    }
    problems
}

/// Lines of `path lines` or `path function lines`; `#` begins a comment.
fn parse(text: &str) -> Result<Lengths, String> {
    let mut lengths = Lengths::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (path, function, length) = match words[..] {
            [path, length] => (path, None, length),
            [path, function, length] => (path, Some(function.to_owned()), length),
            _ => return Err(format!("tidy-exceptions.txt: {line}")),
        };
        let length = length.parse().map_err(|_| format!("tidy-exceptions.txt: {line}"))?;
        lengths.insert(Subject { path: path.to_owned(), function }, length);
    }
    Ok(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(function_lines: usize, exceptions: &str) -> usize {
        let text = format!("//! A.\nfn long() {{\n{}}}\n", "x;\n".repeat(function_lines - 2));
        let long = too_long(&[Source::new("a.rs".into(), text)]);
        compare(&long, &parse(exceptions).unwrap()).len()
    }

    #[test]
    fn lengths_may_only_go_down() {
        assert_eq!(problems(100, ""), 0);
        assert_eq!(problems(101, ""), 1);
        assert_eq!(problems(120, "# why\na.rs long 120\n"), 0);
        assert_eq!(problems(121, "a.rs long 120"), 1);
        assert_eq!(problems(119, "a.rs long 120"), 1);
        assert_eq!(problems(50, "a.rs long 120"), 1);
        assert_eq!(problems(799, "a.rs long 799"), 0);
        assert_eq!(problems(800, "a.rs long 800"), 1);
        assert!(parse("a.rs").is_err() && parse("a.rs x y").is_err());
    }
}
