//! A shard that sleeps is not woken for a few short commands: the shard that brings them runs them.

use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const ROUNDS: usize = 50;

fn figure(client: &mut Client, name: &str) -> usize {
    let info = client.cmd(&["INFO", "stats"]).to_string();
    let (_, rest) = info.split_once(&format!("{name}:")).expect("INFO has the figure");
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

fn keys(round: usize) -> Vec<String> {
    (0..8).map(|key| format!("key:{round}:{key}")).collect()
}

#[test]
fn few_commands_wake_nobody() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "4"]).expect("weft-server starts");
    let mut client = server.client();
    for round in 0..ROUNDS {
        for key in keys(round) {
            assert_eq!(client.cmd(&["SET", &key, &key]).to_string(), "OK");
            assert_eq!(client.cmd(&["EXPIRE", &key, "1000"]).to_string(), "(integer) 1");
        }
    }
    for round in 0..ROUNDS {
        let keys = keys(round);
        let mget: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
        let reply = client.cmd(&mget).to_string();
        assert!(keys.iter().all(|key| reply.contains(key.as_str())), "{reply}");
    }
    // The shards have nothing else to do: most of what is forwarded finds them asleep.
    let (forwarded, visits) =
        (figure(&mut client, "forwarded_commands"), figure(&mut client, "shard_visits"));
    assert!(forwarded > ROUNDS * 8 && visits * 4 > forwarded, "{visits} visits for {forwarded} commands");
}

#[test]
fn what_a_visit_leaves_is_seen_to() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "4"]).expect("weft-server starts");
    let mut client = server.client();
    for key in keys(0) {
        assert_eq!(client.cmd(&["SET", &key, "x", "PX", "150"]).to_string(), "OK");
    }
    // Nobody asks for the keys: their shards must have been told to look again.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while figure(&mut client, "expired_keys") < 8 {
        assert!(std::time::Instant::now() < deadline, "keys stay");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Long commands are left to the shard's own thread, behind what came before.
    for round in 0..ROUNDS {
        for key in keys(round) {
            let commands: [&[&str]; 3] =
                [&["RPUSH", &key, "b", "a", "c"], &["SORT", &key, "ALPHA"], &["DEL", &key]];
            let replies: Vec<String> = client.pipeline(&commands).iter().map(ToString::to_string).collect();
            assert!(replies[0] == "(integer) 3" && replies[2] == "(integer) 1", "{replies:?}");
        }
    }
}
