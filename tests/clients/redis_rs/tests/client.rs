//! redis-rs as a real client: what applications do with it must work the same here as with Redis. The port of the server is given by
//! `WEFT_PORT`; each test has a database of its own, so that they can run side by side.

use redis::geo::{Coord, RadiusOptions, Unit};
use redis::{Client, Commands, Connection, ErrorKind, RedisResult, ServerErrorKind, Value};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Each test once over RESP2 and once over RESP3.
fn with_connections(database: u8, test: impl Fn(&mut Connection)) {
    for protocol in ["resp2", "resp3"] {
        let mut connection = connect(database, protocol);
        let _: () = redis::cmd("FLUSHDB").query(&mut connection).unwrap();
        test(&mut connection);
    }
}

fn connect(database: u8, protocol: &str) -> Connection {
    let port = std::env::var("WEFT_PORT").expect("WEFT_PORT names the port of the server");
    let url = format!("redis://127.0.0.1:{port}/{database}?protocol={protocol}");
    let connection = Client::open(url).unwrap().get_connection_with_timeout(Duration::from_secs(10)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    connection
}

#[test]
fn strings() {
    with_connections(0, |connection| {
        let () = connection.set("k", "v").unwrap();
        assert_eq!(connection.get::<_, String>("k").unwrap(), "v");
        assert_eq!(connection.get::<_, Option<String>>("none").unwrap(), None);
        assert!(!connection.set_nx::<_, _, bool>("k", "w").unwrap());
        assert_eq!(connection.append::<_, _, usize>("k", "xyz").unwrap(), 4);
        assert_eq!(connection.getrange::<_, String>("k", 1, -1).unwrap(), "xyz");
        assert_eq!(connection.incr::<_, _, i64>("n", 42).unwrap(), 42);
        assert_eq!(connection.incr::<_, _, f64>("n", 0.5).unwrap(), 42.5);
        let () = connection.mset(&[("a", 1), ("b", 2)]).unwrap();
        let values: Vec<Option<i64>> = connection.mget(&["a", "none", "b"]).unwrap();
        assert_eq!(values, [Some(1), None, Some(2)]);
        assert_eq!(connection.get_del::<_, i64>("a").unwrap(), 1);
        assert!(!connection.setbit::<_, bool>("bits", 7, true).unwrap());
        assert_eq!(connection.bitcount::<_, u64>("bits").unwrap(), 1);
    });
}

#[test]
fn binary_and_large_values() {
    with_connections(1, |connection| {
        let key: &[u8] = b"\0\r\n\xff";
        for length in [0, 1, 300, 70_000, 8 << 20] {
            let value: Vec<u8> = (0..length).map(|n: usize| (n * 7 + (n >> 8)) as u8).collect();
            let () = connection.set(key, &value).unwrap();
            assert!(connection.get::<_, Vec<u8>>(key).unwrap() == value, "{length} bytes");
        }
    });
}

#[test]
fn keys_and_their_ages() {
    with_connections(2, |connection| {
        let () = connection.set_ex("a", 1, 50).unwrap();
        assert!((49..=50).contains(&connection.ttl::<_, i64>("a").unwrap()));
        assert!(connection.persist::<_, bool>("a").unwrap());
        assert_eq!(connection.ttl::<_, i64>("a").unwrap(), -1);
        let () = connection.rename("a", "b").unwrap();
        assert!(connection.exists::<_, bool>("b").unwrap());
        assert_eq!(connection.key_type::<_, String>("b").unwrap(), "string");
        assert_eq!(connection.del::<_, usize>(&["a", "b"]).unwrap(), 1);
    });
}

#[test]
fn collections() {
    with_connections(3, |connection| {
        let () = connection.hset_multiple("h", &[("f", "v"), ("g", "1")]).unwrap();
        let all: HashMap<String, String> = connection.hgetall("h").unwrap();
        assert_eq!(all, HashMap::from([("f".into(), "v".into()), ("g".into(), "1".into())]));
        assert_eq!(connection.hincr::<_, _, _, i64>("h", "g", 4).unwrap(), 5);

        assert_eq!(connection.rpush::<_, _, usize>("l", &["a", "b", "c"]).unwrap(), 3);
        assert_eq!(connection.lrange::<_, Vec<String>>("l", 0, -1).unwrap(), ["a", "b", "c"]);
        assert_eq!(connection.lpop::<_, Option<String>>("l", None).unwrap().as_deref(), Some("a"));

        assert_eq!(connection.sadd::<_, _, usize>("s", &["a", "b"]).unwrap(), 2);
        assert_eq!(connection.sadd::<_, _, usize>("t", &["b", "c"]).unwrap(), 2);
        let both: BTreeSet<String> = connection.sunion(&["s", "t"]).unwrap();
        assert_eq!(both, BTreeSet::from(["a".into(), "b".into(), "c".into()]));
        assert!(connection.sismember::<_, _, bool>("s", "a").unwrap());

        assert_eq!(connection.zadd_multiple::<_, _, _, usize>("z", &[(1.0, "a"), (2.5, "b")]).unwrap(), 2);
        let pairs: Vec<(String, f64)> = connection.zrange_withscores("z", 0, -1).unwrap();
        assert_eq!(pairs, [("a".into(), 1.0), ("b".into(), 2.5)]);
        assert_eq!(connection.zscore::<_, _, Option<f64>>("z", "none").unwrap(), None);
        let popped: Vec<(String, f64)> = connection.zpopmin("z", 1).unwrap();
        assert_eq!(popped, [("a".into(), 1.0)]);

        assert!(connection.pfadd::<_, _, bool>("p", &["a", "b"]).unwrap());
        assert_eq!(connection.pfcount::<_, u64>("p").unwrap(), 2);
    });
}

#[test]
fn places() {
    with_connections(4, |connection| {
        let added: usize = connection
            .geo_add(
                "g",
                &[
                    (Coord::lon_lat("13.361389", "38.115556"), "Palermo"),
                    (Coord::lon_lat("15.087269", "37.502669"), "Catania"),
                ],
            )
            .unwrap();
        assert_eq!(added, 2);
        let distance: f64 = connection.geo_dist("g", "Palermo", "Catania", Unit::Kilometers).unwrap();
        assert_eq!(distance, 166.2742);
        let near: Vec<String> = connection
            .geo_radius("g", 15.0, 37.0, 100.0, Unit::Kilometers, RadiusOptions::default())
            .unwrap();
        assert_eq!(near, ["Catania"]);
    });
}

#[test]
fn a_pipeline_of_a_thousand() {
    with_connections(5, |connection| {
        let mut pipeline = redis::pipe();
        for n in 0..500 {
            pipeline.set(format!("k{n}"), n).ignore();
        }
        for n in 0..500 {
            pipeline.get(format!("k{n}"));
        }
        let values: Vec<i64> = pipeline.query(connection).unwrap();
        assert_eq!(values, (0..500).collect::<Vec<i64>>());
    });
}

#[test]
fn iterators_give_every_element() {
    with_connections(6, |connection| {
        let expected: BTreeSet<String> = (0..1000).map(|n| format!("key:{n}")).collect();
        let pairs: Vec<(&String, u8)> = expected.iter().map(|key| (key, 1)).collect();
        let () = connection.mset(&pairs).unwrap();
        let () = connection.set("other", 1).unwrap();
        let () = connection.sadd("set", &expected.iter().collect::<Vec<_>>()).unwrap();
        let keys: RedisResult<BTreeSet<String>> = connection.scan_match("key:*").unwrap().collect();
        assert_eq!(keys.unwrap(), expected);
        let members: RedisResult<BTreeSet<String>> = connection.sscan("set").unwrap().collect();
        assert_eq!(members.unwrap(), expected);
    });
}

#[test]
fn errors_have_their_kinds() {
    with_connections(7, |connection| {
        let () = connection.set("k", "v").unwrap();
        let wrong_type = connection.lpush::<_, _, usize>("k", "a").unwrap_err();
        assert_eq!(wrong_type.code(), Some("WRONGTYPE"));
        let unknown = redis::cmd("NOSUCHCOMMAND").query::<Value>(connection).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
        assert!(unknown.detail().is_some_and(|text| text.starts_with("unknown command")), "{unknown}");
        let number = connection.incr::<_, _, i64>("k", 1).unwrap_err();
        assert!(number.to_string().contains("value is not an integer or out of range"), "{number}");
        assert_eq!(connection.get::<_, String>("k").unwrap(), "v");
    });
}

#[test]
fn values_of_resp3() {
    let mut connection = connect(8, "resp3");
    let () = redis::cmd("FLUSHDB").query(&mut connection).unwrap();
    let () = connection.hset("h", "f", "v").unwrap();
    let () = connection.zadd("z", "a", 1.5).unwrap();
    let map: Value = connection.hgetall("h").unwrap();
    assert!(matches!(map, Value::Map(pairs) if pairs.len() == 1));
    assert_eq!(connection.zscore::<_, _, Value>("z", "a").unwrap(), Value::Double(1.5));
    assert_eq!(connection.get::<_, Value>("none").unwrap(), Value::Nil);
    let info: String = redis::cmd("CLIENT").arg("INFO").query(&mut connection).unwrap();
    assert!(info.contains("resp=3"), "{info}");
}

#[test]
fn a_killed_connection_says_so_and_a_new_one_works() {
    let mut victim = connect(9, "resp3");
    let mut other = connect(9, "resp2");
    let () = victim.set("k", "v").unwrap();
    let id: i64 = redis::cmd("CLIENT").arg("ID").query(&mut victim).unwrap();
    let killed: i64 = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).query(&mut other).unwrap();
    assert_eq!(killed, 1);
    let error = victim.get::<_, String>("k").unwrap_err();
    assert!(error.is_connection_dropped() || error.is_io_error(), "{error}");
    assert_eq!(connect(9, "resp3").get::<_, String>("k").unwrap(), "v");
}
