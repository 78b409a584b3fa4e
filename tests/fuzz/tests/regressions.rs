//! What the fuzzer has found, each with a name, in its shortest form.
#![forbid(unsafe_code)]

use fuzz::engine::Engine;
use testkit::{Value, decode, words};

/// The reply to the last of some commands.
fn last_reply(shards: u16, lines: &[&str]) -> Value {
    let mut engine = Engine::new(shards, 1, false);
    let mut last = Value::Null;
    for line in lines {
        let words = words::split(line).expect("a test's own line");
        engine.run([(0, words.as_slice())].into_iter()).expect("it ends");
        engine.check_quiet().expect("all is in order");
        let bytes = engine.received(0).bytes;
        let (value, used) = decode(&bytes).expect("well-formed").expect("whole");
        assert_eq!(used, bytes.len(), "one reply to {line}");
        last = value;
    }
    last
}

#[test]
fn draws_with_repetition_are_refused_before_any_is_made() {
    let long = "x".repeat(100_000);
    for (add, draw) in [("SADD k", "SRANDMEMBER"), ("HSET k f", "HRANDFIELD"), ("ZADD k 1", "ZRANDMEMBER")] {
        for count in ["-2147483649", "-67108864", "-20000"] {
            let values = if draw == "HRANDFIELD" { " WITHVALUES" } else { "" };
            let reply = last_reply(1, &[&format!("{add} {long}"), &format!("{draw} k {count}{values}")]);
            assert!(reply.is_error(), "{draw} {count}");
        }
        let reply = last_reply(1, &[&format!("{add} {long}"), &format!("{draw} k -10")]);
        assert_eq!(reply.items().map(<[Value]>::len), Some(10));
    }
}

#[test]
fn a_count_to_pop_that_is_no_number_must_be_positive() {
    for line in ["LPOP k x", "RPOP k 18446744073709551616", "SPOP k 1.5", "ZPOPMIN k x", "LPOP k -1"] {
        let reply = last_reply(1, &[line]);
        assert_eq!(reply, Value::Error(b"ERR value is out of range, must be positive".to_vec()), "{line}");
    }
}
