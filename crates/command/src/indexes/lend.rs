//! One copy of each vector: a hash reads its vectors where an index has them in a graph, and keeps none itself (`types::hash`, *lending*).
//!
//! Who changes a hash takes its vectors back, without knowing of any index. At the end of the command the hash is indexed, and then lets its vectors lie in the index again:
//! those that are the same as before are in the same place. Of several indexes that have a vector the first one by name lends it; the others have one of their own.
//!
//! A loan outlasts the index, and keeps its graph in memory as long. So when an index goes, hashes that lend from it are looked for in slices, and take their
//! vectors back. What leaves database [`DB`] takes them along.

use super::{DB, Indexes};
use crate::ShardCx;
use keyspace::{Key, Pos, ValueRef};
use search::schema::DocumentKind;
use search::vectors::Lender;
use types::Hash;

/// Keys between two looks at the clock.
const KEYS_AT_ONCE: usize = 64;

/// A look at the keys of all databases for vectors whose index has gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakingBack {
    db: usize,
    cursor: u64,
}

impl Indexes {
    /// An index of hashes has gone: those that lend from it have to be looked for.
    pub(super) fn begin_taking_back(&mut self) {
        self.taking_back = Some(TakingBack { db: 0, cursor: 0 });
    }

    /// Where the vectors of a hash are that an index has in a graph, with the names of their fields.
    fn lenders<'a>(&'a self, key: &[u8], hash: &Hash, now_ms: u64) -> Vec<(&'a [u8], Lender<'a>)> {
        let mut all: Vec<(&[u8], Lender<'_>)> = Vec::new();
        let of_hashes = self.by_name.values().filter(|it| it.definition.schema.on == DocumentKind::Hash);
        for index in of_hashes {
            let Some(id) = index.documents.id_of(key) else { continue };
            for (field, lender) in index.index.lenders(id) {
                let can_lend = hash.get(field, now_ms).is_some_and(|value| hash.can_lend(value.len()));
                if can_lend && all.iter().all(|(other, _)| *other != field) {
                    all.push((field, lender));
                }
            }
        }
        all
    }
}

impl ShardCx {
    /// The hash under a key of database [`DB`] keeps its vectors where its indexes have them, which are up to date, and nowhere else.
    pub(super) fn lend_vectors(&mut self, key: &[u8], pos: Pos) {
        let Self { indexes, dbs, now_ms, .. } = self;
        let db = &mut dbs[usize::from(DB)];
        let ValueRef::Hash(hash) = db.value(pos) else { return };
        if !hash.can_lend(usize::MAX) {
            return;
        }
        let lenders = indexes.lenders(key, hash, *now_ms);
        let has = |(field, lender): &(&[u8], Lender<'_>)| {
            hash.lent(field).is_some_and(|loan| lender.has_lent(loan))
        };
        if lenders.len() == hash.lent_len() && lenders.iter().all(has) {
            return;
        }
        let loans: Vec<_> =
            lenders.iter().filter_map(|(field, lender)| Some((*field, lender.lend()?))).collect();
        db.update::<Hash>(pos).lend(loans);
    }

    /// The hash at a place, if it is one, has all its vectors itself.
    pub(crate) fn take_vectors_back(&mut self, db: u16, pos: Pos) {
        let db = &mut self.dbs[usize::from(db)];
        if let ValueRef::Hash(hash) = db.value(pos)
            && hash.lent_len() > 0
        {
            db.update::<Hash>(pos).take_back();
        }
    }

    /// Looks at some keys for vectors whose index has gone; whether there are more.
    pub(super) fn take_some_back(&mut self) -> bool {
        let Some(TakingBack { db, cursor }) = self.indexes.taking_back else { return false };
        if db == self.dbs.count() {
            self.indexes.taking_back = None;
            return false;
        }
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let next = self.dbs[db].scan(cursor, KEYS_AT_ONCE, |key, value, _| {
            if matches!(value, ValueRef::Hash(hash) if hash.lent_len() > 0) {
                keys.push(key.to_vec());
            }
        });
        let seed = self.seed.clone();
        for key in keys {
            let found = self.dbs[db].find(Key::new(&key, &seed), 0);
            let keyspace::Found::Live(pos) = found else { continue };
            match db == usize::from(DB) {
                true => self.lend_vectors(&key, pos),
                false => self.take_vectors_back(db as u16, pos),
            }
        }
        self.indexes.taking_back = Some(match next {
            0 => TakingBack { db: db + 1, cursor: 0 },
            cursor => TakingBack { db, cursor },
        });
        true
    }
}
