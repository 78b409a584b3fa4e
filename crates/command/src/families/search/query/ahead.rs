//! Memory asked for before the documents of a result are read.
//!
//! Who reads a field of a hash waits for memory some six times in a row: the bucket of the key, its record, the head of the hash, and there again a bucket and a record. Done stage by stage for
//! all documents of a page, these waits overlap. Nothing is decided here.

use super::load::Selection;
use crate::indexes::documents::DocumentKey;
use crate::{ShardCx, indexes};
use keyspace::{Elements, Key};

/// Documents asked for at a time. The first of many more would be gone again before they are read.
pub const PAGE: usize = 32;

/// Asks for what of these documents will be read, of at most [`PAGE`] of them.
pub fn ask_for_documents<'a>(
    cx: &ShardCx,
    keys: impl Iterator<Item = &'a DocumentKey>,
    selection: &Selection,
) {
    let db = &cx.dbs[usize::from(indexes::DB)];
    let ask = |key: &'a DocumentKey| {
        let key = Key::new(key, &cx.seed);
        db.prefetch_bucket(key.hash);
        key
    };
    let keys: Vec<Key<'_>> = keys.take(PAGE).map(ask).collect();
    keys.iter().for_each(|key| db.prefetch_record(key.hash));
    if selection.reads_nothing() {
        return;
    }
    let values: Vec<_> = keys.iter().filter_map(|key| db.peek(*key)).collect();
    values.iter().for_each(|value| value.prefetch_head());
    values.iter().for_each(|value| value.prefetch_packed());
    let elements = || values.iter().filter_map(|value| Elements::of(*value));
    for field in selection.hash_fields() {
        let asked: Vec<_> = elements().map(|elements| (elements, elements.prefetch_bucket(field))).collect();
        asked.iter().for_each(|(elements, hash)| elements.prefetch_record(*hash));
    }
}
