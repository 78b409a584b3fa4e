//! Bad clients over TCP: a running server stays small, stays up and goes on answering others.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, Value};

const MIB: u64 = 1 << 20;
/// For what comes in the end on the busiest of machines.
const PATIENCE: Duration = Duration::from_secs(60);

fn server(arguments: &[&str]) -> Server {
    Server::weft(&[&["--shards", "2"], arguments].concat())
}

/// A connection that neither waits long nor minds being closed.
fn raw(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a valid timeout");
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a valid timeout");
    stream
}

/// Everything a connection says until it is closed or quiet.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The server still answers.
fn check_alive(server: &Server) {
    let mut client = server.client();
    client.set_timeout(PATIENCE);
    assert!(client.run("PING").string().is_some(), "{}", server.log_tail());
}

/// Processor time that a server with nothing to do may use in a second.
const IDLE: Duration = Duration::from_millis(60);

/// What clients have sent is done, and the server rests: it does not try again and again what cannot be done. Processor time tells
/// so on a busy machine, too, where an endless loop gets only a part of it.
fn await_rest(server: &Server) {
    let end = Instant::now() + PATIENCE;
    loop {
        let before = server.cpu_time();
        std::thread::sleep(Duration::from_secs(1));
        let used = server.cpu_time() - before;
        if used <= IDLE {
            return;
        }
        assert!(Instant::now() < end, "the server does not come to rest: {used:?} in the last second");
    }
}

#[test]
fn announced_bytes_cost_nothing_before_they_come() {
    let server = server(&[]);
    let before = server.resident_bytes();
    let mut streams: Vec<_> = (0..500).map(|_| raw(&server)).collect();
    for (index, stream) in streams.iter_mut().enumerate() {
        let flood: &[u8] = match index % 3 {
            0 => b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc",
            1 => b"*2147483647\r\n$1\r\na\r\n$1\r\nb\r\n$536870912\r\n",
            _ => b"*1048576\r\n$536870912\r\nx",
        };
        stream.write_all(flood).expect("small writes go through");
    }
    check_alive(&server);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 * MIB, "500 announcements cost {grown} bytes");
    drop(streams);
    check_alive(&server);
}

#[test]
fn endless_lines_are_refused() {
    let server = server(&[]);
    let endless = "too big";
    for (beginning, text) in [("", endless), ("*", endless), ("*1\r\n$", endless)] {
        let mut stream = raw(&server);
        let _ = stream.write_all(beginning.as_bytes());
        let _ = stream.write_all(&[b'1'; 70_000]);
        let answer = answer(&mut stream);
        assert!(answer.starts_with("-ERR Protocol error") && answer.contains(text), "{beginning}: {answer}");
    }
    for beginning in ["*2147483648\r\n", "*1\r\n$536870913\r\n", "*1\r\n$-1\r\n", "*1\r\n:5\r\n"] {
        let mut stream = raw(&server);
        let _ = stream.write_all(beginning.as_bytes());
        let answer = answer(&mut stream);
        assert!(
            answer.starts_with("-ERR Protocol error") && answer.ends_with("\r\n"),
            "{beginning}: {answer}"
        );
    }
    check_alive(&server);
}

#[test]
fn strangers_get_little() {
    let server = server(&["--requirepass", "secret"]);
    let before = server.resident_bytes();
    for (request, expected) in [
        ("*11\r\n", "unauthenticated multibulk length"),
        ("*1\r\n$20000\r\n", "unauthenticated bulk length"),
        ("GET k\r\nQUIT\r\n", "NOAUTH"),
    ] {
        let mut stream = raw(&server);
        let _ = stream.write_all(request.as_bytes());
        let answer = answer(&mut stream);
        assert!(answer.contains(expected), "{request}: {answer}");
    }
    let flood = b"GET k\r\n".repeat(100_000);
    let streams: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = raw(&server);
            // It is cut off when the answers, which nobody reads, have filled all buffers.
            let _ = stream.write_all(&flood);
            stream
        })
        .collect();
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 100 * MIB, "a flood of strangers cost {grown} bytes");
    drop(streams);
    assert!(server.client().run("AUTH secret").is_ok());
}

#[test]
fn clients_that_never_read_harm_nobody() {
    let server = server(&["--client-output-buffer-limit", "normal 4mb 1mb 5"]);
    let mut client = server.client();
    assert!(client.cmd(&[b"SET".to_vec(), b"big".to_vec(), vec![b'x'; 100_000]]).is_ok());
    let before = server.resident_bytes();
    let request = b"GET big\r\n".repeat(30);
    let streams: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = raw(&server);
            let _ = stream.write_all(&request);
            stream
        })
        .collect();
    // While they are served as far as they can be, and when nothing can be done for them any more. How long an answer takes depends on
    // who else uses the machine; what it costs the server must not depend on those who do not read.
    client.set_timeout(PATIENCE);
    (0..100).for_each(|_| assert_eq!(client.run("PING"), Value::simple("PONG")));
    await_rest(&server);
    let before_pings = server.cpu_time();
    (0..100).for_each(|_| assert_eq!(client.run("PING"), Value::simple("PONG")));
    let used = server.cpu_time() - before_pings;
    assert!(used < Duration::from_millis(300), "100 PINGs cost {used:?} of processor time");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 256 * MIB, "500 clients that do not read cost {grown} bytes");
    drop(streams);
    check_alive(&server);
}

#[test]
fn keys_may_be_empty_huge_and_binary() {
    let server = server(&[]);
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(30));
    let binary: Vec<u8> = (0..=255).collect();
    let keys = [vec![], vec![b'k'; 20 << 20], binary, b"{}\r\n\0".to_vec(), vec![0; 300]];
    for key in &keys {
        let word = |text: &str| text.as_bytes().to_vec();
        let shown = key[..key.len().min(20)].escape_ascii().to_string();
        assert!(client.cmd(&[word("SET"), key.clone(), word("v")]).is_ok(), "{shown}");
        assert_eq!(client.cmd(&[word("GET"), key.clone()]), Value::bulk("v"), "{shown}");
        assert_eq!(
            client.cmd(&[word("APPEND"), key.clone(), key.clone()]).integer(),
            Some(key.len() as i64 + 1)
        );
        assert!(client.cmd(&[word("RENAME"), key.clone(), word("other")]).is_ok(), "{shown}");
        assert!(client.cmd(&[word("RENAME"), word("other"), key.clone()]).is_ok(), "{shown}");
        assert_eq!(client.cmd(&[word("KEYS"), word("*")]), Value::bulks(&[key]), "{shown}");
        assert_eq!(client.cmd(&[word("PEXPIRE"), key.clone(), word("100000")]), Value::Integer(1), "{shown}");
        assert_eq!(client.cmd(&[word("DEL"), key.clone()]), Value::Integer(1), "{shown}");
    }
    assert_eq!(client.run("DBSIZE"), Value::Integer(0));
}

/// Lines as a person types them; the answers are those of redis-server, which is asked itself if it is there.
#[test]
fn quoted_lines_are_read_as_redis_reads_them() {
    const LINES: &[(&str, &str)] = &[
        (r#"SET k "a\x41 b""#, "+OK\r\n"),
        ("GET k", "$4\r\naA b\r\n"),
        (r#"SET "k" 'it\'s'"#, "+OK\r\n"),
        (r#"GET "\x6b""#, "$4\r\nit's\r\n"),
        (r#"set "" "\n\r\t\b\a\\\"\q""#, "+OK\r\n"),
        (r#"get """#, "$8\r\n\n\r\t\u{8}\u{7}\\\"q\r\n"),
        (r#"SET a"b" c"#, "+OK\r\n"),
        ("GET ab", "$1\r\nc\r\n"),
        (r#"ECHO "\xzz""#, "$3\r\nxzz\r\n"),
        (r"ECHO 'a\x41'", "$5\r\na\\x41\r\n"),
        ("", ""),
        ("   ", ""),
        ("\tPING\t", "+PONG\r\n"),
        (r#"ECHO "a" "b""#, "-ERR wrong number of arguments for 'echo' command\r\n"),
    ];
    const BROKEN: &[&str] = &[r#"ECHO "a"#, r#"ECHO "a"b"#, "ECHO 'a", "'a'b", r#"ECHO "\"#];
    let mut servers = vec![server(&[])];
    if Program::redis().find().is_some() {
        servers.push(Server::redis::<&str>(&[]));
    }
    for server in &servers {
        let mut client = server.client();
        for (line, expected) in LINES {
            client.send_raw(format!("{line}\r\n").as_bytes()).expect("it listens");
            let got = client.receive_raw(expected.len()).expect("it answers");
            assert_eq!(String::from_utf8_lossy(&got), *expected, "{line}");
        }
        for line in BROKEN {
            let mut stream = raw(server);
            stream.write_all(format!("PING\r\n{line}\r\nPING\r\n").as_bytes()).expect("it listens");
            assert_eq!(
                answer(&mut stream),
                "+PONG\r\n-ERR Protocol error: unbalanced quotes in request\r\n",
                "{line}"
            );
        }
    }
}

#[test]
fn clients_may_vanish_in_the_middle() {
    let server = server(&[]);
    let mut whole = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n".to_vec();
    whole.extend_from_slice(b"*3\r\n$4\r\nMSET\r\n$1\r\na\r\n$70000\r\n");
    for cut in 0..whole.len() {
        let mut stream = raw(&server);
        stream.write_all(&whole[..cut]).expect("small writes go through");
    }
    for kib in 0..100 {
        let mut stream = raw(&server);
        let _ = stream.write_all(
            &[&whole[..], &vec![b'x'; kib << 10]].concat()[..whole.len() + (kib << 10).min(69_000)],
        );
    }
    let mut client = server.client();
    assert_eq!(client.run("EXISTS a"), Value::Integer(0));
    let end = Instant::now() + Duration::from_secs(5);
    while connected(&mut client) > 1 {
        assert!(Instant::now() < end, "{} connections are still there", connected(&mut client));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `printf … | nc`: the end of input comes with the requests, the answers are still wanted.
#[test]
fn requests_before_the_end_of_input_are_answered() {
    let server = server(&[]);
    for round in 0..100 {
        let mut stream = raw(&server);
        let mut request: String = (0..20).map(|i| format!("SET key:{i} {round}\r\n")).collect();
        request.extend((0..20).map(|i| format!("GET key:{i}\r\n")));
        stream.write_all(request.as_bytes()).expect("it listens");
        stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        let begin = Instant::now();
        let expected =
            "+OK\r\n".repeat(20) + &format!("${}\r\n{round}\r\n", round.to_string().len()).repeat(20);
        assert_eq!(answer(&mut stream), expected);
        assert!(begin.elapsed() < Duration::from_secs(4), "the end took {:?}", begin.elapsed());
    }
}

fn connected(client: &mut Client) -> u64 {
    let info = client.run("INFO clients").string().expect("a text");
    let line = info.lines().find_map(|line| line.strip_prefix("connected_clients:"));
    line.and_then(|count| count.trim().parse().ok()).expect("INFO has it")
}
