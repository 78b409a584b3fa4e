//! Small histories with one fault each, and the same without it.

use super::check;
use crate::history::{Effect, Number, Operation};

/// An operation of a client of its own.
fn operation(client: u32, times: (u64, u64), effects: &[Effect]) -> Operation {
    let (invoked_ns, completed_ns) = times;
    Operation { client, pipeline: 0, invoked_ns, completed_ns, effects: effects.to_vec() }
}

fn put(key: u32, value: Number) -> Effect {
    Effect::Put { key, value }
}

fn got(key: u32, value: impl Into<Option<Number>>) -> Effect {
    Effect::Got { key, value: value.into() }
}

fn appended(key: u32, value: Number, place: u32) -> Effect {
    Effect::Appended { key, value, place }
}

fn listed(key: u32, values: &[Number]) -> Effect {
    Effect::Listed { key, values: values.to_vec() }
}

#[test]
fn a_torn_read_of_two_registers_is_found() {
    let mset = operation(0, (1, 100), &[put(0, 1), put(1, 2)]);
    let torn = operation(1, (2, 99), &[got(0, 1), got(1, None)]);
    let whole = operation(1, (2, 99), &[got(0, 1), got(1, 2)]);
    assert!(check(&[mset.clone(), torn]).is_err());
    assert_eq!(check(&[mset, whole]), Ok(()));
}

#[test]
fn later_writes_of_a_pipeline_are_not_seen_first() {
    let line = [operation(0, (1, 100), &[put(0, 1)]), operation(0, (1, 100), &[put(1, 2)])];
    let at_once = operation(1, (2, 99), &[got(0, None), got(1, 2)]);
    assert!(check(&[&line[..], &[at_once]].concat()).is_err());
    let (y, x) = (operation(1, (2, 3), &[got(1, 2)]), operation(1, (4, 5), &[got(0, None)]));
    assert!(check(&[&line[..], &[y, x]].concat()).is_err());
    let (x, y) = (operation(1, (2, 3), &[got(0, None)]), operation(1, (4, 5), &[got(1, 2)]));
    assert_eq!(check(&[&line[..], &[x, y]].concat()), Ok(()));
}

#[test]
fn two_writes_are_seen_by_all_in_one_order() {
    let (a, b) = (operation(0, (1, 100), &[put(0, 1)]), operation(1, (1, 100), &[put(1, 2)]));
    let (ab, ba) = (
        operation(2, (2, 99), &[got(0, 1), got(1, None)]),
        operation(3, (2, 99), &[got(0, None), got(1, 2)]),
    );
    assert!(check(&[a.clone(), b.clone(), ab.clone(), ba]).is_err());
    assert_eq!(check(&[a, b, ab]), Ok(()));
}

#[test]
fn a_read_is_as_new_as_what_was_over_before_it() {
    let writes = [operation(0, (1, 2), &[put(0, 1)]), operation(1, (3, 4), &[put(0, 2)])];
    assert!(check(&[&writes[..], &[operation(2, (5, 6), &[got(0, 1)])]].concat()).is_err());
    assert!(check(&[&writes[..], &[operation(2, (5, 6), &[got(0, None)])]].concat()).is_err());
    assert_eq!(check(&[&writes[..], &[operation(2, (3, 6), &[got(0, 1)])]].concat()), Ok(()));
}

#[test]
fn a_pipeline_reads_what_it_wrote() {
    let line =
        |value: Option<Number>| [operation(0, (1, 9), &[put(0, 1)]), operation(0, (1, 9), &[got(0, value)])];
    assert!(check(&line(None)).is_err());
    assert_eq!(check(&line(Some(1))), Ok(()));
}

#[test]
fn one_value_is_replaced_once() {
    let a = operation(0, (1, 9), &[got(0, None), put(0, 1)]);
    let twice = operation(1, (1, 9), &[got(0, None), put(0, 2)]);
    let after = operation(1, (1, 9), &[got(0, 1), put(0, 2)]);
    assert!(check(&[a.clone(), twice]).is_err());
    assert_eq!(check(&[a, after]), Ok(()));
}

#[test]
fn logs_lose_nothing_and_are_read_in_their_order() {
    let appends = [operation(0, (1, 90), &[appended(0, 7, 0)]), operation(1, (1, 90), &[appended(0, 8, 1)])];
    let with = |effects: &[Effect]| check(&[&appends[..], &[operation(2, (2, 80), effects)]].concat());
    assert_eq!(with(&[listed(0, &[7])]), Ok(()));
    assert!(with(&[listed(0, &[8])]).is_err());
    assert!(with(&[appended(0, 9, 1)]).is_err());
    assert!(check(&[&appends[..], &[operation(2, (91, 92), &[listed(0, &[7])])]].concat()).is_err());
}

/// Two logs, read at once by two clients that see the appends in different orders.
#[test]
fn appends_to_two_logs_have_one_order() {
    let appends = [operation(0, (1, 90), &[appended(0, 7, 0)]), operation(1, (1, 90), &[appended(1, 8, 0)])];
    let one = operation(2, (2, 80), &[listed(0, &[7]), listed(1, &[])]);
    let other = operation(3, (2, 80), &[listed(0, &[]), listed(1, &[8])]);
    assert!(check(&[&appends[..], &[one.clone(), other]].concat()).is_err());
    assert_eq!(check(&[&appends[..], &[one]].concat()), Ok(()));
}
