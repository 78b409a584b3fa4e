//! Operations with what any order of them must keep: the constraints, in the form that the search and the witness work on.

use crate::check::ProgramOrder;
use crate::history::Record;
use crate::model::settle;
use crate::op::{Key, Op, Text};
use std::collections::HashMap;
use testkit::Value;

/// An operation.
pub struct Node<'a> {
    pub record: &'a Record,
    pub reply: Option<Value>,
    /// It has a reply, which says that nothing was changed.
    pub is_inert: bool,
    /// Strings that its reply shows, with their keys.
    pub sights: Vec<(Key, Text)>,
    pub invoked: u64,
    /// `u64::MAX` without a reply.
    pub returned: u64,
    /// Operations that come before, if this one is done at all; by number.
    pub before: Vec<usize>,
    /// If this one is done, that one is, sooner or later: neither has a reply, and its connection sent that one before.
    pub requires: Option<usize>,
    /// Once this one is done, it will never be.
    pub ended_by: Option<usize>,
}

impl Node<'_> {
    /// Whether it may have come without doing anything, and nobody knows: a transaction after WATCH without a reply.
    pub fn may_be_nothing(&self) -> bool {
        self.reply.is_none() && matches!(&self.record.op, Op::Block { seen, .. } if !seen.is_empty())
    }
}

/// The operations of a history that say something, by time of sending.
pub fn nodes(history: &[Record], program_order: ProgramOrder) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node<'_>> = Vec::new();
    // Reads without a reply say nothing.
    for record in history.iter().filter(|record| record.returned.is_some() || record.op.is_write()) {
        let returned = record.returned.as_ref();
        nodes.push(Node {
            record,
            is_inert: returned.is_some_and(|(_, reply)| record.op.is_inert(reply)),
            sights: returned.map_or_else(Vec::new, |(_, reply)| sights(&record.op, reply)),
            reply: returned.map(|(_, reply)| settle(&record.op, reply.clone())),
            invoked: record.invoked,
            returned: returned.map_or(u64::MAX, |(at, _)| *at),
            before: before(&nodes, record, program_order),
            requires: requires(&nodes, record),
            ended_by: None,
        });
    }
    if program_order == ProgramOrder::Visible {
        order_what_is_seen(&mut nodes);
    }
    order_what_is_watched(&mut nodes);
    order_ends(&mut nodes);
    nodes.iter_mut().for_each(|node| {
        node.before.sort_unstable();
        node.before.dedup();
    });
    nodes
}

/// Whoever looks at the same keys later than a watcher saw what was asked, sees what that did.
fn order_what_is_watched(nodes: &mut [Node<'_>]) {
    for watched in 0..nodes.len() {
        let record = nodes[watched].record;
        let Some(seen) = record.seen else { continue };
        for node in nodes.iter_mut().filter(|node| node.invoked > seen && looks_at(node, record)) {
            node.before.push(watched);
        }
    }
}

/// What a killed connection has asked happens before, or never. Only where no operation asks for keys late: such a one, and what waits
/// for its keys, may still be under way.
fn order_ends(nodes: &mut [Node<'_>]) {
    if nodes.iter().any(|node| node.record.op.asks_late()) {
        return;
    }
    for end in 0..nodes.len() {
        let Op::Kill(link) = nodes[end].record.op else { continue };
        if nodes[end].is_inert {
            continue;
        }
        for index in (0..nodes.len()).filter(|index| *index != end) {
            if nodes[index].record.link != link {
                continue;
            }
            nodes[index].ended_by = Some(end);
            if nodes[index].reply.is_some() || nodes[index].record.seen.is_some() {
                nodes[end].before.push(index);
            }
        }
    }
}

/// The strings that a reply shows. Numbers are not written once, and do not count.
fn sights(op: &Op, reply: &Value) -> Vec<(Key, Text)> {
    let replies = match (op, reply) {
        (Op::Get(key), reply) => vec![(*key, reply)],
        (Op::MGet(keys), Value::Array(items)) => keys.iter().copied().zip(items).collect(),
        _ => Vec::new(),
    };
    let text = |(key, reply): (Key, &Value)| match reply {
        Value::Bulk(text) if text[0].is_ascii_alphabetic() => Some((key, text.clone())),
        _ => None,
    };
    replies.into_iter().filter_map(text).collect()
}

/// The operations among `nodes` that must come before `record` because its connection sent them earlier.
fn before(nodes: &[Node<'_>], record: &Record, program_order: ProgramOrder) -> Vec<usize> {
    let mut found = Vec::new();
    let earlier = || nodes.iter().enumerate().rev().filter(|(_, node)| node.record.link == record.link);
    if record.op.is_write() && program_order == ProgramOrder::Total {
        found.extend(earlier().find(|(_, node)| node.record.op.is_write()).map(|(index, _)| index));
    }
    // Of those that share a key, the last one will do for each key: they are in order themselves.
    match record.op.keys() {
        None => found.extend(earlier().map(|(index, _)| index)),
        Some(keys) => found.extend(keys.into_iter().filter_map(|key| {
            let shares = |node: &Node<'_>| node.record.op.keys().is_none_or(|keys| keys.contains(&key));
            earlier().find(|(_, node)| shares(node)).map(|(index, _)| index)
        })),
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The write that may not be left out if `record` is done. A transaction after WATCH may have had nothing to do.
fn requires(nodes: &[Node<'_>], record: &Record) -> Option<usize> {
    if record.returned.is_some() || !record.op.is_write() {
        return None;
    }
    let is_own = |node: &Node<'_>| {
        node.record.link == record.link && node.record.op.is_write() && !node.may_be_nothing()
    };
    let previous = nodes.iter().rposition(is_own)?;
    nodes[previous].reply.is_none().then_some(previous)
}

/// Whoever sees a write, at once or later sees those that its connection sent before.
fn order_what_is_seen(nodes: &mut [Node<'_>]) {
    let mut writer = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        node.record.op.new_texts().into_iter().for_each(|text| {
            writer.insert(text.clone(), index);
        });
    }
    for observer in 0..nodes.len() {
        let texts = nodes[observer].reply.as_ref().map_or_else(Vec::new, texts_of);
        for &seen in texts.iter().filter_map(|text| writer.get(text)) {
            let link = nodes[seen].record.link;
            let earlier = |node: &Node<'_>| node.record.link == link && node.record.op.is_write();
            for first in (0..seen).filter(|&index| earlier(&nodes[index])).collect::<Vec<_>>() {
                let record = nodes[first].record;
                let later = nodes[observer].returned;
                for (index, node) in nodes.iter_mut().enumerate() {
                    if looks_at(node, record) && index != first && (index == observer || node.invoked > later)
                    {
                        node.before.push(first);
                    }
                }
            }
        }
    }
}

/// All strings in a reply that some operation wrote. Appended ones stand one behind the other.
fn texts_of(reply: &Value) -> Vec<Text> {
    match reply {
        Value::Bulk(whole) => texts(whole),
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

/// The strings that a value consists of, by the letters they begin with.
fn texts(whole: &[u8]) -> Vec<Text> {
    let starts: Vec<usize> = (0..whole.len()).filter(|&at| !whole[at].is_ascii_digit()).collect();
    let ends = starts.iter().skip(1).copied().chain([whole.len()]);
    starts.iter().zip(ends).map(|(&start, end)| whole[start..end].to_vec()).collect()
}

/// Whether an operation touches what another does. Time passes without looking.
fn looks_at(node: &Node<'_>, record: &Record) -> bool {
    let (keys, others) = (node.record.op.keys(), record.op.keys());
    !matches!(node.record.op, Op::Strike(..)) && meets(keys.as_deref(), others.as_deref())
}

/// Whether two sets of keys have one in common; `None` is all keys.
fn meets(some: Option<&[Key]>, others: Option<&[Key]>) -> bool {
    match (some, others) {
        (Some(some), Some(others)) => some.iter().any(|key| others.contains(key)),
        (None, Some(keys)) | (Some(keys), None) => !keys.is_empty(),
        (None, None) => true,
    }
}
