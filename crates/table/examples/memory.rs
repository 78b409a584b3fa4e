//! Prints the memory of tables of 17- and 54-byte records at many sizes: bytes per record as the table counts
//! them and as the operating system does.

use base::hash::HashSeed;
use table::{Layout, Table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of a fixed length that start with a key of 8 bytes.
struct Fixed<const LEN: usize>;

impl<const LEN: usize> Layout for Fixed<LEN> {
    type Meta = u64;

    fn record_len(_: &[u8]) -> usize {
        LEN
    }

    fn key(record: &[u8]) -> &[u8] {
        &record[..8]
    }
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok()).map_or(0, |pages| pages * 4096)
}

fn measure<const LEN: usize>(last: usize) {
    println!("records of {LEN} bytes:");
    let before = resident_bytes();
    let mut table = Table::<Fixed<LEN>>::new(HashSeed::new(1, LEN as u64));
    let (mut at, mut worst) = (100_000, 0.0f64);
    for n in 0..last {
        let key = (n as u64).to_le_bytes();
        table.insert(table.hash(&key), LEN, |record| record[..8].copy_from_slice(&key));
        if n >= 100_000 && n % 100 == 0 {
            worst = worst.max(table.bytes() as f64 / (n + 1) as f64);
        }
        if n + 1 == at {
            let each = |bytes: usize| bytes as f64 / at as f64;
            let fill = each(table.segments() * 640).recip();
            println!(
                "{at:>9}: {:.2} bytes each, {:.2} resident; {} segments, {:.1} % of slots",
                each(table.bytes()),
                each(resident_bytes() - before),
                table.segments(),
                fill * 100.0
            );
            at = at * 6 / 5;
        }
    }
    println!("worst at any size from 100,000 on: {worst:.2}");
}

fn main() {
    measure::<54>(3_000_000);
    measure::<17>(3_000_000);
    measure::<30>(1_000_000);
    measure::<110>(1_000_000);
    measure::<300>(500_000);
    measure::<1000>(300_000);
}
