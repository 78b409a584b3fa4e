//! Text to nodes. The grammar and its errors are serde_json's, which RedisJSON uses as well: clients see the same texts.

use crate::Number;
use crate::node::{NUMBERS_PACKED_MAX, Node};
use crate::numbers::{self, LEN_MIN, NumbersRef, Width};
use crate::packed;
use crate::view::View;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How arrays of numbers are to be kept that have one with a fraction.
pub type Hint = Option<Width>;

/// Parses one value, at most 128 levels deep.
///
/// # Errors
/// What is wrong, and where; or that a number is out of the hint's range.
pub fn parse(text: &[u8], hint: Hint) -> Result<Node, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let mut out = Vec::with_capacity(text.len().min(2 * packed::BYTES_MAX));
    let built = Seed { out: &mut out, hint }.deserialize(&mut deserializer);
    let built =
        built.and_then(|built| deserializer.end().map(|()| built)).map_err(|error| text_of(&error))?;
    Ok(match built {
        Built::Packed => Node::from_packed(&out),
        Built::Node(node) => node,
    })
}

/// What is wrong, as RedisJSON says it: that a number is out of range without its place.
fn text_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((what, _)) if what.starts_with(OUT_OF_RANGE) => what.to_owned(),
        _ => text,
    }
}

const OUT_OF_RANGE: &str = "value out of range for ";

/// What has become of a value.
enum Built {
    /// It stands at the end of the bytes.
    Packed,
    Node(Node),
}

/// Reads one value, to the end of bytes if it is not too large.
struct Seed<'a> {
    out: &'a mut Vec<u8>,
    hint: Hint,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Built;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Built, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Built;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Built, E> {
        packed::put_null(self.out);
        Ok(Built::Packed)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Built, E> {
        packed::put_bool(value, self.out);
        Ok(Built::Packed)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Built, E> {
        packed::put_number(Number::Int(value), self.out);
        Ok(Built::Packed)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Built, E> {
        let number = i64::try_from(value).map_or(Number::Unsigned(value), Number::Int);
        packed::put_number(number, self.out);
        Ok(Built::Packed)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Built, E> {
        // What becomes an element of many is looked at with them.
        packed::put_double(value, self.out);
        Ok(Built::Packed)
    }

    fn visit_str<E>(self, text: &str) -> Result<Built, E> {
        packed::put_string(text.as_bytes(), self.out);
        Ok(Built::Packed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Built, A::Error> {
        let Self { out, hint } = self;
        let mut elements = Elements::new(out.len(), hint);
        loop {
            let before = out.len();
            let Some(built) = access.next_element_seed(Seed { out: &mut *out, hint })? else { break };
            match built {
                Built::Packed => elements.add_packed(before, out),
                Built::Node(node) => elements.add_node(node, out),
            }
        }
        elements.finish(out).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Built, A::Error> {
        let Self { out, hint } = self;
        let mut members = Entries::new(out.len());
        loop {
            let before = out.len();
            let Some(()) = access.next_key_seed(Name(&mut *out))? else { break };
            let value = out.len();
            match access.next_value_seed(Seed { out: &mut *out, hint })? {
                Built::Packed => members.add_packed(before, value, out),
                Built::Node(node) => members.add_node(before, node, out),
            }
        }
        Ok(members.finish(out))
    }
}

/// Reads the name of a member, to the end of bytes.
struct Name<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        packed::put_name(text.as_bytes(), self.0);
        Ok(())
    }
}

/// The elements of an array that is being built: packed at the end of bytes, or nodes once they are too large for that.
struct Elements {
    start: usize,
    count: usize,
    nodes: Option<Vec<Node>>,
    hint: Hint,
}

impl Elements {
    fn new(start: usize, hint: Hint) -> Self {
        Self { start, count: 0, nodes: None, hint }
    }

    fn add_packed(&mut self, before: usize, out: &mut Vec<u8>) {
        self.count += 1;
        if let Some(nodes) = &mut self.nodes {
            nodes.push(Node::from_packed(&out[before..]));
            out.truncate(before);
        } else if out.len() - self.start > packed::BYTES_MAX && self.count.is_power_of_two() {
            // As long as these are numbers they may become very short; looked at now and then.
            if common_width(&out[self.start..], self.count, self.hint).is_none() {
                self.unpack(out);
            }
        }
    }

    fn add_node(&mut self, node: Node, out: &mut Vec<u8>) {
        self.count += 1;
        self.unpack(out).push(node);
    }

    fn unpack(&mut self, out: &mut Vec<u8>) -> &mut Vec<Node> {
        let start = self.start;
        self.nodes.get_or_insert_with(|| {
            let mut nodes = Vec::new();
            let mut rest = &out[start..];
            while !rest.is_empty() {
                let (element, after) = rest.split_at(packed::skip(rest));
                nodes.push(Node::from_packed(element));
                rest = after;
            }
            out.truncate(start);
            nodes
        })
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<Built, String> {
        let Self { start, count, nodes, hint } = self;
        match nodes {
            Some(mut nodes) => {
                nodes.shrink_to_fit();
                Ok(Built::Node(Node::array(nodes)))
            }
            None => Ok(match finish_array(start, count, hint, out)? {
                Some(node) => Built::Node(node),
                None => Built::Packed,
            }),
        }
    }
}

/// The width for all of `count` packed elements, if all are numbers.
fn common_width(mut elements: &[u8], count: usize, hint: Hint) -> Option<Width> {
    let mut all: Option<Width> = None;
    let (mut has_fraction, mut is_even) = (false, true);
    for _ in 0..count {
        let (View::Number(number), used) = packed::get(elements) else { return None };
        elements = &elements[used..];
        has_fraction |= !number.is_whole();
        let width = Width::for_number(number);
        all = match (all, width) {
            (None, width) => width,
            (Some(all), Some(width)) => all.join(width),
            _ => None,
        };
        is_even &= all.is_some();
        if !is_even && hint.is_none() {
            return None;
        }
    }
    match hint {
        Some(_) if has_fraction => hint,
        _ if count < LEN_MIN || !is_even => None,
        _ => all,
    }
}

/// Makes packed elements behind `start` an array, of numbers if it is nothing but such: packed, or a node if it is too large for that.
///
/// # Errors
/// A number out of the range of `hint`.
pub(crate) fn finish_array(
    start: usize,
    count: usize,
    hint: Hint,
    out: &mut Vec<u8>,
) -> Result<Option<Node>, String> {
    if let Some(width) = common_width(&out[start..], count, hint) {
        let mut bytes = Vec::with_capacity(count * width.bytes());
        let mut rest = &out[start..];
        while !rest.is_empty() {
            let (View::Number(number), used) = packed::get(rest) else { unreachable!("all are numbers") };
            if !numbers::push(width, number, &mut bytes) {
                return Err(format!("{OUT_OF_RANGE}{}", hint_name(width)));
            }
            rest = &rest[used..];
        }
        out.truncate(start);
        if bytes.len() > NUMBERS_PACKED_MAX {
            return Ok(Some(Node::numbers(width, bytes)));
        }
        packed::put_numbers(NumbersRef { width, bytes: &bytes }, out);
        return Ok(None);
    }
    packed::close_array(start, count, out);
    if out.len() - start > packed::BYTES_MAX {
        let node = Node::from_packed(&out[start..]);
        out.truncate(start);
        return Ok(Some(node));
    }
    Ok(None)
}

fn hint_name(width: Width) -> &'static str {
    match width {
        Width::F16 => "FP16",
        Width::Bf16 => "BF16",
        Width::F32 => "FP32",
        _ => "FP64",
    }
}

/// The members of an object that is being built, likewise. Of several with one name the last counts, in the place of the first.
struct Entries {
    start: usize,
    count: usize,
    /// Bits of the hashes of names so far: one that is not here is new.
    seen: [u64; 4],
    members: Option<Vec<(Box<[u8]>, Node)>>,
}

impl Entries {
    fn new(start: usize) -> Self {
        Self { start, count: 0, seen: [0; 4], members: None }
    }

    fn add_packed(&mut self, before: usize, value: usize, out: &mut Vec<u8>) {
        packed::shorten_double(value, out);
        if let Some(members) = &mut self.members {
            let (name, _) = packed::get_name(&out[before..]);
            members.push((name.into(), Node::from_packed(&out[value..])));
            out.truncate(before);
            return;
        }
        let (name, _) = packed::get_name(&out[before..value]);
        if self.is_new(name) {
            self.count += 1;
        } else if let Some(old) = find(&out[self.start..before], name) {
            let new = out[value..].to_vec();
            out.truncate(before);
            out.splice(self.start + old.start..self.start + old.end, new);
        } else {
            self.count += 1;
        }
        if out.len() - self.start > packed::BYTES_MAX {
            self.unpack(out);
        }
    }

    fn add_node(&mut self, before: usize, node: Node, out: &mut Vec<u8>) {
        let name: Box<[u8]> = packed::get_name(&out[before..]).0.into();
        out.truncate(before);
        self.unpack(out).push((name, node));
    }

    fn is_new(&mut self, name: &[u8]) -> bool {
        let hash = name
            .iter()
            .fold(name.len() as u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let (word, bit) = ((hash >> 6) as usize & 3, 1 << (hash & 63));
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        is_new
    }

    fn unpack(&mut self, out: &mut Vec<u8>) -> &mut Vec<(Box<[u8]>, Node)> {
        let start = self.start;
        self.members.get_or_insert_with(|| {
            let mut members = Vec::new();
            let mut rest = &out[start..];
            while !rest.is_empty() {
                let (name, used) = packed::get_name(rest);
                let (value, after) = rest[used..].split_at(packed::skip(&rest[used..]));
                members.push((name.into(), Node::from_packed(value)));
                rest = after;
            }
            out.truncate(start);
            members
        })
    }

    fn finish(self, out: &mut Vec<u8>) -> Built {
        match self.members {
            // Later ones replace earlier ones with the same name.
            Some(members) => Built::Node(Node::object(members.into_iter())),
            None => {
                packed::close_object(self.start, self.count, out);
                Built::Packed
            }
        }
    }
}

/// Where the value of a member stands in a body.
fn find(body: &[u8], name: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    while at < body.len() {
        let (other, used) = packed::get_name(&body[at..]);
        let value = at + used;
        let end = value + packed::skip(&body[value..]);
        if other == name {
            return Some(value..end);
        }
        at = end;
    }
    None
}
