//! Replies that wait for others of their connection wait for a moment only, whatever else their shard has to do.

use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

/// Says when this is dropped that it is over, also where a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks for a key that nobody gets before the reply to the PING in front of it has come.
fn ask_for_what_is_away(moves: &mut Client, ours: &mut Client, key: &str) {
    // A server that takes what MIGRATE sends and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = silent.local_addr().expect("it has an address").port();
    let words = ["MIGRATE", "127.0.0.1", &port.to_string(), key, "0", "1000000"];
    moves.send(&words).expect("it is open");
    let (mut taken, _) = silent.accept().expect("somebody comes");
    taken.read_exact(&mut [0; 1]).expect("the key is on its way");
    ours.send_raw(format!("PING\r\nTYPE {key}\r\n").as_bytes()).expect("it is open");
    assert_eq!(ours.receive().expect("the reply to PING").to_string(), "PONG");
    drop((taken, silent));
    let failed = moves.receive().expect("a reply").to_string();
    assert!(failed.contains("IOERR"), "{failed}");
    assert_eq!(ours.receive().expect("the type").to_string(), "string");
}

#[test]
fn a_busy_shard_sends_what_is_finished_before_a_slow_reply_comes() {
    for back_end in ["epoll", "auto"] {
        let settings = ["--shards", "2", "--io-backend", back_end];
        let server = Server::start(&Program::Peer(WEFT.into()), &settings).expect("weft-server starts");
        // Connections are dealt out in turn: the first and the third are of one shard.
        let (mut ours, mut moves, mut busy) = (server.client(), server.client(), server.client());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    busy.pipeline(&[["PING"]; 64]);
                }
            });
            let _over = Over(&done);
            // One of these belongs to that shard, the other does not.
            for key in ["foo", "bar"] {
                assert!(moves.cmd(&["SET", key, "v"]).is_ok());
                ask_for_what_is_away(&mut moves, &mut ours, key);
            }
        });
    }
}
