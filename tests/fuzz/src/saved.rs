//! All data into a data file and back: what is read is what was there.

use crate::engine::Engine;
use crate::state;
use base::hash::HashSeed;
use rdb::Shapes;
use rdb::encode::{Options, Progress};
use rdb::file::{ChunkWriter, Ending, Head, Item, Items, Meta, Plan};
use std::collections::BTreeMap;

/// Bytes of a value that are written at a time.
const PART_BYTES: usize = 500;

/// Database and key, and what stands for the value and its expiry.
type Content = BTreeMap<(u32, Vec<u8>), (Option<u64>, Option<u64>)>;

/// A data file of all shards, a chunk for each database, with the functions of the first shard.
pub fn file(engine: &Engine, version: u16) -> Vec<u8> {
    let options = Options { version, compress: version.is_multiple_of(2) };
    let codes = engine.shards[0].cx.library_codes();
    let functions: Vec<&[u8]> = codes.iter().map(Vec::as_slice).collect();
    let head = Head { version, functions: &functions, sizes: &[(0, 10, 1)], ..Head::PLAIN };
    let mut plan = Plan::new(&head, engine.shards.len() as u16, true);
    let mut file = plan.head().to_vec();
    for shard in &engine.shards {
        for (number, db) in shard.cx.dbs.iter().enumerate() {
            let mut writer = ChunkWriter::new(options, true);
            for (key, value, expire_ms) in db.iter() {
                let meta = Meta { expire_ms, ..Meta::default() };
                writer.begin(number as u32, key, meta, value);
                while writer.step(value, PART_BYTES) == Progress::More {}
            }
            let (bytes, written) = writer.finish(Vec::new());
            plan.add(file.len() as u64, shard.cx.id, &written);
            file.extend(bytes);
        }
    }
    let Ending { head, tail, .. } = plan.finish();
    file[..head.len()].copy_from_slice(&head);
    file.extend(tail);
    file
}

/// What there is.
fn held(engine: &Engine) -> Result<Content, String> {
    let mut content = Content::new();
    for shard in &engine.shards {
        for (number, db) in shard.cx.dbs.iter().enumerate() {
            for (key, value, expire) in db.iter() {
                // At 0 nothing is over.
                content.insert((number as u32, key.to_vec()), (state::content(value, 0)?, expire));
            }
        }
    }
    Ok(content)
}

/// # Errors
/// What is not read as it was.
pub fn check(engine: &Engine, version: u16) -> Result<(), String> {
    let (file, held) = (file(engine, version), held(engine)?);
    let seed = HashSeed::new(3, 4);
    let shapes = Shapes::with_defaults(&seed);
    let mut read = Content::new();
    for item in Items::of_file(&file, true).map_err(|damage| damage.to_string())? {
        if let Item::Record(record) = item.map_err(|damage| damage.to_string())? {
            let value = record.value(&shapes).map_err(|damage| damage.to_string())?;
            let number = value.map_or(Ok(None), |value| state::content(value.view(), 0))?;
            let expire = record.expire_ms.map(|at_ms| at_ms as u64);
            read.insert((record.db, record.key.to_vec()), (number, expire));
        }
    }
    match read.iter().zip(&held).find(|(read, held)| read != held) {
        _ if read.len() != held.len() => {
            Err(format!("{} of {} keys are in the file", read.len(), held.len()))
        }
        Some((((db, key), _), _)) => Err(format!("{db}:{} is read otherwise", key.escape_ascii())),
        None => Ok(()),
    }
}
