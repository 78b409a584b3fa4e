//! Changes of a value at a place inside it.
//!
//! A packed value is written anew with the change, which moves at most [`packed::BYTES_MAX`] bytes; if what is added has no room in it, its
//! outermost array or object gets nodes for its elements first. Nothing that is larger is copied.

use crate::node::{Numbers, Repr};
use crate::numbers::{self, Width};
use crate::parse::finish_array;
use crate::showing::Keeper;
use crate::view::{Array, Object, View};
use crate::{Node, packed};
use std::ops::Range;
use std::sync::Arc;

/// One step from an array or object to what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(Box<[u8]>),
    Index(usize),
}

/// A change of the array or object at a place.
pub enum Change {
    /// Sets the member, which becomes the last if it is new.
    Put(Box<[u8]>, Node),
    /// Removes the member; the last takes its place.
    Remove(Box<[u8]>),
    /// Takes elements out, and puts others where they were.
    Splice(Range<usize>, Vec<Node>),
    /// Removes the elements with these numbers, which ascend.
    Take(Vec<usize>),
}

/// What an attempt has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// There is none at the place, or it is of another kind, if not.
    pub is_done: bool,
    /// Heap bytes won and lost: an array or object may have got nodes for its elements even if nothing was changed then.
    pub more_bytes: usize,
    pub less_bytes: usize,
}

impl Edited {
    const FAILED: Self = Self { is_done: false, more_bytes: 0, less_bytes: 0 };

    fn done(less_bytes: usize, more_bytes: usize) -> Self {
        Self { is_done: true, more_bytes, less_bytes }
    }

    fn with(self, less_bytes: usize, more_bytes: usize) -> Self {
        let (more_bytes, less_bytes) = (self.more_bytes + more_bytes, self.less_bytes + less_bytes);
        Self { more_bytes, less_bytes, ..self }
    }
}

/// Changes the value at a place; false, and nothing has changed, if there is none or it is of another kind.
pub fn apply(root: &mut Node, place: &[Step], change: Change) -> bool {
    attempt(root, place, change, &mut Keeper::default()).is_done
}

/// As [`apply`], with what it does to the memory. `keeper`: of the document that it is in.
pub(crate) fn attempt(root: &mut Node, place: &[Step], mut change: Change, keeper: &mut Keeper) -> Edited {
    if let Some(bytes) = root.as_packed()
        && let Some(more) = change.packed_bytes()
        && bytes.len() + more <= packed::BYTES_MAX
    {
        let mut out = Vec::with_capacity(bytes.len() + more);
        if !rewrite(bytes, place, &change, &mut out) {
            return Edited::FAILED;
        }
        let less_bytes = root.heap_bytes();
        *root = Node::from_packed(&out);
        return Edited::done(less_bytes, root.heap_bytes());
    }
    let (mut less_bytes, mut more_bytes) = (0, 0);
    if root.as_packed().is_some() {
        less_bytes = root.heap_bytes();
        root.unpack();
        more_bytes = root.heap_bytes();
        keeper.pass_over(root);
    }
    let edited = match place.split_first() {
        None => {
            change.pass_over(keeper);
            change_here(root, change, keeper)
        }
        Some((step, rest)) => {
            let child = match (&mut root.0, step) {
                (Repr::Array(elements), Step::Index(index)) => elements.child_mut(*index, keeper),
                (Repr::Object(members), Step::Name(name)) => members.child_mut(name, keeper),
                _ => None,
            };
            child.map_or(Edited::FAILED, |child| attempt(child, rest, change, keeper))
        }
    };
    edited.with(less_bytes, more_bytes)
}

/// Puts another value in the place of one that is there.
pub fn replace(root: &mut Node, place: &[Step], value: Node) -> bool {
    match place.split_last() {
        None => {
            *root = value;
            true
        }
        Some((Step::Index(index), outer)) => {
            apply(root, outer, Change::Splice(*index..index + 1, vec![value]))
        }
        Some((Step::Name(name), outer)) => {
            look_up(root.view(), place).is_some() && apply(root, outer, Change::Put(name.clone(), value))
        }
    }
}

/// Removes the value at a place inside; false if there is none.
pub fn remove(root: &mut Node, place: &[Step]) -> bool {
    match place.split_last() {
        None => false,
        Some((Step::Index(index), outer)) => apply(root, outer, Change::Splice(*index..index + 1, vec![])),
        Some((Step::Name(name), outer)) => apply(root, outer, Change::Remove(name.clone())),
    }
}

/// The value at a place.
pub fn look_up<'a>(root: View<'a>, place: &[Step]) -> Option<View<'a>> {
    place.iter().try_fold(root, |view, step| match (view, step) {
        (View::Array(array), Step::Index(index)) => array.get(*index),
        (View::Object(object), Step::Name(name)) => object.get(name),
        _ => None,
    })
}

impl Change {
    /// What it adds was not there before.
    fn pass_over(&mut self, keeper: &Keeper) {
        match self {
            Self::Put(_, value) => keeper.pass_over(value),
            Self::Splice(_, values) => values.iter_mut().for_each(|value| keeper.pass_over(value)),
            Self::Remove(_) | Self::Take(_) => {}
        }
    }

    /// How many bytes it adds to a packed value at most; none if it adds what is not packed.
    fn packed_bytes(&self) -> Option<usize> {
        // A length of its own, and longer lengths around it.
        const LENGTHS: usize = 16;
        Some(match self {
            Self::Put(name, value) => name.len() + value.as_packed()?.len() + LENGTHS,
            Self::Remove(_) | Self::Take(_) => 0,
            Self::Splice(_, values) => {
                let add = |sum: usize, value: &Node| Some(sum + value.as_packed()?.len());
                values.iter().try_fold(LENGTHS, add)?
            }
        })
    }
}

/// Appends a packed value with the change. False if it cannot be made; what was appended then means nothing.
fn rewrite(bytes: &[u8], place: &[Step], change: &Change, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    match (packed::get(bytes).0, place.split_first(), change) {
        (View::Object(Object::Packed { body, len }), None, Change::Put(name, value)) => {
            put_member(body, len, name, value.as_packed().expect("its size was asked for"), out);
            true
        }
        (View::Object(Object::Packed { body, len }), None, Change::Remove(name)) => {
            remove_member(body, len, name, out)
        }
        (View::Array(array), None, Change::Splice(range, values)) => {
            if range.end > array.len() {
                return false;
            }
            let keep = |element, out: &mut Vec<u8>| packed::put(element, out);
            array.iter().take(range.start).for_each(|element| keep(element, out));
            values.iter().for_each(|value| keep(value.view(), out));
            array.iter().skip(range.end).for_each(|element| keep(element, out));
            let count = array.len() - range.len() + values.len();
            finish(start, count, out);
            true
        }
        (View::Array(array), None, Change::Take(indexes)) => {
            if indexes.last().is_some_and(|&last| last >= array.len()) {
                return false;
            }
            let mut taken = indexes.iter().copied().peekable();
            for (at, element) in array.iter().enumerate() {
                if taken.next_if_eq(&at).is_none() {
                    packed::put(element, out);
                }
            }
            finish(start, array.len() - indexes.len(), out);
            true
        }
        (View::Array(Array::Packed { body, len }), Some((Step::Index(index), rest)), _) => {
            let mut left = body;
            for at in 0..len {
                let (element, after) = left.split_at(packed::skip(left));
                if at != *index {
                    out.extend_from_slice(element);
                } else if !rewrite(element, rest, change, out) {
                    return false;
                }
                left = after;
            }
            packed::close_array(start, len, out);
            *index < len
        }
        (View::Object(Object::Packed { body, len }), Some((Step::Name(name), rest)), _) => {
            let mut is_found = false;
            for (other, value) in entries(body) {
                packed::put_name(other, out);
                if other != &**name {
                    out.extend_from_slice(value);
                } else if !rewrite(value, rest, change, out) {
                    return false;
                } else {
                    is_found = true;
                }
            }
            packed::close_object(start, len, out);
            is_found
        }
        _ => false,
    }
}

/// Names and packed values of a body.
fn entries(mut body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        if body.is_empty() {
            return None;
        }
        let (name, used) = packed::get_name(body);
        let (value, after) = body[used..].split_at(packed::skip(&body[used..]));
        body = after;
        Some((name, value))
    })
}

/// Makes packed elements an array. What would be better kept as a node on its own is packed all the same: it is small.
fn finish(start: usize, count: usize, out: &mut Vec<u8>) {
    let node = finish_array(start, count, None, out).expect("nothing is forced into a width");
    if let Some(node) = node {
        packed::put(node.view(), out);
    }
}

fn put_member(body: &[u8], len: usize, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let (start, mut is_new) = (out.len(), true);
    for (other, old) in entries(body) {
        packed::put_name(other, out);
        let is_this = other == name;
        out.extend_from_slice(if is_this { value } else { old });
        is_new &= !is_this;
    }
    if is_new {
        packed::put_name(name, out);
        out.extend_from_slice(value);
    }
    packed::close_object(start, len + usize::from(is_new), out);
}

fn remove_member(body: &[u8], len: usize, name: &[u8], out: &mut Vec<u8>) -> bool {
    let (start, mut is_found) = (out.len(), false);
    let mut put = |(name, value): (&[u8], &[u8])| {
        packed::put_name(name, out);
        out.extend_from_slice(value);
    };
    let last = entries(body).last();
    for (at, entry) in entries(body).enumerate() {
        if entry.0 == name {
            is_found = true;
            last.filter(|_| at + 1 < len).into_iter().for_each(&mut put);
        } else if !is_found || at + 1 < len {
            put(entry);
        }
    }
    packed::close_object(start, len - usize::from(is_found), out);
    is_found
}

/// Changes a value that has nodes for its elements, or is an array of numbers.
fn change_here(node: &mut Node, change: Change, keeper: &mut Keeper) -> Edited {
    match (&mut node.0, change) {
        (Repr::Object(members), Change::Put(name, value)) => {
            let (before, added, mut removed) = (members.own_bytes(), value.heap_bytes(), 0);
            members.put(name, value, keeper, |old| removed = old.heap_bytes());
            Edited::done(before + removed, members.own_bytes() + added)
        }
        (Repr::Object(members), Change::Remove(name)) => {
            let (before, mut removed) = (members.own_bytes(), 0);
            if !members.take(&name, keeper, |old| removed = old.heap_bytes()) {
                return Edited::FAILED;
            }
            Edited::done(before + removed, members.own_bytes())
        }
        (Repr::Array(elements), Change::Splice(range, values)) => {
            if range.end > elements.nodes.len() {
                return Edited::FAILED;
            }
            let (before, mut removed) = (elements.own_bytes(), 0);
            let added: usize = values.iter().map(Node::heap_bytes).sum();
            elements.splice(range, values, keeper, |old| removed += old.heap_bytes());
            shrink(&mut elements.nodes);
            Edited::done(before + removed, elements.own_bytes() + added)
        }
        (Repr::Array(elements), Change::Take(indexes)) => {
            if indexes.last().is_some_and(|&last| last >= elements.nodes.len()) {
                return Edited::FAILED;
            }
            let (before, mut removed) = (elements.own_bytes(), 0);
            elements.take(&indexes, keeper, |old| removed += old.heap_bytes());
            shrink(&mut elements.nodes);
            Edited::done(before + removed, elements.own_bytes())
        }
        (Repr::Numbers(numbers), change @ (Change::Splice(..) | Change::Take(_))) => {
            let (before, len) = (numbers.own_bytes(), numbers.as_ref().as_ref().len());
            let edited = match change {
                Change::Take(indexes) => {
                    indexes.last().is_none_or(|&last| last < len).then(|| take_numbers(numbers, &indexes))
                }
                Change::Splice(range, _) if range.end > len => None,
                Change::Splice(range, values) => {
                    if !splice_numbers(numbers, &range, &values) {
                        let old = numbers.as_ref().as_ref();
                        let mut elements: Vec<Node> =
                            old.iter().map(|number| Node::of(View::Number(number))).collect();
                        elements.splice(range, values);
                        *node = Node::array(elements);
                        keeper.pass_over(node);
                    }
                    Some(())
                }
                Change::Put(..) | Change::Remove(_) => None,
            };
            edited.map_or(Edited::FAILED, |()| Edited::done(before, node.heap_bytes()))
        }
        _ => Edited::FAILED,
    }
}

fn shrink(elements: &mut Vec<Node>) {
    if elements.len() < elements.capacity() / 4 {
        elements.shrink_to_fit();
    }
}

/// Removes elements of an array of numbers.
fn take_numbers(numbers: &mut Arc<Numbers>, indexes: &[usize]) {
    let numbers = Arc::make_mut(numbers);
    let size = numbers.width.bytes();
    let mut left = Vec::with_capacity(numbers.bytes.len() - indexes.len() * size);
    let mut taken = indexes.iter().copied().peekable();
    for (at, element) in numbers.bytes.chunks_exact(size).enumerate() {
        if taken.next_if_eq(&at).is_none() {
            left.extend_from_slice(element);
        }
    }
    numbers.bytes = left;
}

/// Changes an array of numbers; false, and nothing has changed, if it would be one no more.
fn splice_numbers(numbers: &mut Arc<Numbers>, range: &Range<usize>, values: &[Node]) -> bool {
    let mut width = numbers.width;
    for value in values {
        let joined = match value.view() {
            View::Number(number) => Width::for_number(number).and_then(|one| width.join(one)),
            _ => None,
        };
        match joined {
            Some(joined) => width = joined,
            None => return false,
        }
    }
    let numbers = Arc::make_mut(numbers);
    if width != numbers.width {
        numbers.bytes = numbers::widen(numbers.as_ref(), width);
        numbers.width = width;
    }
    let mut added = Vec::with_capacity(values.len() * width.bytes());
    for value in values {
        let number = value.view().as_number().expect("they are numbers");
        let fits = numbers::push(width, number, &mut added);
        debug_assert!(fits, "the width was chosen for it");
    }
    numbers.bytes.splice(range.start * width.bytes()..range.end * width.bytes(), added);
    if numbers.bytes.len() < numbers.bytes.capacity() / 4 {
        numbers.bytes.shrink_to_fit();
    }
    true
}

impl Node {
    /// Gives a packed array or object nodes for its elements.
    fn unpack(&mut self) {
        let Some(bytes) = self.as_packed() else { return };
        let unpacked = match packed::get(bytes).0 {
            View::Array(Array::Numbers(numbers)) => Self::numbers(numbers.width, numbers.bytes.to_vec()),
            View::Array(array) => Self::array(array.iter().map(Self::of).collect()),
            View::Object(object) => {
                Self::object(object.iter().map(|(name, value)| (name.into(), Self::of(value))))
            }
            _ => return,
        };
        *self = unpacked;
    }
}

#[cfg(test)]
mod tests;
