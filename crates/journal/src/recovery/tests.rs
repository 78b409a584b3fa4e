//! Cuts against a model, after crashes that keep any prefix of each file.

use super::*;
use base::random::Random;

fn part(offset: u64, tx: u64, parts: u16) -> Part {
    Part { offset, tx: TxId(tx), parts }
}

fn remains(whole_bytes: u64, parts: &[Part]) -> Remains<'_> {
    Remains { whole_bytes, safe_bytes: 0, parts }
}

#[test]
fn cuts_go_on_until_nothing_is_torn() {
    let a = [part(0, 1, 2), part(10, 2, 2)];
    let b = [part(5, 1, 2), part(50, 3, 2)];
    let c = [part(7, 3, 2), part(70, 4, 1)];
    let files = [remains(100, &a), remains(100, &b), remains(100, &c)];
    assert_eq!(cuts(&files), Ok(vec![10, 100, 100]));
    // Those of one round go together.
    let c = [part(7, 4, 1), part(7, 3, 2)];
    let d = [part(7, 3, 3), part(9, 5, 1)];
    assert_eq!(cuts(&[remains(100, &c), remains(100, &d)]), Ok(vec![7, 7]));
    let c = [part(7, 3, 2), part(70, 4, 1)];
    let b = [part(5, 2, 2), part(50, 3, 2)];
    let a = [part(0, 9, 2), part(10, 2, 2)];
    let files = [remains(100, &a), remains(100, &b), remains(100, &c)];
    assert_eq!(cuts(&files), Ok(vec![0, 5, 7]));
    assert_eq!(cuts(&[]), Ok(vec![]));
}

#[test]
fn what_was_safe_is_not_cut() {
    let (a, b) = ([part(10, 1, 2)], [part(20, 2, 1)]);
    let safe = Remains { whole_bytes: 100, safe_bytes: 11, parts: &a };
    let lost = cuts(&[safe, remains(100, &b)]).expect_err("it is lost");
    assert_eq!(
        (lost.file, lost.to_string()),
        (
            0,
            "at byte 10: of transaction 0000000000000001 there were 2 parts, but only 1 are there".to_owned()
        )
    );
    let not_safe = Remains { safe_bytes: 10, ..safe };
    assert_eq!(cuts(&[not_safe, remains(100, &b)]), Ok(vec![10, 100]));
}

/// The best cuts, found by trying one after the other.
fn model(files: &[Vec<Part>], wholes: &[u64]) -> Vec<u64> {
    let mut cuts = wholes.to_vec();
    loop {
        let there = |tx: TxId, cuts: &[u64]| {
            let files = files.iter().zip(cuts);
            files
                .map(|(parts, cut)| parts.iter().filter(|part| part.tx == tx && part.offset < *cut).count())
                .sum::<usize>()
        };
        let before = cuts.clone();
        for (file, parts) in files.iter().enumerate() {
            for part in parts {
                if part.offset < cuts[file] && there(part.tx, &cuts) < usize::from(part.parts) {
                    cuts[file] = part.offset;
                }
            }
        }
        if cuts == before {
            return cuts;
        }
    }
}

#[test]
fn any_crash() {
    for seed in 0..2000 {
        let mut random = Random::from_seed(seed);
        let count = 1 + random.index(5);
        let mut files: Vec<Vec<Part>> = vec![Vec::new(); count];
        let mut ends = vec![0; count];
        let mut unsafe_from = vec![0; count];
        let transactions = random.below(30);
        let safe = random.below(transactions + 1);
        for tx in 0..transactions {
            if tx == safe {
                unsafe_from.clone_from(&ends);
            }
            let mut of: Vec<_> = (0..count).filter(|_| random.below(2) == 0).collect();
            // A transaction may have several parts on a shard.
            if let Some(&first) = of.first()
                && random.below(5) == 0
            {
                of.push(first);
            }
            for &file in &of {
                // Those of the same round have the same offset, but what is safe is rounds.
                let is_next = ends[file] > unsafe_from[file] && random.below(2) == 0;
                let offset = files[file].last().filter(|_| is_next).map(|before| before.offset);
                let offset = offset.filter(|offset| *offset >= unsafe_from[file] && tx > safe);
                files[file].push(part(offset.unwrap_or(ends[file]), tx, of.len() as u16));
                ends[file] += 1 + random.below(10);
            }
        }
        if safe == transactions {
            unsafe_from.clone_from(&ends);
        }
        // What was safe is there; of the rest any prefix.
        let wholes: Vec<u64> = (0..count)
            .map(|file| unsafe_from[file] + random.below(ends[file] - unsafe_from[file] + 1))
            .collect();
        let parts: Vec<Vec<Part>> = files
            .iter()
            .zip(&wholes)
            .map(|(parts, whole)| parts.iter().filter(|part| part.offset < *whole).copied().collect())
            .collect();
        let remains: Vec<_> = (0..count)
            .map(|file| {
                let safe_bytes = random.below(unsafe_from[file] + 1);
                Remains { whole_bytes: wholes[file], safe_bytes, parts: &parts[file] }
            })
            .collect();
        let found = cuts(&remains).expect("what was safe is there");
        assert_eq!(found, model(&parts, &wholes), "seed {seed}");
        for (file, cut) in found.iter().enumerate() {
            assert!(*cut >= unsafe_from[file].min(wholes[file]), "seed {seed}: what was safe is cut");
        }
    }
}
