//! Files of a real server are read and compared with what it says itself; the same values are written as our own files, which its
//! checker passes and from which it starts with the same digest of all data. With the servers of `peers.rs`.

mod exchange;

use base::hash::HashSeed;
use base::random::Random;
use exchange::{ARGUMENTS, fill, held, peers, shapes, told};
use keyspace::Value;
use rdb::encode::{Options, Progress};
use rdb::file::{Age, Brand, CheckSum, ChunkWriter, Feed, Head, Item, Items, Layout, Meta, Parts, Plan};
use rdb::{Shapes, Type};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::{Client, Program, Server};

const LIBRARY: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
const FAR_MS: i64 = 4_000_000_000_000;

struct Read {
    db: u32,
    key: Vec<u8>,
    meta: Meta,
    layout: Type,
    value: Value,
}

struct Content {
    fields: Vec<(String, Vec<u8>)>,
    functions: Vec<Vec<u8>>,
    sizes: Vec<(u64, u64)>,
    records: Vec<Read>,
}

/// Keeps what an item says; whether it is the last.
fn keep(item: Item<'_>, content: &mut Content, shapes: &Shapes<'_>) -> bool {
    match item {
        Item::Aux { name, value } => {
            content.fields.push((String::from_utf8(name.to_vec()).expect("a name"), value.to_vec()));
        }
        Item::Function(code) => content.functions.push(code.to_vec()),
        Item::Sizes { keys, expiring } => content.sizes.push((keys, expiring)),
        Item::Record(record) => {
            let value = record.value(shapes).unwrap_or_else(|damage| panic!("{damage}"));
            let Layout::Known(layout) = record.layout else { panic!("a value of a module") };
            let age = match (record.idle_s, record.frequency) {
                (Some(seconds), _) => Age::Idle(seconds),
                (_, Some(count)) => Age::Frequency(count),
                _ => Age::Unsaid,
            };
            let expire_ms = record.expire_ms.map(|at_ms| at_ms as u64);
            content.records.push(Read {
                db: record.db,
                key: record.key.to_vec(),
                meta: Meta { expire_ms, age },
                layout,
                value: value.expect("no server writes empty collections"),
            });
        }
        Item::End(sum) => {
            assert_eq!(sum, CheckSum::Right);
            return true;
        }
        _ => {}
    }
    false
}

fn read(file: &[u8], shapes: &Shapes<'_>) -> Content {
    let mut items = Items::of_file(file, true).unwrap_or_else(|damage| panic!("{damage}"));
    let empty =
        || Content { fields: Vec::new(), functions: Vec::new(), sizes: Vec::new(), records: Vec::new() };
    let (mut content, mut again) = (empty(), empty());
    let is_whole = items
        .by_ref()
        .any(|item| keep(item.unwrap_or_else(|damage| panic!("{damage}")), &mut content, shapes));
    assert!(is_whole && items.rest().is_empty());
    let mut feed = Feed::new(true);
    for piece in file.chunks(1000).chain([&[][..]]) {
        if piece.is_empty() {
            feed.close();
        }
        feed.push(piece);
        while let Some(item) = feed.next_item().unwrap_or_else(|damage| panic!("{damage}")) {
            keep(item, &mut again, shapes);
        }
    }
    assert!(feed.is_over());
    assert_eq!((again.fields, again.sizes), (content.fields.clone(), content.sizes.clone()));
    assert_eq!(again.records.len(), content.records.len());
    for (one, other) in again.records.iter().zip(&content.records) {
        assert!(one.key == other.key && held(&one.value) == held(&other.value));
    }
    content
}

/// The same as a file of two shards, in small chunks.
fn write(content: &Content, version: u16, random: &mut Random) -> Vec<u8> {
    let functions: Vec<_> = content.functions.iter().map(Vec::as_slice).collect();
    let mut plan = Plan::new(
        &Head {
            version,
            functions: &functions,
            sizes: &[(9, 20, 0), (0, content.records.len() as u64, 3)],
            ..Head::PLAIN
        },
        2,
        true,
    );
    let mut file = plan.head().to_vec();
    let options = Options { version, compress: true };
    let mut writer = ChunkWriter::new(options, true);
    for (number, record) in content.records.iter().enumerate() {
        let view = record.value.view();
        writer.begin(record.db, &record.key, record.meta, view);
        while writer.step(view, 1000) == Progress::More {}
        if random.below(10) == 0 || number + 1 == content.records.len() {
            let (bytes, written) = writer.finish(Vec::new());
            plan.add(file.len() as u64, random.below(2) as u16, &written);
            file.extend(bytes);
        }
    }
    let ending = plan.finish();
    assert!(!ending.is_head_new, "the version was chosen for these values");
    [&file, &ending.tail[..]].concat()
}

fn digest(client: &mut Client) -> Vec<u8> {
    let digest = client.cmd(&["DEBUG", "DIGEST"]);
    assert!(!digest.is_error(), "{digest:?}");
    digest.bytes().expect("a digest").to_vec()
}

fn check(file: &Path) {
    let Ok(output) = Command::new("redis-check-rdb").arg(file).output() else { return };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("Checksum OK"), "{told}");
}

fn connect(server: &Server) -> Client {
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(30));
    client
}

/// Fills the first database and a part of another; the names of the keys of the first.
fn prepare(client: &mut Client, policy: &str, field_ttls: bool, random: &mut Random) -> Vec<String> {
    client.run(&format!("CONFIG SET maxmemory-policy {policy}"));
    let loaded = client.cmd(&["FUNCTION", "LOAD", LIBRARY]);
    assert!(!loaded.is_error(), "{loaded:?}");
    client.run("SELECT 9");
    client.run("SET other 1");
    client.run("RPUSH list a b c");
    client.run("SELECT 0");
    let keys = fill(client, field_ttls, random);
    client.run(&format!("PEXPIREAT {} {FAR_MS}", keys[0]));
    client.run("XADD XADD-groups 1-1 a b");
    client.run("XADD XADD-groups 1-2 a b");
    client.run("XGROUP CREATE XADD-groups group 0");
    client.run("XREADGROUP GROUP group consumer COUNT 1 STREAMS XADD-groups >");
    keys
}

fn exchange_files(program: &Program, policy: &str) -> BTreeSet<u8> {
    let mut arguments: Vec<_> = ARGUMENTS.split_whitespace().collect();
    arguments.extend(["--enable-debug-command", "yes", "--dbfilename", "dump.rdb"]);
    let mut server = Server::start(program, &arguments).expect("the peer starts");
    let mut client = connect(&server);
    let (seed, mut random) = (HashSeed::new(5, 6), Random::from_seed(19));
    let shapes = shapes(&seed);
    let path = server.directory().join("dump.rdb");
    client.run("SAVE");
    let form = Items::of_file(&std::fs::read(&path).expect("a file"), true).expect("a header").form();
    let keys = prepare(&mut client, policy, form.version >= 12, &mut random);
    assert!(client.run("SAVE").is_ok());
    let mut content = read(&std::fs::read(&path).expect("a file"), &shapes);
    assert_eq!(content.functions, [LIBRARY.as_bytes()]);
    assert_eq!(content.sizes, [(keys.len() as u64 + 1, 1), (2, 0)]);
    assert!(content.fields.iter().any(|(name, _)| name == "ctime"));
    assert_eq!(content.records.len(), keys.len() + 3);
    for record in content.records.iter().filter(|record| record.db == 0) {
        let key = String::from_utf8(record.key.clone()).expect("a name");
        assert!(held(&record.value) == told(&mut client, &key), "{program:?} {key}");
        let expire_ms = (key == keys[0]).then_some(FAR_MS as u64);
        assert_eq!(record.meta.expire_ms, expire_ms, "{program:?} {key}");
        let is_said = match record.meta.age {
            Age::Unsaid => "noeviction",
            Age::Idle(_) => "allkeys-lru",
            Age::Frequency(_) => "allkeys-lfu",
        };
        assert_eq!(is_said, policy, "{program:?} {key}");
    }
    let mut version = form.version;
    if form.brand == Brand::Valkey {
        // It reads files of Redis up to this one, which know no expiring fields.
        version = 11;
        content.records.retain(|record| record.layout != Type::HashValkey);
        keys.iter().filter(|key| key.starts_with("HPEXPIREAT")).for_each(|key| {
            client.cmd(&["DEL", key]);
        });
        content.records.retain(|record| !record.key.starts_with(b"HPEXPIREAT"));
    }
    let before = digest(&mut client);
    let ours = write(&content, version, &mut random);
    assert!(Parts::find(&ours, true).is_some_and(|parts| parts.chunks().len() > 3));
    std::fs::write(&path, &ours).expect("a file");
    if *program == Program::redis() {
        check(&path);
    }
    server.restart().expect("the peer starts from our file");
    let mut client = connect(&server);
    assert_eq!(digest(&mut client), before, "{program:?}");
    let answer = client.run("XPENDING XADD-groups group").items().map(<[_]>::len);
    assert_eq!(answer, Some(4));
    assert!(!client.run("FCALL f 0").is_error());
    content.records.iter().map(|record| record.layout.byte()).collect()
}

#[test]
fn files_go_to_and_fro() {
    for program in peers() {
        let mut types = BTreeSet::new();
        for policy in ["noeviction", "allkeys-lru", "allkeys-lfu"] {
            types.extend(exchange_files(&program, policy));
        }
        let common = [0, 2, 4, 5, 11, 16, 17, 18];
        assert!(common.iter().all(|byte| types.contains(byte)), "{program:?}: {types:?}");
    }
}
