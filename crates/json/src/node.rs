//! How a value is kept.

use crate::numbers::{NumbersRef, Width};
use crate::packed;
use crate::showing::Trace;
use crate::view::{Array, Object, View};
use indexmap::IndexMap;
use std::sync::Arc;

/// Bytes of a packed value that need no memory of their own.
const INLINE_MAX: usize = 22;
/// Arrays of numbers of more bytes are kept apart, to be shared with indexes.
pub(crate) const NUMBERS_PACKED_MAX: usize = 256;

/// The elements of a large array.
#[derive(Clone)]
pub(crate) struct Elements {
    pub nodes: Vec<Node>,
    pub trace: Trace,
}

/// The members of a large object. Names are found by their hash; what takes the place of one that is removed is the last, as
/// in RedisJSON.
#[derive(Clone)]
pub struct Members {
    nodes: IndexMap<Box<[u8]>, Node, ahash::RandomState>,
    /// Bytes of all names.
    names_bytes: usize,
    pub(crate) trace: Trace,
}

/// A long array of numbers, which others may hold as well.
#[derive(Clone)]
pub struct Numbers {
    pub width: Width,
    /// The elements, little-endian.
    pub bytes: Vec<u8>,
}

/// A value; how it is kept is told in [`crate`].
#[derive(Clone)]
pub struct Node(pub(crate) Repr);

#[derive(Clone)]
pub(crate) enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_MAX] },
    Packed(Box<[u8]>),
    Numbers(Arc<Numbers>),
    Array(Box<Elements>),
    Object(Box<Members>),
}

impl Node {
    pub fn null() -> Self {
        Self::of(View::Null)
    }

    /// A value that is kept on its own.
    pub fn of(view: View<'_>) -> Self {
        let mut bytes = Vec::new();
        packed::put(view, &mut bytes);
        Self::from_packed(&bytes)
    }

    /// A value from its packed form, of any size.
    pub(crate) fn from_packed(bytes: &[u8]) -> Self {
        let is_large = bytes.len() > packed::BYTES_MAX;
        match packed::get(bytes).0 {
            View::Array(Array::Numbers(numbers)) if numbers.bytes.len() > NUMBERS_PACKED_MAX => {
                Self::numbers(numbers.width, numbers.bytes.to_vec())
            }
            View::Array(array @ Array::Packed { .. }) if is_large => {
                Self::array(array.iter().map(Self::of).collect())
            }
            View::Object(object @ Object::Packed { .. }) if is_large => {
                Self::object(object.iter().map(|(name, value)| (name.into(), Self::of(value))))
            }
            _ => Self::packed(bytes),
        }
    }

    fn packed(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE_MAX {
            return Self(Repr::Packed(bytes.into()));
        }
        let mut inline = [0; INLINE_MAX];
        inline[..bytes.len()].copy_from_slice(bytes);
        Self(Repr::Inline { len: bytes.len() as u8, bytes: inline })
    }

    pub(crate) fn numbers(width: Width, bytes: Vec<u8>) -> Self {
        Self(Repr::Numbers(Arc::new(Numbers { width, bytes })))
    }

    pub(crate) fn array(nodes: Vec<Self>) -> Self {
        Self(Repr::Array(Box::new(Elements { nodes, trace: Trace::default() })))
    }

    /// An array of these, kept as one that was parsed.
    pub fn array_of(elements: impl Iterator<Item = Self>) -> Self {
        let mut array = Self::of(View::Array(Array::Packed { body: &[], len: 0 }));
        let elements: Vec<Self> = elements.collect();
        let is_changed = crate::edit::apply(&mut array, &[], crate::edit::Change::Splice(0..0, elements));
        debug_assert!(is_changed, "it is an array");
        array
    }

    /// An object without members.
    pub fn empty_object() -> Self {
        Self::of(View::Object(Object::Packed { body: &[], len: 0 }))
    }

    pub(crate) fn object(members: impl Iterator<Item = (Box<[u8]>, Self)>) -> Self {
        let nodes = IndexMap::with_hasher(ahash::RandomState::new());
        let mut object = Members { nodes, names_bytes: 0, trace: Trace::default() };
        members.for_each(|(name, value)| drop(object.insert(name, value)));
        Self(Repr::Object(Box::new(object)))
    }

    /// The value, to be read.
    pub fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Inline { len, bytes } => packed::get(&bytes[..usize::from(*len)]).0,
            Repr::Packed(bytes) => packed::get(bytes).0,
            Repr::Numbers(numbers) => View::Array(Array::Numbers(numbers.as_ref().as_ref())),
            Repr::Array(elements) => View::Array(Array::Nodes(&elements.nodes)),
            Repr::Object(members) => View::Object(Object::Members(members)),
        }
    }

    /// A long array of numbers, shared.
    pub fn shared_numbers(&self) -> Option<Arc<Numbers>> {
        match &self.0 {
            Repr::Numbers(numbers) => Some(Arc::clone(numbers)),
            _ => None,
        }
    }

    /// As [`Node::heap_bytes`] without what is behind nodes inside, but with these.
    pub(crate) fn shallow_bytes(&self) -> usize {
        match &self.0 {
            Repr::Array(elements) => elements.own_bytes(),
            Repr::Object(members) => members.own_bytes(),
            _ => self.heap_bytes(),
        }
    }

    /// The nodes inside, whose order is lost; the node itself if there are none.
    pub(crate) fn into_inner(self) -> Result<Vec<Self>, Self> {
        match self.0 {
            Repr::Array(elements) => Ok(elements.nodes),
            Repr::Object(members) => Ok(members.nodes.into_values().collect()),
            _ => Err(self),
        }
    }

    /// The packed form, if it is kept so.
    pub(crate) fn as_packed(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Inline { len, bytes } => Some(&bytes[..usize::from(*len)]),
            Repr::Packed(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Bytes of memory behind this node, itself not included. What others hold as well is counted.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Packed(bytes) => bytes.len(),
            Repr::Numbers(numbers) => numbers.own_bytes(),
            Repr::Array(elements) => {
                elements.own_bytes() + elements.nodes.iter().map(Self::heap_bytes).sum::<usize>()
            }
            Repr::Object(members) => members.heap_bytes(),
        }
    }
}

impl Numbers {
    pub(crate) fn own_bytes(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<usize>() + self.bytes.capacity()
    }

    pub fn as_ref(&self) -> NumbersRef<'_> {
        NumbersRef { width: self.width, bytes: &self.bytes }
    }
}

impl Elements {
    /// Without what is behind the elements.
    pub fn own_bytes(&self) -> usize {
        size_of::<Self>() + self.nodes.capacity() * size_of::<Node>()
    }
}

impl Members {
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn get(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// A member, where it stands in the order.
    pub(crate) fn get_full_mut(&mut self, name: &[u8]) -> Option<(usize, &mut Node)> {
        self.nodes.get_full_mut(name).map(|(index, _, node)| (index, node))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.values_mut()
    }

    /// The place in the order of a name.
    pub(crate) fn place_of(&self, name: &[u8]) -> Option<usize> {
        self.nodes.get_index_of(name)
    }

    pub(crate) fn get_index_mut(&mut self, index: usize) -> Option<(&[u8], &mut Node)> {
        self.nodes.get_index_mut(index).map(|(name, node)| (&**name, node))
    }

    /// The member at a place in the order.
    pub fn get_index(&self, index: usize) -> Option<(&[u8], &Node)> {
        self.nodes.get_index(index).map(|(name, node)| (&**name, node))
    }

    /// Sets a member; a new one becomes the last.
    pub(crate) fn insert(&mut self, name: Box<[u8]>, value: Node) -> Option<Node> {
        let name_bytes = name.len();
        let old = self.nodes.insert(name, value);
        self.names_bytes += if old.is_none() { name_bytes } else { 0 };
        old
    }

    /// Removes a member; the last takes its place.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Node> {
        let old = self.nodes.swap_remove(name);
        self.names_bytes -= if old.is_some() { name.len() } else { 0 };
        old
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.own_bytes() + self.nodes.values().map(Node::heap_bytes).sum::<usize>()
    }

    /// Without what is behind the values.
    pub(crate) fn own_bytes(&self) -> usize {
        // An entry has its hash beside it, and a place in the table of places.
        let entry = size_of::<(usize, Box<[u8]>, Node)>() + size_of::<usize>() + 1;
        size_of::<Self>() + self.nodes.capacity() * entry + self.names_bytes
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(formatter)
    }
}

const _: () = assert!(size_of::<Node>() == 24);
