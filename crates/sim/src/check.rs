//! Is there an order of all operations in which each reply is right, and which agrees with what was observed?
//!
//! The order must keep
//! - real time: what was answered before something else was sent stands before it (strict serializability);
//! - what a client saw another ask, by MONITOR: whoever looks at the same keys afterwards sees what it did;
//! - the writes of each connection in the order they were sent (invariant 3), pipelined or not;
//! - of two operations of one connection that share a key, the one sent first before the other;
//! - the end of a connection that was killed: what it asked stands before that, or is never done;
//! - the moment at which a key expires.
//!
//! Operations without a reply may be left out, but not with a gap: if one is done, so are the writes its connection sent before.
//!
//! Whether any order does is a hard question in general. But the simulator has seen in which order each shard executed what: that gives,
//! in polynomial time, one order ([`crate::witness`]), and [`proves`] checks it against everything above, trusting nothing
//! of what the simulator saw. Only when that order fails is there a search ([`crate::search`]), and only it says that there is none.

use crate::history::Record;
use crate::model::State;
use crate::nodes::{Node, nodes};
use crate::search::search;
use crate::witness::{self, Clocks, Witness};

/// What the order keeps of the order in which a connection sends writes to different keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramOrder {
    /// Whoever sees the later one, in the same operation or in one sent after the reply to that, sees the earlier one. This is what the
    /// engine promises.
    Visible,
    /// They stand in the order in that order. This is more: see the crate's documentation.
    Total,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Serializable,
    /// There is no such order; where the longest attempt ended.
    Anomalous(String),
    /// Too many possibilities were tried; where the longest attempt ended.
    Undecided(String),
}

/// Checks a history; a search tries at most `budget` places.
pub fn check(
    history: &[Record],
    witness: Option<&Witness<'_>>,
    program_order: ProgramOrder,
    budget: usize,
) -> Verdict {
    let nodes = nodes(history, program_order);
    let shows = |clocks| {
        let order = witness.and_then(|witness| witness::order(&nodes, witness, clocks));
        order.is_some_and(|order| {
            proves(&nodes, &order) || proves(&nodes, &witness::wait_earlier(&nodes, order))
        })
    };
    if shows(Clocks::One) || shows(Clocks::Several) {
        return Verdict::Serializable;
    }
    search(&nodes, budget)
}

/// Whether this order of operations keeps all constraints and gives all replies. What is not in it is left out.
pub fn proves(nodes: &[Node<'_>], order: &[usize]) -> bool {
    let mut place = vec![usize::MAX; nodes.len()];
    for (at, &index) in order.iter().enumerate() {
        if std::mem::replace(&mut place[index], at) != usize::MAX {
            return false;
        }
    }
    let left_out = nodes.iter().zip(&place).filter(|(_, place)| **place == usize::MAX);
    if left_out.into_iter().any(|(node, _)| node.reply.is_some() || node.record.seen.is_some()) {
        return false;
    }
    let has_gap = |index: &usize| nodes[*index].requires.is_some_and(|other| place[other] == usize::MAX);
    if order.iter().any(has_gap) {
        return false;
    }
    let keeps = |index: &usize| {
        let node = &nodes[*index];
        let is_kept = |other: &usize| {
            place[*other] < place[*index] || place[*other] == usize::MAX && nodes[*other].may_be_nothing()
        };
        node.before.iter().all(is_kept) && node.ended_by.is_none_or(|end| place[*index] < place[end])
    };
    let mut earliest_return = u64::MAX;
    let in_time = |index: &usize| {
        let is_late = nodes[*index].invoked > earliest_return;
        earliest_return = earliest_return.min(nodes[*index].returned);
        !is_late
    };
    if !order.iter().all(keeps) || !order.iter().rev().all(in_time) {
        return false;
    }
    let used = nodes.iter().filter_map(|node| node.record.op.keys()).flatten();
    let mut state = State::new(used.max().map_or(0, |key| key + 1));
    order.iter().all(|&index| {
        let reply = state.apply(&nodes[index].record.op);
        nodes[index].reply.as_ref().is_none_or(|expected| *expected == reply)
    })
}

/// The replies of an anomalous history that suffice to show that no order explains it; the rest could have been anything.
pub fn core(history: &[Record], program_order: ProgramOrder, budget: usize) -> Vec<Record> {
    let mut left = history.to_vec();
    // What came late explains little: it goes first.
    for index in (0..left.len()).rev() {
        let Some(returned) = left[index].returned.take() else { continue };
        if !matches!(check(&left, None, program_order, budget), Verdict::Anomalous(_)) {
            left[index].returned = Some(returned);
        }
    }
    left.retain(|record| record.returned.is_some());
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Op;
    use testkit::Value;

    fn record(link: usize, op: Op, invoked: u64, returned: Option<(u64, Value)>) -> Record {
        let request = op.args(&["a".to_owned(), "b".to_owned()]);
        Record { link, op, request, invoked, returned, seen: None }
    }

    fn set(link: usize, key: usize, text: &str, invoked: u64, returned: u64) -> Record {
        let reply = (returned > 0).then(|| (returned, Value::simple("OK")));
        record(link, Op::Set(key, text.as_bytes().to_vec()), invoked, reply)
    }

    fn get(link: usize, key: usize, text: &str, invoked: u64, returned: u64) -> Record {
        let value = if text.is_empty() { Value::Null } else { Value::bulk(text) };
        record(link, Op::Get(key), invoked, Some((returned, value)))
    }

    fn is_fine(history: &[Record]) -> bool {
        match check(history, None, ProgramOrder::Visible, 1000) {
            Verdict::Serializable => true,
            Verdict::Anomalous(_) => false,
            Verdict::Undecided(_) => panic!("such a small history"),
        }
    }

    #[test]
    fn an_answered_write_is_seen() {
        assert!(is_fine(&[set(0, 0, "a", 1, 2), get(1, 0, "a", 3, 4)]));
        assert!(!is_fine(&[set(0, 0, "a", 1, 2), get(1, 0, "", 3, 4)]));
        assert!(is_fine(&[set(0, 0, "a", 1, 5), get(1, 0, "", 3, 4)]));
        assert!(!is_fine(&[set(0, 0, "a", 1, 9), get(1, 0, "a", 2, 3), get(1, 0, "", 4, 5)]));
    }

    #[test]
    fn writes_of_a_connection_are_seen_in_order() {
        let writes = |returned| vec![set(0, 0, "a", 1, returned), set(0, 1, "b", 1, returned)];
        let mget = |first: &str, second: &str| {
            let value = |text: &str| if text.is_empty() { Value::Null } else { Value::bulk(text) };
            record(1, Op::MGet(vec![0, 1]), 2, Some((3, Value::Array(vec![value(first), value(second)]))))
        };
        for returned in [0, 9] {
            for (first, second, fine) in [("a", "b", true), ("a", "", true), ("", "", true), ("", "b", false)]
            {
                let mut history = writes(returned);
                history.push(mget(first, second));
                assert_eq!(is_fine(&history), fine, "{first} {second} {returned}");
            }
            let mut history = writes(returned);
            history.extend([get(1, 1, "b", 2, 3), get(1, 0, "", 4, 5)]);
            assert!(!is_fine(&history));
        }
    }

    /// Nobody can tell which of them came first, but both are there.
    #[test]
    fn writes_without_a_reply_leave_no_gap() {
        let strike = |key, at_ms| record(9, Op::Strike(key, at_ms), 4, Some((4, Value::Null)));
        let expiring = || record(0, Op::SetUntil(1, b"b".to_vec(), 5), 1, None);
        let history = |seen: &str| {
            vec![set(0, 0, "a", 1, 0), expiring(), get(1, 1, "b", 2, 3), strike(1, 5), get(2, 0, seen, 5, 6)]
        };
        assert!(is_fine(&history("a")));
        assert!(!is_fine(&history("")));
    }

    #[test]
    fn a_connection_sees_its_own_writes() {
        assert!(is_fine(&[set(0, 0, "a", 1, 5), get(0, 0, "a", 1, 6)]));
        assert!(!is_fine(&[set(0, 0, "a", 1, 5), get(0, 0, "", 1, 6)]));
        // A read of another key may overtake a write.
        assert!(is_fine(&[
            set(0, 0, "a", 1, 5),
            get(0, 1, "", 1, 6),
            set(1, 1, "b", 2, 3),
            get(1, 0, "", 4, 5)
        ]));
    }

    #[test]
    fn two_readers_must_agree() {
        let writes = [set(0, 0, "a", 1, 9), set(1, 1, "b", 1, 9)];
        let reads = [get(2, 0, "a", 2, 3), get(2, 1, "", 4, 5), get(3, 1, "b", 2, 3), get(3, 0, "", 4, 5)];
        let mut history = writes.to_vec();
        history.extend(reads);
        history.sort_by_key(|r| r.invoked);
        assert!(!is_fine(&history));
    }
}
