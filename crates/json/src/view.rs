//! A value as its readers see it, however it is kept.

use crate::node::Members;
use crate::numbers::NumbersRef;
use crate::{Node, Number, packed};

/// A value, borrowed. Strings and names are UTF-8.
#[derive(Clone, Copy)]
pub enum View<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(&'a [u8]),
    Array(Array<'a>),
    Object(Object<'a>),
}

/// The elements of an array.
#[derive(Clone, Copy)]
pub enum Array<'a> {
    Packed { body: &'a [u8], len: usize },
    Numbers(NumbersRef<'a>),
    Nodes(&'a [Node]),
}

/// The members of an object, in the order in which they were added; what takes the place of one that is removed is the last.
#[derive(Clone, Copy)]
pub enum Object<'a> {
    Packed { body: &'a [u8], len: usize },
    Members(&'a Members),
}

impl<'a> View<'a> {
    pub fn as_number(self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    pub fn as_string(self) -> Option<&'a [u8]> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_array(self) -> Option<Array<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    pub fn as_object(self) -> Option<Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Bytes that the value takes where it is: those of its packed form, or of its nodes and what is behind them.
    pub fn memory_bytes(self) -> usize {
        match self {
            Self::Array(Array::Nodes(nodes)) => {
                nodes.iter().map(|node| size_of::<Node>() + node.heap_bytes()).sum()
            }
            Self::Array(Array::Numbers(numbers)) => numbers.bytes.len(),
            Self::Object(Object::Members(members)) => members.heap_bytes(),
            Self::Array(Array::Packed { body, .. }) | Self::Object(Object::Packed { body, .. }) => body.len(),
            Self::String(text) => text.len(),
            Self::Number(_) => size_of::<u64>(),
            Self::Null | Self::Bool(_) => 1,
        }
    }

    /// The elements of an array, the values of an object; nothing else has any.
    pub fn children(self) -> Box<dyn Iterator<Item = View<'a>> + 'a> {
        match self {
            Self::Array(array) => Box::new(array.iter()),
            Self::Object(object) => Box::new(object.iter().map(|(_, value)| value)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// Equal in kind and content; numbers by value, members in any order.
impl PartialEq for View<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            (Self::Object(a), Self::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(name, value)| b.get(name) == Some(value))
            }
            _ => false,
        }
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::new();
        crate::write(*self, &crate::Format::default(), &mut text);
        formatter.write_str(&String::from_utf8_lossy(&text))
    }
}

impl<'a> Array<'a> {
    pub fn len(self) -> usize {
        match self {
            Self::Packed { len, .. } => len,
            Self::Numbers(numbers) => numbers.len(),
            Self::Nodes(nodes) => nodes.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The element with this number, counted from 0.
    pub fn get(self, index: usize) -> Option<View<'a>> {
        if index >= self.len() {
            return None;
        }
        Some(match self {
            Self::Packed { mut body, .. } => {
                for _ in 0..index {
                    body = &body[packed::skip(body)..];
                }
                packed::get(body).0
            }
            Self::Numbers(numbers) => View::Number(numbers.get(index)),
            Self::Nodes(nodes) => nodes[index].view(),
        })
    }

    pub fn iter(self) -> Elements<'a> {
        Elements { array: self, at: 0 }
    }
}

/// The elements from some point on.
#[derive(Clone)]
pub struct Elements<'a> {
    array: Array<'a>,
    /// Of what is not packed: how many were given.
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        match &mut self.array {
            Array::Packed { len: 0, .. } => None,
            Array::Packed { body, len } => {
                let (view, used) = packed::get(body);
                *body = &body[used..];
                *len -= 1;
                Some(view)
            }
            array => {
                let view = array.get(self.at);
                self.at += 1;
                view
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.array.len() - self.at.min(self.array.len());
        (left, Some(left))
    }
}

impl<'a> Object<'a> {
    pub fn len(self) -> usize {
        match self {
            Self::Packed { len, .. } => len,
            Self::Members(members) => members.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member with this name.
    pub fn get(self, name: &[u8]) -> Option<View<'a>> {
        match self {
            Self::Packed { .. } => self.iter().find(|(other, _)| *other == name).map(|(_, value)| value),
            Self::Members(members) => members.get(name).map(Node::view),
        }
    }

    /// Names and values.
    pub fn iter(self) -> Entries<'a> {
        Entries { object: self, at: 0 }
    }
}

/// The members from some point on.
#[derive(Clone)]
pub struct Entries<'a> {
    object: Object<'a>,
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], View<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.object {
            Object::Packed { len: 0, .. } => None,
            Object::Packed { body, len } => {
                let (name, used) = packed::get_name(body);
                let (view, more) = packed::get(&body[used..]);
                *body = &body[used + more..];
                *len -= 1;
                Some((name, view))
            }
            Object::Members(members) => {
                let (name, node) = members.get_index(self.at)?;
                self.at += 1;
                Some((name, node.view()))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.object.len() - self.at.min(self.object.len());
        (left, Some(left))
    }
}
