//! Nanoseconds of processor time per find, insert, replace and remove in tables of 1 and 5 million records
//! (or as many millions as given), one by one and in batches of 16 with two stages of prefetch. Medians of
//! several passes. Arguments that are no numbers choose what to measure by parts of names.

use base::hash::HashSeed;
use std::hint::black_box;
use table::{Layout, Table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY_BYTES: usize = 16;
const LEN: usize = 54;
const BATCH: usize = 16;
const OPERATIONS: usize = 400_000;
const PASSES: u64 = 9;

/// A length byte, a key of 16 bytes, a value.
struct Framed;

impl Layout for Framed {
    type Meta = u64;

    fn record_len(record: &[u8]) -> usize {
        record[0].into()
    }

    fn key(record: &[u8]) -> &[u8] {
        &record[1..=KEY_BYTES]
    }
}

/// Processor time of this thread: other work on the machine counts less.
fn thread_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

type Key = [u8; KEY_BYTES];

fn key(n: u64) -> Key {
    let mut key = *b"key:____________";
    let mut n = n;
    key[4..].iter_mut().rev().for_each(|digit| {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    });
    key
}

fn fill(record: &mut [u8], key: &Key) {
    record[0] = record.len() as u8;
    record[1..=KEY_BYTES].copy_from_slice(key);
}

/// Keys in random order: of `records` from `first`.
fn picks(records: u64, first: u64, seed: u64) -> Vec<Key> {
    let mut state = seed;
    (0..OPERATIONS)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            key(first + ((u128::from(state) * u128::from(records)) >> 64) as u64)
        })
        .collect()
}

/// Runs `work` over the keys, one by one or in batches, and returns nanoseconds per key.
fn pass(
    table: &mut Table<Framed>,
    keys: &[Key],
    batched: bool,
    write: bool,
    mut work: impl FnMut(&mut Table<Framed>, u64, &Key),
) -> f64 {
    let start = thread_seconds();
    if batched {
        for batch in keys.chunks(BATCH) {
            let mut hashes = [0; BATCH];
            for (hash, key) in hashes.iter_mut().zip(batch) {
                *hash = table.hash(key);
                if write { table.prefetch_bucket_for_write(*hash) } else { table.prefetch_bucket(*hash) }
            }
            for &hash in &hashes[..batch.len()] {
                if write { table.prefetch_record_for_write(hash) } else { table.prefetch_record(hash) }
            }
            for (&hash, key) in hashes.iter().zip(batch) {
                work(table, hash, key);
            }
        }
    } else {
        for key in keys {
            let hash = table.hash(key);
            work(table, hash, key);
        }
    }
    (thread_seconds() - start) * 1e9 / keys.len() as f64
}

fn find(table: &mut Table<Framed>, hash: u64, key: &Key) {
    let found = table.find(hash, key);
    black_box(found.map(|pos| table.record(pos)[LEN - 1]));
}

fn rewrite(table: &mut Table<Framed>, hash: u64, key: &Key) {
    let Some(pos) = table.find(hash, key) else { return };
    let record = table.record_mut(pos);
    record[LEN - 1] ^= 1;
}

fn replace_same(table: &mut Table<Framed>, hash: u64, key: &Key) {
    let Some(pos) = table.find(hash, key) else { return };
    table.replace(pos, LEN, |old, new| new.copy_from_slice(old));
}

fn replace_other(table: &mut Table<Framed>, hash: u64, key: &Key) {
    let Some(pos) = table.find(hash, key) else { return };
    let len = if table.record(pos).len() == LEN { LEN + 4 } else { LEN };
    table.replace(pos, len, |_, new| fill(new, key));
}

fn insert_if_absent(table: &mut Table<Framed>, hash: u64, key: &Key) {
    if table.find(hash, key).is_none() {
        table.insert(hash, LEN, |record| fill(record, key));
    }
}

fn remove(table: &mut Table<Framed>, hash: u64, key: &Key) {
    if let Some(pos) = table.find(hash, key) {
        table.remove(pos);
    }
}

fn median(mut passes: Vec<f64>) -> f64 {
    passes.sort_by(f64::total_cmp);
    passes[passes.len() / 2]
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|text| text.parse::<u64>().is_err()).collect();
    let sizes: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    for millions in if sizes.is_empty() { vec![1, 5] } else { sizes } {
        let records = millions * 1_000_000;
        let mut table = Table::<Framed>::new(HashSeed::new(1, 2));
        let start = thread_seconds();
        for n in 0..records {
            let key = key(n);
            table.insert(table.hash(&key), LEN, |record| fill(record, &key));
        }
        let build = (thread_seconds() - start) * 1e9 / records as f64;
        println!(
            "{millions} M records: built at {build:.0} ns each, {:.1} bytes each",
            table.bytes() as f64 / records as f64
        );
        type Work = fn(&mut Table<Framed>, u64, &Key);
        let kinds: [(&str, u64, Work); 7] = [
            ("find present", 0, find),
            ("find absent", records, find),
            ("find and change a byte", 0, rewrite),
            ("replace, same length", 0, replace_same),
            ("replace, other length", 0, replace_other),
            ("insert after a find", records, insert_if_absent),
            ("remove", records, remove),
        ];
        for (name, first, work) in kinds {
            if !names.is_empty() && !names.iter().any(|part| name.contains(part.as_str())) {
                continue;
            }
            let write = !name.starts_with("find") && !name.contains("same");
            for batched in [false, true] {
                let passes = (0..PASSES).map(|round| {
                    // Inserts and removals: other keys in each pass.
                    let offset =
                        if name.starts_with("insert") || name == "remove" { round * 1_000_000 } else { 0 };
                    let offset = offset + if batched && first > 0 { 10_000_000 } else { 0 };
                    let keys = picks(if first == 0 { records } else { 1_000_000 }, first + offset, round + 1);
                    pass(&mut table, &keys, batched, write, work)
                });
                let each = median(passes.collect());
                println!("  {name:<24} {:<8} {each:>6.1} ns", if batched { "batched" } else { "single" });
            }
        }
    }
}
