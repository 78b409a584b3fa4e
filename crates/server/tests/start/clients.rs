//! Clients that want too much: idle, silent, unknown, greedy, slow.

use crate::programs::{eventually, serve};
use std::time::{Duration, Instant};
use testkit::{Client, Server, Value, await_end_of_idle};

/// What these tests wait for comes sooner on any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What `--timeout 1` gives idle clients.
const IDLE: Duration = Duration::from_secs(1);

#[test]
fn idle_clients_are_closed() {
    let server = serve(&["--timeout", "1", "--shards", "2"]);
    let mut idle: Vec<Client> = (0..4).map(|_| server.client()).collect();
    await_end_of_idle(&server, &mut idle, IDLE);
}

#[test]
fn a_monitor_is_never_idle() {
    let server = serve(&["--timeout", "1", "--shards", "2"]);
    let mut monitor = server.client();
    let reply = monitor.cmd(&["MONITOR"]);
    assert!(reply.is_ok(), "{reply}");
    // Whoever comes later is closed, twice.
    for _ in 0..2 {
        await_end_of_idle(&server, &mut [server.client()], IDLE);
    }
    assert_eq!(server.client().cmd(&["GET", "the end"]), Value::Null);
    while !monitor.receive().expect("it is open").to_string().contains("the end") {}
}

#[test]
fn a_client_that_does_not_read_is_idle_and_one_that_reads_slowly_is_not() {
    for back_end in ["epoll", "auto"] {
        let server = serve(&["--timeout", "1", "--io-backend", back_end]);
        let stalled = slow(&server, 600, 64 << 10);
        while !reads_slowly(&server) {}
        assert!(read_to_end(stalled) < 30 << 20);
    }
}

/// Reads for longer than the timeout, 1 MiB at a time. False if it was closed because this process stood still meanwhile.
fn reads_slowly(server: &Server) -> bool {
    let mut reads = slow(server, 2000, 64 << 10);
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    for _ in 0..2000 / 16 {
        for _ in 0..16 {
            let read = reads.receive();
            longest = longest.max(last.elapsed());
            last = Instant::now();
            if let Err(error) = read {
                // Between what is read here and what the server gets rid of are at most some MiB, about a tenth of a second.
                assert!(longest > IDLE / 2, "closed though the longest pause was {longest:?}: {error}");
                return false;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    reads.cmd(&["PING"]).to_string().contains("PONG")
}

#[test]
fn before_the_password_limits_are_small() {
    let server = serve(&["--requirepass", "secret"]);
    let error = |bytes: &[u8]| {
        let mut client = server.client();
        client.send_raw(bytes).unwrap();
        let Value::Error(text) = client.receive().unwrap() else { panic!("an error was expected") };
        (String::from_utf8(text).unwrap(), client)
    };
    let (text, mut client) = error(b"*11\r\n");
    assert_eq!(text, "ERR Protocol error: unauthenticated multibulk length");
    assert!(client.is_closed_within(PATIENCE));
    let (text, mut client) = error(b"*2\r\n$3\r\nGET\r\n$16385\r\n");
    assert_eq!(text, "ERR Protocol error: unauthenticated bulk length");
    assert!(client.is_closed_within(PATIENCE));
    assert_eq!(error(b"GET k\r\n").0, "NOAUTH Authentication required.");
}

#[test]
fn a_request_that_does_not_end_is_cut_off() {
    let server = serve(&["--client-query-buffer-limit", "1mb", "--shards", "2"]);
    for _ in 0..3 {
        let mut client = server.client();
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n").unwrap();
        let chunk = vec![b'x'; 64 << 10];
        // Writing fails sooner or later, for the server has closed.
        let sent = (0..200).take_while(|_| client.send_raw(&chunk).is_ok()).count();
        assert!(client.is_closed_within(PATIENCE), "after {sent} pieces");
    }
    assert!(server.log().contains("Closing client that reached max query buffer length: id="));
    assert_eq!(server.client().cmd(&["GET", "k"]), Value::Null);
    // What is executed as it comes does not count.
    let mut client = server.client();
    let value = vec![b'x'; 500 << 10];
    for _ in 0..10 {
        assert!(client.cmd(&[b"SET".as_slice(), b"k", &value]).is_ok());
    }
}

/// A client that asks for `count` values of `bytes` bytes and does not read.
fn slow(server: &Server, count: usize, bytes: usize) -> Client {
    let value = vec![b'v'; bytes];
    assert!(server.client().cmd(&[b"SET".as_slice(), b"big", &value]).is_ok());
    let mut client = server.client();
    client.send_raw(&b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n".repeat(count)).unwrap();
    client
}

/// Reads until the connection ends; how many bytes came.
fn read_to_end(mut client: Client) -> usize {
    assert!(client.is_closed_within(PATIENCE));
    client.unread().len()
}

#[test]
fn a_slow_reader_is_closed_at_the_hard_limit() {
    for back_end in ["epoll", "auto"] {
        let limit =
            ["--client-output-buffer-limit", "normal 1mb 0 0", "--shards", "2", "--io-backend", back_end];
        let server = serve(&limit);
        let slow = slow(&server, 1000, 64 << 10);
        let mut other = server.client();
        eventually("the end of the slow reader", || {
            assert!(other.cmd(&["SET", "k", "v"]).is_ok());
            server.log().contains("closed for overcoming of output buffer limits")
        });
        assert!(read_to_end(slow) < 60 << 20);
        assert_eq!(other.cmd(&["GET", "k"]), Value::bulk("v"));
        assert!(server.resident_bytes() < 100 << 20);
    }
}

/// How many clients have more than `bytes` bytes of replies that they have not taken.
fn count_behind(control: &mut Client, bytes: u64) -> usize {
    let list = control.cmd(&["CLIENT", "LIST"]).string().expect("a text");
    let unsent = list.split_whitespace().filter_map(|field| field.strip_prefix("omem="));
    unsent.filter(|count| count.parse::<u64>().expect("a number") > bytes).count()
}

#[test]
fn a_slow_reader_has_some_time_above_the_soft_limit() {
    let server = serve(&["--client-output-buffer-limit", "normal 0 1mb 1", "--shards", "2"]);
    let begun = Instant::now();
    let closed = slow(&server, 600, 64 << 10);
    eventually("the end of the slow reader", || server.log().contains("output buffer limits"));
    assert!(begun.elapsed() > Duration::from_secs(1));
    assert!(read_to_end(closed) < 38 << 20);
}

#[test]
fn who_reads_in_time_is_not_closed_for_the_soft_limit() {
    let server = serve(&["--client-output-buffer-limit", "normal 0 1mb 1000", "--shards", "2"]);
    let closed = slow(&server, 600, 64 << 10);
    let mut recovers = slow(&server, 600, 64 << 10);
    let mut control = server.client();
    eventually("two slow readers", || count_behind(&mut control, 1 << 20) == 2);
    for _ in 0..600 {
        recovers.receive().unwrap();
    }
    assert!(control.cmd(&["CONFIG", "SET", "client-output-buffer-limit", "normal 0 1mb 1"]).is_ok());
    eventually("the end of the slow reader", || server.log().contains("output buffer limits"));
    assert!(read_to_end(closed) < 38 << 20);
    assert!(recovers.cmd(&["SET", "k", "v"]).is_ok());
}

#[test]
fn without_a_limit_a_slow_reader_gets_everything() {
    for bytes in [100, 10_000, 300_000] {
        let server = serve(&["--shards", "2"]);
        let count = (24 << 20) / bytes;
        let mut slow = slow(&server, count, bytes);
        std::thread::sleep(Duration::from_millis(100));
        let expected = Value::Bulk(vec![b'v'; bytes]);
        for number in 0..count {
            assert_eq!(slow.receive().unwrap(), expected, "reply {number} of {count}");
            if number % (count / 8).max(1) == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
