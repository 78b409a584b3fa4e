//! A connection whose commands all concern one other shard is served by that shard in the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::{Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

/// How many of so many new connections have moved when all have used nothing but one key.
fn moved(settings: &[&str], clients: usize, key: &str) -> String {
    let server = Server::start(&Program::Peer(WEFT.into()), settings).expect("weft-server starts");
    let mut clients: Vec<_> = (0..clients).map(|_| server.client()).collect();
    let ids: Vec<_> = clients.iter_mut().map(|client| client.cmd(&["CLIENT", "ID"])).collect();
    for round in 0..200 {
        for client in &mut clients {
            let text = round.to_string();
            let commands: Vec<Vec<&str>> =
                (0..16).flat_map(|_| [vec!["SET", key, text.as_str()], vec!["GET", key]]).collect();
            let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
            let replies = client.pipeline(&commands);
            assert_eq!(replies.len(), 32);
        }
    }
    for (client, id) in clients.iter_mut().zip(&ids) {
        assert_eq!(&client.cmd(&["CLIENT", "ID"]), id, "a connection keeps its identity");
    }
    let info = clients[0].cmd(&["INFO", "stats"]).to_string();
    let (_, rest) = info.split_once("moved_connections:").expect("INFO has the figure");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

/// Connections are dealt out in turn: two of the four begin on the other shard.
#[test]
fn connections_follow_their_keys() {
    assert_eq!(moved(&["--shards", "2"], 4, "key"), "2");
}

/// Half of them begin on the first, half on the third of four shards. `foo` is the third's, `bar` the second's.
#[test]
fn connections_are_dealt_out_on_as_many_shards_as_is_said() {
    let settings = ["--shards", "4", "--connection-shards", "2"];
    assert_eq!(moved(&settings, 6, "foo"), "3");
    assert_eq!(moved(&settings, 6, "bar"), "6");
}

/// A connection on its way between two shards is on neither, but nobody may notice.
#[test]
fn connections_that_move_are_always_listed() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "2"]).expect("weft-server starts");
    let (mut watcher, done) = (server.client(), AtomicBool::new(false));
    let movers: Vec<_> = (0..4).map(|_| server.client()).collect();
    std::thread::scope(|scope| {
        let mut ids = Vec::new();
        for mut client in movers {
            ids.push(format!("id={} ", client.cmd(&["CLIENT", "ID"]).integer().expect("a number")));
            let done = &done;
            scope.spawn(move || {
                // These belong to different shards.
                for key in ["foo", "bar"].iter().cycle() {
                    for _ in 0..40 {
                        client.pipeline(&[["GET", key]; 64]);
                    }
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let begun = Instant::now();
        let mut lists = 0;
        while begun.elapsed() < Duration::from_secs(3) {
            let list = watcher.cmd(&["CLIENT", "LIST"]).string().expect("a text");
            lists += 1;
            if let Some(id) = ids.iter().find(|id| !list.contains(id.as_str())) {
                done.store(true, Ordering::Relaxed);
                panic!("{id}is missing in list {lists}:\n{list}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let info = watcher.cmd(&["INFO", "stats"]).to_string();
    let (_, rest) = info.split_once("moved_connections:").expect("INFO has the figure");
    let moved: u64 =
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number");
    assert!(moved > 20, "{moved}");
}
