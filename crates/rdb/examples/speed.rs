//! How fast files are written and read by one thread: bytes of the file, and records, per second of CPU time.
//! `cargo run --release -p rdb --example speed`

use base::hash::HashSeed;
use base::random::Random;
use keyspace::Value;
use rdb::Shapes;
use rdb::encode::{Options, Progress};
use rdb::file::{ChunkWriter, Feed, Head, Item, Items, Meta, Parts, Plan};
use std::time::Duration;
use types::hash::FieldTtl;
use types::list::End;
use types::{Hash, List, Set, ZSet};

const CHUNK_BYTES: u64 = 1 << 20;
const ROUNDS: usize = 5;

fn value(what: &str, random: &mut Random, shapes: &Shapes<'_>) -> Value {
    let (kind, size) = what.split_once(' ').expect("a kind and a size");
    let size: usize = size.parse().expect("a number");
    let element = |random: &mut Random| format!("element:{:016x}", random.next_u64()).into_bytes();
    match kind {
        "noise" => {
            let mut bytes = vec![0; size];
            random.fill(&mut bytes);
            Value::string(&bytes)
        }
        "text" => {
            Value::string(&b"the quick brown fox jumps over the lazy dog; ".repeat(size / 45 + 1)[..size])
        }
        "list" => {
            let mut list = List::new(shapes.list);
            (0..size).for_each(|_| list.push(End::Tail, &element(random)));
            Value::List(Box::new(list))
        }
        "set" => {
            let mut set = Set::new(b"x", size, &shapes.set, shapes.seed);
            (0..size).for_each(|_| _ = set.add(&element(random), &shapes.set, shapes.seed));
            Value::Set(Box::new(set))
        }
        "hash" => {
            let mut hash = Hash::new();
            for _ in 0..size {
                hash.set(&element(random), b"some value", FieldTtl::Clear, 0, &shapes.hash, shapes.seed);
            }
            Value::Hash(Box::new(hash))
        }
        _ => {
            let mut zset = ZSet::new();
            for _ in 0..size {
                zset.insert(&element(random), random.unit_f64(), &shapes.zset, shapes.seed);
            }
            Value::ZSet(Box::new(zset))
        }
    }
}

/// Time that this thread has run, so that others on the machine matter less.
fn cpu_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = times.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number");
    Duration::from_nanos(nanos)
}

/// The shortest of some runs.
fn shortest(mut run: impl FnMut()) -> Duration {
    let time = |run: &mut dyn FnMut()| {
        let start = cpu_time();
        run();
        cpu_time() - start
    };
    (0..ROUNDS).map(|_| time(&mut run)).min().expect("some rounds")
}

fn write(values: &[Value], compress: bool, sums: bool) -> Vec<u8> {
    let head = Head { compress, ..Head::PLAIN };
    let mut plan = Plan::new(&head, 1, sums);
    let mut file = plan.head().to_vec();
    let mut writer = ChunkWriter::new(Options { version: 12, compress }, sums);
    let mut key = *b"key:000000000000";
    for (number, value) in values.iter().cycle().take(values.len().max(64)).enumerate() {
        key[8..].copy_from_slice(&(number as u64).to_be_bytes());
        writer.begin(0, &key, Meta::default(), value.view());
        while writer.step(value.view(), 64 << 10) == Progress::More {}
        if writer.bytes() >= CHUNK_BYTES {
            let (bytes, written) = writer.finish(Vec::new());
            plan.add(file.len() as u64, 0, &written);
            file.extend(bytes);
        }
    }
    let (bytes, written) = writer.finish(Vec::new());
    plan.add(file.len() as u64, 0, &written);
    file.extend(bytes);
    let ending = plan.finish();
    file[..ending.head.len()].copy_from_slice(&ending.head);
    file.extend(ending.tail);
    file
}

fn records(items: Items<'_>, mut see: impl FnMut(rdb::file::Record<'_>)) {
    for item in items {
        if let Item::Record(record) = item.expect("own bytes") {
            see(record);
        }
    }
}

fn main() {
    let (seed, mut random) = (HashSeed::new(1, 2), Random::from_seed(1));
    let shapes = Shapes::with_defaults(&seed);
    let cases: [(&str, usize); 9] = [
        ("noise 32", 500_000),
        ("text 200", 200_000),
        ("noise 10000", 5_000),
        ("list 20", 100_000),
        ("hash 20", 100_000),
        ("zset 20", 100_000),
        ("list 100000", 3),
        ("hash 100000", 3),
        ("zset 100000", 3),
    ];
    println!("{:12} {:>9} | MB/s: write, no LZF, no CRC | find records, +CRC, pieces+CRC | build", "", "MB");
    for (what, count) in cases {
        let values: Vec<_> = (0..count).map(|_| value(what, &mut random, &shapes)).collect();
        let file = write(&values, true, true);
        let megabytes = file.len() as f64 / 1e6;
        let rate = |time: Duration| (megabytes / time.as_secs_f64()).round();
        let plain = write(&values, false, true).len() as f64 / 1e6;
        let writes = [
            rate(shortest(|| drop(write(&values, true, true)))),
            (plain / shortest(|| drop(write(&values, false, true))).as_secs_f64()).round(),
            (plain / shortest(|| drop(write(&values, false, false))).as_secs_f64()).round(),
        ];
        let find = |sums| shortest(|| records(Items::of_file(&file, sums).expect("a file"), |_| ()));
        let pieces = shortest(|| {
            let mut feed = Feed::new(true);
            for piece in file.chunks(1 << 16) {
                feed.push(piece);
                while feed.next_item().expect("own bytes").is_some() {}
            }
            feed.close();
            while feed.next_item().expect("own bytes").is_some() {}
        });
        let parts = Parts::find(&file, true).expect("an index");
        let build = shortest(|| {
            for number in 0..parts.chunks().len() {
                let items = parts.chunk(number).expect("own bytes");
                records(items, |record| drop(record.value(&shapes).expect("own bytes")));
            }
        });
        let reads = [rate(find(false)), rate(find(true)), rate(pieces)];
        println!("{what:12} {megabytes:>9.1} | {writes:?} | {reads:?} | {}", rate(build));
    }
}
