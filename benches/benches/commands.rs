//! Hot commands through a whole shard, without sockets: bytes in, reply bytes out, in pipelines of 16.

use base::hash::HashSeed;
use command::ShardCx;
use command::session::Session;
use config::Config;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shard::Shard;
use std::sync::Arc;

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    bytes.into_bytes()
}

fn play(shard: &mut Shard, conn: usize, bytes: &[u8]) -> usize {
    shard.receive(bytes, &[(conn as u32, 0..bytes.len())]);
    shard.dirty_conns.clear();
    let conn = shard.conn_mut(conn);
    conn.dirty = false;
    let len = conn.out.len();
    conn.out.clear();
    len
}

fn commands(c: &mut Criterion) {
    let cx = ShardCx::new(0, 1, Arc::new(Config::default()), HashSeed::new(1, 2), 3);
    let mut shard = Shard::new(cx);
    let conn = shard.open(Session { authenticated: true, ..Session::default() });
    for n in 0..200 {
        let score = n.to_string();
        play(&mut shard, conn, &request(&["ZADD", "z", &score, &format!("member:{n:09}")]));
        play(&mut shard, conn, &request(&["RPUSH", "l", &format!("element:{n:09}")]));
    }
    let value = "x".repeat(64);
    // A document of 1 KiB: ten members, each an object with a text and numbers.
    let member =
        |n: usize| format!(r#""field{n}":{{"name":"{}","price":{n}.25,"tags":["a","b"]}}"#, "x".repeat(48));
    let document = format!("{{{}}}", (0..10).map(member).collect::<Vec<_>>().join(","));
    play(&mut shard, conn, &request(&["JSON.SET", "doc", "$", &document]));
    let cases: [(&str, Vec<&str>); 14] = [
        ("SET", vec!["SET", "key:000000000001", &value]),
        ("GET", vec!["GET", "key:000000000001"]),
        ("INCR", vec!["INCR", "counter"]),
        ("HSET", vec!["HSET", "h", "field", &value]),
        ("SADD", vec!["SADD", "s", "member"]),
        ("ZADD", vec!["ZADD", "z", "1", "member:000000007"]),
        ("LPUSH and LPOP", vec!["LPUSH", "queue", &value]),
        ("ZRANGE 100", vec!["ZRANGE", "z", "0", "99"]),
        ("LRANGE 100", vec!["LRANGE", "l", "0", "99"]),
        ("JSON.SET of 1 KiB", vec!["JSON.SET", "doc", "$", &document]),
        ("JSON.GET of 1 KiB", vec!["JSON.GET", "doc", "$"]),
        ("JSON.GET of a member", vec!["JSON.GET", "doc", "$.field5.price"]),
        ("JSON.GET with a filter", vec!["JSON.GET", "doc", "$[?(@.price>5)].name"]),
        ("JSON.NUMINCRBY", vec!["JSON.NUMINCRBY", "doc", "$.field5.price", "1"]),
    ];
    let mut group = c.benchmark_group("commands, pipelines of 16");
    group.throughput(Throughput::Elements(16));
    for (name, words) in cases {
        let mut bytes = request(&words).repeat(16);
        if name == "LPUSH and LPOP" {
            bytes = [request(&words).repeat(8), request(&["LPOP", "queue"]).repeat(8)].concat();
        }
        group.bench_function(name, |b| b.iter(|| play(&mut shard, conn, &bytes)));
    }
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
