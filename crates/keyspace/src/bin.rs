//! What has left the keyspace and is not freed yet: large values and whole databases whose memory goes back step by step, so
//! that nobody waits for all of it (Redis: lazy freeing).
//!
//! One bin stands for all databases of a shard. It is emptied on the shard's own thread, whose heap nearly all of the memory came from.
//! Invariant: what lies here is out of every account of a database; `bytes` says what is still to come back.

use crate::record::{self, KeyLayout};
use crate::value::Value;
use json::document::Remains as JsonRemains;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use types::remains::Effort;

/// Values whose effort is not above this are freed at once (Redis: LAZYFREE_THRESHOLD).
const EFFORT_MAX: usize = 64;
/// Documents of no more bytes, likewise: some tens of nodes.
const JSON_BYTES_MAX: usize = 64 << 10;

/// When memory is given back that nobody needs any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Free {
    /// Before the command that lets go of it is over.
    #[default]
    Now,
    /// Step by step.
    Later,
}

impl Free {
    /// `Later` if a directive says yes.
    pub fn later_if(lazy: bool) -> Self {
        if lazy { Self::Later } else { Self::Now }
    }
}

/// When a database frees what it lets go of without being told at that moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frees {
    /// Values that are overwritten, or removed as a side effect of a command.
    pub overwritten: Free,
    /// Keys whose time is over.
    pub expired: Free,
}

/// The bin of a shard. Clones are the same bin.
#[derive(Clone, Default)]
pub struct Bin(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    queue: VecDeque<Item>,
    /// Objects in the queue, as Redis counts them: values, and the keys of databases.
    pending: u64,
    freed: u64,
    /// Bytes of all in the queue; given back since asked last.
    bytes: usize,
    freed_bytes: usize,
}

/// A value on its way out.
enum Remains {
    Collection(types::Remains),
    Json(JsonRemains),
}

impl Remains {
    fn bytes(&self) -> usize {
        match self {
            Self::Collection(remains) => remains.bytes(),
            Self::Json(remains) => remains.bytes(),
        }
    }

    fn free_step(&mut self) -> bool {
        match self {
            Self::Collection(remains) => remains.free_step(),
            Self::Json(remains) => remains.free_step(),
        }
    }
}

enum Item {
    Value(Remains),
    /// A value of a database that is being freed: counted as its key.
    Nested(Remains),
    Keys {
        table: table::Remains<KeyLayout>,
        /// Bytes outside the table that its records own.
        outside: usize,
        counted: u64,
    },
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Value(remains) | Self::Nested(remains) => remains.bytes(),
            Self::Keys { table, outside, .. } => table.bytes() + outside,
        }
    }
}

impl Bin {
    /// Nobody waits here: all clones of a bin belong to one shard, which only one thread has at a time.
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("nothing panics with it")
    }

    /// Whether there is nothing to free.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.content().queue.is_empty()
    }

    /// Objects still to be freed: values, and keys of databases.
    pub fn pending(&self) -> u64 {
        self.content().pending
    }

    /// Objects freed step by step, since the start or [`Bin::reset_statistics`].
    pub fn freed(&self) -> u64 {
        self.content().freed
    }

    /// Others have let go of so many objects.
    pub fn count(&self, objects: u64) {
        self.content().freed += objects;
    }

    pub fn reset_statistics(&self) {
        self.content().freed = 0;
    }

    /// Bytes still to be freed.
    pub fn bytes(&self) -> usize {
        self.content().bytes
    }

    /// Bytes that databases have let go of at once or the bin has freed, since this was asked last; for whoever tells
    /// the allocator to give memory back.
    pub fn take_freed_bytes(&self) -> usize {
        std::mem::take(&mut self.content().freed_bytes)
    }

    /// What [`Bin::take_freed_bytes`] would give.
    #[inline]
    pub fn freed_bytes(&self) -> usize {
        self.content().freed_bytes
    }

    /// Whether there is something to free, or so many bytes have been freed.
    #[inline]
    pub fn has_work(&self, freed_bytes: usize) -> bool {
        let content = self.content();
        !content.queue.is_empty() || content.freed_bytes >= freed_bytes
    }

    /// Tells that so many bytes have been freed without the bin.
    pub fn note_freed(&self, bytes: usize) {
        self.content().freed_bytes += bytes;
    }

    /// Takes a value that no key has any more. A small one is freed now.
    pub(crate) fn put(&self, value: Value) {
        if let Some(remains) = large(value) {
            let mut content = self.content();
            content.pending += 1;
            content.bytes += remains.bytes();
            content.queue.push_back(Item::Value(remains));
        }
    }

    /// Takes the table of a database, whose records own `outside` bytes beyond it.
    pub(crate) fn put_table(&self, table: table::Remains<KeyLayout>, outside: usize) {
        let mut content = self.content();
        let counted = table.len() as u64;
        content.pending += counted;
        content.bytes += table.bytes() + outside;
        content.queue.push_back(Item::Keys { table, outside, counted });
    }

    /// Frees a bounded part of the oldest: one segment of a table, some nodes of a list. False if there was nothing.
    pub fn free_step(&self) -> bool {
        self.content().free_step()
    }
}

impl Content {
    fn free_step(&mut self) -> bool {
        let Some(mut item) = self.queue.pop_front() else { return false };
        let before = item.bytes();
        let mut nested = Vec::new();
        let more = match &mut item {
            Item::Value(remains) | Item::Nested(remains) => remains.free_step(),
            Item::Keys { table, outside, counted } => {
                let more = free_keys(table, outside, &mut nested);
                let gone = *counted - table.len() as u64;
                *counted -= gone;
                self.pending -= gone;
                self.freed += gone;
                more
            }
        };
        let mut after = 0;
        if more {
            after = item.bytes();
            self.queue.push_front(item);
        } else if matches!(item, Item::Value(_)) {
            self.pending -= 1;
            self.freed += 1;
        }
        for remains in nested {
            after += remains.bytes();
            self.queue.push_front(Item::Nested(remains));
        }
        self.freed_bytes += before.saturating_sub(after);
        self.bytes = self.bytes + after - before;
        true
    }
}

impl Drop for Content {
    /// Databases own more than their tables.
    fn drop(&mut self) {
        while self.free_step() {}
    }
}

/// Frees one segment of keys with their small values; the large ones come out. False if there was none.
fn free_keys(table: &mut table::Remains<KeyLayout>, outside: &mut usize, nested: &mut Vec<Remains>) -> bool {
    if *outside == 0 {
        return table.free_segment();
    }
    table.free_segment_showing(|record| {
        *outside -= record::outside_bytes(record);
        if record::owns_box(record) {
            nested.extend(large(record::take_value(record)));
        }
        record::release_key(record);
    })
}

/// The remains of a value that takes many steps to free; a small one is freed here.
fn large(value: Value) -> Option<Remains> {
    let collection = match value {
        Value::Json(json) if json.bytes() > JSON_BYTES_MAX => {
            return Some(Remains::Json(JsonRemains::of(*json)));
        }
        Value::List(list) if list.effort() > EFFORT_MAX => types::Remains::of_list(*list),
        Value::Set(set) if set.effort() > EFFORT_MAX => types::Remains::of_set(*set),
        Value::Hash(hash) if hash.effort() > EFFORT_MAX => types::Remains::of_hash(*hash),
        Value::ZSet(zset) if zset.effort() > EFFORT_MAX => types::Remains::of_zset(*zset),
        Value::Stream(stream) if stream.effort() > EFFORT_MAX => types::Remains::of_stream(*stream),
        Value::Array(array) if Effort::effort(&*array) > EFFORT_MAX => types::Remains::of_array(*array),
        Value::VectorSet(set) if set.effort() > EFFORT_MAX => types::Remains::of_vector_set(*set),
        Value::Suggestions(all) if all.effort() > EFFORT_MAX => types::Remains::of_suggestions(*all),
        _ => None,
    };
    collection.map(Remains::Collection)
}
