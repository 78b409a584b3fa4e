//! Scripts that run for too long: who is answered with BUSY meanwhile, who is served, and how they are ended.

use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, Value};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const LIMIT: Duration = Duration::from_secs(20);

fn serve(shards: &str) -> Server {
    let settings = ["--shards", shards, "--busy-reply-threshold", "20"];
    Server::start(&Program::Peer(WEFT.into()), &settings).expect("weft-server starts")
}

fn text(value: &Value) -> String {
    match value {
        Value::Error(line) => String::from_utf8_lossy(line).into_owned(),
        Value::Integer(number) => number.to_string(),
        other => other.string().unwrap_or_else(|| other.to_string()),
    }
}

/// Asks until the answer is as it should be.
fn wait_for(client: &mut Client, words: &[&str], wanted: &str) {
    let begun = Instant::now();
    loop {
        let reply = text(&client.cmd(words));
        if reply == wanted {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{words:?} answers {reply}, not {wanted}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Keys that spread over all shards.
fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key:{n}")).collect()
}

/// How many of these keys can be read, and how many reads are refused.
fn served(client: &mut Client, keys: &[String]) -> (usize, usize) {
    let commands: Vec<[&str; 2]> = keys.iter().map(|key| ["GET", key.as_str()]).collect();
    let replies = client.pipeline(&commands);
    let refused = replies.iter().filter(|reply| text(reply) == BUSY || text(reply) == BUSY_FUNCTION).count();
    let read = replies.iter().filter(|reply| text(reply) == "v").count();
    assert_eq!(refused + read, keys.len(), "{replies:?}");
    (read, refused)
}

#[test]
fn a_script_in_one_piece_occupies_one_shard() {
    let server = serve("4");
    let (mut client, mut runner) = (server.client(), server.client());
    let keys = keys(64);
    keys.iter().for_each(|key| assert!(client.cmd(&["SET", key, "v"]).is_ok()));
    runner.send(&["EVAL", "while true do redis.call('GET', KEYS[1]) end", "1", "key:0"]).expect("sent");
    wait_for(&mut client, &["DBSIZE"], BUSY);
    let mut others: Vec<Client> = (0..16).map(|_| server.client()).collect();
    let counts: Vec<_> = others.iter_mut().map(|other| served(other, &keys)).collect();
    // Clients of the other shards are served, but for the keys of this one.
    assert!(counts.iter().any(|(read, refused)| *read > 32 && *refused > 0), "{counts:?}");
    let other = others.iter_mut().zip(&counts).find(|(_, (read, _))| *read > 0).expect("one").0;
    assert_eq!(text(&other.cmd(&["FLUSHALL"])), BUSY);
    let many: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
    assert_eq!(text(&other.cmd(&many)), BUSY);
    assert_eq!(text(&other.cmd(&["FUNCTION", "KILL"])), BUSY);
    assert_eq!(text(&other.cmd(&["SCRIPT", "KILL"])), "OK");
    let end = text(&runner.receive().expect("an answer"));
    assert!(end.starts_with("ERR Script killed by user with SCRIPT KILL... script: "), "{end}");
    wait_for(&mut client, &["DBSIZE"], "64");
    assert_eq!(served(&mut client, &keys), (64, 0));
}

#[test]
fn a_script_over_several_shards_makes_others_wait_for_its_keys_only() {
    let server = serve("4");
    let (mut client, mut runner) = (server.client(), server.client());
    let keys = keys(64);
    keys.iter().for_each(|key| assert!(client.cmd(&["SET", key, "v"]).is_ok()));
    let code = "while true do for i = 0, 15 do redis.call('GET', 'key:' .. i) end end";
    runner.send(&["EVAL", code, "0"]).expect("sent");
    wait_for(&mut client, &["DBSIZE"], BUSY);
    let mut others: Vec<Client> = (0..8).map(|_| server.client()).collect();
    for other in &mut others {
        assert_eq!(served(other, &keys[16..]), (48, 0));
        assert_eq!(served(other, &keys[..16]), (0, 16));
        assert_eq!(text(&other.cmd(&["MGET", "key:20", "key:21", "key:22", "key:23", "key:24"])), BUSY);
        assert_eq!(text(&other.cmd(&["MULTI"])), "OK");
        for key in &keys[20..30] {
            assert_eq!(text(&other.cmd(&["GET", key])), "QUEUED");
        }
        let aborted = text(&other.cmd(&["EXEC"]));
        assert_eq!(aborted, format!("EXECABORT Transaction discarded because of: {BUSY}"));
    }
    assert_eq!(text(&client.cmd(&["SCRIPT", "KILL"])), "OK");
    let end = text(&runner.receive().expect("an answer"));
    assert!(end.starts_with("ERR Script killed by user with SCRIPT KILL... script: "), "{end}");
    wait_for(&mut client, &["DBSIZE"], "64");
    assert_eq!(served(&mut client, &keys), (64, 0));
}

#[test]
fn what_has_written_can_only_be_ended_with_the_server() {
    for (shards, code) in [
        ("1", "redis.call('SET', KEYS[1], 'v'); while true do end"),
        ("4", "redis.call('SET', KEYS[1], 'v'); while true do end"),
        (
            "4",
            "for i = 1, 20 do redis.call('SET', 'k' .. i, 'v') end; while true do redis.call('GET', 'k1') end",
        ),
    ] {
        let mut server = serve(shards);
        let (mut client, mut runner) = (server.client(), server.client());
        runner.send(&["EVAL", code, "1", "k"]).expect("sent");
        wait_for(&mut client, &["DBSIZE"], BUSY);
        let refused = text(&client.cmd(&["SCRIPT", "KILL"]));
        assert!(
            refused.starts_with("UNKILLABLE Sorry the script already executed write commands"),
            "{refused}"
        );
        client.send(&["SHUTDOWN", "NOSAVE"]).expect("sent");
        let status = server.wait_exit(LIMIT).expect("the server ends");
        assert!(status.success(), "{status}");
    }
}

#[test]
fn functions_are_ended_by_a_command_of_their_own() {
    for shards in ["1", "4"] {
        let server = serve(shards);
        let (mut client, mut runner) = (server.client(), server.client());
        let code = "#!lua name=l\nredis.register_function('f', function(keys) while true do redis.pcall('GET', keys[1]) end end)";
        assert_eq!(text(&client.cmd(&["FUNCTION", "LOAD", code])), "l");
        // What follows on the same connection waits for its end.
        runner.send(&["FCALL", "f", "1", "k"]).expect("sent");
        runner.send(&["PING"]).expect("sent");
        wait_for(&mut client, &["DBSIZE"], BUSY_FUNCTION);
        runner.send(&["ECHO", "later"]).expect("sent");
        assert_eq!(text(&client.cmd(&["SCRIPT", "KILL"])), BUSY_FUNCTION);
        let stats = client.cmd(&["FUNCTION", "STATS"]);
        let running = &stats.items().expect("a list")[1];
        assert_eq!(text(&running.items().expect("a list")[1]), "f");
        assert_eq!(text(&client.cmd(&["FUNCTION", "KILL"])), "OK");
        let end = text(&runner.receive().expect("an answer"));
        assert_eq!(end, "ERR Script killed by user with SCRIPT KILL... script: f, on @user_function:2.");
        assert_eq!(text(&runner.receive().expect("an answer")), "PONG");
        assert_eq!(text(&runner.receive().expect("an answer")), "later");
        assert_eq!(text(&client.cmd(&["FUNCTION", "KILL"])), "NOTBUSY No scripts in execution right now.");
    }
}

/// A library that never comes to an end while it loads is given up, on all shards.
#[test]
fn libraries_load_within_a_time() {
    for shards in ["1", "4"] {
        let server = serve(shards);
        let mut client = server.client();
        let reply = text(&client.cmd(&["FUNCTION", "LOAD", "#!lua name=l\nwhile true do end"]));
        assert!(reply.contains("FUNCTION LOAD timeout"), "{reply}");
        assert_eq!(client.cmd(&["FUNCTION", "LIST"]).items().map(<[Value]>::len), Some(0));
    }
}

/// A script that ends, after it has been overdue for a while.
const SLOW: &str = "redis.call('SET', KEYS[1], 'half') local n = 0 for i = 1, 20000000 do n = n + 1 end redis.call('SET', KEYS[1], 'whole') \
                    return n";

/// A transaction goes on only when the script in it has come to its end.
#[test]
fn a_long_script_in_a_transaction_is_not_cut_off() {
    for shards in ["1", "4"] {
        let server = serve(shards);
        let mut client = server.client();
        let commands: [&[&str]; 5] =
            [&["MULTI"], &["EVAL", SLOW, "1", "k"], &["APPEND", "k", "!"], &["GET", "k"], &["EXEC"]];
        let replies = client.pipeline(&commands);
        let Value::Array(replies) = replies.last().expect("a reply") else { panic!("{replies:?}") };
        let texts: Vec<_> = replies.iter().map(text).collect();
        assert_eq!(texts, ["20000000", "6", "whole!"], "{shards} shards");
        assert!(text(&client.cmd(&["SCRIPT", "KILL"])).starts_with("NOTBUSY"));
    }
}

/// Several of them on the same shard: each is run wholly or refused wholly.
#[test]
fn long_scripts_do_not_cut_each_other_off() {
    for shards in ["1", "4"] {
        let server = serve(shards);
        let mut clients: Vec<Client> = (0..6).map(|_| server.client()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            let key = format!("{{same}}{number}");
            client.send(&["EVAL", SLOW, "1", &key]).expect("sent");
        }
        let mut looker = server.client();
        for (number, client) in clients.iter_mut().enumerate() {
            let reply = text(&client.receive().expect("an answer"));
            let value = match reply.as_str() {
                "20000000" => "whole",
                _ => {
                    assert_eq!(reply, BUSY, "{shards} shards");
                    "nil"
                }
            };
            wait_for(
                &mut looker,
                &["EVAL", "return redis.call('GET', KEYS[1]) or 'nil'", "1", &format!("{{same}}{number}")],
                value,
            );
        }
        assert!(text(&looker.cmd(&["SCRIPT", "KILL"])).starts_with("NOTBUSY"));
    }
}
