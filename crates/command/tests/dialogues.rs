//! Every row of the table has dialogues in `tests/spec`: a success, an error, and WRONGTYPE if it asks for a value of one type.
//! What cannot have one stands here with the reason, and only as long as that is so.

use command::registry;
use command::spec::{Command, acl};
use spec::coverage::{self, CONTAINERS, Count};
use std::collections::BTreeMap;
use std::path::Path;

/// Commands that no dialogue sees succeed.
const NO_SUCCESS: &[(&str, &str)] = &[
    ("CONFIG REWRITE", NO_FILE),
    ("DEBUG CONFIG-REWRITE-FORCE-ALL", NO_FILE),
    ("DEBUG ERROR", "answers the error that it is given"),
    ("DEBUG CHANGE-REPL-ID", REPLICATION),
    ("DEBUG REPLICATE", REPLICATION),
    ("DEBUG LEAK", NOTHING_LIKE_IT),
    ("DEBUG SDSLEN", NOTHING_LIKE_IT),
    ("SHUTDOWN", "ends the server; see `crates/server/tests/start`"),
    ("SCRIPT DEBUG", "scripts have no debugger"),
    ("FT.CURSOR READ", CURSORS),
    ("FT.CURSOR DEL", CURSORS),
    ("MODULE LOAD", MODULES),
    ("MODULE LOADEX", MODULES),
    ("MODULE UNLOAD", MODULES),
];
const NO_FILE: &str = "servers of dialogues have no file; see `crates/server/tests/start`";
const CURSORS: &str = "the number of a cursor is drawn: scripts in search/aggregate.spec ask with it";
const REPLICATION: &str = "replication comes later";
const NOTHING_LIKE_IT: &str = "about Redis's own strings";
const MODULES: &str = "modules cannot be loaded";

/// Commands that refuse nothing.
const NO_ERROR: &[(&str, &str)] = &[
    ("QUIT", "takes any arguments, before AUTH too"),
    ("DEBUG DIGEST-VALUE", "takes any keys, and none"),
    ("UNSUBSCRIBE", UNSUBSCRIBES),
    ("PUNSUBSCRIBE", UNSUBSCRIBES),
    ("SUNSUBSCRIBE", UNSUBSCRIBES),
    ("PUBSUB NUMSUB", COUNTS),
    ("PUBSUB SHARDNUMSUB", COUNTS),
];
const UNSUBSCRIBES: &str = "takes any names, whether there are subscriptions or not";
const COUNTS: &str = "takes any names";

/// Commands of a type's family that take keys of any type, or word it in another way.
const NO_WRONG_TYPE: &[(&str, &str)] = &[
    ("DELEX", "deletes any type, and has an error of its own for conditions on others than strings"),
    ("LCS", "has an error of its own"),
    ("MGET", "finds nothing"),
    ("MSET", OVERWRITES),
    ("MSETNX", OVERWRITES),
    ("MSETEX", OVERWRITES),
    ("SETNX", OVERWRITES),
    ("SETEX", OVERWRITES),
    ("PSETEX", OVERWRITES),
];
const OVERWRITES: &str = "never looks at what was there but whether it was";

/// ACL categories of commands that ask for values of one type.
const TYPED: u32 = acl::SET
    | acl::SORTEDSET
    | acl::LIST
    | acl::HASH
    | acl::STRING
    | acl::BITMAP
    | acl::HYPERLOGLOG
    | acl::GEO
    | acl::ARRAY
    | acl::STREAM;

fn counts() -> BTreeMap<String, Count> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec");
    coverage::count(&coverage::read(&directory).expect("the dialogues can be read"))
}

/// Rows and subcommands under the names that the dialogues count them by; of a container, what it says by itself.
fn rows() -> Vec<(String, &'static Command)> {
    let mut rows = Vec::new();
    for row in registry::all() {
        rows.push((row.name.to_owned(), row));
        rows.extend(row.subcommands.iter().map(|sub| (format!("{} {}", row.name, sub.name), sub)));
    }
    rows
}

/// Holds what is missing against the exceptions, both ways.
fn compare(what: &str, missing: &[String], exceptions: &[(&str, &str)]) -> Vec<String> {
    let excepted = |name: &str| exceptions.iter().any(|(known, _)| *known == name);
    let owed = missing.iter().filter(|name| !excepted(name)).map(|name| format!("{name} needs {what}"));
    let stale = exceptions.iter().filter(|(name, _)| !missing.iter().any(|known| known == name));
    owed.chain(stale.map(|(name, _)| format!("{name} has {what}: strike it from the exceptions"))).collect()
}

#[test]
fn every_row_has_its_dialogues() {
    let counts = counts();
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    let missing = |lacks: &dyn Fn(&str, &Command) -> bool| -> Vec<String> {
        rows().into_iter().filter(|(name, row)| lacks(name, row)).map(|(name, _)| name).collect()
    };
    // A container answers only errors, unless it does something by itself, as COMMAND does.
    let successes =
        missing(&|name, row| of(name).successes == 0 && (row.subcommands.is_empty() || row.arity == -1));
    let errors = missing(&|name, row| {
        let unknown = |known: &String| known.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
        let of_unknown = || counts.iter().any(|(known, count)| unknown(known) && count.errors > 0);
        of(name).errors + of(name).arities == 0 && (row.subcommands.is_empty() || !of_unknown())
    });
    let wrong_types =
        missing(&|name, row| row.acl & TYPED != 0 && !row.keys.is_empty() && of(name).wrong_types == 0);
    let mut problems = compare("a success", &successes, NO_SUCCESS);
    problems.extend(compare("an error", &errors, NO_ERROR));
    problems.extend(compare("WRONGTYPE", &wrong_types, NO_WRONG_TYPE));
    assert!(problems.is_empty(), "in tests/spec:\n{}", problems.join("\n"));
}

#[test]
fn dialogues_know_the_containers() {
    for row in registry::all().filter(|row| !row.subcommands.is_empty()) {
        assert!(CONTAINERS.contains(&row.name), "{}", row.name);
    }
}
