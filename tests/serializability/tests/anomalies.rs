//! Histories made by hand: one of each class of anomaly, each beside one that is right.

use serializability::history::{Effect, Key, NEVER, Number, Operation, Outcome};
use serializability::{Class, check};

const X: Key = Key::List(0);
const Y: Key = Key::List(1);
const Q: Key = Key::Queue(0);
const R: Key = Key::Owned(0);
const S: Key = Key::Owned(1);
const T: Key = Key::Shared(0);
const U: Key = Key::Shared(1);

fn append(key: Key, element: Number) -> Effect {
    Effect::Append { key, element, length: None }
}

fn append_as(key: Key, element: Number, length: u32) -> Effect {
    Effect::Append { key, element, length: Some(length) }
}

fn list(key: Key, elements: &[Number]) -> Effect {
    Effect::List { key, elements: elements.into() }
}

fn put(key: Key, value: Number) -> Effect {
    Effect::Put { key, value }
}

fn got(key: Key, value: impl Into<Option<Number>>) -> Effect {
    Effect::Got { key, value: value.into() }
}

fn exists(key: Key, is_there: bool) -> Effect {
    Effect::Exists { key, is_there }
}

fn push(key: Key, element: Number) -> Effect {
    Effect::Push { key, element }
}

fn pop(key: Key, element: Number) -> Effect {
    Effect::Pop { key, element }
}

/// An operation of a connection, between two times.
fn op(connection: u32, from: u64, to: u64, effects: impl Into<Vec<Effect>>) -> Operation {
    Operation {
        connection,
        name: "TEST",
        invoked_ns: from,
        completed_ns: to,
        outcome: Outcome::Done,
        is_conditional: false,
        asks_late: false,
        effects: effects.into(),
    }
}

/// One without a reply.
fn unknown(connection: u32, from: u64, effects: impl Into<Vec<Effect>>) -> Operation {
    Operation { outcome: Outcome::Unknown, ..op(connection, from, NEVER, effects) }
}

fn refused(connection: u32, from: u64, to: u64, effects: impl Into<Vec<Effect>>) -> Operation {
    Operation { outcome: Outcome::Refused, ..op(connection, from, to, effects) }
}

fn class(history: &[Operation]) -> Option<Class> {
    let found = check(history.to_vec()).err();
    found.map(|anomaly| {
        println!("{anomaly}\n");
        anomaly.class
    })
}

const NO_MORE: (bool, bool) = (false, false);

fn g_single((line, time): (bool, bool)) -> Option<Class> {
    Some(Class::GSingle { line, time })
}

fn g2((line, time): (bool, bool)) -> Option<Class> {
    Some(Class::G2 { line, time })
}

#[test]
fn g0_two_operations_write_two_keys_in_different_orders() {
    let writes = [op(1, 1, 9, [append(X, 1), append(Y, 2)]), op(2, 1, 9, [append(X, 3), append(Y, 4)])];
    let with = |x: &[Number], y: &[Number]| {
        let reads = [op(3, 10, 11, [list(X, x)]), op(3, 12, 13, [list(Y, y)])];
        class(&[&writes[..], &reads].concat())
    };
    assert_eq!(with(&[1, 3], &[2, 4]), None);
    assert_eq!(with(&[3, 1], &[4, 2]), None);
    assert_eq!(with(&[1, 3], &[4, 2]), Some(Class::WriteCycle { line: false, time: false }));
}

#[test]
fn g1a_what_was_refused_is_seen() {
    let history = |seen: &[Number]| {
        [refused(1, 1, 2, [append(X, 1)]), op(1, 3, 4, [append(X, 2)]), op(2, 5, 6, [list(X, seen)])]
    };
    assert_eq!(class(&history(&[2])), None);
    assert_eq!(class(&history(&[1, 2])), Some(Class::AbortedRead));
    let registers =
        |value| [refused(1, 1, 2, [put(R, 1)]), op(1, 3, 4, [put(R, 2)]), op(2, 5, 6, [got(R, value)])];
    assert_eq!(class(&registers(2)), None);
    assert_eq!(class(&registers(1)), Some(Class::AbortedRead));
}

#[test]
fn g1b_the_middle_of_an_operation_is_seen() {
    let history = |seen: &[Number]| {
        let block = op(1, 1, 9, [append(X, 1), append(X, 2)]);
        [block, op(2, 1, 9, [list(X, seen)]), op(3, 10, 11, [list(X, &[1, 2])])]
    };
    assert_eq!(class(&history(&[])), None);
    assert_eq!(class(&history(&[1, 2])), None);
    assert_eq!(class(&history(&[1])), Some(Class::IntermediateRead));
    let registers = |value| [op(1, 1, 9, [put(R, 1), put(R, 2)]), op(2, 1, 9, [got(R, value)])];
    assert_eq!(class(&registers(2)), None);
    assert_eq!(class(&registers(1)), Some(Class::IntermediateRead));
}

#[test]
fn g1c_two_operations_see_each_other() {
    let history = |first: &[Number], second: &[Number]| {
        let a = op(1, 1, 9, [append(X, 1), list(Y, first)]);
        let b = op(2, 1, 9, [append(Y, 2), list(X, second)]);
        [a, b, op(3, 10, 11, [list(X, &[1]), list(Y, &[2])])]
    };
    assert_eq!(class(&history(&[], &[1])), None);
    assert_eq!(class(&history(&[2], &[])), None);
    assert_eq!(class(&history(&[2], &[1])), Some(Class::InformationCycle { line: false, time: false }));
}

#[test]
fn g_single_a_read_sees_half_of_an_operation() {
    // A torn MULTI: of one block, one shard's part and not the other's.
    let history = |x: &[Number], y: &[Number]| {
        let block = op(1, 1, 9, [append(X, 1), append(Y, 2)]);
        [block, op(2, 1, 9, [list(X, x), list(Y, y)]), op(3, 10, 11, [list(X, &[1]), list(Y, &[2])])]
    };
    assert_eq!(class(&history(&[], &[])), None);
    assert_eq!(class(&history(&[1], &[2])), None);
    assert_eq!(class(&history(&[1], &[])), g_single(NO_MORE));
    assert_eq!(class(&history(&[], &[2])), g_single(NO_MORE));
}

#[test]
fn streams_are_checked_as_lists_are() {
    const V: Key = Key::Stream(0);
    const W: Key = Key::Stream(1);
    // Half of a transaction that adds to two streams.
    let history = |seen: &[Number]| {
        let block = op(1, 1, 9, [append(V, 1), append(W, 2)]);
        let reader = op(2, 1, 9, [list(V, &[1]), list(W, seen)]);
        [block, reader, op(3, 10, 11, [list(V, &[1]), list(W, &[2])])]
    };
    assert_eq!(class(&history(&[2])), None);
    assert_eq!(class(&history(&[])), g_single(NO_MORE));
    // Acknowledged, and not there.
    let lost = |seen: &[Number]| {
        [op(1, 1, 2, [append(V, 1)]), op(1, 3, 4, [append(V, 2)]), op(2, 5, 6, [list(V, seen)])]
    };
    assert_eq!(class(&lost(&[1, 2])), None);
    assert_eq!(class(&lost(&[1])), Some(Class::Lost));
    assert_eq!(
        class(&lost(&[2, 1])),
        class(&[op(1, 1, 2, [append(X, 1)]), op(1, 3, 4, [append(X, 2)]), op(2, 5, 6, [list(X, &[2, 1])])])
    );
    // From nowhere.
    assert_eq!(class(&[op(1, 1, 2, [list(V, &[7])])]), Some(Class::Nowhere));
}

#[test]
fn a_half_visible_script_is_found_in_reads_one_after_the_other() {
    let history = |y: &[Number]| {
        let script = op(1, 1, 9, [list(T_LIST, &[]), append(X, 1), append(Y, 2)]);
        let reads = [op(2, 2, 3, [list(X, &[1])]), op(2, 4, 5, [list(Y, y)])];
        let audit = op(3, 10, 11, [list(X, &[1]), list(Y, &[2])]);
        [&[script][..], &reads, &[audit]].concat()
    };
    const T_LIST: Key = Key::List(2);
    assert_eq!(class(&history(&[2])), None);
    assert_eq!(class(&history(&[])), g_single((false, true)));
}

#[test]
fn g2_two_operations_each_miss_the_other() {
    let history = |first: &[Number]| {
        let a = op(1, 1, 9, [list(Y, first), append(X, 1)]);
        let b = op(2, 1, 9, [list(X, &[]), append(Y, 2)]);
        [a, b, op(3, 10, 11, [list(X, &[1]), list(Y, &[2])])]
    };
    assert_eq!(class(&history(&[2])), None);
    assert_eq!(class(&history(&[])), g2(NO_MORE));
    let registers = |first: Option<Number>| {
        let a = op(1, 1, 9, [got(U, first), got(T, None), put(T, 1)]);
        let b = op(2, 1, 9, [got(T, None), got(U, None), put(U, 2)]);
        [a, b]
    };
    assert_eq!(class(&registers(Some(2))), None);
    assert_eq!(class(&registers(None)), g2(NO_MORE));
}

#[test]
fn a_lost_update_is_found() {
    // A WATCHed transaction that missed a change: what it had read is not what stands before what it appended.
    let history = |second: &[Number]| {
        let first = op(1, 1, 9, [list(X, &[]), append(X, 1)]);
        [first, op(2, 1, 9, [list(X, second), append(X, 2)]), op(3, 10, 11, [list(X, &[1, 2])])]
    };
    assert_eq!(class(&history(&[1])), None);
    assert_eq!(class(&history(&[])), Some(Class::LostUpdate));
    let registers = |seen: Option<Number>| {
        [op(1, 1, 9, [got(T, None), put(T, 1)]), op(2, 1, 9, [got(T, seen), put(T, 2)])]
    };
    assert_eq!(class(&registers(Some(1))), None);
    assert_eq!(class(&registers(None)), Some(Class::LostUpdate));
}

#[test]
fn real_time_is_kept() {
    let history = |seen: &[Number], from| {
        [op(1, 1, 5, [append(X, 1)]), op(2, from, 9, [list(X, seen)]), op(3, 10, 11, [list(X, &[1])])]
    };
    assert_eq!(class(&history(&[1], 6)), None);
    assert_eq!(class(&history(&[], 5)), None);
    assert_eq!(class(&history(&[], 6)), g_single((false, true)));
    // Two readers that disagree, one after the other, while the write is under way.
    let write = op(1, 1, 9, [put(R, 1)]);
    let reads = |a: Option<Number>, b: Option<Number>| [op(2, 2, 3, [got(R, a)]), op(3, 4, 5, [got(R, b)])];
    assert_eq!(class(&[&[write.clone()][..], &reads(None, Some(1))].concat()), None);
    assert_eq!(class(&[&[write][..], &reads(Some(1), None)].concat()), g_single((false, true)));
    // Over several keys: a push is over before another begins, which is seen without the first.
    let writes = [op(1, 1, 2, [append(X, 1)]), op(2, 3, 4, [append(Y, 2)])];
    let both = |x: &[Number]| {
        let reads = [op(3, 1, 9, [list(X, x), list(Y, &[2])]), op(3, 10, 11, [list(X, &[1])])];
        class(&[&writes[..], &reads].concat())
    };
    assert_eq!(both(&[1]), None);
    assert_eq!(both(&[]), g_single((false, true)));
}

#[test]
fn writes_of_a_connection_are_seen_in_its_order() {
    let history = |x: &[Number]| {
        let writes = [op(1, 1, 9, [append(X, 1)]), op(1, 1, 9, [append(Y, 2)])];
        let reads = [op(2, 2, 3, [list(Y, &[2])]), op(2, 4, 5, [list(X, x)]), op(2, 10, 11, [list(X, &[1])])];
        [&writes[..], &reads].concat()
    };
    assert_eq!(class(&history(&[1])), None);
    assert_eq!(class(&history(&[])), g_single((true, false)));
    let own = |seen| [op(1, 1, 5, [put(R, 1)]), op(1, 1, 6, [got(R, seen)])];
    assert_eq!(class(&own(Some(1))), None);
    assert_eq!(class(&own(None)), g_single((true, false)));
    let exists = |is_there| {
        [op(1, 1, 9, [put(R, 1)]), op(1, 1, 9, [put(S, 2)]), op(2, 1, 9, [got(S, 2), exists(R, is_there)])]
    };
    assert_eq!(class(&exists(true)), None);
    assert_eq!(class(&exists(false)), g_single((true, false)));
    // Two connections write two keys, each in its order: which of them is first may differ between the keys.
    let crossed = [
        op(1, 1, 9, [append(X, 1)]),
        op(1, 1, 9, [append(Y, 2)]),
        op(2, 1, 9, [append(Y, 3)]),
        op(2, 1, 9, [append(X, 4)]),
        op(3, 10, 11, [list(X, &[4, 1]), list(Y, &[2, 3])]),
    ];
    assert_eq!(class(&crossed), None);
}

#[test]
fn what_is_not_one_list_is_found() {
    let writes = [op(1, 1, 9, [append(X, 1)]), op(2, 1, 9, [append(X, 2)])];
    let with = |seen: &[&[Number]]| {
        let reads = seen.iter().enumerate().map(|(at, seen)| op(3 + at as u32, 1, 20, [list(X, seen)]));
        class(&writes.iter().cloned().chain(reads).collect::<Vec<_>>())
    };
    assert_eq!(with(&[&[1], &[1, 2]]), None);
    assert_eq!(with(&[&[2], &[1, 2]]), Some(Class::IncompatibleOrder));
    assert_eq!(with(&[&[1, 2], &[2, 1]]), Some(Class::IncompatibleOrder));
    assert_eq!(with(&[&[1, 2, 1]]), Some(Class::Duplicated));
    assert_eq!(with(&[&[1, 7, 2]]), Some(Class::Nowhere));
    let late = |seen: &[Number]| class(&[&writes[..], &[op(3, 10, 11, [list(X, seen)])]].concat());
    assert_eq!(late(&[1, 2]), None);
    assert_eq!(late(&[1]), Some(Class::Lost));
}

#[test]
fn replies_must_agree_with_what_is_seen() {
    let history = |length| {
        [
            op(1, 1, 9, [append(X, 1)]),
            op(2, 1, 9, [append_as(X, 2, length)]),
            op(3, 10, 11, [list(X, &[1, 2])]),
        ]
    };
    assert_eq!(class(&history(2)), None);
    assert_eq!(class(&history(1)), g_single(NO_MORE));
    assert!(class(&history(3)).is_some());
    let twice =
        |second: &[Number]| [op(1, 1, 9, [append(X, 1)]), op(2, 1, 9, [list(X, &[]), list(X, second)])];
    assert_eq!(class(&twice(&[])), None);
    assert!(class(&twice(&[1])).is_some());
    let own = |seen: &[Number]| [op(1, 1, 9, [append(X, 1), list(X, seen)])];
    assert_eq!(class(&own(&[1])), None);
    assert_eq!(class(&own(&[])), Some(Class::Internal));
    assert_eq!(class(&[op(1, 1, 9, [put(R, 1), got(R, None)])]), Some(Class::Internal));
    assert_eq!(class(&[op(1, 1, 9, [got(R, None), exists(R, true)])]), Some(Class::Internal));
}

#[test]
fn what_had_no_reply_happens_wholly_or_not_at_all() {
    let audit = |x: &[Number], y: &[Number]| {
        let history = [
            unknown(1, 1, [append(X, 1), append(Y, 2)]),
            op(3, 10, 11, [list(X, x)]),
            op(3, 12, 13, [list(Y, y)]),
            op(3, 14, 15, [list(X, x)]),
        ];
        class(&history)
    };
    assert_eq!(audit(&[], &[]), None);
    assert_eq!(audit(&[1], &[2]), None);
    assert_eq!(audit(&[], &[2]), Some(Class::Torn));
    assert_eq!(audit(&[1], &[]), Some(Class::Torn));
    // Not with a gap.
    let line = |x: &[Number], y: &[Number]| {
        let asked = [unknown(1, 1, [append(X, 1)]), unknown(1, 1, [append(Y, 2)])];
        let seen = [op(3, 10, 11, [list(Y, y)]), op(3, 12, 13, [list(X, x)])];
        class(&[&asked[..], &seen].concat())
    };
    assert_eq!(line(&[], &[]), None);
    assert_eq!(line(&[1], &[]), None);
    assert_eq!(line(&[1], &[2]), None);
    assert_eq!(line(&[], &[2]), Some(Class::Gap));
}

#[test]
fn nothing_of_a_killed_connection_happens_after_the_answer() {
    let history = |killed_ns| {
        let killed = Operation { completed_ns: killed_ns, ..unknown(1, 1, [append(X, 1)]) };
        [killed, op(2, 5, 6, [list(X, &[])]), op(2, 7, 8, [list(X, &[1])])]
    };
    assert_eq!(class(&history(NEVER)), None);
    assert_eq!(class(&history(6)), None);
    assert_eq!(class(&history(4)), g_single((true, false)));
}

#[test]
fn each_element_of_a_queue_leaves_once_and_in_order() {
    let pushes = [op(1, 1, 2, [push(Q, 1)]), op(1, 3, 4, [push(Q, 2)]), op(1, 5, 6, [push(Q, 3)])];
    let with = |pops: &[Operation], left: &[Number]| {
        class(&[&pushes[..], pops, &[op(9, 90, 91, [list(Q, left)])]].concat())
    };
    assert_eq!(with(&[], &[1, 2, 3]), None);
    assert_eq!(with(&[op(2, 7, 8, [pop(Q, 1)])], &[2, 3]), None);
    assert_eq!(with(&[op(2, 7, 8, [pop(Q, 1)]), op(3, 7, 8, [pop(Q, 1)])], &[2, 3]), Some(Class::Duplicated));
    assert_eq!(with(&[op(2, 7, 8, [pop(Q, 1)])], &[1, 2, 3]), Some(Class::Duplicated));
    assert_eq!(with(&[op(2, 7, 8, [pop(Q, 1)])], &[3]), Some(Class::Lost));
    assert_eq!(with(&[op(2, 7, 8, [pop(Q, 5)])], &[1, 2, 3]), Some(Class::Nowhere));
    assert_eq!(with(&[], &[2, 1, 3]), Some(Class::IncompatibleOrder));
    let pair = |second_ns| [op(2, 7, 10, [pop(Q, 2)]), op(3, second_ns, 20, [pop(Q, 1)])];
    assert_eq!(with(&pair(9), &[3]), None);
    assert_eq!(with(&pair(11), &[3]), Some(Class::WriteCycle { line: false, time: true }));
    assert!(with(&[op(2, 7, 8, [pop(Q, 2)])], &[1, 3]).is_some());
}

#[test]
fn what_is_lost_with_a_connection_was_asked_by_it() {
    let history = |from, killed_ns, left: &[Number]| {
        let asked = [Effect::MayMove { from: [Key::Queue(from)].into(), to: None }];
        let killed = Operation { completed_ns: killed_ns, ..unknown(2, 1, asked) };
        let pushes = [op(1, 5, 6, [push(Q, 1)]), op(1, 7, 8, [push(Q, 2)])];
        class(&[&pushes[..], &[killed, op(9, 90, 91, [list(Q, left)])]].concat())
    };
    assert_eq!(history(0, NEVER, &[1, 2]), None);
    assert_eq!(history(0, NEVER, &[2]), None);
    assert_eq!(history(0, 6, &[2]), None);
    assert_eq!(history(0, 4, &[2]), Some(Class::Lost));
    assert_eq!(history(0, NEVER, &[]), Some(Class::Lost));
    assert_eq!(history(1, NEVER, &[2]), Some(Class::Lost));
    let ask = || Effect::MayMove { from: [Key::Queue(1), Q].into(), to: None };
    let pushes = [op(1, 5, 6, [push(Q, 1)]), op(1, 7, 8, [push(Q, 2)]), op(9, 90, 91, [list(Q, &[])])];
    assert_eq!(class(&[&pushes[..], &[unknown(2, 1, [ask()])]].concat()), Some(Class::Lost));
    assert_eq!(class(&[&pushes[..], &[unknown(2, 1, [ask(), ask()])]].concat()), None);
}

#[test]
fn moved_elements_arrive_once() {
    let moves = |outcome: Operation, x: &[Number], left: &[Number]| {
        class(&[
            op(1, 1, 2, [push(Q, 1)]),
            outcome,
            op(9, 90, 91, [list(X, x)]),
            op(9, 92, 93, [list(Q, left)]),
        ])
    };
    let told = || op(2, 3, 4, [pop(Q, 1), append(X, 1)]);
    let untold = || unknown(2, 3, [Effect::MayMove { from: [Q].into(), to: Some(X) }]);
    assert_eq!(moves(told(), &[1], &[]), None);
    assert_eq!(moves(told(), &[], &[]), Some(Class::Lost));
    assert_eq!(moves(told(), &[1], &[1]), Some(Class::Duplicated));
    assert_eq!(moves(untold(), &[1], &[]), None);
    assert_eq!(moves(untold(), &[], &[1]), None);
    assert_eq!(moves(untold(), &[], &[]), Some(Class::Lost));
    assert_eq!(moves(op(2, 3, 4, []), &[1], &[]), Some(Class::Nowhere));
    // A transaction without a reply has moved it between two of its own.
    let asked = Effect::MayMove { from: [Q].into(), to: Some(X) };
    let block = unknown(2, 3, [append(X, 2), asked, append(X, 3)]);
    let history = [op(1, 1, 2, [push(Q, 1)]), untold(), block, op(9, 90, 91, [list(X, &[2, 1, 3])])];
    assert_eq!(class(&history), None);
    // Neither the one who pushed nor the one who moved was told.
    let both = [unknown(1, 1, [push(Q, 1)]), untold(), op(9, 90, 91, [list(X, &[1])])];
    assert_eq!(class(&both), None);
}

#[test]
fn nobody_is_told_that_nothing_is_there_when_something_is() {
    let nothing = |from, to| {
        let found = op(2, from, to, [Effect::Nothing { key: Q }]);
        class(&[op(1, 3, 4, [push(Q, 1)]), found, op(3, 8, 9, [pop(Q, 1)])])
    };
    assert_eq!(nothing(1, 5), None);
    assert_eq!(nothing(5, 9), None);
    assert_eq!(nothing(5, 7), Some(Class::Overlooked));
}
