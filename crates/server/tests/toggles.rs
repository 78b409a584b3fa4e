//! `appendonly` turned off and on while clients move things between shards: whenever the server is killed, nothing is there twice, nothing is gone.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const LISTS: usize = 6;
const ITEMS: usize = 60;

fn serve(directory: Option<&Path>, settings: &[&str]) -> Server {
    let mut all = vec!["--appendonly", "yes", "--save", ""];
    all.extend(directory.into_iter().flat_map(|path| ["--dir", path.to_str().expect("a plain name")]));
    all.extend(settings);
    Server::start(&Program::Peer(WEFT.into()), &all).expect("weft-server starts")
}

fn list(number: usize) -> String {
    format!("list:{}", number % LISTS)
}

/// Moves items until the server is gone.
fn move_on(mut client: Client, mut seed: usize, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..10 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (from, to) = (list(seed >> 33), list(seed >> 45));
            if client.send(&["LMOVE", &from, &to, "LEFT", "RIGHT"]).is_err() {
                return;
            }
        }
        for _ in 0..10 {
            if client.reply().is_err() {
                return;
            }
        }
    }
}

fn toggle_and_kill(fsync: &str, life: u64) {
    let mut server = serve(None, &["--shards", "4", "--appendfsync", fsync]);
    let mut client = server.client();
    for item in 0..ITEMS {
        client.cmd(&["RPUSH".to_owned(), list(item), format!("item-{item}")]);
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for mover in 0..3 {
            let (client, is_over) = (server.client(), &is_over);
            scope.spawn(move || move_on(client, mover * 77 + life as usize, is_over));
        }
        for round in 0..2 + life % 3 {
            assert!(client.run("CONFIG SET appendonly no").is_ok());
            std::thread::sleep(Duration::from_millis((life * 7 + round * 13) % 50));
            assert!(client.run("CONFIG SET appendonly yes").is_ok());
            std::thread::sleep(Duration::from_millis((life * 11 + round * 29) % 150));
        }
        server.kill();
        is_over.store(true, Ordering::Relaxed);
    });
    let next = serve(Some(server.directory()), &["--shards", "1"]);
    let mut client = next.client();
    let mut items: Vec<String> = Vec::new();
    for number in 0..LISTS {
        let all = client.cmd(&["LRANGE", &list(number), "0", "-1"]);
        items.extend(all.items().expect("a list").iter().map(|item| item.string().expect("text")));
    }
    items.sort();
    let mut expected: Vec<String> = (0..ITEMS).map(|item| format!("item-{item}")).collect();
    expected.sort();
    assert_eq!(items, expected, "appendfsync {fsync}, life {life}");
}

#[test]
fn turned_off_and_on_between_moves_nothing_is_doubled_or_lost() {
    for life in 0..5 {
        toggle_and_kill("always", life);
        toggle_and_kill("everysec", life);
    }
}
