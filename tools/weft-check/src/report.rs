//! What was found in a file: for people, and as JSON.

use keyspace::Kind;
use rdb::file::{Brand, CheckSum, Damage, Form, Layout};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::path::PathBuf;

/// All that is known of a file.
pub struct Report {
    pub path: PathBuf,
    pub bytes: u64,
    pub form: Option<Form>,
    /// AUX fields but for padding, index and links of vectors, in order.
    pub fields: Vec<(String, String)>,
    /// Names of libraries with the bytes of their code.
    pub functions: Vec<(String, usize)>,
    /// Modules that have left data beside all keys.
    pub modules: Vec<String>,
    pub databases: BTreeMap<u32, Database>,
    pub largest: Largest,
    pub index: Option<IndexFacts>,
    pub check_sum: Option<CheckSum>,
    /// Collections without elements.
    pub empty: u64,
    /// Values of modules.
    pub foreign: u64,
    /// Bytes behind the end.
    pub bytes_behind: u64,
    /// The first.
    pub damage: Option<Damage>,
    /// Damaged values, each of which could be passed over.
    pub damaged_values: u64,
}

#[derive(Default)]
pub struct Database {
    pub expiring: u64,
    pub expired: u64,
    /// By the name of the type.
    pub types: BTreeMap<String, Count>,
}

#[derive(Default)]
pub struct Count {
    pub records: u64,
    pub bytes: u64,
    /// Elements of collections and bytes of strings; 0 if values were not built.
    pub size: u64,
    /// How the values are laid out, by the name of the layout.
    pub layouts: BTreeMap<String, u64>,
}

pub struct IndexFacts {
    pub sources: u16,
    pub chunks: usize,
}

/// The largest records.
pub struct Largest {
    limit: usize,
    heap: BinaryHeap<Reverse<Large>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Large {
    bytes: u64,
    db: u32,
    key: Vec<u8>,
    kind: String,
}

impl Largest {
    pub fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new() }
    }

    pub fn see(&mut self, bytes: u64, db: u32, key: &[u8], kind: &str) {
        let is_small = self.heap.peek().is_some_and(|smallest| smallest.0.bytes >= bytes);
        if self.limit == 0 || (self.heap.len() == self.limit && is_small) {
            return;
        }
        self.heap.push(Reverse(Large { bytes, db, key: key.to_vec(), kind: kind.to_owned() }));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    /// Largest first.
    fn sorted(&self) -> Vec<&Large> {
        let mut all: Vec<_> = self.heap.iter().map(|large| &large.0).collect();
        all.sort_by_key(|large| Reverse(large.bytes));
        all
    }
}

/// The name of a type, and of a layout.
pub fn names(layout: Layout) -> (String, String) {
    match layout {
        Layout::Known(kind) => (Kind::name(kind.value_kind()).to_owned(), format!("{kind:?}")),
        Layout::Module(name) => (format!("module {name:?}"), "Module".to_owned()),
    }
}

impl Report {
    fn form_text(&self) -> String {
        match self.form {
            None => "not an RDB file".to_owned(),
            Some(Form { brand: Brand::Redis, version }) => format!("RDB version {version}"),
            Some(Form { brand: Brand::Valkey, version }) => format!("RDB version {version} of Valkey"),
        }
    }

    /// Whether it says of itself that commands may follow.
    pub fn is_aof_preamble(&self) -> bool {
        let says =
            |(name, value): &(String, String)| matches!(&**name, "aof-base" | "aof-preamble") && value == "1";
        self.fields.iter().any(says)
    }

    fn records(&self) -> u64 {
        let types = self.databases.values().flat_map(|db| db.types.values());
        types.map(|count| count.records).sum()
    }

    fn check_sum_text(&self) -> &'static str {
        match self.check_sum {
            Some(CheckSum::Right) => "right",
            Some(CheckSum::None) => "none was written",
            _ => "not verified",
        }
    }

    pub fn json(&self) -> Value {
        let fields: Map<_, _> =
            self.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let functions: Vec<_> =
            self.functions.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
        let databases: Map<_, _> =
            self.databases.iter().map(|(number, db)| (number.to_string(), db.json())).collect();
        let largest = self.largest.sorted().into_iter().map(|large| {
            let key = large.key.escape_ascii().to_string();
            json!({ "db": large.db, "key": key, "type": large.kind, "bytes": large.bytes })
        });
        let damage = self.damage.as_ref().map(
            |damage| json!({ "offset": damage.offset, "item": damage.item, "what": damage.to_string() }),
        );
        json!({
            "file": self.path.display().to_string(),
            "bytes": self.bytes,
            "format": self.form_text(),
            "fields": fields,
            "functions": functions,
            "modules": self.modules,
            "keys": self.records(),
            "databases": databases,
            "largest": largest.collect::<Vec<_>>(),
            "index": self.index.as_ref().map(|index| json!({ "sources": index.sources, "chunks": index.chunks })),
            "check_sum": self.check_sum_text(),
            "empty_collections": self.empty,
            "module_values": self.foreign,
            "bytes_behind_end": self.bytes_behind,
            "damage": damage,
            "damaged_values": self.damaged_values,
        })
    }
}

impl Database {
    fn json(&self) -> Value {
        let types = self.types.iter().map(|(name, count)| {
            let Count { records, bytes, size, layouts } = count;
            let count = json!({ "keys": records, "bytes": bytes, "size": size, "layouts": layouts });
            (name.clone(), count)
        });
        json!({ "expiring": self.expiring, "expired": self.expired, "types": types.collect::<Map<_, _>>() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} bytes, {}", self.path.display(), self.bytes, self.form_text())?;
        for (name, value) in &self.fields {
            writeln!(f, "  {name}: {value}")?;
        }
        for (name, bytes) in &self.functions {
            writeln!(f, "  library {name}: {bytes} bytes of code")?;
        }
        for name in &self.modules {
            writeln!(f, "  data of module {name}")?;
        }
        for (number, db) in &self.databases {
            let keys: u64 = db.types.values().map(|count| count.records).sum();
            let Database { expiring, expired, .. } = db;
            writeln!(f, "  database {number}: {keys} keys, {expiring} expire, {expired} have expired")?;
            for (name, Count { records, bytes, size, layouts }) in &db.types {
                let layouts: Vec<_> = layouts.iter().map(|(name, count)| format!("{name} {count}")).collect();
                let layouts = layouts.join(", ");
                writeln!(f, "    {name}: {records} keys, {bytes} bytes, size {size} ({layouts})")?;
            }
        }
        let largest = self.largest.sorted();
        if !largest.is_empty() {
            writeln!(f, "  largest keys:")?;
        }
        for Large { bytes, db, key, kind } in largest {
            writeln!(f, "    {bytes} bytes: {kind} \"{}\" in database {db}", key.escape_ascii())?;
        }
        if self.empty > 0 {
            writeln!(f, "  {} collections without elements, which are passed over", self.empty)?;
        }
        if self.foreign > 0 {
            writeln!(f, "  {} values of modules, which Weft does not load", self.foreign)?;
        }
        if let Some(IndexFacts { sources, chunks }) = self.index {
            writeln!(f, "  index: {chunks} chunks of {sources} shards")?;
        }
        if self.bytes_behind > 0 {
            writeln!(f, "  {} bytes follow the end", self.bytes_behind)?;
        }
        writeln!(f, "  check sum: {}", self.check_sum_text())?;
        if self.damaged_values > 1 {
            writeln!(f, "  {} damaged values", self.damaged_values)?;
        }
        match &self.damage {
            Some(damage) => writeln!(f, "DAMAGED {damage}"),
            None => writeln!(f, "OK {} keys", self.records()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_kept() {
        let mut largest = Largest::new(3);
        for bytes in [5, 1, 9, 7, 7, 2, 8] {
            largest.see(bytes, 0, format!("key {bytes}").as_bytes(), "string");
        }
        assert_eq!(largest.sorted().iter().map(|large| large.bytes).collect::<Vec<_>>(), [9, 8, 7]);
        let mut none = Largest::new(0);
        none.see(1, 0, b"key", "string");
        assert!(none.sorted().is_empty());
    }
}
