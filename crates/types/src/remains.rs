//! What is left of a large collection that has no key any more: it is freed step by step, so that nobody waits for all of it.
//!
//! A step frees one segment of a table, or some nodes or leaves: some microseconds, or some tens of them where the elements
//! are blocks of their own. Dropping the remains frees the rest at once.

use crate::array::ArrayRemains;
use crate::hash::HashRemains;
use crate::list::ListRemains;
use crate::set::SetRemains;
use crate::stream::StreamRemains;
use crate::suggestions::SuggestionsRemains;
use crate::vectorset::VectorSetRemains;
use crate::zset::TreeRemains;
use crate::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet};

/// A collection on its way out.
pub struct Remains(Kind);

enum Kind {
    List(ListRemains),
    Set(SetRemains),
    Hash(HashRemains),
    Tree(Box<TreeRemains>),
    Stream(Box<StreamRemains>),
    Array(Box<ArrayRemains>),
    VectorSet(Box<VectorSetRemains>),
    Suggestions(Box<SuggestionsRemains>),
}

impl Remains {
    /// Of a list; `None` if it was a single block, which is freed now.
    pub fn of_list(list: List) -> Option<Self> {
        list.into_remains().map(|remains| Self(Kind::List(remains)))
    }

    /// Of a set, likewise.
    pub fn of_set(set: Set) -> Option<Self> {
        set.into_remains().map(|remains| Self(Kind::Set(remains)))
    }

    /// Of a hash, likewise.
    pub fn of_hash(hash: Hash) -> Option<Self> {
        hash.into_remains().map(|remains| Self(Kind::Hash(remains)))
    }

    /// Of a sorted set, likewise.
    pub fn of_zset(zset: ZSet) -> Option<Self> {
        zset.into_remains().map(|remains| Self(Kind::Tree(Box::new(remains))))
    }

    /// Of a stream, likewise.
    pub fn of_stream(stream: Stream) -> Option<Self> {
        stream.into_remains().map(|remains| Self(Kind::Stream(Box::new(remains))))
    }

    /// Of an array; `None` if it was hardly more than a block.
    pub fn of_array(array: Array) -> Option<Self> {
        array.into_remains().map(|remains| Self(Kind::Array(Box::new(remains))))
    }

    /// Of a vector set, likewise.
    pub fn of_vector_set(set: VectorSet) -> Option<Self> {
        set.into_remains().map(|remains| Self(Kind::VectorSet(Box::new(remains))))
    }

    /// Of suggestions, likewise.
    pub fn of_suggestions(suggestions: Suggestions) -> Option<Self> {
        suggestions.into_remains().map(|remains| Self(Kind::Suggestions(Box::new(remains))))
    }

    /// Heap bytes not yet freed; of a sorted set about.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Kind::List(list) => list.bytes(),
            Kind::Set(set) => set.bytes(),
            Kind::Hash(hash) => hash.bytes(),
            Kind::Tree(tree) => tree.bytes(),
            Kind::Stream(stream) => stream.bytes(),
            Kind::Array(array) => array.bytes(),
            Kind::VectorSet(set) => set.bytes(),
            Kind::Suggestions(suggestions) => suggestions.bytes(),
        }
    }

    /// Frees some more; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        match &mut self.0 {
            Kind::List(list) => list.free_step(),
            Kind::Set(set) => set.free_step(),
            Kind::Hash(hash) => hash.free_step(),
            Kind::Tree(tree) => tree.free_step(),
            Kind::Stream(stream) => stream.free_step(),
            Kind::Array(array) => array.free_step(),
            Kind::VectorSet(set) => set.free_step(),
            Kind::Suggestions(suggestions) => suggestions.free_step(),
        }
    }
}

/// What freeing a collection takes, as Redis counts it to decide whether others should wait for it: elements of a
/// table or tree, nodes of a list, blocks of a stream or an array, 1 for what is one block.
pub trait Effort {
    fn effort(&self) -> usize;
}

impl Effort for List {
    fn effort(&self) -> usize {
        self.blocks()
    }
}

impl Effort for Set {
    fn effort(&self) -> usize {
        if let Self::Table(table) = self { table.len() } else { 1 }
    }
}

impl Effort for Hash {
    fn effort(&self) -> usize {
        if let Self::Table(table) = self { table.len() } else { 1 }
    }
}

impl Effort for Stream {
    fn effort(&self) -> usize {
        let groups = self.groups.iter().map(|group| 1 + group.pending().blocks());
        self.blocks().max(1) + groups.sum::<usize>() + self.producers().map_or(0, |it| it.blocks())
    }
}

impl Effort for ZSet {
    fn effort(&self) -> usize {
        if let Self::Tree(tree) = self { tree.len() } else { 1 }
    }
}

impl Effort for Array {
    fn effort(&self) -> usize {
        Self::effort(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{FieldTtl, HashLimits};
    use crate::list::{End, ListLimit};
    use crate::set::SetLimits;
    use crate::stream::{Group, StreamId, StreamLimits};
    use crate::zset::ZSetLimits;
    use base::hash::HashSeed;

    const COUNT: usize = 20_000;

    /// Every seventh is long, so that it is a block of its own.
    fn text(n: usize) -> Vec<u8> {
        let mut text = format!("{n}").into_bytes();
        if n.is_multiple_of(7) {
            text.resize(400, b'x');
        }
        text
    }

    fn all() -> Vec<(usize, Remains)> {
        let seed = HashSeed::new(5, 6);
        let (mut list, mut set) =
            (List::new(ListLimit::default()), Set::new(b"", 1000, &SetLimits::default(), &seed));
        let (mut hash, mut zset, mut stream) = (Hash::new(), ZSet::new(), Stream::new());
        let mut array = Array::new();
        for n in 0..COUNT {
            let text = text(n);
            array.set(n as u64, &text.repeat(2));
            list.push(End::Tail, &text);
            set.add(&text, &SetLimits::default(), &seed);
            hash.set(&text, &text, FieldTtl::Clear, 0, &HashLimits::default(), &seed);
            zset.insert(&text, n as f64, &ZSetLimits::default(), &seed);
            let id = StreamId::new(n as u64, 1);
            stream.append(id, [&text[..], &text].into_iter(), StreamLimits::default());
        }
        let mut grouped = Stream::new();
        for name in [b"a", b"b"] {
            grouped.groups.add(Group::new(name, StreamId::MIN, None));
            grouped.with_group(name, |_, group| {
                let consumer = group.add_consumer(b"c", 1).expect("the first");
                (0..COUNT as u64).for_each(|n| group.assign(StreamId::new(n, 1), consumer, 1, 1));
            });
        }
        assert_eq!((set.effort(), hash.effort(), zset.effort()), (COUNT, COUNT, COUNT));
        for effort in [list.effort(), stream.effort(), grouped.effort()] {
            assert!(effort > 64 && effort < COUNT);
        }
        vec![
            (list.bytes(), Remains::of_list(list).expect("many nodes")),
            (set.bytes(), Remains::of_set(set).expect("a table")),
            (hash.bytes(), Remains::of_hash(hash).expect("a table")),
            (zset.bytes(), Remains::of_zset(zset).expect("a tree")),
            (stream.bytes(), Remains::of_stream(stream).expect("many blocks")),
            (array.bytes(), Remains::of_array(array).expect("many pages")),
            (grouped.bytes(), Remains::of_stream(grouped).expect("many entries pending")),
        ]
    }

    #[test]
    fn all_bytes_go_step_by_step() {
        for (bytes, mut remains) in all() {
            let mut before = remains.bytes();
            assert!(before <= bytes && before * 10 > bytes * 9);
            let mut steps = 0;
            while remains.free_step() {
                assert!(remains.bytes() <= before);
                before = remains.bytes();
                steps += 1;
            }
            assert!(steps > 2);
            // A directory, or the deque of a list's nodes.
            assert!(before < bytes / 10);
        }
    }

    #[test]
    fn dropped_half_way_they_free_the_rest() {
        for (_, mut remains) in all() {
            assert!(remains.free_step());
        }
    }

    #[test]
    fn what_is_one_block_leaves_nothing() {
        assert!(Remains::of_list(List::new(ListLimit::default())).is_none());
        assert!(Remains::of_hash(Hash::new()).is_none());
        assert!(Remains::of_zset(ZSet::new()).is_none());
        assert!(Remains::of_array(Array::new()).is_none());
        assert_eq!(Hash::new().effort(), 1);
    }
}
