//! Whole data files, ours and others', with something changed and the check sums put right.

use crate::arguments::{one_in, pick};
use crate::engine::Engine;
use crate::payload::damage;
use crate::saved;
use base::crc64::crc64;
use base::random::Random;
use command::ShardCx;
use command::loading::Coming;
use persist::load::{self, Found, Stop};
use rdb::file::{BLOCK_BYTES, Head, Plan, Written};
use rdb::{append_len, append_string};

const CRC_BYTES: usize = 8;
/// Items that are not records, as other servers write them.
const ITEMS: &[&[u8]] = &[
    b"\xfa\x09redis-ver\x057.0.0",
    b"\xfa\x08used-mem\xc2\xff\xff\xff\x7f",
    b"\xfe\x01",
    b"\xfe\x00",
    b"\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00",
    b"\xfb\x40\x64\x05",
    b"\xfc\x00\x00\x00\x00\x00\x01\x00\x00",
    b"\xfd\xff\xff\xff\x7f",
    b"\xf8\x05",
    b"\xf9\x80",
    b"\xf4\x05\x02\x01",
    b"\xf5\x40\x45#!lua name=lib\nredis.register_function('f', function() return 7 end)",
    b"\xf7\x81\x00\x00\x00\x00\x00\x00\x00\x01\x02\x01\x02\x05\x00",
];

/// A file as a server without an index writes it: values of the corpus under names of their own, and other items between them.
pub fn foreign(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut file = match one_in(random, 6) {
        true => b"VALKEY080".to_vec(),
        false => format!("REDIS{:04}", 9 + random.below(6)).into_bytes(),
    };
    for number in 0..1 + random.index(30) {
        while one_in(random, 2) {
            let item: &[u8] = pick::<&[u8]>(random, ITEMS);
            file.extend_from_slice(item);
        }
        let body = pick(random, corpus);
        file.push(body[0]);
        append_string(&mut file, format!("key:{number}").as_bytes(), true);
        file.extend_from_slice(&body[1..]);
    }
    file.push(255);
    file.extend_from_slice(&[0; CRC_BYTES]);
    file
}

/// A file with chunks and an index, of so many shards, in which any chunk may be damaged, and what the index says of it.
pub fn own(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let sources = 1 + random.below(3) as u16;
    let head = Head { sizes: &[(0, random.next_u64() >> random.below(64), 1)], ..Head::PLAIN };
    let mut plan = Plan::new(&head, sources, true);
    let mut file = plan.head().to_vec();
    for number in 0..1 + random.index(4) {
        let mut chunk = vec![254, number as u8 % 3];
        for key in 0..1 + random.index(8) {
            let body = pick(random, corpus);
            chunk.push(body[0]);
            append_string(&mut chunk, format!("key:{number}:{key}").as_bytes(), true);
            chunk.extend_from_slice(&body[1..]);
        }
        if one_in(random, 6) {
            damage(random, &mut chunk, corpus);
        }
        pad(&mut chunk);
        let records = if one_in(random, 4) { random.next_u64() >> random.below(64) } else { 5 };
        let (bytes, sum) = (chunk.len() as u64, crc64(0, &chunk));
        let source = random.below(u64::from(sources) + 1) as u16;
        plan.add(file.len() as u64, source, &Written { bytes, sum, records, version: 12 });
        file.extend(chunk);
    }
    file.extend(plan.finish().tail);
    file
}

/// Fills a chunk up to whole blocks by a field that nobody knows.
fn pad(chunk: &mut Vec<u8>) {
    const FRONT: &[u8] = b"\xfa\x08weft-pad";
    let fixed = FRONT.len() + 5;
    let room = (chunk.len() + fixed).next_multiple_of(BLOCK_BYTES) - chunk.len() - fixed;
    chunk.extend_from_slice(FRONT);
    chunk.push(0x80);
    chunk.extend_from_slice(&(room as u32).to_be_bytes());
    chunk.resize(chunk.len() + room, 0);
}

/// Damages a file and puts its check sum right, so that what is wrong is met by those who read.
pub fn spoil(random: &mut Random, file: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    match random.below(10) {
        // Most of a file is in values: a piece of it that is replaced by one as long often stays one.
        0..4 => {
            let at = random.index(file.len());
            let end = (at + 1 + random.index(4)).min(file.len() - 1);
            file[at.min(end)..end].iter_mut().for_each(|byte| *byte = random.next_u64() as u8);
        }
        // The index stands at the end.
        4..6 => {
            let from = file.len().saturating_sub(200);
            let mut end = file.split_off(from);
            damage(random, &mut end, corpus);
            file.extend(end);
        }
        6 => {
            let mut announced = Vec::new();
            append_len(&mut announced, random.next_u64() >> random.below(64));
            let at = random.index(file.len());
            file.splice(at..at, announced);
        }
        7 => file.truncate(random.index(file.len())),
        _ => damage(random, file, corpus),
    }
    mend(file);
}

/// Puts the check sum of a whole file right.
pub fn mend(file: &mut [u8]) {
    if let Some((summed, sum)) = file.split_last_chunk_mut::<CRC_BYTES>() {
        *sum = crc64(0, summed).to_le_bytes();
    }
}

/// What a shard does with what a reader finds, as at the start of a server.
fn take<'a>(cx: &mut ShardCx, coming: &mut Vec<Coming<'a>>, found: Found<'a>) -> Result<(), String> {
    match found {
        Found::Function(code) => {
            return cx.load_library(&code).map_err(|_| "a library".to_owned());
        }
        Found::Statement(statement) => {
            return cx.restore_saved_index(&statement).map_err(|_| "a search index".to_owned());
        }
        Found::Links(links) => cx.indexes.keep_links(&links),
        Found::Expected { db, keys } => {
            if let Some(db) = cx.dbs.number(db.into()) {
                // A server makes room once it has seen some keys; here there are never so many.
                cx.dbs[db.into()].expect(keys.min(1 << 16));
            }
        }
        Found::PassedOver(_) => {}
        Found::Record { record, is_for_all } => {
            let is_own = cx.slots.shard_of(&record.key) == cx.id;
            if !is_own && is_for_all {
                return Ok(());
            }
            let db = cx.dbs.number(record.db.into()).ok_or("there is no such database")?;
            if !is_own {
                return Err("a key of another shard".to_owned());
            }
            coming.push(cx.foresee(db, record));
        }
    }
    Ok(())
}

/// Loads a file into shards that have nothing; whether it is accepted.
pub fn load(engine: &mut Engine, file: &[u8]) -> bool {
    let readers = engine.shards.len();
    let mut is_accepted = true;
    drop(load::remarks(file));
    for (reader, shard) in engine.shards.iter_mut().enumerate() {
        let (cx, mut coming) = (&mut shard.cx, Vec::new());
        let outcome = load::read(file, true, (reader, readers), |found| {
            take(cx, &mut coming, found)?;
            match coming.len() < 8 {
                true => Ok(()),
                false => cx.load_foreseen(&mut coming, false).map(drop).map_err(|why| why.to_string()),
            }
        });
        let outcome: Result<(), Stop<String>> = outcome.and_then(|()| {
            cx.load_foreseen(&mut coming, false).map(drop).map_err(|why| Stop::Refused(why.to_string()))
        });
        is_accepted &= outcome.is_ok();
    }
    is_accepted
}

/// # Errors
/// What does not hold of what was loaded, or does not come back from a file.
pub fn check(engine: &Engine) -> Result<(), String> {
    engine.check_quiet()?;
    crate::state::of(engine)?;
    saved::check(engine, 12)
}
