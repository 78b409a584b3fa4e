//! Memory and time of sorted sets, as one prints them while working on the type:
//! `cargo run --release -p types --example zset_figures [elements]`.

use base::hash::HashSeed;
use std::hint::black_box;
use std::time::{Duration, Instant};
use types::zset::{ScoreBound, ScoreRange, Tree};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn score(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 1e6
    }
}

fn member(number: usize) -> [u8; 16] {
    let mut member = *b"member:000000000";
    let (mut at, mut rest) = (16, number);
    while rest > 0 {
        at -= 1;
        member[at] += (rest % 10) as u8;
        rest /= 10;
    }
    member
}

/// Resident bytes of this process.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Nanoseconds this thread has run: what the neighbours on the machine take does not count.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

fn report(what: &str, count: usize, run: impl FnOnce()) {
    let start = cpu_ns();
    run();
    println!("{what:<44} {:>9.1} ns", (cpu_ns() - start) as f64 / count as f64);
}

fn fill(tree: &mut Tree, len: usize, dice: &mut Dice) -> Vec<Duration> {
    let mut slow = Vec::new();
    for number in 0..len {
        let name = member(number);
        let score = dice.score();
        let start = Instant::now();
        tree.insert(&name, score);
        let took = start.elapsed();
        if took > Duration::from_micros(20) {
            slow.push(took);
        }
    }
    slow.sort();
    slow
}

fn ranges(tree: &Tree, len: usize, dice: &mut Dice) {
    for (what, span) in [("anywhere", len), ("in one place", 1)] {
        report(&format!("walk 100 by rank, {what}"), 100_000, || {
            for _ in 0..100_000 {
                let start = dice.below(span.min(len - 100));
                let sum = tree
                    .range(start..start + 100)
                    .map(|(member, score)| member[15] as f64 + score)
                    .sum::<f64>();
                black_box(sum);
            }
        });
    }
    report("walk 100 back by rank, anywhere", 100_000, || {
        for _ in 0..100_000 {
            let start = dice.below(len - 100);
            black_box(tree.range_back(start..start + 100).map(|(_, score)| score).sum::<f64>());
        }
    });
    report("count a range of scores", 100_000, || {
        for _ in 0..100_000 {
            let range = ScoreRange {
                min: ScoreBound::Inclusive(dice.score()),
                max: ScoreBound::Exclusive(f64::INFINITY),
            };
            black_box(tree.score_ranks(&range));
        }
    });
    report("walk all, each", len, || {
        black_box(tree.iter().map(|(member, score)| member.len() as f64 + score).sum::<f64>());
    });
    report("scan all by 100, each", len, || {
        let mut cursor = 0;
        loop {
            cursor = tree.scan(cursor, 100, |member, score| _ = black_box((member.len(), score)));
            if cursor == 0 {
                break;
            }
        }
    });
}

fn main() {
    let len: usize = std::env::args().nth(1).and_then(|len| len.parse().ok()).unwrap_or(1_000_000);
    let mut dice = Dice(42);
    let before = resident_bytes();
    let mut tree = Tree::new(HashSeed::new(3, 4));
    report("add, random scores, from nothing", len, || {
        let slow = fill(&mut tree, len, &mut dice);
        println!(
            "adds above 20 µs: {}, the slowest: {:?}",
            slow.len(),
            &slow[slow.len().saturating_sub(6)..]
        );
    });
    let per = |bytes: usize| bytes as f64 / len as f64;
    println!(
        "{len} elements: {:.1} bytes each, resident {:.1}",
        per(tree.bytes()),
        per(resident_bytes() - before)
    );
    let tenth = len / 10;
    report("add more, random scores", tenth, || {
        for number in len..len + tenth {
            tree.insert(&member(number), dice.score());
        }
    });
    report("score of a member", len, || {
        for _ in 0..len {
            black_box(tree.score(&member(dice.below(len))));
        }
    });
    report("rank of a member", len, || {
        for _ in 0..len {
            black_box(tree.rank(&member(dice.below(len))));
        }
    });
    report("new score for a member", tenth, || {
        for _ in 0..tenth {
            tree.insert(&member(dice.below(len)), dice.score());
        }
    });
    report("small step of a score", tenth, || {
        for _ in 0..tenth {
            tree.update(&member(dice.below(len)), |score| score.map(|score| score + 1.0));
        }
    });
    ranges(&tree, len, &mut dice);
    report("pop the first", tenth, || {
        for _ in 0..tenth {
            tree.remove_ranks(0..1, |member, score| _ = black_box((member.len(), score)));
        }
    });
    report("pop the last", tenth, || {
        for _ in 0..tenth {
            tree.remove_ranks(tree.len() - 1..tree.len(), |member, score| {
                _ = black_box((member.len(), score))
            });
        }
    });
    report("remove a member, each", len, || {
        for number in (0..len).rev() {
            tree.remove(&member(number));
        }
    });
    println!("{} elements left in {} bytes", tree.len(), tree.bytes());
    let mut tree = Tree::new(HashSeed::new(3, 4));
    report("add in order", len, || {
        for number in 0..len {
            tree.insert(&member(number), number as f64);
        }
    });
    println!("in order: {:.1} bytes each", per(tree.bytes()));
    let mut tree = Tree::new(HashSeed::new(3, 4));
    report("add with equal scores", len, || {
        for _ in 0..len {
            tree.insert(&member(dice.below(len * 2)), 0.0);
        }
    });
    println!("equal scores: {:.1} bytes each", tree.bytes() as f64 / tree.len() as f64);
}
