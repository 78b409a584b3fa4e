//! Grows a hash, a set, a sorted set and a list to 5 million elements each (or as many as given) and prints the longest single
//! step: the fields or members one by one, as HSET, SADD, ZADD and RPUSH with one element do.
//!
//! Each is grown several times (second argument, 3) in the very same way, and of each step the shortest time counts: what is
//! long every time is not the doing of other programs.

use base::hash::HashSeed;
use std::collections::HashMap;
use std::time::Instant;
use types::hash::{FieldTtl, HashLimits};
use types::list::{End, ListLimit};
use types::set::SetLimits;
use types::zset::ZSetLimits;
use types::{Hash, List, Set, ZSet};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Above this, in ns, a step is looked at closer.
const LONG_NANOS: u64 = 20_000;

/// `make` gives what a run grows, `step` adds the element of this number.
fn measure<T>(name: &str, many: usize, runs: usize, make: impl Fn() -> T, step: impl Fn(&mut T, usize)) {
    let mut long: HashMap<usize, u64> = HashMap::new();
    let mut fastest = f64::MAX;
    for run in 0..runs {
        let (mut now, mut grown, start) = (HashMap::new(), make(), Instant::now());
        for n in 0..many {
            let before = Instant::now();
            step(&mut grown, n);
            let nanos = before.elapsed().as_nanos() as u64;
            if nanos > LONG_NANOS && (run == 0 || long.contains_key(&n)) {
                now.insert(n, long.get(&n).map_or(nanos, |&before| nanos.min(before)));
            }
        }
        fastest = fastest.min(start.elapsed().as_secs_f64());
        long = now;
    }
    let mut long: Vec<(u64, usize)> = long.into_iter().map(|(n, nanos)| (nanos, n)).collect();
    long.sort_unstable_by(|a, b| b.cmp(a));
    let shown: Vec<String> =
        long.iter().take(4).map(|(nanos, n)| format!("{:.1} µs at {n}", *nanos as f64 / 1000.0)).collect();
    let each = fastest * 1e9 / many as f64;
    println!(
        "{name}: {} steps above {} µs; longest {}; {each:.0} ns each",
        long.len(),
        LONG_NANOS / 1000,
        shown.join(", ")
    );
}

fn main() {
    let argument = |nth, default| std::env::args().nth(nth).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (many, runs) = (argument(1, 5_000_000), argument(2, 3));
    let seed = HashSeed::new(1, 2);
    let text = |n: usize| format!("member:{:09}", n * 7919 % many).into_bytes();
    measure("hash", many, runs, Hash::new, |hash, n| {
        hash.set(&text(n), &[b'v'; 32], FieldTtl::Clear, 0, &HashLimits::default(), &seed);
    });
    let limits = SetLimits::default();
    measure(
        "set",
        many,
        runs,
        || Set::new(b"m", 1, &limits, &seed),
        |set, n| {
            set.add(&text(n), &limits, &seed);
        },
    );
    measure("sorted set", many, runs, ZSet::new, |zset, n| {
        zset.insert(&text(n), (n * 31 % many) as f64, &ZSetLimits::default(), &seed);
    });
    measure("list", many, runs, || List::new(ListLimit::default()), |list, n| list.push(End::Tail, &text(n)));
}
