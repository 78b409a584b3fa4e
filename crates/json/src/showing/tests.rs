//! Documents that change in every way while they are shown: what is shown is the text that there was at the beginning.

use super::*;
use crate::edit::{Change, Step};
use crate::view::{Array, View};
use crate::write::{Format, write};
use crate::{Number, parse};
use base::random::Random;

fn text(document: &Document) -> String {
    let mut out = Vec::new();
    write(document.view(), &Format::default(), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// A value, large or small, with so many levels at most.
fn some_node(random: &mut Random, depth: usize) -> Node {
    let count = [0, 1, 5, 12, 40][random.index(5)];
    // Now and then a text that takes several steps by itself.
    let letters =
        if random.below(150) == 0 { 4 * STEP_BYTES } else { [10, 10, 10, 10, 3000][random.index(5)] };
    match random.index(if depth == 0 { 4 } else { 8 }) {
        0 => Node::of(View::Number(Number::Int(random.below(100_000) as i64))),
        1 => Node::of(View::String(&vec![b'a' + random.below(26) as u8; random.index(letters)])),
        2 => Node::array_of((0..20 * count).map(|n| Node::of(View::Number(Number::Int(n))))),
        3 => Node::null(),
        4..6 => Node::array_of((0..count).map(|_| some_node(random, depth - 1))),
        _ => {
            let mut object = Node::empty_object();
            for n in 0..count {
                let value = some_node(random, depth - 1);
                crate::edit::apply(&mut object, &[], Change::Put(name(n as usize), value));
            }
            object
        }
    }
}

fn name(number: usize) -> Box<[u8]> {
    format!("{number}{}", "n".repeat(number % 40)).into_bytes().into()
}

/// A way into the document, as long as there is one and the dice like.
fn some_place(document: &Document, random: &mut Random) -> Vec<Step> {
    let (mut place, mut view) = (Vec::new(), document.view());
    while random.below(4) > 0 {
        let step = match view {
            View::Array(array) if !array.is_empty() => Step::Index(random.index(array.len())),
            View::Object(object) if !object.is_empty() => {
                let (name, _) = object.iter().nth(random.index(object.len())).expect("there is one");
                Step::Name(name.into())
            }
            _ => break,
        };
        view = crate::edit::look_up(view, std::slice::from_ref(&step)).expect("there is one");
        place.push(step);
    }
    place
}

fn change(document: &mut Document, random: &mut Random) {
    let place = some_place(document, random);
    let here = crate::edit::look_up(document.view(), &place).expect("there is one");
    let change = match here {
        View::Array(array) => {
            let (one, other) = (random.index(array.len() + 1), random.index(array.len() + 1));
            let near = (one + random.index(4)).min(array.len());
            match random.index(8) {
                0 if !matches!(array, Array::Numbers(_)) => {
                    Change::Take((0..array.len()).filter(|_| random.below(7) == 0).collect())
                }
                1 => Change::Splice(one.min(other)..one.max(other), vec![]),
                2 => Change::Splice(array.len()..array.len(), vec![some_node(random, 2)]),
                3 => Change::Splice(one..one, vec![some_node(random, 2), Node::null()]),
                _ => Change::Splice(one..near, vec![some_node(random, 1)]),
            }
        }
        View::Object(_) => match random.index(3) {
            0 => Change::Remove(name(random.index(50))),
            _ => Change::Put(name(random.index(50)), some_node(random, 2)),
        },
        _ => {
            let value = some_node(random, 1);
            if !place.is_empty() {
                document.replace(&place, value);
            }
            return;
        }
    };
    document.apply(&place, change);
}

/// Shows a document while it changes, and compares that with what it was; how many steps it took.
fn show_while_it_changes(document: &mut Document, random: &mut Random, changes: u64) -> usize {
    let before = text(document);
    assert!(document.begin_showing());
    let (mut reader, mut shown, mut length, mut steps) = (Reader::default(), Vec::new(), None, 0);
    loop {
        (0..random.below(changes + 1)).for_each(|_| change(document, random));
        steps += 1;
        let has_more = reader.show_on(document, &mut |part| match part {
            Part::Length(bytes) => assert!(length.replace(bytes).is_none()),
            Part::Text(part) => {
                assert!(length.is_some() && part.len() < STEP_BYTES + 20_000, "{}", part.len());
                shown.extend_from_slice(part);
            }
        });
        if !has_more {
            break;
        }
    }
    assert_eq!(length, Some(before.len() as u64));
    assert!(shown == before.as_bytes(), "{} and {} bytes", shown.len(), before.len());
    assert_eq!(document.kept_bytes(), 0, "what was kept is shown");
    document.end_showing();
    assert_eq!(document.bytes(), document.root().heap_bytes());
    steps
}

#[test]
fn what_is_shown_is_what_there_was() {
    let mut random = Random::from_seed(11);
    let (mut steps, mut rounds) = (0, 0);
    while rounds < 30 {
        let root = Node::array_of((0..30).map(|_| some_node(&mut random, 2)));
        let mut document = Document::new(root);
        if !document.root().is_traced() {
            continue;
        }
        rounds += 1;
        // The second showing of the same document, too: nothing of the first is left.
        for changes in [0, 1, 12] {
            steps += show_while_it_changes(&mut document, &mut random, changes);
            if !document.root().is_traced() {
                break;
            }
        }
    }
    assert!(steps > 5 * rounds, "{steps} steps");
}

#[test]
fn one_that_was_given_up_leaves_nothing() {
    let mut random = Random::from_seed(12);
    for _ in 0..20 {
        let mut document =
            Document::new(Node::array_of((0..30).map(|_| some_node(&mut random, 2)).chain([large()])));
        assert!(document.begin_showing());
        let mut reader = Reader::default();
        for _ in 0..random.below(6) {
            change(&mut document, &mut random);
            if !reader.show_on(&mut document, &mut |_| ()) {
                break;
            }
        }
        document.end_showing();
        (0..3).for_each(|_| change(&mut document, &mut random));
        show_while_it_changes(&mut document, &mut random, 3);
    }
}

fn large() -> Node {
    parse(format!("[{}1]", "[\"x\",2],".repeat(1000)).as_bytes(), None).expect("JSON")
}

/// What leaves the document is not copied, and what comes is not kept.
#[test]
fn what_goes_is_kept_and_what_comes_is_not() {
    let mut document = Document::new(Node::array_of((0..100).map(|_| large())));
    let before = text(&document);
    assert!(document.begin_showing());
    assert!(document.apply(&[], Change::Splice(10..90, vec![])));
    let kept = document.kept_bytes();
    assert!(kept > document.bytes() * 3, "{kept}");
    assert!(document.apply(&[], Change::Splice(20..20, vec![large()])));
    for _ in 0..100 {
        assert!(document.apply(&[Step::Index(20)], Change::Splice(5..6, vec![Node::null()])));
    }
    assert_eq!(document.kept_bytes(), kept);
    let (mut reader, mut shown) = (Reader::default(), Vec::new());
    while reader.show_on(&mut document, &mut |part| {
        if let Part::Text(part) = part {
            shown.extend_from_slice(part);
        }
    }) {}
    assert!(shown == before.as_bytes());
}

#[test]
fn what_has_no_parts_is_not_shown() {
    for text in ["1", "[1,2]", "{}", "\"x\"", "[1.5,2.5,3.5]"] {
        assert!(!Document::new(parse(text.as_bytes(), None).expect("JSON")).begin_showing());
    }
}
