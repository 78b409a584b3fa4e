//! The map in `docs/ARCHITECTURE.md` against the manifests: each crate uses those of ours that the map says, neither more nor
//! fewer, uses what its manifest declares, and may contain `unsafe` where the map says so. A new arrow is a decision: it is
//! drawn on the map and gets a record in `docs/decisions/`.

use super::{Problem, rules};
use std::fs;
use std::path::Path;

const MAP: &str = "docs/ARCHITECTURE.md";

/// What tests of any crate may use besides.
const FOR_TESTS: [&str; 2] = ["spec", "testkit"];

/// A crate as the map shows it.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    name: String,
    line: usize,
    uses: Vec<String>,
    is_unsafe: bool,
}

/// A dependency of a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    line: usize,
    is_for_tests: bool,
    is_for_build: bool,
}

/// Compares the manifests in `crates/` with the map.
pub fn check(root: &Path) -> Result<Vec<Problem>, String> {
    let fail = |error: std::io::Error| error.to_string();
    let map = rooms(&fs::read_to_string(root.join(MAP)).map_err(fail)?);
    let mut problems = check_map(&map);
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("crates")).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.join("Cargo.toml").is_file() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let manifest = fs::read_to_string(path.join("Cargo.toml")).map_err(fail)?;
            problems.extend(check_manifest(&name, &manifest, &map));
            let mut code = String::new();
            append_sources(&path.join("src"), &mut code).map_err(fail)?;
            problems.extend(unused(&name, &manifest, &code));
            names.push(name);
        }
    }
    let gone = map.iter().filter(|room| !names.contains(&room.name));
    problems.extend(gone.map(|room| on_map(room.line, format!("there is no crate {}", room.name))));
    Ok(problems)
}

/// Reads the map: lines below `crates/`, a name in front, and behind an arrow the crates it uses.
fn rooms(text: &str) -> Vec<Room> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| *line != "crates/").skip(1);
    lines
        .take_while(|(_, line)| line.starts_with("  "))
        .map(|(index, line)| {
            let arrow = line.split_once("-> ").map_or("", |(_, after)| after);
            let uses = arrow.split(';').next().unwrap_or_default();
            Room {
                name: line.split_whitespace().next().unwrap_or_default().to_owned(),
                line: index + 1,
                uses: uses.split_whitespace().map(str::to_owned).collect(),
                is_unsafe: line.ends_with("unsafe room"),
            }
        })
        .collect()
}

fn on_map(line: usize, what: String) -> Problem {
    Problem { path: MAP.to_owned(), line, what }
}

/// What the map itself must say: no circles, and `unsafe` where the rules allow it.
fn check_map(map: &[Room]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for room in map.iter().filter(|room| room.is_unsafe != rules::UNSAFE_ALLOWED.contains(&&*room.name)) {
        problems.push(on_map(
            room.line,
            format!("tidy/rules.rs differs on whether {} has unsafe code", room.name),
        ));
    }
    let mut placed: Vec<&str> = Vec::new();
    while let Some(next) = map.iter().find(|room| {
        !placed.contains(&&*room.name) && room.uses.iter().all(|used| placed.contains(&used.as_str()))
    }) {
        placed.push(&next.name);
    }
    let left = map.iter().filter(|room| !placed.contains(&&*room.name));
    problems.extend(
        left.map(|room| on_map(room.line, format!("{} uses itself or what is not there", room.name))),
    );
    problems
}

/// Whether a crate is used by those that a room uses: its tests may then use it as well.
fn is_below(map: &[Room], room: &Room, name: &str) -> bool {
    let mut below: Vec<&str> = room.uses.iter().map(String::as_str).collect();
    let mut at = 0;
    while let Some(next) = below.get(at) {
        let used = map.iter().filter(|other| other.name == *next).flat_map(|other| &other.uses);
        let new: Vec<&str> = used.map(String::as_str).filter(|used| !below.contains(used)).collect();
        below.extend(new);
        at += 1;
    }
    below.contains(&name)
}

fn check_manifest(name: &str, manifest: &str, map: &[Room]) -> Vec<Problem> {
    let path = format!("crates/{name}/Cargo.toml");
    let Some(room) = map.iter().find(|room| room.name == name) else {
        return vec![Problem { path, line: 0, what: format!("this crate is not on the map in {MAP}") }];
    };
    let dependencies = dependencies(manifest);
    let is_allowed = |dependency: &Dependency| {
        room.uses.contains(&dependency.name)
            || (dependency.is_for_tests && FOR_TESTS.contains(&&*dependency.name))
            || (dependency.is_for_tests && is_below(map, room, &dependency.name))
    };
    let is_ours = |dependency: &&Dependency| map.iter().any(|room| room.name == dependency.name);
    let mut problems: Vec<Problem> = dependencies
        .iter()
        .filter(is_ours)
        .filter(|dependency| !is_allowed(dependency))
        .map(|dependency| Problem {
            path: path.clone(),
            line: dependency.line,
            what: format!("{name} may not depend on {}", dependency.name),
        })
        .collect();
    for used in &room.uses {
        if !dependencies.iter().any(|it| !it.is_for_tests && it.name == *used) {
            problems.push(on_map(room.line, format!("{name} does not depend on {used}")));
        }
    }
    problems
}

/// Declared dependencies that the sources never name.
fn unused(name: &str, manifest: &str, code: &str) -> Vec<Problem> {
    let is_named = |dependency: &Dependency| {
        let name = dependency.name.replace('-', "_");
        [format!("{name}::"), format!("use {name} "), format!("use {name};")]
            .iter()
            .any(|it| code.contains(it))
    };
    let of_the_crate = |it: &Dependency| !it.is_for_tests && !it.is_for_build;
    let declared = dependencies(manifest).into_iter().filter(|it| of_the_crate(it) && !is_named(it));
    declared
        .map(|dependency| Problem {
            path: format!("crates/{name}/Cargo.toml"),
            line: dependency.line,
            what: format!("{} is not used", dependency.name),
        })
        .collect()
}

fn append_sources(directory: &Path, code: &mut String) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            append_sources(&path, code)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
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
                    is_for_build: kind.ends_with("build-"),
                });
            }
            continue;
        }
        let key: String = line.chars().take_while(|c| c.is_alphanumeric() || "_-".contains(*c)).collect();
        if table.ends_with("dependencies") && !key.is_empty() {
            let is_for_tests = table.ends_with("dev-dependencies");
            let is_for_build = table.ends_with("build-dependencies");
            found.push(Dependency { name: key, line: index + 1, is_for_tests, is_for_build });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "# A\n```\ncrates/\n  base      a; knows nothing\n  table     b -> base; unsafe room\n  \
                         server    c                -> base table\n  testkit   d\ntools/ x\n```\n";

    #[test]
    fn the_map_is_read() {
        let map = rooms(SMALL);
        let uses: Vec<_> = map.iter().map(|room| (room.name.as_str(), room.uses.join(","))).collect();
        let expected = [("base", ""), ("table", "base"), ("server", "base,table"), ("testkit", "")];
        assert_eq!(uses, expected.map(|(name, uses)| (name, uses.to_owned())));
        assert_eq!((map[1].line, map[1].is_unsafe, map[2].is_unsafe), (5, true, false));
        assert_eq!(check_map(&map), []);
    }

    #[test]
    fn what_manifests_and_map_do_not_share_is_found() {
        let map = rooms(SMALL);
        let manifest = "[package]\nname = \"table\"\n[dependencies]\nbase.workspace = true\nserver = { path = \"x\" }\n\
                        ahash = \"1\"\n[dev-dependencies]\ntestkit.workspace = true\n[dependencies.testkit]\n";
        let lines = |name: &str| -> Vec<(String, usize)> {
            let problems = check_manifest(name, manifest, &map);
            problems.into_iter().map(|problem| (problem.path, problem.line)).collect()
        };
        let own = |line| ("crates/table/Cargo.toml".to_owned(), line);
        assert_eq!(lines("table"), [own(5), own(9)]);
        // The map has an arrow from server to table, the manifest none.
        assert!(lines("server").contains(&(MAP.to_owned(), 6)));
        assert_eq!(lines("new").len(), 1);
    }

    #[test]
    fn what_is_declared_is_used() {
        let manifest =
            "[dependencies]\nbase = \"1\"\nio-uring = \"1\"\nlibc = \"1\"\n[dev-dependencies]\nx = \"1\"\n";
        let found = unused("a", manifest, "use base::glob;\nio_uring::opcode();\n");
        assert_eq!(found.iter().map(|problem| problem.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_circle_on_the_map_is_found() {
        let map = rooms("crates/\n  a x -> b\n  b y -> a\n  c z\n");
        assert_eq!(check_map(&map).iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 3]);
    }
}
