//! What the table says of a directive against the sources: one that *works* is read by somebody, and every typed field has a
//! reader.

use config::{DirectiveId, Support};
use std::fs;
use std::path::Path;

const SETTINGS: &str = include_str!("../src/settings.rs");

/// What this crate does itself.
const OWN: [&str; 5] =
    ["cluster-enabled", "enable-protected-configs", "include", "oom-score-adj", "replicaof"];

/// The sources of all other crates, one after the other.
fn sources() -> String {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut text = String::new();
    for entry in fs::read_dir(crates).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name != "config") {
            append(&path.join("src"), &mut text);
        }
    }
    text
}

fn append(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            append(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// The fields of `Settings` with their directives: lines such as `port: u16 = "port";`.
fn fields() -> Vec<(&'static str, &'static str)> {
    let of_line = |line: &'static str| {
        let (field, rest) = line.trim().split_once(": ")?;
        let (_, directive) = rest.strip_suffix("\";")?.split_once(" = \"")?;
        Some((field, directive))
    };
    SETTINGS.lines().filter_map(of_line).collect()
}

/// Whether `.field` of a configuration is read.
fn is_read(sources: &str, field: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '(');
    sources.split("config.").skip(1).any(|rest| rest.strip_prefix(field).is_some_and(|rest| !goes_on(rest)))
}

#[test]
fn what_works_is_read_and_what_is_typed_has_a_reader() {
    let (sources, fields) = (sources(), fields());
    assert!(fields.len() > 40, "the fields are no longer found: {fields:?}");
    let is_used = |name: &str| {
        let mut own = fields.iter().filter(|(_, directive)| *directive == name);
        own.any(|(field, _)| is_read(&sources, field)) || sources.contains(&format!("\"{name}\""))
    };
    let rows = DirectiveId::all().map(DirectiveId::row).filter(|row| matches!(row.support, Support::Works));
    let unused: Vec<&str> =
        rows.map(|row| row.name).filter(|name| !OWN.contains(name) && !is_used(name)).collect();
    assert!(unused.is_empty(), "said to work, but read by nobody: {unused:?}");
    let unread: Vec<&str> = fields
        .iter()
        .filter(|(field, directive)| !OWN.contains(directive) && !is_read(&sources, field))
        .map(|(field, _)| *field)
        .collect();
    assert!(unread.is_empty(), "fields that nobody reads: {unread:?}");
}
