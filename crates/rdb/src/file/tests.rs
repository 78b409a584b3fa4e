//! Files that we write, read in every way; files put together by hand; and damaged ones.

use super::*;
use crate::encode::{Options, Progress};
use crate::tests::{content, damage, old_payloads, some_text, some_value};
use crate::{Error, Shapes, Type, append_string};
use base::crc64::crc64;
use base::hash::HashSeed;
use base::random::Random;
use keyspace::Value;

/// What a file says of a key, with the key.
type Told = (u32, Vec<u8>, Option<i64>, Option<u64>, Option<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn told(record: &Record<'_>, shapes: &Shapes<'_>) -> Result<Option<Told>, Damage> {
    let value = record.value(shapes)?;
    Ok(value.map(|value| {
        let Record { db, expire_ms, idle_s, frequency, .. } = record;
        (*db, record.key.to_vec(), *expire_ms, *idle_s, *frequency, content(&value))
    }))
}

const HEAD: Head<'_> = Head {
    version: 10,
    compress: true,
    server_version: "8.0.0",
    time_s: 1_700_000_000,
    used_memory_bytes: 1 << 40,
    fields: &[("repl-stream-db", b"0")],
    is_aof_base: false,
    functions: &[b"#!lua name=one\n", b"#!lua name=two\n"],
    sizes: &[(0, 10, 1), (7, 100, 0)],
};

/// A file of records as some shards write it, in turns and in chunks of many sizes.
fn some_file(random: &mut Random, shapes: &Shapes<'_>, records: usize, sums: bool) -> (Vec<u8>, Vec<Told>) {
    let mut plan = Plan::new(&HEAD, 3, sums);
    let (mut file, mut all) = (plan.head().to_vec(), Vec::new());
    let mut end = file.len() as u64;
    let options = Options { version: 10 + random.below(5) as u16, compress: random.below(2) == 0 };
    let mut writers: Vec<_> = (0..3).map(|_| ChunkWriter::new(options, sums)).collect();
    let mut number = 0;
    while number < records {
        let source = random.index(3);
        let writer = &mut writers[source];
        let mut bytes = Vec::new();
        for _ in 0..1 + random.index(40).min(records - number - 1) {
            let (db, key) =
                (random.below(3) as u32 * 5, [number.to_string().into(), some_text(random)].concat());
            let expire_ms = (random.below(3) == 0).then(|| random.below(1 << 42));
            let age = [Age::Unsaid, Age::Idle(random.below(1 << 24)), Age::Frequency(200)][random.index(3)];
            let value = some_value(random, shapes);
            writer.begin(db, &key, Meta { expire_ms, age }, value.view());
            let budget = [1000, usize::MAX][random.index(2)];
            while writer.step(value.view(), budget) == Progress::More {
                if writer.pending().len() > 3 * BLOCK_BYTES {
                    bytes.extend(writer.take_blocks(Vec::new()));
                }
            }
            let idle = if let Age::Idle(seconds) = age { Some(seconds) } else { None };
            let frequency = if let Age::Frequency(count) = age { Some(count) } else { None };
            let expire_ms = expire_ms.map(|at_ms| at_ms as i64);
            all.push((db, key, expire_ms, idle, frequency, content(&value)));
            number += 1;
        }
        let (last, written) = writer.finish(Vec::new());
        bytes.extend(last);
        assert_eq!(bytes.len() as u64, written.bytes);
        plan.add(end, source as u16, &written);
        end += written.bytes;
        file.extend(bytes);
    }
    let Ending { head, is_head_new, tail, tail_offset } = plan.finish();
    assert_eq!(tail_offset, file.len() as u64);
    assert_eq!(is_head_new, !file.starts_with(&head));
    file[..head.len()].copy_from_slice(&head);
    file.extend(tail);
    assert!(file.len().is_multiple_of(BLOCK_BYTES));
    (file, all)
}

fn records_of<'a>(
    items: impl Iterator<Item = Result<Item<'a>, Damage>>,
    shapes: &Shapes<'_>,
) -> Result<Vec<Told>, Damage> {
    let mut all = Vec::new();
    for item in items {
        if let Item::Record(record) = item? {
            all.extend(told(&record, shapes)?);
        }
    }
    Ok(all)
}

/// By a feed of pieces of random lengths, up to this.
fn records_of_pieces(
    file: &[u8],
    most: usize,
    random: &mut Random,
    shapes: &Shapes<'_>,
) -> Result<Vec<Told>, Damage> {
    let (mut feed, mut rest, mut all) = (Feed::new(true), file, Vec::new());
    loop {
        while let Some(item) = feed.next_item()? {
            if let Item::Record(record) = item {
                all.extend(told(&record, shapes)?);
            }
        }
        if feed.is_over() {
            assert_eq!(feed.offset() as usize + feed.rest().len() + rest.len(), file.len());
            return Ok(all);
        }
        if rest.is_empty() {
            feed.close();
            continue;
        }
        let (piece, behind) = rest.split_at((1 + random.index(most)).min(rest.len()));
        feed.push(piece);
        rest = behind;
    }
}

#[test]
fn our_files_are_read_in_every_way() {
    let (mut random, seed) = (Random::from_seed(31), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    for round in 0..30 {
        let (records, sums) = (random.index(300), round % 3 != 0);
        let (file, all) = some_file(&mut random, &shapes, records, sums);
        let items = Items::of_file(&file, true).expect("a header");
        assert!(records_of(items, &shapes).expect("no damage") == all, "round {round}");
        let read = records_of_pieces(&file, [7, 5000, 1 << 20][round % 3], &mut random, &shapes);
        assert!(read.expect("no damage") == all, "round {round}");
        let parts = Parts::find(&file, true).expect("an index");
        assert_eq!(parts.sources(), 3);
        let aux = parts.head().filter(|item| matches!(item, Ok(Item::Aux { .. }))).count();
        let functions = parts.head().filter(|item| matches!(item, Ok(Item::Function(_)))).count();
        assert_eq!((aux, functions), (7, 2));
        let mut by_chunks = Vec::new();
        for (number, chunk) in parts.chunks().iter().enumerate() {
            let part = records_of(parts.chunk(number).expect("a right sum"), &shapes).expect("no damage");
            assert_eq!(part.len() as u64, chunk.records);
            by_chunks.extend(part);
        }
        assert!(by_chunks == all, "round {round}");
    }
}

#[test]
fn the_header_says_the_version_that_is_needed() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let mut array = types::Array::new();
    array.set(0, b"x");
    for (value, version) in [(Value::string(b"x"), 10), (Value::Array(Box::new(array)), 14)] {
        let mut plan = Plan::new(&HEAD, 1, true);
        let mut writer = ChunkWriter::new(Options { version: 10, compress: true }, true);
        writer.record(0, b"key", Meta::default(), value.view());
        let (chunk, written) = writer.finish(Vec::new());
        plan.add(plan.head().len() as u64, 0, &written);
        let ending = plan.finish();
        assert_eq!(ending.is_head_new, version != 10);
        let file = [ending.head, chunk, ending.tail].concat();
        let items = Items::of_file(&file, true).expect("a header");
        assert_eq!(items.form(), Form { brand: Brand::Redis, version });
        assert_eq!(records_of(items, &shapes).expect("no damage").len(), 1);
    }
}

/// A file put together by hand, with its end.
fn file(header: &str, items: &[&[u8]]) -> Vec<u8> {
    let mut file = [header.as_bytes(), &items.concat(), &[opcode::END]].concat();
    file.extend_from_slice(&crc64(0, &file).to_le_bytes());
    file
}

fn refused(header: &str, items: &[&[u8]]) -> Damage {
    let (file, seed) = (file(header, items), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    let read = Items::of_file(&file, true).and_then(|items| records_of(items, &shapes));
    let damage = read.expect_err("it is refused");
    let by_pieces = records_of_pieces(&file, 3, &mut Random::from_seed(1), &shapes);
    assert_eq!(by_pieces.expect_err("it is refused"), damage);
    damage
}

const STRING: &[u8] = b"\x00\x01k\x01v";

#[test]
fn headers() {
    let version = |header: &str| {
        Items::of_file(&file(header, &[]), true).map(|items| items.form()).map_err(|damage| damage.error)
    };
    let (redis, valkey) = (Brand::Redis, Brand::Valkey);
    assert_eq!(version("REDIS0006"), Ok(Form { brand: redis, version: 6 }));
    assert_eq!(version("REDIS0016"), Ok(Form { brand: redis, version: 16 }));
    assert_eq!(version("REDIS0017"), Err(Error::Newer(17)));
    assert_eq!(version("VALKEY080"), Ok(Form { brand: valkey, version: 80 }));
    assert_eq!(version("VALKEY081"), Err(Error::Newer(81)));
    let foreign = Err(Error::Corrupt("not an RDB file"));
    for header in ["REDIS0000", "REDIS00a1", "*3\r\n$3\r\nSE", "REDISX010"] {
        assert_eq!(version(header), foreign, "{header}");
    }
    let cut = Items::of_file(b"REDIS001", true).map(drop).expect_err("it is cut");
    assert_eq!((cut.error, cut.offset), (Error::Truncated, 0));
}

#[test]
fn all_that_is_no_record() {
    let (module, seed) = (0x89, HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    let module_aux = [
        &[opcode::MODULE_AUX, 0x80, 0, 0, 0, module, 2, 1][..],
        b"\x01\x05\x05\x01x\x03abcd\x04abcdefgh\x00",
    ];
    let items: &[&[u8]] = &[
        b"\xfa\x09redis-ver\x055.0.0",
        &module_aux.concat(),
        b"\xf5\x02ab",
        b"\xfe\x09\xfb\x01\x00\xf4\x01\x02\x03",
        b"\xfc\xe8\x03\0\0\0\0\0\0\xf8\x05\xf3\x01\x01\0\0\0\x02\x07\x00",
        STRING,
        b"\xf9\x07\xfd\xff\xff\xff\xff\x00\xc0\x05\x01w",
    ];
    let file = file("REDIS0014", items);
    let mut names = Vec::new();
    for item in Items::of_file(&file, true).expect("a header") {
        names.push(match item.expect("no damage") {
            Item::Aux { name, value } => format!("{} {}", name.escape_ascii(), value.escape_ascii()),
            Item::Database(db) => format!("db {db}"),
            Item::Sizes { keys, expiring } => format!("sizes {keys} {expiring}"),
            Item::SlotSizes { slot, keys, expiring } => format!("slot {slot} {keys} {expiring}"),
            Item::SlotImport => "import".to_owned(),
            Item::Function(code) => format!("function {}", code.escape_ascii()),
            Item::ModuleAux(name) => format!("module {name:?}"),
            Item::Record(record) => {
                let (db, key, expire, idle, frequency, _) =
                    told(&record, &shapes).expect("no damage").expect("a value");
                format!("{db} {} {expire:?} {idle:?} {frequency:?} {}", key.escape_ascii(), record.offset())
            }
            Item::End(sum) => format!("end {sum:?}"),
        });
    }
    let expected = [
        "redis-ver 5.0.0",
        "module AAAAAAAAA",
        "function ab",
        "db 9",
        "sizes 1 0",
        "slot 1 2 3",
        "9 k Some(1000) Some(5) None 67",
        "9 5 Some(-1000) None Some(7) 92",
        "end Right",
    ];
    assert_eq!(names, expected);
}

#[test]
fn files_of_valkey_differ() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let hash = b"\x16\x01h\x02\x01a\x01b\xe8\x03\0\0\0\0\0\0\x01c\x01d\xff\xff\xff\xff\xff\xff\xff\xff";
    let items: &[&[u8]] = &[b"\xf3\x04name\x02\x01\x02\x05\x06", hash];
    let valkey = file("VALKEY080", items);
    let all = records_of(Items::of_file(&valkey, true).expect("a header"), &shapes).expect("no damage");
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!(all[0].5, [field("a", "b Some(1000)"), field("c", "d None")]);
    assert_eq!(refused("REDIS0012", items).doing, Doing::Hints);
    assert_eq!(refused("VALKEY080", &[b"\x18\x01k"]).error, Error::Unsupported(24));
    let never = b"\x16\x01h\x01\x01a\x01b\0\0\0\0\0\0\0\0";
    assert_eq!(refused("VALKEY080", &[never]).error, Error::Corrupt("expire time of a field"));
}

#[test]
fn what_is_refused_is_named_with_its_place() {
    let damage = refused("REDIS0010", &[STRING, b"\xf6\x01x"]);
    assert_eq!((damage.error, damage.doing, damage.item), (Error::OldFunctions, Doing::Function, 14));
    let module = [b"\x07\x01m", &b"\x81OtherTyp\x02\x05\x05\x01x\x00"[..]].concat();
    let damage = refused("REDIS0010", &[b"\xfe\x02", &module]);
    assert_eq!(damage.key, Some((2, b"m"[..].into())));
    assert!(matches!(damage.error, Error::Module(_)) && damage.item == 11);
    assert_eq!(refused("REDIS0010", &[b"\x06\x01m"]).error, Error::Unsupported(6));
    assert_eq!(refused("REDIS0010", &[b"\x08\x01m"]).doing, Doing::Opcode);
    assert_eq!(refused("REDIS0010", &[b"\xf2"]).error, Error::Unsupported(0xf2));
    assert_eq!(refused("REDIS0010", &[b"\xf9\x01"]).error, Error::Corrupt("a key should follow"));
    assert_eq!(refused("REDIS0013", &[b"\xf3\x01\0\0\0\0\0"]).doing, Doing::Hints);
    let damage = refused("REDIS0010", &[STRING, b"\x0b\x03set\x08\x02\0\0\0\x09\0\0\0"]);
    assert_eq!((damage.doing, damage.offset), (Doing::Value(Type::SetIntset), 28));
    let told = "at byte 28, reading a value (SetIntset, type 11) that begins at byte 14 of key \"set\" in database 0: \
        corrupt value: packed encoding";
    assert_eq!(damage.to_string(), told);
    let mut wrong = file("REDIS0010", &[STRING]);
    wrong[13] ^= 1;
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let read = |sums| Items::of_file(&wrong, sums).and_then(|items| records_of(items, &shapes));
    let damage = read(true).expect_err("a wrong sum");
    assert!(matches!(damage.error, Error::CheckSum { .. }) && damage.offset == 15, "{damage}");
    assert_eq!(read(false).map(|all| all.len()), Ok(1));
    let old = [b"REDIS0004", STRING, &[opcode::END]].concat();
    let mut items = Items::of_file(&old, true).expect("a header");
    assert!(items.by_ref().all(|item| item.is_ok()));
    assert_eq!(items.offset(), 15);
}

#[test]
fn empty_collections_are_passed_over_and_commands_may_follow() {
    let seed = HashSeed::new(1, 2);
    let shapes = Shapes::with_defaults(&seed);
    let mut file = file("REDIS0009", &[b"\x02\x01e\x00", STRING]);
    file.extend_from_slice(b"*1\r\n");
    let mut items = Items::of_file(&file, true).expect("a header");
    assert_eq!(records_of(items.by_ref(), &shapes).expect("no damage").len(), 1);
    assert_eq!(items.rest(), b"*1\r\n");
}

#[test]
fn values_of_all_types_are_passed_over_as_they_are_read() {
    let (mut random, seed) = (Random::from_seed(5), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    for old in old_payloads() {
        let (kind, value) = old.split_first().expect("a type");
        let items: &[&[u8]] = &[&[*kind], b"\x01k", value, STRING];
        let file = file("REDIS0014", items);
        let all = records_of(Items::of_file(&file, true).expect("a header"), &shapes).expect("no damage");
        assert_eq!(all.len(), 2, "type {kind}");
    }
    for _ in 0..300 {
        let (value, options) = (some_value(&mut random, &shapes), Options { version: 12, compress: true });
        let mut writer = ChunkWriter::new(options, false);
        writer.record(0, b"k", Meta::default(), value.view());
        let (chunk, _) = writer.finish(Vec::new());
        let file = file("REDIS0014", &[&chunk]);
        let all = records_of(Items::of_file(&file, true).expect("a header"), &shapes).expect("no damage");
        assert_eq!(all[0].5, content(&value));
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let (mut random, seed) = (Random::from_seed(6), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    let (mut keys, mut whole) = (Vec::new(), Vec::new());
    for old in old_payloads() {
        keys.push([&old[..1], b"\x01k", &old[1..]].concat());
    }
    keys.iter().for_each(|key| whole.push(&key[..]));
    let whole = file("REDIS0014", &whole);
    for len in 0..whole.len() {
        let cut = &whole[..len];
        let read = Items::of_file(cut, true).and_then(|items| records_of(items, &shapes));
        let damage = read.expect_err("it is cut");
        assert!(damage.error == Error::Truncated && damage.offset <= len as u64, "{len}: {damage}");
        let again = records_of_pieces(cut, 20, &mut random, &shapes).expect_err("it is cut");
        assert_eq!(again, damage, "{len}");
        assert!(Parts::find(cut, true).is_none());
    }
}

#[test]
fn damaged_files_are_refused_or_read_alike() {
    let rounds = std::env::var("RDB_DAMAGE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let (mut random, seed) = (Random::from_seed(7), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    let mut refused = 0;
    for round in 0..rounds {
        let records = random.index(8);
        let (mut file, _) = some_file(&mut random, &shapes, records, round % 2 == 0);
        damage(&mut file, &mut random);
        // Without check sums, so that damage is met by those who read.
        let read = Items::of_file(&file, false).and_then(|items| records_of(items, &shapes));
        let by_pieces = records_of_pieces(&file, 5000, &mut random, &shapes);
        match (&read, &by_pieces) {
            (Err(damage), _) => assert_eq!(by_pieces.as_ref().err(), Some(damage), "round {round}"),
            (Ok(_), Err(damage)) => {
                assert!(matches!(damage.error, Error::CheckSum { .. }), "round {round}: {damage}");
            }
            (Ok(all), Ok(again)) => assert!(all == again, "round {round}"),
        }
        refused += usize::from(by_pieces.is_err());
        for sums in [true, false] {
            let Some(parts) = Parts::find(&file, sums) else { continue };
            let mut all = records_of(parts.head(), &shapes);
            for number in 0..parts.chunks().len() {
                let part = parts.chunk(number).and_then(|items| records_of(items, &shapes));
                all = all.and_then(|mut all: Vec<Told>| part.map(|part| all.extend(part)).map(|()| all));
            }
            // Whoever trusts the index sees what the others see, or that something is wrong.
            match (&read, all) {
                (Ok(read), Ok(all)) => assert!(*read == all, "round {round}"),
                (Err(damage), Ok(_)) => panic!("round {round}: {damage}"),
                (_, Err(_)) => {}
            }
        }
    }
    assert!(refused > rounds / 3, "{refused}");
}

#[test]
fn an_index_that_lies_is_not_believed() {
    let (mut random, seed) = (Random::from_seed(8), HashSeed::new(1, 2));
    let shapes = Shapes::with_defaults(&seed);
    let (file, _) = some_file(&mut random, &shapes, 200, false);
    assert!(Parts::find(&file, true).is_some());
    let index_bytes =
        u32::from_le_bytes(file[file.len() - 13..file.len() - 9].try_into().expect("four")) as usize;
    let index_at = file.len() - 9 - index_bytes;
    let mut accepted = 0;
    for at in index_at..file.len() - 8 {
        let mut lie = file.clone();
        lie[at] ^= 1 << random.below(8);
        accepted += usize::from(Parts::find(&lie, true).is_some());
    }
    // Only what it says of sums (which are not looked at in a file without), records and sources is taken on trust.
    assert!(accepted <= Parts::find(&file, true).map_or(0, |parts| parts.chunks().len() * 18 + 2));
    let foreign = self::file("REDIS0010", &[b"\xfa\x0aweft-index\x04abcd"]);
    assert!(Parts::find(&foreign, true).is_none());
    let mut key = vec![0];
    append_string(&mut key, b"key", true);
    assert!(Parts::find(&self::file("REDIS0010", &[&key, b"\x01v"]), true).is_none());
}
