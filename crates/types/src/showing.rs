//! Showing a large collection as it is now, piece by piece, while it changes: for snapshots.
//!
//! Who shows goes from part to part (a segment of a table, a leaf of a tree). The collection itself keeps what is about to change and has
//! not been shown: the elements that share a bucket or a leaf with it, written aside until they are asked for. So every element that was
//! there at the beginning is shown once, as it was. Members, fields and scores come in no order; the nodes of lists, the blocks of
//! streams, the parts of arrays and suggestions come in theirs, and are kept whole until it is their turn; the elements of vector sets, too, and
//! are kept until the end.
//!
//! A copy of a collection is not being shown. Bytes that are kept are in no account: they are somebody's who writes a snapshot.

use crate::hash::HashTable;
use crate::list::NodeView;
use crate::set::SetTable;
use crate::stream::Node;
use crate::suggestions::Suggestion;
use crate::zset::Tree;
use crate::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet, array, vectorset};

/// An element of a collection.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    Member(&'a [u8]),
    /// `expire`: unix ms, 0 for never.
    Field {
        field: &'a [u8],
        value: &'a [u8],
        expire: u64,
    },
    Scored {
        member: &'a [u8],
        score: f64,
    },
    /// A node of a list; they come from head to tail.
    Node(NodeView<'a>),
    /// How many bytes a node has that is a long element by itself; they follow as [`Element::Text`].
    LongNode(u64),
    /// A block of a stream; they come in the order of their ids.
    Block(Node<'a>),
    /// An element of an array, and its position; they come in order.
    Position(u64, array::Element<'a>),
    /// A suggestion; they come in the order in which they came.
    Suggestion(Suggestion<'a>),
    /// An element of a vector set; they come in the order of their numbers, behind the matrix that reduces vectors, if there is one, which comes
    /// as [`Element::Text`].
    Vector(&'a vectorset::Node<'a>),
    /// Bytes of a long string, of a long element of a list, or of the text of a document; they come in their order.
    Text(&'a [u8]),
    /// How many bytes the text of a document has, before the first of them.
    TextLen(u64),
}

/// Takes what is shown.
pub type Show<'a> = &'a mut dyn FnMut(Element<'_>);

/// Elements that have been written aside: a mark, then a number, and two texts with their lengths.
#[derive(Debug, Default)]
struct Kept(Vec<u8>);

const MEMBER: u8 = 0;
const FIELD: u8 = 1;
const SCORED: u8 = 2;
const HEAD_BYTES: usize = 1 + 8 + 8 + 8;

impl Kept {
    fn push(&mut self, element: Element<'_>) {
        let (mark, number, first, second) = match element {
            Element::Member(member) => (MEMBER, 0, member, &[][..]),
            Element::Field { field, value, expire } => (FIELD, expire, field, value),
            Element::Scored { member, score } => (SCORED, score.to_bits(), member, &[][..]),
            Element::Node(_)
            | Element::LongNode(_)
            | Element::Block(_)
            | Element::Position(..)
            | Element::Suggestion(_)
            | Element::Vector(_)
            | Element::Text(_)
            | Element::TextLen(_) => {
                unreachable!("what has an order is kept in it")
            }
        };
        self.0.reserve(HEAD_BYTES + first.len() + second.len());
        self.0.push(mark);
        for number in [number, first.len() as u64, second.len() as u64] {
            self.0.extend_from_slice(&number.to_le_bytes());
        }
        self.0.extend_from_slice(first);
        self.0.extend_from_slice(second);
    }

    fn show(&mut self, show: Show<'_>) {
        let bytes = std::mem::take(&mut self.0);
        let mut rest = &bytes[..];
        while let Some((&mark, behind)) = rest.split_first() {
            let number = |at: usize| {
                u64::from_le_bytes(behind[8 * at..8 * at + 8].try_into().expect("eight bytes were written"))
            };
            let (first_len, second_len) = (number(1) as usize, number(2) as usize);
            let (first, behind) = behind[HEAD_BYTES - 1..].split_at(first_len);
            let (second, behind) = behind.split_at(second_len);
            show(match mark {
                MEMBER => Element::Member(first),
                FIELD => Element::Field { field: first, value: second, expire: number(0) },
                _ => Element::Scored { member: first, score: f64::from_bits(number(0)) },
            });
            rest = behind;
        }
    }
}

/// How far a collection is shown, if it is. `P` says where to go on.
#[derive(Debug)]
pub(crate) struct Showing<P>(Option<Box<State<P>>>);

#[derive(Debug)]
struct State<P> {
    kept: Kept,
    /// Where to go on; `None` at the end.
    place: Option<P>,
}

impl<P> Default for Showing<P> {
    fn default() -> Self {
        Self(None)
    }
}

impl<P> Clone for Showing<P> {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl<P> Showing<P> {
    pub fn begin(&mut self, place: P) {
        assert!(self.0.is_none(), "a collection is shown to one at a time");
        self.0 = Some(Box::new(State { kept: Kept::default(), place: Some(place) }));
    }

    /// Whether what changes must be kept.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps an element.
    pub fn keep(&mut self, element: Element<'_>) {
        if let Some(state) = &mut self.0 {
            state.kept.push(element);
        }
    }

    /// Shows what was kept.
    pub fn show_kept(&mut self, show: Show<'_>) {
        if let Some(state) = &mut self.0 {
            state.kept.show(show);
        }
    }

    fn kept_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |state| state.kept.0.len())
    }

    /// Where to go on, until that is said anew.
    pub fn take_place(&mut self) -> Option<P> {
        self.0.as_mut().and_then(|state| state.place.take())
    }

    pub fn go_on_at(&mut self, place: Option<P>) {
        if let Some(state) = &mut self.0 {
            state.place = place;
        }
    }

    pub fn end(&mut self) {
        self.0 = None;
    }
}

/// A collection that can be shown while it changes.
pub enum Showable<'a> {
    Set(&'a mut SetTable),
    Hash(&'a mut HashTable),
    ZSet(&'a mut Tree),
    List(&'a mut List),
    Stream(&'a mut Stream),
    Array(&'a mut Array),
    Suggestions(&'a mut Suggestions),
    VectorSet(&'a mut VectorSet),
}

/// What keeps its order until it is shown shows on rather than keep more than this, bytes.
const KEPT_IN_ORDER_MAX: usize = 1 << 20;

impl<'a> Showable<'a> {
    /// A set, if it is large enough to have parts.
    pub fn of_set(set: &'a mut Set) -> Option<Self> {
        if let Set::Table(table) = set { Some(Self::Set(table)) } else { None }
    }

    /// A hash, likewise.
    pub fn of_hash(hash: &'a mut Hash) -> Option<Self> {
        if let Hash::Table(table) = hash { Some(Self::Hash(table)) } else { None }
    }

    /// A sorted set, likewise.
    pub fn of_zset(zset: &'a mut ZSet) -> Option<Self> {
        if let ZSet::Tree(tree) = zset { Some(Self::ZSet(tree)) } else { None }
    }

    /// Begins to show all elements there are now; false if that cannot be done in bounded steps.
    ///
    /// # Panics
    /// When it is being shown.
    pub fn begin(&mut self) -> bool {
        match self {
            Self::Set(table) => table.begin_showing(),
            Self::Hash(table) => table.begin_showing(),
            Self::ZSet(tree) => tree.begin_showing(),
            Self::List(list) => return list.begin_showing(),
            Self::Stream(stream) => stream.begin_showing(),
            Self::Array(array) => array.begin_showing(),
            Self::Suggestions(suggestions) => suggestions.begin_showing(),
            Self::VectorSet(set) => set.begin_showing(),
        }
        true
    }

    /// Shows what was kept, and another part; false if that was the last.
    pub fn show_on(&mut self, show: Show<'_>) -> bool {
        match self {
            Self::Set(table) => table.show_on(show),
            Self::Hash(table) => table.show_on(show),
            Self::ZSet(tree) => tree.show_on(show),
            Self::List(list) => list.show_on(show),
            Self::Stream(stream) => stream.show_on(show),
            Self::Array(array) => array.show_on(show),
            Self::Suggestions(suggestions) => suggestions.show_on(show),
            Self::VectorSet(set) => set.show_on(show),
        }
    }

    /// What is left when all parts are shown: as it was, and nobody else's.
    pub fn take_rest(&mut self) -> Option<Box<Stream>> {
        if let Self::Stream(stream) = self { stream.take_rest() } else { None }
    }

    /// Shows what was kept, so that it does not become too much; where the order matters, what comes next.
    pub fn show_kept(&mut self, show: Show<'_>) {
        match self {
            Self::Set(table) => table.showing.show_kept(show),
            Self::Hash(table) => table.showing.show_kept(show),
            Self::ZSet(tree) => tree.showing.show_kept(show),
            _ if self.kept_bytes() <= KEPT_IN_ORDER_MAX => {}
            Self::List(list) => list.show_kept(show),
            Self::Stream(stream) => _ = stream.show_on(show),
            Self::Array(array) => _ = array.show_on(show),
            Self::Suggestions(suggestions) => _ = suggestions.show_on(show),
            Self::VectorSet(set) => _ = set.show_on(show),
        }
    }

    /// Bytes that are kept.
    pub fn kept_bytes(&self) -> usize {
        match self {
            Self::Set(table) => table.showing.kept_bytes(),
            Self::Hash(table) => table.showing.kept_bytes(),
            Self::ZSet(tree) => tree.showing.kept_bytes(),
            Self::List(list) => list.kept_bytes(),
            Self::Stream(stream) => stream.kept_bytes(),
            Self::Array(array) => array.kept_bytes(),
            Self::Suggestions(suggestions) => suggestions.kept_bytes(),
            Self::VectorSet(set) => set.kept_bytes(),
        }
    }

    /// Ends it, wherever it is.
    pub fn end(&mut self) {
        match self {
            Self::Set(table) => table.end_showing(),
            Self::Hash(table) => table.end_showing(),
            Self::ZSet(tree) => tree.showing.end(),
            Self::List(list) => list.end_showing(),
            Self::Stream(stream) => stream.end_showing(),
            Self::Array(array) => array.end_showing(),
            Self::Suggestions(suggestions) => suggestions.end_showing(),
            Self::VectorSet(set) => set.end_showing(),
        }
    }
}

#[cfg(test)]
mod tests;
