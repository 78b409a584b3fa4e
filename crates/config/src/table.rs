//! The table of all directives, in the sections of redis.conf, and finding a row by name.

mod checks;
mod data;
mod memory;
mod network;
mod persistence;
mod replication;
mod search;
mod valkey;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::directive::Directive;

/// A part of the table under one heading.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub title: &'static str,
    pub directives: &'static [Directive],
}

const fn section(title: &'static str, directives: &'static [Directive]) -> Section {
    Section { title, directives }
}

/// Every directive, in the order in which they are documented, listed and rewritten.
pub const SECTIONS: &[Section] = &[
    section("Weft", data::WEFT),
    section("Includes and modules", network::INCLUDES),
    section("Network", network::NETWORK),
    section("TLS", network::TLS_ROWS),
    section("General", network::GENERAL),
    section("Snapshots", persistence::SNAPSHOTS),
    section("Append-only file", persistence::APPEND_ONLY),
    section("Shutdown", persistence::SHUTDOWN),
    section("Replication", replication::REPLICATION),
    section("Client-side caching", replication::TRACKING),
    section("Security", memory::SECURITY),
    section("Clients", memory::CLIENTS),
    section("Memory", memory::MEMORY),
    section("Lazy freeing", memory::LAZY_FREEING),
    section("Threads", memory::THREADS),
    section("Processors", persistence::CPU_LISTS),
    section("Kernel", memory::KERNEL),
    section("Long-running scripts", persistence::BLOCKING),
    section("Cluster", replication::CLUSTER_ROWS),
    section("Slow log", data::SLOW_LOG),
    section("Latency", data::LATENCY),
    section("Events", data::EVENTS),
    section("Encodings and periodic work", data::ENCODINGS),
    section("Defragmentation", memory::DEFRAGMENTATION),
    section("Searches", search::SEARCH),
    section("Valkey", valkey::VALKEY),
];

/// A directive's place in the table. Stable while the program runs, not from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirectiveId(u16);

struct Table {
    rows: Vec<&'static Directive>,
    by_name: HashMap<&'static str, DirectiveId>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows: Vec<&'static Directive> = SECTIONS.iter().flat_map(|section| section.directives).collect();
    let mut by_name = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let id = DirectiveId(u16::try_from(index).expect("a few hundred rows"));
        for name in std::iter::once(&row.name).chain(row.aliases) {
            let before = by_name.insert(*name, id);
            assert!(before.is_none(), "two directives are called {name}");
        }
    }
    Table { rows, by_name }
});

impl DirectiveId {
    /// Finds a directive by its name or an alias, in any case.
    pub fn find(name: &[u8]) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        TABLE.by_name.get(std::str::from_utf8(&name).ok()?).copied()
    }

    /// The directive with this exact name, which a programmer wrote. Panics if there is none.
    pub fn of(name: &'static str) -> Self {
        Self::find(name.as_bytes()).unwrap_or_else(|| panic!("no directive is called {name}"))
    }

    pub fn row(self) -> &'static Directive {
        TABLE.rows[self.index()]
    }

    /// The directive's present name.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// All directives in the order of the table.
    pub fn all() -> impl Iterator<Item = DirectiveId> {
        (0..TABLE.rows.len()).map(|index| DirectiveId(index as u16))
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::{Kind, Support};

    #[test]
    fn every_row_is_complete() {
        for row in DirectiveId::all().map(DirectiveId::row) {
            assert!(!row.doc.is_empty(), "{} has no documentation", row.name);
            assert!(row.doc.ends_with('.'), "{}: {}", row.name, row.doc);
            assert_eq!(row.name, row.name.to_ascii_lowercase());
            if let Kind::Choice(names) | Kind::Flags(names) = row.kind {
                assert!(names.iter().any(|(name, _)| *name == row.default), "{}", row.name);
            }
            if let Support::Later(work) = row.support {
                assert!(!work.is_empty());
            }
        }
    }

    #[test]
    fn names_in_any_case_and_aliases() {
        assert_eq!(DirectiveId::find(b"SlaveOf"), Some(DirectiveId::of("replicaof")));
        assert_eq!(DirectiveId::find(b"nope"), None);
        assert_eq!(DirectiveId::find(b"\xff"), None);
        assert_eq!(DirectiveId::of("hash-max-ziplist-entries").name(), "hash-max-listpack-entries");
    }
}
