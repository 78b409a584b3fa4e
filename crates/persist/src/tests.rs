//! Saves of databases that two shards would have, read back.

mod faults;

use crate::{GIVEN_UP, Hints, Pen, Save, Target};
use base::hash::HashSeed;
use base::random::Random;
use disk::Disk;
use keyspace::walk::Scribe;
use keyspace::{Db, Key, Value};
use rdb::Shapes;
use rdb::encode::Options;
use rdb::file::{Head, Item, Items, Parts};
use runtime::SystemDisk;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use types::List;
use types::list::{End, ListLimit};

const HEAD: Head<'_> = Head {
    version: 10,
    compress: true,
    server_version: "7.4.0",
    time_s: 1,
    used_memory_bytes: 2,
    fields: &[],
    is_aof_base: false,
    functions: &[b"#!lua name=one\n"],
    sizes: &[],
};

/// A directory of the test's own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-persist-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn target(&self, waiting_bytes_max: usize, held_bytes_max: usize) -> Target {
        let options = Options { version: 10, compress: true };
        Target { path: self.0.join("dump.rdb"), options, sums: true, waiting_bytes_max, held_bytes_max }
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("it is there");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Of each key of each database the length of the value and the expiry.
type Contents = HashMap<(u32, Vec<u8>), (usize, Option<i64>)>;

fn fill(db: &mut Db, seed: &HashSeed, random: &mut Random, number: u16, contents: &mut Contents) {
    for key in 0..2000 {
        let name = format!("{number}:{key}").into_bytes();
        let expire = (random.below(3) == 0).then(|| 1 << 41 | random.below(1000));
        let text = vec![b'x'; random.index(100)];
        db.put_str(Key::new(&name, seed), None, &text, expire, 5);
        contents.insert((number.into(), name), (text.len(), expire.map(|at_ms| at_ms as i64)));
    }
    let mut list = List::new(ListLimit::default());
    (0..50_000).for_each(|n| list.push(End::Tail, format!("element {n}").as_bytes()));
    let name = format!("{number}:large").into_bytes();
    db.put(Key::new(&name, seed), None, Value::List(Box::new(list)), None, 5);
    contents.insert((number.into(), name), (50_000, None));
}

/// Reads items on into `contents`; how many functions there were.
fn read(items: &mut Items<'_>, contents: &mut Contents) -> usize {
    let (mut functions, seed) = (0, HashSeed::new(1, 2));
    while let Some(item) = items.next_item().expect("it is whole") {
        match item {
            Item::Function(_) => functions += 1,
            Item::Record(record) => {
                let value = record.value(&Shapes::with_defaults(&seed)).expect("it can be read");
                let len = match value.expect("it is not empty") {
                    Value::Str { bytes, .. } => bytes.len(),
                    Value::List(list) => list.len(),
                    _ => panic!("another type"),
                };
                let before = contents.insert((record.db, record.key.to_vec()), (len, record.expire_ms));
                assert!(before.is_none(), "each once");
            }
            _ => {}
        }
    }
    functions
}

/// Saves what two shards have, each with two databases.
fn save(disk: impl Disk, target: Target, dbs: &mut [Db], halt_at: Option<usize>) -> Save {
    let save = Save::begin(disk, target, 2, Box::new(|_| {})).expect("it begins");
    save.set_head(&HEAD);
    for (shard, dbs) in dbs.chunks_mut(2).enumerate() {
        let pen = Arc::new(Mutex::new(Pen::new(save.clone(), shard as u16, Hints::Nothing)));
        (0..).zip(&mut *dbs).for_each(|(number, db)| db.begin_walk(number, pen.clone()));
        let mut steps = 0;
        for db in dbs {
            while halt_at != Some(steps) && db.walk_on() {
                steps += 1;
            }
            db.end_walk();
        }
        if halt_at.is_none() {
            pen.lock().expect("nobody has panicked").end();
        }
    }
    save
}

fn databases(contents: &mut Contents) -> Vec<Db> {
    let (seed, mut random) = (HashSeed::new(3, 4), Random::from_seed(5));
    let mut dbs: Vec<Db> = (0..4).map(|_| Db::new(seed.clone())).collect();
    for (place, db) in dbs.iter_mut().enumerate() {
        let mut own = Contents::new();
        fill(db, &seed, &mut random, place as u16, &mut own);
        contents.extend(own.into_iter().map(|((number, key), value)| ((number % 2, key), value)));
    }
    dbs
}

#[test]
fn what_two_shards_have_is_one_file() {
    let (place, mut contents) = (Place::new("whole"), Contents::new());
    let mut dbs = databases(&mut contents);
    std::fs::write(place.0.join("dump.rdb"), "old").expect("it can be written");
    // However little may wait for the disk, and though a thread of its own carries it there.
    // Large values under way go into files of their own, or into none, or all that is of them does.
    for (waiting_bytes_max, held_bytes_max) in
        [(1, 1 << 30), (64 << 20, 1 << 30), (1, 100_000), (64 << 20, 1)]
    {
        let save = save(SystemDisk, place.target(waiting_bytes_max, held_bytes_max), &mut dbs, None);
        let len = save.wait().expect("it is written");
        assert_eq!(save.keys(), contents.len() as u64);
        assert_eq!(place.names(), ["dump.rdb"]);
        let bytes = std::fs::read(place.0.join("dump.rdb")).expect("it is there");
        assert_eq!(bytes.len() as u64, len);
        let mut found = Contents::new();
        let functions = read(&mut Items::of_file(&bytes, true).expect("an RDB file"), &mut found);
        assert!(found == contents && functions == 1);
        let parts = Parts::find(&bytes, true).expect("our own file");
        let mut found = Contents::new();
        for chunk in 0..parts.chunks().len() {
            read(&mut parts.chunk(chunk).expect("whole"), &mut found);
        }
        assert!(parts.sources() == 2 && parts.chunks().len() >= 2 && found == contents);
    }
}

#[test]
fn what_is_given_up_leaves_the_old_file_alone() {
    let (place, mut contents) = (Place::new("given-up"), Contents::new());
    let mut dbs = databases(&mut contents);
    std::fs::write(place.0.join("dump.rdb"), "old").expect("it can be written");
    for halt_at in [0, 3, 1000] {
        let outcome = save(SystemDisk, place.target(1 << 20, 100_000), &mut dbs, Some(halt_at)).wait();
        assert_eq!(outcome, Err(GIVEN_UP.to_owned()));
        assert_eq!(place.names(), ["dump.rdb"]);
        assert_eq!(std::fs::read(place.0.join("dump.rdb")).expect("it is there"), b"old");
    }
}

#[test]
fn what_cannot_be_written_says_why() {
    let place = Place::new("refused");
    let mut target = place.target(1 << 20, 100_000);
    target.path = place.0.join("missing/dump.rdb");
    assert!(Save::begin(SystemDisk, target, 2, Box::new(|_| {})).is_err());
    let mut target = place.target(1 << 20, 100_000);
    std::fs::create_dir(place.0.join("taken")).expect("a directory");
    target.path = place.0.join("taken");
    let mut contents = Contents::new();
    let failure = save(SystemDisk, target, &mut databases(&mut contents), None)
        .wait()
        .expect_err("a directory is in its place");
    assert!(failure.contains("replacing") && failure.contains("taken"), "{failure}");
    assert_eq!(place.names(), ["taken"]);
}
