//! The keyspace's table with a million records: finding and storing strings, one by one and with prefetches.

use base::hash::HashSeed;
use base::random::Random;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keyspace::{Db, Found, Key};
use std::hint::black_box;

const KEYS: u64 = 1_000_000;
const BATCH: usize = 16;

fn key(n: u64) -> String {
    format!("key:{n:012}")
}

fn table(c: &mut Criterion) {
    let seed = HashSeed::new(1, 2);
    let mut db = Db::new(seed.clone());
    for n in 0..KEYS {
        let name = key(n);
        db.put_str(Key::new(name.as_bytes(), &seed), None, &[b'x'; 64], None, 0);
    }
    let mut random = Random::from_seed(7);
    let names: Vec<String> = (0..1 << 16).map(|_| key(random.below(KEYS))).collect();
    let mut group = c.benchmark_group("table, 1 M keys");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut next = 0;
    for prefetch in [false, true] {
        let name = if prefetch { "16 finds, prefetched" } else { "16 finds, one by one" };
        group.bench_function(name, |b| {
            b.iter(|| {
                next = (next + BATCH) % names.len();
                let batch = &names[next..next + BATCH];
                let keys: [Key<'_>; BATCH] = std::array::from_fn(|i| Key::new(batch[i].as_bytes(), &seed));
                if prefetch {
                    keys.iter().for_each(|key| db.prefetch_bucket(key.hash));
                    keys.iter().for_each(|key| db.prefetch_record(key.hash));
                }
                keys.iter().filter(|key| matches!(db.find(**key, 0), Found::Live(_))).count()
            });
        });
    }
    group.bench_function("16 overwrites, prefetched", |b| {
        b.iter(|| {
            next = (next + BATCH) % names.len();
            let batch = &names[next..next + BATCH];
            let keys: [Key<'_>; BATCH] = std::array::from_fn(|i| Key::new(batch[i].as_bytes(), &seed));
            keys.iter().for_each(|key| db.prefetch_bucket(key.hash));
            keys.iter().for_each(|key| db.prefetch_record(key.hash));
            for key in keys {
                let Found::Live(pos) = db.find(key, 0) else { unreachable!("all keys are there") };
                db.put_str(key, Some(pos), black_box(&[b'y'; 64]), None, 0);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
