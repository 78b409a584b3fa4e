//! Inserts 20 million records (or as many as given) and prints how long single inserts took.
//!
//! Other programs and, on a virtual machine, the host take the processor away for longer than any insert takes, and even the
//! processor time of the thread contains what the host did. But the table does the same in every run. So the whole is done
//! several times (second argument, 3), and of each insert the shortest time counts: what is long every time is long
//! because of the table, the allocator or the pages that the system supplies to it.

use base::hash::HashSeed;
use std::collections::HashMap;
use std::time::Instant;
use table::{Layout, Table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Fixed;

const LEN: usize = 54;

impl Layout for Fixed {
    type Meta = u64;

    fn record_len(_: &[u8]) -> usize {
        LEN
    }

    fn key(record: &[u8]) -> &[u8] {
        &record[..16]
    }
}

/// Above this, in ns, an insert is looked at closer.
const LONG_NANOS: u64 = 20_000;
/// Fills a table; the bytes it takes. `see` gets every insert's number and time.
fn fill(many: usize, mut see: impl FnMut(usize, u64)) -> usize {
    let mut table = Table::<Fixed>::new(HashSeed::new(1, 2));
    for n in 0..many {
        let mut key = [0u8; 16];
        key[..8].copy_from_slice(&(n as u64).to_le_bytes());
        let hash = table.hash(&key);
        let before = Instant::now();
        table.insert(hash, LEN, |record| record[..16].copy_from_slice(&key));
        see(n, before.elapsed().as_nanos() as u64);
    }
    table.bytes()
}

fn main() {
    let argument = |nth, default| std::env::args().nth(nth).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (many, runs) = (argument(1, 20_000_000), argument(2, 3));
    // Times in steps of 100 ns up to 1 ms.
    let mut counts = vec![0u64; 10_001];
    let mut long: HashMap<usize, u64> = HashMap::new();
    let mut bytes = 0;
    for run in 0..runs {
        let (mut now, mut longest) = (HashMap::new(), (0, 0));
        bytes = fill(many, |n, nanos| {
            if run == 0 {
                counts[(nanos / 100).min(10_000) as usize] += 1;
            }
            if nanos > LONG_NANOS && (run == 0 || long.contains_key(&n)) {
                now.insert(n, long.get(&n).map_or(nanos, |&before| nanos.min(before)));
            }
            longest = longest.max((nanos, n));
        });
        println!("run {run}: longest {:.1} µs, at {}", longest.0 as f64 / 1000.0, longest.1);
        long = now;
    }
    for share in [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999] {
        let mut left = (many as f64 * share) as u64;
        let at = counts.iter().position(|&count| {
            let found = count > left;
            left = left.saturating_sub(count);
            found
        });
        println!("{:>8} %: {:.1} µs, in the first run", share * 100.0, at.unwrap_or(10_000) as f64 / 10.0);
    }
    let mut long: Vec<(u64, usize)> = long.into_iter().map(|(n, nanos)| (nanos, n)).collect();
    long.sort_unstable_by(|a, b| b.cmp(a));
    println!("{} inserts took more than {} µs in each of {runs} runs", long.len(), LONG_NANOS / 1000);
    for (nanos, n) in long.iter().take(10) {
        println!("longest: {:.1} µs at {n}", *nanos as f64 / 1000.0);
    }
    println!("{:.2} bytes each", bytes as f64 / many as f64);
}
