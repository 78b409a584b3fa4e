//! The state of FT.* on a shard: the definitions, which are the same on every shard, and for each an index of the documents whose keys are
//! this shard's.
//!
//! Definitions are changed by commands for all shards only, which run at the same place in the order of all operations everywhere; so a
//! name, a number or an alias means the same on each. Only keys of database 0 are indexed.
//!
//! | room | |
//! |---|---|
//! | [`definition`] | what FT.CREATE has said, ready to be held against keys |
//! | [`documents`] | ids of documents and their keys |
//! | [`failures`] | documents that could not be indexed |
//! | `read` | what of a key's value is indexed |
//! | `follow` | changed keys, and the indexes after them |
//! | [`saved`] | indexes in files |
//! | [`scan`] | keys that were there before their index, in slices |
//! | `lend` | one copy of each vector, for index and hash |
//! | [`links`] | how vectors are linked, in files |
//! | `link` | vectors that wait for their links, in slices |
//! | [`usage`] | how often it was asked |

pub mod definition;
pub mod documents;
pub mod failures;
mod follow;
mod lend;
mod link;
pub mod links;
mod read;
pub mod saved;
pub mod scan;
pub mod usage;

use crate::{Error, Outcome, ShardCx};
use base::hash::HashSeed;
use definition::Definition;
use documents::Documents;
use failures::Failures;
use scan::Scan;
use search::index::Index;
use search::query::Synonyms;
use search::schema::DocumentKind;
use search::vectors::Graphs;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use usage::{Asked, Usage};

pub use search::vectors::Registry;

/// The database whose keys are indexed.
pub const DB: u16 = 0;

/// A shard's part of an index.
pub struct ShardIndex {
    pub definition: Arc<Definition>,
    /// This shard's documents.
    pub index: Index,
    /// Their keys.
    pub documents: Documents,
    /// Groups of words, the same on all shards.
    pub synonyms: Synonyms,
    /// What could not be indexed.
    pub failures: Failures,
    /// Keys that are still to be looked at.
    pub scan: Option<Scan>,
    pub usage: Usage,
    /// When the shard that counts was last asked of it (monotonic µs); TEMPORARY counts from then.
    pub used_us: u64,
    /// Spent with documents.
    pub indexing_ns: u64,
}

impl ShardIndex {
    fn new(definition: Definition, graphs: Graphs, shard: u16, shards: u16, seed: &HashSeed) -> Self {
        Self {
            index: Index::shared(Arc::clone(&definition.schema), graphs),
            definition: Arc::new(definition),
            documents: Documents::new(shard, shards, seed),
            synonyms: Synonyms::default(),
            failures: Failures::default(),
            scan: None,
            usage: Usage::default(),
            used_us: 0,
            indexing_ns: 0,
        }
    }

    /// Whether hashes may have vectors of it on loan.
    fn lends(&self) -> bool {
        self.definition.schema.on == DocumentKind::Hash && self.index.lends()
    }

    fn is_temporary(&self) -> bool {
        self.definition.schema.temporary_seconds.is_some()
    }

    /// Takes a key's document out, if it has one.
    fn forget(&mut self, key: &[u8]) {
        if let Some(id) = self.documents.remove(key) {
            self.index.remove(id);
        }
    }

    /// Takes all documents out. Graphs are others than before, for other shards may not be as far yet.
    fn forget_all(&mut self, graphs: Graphs) {
        self.index = Index::shared(Arc::clone(&self.definition.schema), graphs);
        self.documents.clear();
    }
}

/// All indexes of a shard.
#[derive(Default)]
pub struct Indexes {
    by_name: BTreeMap<Vec<u8>, ShardIndex>,
    /// Other names, each with the name of its index.
    aliases: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Words of FT.DICTADD.
    pub dictionaries: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// The number of the last index that was made, or of its graphs.
    last_number: u64,
    /// Where shards find each other's graphs.
    registry: Option<Arc<Registry>>,
    /// Keys whose documents are to be looked at again.
    changed: Vec<Box<[u8]>>,
    /// Some graph has too many vectors that wait for their links.
    links_behind: bool,
    /// Whose graphs are linked next, by their place among the names.
    next_linked: usize,
    /// How many indexes have keys to look at.
    scans: usize,
    /// When keys were looked at last, whatever waits for links, µs of the monotonic clock.
    scanned_us: u64,
    /// An index has gone whose vectors hashes may have on loan.
    taking_back: Option<lend::TakingBack>,
    /// How far a save is with the links of vectors.
    saving_links: Option<links::SavingLinks>,
    /// Links of vectors from a file that is being loaded.
    kept_links: Vec<links::Links>,
    /// How many of them are TEMPORARY.
    temporaries: usize,
    /// How often they were asked.
    pub asked: Asked,
    /// What they owned when this was last counted ([`Indexes::count_bytes`]).
    pub bytes: usize,
}

impl Indexes {
    /// Whether there is any index: then changes of keys are to be noted.
    #[inline]
    pub fn follow(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// Whether keys have changed since the indexes were.
    #[inline]
    pub fn are_behind(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Whether keys that were there before, or whose index has gone, are still to be looked at.
    pub fn have_keys_to_see(&self) -> bool {
        self.scans > 0 || self.taking_back.is_some()
    }

    /// Whether there are TEMPORARY ones.
    #[inline]
    pub fn have_temporary(&self) -> bool {
        self.temporaries > 0
    }

    /// A TEMPORARY index that nobody has asked for too long: its name and number. It is told once; then its time begins anew.
    pub fn take_idle(&mut self, now_us: u64) -> Option<(Vec<u8>, u64)> {
        let is_idle = |index: &&mut ShardIndex| {
            let seconds = index.definition.schema.temporary_seconds;
            seconds.is_some_and(|seconds| now_us.saturating_sub(index.used_us) / 1_000_000 >= seconds)
        };
        let index = self.by_name.values_mut().find(is_idle)?;
        index.used_us = now_us;
        Some((index.definition.name.clone(), index.definition.number))
    }

    /// Names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.by_name.keys().map(Vec::as_slice)
    }

    /// All indexes, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &ShardIndex)> {
        self.by_name.iter().map(|(name, index)| (name.as_slice(), index))
    }

    /// The index of that name or alias.
    pub fn get(&self, name: &[u8]) -> Option<&ShardIndex> {
        self.by_name.get(self.resolve(name))
    }

    /// As [`Indexes::get`], to be changed.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut ShardIndex> {
        let Self { aliases, by_name, .. } = self;
        by_name.get_mut(aliases.get(name).map_or(name, Vec::as_slice))
    }

    /// The name of the index that a name or an alias stands for.
    pub fn resolve<'a>(&'a self, name: &'a [u8]) -> &'a [u8] {
        self.aliases.get(name).map_or(name, Vec::as_slice)
    }

    /// Whether an index has that very name.
    pub fn is_name(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether there is such another name.
    pub fn has_alias(&self, alias: &[u8]) -> bool {
        self.aliases.contains_key(alias)
    }

    /// Gives an index another name, which may have been another's.
    pub fn set_alias(&mut self, alias: &[u8], name: &[u8]) {
        self.aliases.insert(alias.to_vec(), name.to_vec());
    }

    /// Takes another name away; whether there was one.
    pub fn remove_alias(&mut self, alias: &[u8]) -> bool {
        self.aliases.remove(alias).is_some()
    }

    /// The other names of an index, in order.
    pub fn aliases_of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.aliases.iter().filter(move |(_, of)| *of == name).map(|(alias, _)| alias.as_slice())
    }

    /// Counts the memory that they own, which takes a look at each field of each. Vectors that lie there for hashes are counted with the hashes.
    pub fn count_bytes(&mut self) -> usize {
        let own = |index: &ShardIndex| index.index.bytes().saturating_sub(index.index.lent_bytes());
        self.bytes = self.by_name.values().map(|index| own(index) + index.documents.bytes()).sum();
        self.bytes
    }

    /// The number for an index that is about to be made; every shard has the same.
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Begins anew, beside those that there are, which are returned.
    pub fn set_aside(&mut self) -> Self {
        let (last_number, registry, asked) = (self.last_number, self.registry.clone(), self.asked);
        let fresh = Self { last_number, registry, asked, ..Self::default() };
        std::mem::replace(self, fresh)
    }

    /// Goes on with those that were set aside; what has been made meanwhile.
    pub fn bring_back(&mut self, kept: Self) -> Self {
        let last_number = self.last_number;
        let made = std::mem::replace(self, kept);
        self.last_number = last_number;
        made
    }

    /// All of them go, with their aliases, and the dictionaries: database 0 has been flushed.
    pub fn clear(&mut self) {
        let (last_number, registry, asked) = (self.last_number, self.registry.take(), self.asked);
        // Other databases may have vectors of an index that went before; and what is loaded is for the indexes that there will be.
        let (taking_back, kept_links) = (self.taking_back, std::mem::take(&mut self.kept_links));
        *self = Self { last_number, registry, asked, taking_back, kept_links, ..Self::default() };
    }

    /// Where the shards of this process share graphs; said once, before there is any index.
    pub fn share_graphs(&mut self, registry: Arc<Registry>) {
        self.registry = Some(registry);
    }

    /// Graphs of that number, which is not used again.
    ///
    /// # Panics
    /// If there are other shards, and it is not known where to find them.
    fn graphs(&self, number: u64, shards: u16) -> Graphs {
        assert!(shards == 1 || self.registry.is_some(), "shards that share an index know of each other");
        Graphs { registry: self.registry.clone().unwrap_or_default(), index: number }
    }
}

impl ShardCx {
    /// The index of that name or alias, after all that has changed. Nothing is counted ([`usage`]).
    ///
    /// # Errors
    /// There is none.
    pub fn index(&mut self, name: &[u8]) -> Result<&mut ShardIndex, Error> {
        self.settle_indexes();
        self.indexes.get_mut(name).ok_or_else(|| index_not_found(name))
    }

    /// Makes an index; where keys are to be looked at, that begins, and with few keys it is over at once.
    pub fn add_index(&mut self, definition: Definition) {
        let (name, scans) = (definition.name.clone(), !definition.schema.skip_initial_scan);
        self.insert_index(definition);
        if scans {
            self.scan_for(&name, scan::Purpose::New);
        }
    }

    /// Makes an index; no key is looked at.
    fn insert_index(&mut self, definition: Definition) {
        let graphs = self.indexes.graphs(definition.number, self.shards);
        let mut index = ShardIndex::new(definition, graphs, self.id, self.shards, &self.seed);
        index.used_us = self.now_us;
        self.indexes.temporaries += usize::from(index.is_temporary());
        self.indexes.by_name.insert(index.definition.name.clone(), index);
        self.set_listening();
    }

    /// Begins to look at all keys for an index. What is played again is looked at when all of it has been.
    fn scan_for(&mut self, name: &[u8], purpose: scan::Purpose) {
        if !self.replays() {
            self.begin_scan(name, purpose);
            self.scan_first();
        }
    }

    /// Gives an index more fields. With `scans`, documents that are there get them, too.
    pub fn alter_index(&mut self, definition: Definition, scans: bool) {
        let name = definition.name.clone();
        let index = self.indexes.by_name.get_mut(&name).expect("it is there to be altered");
        index.index.extend(Arc::clone(&definition.schema));
        index.definition = Arc::new(definition);
        if scans {
            self.scan_for(&name, scan::Purpose::Again);
        }
    }

    /// Adds words to a group of synonyms. With `scans`, documents that are there are found by them, too.
    ///
    /// # Errors
    /// There is no such index.
    pub fn add_synonyms(&mut self, name: &[u8], group: &[u8], words: &[&[u8]], scans: bool) -> Outcome {
        let index = self.index_for_admin(name)?;
        words.iter().for_each(|word| index.synonyms.add(group, word));
        let name = index.definition.name.clone();
        if scans {
            self.scan_for(&name, scan::Purpose::Again);
        }
        Ok(())
    }

    /// Removes an index with its aliases; whether there was one of that very name.
    pub fn remove_index(&mut self, name: &[u8]) -> Option<ShardIndex> {
        let removed = self.indexes.by_name.remove(name)?;
        self.indexes.scans -= usize::from(removed.scan.is_some());
        self.indexes.temporaries -= usize::from(removed.is_temporary());
        self.indexes.aliases.retain(|_, index| index != name);
        if removed.lends() {
            self.indexes.begin_taking_back();
        }
        if !self.indexes.follow() {
            self.indexes.changed = Vec::new();
        }
        self.set_listening();
        Some(removed)
    }

    /// Database 0 has been flushed. That has changed something if there were any, whether there were keys or not.
    pub fn drop_indexes(&mut self) {
        let had_some = self.indexes.follow() || !self.indexes.dictionaries.is_empty();
        self.dirty += u64::from(had_some && self.id == 0);
        self.indexes.clear();
        self.set_listening();
    }
}

/// That there is no such index.
pub fn index_not_found(name: &[u8]) -> Error {
    Error::coded("SEARCH_INDEX_NOT_FOUND Index not found: ", name)
}
