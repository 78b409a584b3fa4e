//! `cargo xtask tidy`: the rules of the house, run. Formatting, clippy with warnings denied, and what neither knows:
//! which crate may use which ([`arrows`]), what a source file may not contain ([`rules`]), how long files and
//! functions may be ([`lengths`]), that all is text ([`text`]). All of them read text; nothing is compiled for them.

mod arrows;
mod lengths;
mod rules;
mod source;
mod text;

use crate::command_line::{command, run};
use source::Source;
use std::fmt;

/// A broken rule: where, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Relative to the workspace.
    path: String,
    /// Counted from 1; 0 for the file as a whole.
    line: usize,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Runs the task; false when a rule is broken.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if let Some(unknown) = arguments.iter().find(|name| !["--quick", "--shrink"].contains(&name.as_str())) {
        return Err(format!("tidy does not know {unknown}"));
    }
    let sources = source::all(&crate::root()).map_err(|error| error.to_string())?;
    if has("--shrink") {
        lengths::shrink(&sources)?;
    }
    let mut problems = arrows::check(&crate::root())?;
    problems.extend(sources.iter().flat_map(rules::check));
    problems.extend(lengths::check(&sources)?);
    problems.extend(text::check(&crate::root()));
    problems.sort();
    problems.iter().for_each(|problem| println!("{problem}"));
    let mut clean = problems.is_empty();
    if !has("--quick") {
        clean &= run(&mut command("cargo", &["fmt", "--all", "--check"]))?;
        let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        clean &= run(&mut command("cargo", &clippy))?;
    }
    println!("tidy: {}", if clean { "clean" } else { "not clean" });
    Ok(clean)
}
