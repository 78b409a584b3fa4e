//! What one source file may and must contain.

use super::{Problem, Source};

/// Crates that may contain `unsafe`, each block with its reason (clippy sees to that).
pub const UNSAFE_ALLOWED: [&str; 7] =
    ["keyspace", "mailbox", "runtime", "script", "table", "types", "vector"];

/// Crates that may use the clock, threads, files and sockets; so may tools, benches, examples and tests.
const SYSTEM_ALLOWED: [&str; 3] = ["runtime", "server", "testkit"];

/// The clock, threads, files and sockets: the simulator must be able to stand in for all of them.
const SYSTEM: [&str; 10] = [
    "Instant::now",
    "SystemTime::now",
    "UNIX_EPOCH.elapsed",
    "thread::spawn",
    "thread::scope",
    "thread::sleep",
    "thread::Builder",
    "std::fs",
    "std::net",
    "std::os::unix::net",
];

/// Unfinished business.
const UNFINISHED: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// The rules that this file breaks.
pub fn check(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add =
        |line: usize, what: String| problems.push(Problem { path: source.path.clone(), line, what });
    if !source.text.starts_with("//!") {
        add(1, "begin with //! and say what the module is for".into());
    }
    if source.path.contains("/src/") && source.path.ends_with("/mod.rs") {
        add(0, "a module stands in the file of its name, beside its folder".into());
    }
    for word in UNFINISHED {
        places(&source.code, word)
            .for_each(|at| add(source.line_of(at), format!("{word} is not for the main branch")));
    }
    if must_forbid_unsafe(&source.path) && !source.code.contains("#![forbid(unsafe_code)]") {
        add(1, "a crate root says #![forbid(unsafe_code)]".into());
    }
    if !may_use_system(&source.path) {
        let code = source.code_without_tests();
        for word in SYSTEM {
            places(&code, word)
                .for_each(|at| add(source.line_of(at), format!("{word} belongs into the runtime")));
        }
        for (at, module) in grouped(&code) {
            add(source.line_of(at), format!("std::{module} belongs into the runtime"));
        }
    }
    problems
}

/// The crate of a path: `table` of `crates/table/src/lib.rs`.
fn crate_name(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}

fn must_forbid_unsafe(path: &str) -> bool {
    let is_root =
        path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/");
    is_root && crate_name(path).is_none_or(|name| !UNSAFE_ALLOWED.contains(&name))
}

fn may_use_system(path: &str) -> bool {
    let Some(name) = crate_name(path) else { return true };
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/");
    let is_example = path.contains("/examples/") || path.ends_with("/build.rs");
    SYSTEM_ALLOWED.contains(&name) || is_test || is_example
}

/// Where a word begins in the code, not as the end of a longer one.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let follows_word = |at: usize| code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let goes_on = move |at: usize| {
        let is_path = word.ends_with(|c: char| c.is_alphanumeric());
        is_path && code[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    code.match_indices(word).map(|(at, _)| at).filter(move |at| !follows_word(*at) && !goes_on(*at))
}

/// `fs` or `net` in `use std::{…}`.
fn grouped(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("std::{") {
        let mut depth = 0;
        let mut at = start + "std::{".len();
        let end = code[start..].find(';').map_or(code.len(), |end| start + end);
        for part in code[at..end].split_inclusive([',', '{', '}']) {
            let name = part.trim_matches(|c: char| c.is_whitespace() || ",{}".contains(c));
            let name = name.split("::").next().unwrap_or_default();
            if depth == 0 && (name == "fs" || name == "net") {
                found.push((at, name));
            }
            depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
            at += part.len();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(path.into(), text.into())).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let inner = "crates/shard/src/turn.rs";
        assert_eq!(lines(inner, "//! A.\nfn a() {}\n"), []);
        assert_eq!(lines(inner, "fn a() {}\n"), [1]);
        assert_eq!(lines(inner, "//! A.\nfn a() { todo!() }\n"), [2]);
        assert_eq!(lines(inner, "//! A.\n#[ignore = \"x\"]\nfn a() {}\n"), [2]);
        assert_eq!(lines(inner, "//! A.\nfn a() { Instant::now() } // SystemTime::now\n"), [2]);
        assert_eq!(lines(inner, "//! A.\nuse std::{io, fs::File,\n net};\n"), [2, 2]);
        assert_eq!(lines(inner, "//! A.\nuse std::{io, collections::{net}, fsx};\n"), []);
        assert_eq!(lines(inner, "//! A.\nuse std::network;\n"), []);
        assert_eq!(lines("crates/shard/src/turn/mod.rs", "//! A.\n"), [0]);
        assert_eq!(lines("crates/shard/tests/turn/mod.rs", "//! A.\n"), []);
    }

    #[test]
    fn rules_end_where_they_should() {
        let clock = "//! A.\nfn a() { Instant::now() }\n";
        for path in [
            "crates/runtime/src/a.rs",
            "tools/x/src/a.rs",
            "crates/shard/tests/a.rs",
            "crates/a/examples/b.rs",
        ] {
            assert_eq!(lines(path, clock), [], "{path}");
        }
        assert_eq!(
            lines("crates/shard/src/a.rs", "//! A.\n#[cfg(test)]\nmod tests { fn a() { Instant::now() } }\n"),
            []
        );
        assert_eq!(lines("crates/shard/src/lib.rs", "//! A.\n"), [1]);
        assert_eq!(lines("crates/table/src/lib.rs", "//! A.\n"), []);
        assert_eq!(lines("crates/shard/src/lib.rs", "//! A.\n#![forbid(unsafe_code)]\n"), []);
    }
}
