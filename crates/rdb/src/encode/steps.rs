//! A value written in steps, each of which appends a bounded number of bytes. Between two steps other things may happen, but
//! not to the value: the number of its elements stands in front of them. Whoever is about to change it takes the steps that
//! are left first.
//!
//! A step ends once it has appended its budget. What it does not divide: packed forms (listpacks, intsets, a block of a
//! stream, a node of a list), and an element of a set, hash, sorted set or array. A
//! string, and an element that makes a node of a list by itself, is divided if it is longer than the budget, and is then
//! not compressed.

use super::{NODE_PACKED, NODE_PLAIN, Options, type_of};
use crate::json::{self, JsonSteps, step_of_json};
use crate::{Type, append_len, append_string, array, groups, stream, suggestions, vectors};
use keyspace::ValueRef;
use types::list::NodeView;
use types::showing::Element;
use types::{Array, Hash, List, Set, Suggestions, VectorSet, ZSet};

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    Done,
}

/// Members of a table that are written between two looks at the budget.
const MEMBERS_AT_ONCE: usize = 16;

const UNCHANGED: &str = "a value does not change while it is written";

/// The value of a record on its way into bytes.
#[derive(Clone, Debug)]
pub struct Encoder {
    kind: Type,
    compress: bool,
    place: Place,
    /// What stands behind the elements that come one by one.
    tail: Vec<u8>,
    /// How far a document has come.
    json: Option<Box<JsonSteps>>,
    /// Of a vector set whose elements come one by one.
    vectors: Option<vectors::Form>,
}

#[derive(Clone, Debug)]
enum Place {
    Start,
    /// Bytes of a string that are written.
    Text(usize),
    /// The next node of a list, and how many bytes of it are written.
    Node(usize, usize),
    Table(InTable),
    /// Elements (of a string: bytes) that are still to be given one by one, and what expire times are relative to.
    Elements {
        left: usize,
        first_ms: u64,
    },
    /// Elements of a sorted set that are left, all below those written.
    Ranks(usize),
    /// The next position of an array.
    Position(u64),
    Stream(stream::Place),
    /// As `Encoder::json` says.
    Json,
    Vectors(vectors::Place),
    /// The number of the next suggestion.
    Suggestion(usize),
    Done,
}

/// Where the scan of a table goes on, the number of elements that are left, and what expire times are relative to.
#[derive(Clone, Copy, Debug)]
struct InTable {
    cursor: u64,
    left: usize,
    first_ms: u64,
}

impl Encoder {
    /// Of a value that will be shown to each [`Encoder::step`].
    pub fn new(value: ValueRef<'_>, options: &Options) -> Self {
        Self::for_type(type_of(value, options), options)
    }

    pub(super) fn for_type(kind: Type, options: &Options) -> Self {
        Self {
            kind,
            compress: options.compress,
            place: Place::Start,
            tail: Vec::new(),
            json: None,
            vectors: None,
        }
    }

    /// The type, whose byte stands before key and value.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// Appends what stands in front of the elements, which [`Encoder::element`] appends then, as many as there are now.
    ///
    /// # Panics
    /// If the value is packed.
    pub fn begin_elements(&mut self, value: ValueRef<'_>, out: &mut Vec<u8>) {
        let (left, first_ms) = match value {
            // Its length is told before its text.
            ValueRef::Json(_) => {
                json::end_text(&mut self.tail);
                self.place = Place::Elements { left: 0, first_ms: 0 };
                return;
            }
            ValueRef::Str { bytes, .. } => (bytes.bytes().len(), 0),
            ValueRef::Set(set @ Set::Table(_)) => (set.len(), 0),
            ValueRef::Hash(hash @ Hash::Table(_)) => (hash.len(), hash.next_expire().unwrap_or(0)),
            ValueRef::ZSet(zset @ ZSet::Tree(_)) => (zset.len(), 0),
            ValueRef::List(list) => (list.nodes().len(), 0),
            ValueRef::Array(array) => {
                array::append_head(out, array);
                self.place = Place::Elements { left: array.len() as usize, first_ms: 0 };
                return;
            }
            ValueRef::Suggestions(all) => {
                suggestions::append_head(out, all, self.compress);
                suggestions::append_end(&mut self.tail, self.compress);
                self.place = Place::Elements { left: all.len(), first_ms: 0 };
                return;
            }
            ValueRef::VectorSet(set) => {
                vectors::append_head(out, set, self.compress);
                vectors::append_end(&mut self.tail, self.compress);
                self.vectors = Some(vectors::Form::of(set));
                let left = set.len() + vectors::matrix_bytes(set);
                self.place = Place::Elements { left, first_ms: 0 };
                return;
            }
            ValueRef::Stream(stream) => {
                stream::append_facts(&mut self.tail, stream);
                if !stream.has_long_rest() {
                    stream::append_rest(&mut self.tail, stream, self.kind, self.compress);
                }
                (stream.blocks(), 0)
            }
            _ => panic!("a value that is not written element by element"),
        };
        if self.kind == Type::HashMetadata {
            out.extend_from_slice(&first_ms.to_le_bytes());
        }
        append_len(out, left as u64);
        self.place = Place::Elements { left, first_ms };
    }

    /// Appends an element of a value that was begun so.
    ///
    /// # Panics
    /// When there are more than there were.
    pub fn element(&mut self, out: &mut Vec<u8>, element: Element<'_>) {
        let Place::Elements { left, first_ms } = &mut self.place else { panic!("elements were not begun") };
        let count = match element {
            Element::Text(part) => part.len(),
            Element::TextLen(bytes) => {
                json::begin_text(out, bytes);
                *left += bytes as usize;
                return;
            }
            Element::LongNode(bytes) => {
                append_len(out, NODE_PLAIN);
                append_len(out, bytes);
                // The node itself is one of those left; its bytes count as they come.
                *left = *left + bytes as usize - 1;
                return;
            }
            _ => 1,
        };
        *left = left.checked_sub(count).expect("as many elements as there were");
        match element {
            Element::Member(member) => append_string(out, member, self.compress),
            Element::Field { field, value, expire } => {
                if self.kind == Type::HashMetadata {
                    append_time(out, expire, *first_ms);
                }
                append_string(out, field, self.compress);
                append_string(out, value, self.compress);
            }
            Element::Scored { member, score } => {
                append_string(out, member, self.compress);
                out.extend_from_slice(&score.to_le_bytes());
            }
            Element::Node(node) => append_node(out, node, &mut Vec::new(), self.compress),
            Element::Block(block) => stream::append_block(out, block, &mut Vec::new(), self.compress),
            Element::Position(index, element) => {
                append_len(out, index);
                array::append_element(out, element, self.compress);
            }
            Element::Suggestion(suggestion) => suggestions::append_entry(out, suggestion, self.compress),
            Element::Vector(node) => {
                let form = self.vectors.expect("a vector set was begun");
                vectors::append_element(out, form, node, self.compress);
            }
            Element::Text(part) => out.extend_from_slice(part),
            Element::TextLen(_) | Element::LongNode(_) => unreachable!("it is no element"),
        }
    }

    /// All elements have been appended, and [`Encoder::step`] appends the rest: of a stream that has a long one.
    ///
    /// # Panics
    /// When there are less than there were.
    pub fn begin_rest(&mut self, out: &mut Vec<u8>) {
        self.end_elements(out);
        self.place = Place::Stream(stream::Place::Groups(groups::Place::default()));
    }

    /// All elements have been appended.
    ///
    /// # Panics
    /// When there are less than there were.
    pub fn end_elements(&mut self, out: &mut Vec<u8>) {
        assert!(matches!(self.place, Place::Elements { left: 0, .. }), "as many elements as there were");
        out.append(&mut self.tail);
        self.place = Place::Done;
    }

    /// Appends about `budget_bytes` of the value, or what is left of it.
    ///
    /// # Panics
    /// When it is seen that the value has changed.
    pub fn step(&mut self, value: ValueRef<'_>, out: &mut Vec<u8>, budget_bytes: usize) -> Progress {
        let budget_bytes = budget_bytes.max(1);
        let until = out.len().saturating_add(budget_bytes);
        let room = Room { budget_bytes, until, compress: self.compress };
        let next = match (value, std::mem::replace(&mut self.place, Place::Done)) {
            (_, Place::Done | Place::Elements { .. }) => None,
            (ValueRef::Str { bytes, .. }, place) => text(out, bytes.bytes(), place, room),
            (ValueRef::List(list), place) => nodes(out, list, place, room),
            (ValueRef::Set(set), place) => members(out, set, self.kind, place, room),
            (ValueRef::Hash(hash), place) => fields(out, hash, self.kind, place, room),
            (ValueRef::ZSet(zset), place) => ranks(out, zset, place, room),
            (ValueRef::Stream(stream), place) => blocks(out, stream, self.kind, place, room),
            (ValueRef::Array(array), place) => elements(out, array, place, room),
            (ValueRef::Json(json), _) => step_of_json(out, json, &mut self.json, room).then_some(Place::Json),
            (ValueRef::VectorSet(set), place) => vectors_of(out, set, place, room),
            (ValueRef::Suggestions(all), place) => suggestions_of(out, all, place, room),
        };
        let is_done = next.is_none();
        self.place = next.unwrap_or(Place::Done);
        if is_done { Progress::Done } else { Progress::More }
    }
}

/// What a step may do.
#[derive(Clone, Copy)]
pub struct Room {
    pub budget_bytes: usize,
    /// The length of the output at which the step ends.
    pub until: usize,
    pub compress: bool,
}

impl Room {
    pub fn endless(compress: bool) -> Self {
        Self { budget_bytes: usize::MAX, until: usize::MAX, compress }
    }

    pub fn is_used_up(self, out: &[u8]) -> bool {
        out.len() >= self.until
    }
}

/// Appends a text from its byte `written` on; the number of bytes that are written, or `None` if those were the last.
fn text_from(out: &mut Vec<u8>, text: &[u8], written: usize, room: Room) -> Option<usize> {
    if written == 0 {
        if text.len() <= room.budget_bytes {
            append_string(out, text, room.compress);
            return None;
        }
        append_len(out, text.len() as u64);
    }
    let room_bytes = room.until.saturating_sub(out.len()).max(1);
    let until = written.saturating_add(room_bytes).min(text.len());
    out.extend_from_slice(&text[written..until]);
    (until < text.len()).then_some(until)
}

fn text(out: &mut Vec<u8>, bytes: &[u8], place: Place, room: Room) -> Option<Place> {
    let written = if let Place::Text(written) = place { written } else { 0 };
    text_from(out, bytes, written, room).map(Place::Text)
}

/// Appends a node. Its listpack is put together in `buffer`.
fn append_node(out: &mut Vec<u8>, node: NodeView<'_>, buffer: &mut Vec<u8>, compress: bool) {
    buffer.clear();
    match node {
        NodeView::Plain(element) => {
            append_len(out, NODE_PLAIN);
            append_string(out, element, compress);
        }
        NodeView::Packed { .. } => {
            append_len(out, NODE_PACKED);
            node.append_to(buffer);
            append_string(out, buffer, compress);
        }
    }
}

fn nodes(out: &mut Vec<u8>, list: &List, place: Place, room: Room) -> Option<Place> {
    let (mut index, mut written) = match place {
        Place::Node(index, written) => (index, written),
        _ => {
            append_len(out, list.nodes().len() as u64);
            (0, 0)
        }
    };
    let mut listpack = Vec::new();
    let mut nodes = list.nodes_from(index);
    while let Some(node) = nodes.next() {
        match node {
            NodeView::Plain(element) => {
                if written == 0 {
                    append_len(out, NODE_PLAIN);
                }
                if let Some(written) = text_from(out, element, written, room) {
                    return Some(Place::Node(index, written));
                }
                written = 0;
            }
            NodeView::Packed { .. } => append_node(out, node, &mut listpack, room.compress),
        }
        index += 1;
        if room.is_used_up(out) && nodes.len() > 0 {
            return Some(Place::Node(index, 0));
        }
    }
    None
}

/// Takes a scan of a table on. `scan` visits some elements from a cursor on, appends them, and returns the next cursor and
/// how many elements it has visited.
fn scanned(
    out: &mut Vec<u8>,
    mut at: InTable,
    room: Room,
    mut scan: impl FnMut(&mut Vec<u8>, u64) -> (u64, usize),
) -> Option<Place> {
    loop {
        let (cursor, visited) = scan(out, at.cursor);
        at = InTable { cursor, left: at.left.checked_sub(visited).expect(UNCHANGED), ..at };
        if cursor == 0 {
            assert!(at.left == 0, "{UNCHANGED}");
            return None;
        }
        if room.is_used_up(out) {
            return Some(Place::Table(at));
        }
    }
}

fn members(out: &mut Vec<u8>, set: &Set, kind: Type, place: Place, room: Room) -> Option<Place> {
    let at = match (place, set, kind) {
        (Place::Table(at), ..) => at,
        (_, Set::Intset(intset), Type::SetIntset) => {
            append_string(out, intset.as_bytes(), room.compress);
            return None;
        }
        (_, Set::Listpack(listpack), Type::SetListpack) => {
            append_string(out, listpack.as_bytes(), room.compress);
            return None;
        }
        _ => {
            assert!(kind == Type::Set, "the type was chosen for this set");
            append_len(out, set.len() as u64);
            InTable { cursor: 0, left: set.len(), first_ms: 0 }
        }
    };
    scanned(out, at, room, |out, cursor| {
        let mut visited = 0;
        let next = set.scan(cursor, MEMBERS_AT_ONCE, |member| {
            member.with_text(|text| append_string(out, text, room.compress));
            visited += 1;
        });
        (next, visited)
    })
}

fn fields(out: &mut Vec<u8>, hash: &Hash, kind: Type, place: Place, room: Room) -> Option<Place> {
    // In a table no field expires before this. The earliest time itself would take a look at all fields, and only serves
    // to be subtracted from the others.
    let first_ms = hash.next_expire().unwrap_or(0);
    let (at, table) = match (place, hash, kind) {
        (Place::Table(at), Hash::Table(table), _) => (at, table),
        (_, Hash::Listpack(listpack), Type::HashListpack) => {
            append_string(out, listpack.as_bytes(), room.compress);
            return None;
        }
        (_, Hash::ListpackEx(listpack), Type::HashListpackEx) => {
            out.extend_from_slice(&first_ms.to_le_bytes());
            append_string(out, listpack.as_bytes(), room.compress);
            return None;
        }
        (
            _,
            Hash::Long(_) | Hash::LongEx(_) | Hash::Lending(_) | Hash::ListpackEx(_),
            Type::Hash | Type::HashMetadata,
        ) => {
            if kind == Type::HashMetadata {
                out.extend_from_slice(&first_ms.to_le_bytes());
            }
            append_len(out, hash.len() as u64);
            for entry in hash.iter_all() {
                if kind == Type::HashMetadata {
                    append_time(out, entry.expire.unwrap_or(0), first_ms);
                }
                entry.field.with_text(|text| append_string(out, text, room.compress));
                entry.value.with_text(|text| append_string(out, text, room.compress));
            }
            return None;
        }
        (_, Hash::Table(table), Type::Hash | Type::HashMetadata) => {
            if kind == Type::HashMetadata {
                out.extend_from_slice(&first_ms.to_le_bytes());
            }
            append_len(out, hash.len() as u64);
            (InTable { cursor: 0, left: hash.len(), first_ms }, table)
        }
        _ => panic!("the type was chosen for this hash"),
    };
    scanned(out, at, room, |out, cursor| {
        let mut visited = 0;
        let next = table.scan(cursor, MEMBERS_AT_ONCE, |parts| {
            if kind == Type::HashMetadata {
                append_time(out, parts.expire, at.first_ms);
            }
            append_string(out, parts.field, room.compress);
            append_string(out, parts.value, room.compress);
            visited += 1;
        });
        (next, visited)
    })
}

/// An expire time, 0 for never: relative to the first, and one more.
fn append_time(out: &mut Vec<u8>, expire: u64, first_ms: u64) {
    append_len(out, if expire == 0 { 0 } else { expire - first_ms + 1 });
}

fn ranks(out: &mut Vec<u8>, zset: &ZSet, place: Place, room: Room) -> Option<Place> {
    if let Some(listpack) = zset.as_listpack() {
        append_string(out, listpack.as_bytes(), room.compress);
        return None;
    }
    let mut left = if let Place::Ranks(left) = place {
        left
    } else {
        append_len(out, zset.len() as u64);
        zset.len()
    };
    assert!(left <= zset.len(), "{UNCHANGED}");
    // Highest first, as Redis does: its reader then always inserts at the head.
    for (member, score) in zset.range_back(0..left) {
        member.with_text(|text| append_string(out, text, room.compress));
        out.extend_from_slice(&score.to_le_bytes());
        left -= 1;
        if room.is_used_up(out) && left > 0 {
            return Some(Place::Ranks(left));
        }
    }
    None
}

fn blocks(out: &mut Vec<u8>, stream: &types::Stream, kind: Type, place: Place, room: Room) -> Option<Place> {
    let place = if let Place::Stream(place) = place { place } else { stream::Place::Start };
    stream::append_from(out, stream, kind, place, room).map(Place::Stream)
}

fn elements(out: &mut Vec<u8>, array: &Array, place: Place, room: Room) -> Option<Place> {
    let first = if let Place::Position(position) = place {
        position
    } else {
        array::append_head(out, array);
        0
    };
    array::append_from(out, array, first, room).map(Place::Position)
}

fn vectors_of(out: &mut Vec<u8>, set: &VectorSet, place: Place, room: Room) -> Option<Place> {
    let next = match place {
        Place::Vectors(next) => next,
        _ => vectors::append_head(out, set, room.compress),
    };
    vectors::append_from(out, set, next, room).map(Place::Vectors)
}

fn suggestions_of(out: &mut Vec<u8>, all: &Suggestions, place: Place, room: Room) -> Option<Place> {
    let next = match place {
        Place::Suggestion(next) => next,
        _ => suggestions::append_head(out, all, room.compress),
    };
    suggestions::append_from(out, all, next, room).map(Place::Suggestion)
}
