//! The program on whole and on damaged files.

mod place;

use keyspace::ValueRef;
use keyspace::value::StrRef;
use place::{Place, report, run};
use rdb::encode::Options;
use rdb::file::{ChunkWriter, Head, Meta, Plan};
use serde_json::Value;
use testkit::{Program, Server};

/// A file of two chunks, and where the second begins.
fn ours() -> (Vec<u8>, u64) {
    let head = Head {
        server_version: "8.0.0",
        time_s: 1_700_000_000,
        used_memory_bytes: 1 << 20,
        functions: &[b"#!lua name=lib\n"],
        sizes: &[(0, 200, 1)],
        ..Head::PLAIN
    };
    let mut plan = Plan::new(&head, 2, true);
    let mut file = plan.head().to_vec();
    let mut writer = ChunkWriter::new(Options { version: 10, compress: true }, true);
    let mut second = 0;
    for source in 0..2 {
        for number in 0..100 {
            let key = format!("key {source} {number}");
            let value = ValueRef::Str { bytes: StrRef::Inline(b"a value that is long enough"), raw: false };
            let expire_ms = (number == 7).then_some(1000);
            writer.record(0, key.as_bytes(), Meta { expire_ms, ..Meta::default() }, value);
        }
        second = file.len() as u64;
        let (bytes, written) = writer.finish(Vec::new());
        plan.add(second, source, &written);
        file.extend(bytes);
    }
    file.extend(plan.finish().tail);
    (file, second)
}

#[test]
fn our_files_and_what_can_be_wrong_with_them() {
    let directory = Place::new("ours");
    let (file, second) = ours();
    let path = directory.write("a.rdb", &file);
    let (whole, code) = report(&path);
    assert_eq!(code, 0, "{whole}");
    assert_eq!((&whole["keys"], &whole["damage"]), (&200.into(), &Value::Null));
    assert_eq!(whole["index"], serde_json::json!({ "sources": 2, "chunks": 2 }));
    assert_eq!(whole["functions"][0]["name"], "lib");
    assert_eq!(whole["fields"]["redis-ver"], "8.0.0");
    let strings = &whole["databases"]["0"]["types"]["string"];
    assert_eq!((&strings["keys"], &strings["size"]), (&200.into(), &(27 * 200).into()));
    assert_eq!(whole["databases"]["0"]["expired"], 2);
    assert_eq!(whole["largest"].as_array().map(Vec::len), Some(10));
    let text = String::from_utf8(run(&["--quick", "--keys", "1"], &path, "").stdout).expect("text");
    assert!(text.ends_with("check sum: right\nOK 200 keys\n"), "{text}");

    let cut = directory.write("cut.rdb", &file[..second as usize + 20]);
    let (cut, code) = report(&cut);
    assert_eq!((code, &cut["keys"]), (1, &100.into()));
    let item = cut["damage"]["item"].as_u64().expect("a place");
    assert!(item >= second && item <= second + 20, "{cut}");

    let mut flipped = file.clone();
    flipped[second as usize + 10] ^= 1;
    let flipped = directory.write("flipped.rdb", &flipped);
    let output = run(&[], &flipped, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\nDAMAGED at byte "));
}

#[test]
fn an_index_that_is_wrong_is_damage() {
    let directory = Place::new("index");
    let (mut file, second) = ours();
    let place = file.len() - 9 - 4 - 34;
    assert_eq!(file[place..place + 8], second.to_le_bytes());
    file[place] ^= 1;
    // No check sum is written, so nothing else can be found wrong.
    let end = file.len() - 8;
    file[end..].fill(0);
    let (report, code) = report(&directory.write("a.rdb", &file));
    assert_eq!((code, &report["damage"]["offset"]), (1, &(second ^ 1).into()));
}

#[test]
fn what_is_no_file_of_ours() {
    let directory = Place::new("foreign");
    let (report, code) = report(&directory.write("a.rdb", b"hello, world"));
    assert_eq!((code, &report["format"]), (1, &"not an RDB file".into()));
    assert_eq!(run(&[], &directory.0.join("none.rdb"), "").status.code(), Some(2));
    assert_eq!(run(&["--what"], &directory.0, "").status.code(), Some(2));
    let help = run(&["--help"], &directory.0, "");
    assert!(help.status.success() && help.stdout.starts_with(b"usage:"));
}

#[test]
fn a_file_of_redis() {
    if Program::redis().find().is_none() {
        return;
    }
    let server = Server::redis(&["--dbfilename", "dump.rdb"]);
    let mut client = server.client();
    for line in
        ["SET a 1", "RPUSH b 1 2 3", "SADD c x", "HSET d f v", "ZADD e 1 x", "XADD f * a b", "SELECT 3"]
    {
        client.run(line);
    }
    client.run("SET a 1 EX 1000");
    assert!(client.run("SAVE").is_ok());
    let (report, code) = report(&server.directory().join("dump.rdb"));
    assert_eq!((code, &report["keys"], &report["check_sum"]), (0, &7.into(), &"right".into()));
    assert_eq!(report["databases"]["0"]["types"]["list"]["size"], 3);
    assert_eq!(report["databases"]["0"]["types"].as_object().map(|types| types.len()), Some(6));
    assert_eq!(report["databases"]["3"]["expiring"], 1);
    assert_eq!(report["index"], Value::Null);
}
