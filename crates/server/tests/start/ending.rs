//! Signals: an end in good order.

use crate::programs::{eventually, is_once_below, serve};
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::{Client, Server, Value};

#[test]
fn replies_are_sent_before_the_end() {
    for (signal, back_end) in [("TERM", "auto"), ("INT", "epoll")] {
        let mut server =
            serve(&["--shards", "4", "--unixsocket", "s", "--pidfile", "p", "--io-backend", back_end]);
        let value = vec![b'v'; 64 << 10];
        let keys: Vec<String> = (0..300).map(|n| format!("key:{n}")).collect();
        let mut client = server.client();
        for key in &keys {
            assert!(client.cmd(&[b"SET".as_slice(), key.as_bytes(), &value]).is_ok());
        }
        let mut asked: Vec<u8> = keys.iter().flat_map(|k| testkit::client::encode(&["GET", k])).collect();
        asked.extend(testkit::client::encode(&["INCR", "asked"]));
        client.send_raw(&asked).unwrap();
        let mut other = server.client();
        eventually("the last command", || other.cmd(&["GET", "asked"]) == Value::bulk("1"));
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        for key in &keys {
            assert_eq!(client.receive().unwrap(), Value::bulk(&value), "{key}");
        }
        assert_eq!(client.receive().unwrap(), Value::Integer(1));
        let status = server.wait_exit(Duration::from_secs(5)).unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(server.log().contains(&format!("Received SIG{signal} scheduling shutdown...")));
        assert!(server.log().contains("bye bye"));
        assert!(!server.directory().join("s").exists() && !server.directory().join("p").exists());
    }
}

/// A server with a client that has asked for much and does not read.
fn serve_one_that_does_not_read() -> (Server, Client) {
    let server = serve(&["--shards", "2"]);
    let mut client = server.client();
    assert!(client.cmd(&[b"SET".as_slice(), b"k", &vec![b'v'; 1 << 20]]).is_ok());
    client.send_raw(&b"GET k\r\n".repeat(50)).unwrap();
    let mut idle = server.client();
    assert_eq!(idle.cmd(&["GET", "none"]), Value::Null);
    (server, client)
}

#[test]
fn a_client_that_does_not_read_delays_the_end_only_briefly() {
    let (mut server, _client) = serve_one_that_does_not_read();
    let start = Instant::now();
    assert_eq!(server.stop().unwrap().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn shutdown_now_does_not_wait_for_clients() {
    let end = || {
        let (mut server, _client) = serve_one_that_does_not_read();
        let mut admin = server.client();
        let start = Instant::now();
        admin.send(&["SHUTDOWN", "NOW"]).unwrap();
        assert_eq!(server.wait_exit(Duration::from_secs(5)).unwrap().code(), Some(0));
        start.elapsed()
    };
    // They would have a second.
    assert!(is_once_below(Duration::from_millis(700), end));
}

#[test]
fn an_idle_server_ends_at_once() {
    let end = || {
        let mut server = serve(&["--shards", "3"]);
        let start = Instant::now();
        assert_eq!(server.stop().unwrap().code(), Some(0));
        start.elapsed()
    };
    assert!(is_once_below(Duration::from_millis(500), end));
}
