//! Processes whose power goes at any moment: nothing that was acknowledged or seen is lost, nothing is there by halves. Each planted mistake is found.

use sim::crash::{Mistake, Survived, run};

#[test]
fn what_was_acknowledged_or_seen_is_there_after_any_crash() {
    let mut all = Survived::default();
    for seed in 0..400 {
        let survived = run(seed, None).unwrap_or_else(|wrong| panic!("{wrong}"));
        all.crashes += survived.crashes;
        all.crashes_of_disk += survived.crashes_of_disk;
        all.crashes_amid += survived.crashes_amid;
        all.acknowledged += survived.acknowledged;
        all.rounds += survived.rounds;
        all.other_shards += survived.other_shards;
    }
    println!("{all:?}");
    assert!(all.crashes_of_disk > 300 && all.crashes_amid > 600, "{all:?}");
    assert!(all.acknowledged > 30_000 && all.rounds > 15_000, "{all:?}");
    assert!(all.other_shards > 600, "{all:?}");
}

#[test]
fn each_planted_mistake_is_found() {
    for mistake in Mistake::ALL {
        let found = (0..100).find_map(|seed| run(seed, Some(mistake)).err());
        println!("{mistake:?}: {}", found.as_deref().unwrap_or("not found"));
        assert!(found.is_some(), "{mistake:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..10 {
        assert_eq!(run(seed, None), run(seed, None), "{seed}");
        assert_eq!(run(seed, Some(Mistake::Gate)), run(seed, Some(Mistake::Gate)), "{seed}");
    }
}
