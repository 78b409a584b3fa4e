//! The arrows between crates: which of our crates each may depend on. A new arrow is a decision: it is written here
//! and gets a record in `docs/decisions/`.

use super::Problem;
use std::fs;
use std::path::Path;

/// For each crate, the crates of ours that it may use. `*` is all of them.
const ARROWS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("resp", &["base"]),
    ("table", &["base"]),
    ("config", &["base"]),
    ("mailbox", &["base"]),
    ("types", &["base", "table"]),
    ("keyspace", &["base", "table", "types"]),
    ("rdb", &["base", "keyspace", "resp", "types"]),
    ("command", &["base", "config", "keyspace", "rdb", "resp", "types"]),
    ("script", &["base", "command", "keyspace", "resp", "types"]),
    ("search", &["base", "types"]),
    ("persist", &["base", "keyspace", "rdb", "types"]),
    (
        "shard",
        &[
            "base", "command", "config", "keyspace", "mailbox", "persist", "resp", "script", "search",
            "table", "types",
        ],
    ),
    ("runtime", &["base", "mailbox"]),
    ("server", &["*"]),
    ("sim", &["*"]),
    ("testkit", &["base", "resp"]),
];

/// What tests of any crate may use besides.
const FOR_TESTS: [&str; 2] = ["spec", "testkit"];

/// A dependency of a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    line: usize,
    is_for_tests: bool,
}

/// Compares the manifests in `crates/` with the table.
pub fn check(root: &Path) -> Result<Vec<Problem>, String> {
    let fail = |error: std::io::Error| error.to_string();
    let mut manifests = Vec::new();
    for entry in fs::read_dir(root.join("crates")).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.join("Cargo.toml").is_file() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            manifests.push((name, fs::read_to_string(path.join("Cargo.toml")).map_err(fail)?));
        }
    }
    let ours: Vec<String> = manifests.iter().map(|(name, _)| name.clone()).collect();
    Ok(manifests.iter().flat_map(|(name, manifest)| check_manifest(name, manifest, &ours)).collect())
}

fn check_manifest(name: &str, manifest: &str, ours: &[String]) -> Vec<Problem> {
    let path = format!("crates/{name}/Cargo.toml");
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        let what = "this crate is not in the table of tools/xtask/src/tidy/arrows.rs".to_owned();
        return vec![Problem { path, line: 0, what }];
    };
    let is_allowed = |dependency: &Dependency| {
        let name = dependency.name.as_str();
        allowed.contains(&"*")
            || allowed.contains(&name)
            || (dependency.is_for_tests && FOR_TESTS.contains(&name))
    };
    dependencies(manifest)
        .into_iter()
        .filter(|dependency| ours.contains(&dependency.name) && !is_allowed(dependency))
        .map(|dependency| Problem {
            path: path.clone(),
            line: dependency.line,
            what: format!("{name} may not depend on {}", dependency.name),
        })
        .collect()
}

/// Reads the tables of dependencies of a manifest, as far as ours are written: one key a line.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']');
            // [dependencies.name] is a table of its own.
            if let Some((kind, name)) = table.rsplit_once("dependencies.") {
                found.push(Dependency {
                    name: name.into(),
                    line: index + 1,
                    is_for_tests: kind.ends_with("dev-"),
                });
            }
            continue;
        }
        let key: String = line.chars().take_while(|c| c.is_alphanumeric() || "_-".contains(*c)).collect();
        if table.ends_with("dependencies") && !key.is_empty() {
            let is_for_tests = table.ends_with("dev-dependencies");
            found.push(Dependency { name: key, line: index + 1, is_for_tests });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_arrow_is_found() {
        let ours: Vec<String> = ["base", "table", "server", "testkit"].map(String::from).to_vec();
        let manifest = "[package]\nname = \"table\"\n[dependencies]\nbase.workspace = true\nserver = { path = \"x\" }\n\
                        ahash = \"1\"\n[dev-dependencies]\ntestkit.workspace = true\n[dependencies.testkit]\n";
        let problems = check_manifest("table", manifest, &ours);
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [5, 9]);
        assert_eq!(check_manifest("server", manifest, &ours), []);
        assert_eq!(check_manifest("new", manifest, &ours).len(), 1);
    }

    #[test]
    fn the_arrows_have_no_circle() {
        let mut placed: Vec<&str> = Vec::new();
        while placed.len() < ARROWS.len() {
            let next = ARROWS.iter().find(|(name, uses)| {
                !placed.contains(name) && uses.iter().all(|used| *used == "*" || placed.contains(used))
            });
            placed.push(next.expect("a crate that uses only crates placed before").0);
        }
    }
}
