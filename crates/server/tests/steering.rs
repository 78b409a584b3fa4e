//! A connection whose commands all concern one other shard is served by that shard in the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::{Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

#[test]
fn connections_follow_their_keys() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "2"]).expect("weft-server starts");
    let mut clients: Vec<_> = (0..4).map(|_| server.client()).collect();
    let ids: Vec<_> = clients.iter_mut().map(|client| client.cmd(&["CLIENT", "ID"])).collect();
    for round in 0..200 {
        for client in &mut clients {
            let text = round.to_string();
            let commands: Vec<Vec<&str>> =
                (0..16).flat_map(|_| [vec!["SET", "key", text.as_str()], vec!["GET", "key"]]).collect();
            let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
            let replies = client.pipeline(&commands);
            assert_eq!(replies.len(), 32);
        }
    }
    let moved = |client: &mut testkit::Client| {
        let info = client.cmd(&["INFO", "stats"]).to_string();
        let (_, rest) = info.split_once("moved_connections:").expect("INFO has the figure");
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    // Connections are dealt out in turn: two of the four began on the other shard.
    assert_eq!(moved(&mut clients[0]), "2");
    for (client, id) in clients.iter_mut().zip(&ids) {
        assert_eq!(&client.cmd(&["CLIENT", "ID"]), id, "a connection keeps its identity");
    }
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
