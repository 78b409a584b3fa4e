//! Many seeds with all ordering rules: no anomaly, and no history that the checker cannot decide. With a rule taken away: found,
//! by what clients do when it is to be found.

use sim::check::ProgramOrder;
use sim::{Anomaly, Outcome, Plan, Rule, Rules, run};

fn outcome(seed: u64, rules: Rules, directed_at: Option<Rule>) -> Outcome {
    let theme = directed_at.map(Rule::theme);
    run(Plan { seed, rules, theme, program_order: ProgramOrder::Visible })
}

#[test]
fn all_rules_show_no_anomaly() {
    let mut sizes = std::collections::BTreeMap::new();
    let mut bad = Vec::new();
    for seed in 0..1000 {
        let outcome = outcome(seed, Rules::ALL, None);
        *sizes.entry(outcome.shards).or_insert(0) += 1;
        if !outcome.anomalies.is_empty() {
            bad.push(seed);
        }
    }
    assert_eq!(bad, Vec::<u64>::new(), "these seeds show one; replay with `sim --from SEED --seeds 1`");
    assert_eq!(sizes.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 8], "shards");
    assert!(sizes.values().all(|runs| *runs >= 80), "{sizes:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let trace = || outcome(seed, Rules::ALL, None).trace;
        assert_eq!(trace(), trace());
    }
}

#[test]
fn each_planted_fault_is_found_within_200_seeds() {
    for rule in Rule::ALL {
        let is_found = |seed| {
            let anomalies = outcome(seed, Rules::without(&[rule]), Some(rule)).anomalies;
            anomalies.iter().any(|anomaly| !matches!(anomaly, Anomaly::Undecided(_)))
        };
        assert!((0..200).any(is_found), "{}", rule.name());
    }
}
