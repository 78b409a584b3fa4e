//! Changes beside a model: what serde_json makes of the same.

use super::*;
use crate::{Format, parse, write};
use proptest::prelude::*;
use serde_json::Value;

fn text(view: View<'_>) -> String {
    let mut out = Vec::new();
    write(view, &Format::default(), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn node(value: &Value) -> Node {
    parse(value.to_string().as_bytes(), None).expect("JSON")
}

/// As a value whose members are in the order of their names.
fn value(node: &Node) -> Value {
    serde_json::from_str(&text(node.view())).expect("JSON")
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-200_i64..200).prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        (-1000..1000).prop_map(|n| Value::from(f64::from(n) / 10.0)),
        ".{0,80}".prop_map(Value::from),
        prop::collection::vec(-300_i64..300, 0..40).prop_map(Value::from),
        prop::collection::vec((-300..300).prop_map(|n| f64::from(n) / 8.0), 0..100).prop_map(Value::from),
        (1000..3000_usize).prop_map(|len| Value::from("x".repeat(len))),
    ];
    leaf.prop_recursive(4, 200, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::vec(("[a-f]{1,2}", inner), 0..12)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// All places of a value.
fn places(value: &Value, here: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
    all.push(here.clone());
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                here.push(Step::Index(index));
                places(element, here, all);
                here.pop();
            }
        }
        Value::Object(members) => {
            for (name, element) in members {
                here.push(Step::Name(name.as_bytes().into()));
                places(element, here, all);
                here.pop();
            }
        }
        _ => {}
    }
}

fn model<'a>(root: &'a mut Value, place: &[Step]) -> &'a mut Value {
    place.iter().fold(root, |value, step| match step {
        Step::Index(index) => &mut value[*index],
        Step::Name(name) => &mut value[std::str::from_utf8(name).expect("UTF-8")],
    })
}

fn change_model(root: &mut Value, place: &[Step], kind: u8, new: &Value) {
    if let Some((last, outer)) = place.split_last().filter(|_| kind == 1) {
        match (model(root, outer), last) {
            (Value::Array(elements), Step::Index(index)) => drop(elements.remove(*index)),
            (Value::Object(members), Step::Name(name)) => {
                members.remove(std::str::from_utf8(name).expect("UTF-8"));
            }
            _ => unreachable!("places are what they are"),
        }
        return;
    }
    match (kind, model(root, place)) {
        (2, Value::Array(elements)) => {
            elements.push(new.clone());
            elements.insert(0, new.clone());
        }
        (3, Value::Object(members)) => drop(members.insert("new".to_owned(), new.clone())),
        (0, value) => *value = new.clone(),
        _ => {}
    }
}

fn change(root: &mut Node, place: &[Step], kind: u8, new: &Value) {
    let len = match look_up(root.view(), place).expect("it is there") {
        View::Array(array) => Some(array.len()),
        _ => None,
    };
    let new = node(new);
    match kind {
        0 => assert!(replace(root, place, new)),
        1 if !place.is_empty() => assert!(remove(root, place)),
        2 if len.is_some() => {
            let len = len.unwrap_or_default();
            assert!(!apply(root, place, Change::Splice(0..len + 1, vec![])));
            assert!(apply(root, place, Change::Splice(len..len, vec![new.clone()])));
            assert!(apply(root, place, Change::Splice(0..0, vec![new])));
        }
        3 => drop(apply(root, place, Change::Put(b"new".as_slice().into(), new))),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_parsed_is_shown(value in json()) {
        let node = node(&value);
        let again: Value = serde_json::from_str(&text(node.view())).expect("JSON");
        prop_assert_eq!(&again, &value);
        let mut packed = Vec::new();
        packed::put(node.view(), &mut packed);
        prop_assert_eq!(packed::skip(&packed), packed.len());
        prop_assert_eq!(Node::from_packed(&packed), node);
    }

    #[test]
    fn changes_do_what_they_do_to_a_model(
        first in json(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, json()), 1..12),
    ) {
        let (mut expected, mut root) = (first.clone(), node(&first));
        for (at, kind, new) in changes {
            let mut all = Vec::new();
            places(&expected, &mut Vec::new(), &mut all);
            let place = &all[at.index(all.len())];
            change_model(&mut expected, place, kind, &new);
            change(&mut root, place, kind, &new);
            prop_assert_eq!(&value(&root), &expected);
        }
    }
}

#[test]
fn members_keep_their_order_and_the_last_takes_the_place_of_one_removed() {
    for filler in [1, 3000] {
        let long = "x".repeat(filler);
        let mut root =
            parse(format!(r#"{{"a":1,"b":"{long}","c":3,"d":4}}"#).as_bytes(), None).expect("JSON");
        assert!(remove(&mut root, &[Step::Name(b"a".as_slice().into())]));
        assert_eq!(text(root.view()), format!(r#"{{"d":4,"b":"{long}","c":3}}"#));
        assert!(remove(&mut root, &[Step::Name(b"c".as_slice().into())]));
        assert!(!remove(&mut root, &[Step::Name(b"c".as_slice().into())]));
        assert!(apply(&mut root, &[], Change::Put(b"e".as_slice().into(), Node::null())));
        assert!(apply(&mut root, &[], Change::Put(b"d".as_slice().into(), Node::of(View::Bool(true)))));
        assert_eq!(text(root.view()), format!(r#"{{"d":true,"b":"{long}","e":null}}"#));
    }
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let long = "x".repeat(3000);
    for (given, expected) in [
        (r#"{"a":1,"b":2,"a":"three"}"#.to_owned(), r#"{"a":"three","b":2}"#.to_owned()),
        (format!(r#"{{"a":1,"b":2,"a":"{long}"}}"#), format!(r#"{{"a":"{long}","b":2}}"#)),
    ] {
        assert_eq!(text(parse(given.as_bytes(), None).expect("JSON").view()), expected);
    }
}

#[test]
fn errors_are_those_that_clients_know() {
    for (given, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("[1,]", "trailing comma at line 1 column 4"),
        ("nul", "EOF while parsing a value at line 1 column 3"),
        ("nulx", "expected ident at line 1 column 4"),
        ("1 2", "trailing characters at line 1 column 3"),
        ("1e999", "number out of range at line 1 column 5"),
        ("{1:2}", "key must be a string at line 1 column 2"),
        (r#""\ud800""#, "unexpected end of hex escape at line 1 column 8"),
    ] {
        assert_eq!(parse(given.as_bytes(), None).expect_err(given), expected, "{given}");
    }
    let deep = "[".repeat(128) + &"]".repeat(128);
    assert_eq!(
        parse(deep.as_bytes(), None).expect_err("deep"),
        "recursion limit exceeded at line 1 column 128"
    );
    let deep = "[".repeat(127) + &"]".repeat(127);
    assert!(parse(deep.as_bytes(), None).is_ok());
}

#[test]
fn numbers_are_kept_at_the_width_they_need() {
    let embedding: Vec<f32> = (0..1536_i16).map(|n| (f32::from(n) * 0.37).sin()).collect();
    let given = format!("{embedding:?}").replace(' ', "");
    let root = parse(given.as_bytes(), None).expect("JSON");
    assert!(root.heap_bytes() < 1536 * 4 + 100, "{} bytes", root.heap_bytes());
    assert_eq!(text(root.view()), given);
    let shared = root.shared_numbers().expect("they are apart");
    assert!(shared.bytes.chunks(4).zip(&embedding).all(|(bytes, number)| bytes == number.to_le_bytes()));
    let mut root = parse(b"[1,2,3,4,5]", None).expect("JSON");
    assert_eq!(root.heap_bytes(), 0);
    assert!(apply(
        &mut root,
        &[],
        Change::Splice(5..5, vec![Node::of(View::Number(crate::Number::Int(1 << 40)))])
    ));
    assert_eq!(text(root.view()), "[1,2,3,4,5,1099511627776]");
}

#[test]
fn arrays_with_fractions_can_be_forced_into_a_width() {
    let forced = |given: &str, width| parse(given.as_bytes(), Some(width)).map(|node| text(node.view()));
    assert_eq!(
        forced("[[1,2,3,4e3],[5,6.0,7,8]]", Width::F16).expect("they fit"),
        "[[1.0,2.0,3.0,4000.0],[5.0,6.0,7.0,8.0]]"
    );
    let given = "[0.3,0.1,0.7,1.0,2.5,100.0,-0.3]";
    for width in [Width::F16, Width::Bf16, Width::F32, Width::F64] {
        assert_eq!(forced(given, width).expect("they fit"), given);
    }
    let error = forced("[0.1,0.2,0.3,1e100,0.5]", Width::F16).expect_err("too large");
    assert!(error.starts_with("value out of range for FP16"), "{error}");
}
