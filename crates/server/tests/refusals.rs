//! What is refused before it runs, what a pause holds back, and reads that must not touch.

use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(args: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), args).expect("weft-server starts")
}

fn figure(client: &mut Client, section: &str, name: &str) -> String {
    let info = client.cmd(&["INFO", section]).to_string();
    let (_, rest) = info.split_once(&format!("{name}:")).expect("INFO has the figure");
    rest.split(&['\\', '"']).next().unwrap_or_default().to_owned()
}

#[test]
fn a_pause_holds_back_what_could_run_and_nothing_else() {
    let server = server(&["--shards", "2"]);
    let (mut client, mut other) = (server.client(), server.client());
    assert!(client.run("CLIENT PAUSE 100000 WRITE").is_ok());
    let started = std::time::Instant::now();
    assert!(other.run("SET key").to_string().contains("wrong number of arguments"));
    assert!(other.run("NONE key value").to_string().contains("unknown command"));
    assert!(started.elapsed().as_secs() < 20, "errors do not wait");
    assert_eq!(figure(&mut client, "clients", "blocked_clients"), "0");
    std::thread::scope(|scope| {
        let held =
            scope.spawn(|| other.pipeline(&[&["SET", "key", "1"][..], &["SET", "key"], &["GET", "key"]]));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while figure(&mut client, "clients", "blocked_clients") != "1" {
            assert!(std::time::Instant::now() < deadline, "nobody is held back");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(client.run("CLIENT UNPAUSE").is_ok());
        let replies: Vec<String> = held.join().expect("no panic").iter().map(ToString::to_string).collect();
        assert!(
            replies[0] == "OK" && replies[1].contains("wrong number") && replies[2] == "\"1\"",
            "{replies:?}"
        );
    });
    assert_eq!(figure(&mut client, "clients", "blocked_clients"), "0");
}

#[test]
fn what_memory_is_refused_to_is_rejected_not_failed() {
    for shards in ["1", "4"] {
        let server = server(&["--shards", shards]);
        let mut client = server.client();
        let keys: Vec<String> = (0..64).map(|key| format!("key:{key}")).collect();
        keys.iter().for_each(|key| assert!(client.cmd(&["SET", key, "value"]).is_ok()));
        client.run("CONFIG RESETSTAT");
        assert!(client.run("CONFIG SET maxmemory 1").is_ok());
        for key in &keys {
            let reply = client.cmd(&["SET", key, "value"]).to_string();
            assert!(reply.contains("OOM command not allowed"), "{reply}");
        }
        let stats = figure(&mut client, "commandstats", "cmdstat_set");
        assert!(
            stats.starts_with("calls=0,") && stats.ends_with("rejected_calls=64,failed_calls=0"),
            "{stats}"
        );
        assert_eq!(figure(&mut client, "errorstats", "errorstat_OOM"), "count=64");
    }
}

#[test]
fn reads_without_touch_leave_keys_of_all_shards_alone() {
    let policy = ["--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0", "--lfu-decay-time", "0"];
    for shards in ["1", "4"] {
        let server = server(&[&["--shards", shards], &policy[..]].concat());
        let (mut client, mut quiet) = (server.client(), server.client());
        let keys: Vec<String> = (0..16).map(|key| format!("key:{key}")).collect();
        keys.iter().for_each(|key| assert!(client.cmd(&["SET", key, "value"]).is_ok()));
        assert!(quiet.run("CLIENT NO-TOUCH on").is_ok());
        let mut freq = |key: &String| client.cmd(&["OBJECT", "FREQ", key]).integer().expect("a number");
        let before: Vec<i64> = keys.iter().map(&mut freq).collect();
        let mget: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
        for _ in 0..10 {
            quiet.cmd(&mget);
            keys.iter().for_each(|key| _ = quiet.cmd(&["GET", key]));
        }
        assert_eq!(keys.iter().map(&mut freq).collect::<Vec<i64>>(), before);
        assert!(quiet.run("CLIENT NO-TOUCH off").is_ok());
        quiet.cmd(&mget);
        keys.iter().for_each(|key| _ = quiet.cmd(&["GET", key]));
        let after: Vec<i64> = keys.iter().map(&mut freq).collect();
        assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{before:?} {after:?}");
    }
}
