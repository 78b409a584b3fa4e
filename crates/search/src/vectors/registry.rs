//! Where the shards of a process meet to share the graphs of an index.
//!
//! Looked at when an index is made or gets more fields, under a lock, and never by searches or writes. A graph lives as long as a shard has it.

use super::field;
use crate::schema::{FieldNumber, VectorOptions};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

/// The graphs of a process.
#[derive(Debug, Default)]
pub struct Registry {
    graphs: Mutex<HashMap<(u64, FieldNumber), Entry>>,
}

#[derive(Debug)]
struct Entry(Weak<vector::Shared>);

/// Where the graphs of one index are.
#[derive(Clone, Debug)]
pub struct Graphs {
    pub registry: Arc<Registry>,
    /// The index's number, which is the same on all shards and no other index's.
    pub index: u64,
}

impl Graphs {
    /// The graph of a field: the one that another shard has made, or a new one.
    pub(super) fn get(&self, field: FieldNumber, options: &VectorOptions) -> vector::Handle {
        let mut graphs = self.registry.graphs.lock().expect("who panics here ends the process");
        let key = (self.index, field);
        if let Some(graph) = graphs.get(&key).and_then(|entry| entry.0.upgrade()) {
            return graph.handle();
        }
        graphs.retain(|_, entry| entry.0.strong_count() > 0);
        let graph = vector::Shared::new(field::graph(options));
        graphs.insert(key, Entry(Arc::downgrade(&graph)));
        graph.handle()
    }
}
