//! Collections that change in every way while they are shown: what is shown is what there was at the beginning, each element once.

use super::{Element, Showable};
use crate::hash::{FieldTtl, HashLimits};
use crate::list::{End, ListLimit, NodeView};
use crate::set::SetLimits;
use crate::stream::{References, StreamId, StreamLimits, Trim, TrimTo};
use crate::vectorset::{Projection, Quant, Shape};
use crate::zset::ZSetLimits;
use crate::{Array, Hash, List, Set, Stream, Suggestions, VectorSet, ZSet};
use base::hash::HashSeed;
use base::random::Random;

/// A collection with what may happen to it.
trait Bed {
    fn showable(&mut self) -> Showable<'_>;
    fn change(&mut self, random: &mut Random, grows: bool);
    fn content(&self) -> Vec<String>;

    /// What stands before all that is shown.
    fn beginning() -> Vec<String> {
        Vec::new()
    }

    /// Whether parts come in their order.
    const IS_ORDERED: bool = false;
}

fn told(element: Element<'_>) -> String {
    match element {
        Element::Node(NodeView::Plain(element)) => element.escape_ascii().to_string(),
        Element::Node(NodeView::Packed { entries, .. }) => entries.escape_ascii().to_string(),
        Element::Block(block) => {
            let mut listpack = Vec::new();
            block.append_listpack(&mut listpack);
            format!("{} {}", block.master(), listpack.escape_ascii())
        }
        Element::Position(index, element) => format!("{index} {}", element.to_vec().escape_ascii()),
        element => format!("{element:?}"),
    }
}

/// Adds what is shown: the parts of a long node are one.
fn add(shown: &mut Vec<String>, element: Element<'_>) {
    match element {
        Element::LongNode(_) => shown.push(String::new()),
        Element::Text(part) => {
            let part = part.escape_ascii().to_string();
            shown.last_mut().expect("its length comes first").push_str(&part);
        }
        element => shown.push(told(element)),
    }
}

fn seed() -> HashSeed {
    HashSeed::new(5, 6)
}

/// One of some thousand names, some of them long.
fn name(random: &mut Random) -> Vec<u8> {
    let number = random.index(6000);
    let pad = if number.is_multiple_of(40) { 600 } else { 0 };
    format!("{number}{}", "x".repeat(pad)).into_bytes()
}

impl Bed for Set {
    fn showable(&mut self) -> Showable<'_> {
        Showable::of_set(self).expect("a table")
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let limits = SetLimits { max_intset_entries: 0, max_listpack_entries: 0, max_listpack_value: 0 };
        match random.index(8) {
            0..5 if grows => _ = self.add(&name(random), &limits, &seed()),
            5 => _ = self.pop(&mut || random.next_u64(), |_| ()),
            _ => _ = self.remove(&name(random)),
        }
    }

    fn content(&self) -> Vec<String> {
        self.iter().map(|member| told(Element::Member(&member.to_vec()))).collect()
    }
}

const NOW: u64 = 1000;

impl Bed for Hash {
    fn showable(&mut self) -> Showable<'_> {
        Showable::of_hash(self).expect("a table")
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let limits = HashLimits { max_listpack_entries: 0, max_listpack_value: 0 };
        let field = name(random);
        match random.index(10) {
            0..6 if grows => {
                let value = vec![b'v'; [0, 5, 30, 700][random.index(4)]];
                self.set(&field, &value, FieldTtl::Keep, NOW, &limits, &seed());
            }
            6 => _ = self.set_expire(&field, Some(NOW + random.index(50) as u64), NOW),
            7 => _ = self.set_expire(&field, None, NOW),
            8 if random.index(20) == 0 => _ = self.expire_fields(NOW + random.index(40) as u64, 300, |_| {}),
            _ => _ = self.remove(&field, NOW),
        }
    }

    fn content(&self) -> Vec<String> {
        let shown = |entry: crate::hash::Entry<'_>| {
            let (field, value) = (entry.field.to_vec(), entry.value.to_vec());
            told(Element::Field { field: &field, value: &value, expire: entry.expire.unwrap_or(0) })
        };
        self.iter_all().map(shown).collect()
    }
}

impl Bed for ZSet {
    fn showable(&mut self) -> Showable<'_> {
        Showable::of_zset(self).expect("a tree")
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let limits = ZSetLimits { max_listpack_entries: 0, max_listpack_value: 0 };
        match random.index(10) {
            0..5 if grows => {
                let score = [random.index(100) as f64, random.index(1_000_000) as f64, 7.0][random.index(3)];
                self.insert(&name(random), score, &limits, &seed());
            }
            // Members beside the last and the first.
            5 if grows => {
                let score = [1e9, -1e9][random.index(2)] + random.index(1000) as f64;
                self.insert(&name(random), score, &limits, &seed());
            }
            6 => _ = self.update(&name(random), &limits, &seed(), |old| old.map(|old| old + 1.0)),
            7 => _ = [ZSet::pop_first, ZSet::pop_last][random.index(2)](self, |_, _| ()),
            8 if random.index(60) == 0 => {
                let from = random.index(self.len() + 1);
                self.remove_ranks(from..from + random.index(90), |_, _| ());
            }
            _ => _ = self.remove(&name(random)),
        }
    }

    fn content(&self) -> Vec<String> {
        self.iter().map(|(member, score)| told(Element::Scored { member: &member.to_vec(), score })).collect()
    }
}

impl Bed for List {
    fn showable(&mut self) -> Showable<'_> {
        Showable::List(self)
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let end = [End::Head, End::Tail][random.index(2)];
        let (index, value) = (random.index(self.len() + 1), name(random));
        match random.index(16) {
            0..7 if grows => self.push(end, &value),
            7 if grows => self.insert(index, &value),
            8 if grows => self.insert(index, &[b'y'; 9000]),
            9 => _ = self.set(index, &value),
            10 if random.index(40) == 0 => _ = self.set(index, &vec![b'w'; 70_000 + random.index(90_000)]),
            10 => _ = self.set(index, &[b'z'; 9000]),
            11 if random.index(40) == 0 => {
                // What is long by itself goes by its value.
                let is_long = |node: NodeView<'_>| match node {
                    NodeView::Plain(element) if element.len() > 9000 => Some(element.to_vec()),
                    _ => None,
                };
                let long = self.nodes().find_map(is_long);
                long.into_iter().for_each(|long| _ = self.remove_matching(&long, 1, end));
            }
            11 if random.index(4) == 0 => _ = self.remove_matching(&value, 2, end),
            12 if random.index(300) == 0 => _ = self.remove_range(index, random.index(900)),
            13 if random.index(900) == 0 => self.keep(index, 2000),
            _ => _ = self.pop(end, |_| ()),
        }
    }

    fn content(&self) -> Vec<String> {
        self.nodes().map(|node| told(Element::Node(node))).collect()
    }

    const IS_ORDERED: bool = true;
}

impl Bed for Stream {
    fn showable(&mut self) -> Showable<'_> {
        Showable::Stream(self)
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let last = self.last_id().ms;
        let some = StreamId::new(last.saturating_sub(random.index(5000) as u64), 0);
        let trim = |to| Trim { to, approximate: false, limit: 0, references: References::Keep };
        match random.index(10) {
            0..6 if grows => {
                let limits = StreamLimits { block_bytes_max: 2000, block_entries_max: 40 };
                self.append(StreamId::new(last + 1, 0), [&b"f"[..], &name(random)].into_iter(), limits);
            }
            6 if random.index(100) == 0 => _ = self.trim(trim(TrimTo::Len(random.index(4000) as u64))),
            7 => {
                let first = self.first_id();
                self.trim(trim(TrimTo::Id(StreamId::new(first.ms + 3, 0))));
            }
            8 if random.index(9) == 0 => {
                // What is added and taken back again.
                let mark = self.mark();
                let limits = StreamLimits { block_bytes_max: 100, block_entries_max: 4 };
                for more in 1..random.index(20) as u64 {
                    self.append(StreamId::new(last + more, 0), [&b"g"[..], b"v"].into_iter(), limits);
                }
                self.cut_back(mark);
            }
            _ => _ = self.delete(some),
        }
    }

    fn content(&self) -> Vec<String> {
        self.nodes().map(|node| told(Element::Block(node))).collect()
    }

    const IS_ORDERED: bool = true;
}

impl Bed for Array {
    fn showable(&mut self) -> Showable<'_> {
        Showable::Array(self)
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let width = [50_000, 1_000_000][random.index(2)];
        let index = random.index(width) as u64;
        match random.index(10) {
            0..6 if grows => _ = self.set(index, &name(random)),
            6 if grows => _ = self.set(self.end() + random.index(5000) as u64, b"7"),
            7 if random.index(300) == 0 => {
                _ = self.remove_range(index, index + random.index(20_000) as u64);
            }
            8 => _ = self.remove(self.end().saturating_sub(1)),
            _ => _ = self.remove(index),
        }
    }

    fn content(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.visit(0, u64::MAX - 1, |index, element| {
            all.push(told(Element::Position(index, element)));
            true
        });
        all
    }

    const IS_ORDERED: bool = true;
}

impl Bed for Suggestions {
    fn showable(&mut self) -> Showable<'_> {
        Showable::Suggestions(self)
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        let (text, score) = (name(random), random.index(1000) as f32);
        match random.index(10) {
            0..4 if grows => self.add(&text, score, false, None),
            4..6 if grows => self.add(&text, score, true, Some(&name(random))),
            _ => _ = self.remove(&text),
        }
    }

    fn content(&self) -> Vec<String> {
        let all = (0..self.numbers_end()).filter_map(|number| self.suggestion(number));
        all.map(|suggestion| told(Element::Suggestion(suggestion))).collect()
    }

    const IS_ORDERED: bool = true;
}

/// Numbers of a vector.
const DIMENSION: usize = 6;

impl Bed for VectorSet {
    fn showable(&mut self) -> Showable<'_> {
        Showable::VectorSet(self)
    }

    fn change(&mut self, random: &mut Random, grows: bool) {
        // To link a vector takes longer than to change anything else.
        if random.index(12) > 0 {
            return;
        }
        let name = name(random);
        let numbers: Vec<f32> = (0..DIMENSION).map(|_| random.index(2000) as f32 - 1000.0).collect();
        let vector = self.shape().quant.vector(&numbers).expect("numbers that are finite");
        match random.index(10) {
            0..4 if grows => _ = self.add(&name, &vector, None, 20),
            4..6 if grows => _ = self.add(&name, &vector, Some(&name), 20),
            6..8 => {
                let number = self.find(&name);
                number.into_iter().for_each(|number| self.set_attributes(number, &name[1..]));
            }
            _ => _ = self.remove(&name),
        }
    }

    fn content(&self) -> Vec<String> {
        let rows = self.shape().projection.iter().flat_map(|it| (0..it.output()).map(|row| it.row(row)));
        let mut bytes: Vec<u8> = rows.flatten().flat_map(f32::to_le_bytes).collect();
        bytes.splice(0..0, *b"matrix ");
        let elements = (0..self.numbers_end()).filter_map(|number| self.node(number));
        let elements = elements.map(|node| told(Element::Vector(&node)));
        [bytes.escape_ascii().to_string()].into_iter().chain(elements).collect()
    }

    fn beginning() -> Vec<String> {
        vec!["matrix ".to_owned()]
    }

    const IS_ORDERED: bool = true;
}

/// Shows a collection again and again, at different paces.
fn run<B: Bed + Clone>(mut bed: B, first: u64, parts_min: usize) {
    let (mut times, mut most) = (0, 0);
    for seed in first..first + 6 {
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        for round in 0..6 {
            (0..6000).for_each(|_| bed.change(&mut random, round % 3 < 2));
            let mut before = bed.content();
            if !bed.showable().begin() {
                continue;
            }
            times += 1;
            let (mut shown, pace) = (B::beginning(), [1, 40, 400][random.index(3)]);
            loop {
                (0..random.index(pace)).for_each(|_| bed.change(&mut random, round % 3 < 2));
                match random.index(4) {
                    0 => bed.showable().show_kept(&mut |element| add(&mut shown, element)),
                    // A copy is not being shown, and neither knows of the other.
                    1 if random.index(20) == 0 => bed = bed.clone_being_shown(&mut random),
                    _ if bed.showable().show_on(&mut |element| add(&mut shown, element)) => {}
                    _ => break,
                }
            }
            most = most.max(before.len());
            assert_eq!(bed.showable().kept_bytes(), 0);
            bed.showable().end();
            if !B::IS_ORDERED {
                before.sort();
                shown.sort();
            }
            assert!(before == shown, "seed {seed}, round {round}: {} of {}", shown.len(), before.len());
        }
    }
    // So many that a showing takes many steps.
    assert!(times > 20 && most > parts_min, "{times} times, {most} parts");
}

/// A copy that has changed and is gone again changes nothing.
trait Copied {
    fn clone_being_shown(self, random: &mut Random) -> Self;
}

impl<B: Bed + Clone> Copied for B {
    fn clone_being_shown(self, random: &mut Random) -> Self {
        let mut copy = self.clone();
        (0..100).for_each(|_| copy.change(random, true));
        if !copy.showable().begin() {
            return self;
        }
        let mut shown = Self::beginning();
        while copy.showable().show_on(&mut |element| add(&mut shown, element)) {}
        assert_eq!(shown.len(), copy.content().len());
        self
    }
}

#[test]
fn sets_are_shown_as_they_were() {
    let limits = SetLimits { max_intset_entries: 0, max_listpack_entries: 0, max_listpack_value: 0 };
    let mut set = Set::new(b"a", 1, &limits, &seed());
    set.add(b"a", &limits, &seed());
    run(set, 1, 2000);
}

#[test]
fn hashes_are_shown_as_they_were() {
    run(
        Hash::for_fields(1, &HashLimits { max_listpack_entries: 0, max_listpack_value: 0 }, &seed()),
        11,
        2000,
    );
}

#[test]
fn sorted_sets_are_shown_as_they_were() {
    let limits = ZSetLimits { max_listpack_entries: 0, max_listpack_value: 0 };
    run(ZSet::for_members(1, 1, &limits, &seed()), 21, 2000);
}

#[test]
fn lists_are_shown_as_they_were() {
    run(List::new(ListLimit::new(-2)), 31, 60);
    run(List::new(ListLimit::new(20)), 41, 60);
}

#[test]
fn streams_are_shown_as_they_were() {
    run(Stream::new(), 51, 60);
}

#[test]
fn arrays_are_shown_as_they_were() {
    run(Array::new(), 61, 2000);
}

#[test]
fn suggestions_are_shown_as_they_were() {
    run(Suggestions::new(), 71, 2000);
}

#[test]
fn vector_sets_are_shown_as_they_were() {
    let shape = |quant, projection| Shape { dimension: DIMENSION, quant, m: 4, projection };
    run(VectorSet::new(shape(Quant::None, None)), 81, 500);
    run(VectorSet::new(shape(Quant::Q8, Projection::new(9, DIMENSION))), 91, 500);
}
