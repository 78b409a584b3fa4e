//! Values of up to 512 MB: they go through, take no more memory than they must, and keep nobody waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, Value};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
const MIB: usize = 1 << 20;

fn server(arguments: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), arguments).expect("our server starts")
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid timeout");
    stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a valid timeout");
    stream
}

/// A MiB of a value, told from the others by its number.
fn piece(number: usize) -> Vec<u8> {
    (0..MIB / 8).flat_map(|at| ((number * MIB + at) as u64).to_le_bytes()).collect()
}

fn begin_set(stream: &mut TcpStream, key: &str, mib: usize) {
    let head = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n", key.len(), mib * MIB);
    stream.write_all(head.as_bytes()).expect("it listens");
}

fn set(stream: &mut TcpStream, key: &str, mib: usize) {
    begin_set(stream, key, mib);
    (0..mib).for_each(|number| stream.write_all(&piece(number)).expect("it listens"));
    stream.write_all(b"\r\n").expect("it listens");
    let mut reply = [0; 5];
    stream.read_exact(&mut reply).expect("it answers");
    assert_eq!(&reply, b"+OK\r\n");
}

fn get(stream: &mut TcpStream, key: &str, mib: usize) {
    stream.write_all(format!("GET {key}\r\n").as_bytes()).expect("it listens");
    receive(stream, mib);
}

/// The reply is a value of so many MiB.
fn receive(stream: &mut TcpStream, mib: usize) {
    let mut head = vec![0; format!("${}\r\n", mib * MIB).len()];
    stream.read_exact(&mut head).expect("it answers");
    assert_eq!(head, format!("${}\r\n", mib * MIB).into_bytes());
    let mut got = vec![0; MIB];
    for number in 0..mib {
        stream.read_exact(&mut got).expect("it answers");
        assert!(got == piece(number), "MiB {number} of {mib} is another");
    }
    let mut end = [0; 2];
    stream.read_exact(&mut end).expect("it answers");
    assert_eq!(&end, b"\r\n");
}

/// The most memory that the server has ever had.
fn peak_bytes(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// Waits until the server holds no more than `bytes`; it is asked for something now and then, as a server is.
fn await_resident(server: &Server, bytes: usize) {
    let (end, mut client) = (Instant::now() + Duration::from_secs(10), server.client());
    while server.resident_bytes() as usize > bytes {
        assert!(Instant::now() < end, "it still has {} bytes, not {bytes}", server.resident_bytes());
        assert!(client.run("PING").string().is_some());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many PINGs are answered, one after the other, while `busy` goes on.
fn pings(server: &Server, busy: impl FnOnce() + Send) -> usize {
    let mut client: Client = server.client();
    std::thread::scope(|scope| {
        let busy = scope.spawn(busy);
        let mut count = 0;
        while !busy.is_finished() {
            assert_eq!(client.run("PING"), Value::simple("PONG"));
            count += 1;
        }
        busy.join().expect("it ends well");
        count
    })
}

#[test]
fn the_longest_value_goes_through_with_one_copy_in_memory() {
    for shards in ["1", "4"] {
        let server = server(&["--shards", shards]);
        let mut stream = connect(&server);
        let before = peak_bytes(&server);
        set(&mut stream, "k", 512);
        get(&mut stream, "k", 512);
        let grown = peak_bytes(&server) - before;
        assert!(grown < 640 * MIB, "512 MiB took {} MiB", grown / MIB);
        // Its buffer is the value's alone, or this would copy it.
        let mut client = server.client();
        client.set_timeout(Duration::from_secs(20));
        assert_eq!(client.run("SETRANGE k 1 x").integer(), Some(512 << 20));
        let grown = peak_bytes(&server) - before;
        assert!(grown < 640 * MIB, "with a change 512 MiB took {} MiB", grown / MIB);
        assert_eq!(client.run("DEL k").integer(), Some(1));
    }
}

/// Asks for something of a key of 512 MiB; the reply is as expected.
fn ask_of_longest(stream: &mut TcpStream, command: &str, argument: Option<&str>, reply: &[u8]) {
    let count = 2 + usize::from(argument.is_some());
    let head = format!("*{count}\r\n${}\r\n{command}\r\n${}\r\n", command.len(), 512 * MIB);
    stream.write_all(head.as_bytes()).expect("it listens");
    (0..512).for_each(|number| stream.write_all(&piece(number)).expect("it listens"));
    let rest = argument.map_or(String::new(), |text| format!("${}\r\n{text}\r\n", text.len()));
    stream.write_all(format!("\r\n{rest}").as_bytes()).expect("it listens");
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).expect("it answers");
    assert_eq!(got.escape_ascii().to_string(), reply.escape_ascii().to_string(), "{command}");
}

#[test]
fn the_longest_key_is_a_key_like_any_other() {
    let server = server(&["--shards", "4"]);
    let mut stream = connect(&server);
    ask_of_longest(&mut stream, "SET", Some("v"), b"+OK\r\n");
    ask_of_longest(&mut stream, "GET", None, b"$1\r\nv\r\n");
    // To another name, which is on another shard or not, and back from there by its own words.
    ask_of_longest(&mut stream, "COPY", Some("k"), b":1\r\n");
    assert_eq!(server.client().run("GETDEL k"), Value::bulk("v"));
    stream.write_all(b"RANDOMKEY\r\n").expect("it listens");
    receive(&mut stream, 512);
    ask_of_longest(&mut stream, "RENAME", Some("k"), b"+OK\r\n");
    ask_of_longest(&mut stream, "EXISTS", None, b":0\r\n");
    assert_eq!(server.client().run("GET k"), Value::bulk("v"));
    assert_eq!(server.client().run("DBSIZE"), Value::Integer(1));
}

#[test]
fn large_values_of_some_keep_others_waiting_only_briefly() {
    let server = server(&["--shards", "1"]);
    let count = pings(&server, || {
        let mut stream = connect(&server);
        for _ in 0..4 {
            set(&mut stream, "k", 64);
            get(&mut stream, "k", 64);
        }
    });
    // In a turn no more than a MiB goes in or out, so there are 512 turns at least, and each could answer a PING.
    assert!(count > 100, "{count} PINGs were answered");
}

#[test]
fn those_who_send_and_read_slowly_harm_nobody() {
    let server = server(&["--shards", "2"]);
    let mut client = server.client();
    assert!(client.cmd(&[b"SET".to_vec(), b"big".to_vec(), vec![b'x'; 32 * MIB]]).is_ok());
    let before = peak_bytes(&server);
    // Ten that have read the beginning of a large value, ten that have sent the beginning of one.
    let streams: Vec<_> = (0..20)
        .map(|index| {
            let mut stream = connect(&server);
            if index % 2 == 0 {
                stream.write_all(b"GET big\r\n").expect("it listens");
                stream.read_exact(&mut [0; 11]).expect("it answers");
            } else {
                begin_set(&mut stream, "big", 512);
                stream.write_all(&piece(0)).expect("it listens");
            }
            stream
        })
        .collect();
    let count = pings(&server, || std::thread::sleep(Duration::from_secs(1)));
    assert!(count > 100, "{count} PINGs were answered");
    let grown = peak_bytes(&server) - before;
    // At most eight times what has come.
    assert!(grown < 100 * MIB, "20 slow clients took {} MiB", grown / MIB);
    drop(streams);
    assert_eq!(client.run("STRLEN big").integer(), Some(32 << 20));
}

#[test]
fn a_client_that_vanishes_leaves_no_memory_behind() {
    let server = server(&["--shards", "2"]);
    let before = server.resident_bytes() as usize;
    for mib in [1, 100, 300] {
        let mut stream = connect(&server);
        begin_set(&mut stream, "k", 512);
        (0..mib).for_each(|number| stream.write_all(&piece(number)).expect("it listens"));
        let end = Instant::now() + Duration::from_secs(10);
        while (server.resident_bytes() as usize) < before + mib * MIB / 2 {
            assert!(Instant::now() < end, "the bytes do not arrive");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(stream);
        await_resident(&server, before + 30 * MIB);
    }
    assert_eq!(server.client().run("EXISTS k").integer(), Some(0));
}

/// What a client gets that sends until it is refused.
fn refusal(server: &Server, head: &str, mib: usize) -> String {
    let mut stream = connect(server);
    let _ = stream.write_all(head.as_bytes());
    for number in 0..mib {
        if stream.write_all(&piece(number)).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it is not closed: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn limits_are_those_of_redis() {
    let limits = ["--client-query-buffer-limit", "4mb", "--proto-max-bulk-len", "8mb"];
    let mut servers = vec![server(&limits)];
    if Program::redis().find().is_some() {
        servers.push(Server::redis(&limits));
    }
    for server in &servers {
        let name = format!("pid {}", server.pid());
        // Within both limits.
        let mut stream = connect(server);
        set(&mut stream, "k", 3);
        get(&mut stream, "k", 3);
        // Longer than a bulk may be: said at once.
        let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", 8 * MIB + 1);
        assert_eq!(refusal(server, &head, 0), "-ERR Protocol error: invalid bulk length\r\n", "{name}");
        // More than may wait to be executed: closed without a word.
        let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", 8 * MIB);
        assert_eq!(refusal(server, &head, 7), "", "{name}");
        assert!(server.log().contains("Closing client that reached max query buffer length"), "{name}");
        get(&mut stream, "k", 3);
    }
}
