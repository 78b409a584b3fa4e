//! Inserts 20 million records (or as many as given) and prints how long single inserts took. Long ones
//! during which the system ran something else on this processor are counted apart.

use base::hash::HashSeed;
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

/// Above this an insert is looked at closer.
const LONG_NANOS: u128 = 20_000;

/// How often the system took the processor away from this thread.
fn preemptions() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: all zeros is a valid rusage, and the call writes to it only.
    unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init().ru_nivcsw
    }
}

fn main() {
    let many: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_000_000);
    let mut table = Table::<Fixed>::new(HashSeed::new(1, 2));
    // Times in steps of 100 ns up to 1 ms; the longest with their place.
    let mut counts = vec![0u64; 10_001];
    let mut longest: Vec<(u128, usize)> = Vec::new();
    let (mut preempted, mut taken_away) = (0, preemptions());
    let start = Instant::now();
    for n in 0..many {
        let mut key = [0u8; 16];
        key[..8].copy_from_slice(&(n as u64).to_le_bytes());
        let hash = table.hash(&key);
        let before = Instant::now();
        table.insert(hash, LEN, |record| record[..16].copy_from_slice(&key));
        let nanos = before.elapsed().as_nanos();
        if nanos > LONG_NANOS {
            let before = std::mem::replace(&mut taken_away, preemptions());
            if before != taken_away {
                preempted += 1;
                continue;
            }
        } else if n % 1024 == 0 {
            taken_away = preemptions();
        }
        counts[(nanos / 100).min(10_000) as usize] += 1;
        longest.push((nanos, n));
        if longest.len() == 64 {
            longest.sort_unstable_by(|a, b| b.cmp(a));
            longest.truncate(10);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{many} inserts in {seconds:.2} s, {:.0} ns each, the clock included",
        seconds * 1e9 / many as f64
    );
    for share in [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999] {
        let mut left = (many as f64 * share) as u64;
        let at = counts.iter().position(|&count| {
            let found = count > left;
            left = left.saturating_sub(count);
            found
        });
        println!("{:>8} %: {:.1} µs", share * 100.0, at.unwrap_or(10_000) as f64 / 10.0);
    }
    println!("{preempted} left out as preempted");
    longest.sort_unstable_by(|a, b| b.cmp(a));
    for (nanos, n) in longest.iter().take(10) {
        println!("longest: {:.1} µs at {n}", *nanos as f64 / 1000.0);
    }
    println!("{:.2} bytes each", table.bytes() as f64 / many as f64);
}
