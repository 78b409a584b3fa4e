//! Many seeds with all ordering rules: no anomaly (histories that the checker cannot decide in its budget do not count). With a rule
//! taken away: found.

use sim::check::ProgramOrder;
use sim::{Anomaly, Plan, Rule, Rules, run};

fn anomalies(seeds: std::ops::Range<u64>, rules: Rules) -> Vec<u64> {
    let broken = |seed: &u64| {
        let plan = Plan { seed: *seed, rules, multi: true, program_order: ProgramOrder::Visible };
        run(plan).anomalies.iter().any(|anomaly| !matches!(anomaly, Anomaly::Undecided(_)))
    };
    seeds.filter(broken).collect()
}

#[test]
fn all_rules_show_no_anomaly() {
    assert_eq!(
        anomalies(0..300, Rules::ALL),
        Vec::<u64>::new(),
        "these seeds show one; replay with `sim --from SEED --seeds 1`"
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    let plan = |seed| Plan { seed, rules: Rules::ALL, multi: true, program_order: ProgramOrder::Visible };
    for seed in 0..10 {
        assert_eq!(run(plan(seed)).trace, run(plan(seed)).trace);
    }
}

#[test]
fn a_rule_taken_away_is_found() {
    assert!(!anomalies(0..200, Rules::without(&[Rule::Behind])).is_empty());
    for rule in [Rule::Exclusive, Rule::Sides, Rule::Own] {
        assert!(!anomalies(0..150, Rules::without(&[rule])).is_empty(), "{}", rule.name());
    }
}
