//! How a value is kept.

use crate::numbers::{NumbersRef, Width};
use crate::packed;
use crate::view::{Array, Object, View};
use indexmap::IndexMap;
use std::sync::Arc;

/// Bytes of a packed value that need no memory of their own.
const INLINE_MAX: usize = 22;
/// Arrays of numbers of more bytes are kept apart, to be shared with indexes.
pub(crate) const NUMBERS_PACKED_MAX: usize = 256;

/// The members of a large object. Names are found by their hash; what takes the place of one that is removed is the last, as
/// in RedisJSON.
pub struct Members(IndexMap<Box<[u8]>, Node, ahash::RandomState>);

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
    Inline {
        len: u8,
        bytes: [u8; INLINE_MAX],
    },
    Packed(Box<[u8]>),
    Numbers(Arc<Numbers>),
    #[allow(clippy::box_collection, reason = "a pointer leaves room for what is kept inline")]
    Array(Box<Vec<Node>>),
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

    pub(crate) fn array(elements: Vec<Self>) -> Self {
        Self(Repr::Array(Box::new(elements)))
    }

    pub(crate) fn object(members: impl Iterator<Item = (Box<[u8]>, Self)>) -> Self {
        let mut object = Members(IndexMap::with_hasher(ahash::RandomState::new()));
        members.for_each(|(name, value)| drop(object.insert(name, value)));
        Self(Repr::Object(Box::new(object)))
    }

    /// The value, to be read.
    pub fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Inline { len, bytes } => packed::get(&bytes[..usize::from(*len)]).0,
            Repr::Packed(bytes) => packed::get(bytes).0,
            Repr::Numbers(numbers) => View::Array(Array::Numbers(numbers.as_ref().as_ref())),
            Repr::Array(elements) => View::Array(Array::Nodes(elements)),
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
        let node = size_of::<Self>();
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Packed(bytes) => bytes.len(),
            Repr::Numbers(numbers) => {
                size_of::<Numbers>() + 2 * size_of::<usize>() + numbers.bytes.capacity()
            }
            Repr::Array(elements) => {
                size_of::<Vec<Self>>()
                    + elements.capacity() * node
                    + elements.iter().map(Self::heap_bytes).sum::<usize>()
            }
            Repr::Object(members) => members.heap_bytes(),
        }
    }
}

impl Numbers {
    pub fn as_ref(&self) -> NumbersRef<'_> {
        NumbersRef { width: self.width, bytes: &self.bytes }
    }
}

impl Members {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &[u8]) -> Option<&Node> {
        self.0.get(name)
    }

    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut Node> {
        self.0.get_mut(name)
    }

    /// The member at a place in the order.
    pub fn get_index(&self, index: usize) -> Option<(&[u8], &Node)> {
        self.0.get_index(index).map(|(name, node)| (&**name, node))
    }

    /// Sets a member; a new one becomes the last.
    pub fn insert(&mut self, name: Box<[u8]>, value: Node) -> Option<Node> {
        self.0.insert(name, value)
    }

    /// Removes a member; the last takes its place.
    pub fn remove(&mut self, name: &[u8]) -> Option<Node> {
        self.0.swap_remove(name)
    }

    fn heap_bytes(&self) -> usize {
        // An entry has its hash beside it, and a place in the table of places.
        let entry = size_of::<(usize, Box<[u8]>, Node)>() + size_of::<usize>() + 1;
        let rest: usize = self.0.iter().map(|(name, node)| name.len() + node.heap_bytes()).sum();
        size_of::<Self>() + self.0.capacity() * entry + rest
    }
}

impl Clone for Members {
    fn clone(&self) -> Self {
        Self(self.0.clone())
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
