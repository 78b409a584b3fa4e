//! Many seeds with all ordering rules: no anomaly, and no history that the checker cannot decide. With a rule taken away: found,
//! by what clients do when it is to be found.

use sim::check::ProgramOrder;
use sim::history::Record;
use sim::op::Op;
use sim::streams::StreamOp;
use sim::workload::Theme;
use sim::{Anomaly, Outcome, Plan, Rule, Rules, run};
use std::collections::BTreeMap;

/// `directed_at`: clients do what shows that this rule is missing; otherwise the seed chooses what they do.
fn outcome(seed: u64, rules: Rules, directed_at: Option<Rule>) -> Outcome {
    let theme = directed_at.map(Rule::theme);
    run(Plan { seed, rules, theme, program_order: ProgramOrder::Visible })
}

#[test]
fn all_rules_show_no_anomaly() {
    let mut met = BTreeMap::new();
    let mut bad = Vec::new();
    for seed in 0..1000 {
        let outcome = outcome(seed, Rules::ALL, None);
        if !outcome.anomalies.is_empty() {
            bad.push(seed);
        }
        let mut count = |what: String, times: u64| *met.entry(what).or_insert(0) += times;
        count(format!("runs with {} shards", outcome.shards), 1);
        count(format!("runs with {:?} clients", outcome.theme), 1);
        count("connections moved".to_owned(), outcome.moves);
        count("visits of those asleep".to_owned(), outcome.visits);
        count("replies sent in parts".to_owned(), outcome.cuts);
        count("messages heard".to_owned(), outcome.messages as u64);
        count("invalidations heard".to_owned(), outcome.invalidations as u64);
        for record in &outcome.history {
            let changed = record.returned.as_ref().is_some_and(|(_, reply)| !record.op.is_inert(reply));
            match &record.op {
                Op::FlushAll if changed => count("FLUSHALL".to_owned(), 1),
                Op::Kill(_) if changed => count("connections killed".to_owned(), 1),
                Op::Strike(..) => count("times at which something expires".to_owned(), 1),
                Op::Rename(..) if changed => count("RENAME".to_owned(), 1),
                Op::SUnionStore(..) if changed => count("SUNIONSTORE".to_owned(), 1),
                Op::Block { seen, .. } if changed => {
                    count("transactions".to_owned(), 1);
                    count("transactions after WATCH".to_owned(), u64::from(!seen.is_empty()));
                }
                Op::Refused => count("transactions refused".to_owned(), 1),
                Op::Script { ops, declared } if changed && *declared == ops.len() => {
                    count("scripts".to_owned(), 1);
                }
                Op::Script { .. } if changed => count("scripts with undeclared keys".to_owned(), 1),
                Op::Follow { .. } if changed => count("scripts that read which key they need".to_owned(), 1),
                Op::Stream(op) => count_stream_op(op, record, &mut count),
                Op::Publish { .. } => count("messages published".to_owned(), 1),
                Op::BlPop(..) | Op::BlMove(..) if changed => count("waited and served".to_owned(), 1),
                Op::BlPop(..) | Op::BlMove(..) if record.returned.is_some() => {
                    count("waited in vain".to_owned(), 1);
                }
                _ if record.returned.is_none() => count("requests never answered".to_owned(), 1),
                _ => {}
            }
            if record.seen.is_some() {
                count("requests watched".to_owned(), 1);
            }
        }
    }
    println!("{met:#?}");
    assert_eq!(bad, Vec::<u64>::new(), "these seeds show one; replay with `sim --from SEED --seeds 1`");
    assert_eq!(met.keys().filter(|what| what.ends_with("shards")).count(), 4, "{met:#?}");
    assert_eq!(met.len(), 4 + 10 + 18 + 3 + 7, "{met:#?}");
    assert!(met.values().all(|times| *times >= 40), "{met:#?}");
}

fn count_stream_op(op: &StreamOp, record: &Record, count: &mut impl FnMut(String, u64)) {
    let Some((_, reply)) = &record.returned else { return count("requests never answered".to_owned(), 1) };
    let is_served = !reply.is_null() && !reply.is_error();
    let what = match op {
        StreamOp::Add(..) => "entries added",
        StreamOp::Read { ms: Some(_), .. } if is_served => "readers of streams waited or found something",
        StreamOp::Read { ms: Some(_), .. } => "readers of streams waited in vain",
        StreamOp::ReadGroup { ms: Some(_), .. } if is_served => "consumers waited or found something",
        StreamOp::ReadGroup { ms: Some(_), .. } => "consumers waited in vain",
        StreamOp::Ack(..) if !op.is_inert(reply) => "entries acknowledged",
        StreamOp::Claim(..) if !op.is_inert(reply) => "entries claimed",
        _ => return,
    };
    count(what.to_owned(), 1);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for theme in [None, Some(Theme::Streams), Some(Theme::Messages), Some(Theme::Caches)] {
        for seed in 0..20 {
            let plan = Plan { seed, rules: Rules::ALL, theme, program_order: ProgramOrder::Visible };
            assert_eq!(run(plan).trace, run(plan).trace, "{plan:?}");
        }
    }
}

#[test]
fn each_planted_fault_is_found_within_500_seeds() {
    for rule in Rule::ALL {
        let is_found = |seed| {
            let anomalies = outcome(seed, Rules::without(&[rule]), Some(rule)).anomalies;
            anomalies.iter().any(|anomaly| !matches!(anomaly, Anomaly::Undecided(_)))
        };
        assert!((0..500).any(is_found), "{}", rule.name());
    }
}
