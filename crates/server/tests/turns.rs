//! What a connection sends runs whole and in its order, however it comes: in pieces, twice in one turn of the loop among many others,
//! with the end of the connection right behind it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use testkit::{Client, Program, Server, Value};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
/// More than the shard reads of one connection in a turn.
const MUCH: usize = 40 * 1024;
/// More clients than the loop could look back at.
const OTHERS: usize = 12;

fn server(shards: &str, back_end: &str) -> Server {
    let arguments = ["--shards", shards, "--io-backend", back_end, "--enable-debug-command", "yes"];
    Server::start(&Program::Peer(WEFT.into()), &arguments).expect("our server starts")
}

fn everywhere(test: impl Fn(&Server)) {
    for back_end in ["auto", "epoll"] {
        for shards in ["1", "4"] {
            test(&server(shards, back_end));
        }
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid timeout");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).expect("it listens");
}

fn all_that_comes(mut stream: TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("it answers, then ends");
    got
}

/// Commands that append the numbers in turn to a list, with padding, so that pieces end within requests.
fn pushes(key: &str, numbers: std::ops::Range<usize>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        let value = format!("{number}:{}", "x".repeat(number % 97));
        write!(text, "*3\r\n$5\r\nRPUSH\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len())
            .expect("a string");
        text
    })
}

fn pushed(client: &mut Client, key: &str) -> Vec<usize> {
    let list = client.cmd(&["LRANGE", key, "0", "-1"]);
    let items = list.items().expect("a list").iter();
    let numbers = items.map(|item| item.string().and_then(|item| item.split(':').next()?.parse().ok()));
    numbers.map(|number| number.expect("a number")).collect()
}

/// A shard that sleeps finds everything at once: the rest of what it began to read, requests of many others, and more of
/// the first connection.
#[test]
fn commands_run_in_order_though_more_of_them_comes_behind_others() {
    everywhere(|server| {
        let mut client = server.client();
        for round in 0..6 {
            let key = format!("list{round}");
            // All to one shard, so that others' order shows nothing of it.
            let mut streams: Vec<_> = (0..OTHERS * 4).map(|_| connect(server)).collect();
            let mut first = connect(server);
            client.cmd(&["PING"]);
            let mut text = "*3\r\n$5\r\nDEBUG\r\n$5\r\nSLEEP\r\n$3\r\n0.2\r\n".to_owned();
            text.push_str(&pushes(&key, 0..1000));
            assert!(text.len() > MUCH);
            send(&mut first, &text);
            sleep(Duration::from_millis(60));
            for stream in &mut streams {
                send(stream, "PING\r\n");
            }
            let rest = pushes(&key, 1000..1400);
            let (middle, end) = rest.split_at(rest.len() / 2 + round);
            send(&mut first, middle);
            send(&mut first, end);
            first.shutdown(Shutdown::Write).expect("a socket");
            let mut expected = "+OK\r\n".to_owned();
            (1..=1400).for_each(|len| write!(expected, ":{len}\r\n").expect("a string"));
            assert!(all_that_comes(first) == expected.into_bytes(), "replies in another order");
            assert!(pushed(&mut client, &key).into_iter().eq(0..1400), "commands in another order");
        }
    });
}

/// Sends a signal.
fn signal(server: &Server, name: &str) {
    let pid = server.pid().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().expect("there is kill").success());
}

/// Whether all threads of the server stand still.
fn is_stopped(server: &Server) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it is there");
    let states = threads.map(|thread| {
        let path = thread.expect("a thread").path().join("stat");
        std::fs::read_to_string(path).expect("it is there")
    });
    states
        .into_iter()
        .all(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')))
}

/// Much has come from many connections, and last a single command of another one: it runs before any of them is read for the second time.
#[test]
fn nobody_is_read_twice_before_all_have_been_read_once() {
    const FLOODS: usize = 40;
    const COMMAND: &str = "INCR number\r\n";
    // The share of one connection in a turn, in bytes, as in the loop itself.
    const SHARE: usize = 32 * 1024;
    let path = std::env::temp_dir().join(format!("weft-turns-{}.sock", std::process::id()));
    for back_end in ["auto", "epoll"] {
        let socket = path.to_str().expect("a plain name");
        let arguments = ["--shards", "1", "--io-backend", back_end, "--unixsocket", socket];
        let server = Server::start(&Program::Peer(WEFT.into()), &arguments).expect("our server starts");
        // What is written to such a socket is there at once.
        let mut floods: Vec<_> =
            (0..FLOODS).map(|_| Client::connect_unix(&path).expect("the server accepts")).collect();
        let mut last = Client::connect_unix(&path).expect("the server accepts");
        for client in floods.iter_mut().chain([&mut last]) {
            assert_eq!(client.cmd(&["PING"]), Value::simple("PONG"));
        }
        signal(&server, "-STOP");
        while !is_stopped(&server) {
            sleep(Duration::from_millis(1));
        }
        let flood = COMMAND.repeat(2 * SHARE / COMMAND.len() + 1000);
        floods.iter_mut().for_each(|client| client.send_raw(flood.as_bytes()).expect("there is room"));
        last.send(&["GET", "number"]).expect("there is room");
        signal(&server, "-CONT");
        let number = last.reply().expect("a reply").integer().expect("a number");
        let once = FLOODS * (SHARE / COMMAND.len() + 1);
        assert!(number <= once as i64, "{back_end}: behind {number} commands");
    }
}

/// The last command counts, though the end of the connection comes with it.
#[test]
fn a_command_with_the_end_right_behind_it_runs() {
    everywhere(|server| {
        let mut client = server.client();
        for round in 0..6 {
            let mut sleeper = connect(server);
            let mut streams: Vec<_> = (0..OTHERS * 4).map(|_| connect(server)).collect();
            client.cmd(&["PING"]);
            for stream in &mut streams {
                send(stream, "PING\r\n");
                stream.read_exact(&mut [0; 7]).expect("it answers");
            }
            send(&mut sleeper, "DEBUG SLEEP 0.1\r\n");
            sleep(Duration::from_millis(30));
            let mut ends: Vec<_> = streams.drain(..OTHERS * 2).collect();
            for (at, stream) in ends.iter_mut().enumerate() {
                send(stream, format!("SET end{round}:{at} 1\r\n"));
            }
            for stream in &mut streams {
                send(stream, "PING\r\n");
            }
            for stream in &ends {
                stream.shutdown(Shutdown::Write).expect("a socket");
            }
            for (at, stream) in ends.into_iter().enumerate() {
                assert_eq!(all_that_comes(stream), b"+OK\r\n", "{round}:{at}");
                assert_eq!(client.cmd(&["EXISTS", &format!("end{round}:{at}")]), Value::Integer(1));
            }
        }
    });
}

/// What waits for a command that lets nothing pass runs, too, when the client has sent all it will.
#[test]
fn a_pipeline_that_waits_for_itself_runs_to_its_end() {
    everywhere(|server| {
        let mut client = server.client();
        client.cmd(&["RPUSH", "numbers", "3", "1", "2"]);
        for round in 0..20 {
            let mut stream = connect(server);
            send(&mut stream, format!("SORT numbers\r\nSORT numbers BY w_*\r\nSET last {round}\r\n"));
            if round % 2 == 0 {
                sleep(Duration::from_millis(5));
            }
            stream.shutdown(Shutdown::Write).expect("a socket");
            let got = all_that_comes(stream);
            assert!(got.ends_with(b"+OK\r\n"), "{}", got.escape_ascii());
            assert_eq!(client.cmd(&["GET", "last"]), Value::bulk(round.to_string()));
        }
        // The same with replies that nobody wants.
        let mut stream = connect(server);
        send(&mut stream, "CLIENT REPLY OFF\r\nSORT numbers\r\nSET last off\r\n");
        stream.shutdown(Shutdown::Write).expect("a socket");
        assert_eq!(all_that_comes(stream), b"");
        assert_eq!(client.cmd(&["GET", "last"]), Value::bulk("off"));
    });
}

/// Replies that wait for one before them count against the client's limit.
#[test]
fn replies_that_wait_for_others_are_limited() {
    let server = server("2", "auto");
    let mut client = server.client();
    client.cmd(&["CONFIG", "SET", "client-output-buffer-limit", "normal 2000000 0 0"]);
    let keys = ["a", "b"];
    let value = "v".repeat(10_000);
    keys.iter().for_each(|key| assert!(client.cmd(&["SET", key, &value]).is_ok()));
    // For a connection of the second key's shard, all replies wait for the first one's; they never come.
    // The first is of those that only the shard's own thread runs.
    let request = format!("BITCOUNT {}\r\n{}", keys[0], format!("GET {}\r\n", keys[1]).repeat(1000));
    let got: Vec<_> = (0..4)
        .map(|_| {
            let (mut stream, mut got) = (connect(&server), Vec::new());
            send(&mut stream, &request);
            stream.shutdown(Shutdown::Write).expect("a socket");
            // Those of the other shard may be closed while they are sent to.
            _ = stream.read_to_end(&mut got);
            got.len()
        })
        .collect();
    assert!(got.contains(&0), "{got:?}");
    assert_eq!(client.cmd(&["PING"]), Value::simple("PONG"));
    assert!(server.log().contains("closed for overcoming of output buffer limits"), "{}", server.log());
}

/// A figure of INFO.
fn figure(client: &mut Client, name: &str) -> u64 {
    let text = client.run("INFO stats").string().expect("a text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn reads_sends_and_turns_are_counted() {
    const NAMES: [&str; 5] = [
        "total_reads_processed",
        "total_writes_processed",
        "eventloop_cycles",
        "eventloop_duration_sum",
        "eventloop_duration_cmd_sum",
    ];
    everywhere(|server| {
        let mut client = server.client();
        let before = NAMES.map(|name| figure(&mut client, name));
        // Each is read, and answered, by itself; a pipeline in one go or a few.
        for _ in 0..50 {
            client.run("PING");
        }
        client.run("DEBUG SLEEP 0.01");
        let after = NAMES.map(|name| figure(&mut client, name));
        for (name, (before, after)) in NAMES.iter().zip(before.into_iter().zip(after)) {
            let least = if name.contains("duration") { 10_000 } else { 50 };
            assert!(after >= before + least, "{name}: {before}, then {after}");
        }
        assert!(client.run("CONFIG RESETSTAT").is_ok());
        assert!(figure(&mut client, "total_reads_processed") < 50);
    });
}
