//! Memory asked for before the commands of a chunk run.
//!
//! A look-up waits for memory three or four times in a row: the bucket of the key, its record, and inside a large collection the
//! bucket and the record of an element. Done stage by stage for all commands of a chunk, these waits overlap. Nothing
//! is decided here: what has changed by the time a command runs costs it a wait, no more.

use crate::message::{Ask, Item, Words};
use base::hash::HashSeed;
use command::{Command, Plan};
use keyspace::{Databases, Elements, Key, ValueRef};
use resp::Span;
use std::ops::Range;

/// Commands looked ahead for at a time.
pub(crate) const CHUNK_COMMANDS: usize = 64;

/// A command whose key (of scripts: the first one) is on this shard, as far as it matters here.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub db: u16,
    pub key: Key<'a>,
    /// What it will look for in the collection under the key.
    pub element: Option<&'a [u8]>,
}

impl<'a> Look<'a> {
    /// `spans`: the command's arguments in `buf`; `key_index`: that of its one key, whose hash is `hash`.
    #[inline]
    pub fn new(command: &Command, db: u16, buf: &'a [u8], spans: &[Span], key_index: u16, hash: u64) -> Self {
        // Large arguments do not stand in the buffer. For a large key nothing is found, for a large element nothing is asked.
        let key = Key { bytes: spans[key_index as usize].inside(buf).unwrap_or_default(), hash };
        let element = match command.element {
            0 => None,
            index => spans.get(index as usize).and_then(|span| span.inside(buf)),
        };
        Self { db, key, element }
    }
}

/// Asks for what the commands will read; their buckets must have been asked for before.
#[inline]
pub(crate) fn look_ahead<'a>(dbs: &Databases, looks: impl Iterator<Item = Look<'a>> + Clone) {
    let (mut elements, mut last) = (0, None);
    for look in looks.clone() {
        // Commands in a row often concern one key.
        if last.replace(look.key.hash) != Some(look.key.hash) {
            dbs[look.db as usize].prefetch_record(look.key.hash);
        }
        elements += usize::from(look.element.is_some());
    }
    // For a single one there is nothing to overlap with.
    if elements > 1 {
        look_into_collections(dbs, looks);
    }
}

/// Shares at the beginning of a batch or of the rest of it, and the hashes of their keys, if those have been asked for.
pub(crate) struct Ahead {
    items: usize,
    looked: bool,
    hashes: [u64; CHUNK_COMMANDS],
    /// Those not yet taken.
    rest: Range<usize>,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { items: 0, looked: false, hashes: [0; CHUNK_COMMANDS], rest: 0..0 }
    }
}

impl Ahead {
    /// Asks for the keys of the first of these items, as many as have few enough keys together. One with more of them is left to
    /// itself.
    fn look(&mut self, dbs: &Databases, words: Words<'_>, items: &[Item], seed: &HashSeed) {
        let (mut count, mut passed) = (0, 0);
        for item in items {
            let (keys, step) = keys_of_share(words, item);
            if count + keys.len() / step > CHUNK_COMMANDS {
                break;
            }
            let db = &dbs[item.db as usize];
            for span in keys.iter().step_by(step) {
                let large = || &words.outside[span.outside_index().expect("it stands here or outside")][..];
                let hash = seed.hash(span.inside(words.args).unwrap_or_else(large));
                db.prefetch_bucket(hash);
                self.hashes[count] = hash;
                count += 1;
            }
            passed += 1;
        }
        let mut hashes = self.hashes[..count].iter();
        for item in &items[..passed] {
            let db = &dbs[item.db as usize];
            let (keys, step) = keys_of_share(words, item);
            hashes.by_ref().take(keys.len() / step).for_each(|&hash| db.prefetch_record(hash));
        }
        (self.items, self.looked, self.rest) = (passed.max(1), passed > 0, 0..count);
    }

    /// The hashes of the keys of the first of these items if it is a share and they have been asked for, perhaps just now. To be called
    /// for one item after the other.
    #[inline]
    pub fn take(
        &mut self,
        dbs: &Databases,
        words: Words<'_>,
        items: &[Item],
        seed: &HashSeed,
    ) -> Option<&[u64]> {
        if self.items == 0 {
            self.look(dbs, words, items, seed);
        }
        self.items -= 1;
        if !self.looked || !matches!(items[0].ask, Ask::Share(..)) {
            return None;
        }
        let (keys, step) = keys_of_share(words, &items[0]);
        let own = self.rest.start..self.rest.start + keys.len() / step;
        self.rest.start = own.end;
        Some(&self.hashes[own])
    }
}

/// The keys of a share, each of which is followed by what belongs to it, and how many arguments that makes; of other items none.
#[inline]
fn keys_of_share<'a>(words: Words<'a>, item: &Item) -> (&'a [Span], usize) {
    if !matches!((item.ask, item.command.plan), (Ask::Share(..), Plan::Split(_))) {
        return (&[], 1);
    }
    let (first, count) = (item.spans.0 as usize + 1, item.spans.1 as usize - 1);
    (&words.spans[first..first + count], item.command.key_step.into())
}

fn look_into_collections<'a>(dbs: &Databases, looks: impl Iterator<Item = Look<'a>>) {
    let mut asked: [Option<(Elements<'_>, u64)>; CHUNK_COMMANDS] = [None; CHUNK_COMMANDS];
    let mut last: Option<(u16, u64, Option<Elements<'_>>)> = None;
    let looks = looks.filter_map(|look| Some((look, look.element?)));
    for (slot, (look, element)) in asked.iter_mut().zip(looks) {
        let elements = match last {
            Some((db, hash, elements)) if (db, hash) == (look.db, look.key.hash) => elements,
            _ => dbs[look.db as usize].elements(look.key),
        };
        last = Some((look.db, look.key.hash, elements));
        *slot = elements.map(|elements| (elements, elements.prefetch_bucket(element)));
    }
    for (elements, hash) in asked.iter().flatten() {
        elements.prefetch_record(*hash);
    }
}

/// Asks for what is in small collections, of scripts, which use their key more than once: their heads, then what these point to.
#[inline(never)]
pub(crate) fn look_into_small_ones<'a>(dbs: &Databases, looks: impl Iterator<Item = Look<'a>>) {
    let mut asked: [Option<ValueRef<'_>>; CHUNK_COMMANDS] = [None; CHUNK_COMMANDS];
    for (slot, look) in asked.iter_mut().zip(looks) {
        *slot = dbs[look.db as usize].peek(look.key);
        slot.iter().for_each(|value| value.prefetch_head());
    }
    asked.iter().flatten().for_each(|value| value.prefetch_packed());
}
