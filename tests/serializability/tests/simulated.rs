//! Histories of the simulation, of transactions and scripts beside single commands, and of streams: right as long as the rules of the turn are kept, and not
//! when one of them is taken away. What the simulation's own check finds by a search for an order, this one finds by cycles.

use serializability::history::{Effect, Key, NEVER, Number, Operation, Outcome};
use serializability::{Anomaly, check};
use sim::check::ProgramOrder;
use sim::history::Record;
use sim::op::{Op, followed};
use sim::streams::{StreamOp, entries};
use sim::workload::Theme;
use sim::{Plan, Rule, Rules, run};
use testkit::Value;

/// The number in a string such as `v17`; every string has another.
fn number(text: &[u8]) -> Option<Number> {
    std::str::from_utf8(text).ok()?.get(1..)?.parse().ok()
}

/// What an operation did and saw; without a reply, what it would write.
fn effects(op: &Op, reply: Option<&Value>) -> Vec<Effect> {
    let string = |key: &usize| Key::Shared(*key as u32);
    let list = |key: &usize| Key::List(*key as u32);
    let put = |key: &usize, text: &[u8]| {
        number(text).map(|value| Effect::Put { key: string(key), value }).into_iter().collect::<Vec<_>>()
    };
    let got =
        |key: &usize, reply: &Value| Effect::Got { key: string(key), value: reply.bytes().and_then(number) };
    let of_parts = |ops: &[Op]| {
        let replies = reply.and_then(Value::items);
        let reply = |at: usize| replies.map(|replies| &replies[at]);
        ops.iter().enumerate().flat_map(|(at, op)| effects(op, reply(at))).collect()
    };
    match (op, reply) {
        (Op::Set(key, text), _) => put(key, text),
        (Op::MSet(pairs), _) => pairs.iter().flat_map(|(key, text)| put(key, text)).collect(),
        (Op::Get(key) | Op::Peek(key, _), Some(reply)) => vec![got(key, reply)],
        (Op::MGet(keys), Some(Value::Array(replies))) => {
            keys.iter().zip(replies).map(|(key, reply)| got(key, reply)).collect()
        }
        (Op::RPush(key, text), reply) => {
            let length = reply.and_then(Value::integer).map(|length| length as u32);
            let append = |element| Effect::Append { key: list(key), element, length };
            number(text).map(append).into_iter().collect()
        }
        (Op::LRange(key) | Op::PeekList(key, _), Some(Value::Array(items))) => {
            let elements = items.iter().filter_map(|item| number(item.bytes()?)).collect();
            vec![Effect::List { key: list(key), elements }]
        }
        (Op::Stream(StreamOp::Add(key, text)), _) => {
            let append = |element| Effect::Append { key: Key::Stream(*key as u32), element, length: None };
            number(text).map(append).into_iter().collect()
        }
        (Op::Stream(StreamOp::Range(key)), Some(reply)) => {
            let elements =
                entries(reply).unwrap_or_default().iter().filter_map(|entry| number(&entry.text)).collect();
            vec![Effect::List { key: Key::Stream(*key as u32), elements }]
        }
        (Op::Block { seen, ops }, _) => {
            let mut all: Vec<Effect> = Vec::new();
            if reply.is_some() {
                let look = |key: &usize, reply: &Value| match reply {
                    Value::Array(_) => effects(&Op::LRange(*key), Some(reply)),
                    _ => effects(&Op::Get(*key), Some(reply)),
                };
                all.extend(seen.iter().flat_map(|(key, reply)| look(key, reply)));
            }
            let parts: Vec<Effect> = of_parts(ops);
            all.extend(parts);
            all
        }
        (Op::Script { ops, .. }, _) => of_parts(ops),
        (Op::Follow { string: key, lists, text, .. }, Some(Value::Array(replies))) => {
            let to = followed(lists, replies[0].bytes().unwrap_or_default());
            let push = effects(&Op::RPush(to, text.clone()), Some(&replies[1]));
            [vec![got(key, &replies[0])], push].concat()
        }
        _ => Vec::new(),
    }
}

fn operation(record: &Record) -> Operation {
    let (completed_ns, reply) = match &record.returned {
        Some((at, reply)) => (*at, Some(reply)),
        None => (NEVER, None),
    };
    Operation {
        connection: record.link as u32,
        name: "in the simulation,",
        invoked_ns: record.invoked,
        completed_ns,
        outcome: if reply.is_some() { Outcome::Done } else { Outcome::Unknown },
        is_conditional: matches!(&record.op, Op::Block { seen, .. } if !seen.is_empty()),
        asks_late: record.op.asks_late(),
        effects: effects(&record.op, reply),
    }
}

/// The anomaly of a run, and how many operations it had.
fn judge(seed: u64, rules: Rules, theme: Theme) -> (Option<Anomaly>, usize) {
    let program_order = ProgramOrder::Visible;
    let outcome = run(Plan { seed, rules, theme: Some(theme), program_order });
    // Which list it would have been is not known.
    let is_told = |record: &&Record| record.returned.is_some() || !matches!(record.op, Op::Follow { .. });
    if !outcome.history.iter().all(|record| is_told(&record)) {
        return (None, 0);
    }
    let operations: Vec<Operation> = outcome.history.iter().map(operation).collect();
    let count = operations.len();
    (check(operations).err(), count)
}

#[test]
fn all_rules_show_no_anomaly() {
    let mut count = 0;
    for theme in [Theme::Whole, Theme::Streams] {
        for seed in 0..300 {
            let (anomaly, operations) = judge(seed, Rules::ALL, theme);
            assert_eq!(anomaly, None, "seed {seed}, {theme:?}");
            count += operations;
        }
    }
    println!("{count} operations");
    assert!(count > 40_000, "{count}");
}

#[test]
fn missing_rules_of_operations_on_several_shards_are_found() {
    for rule in [Rule::Exclusive, Rule::Sides, Rule::Own] {
        let mut seeds = 0..300;
        let found =
            seeds.find_map(|seed| Some((seed, judge(seed, Rules::without(&[rule]), Theme::Whole).0?)));
        let (seed, anomaly) = found.unwrap_or_else(|| panic!("{} is not found", rule.name()));
        println!("without {}, seed {seed}: {anomaly}", rule.name());
    }
}
