//! MIGRATE between servers: of ours and redis-server. While another server takes its time nobody waits but for the keys themselves, and whatever
//! happens a key is in one place at least.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, Value};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(shards: &str, settings: &[&str]) -> Server {
    let all = [&["--shards", shards, "--enable-debug-command", "yes"], settings].concat();
    Server::start(&Program::Peer(WEFT.into()), &all).expect("weft-server starts")
}

/// Servers to migrate to.
fn targets() -> Vec<Server> {
    let mut targets = vec![server("1", &[]), server("3", &[])];
    if Program::redis().find().is_some() {
        targets.push(Server::redis::<&str>(&[]));
    }
    targets
}

fn migrate(client: &mut Client, port: u16, rest: &str) -> Value {
    let port = port.to_string();
    let mut words = vec!["MIGRATE", "127.0.0.1", &port];
    words.extend(rest.split(' ').map(|word| if word == "-" { "" } else { word }));
    client.cmd(&words)
}

fn error_of(value: &Value) -> String {
    match value {
        Value::Error(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("{other:?} is no error"),
    }
}

const KEYS: &str = "text list set hash zset stream timed other";

fn fill(client: &mut Client) {
    let lines = [
        "FLUSHALL",
        "SET text value",
        "RPUSH list a b c",
        "SADD set x y 1 2",
        "HSET hash f v g w",
        "ZADD zset 1 a 2.5 b",
        "XADD stream 1-1 f v",
        "XGROUP CREATE stream group 0",
        "SET timed v PX 100000",
        "SET other v",
    ];
    lines.iter().for_each(|line| assert!(!client.run(line).is_error(), "{line}"));
}

#[test]
fn keys_of_all_types_go_over() {
    for shards in ["1", "4"] {
        let source = server(shards, &["--appendonly", "yes"]);
        for target in targets() {
            let (mut here, mut there) = (source.client(), target.client());
            fill(&mut here);
            let digests = |client: &mut Client| {
                let mut words = vec!["DEBUG", "DIGEST-VALUE"];
                words.extend(KEYS.split(' '));
                client.cmd(&words)
            };
            let before = digests(&mut here);
            assert!(migrate(&mut here, target.port(), &format!("- 5 1000 COPY KEYS {KEYS} nosuch")).is_ok());
            assert_eq!(here.run("DBSIZE").integer(), Some(8));
            assert!(migrate(&mut here, target.port(), &format!("- 0 1000 KEYS {KEYS}")).is_ok());
            assert_eq!(here.run("DBSIZE").integer(), Some(0));
            assert_eq!(there.run("DBSIZE").integer(), Some(8));
            assert!(there.run("PTTL timed").integer().is_some_and(|ttl| (1..=100_000).contains(&ttl)));
            // They come back, to be compared.
            for (at, key) in KEYS.split(' ').enumerate() {
                let payload = there.cmd(&["DUMP", key]);
                let payload = payload.bytes().expect("it is there");
                let ttl = if key == "timed" { &b"100000"[..] } else { b"0" };
                assert!(here.cmd(&[b"RESTORE", key.as_bytes(), ttl, payload]).is_ok(), "{at}");
            }
            assert_eq!(digests(&mut here), before);
            // What is there already stays, here and there; the rest goes.
            assert!(!there.run("DEL text").is_error());
            let refused = migrate(&mut here, target.port(), "- 0 1000 KEYS text list");
            let text = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
            assert_eq!(error_of(&refused), text);
            assert_eq!(here.run("EXISTS text list").integer(), Some(1));
            assert!(migrate(&mut here, target.port(), "list 0 1000 REPLACE").is_ok());
            let refused = migrate(&mut here, target.port(), "set 1234567 1000");
            assert!(
                error_of(&refused).starts_with("ERR Target instance replied with error: ERR"),
                "{refused:?}"
            );
            assert!(here.run("DEBUG LOADAOF").is_ok());
            assert_eq!(here.run("EXISTS text list set").integer(), Some(1));
        }
    }
}

#[test]
fn passwords_are_asked_for() {
    let (source, target) = (server("2", &[]), server("2", &["--requirepass", "secret"]));
    let (mut client, port) = (source.client(), target.port());
    client.run("MSET a 1 b 2 c 3");
    let refused = migrate(&mut client, port, "a 0 1000");
    assert_eq!(error_of(&refused), "ERR Target instance replied with error: NOAUTH Authentication required.");
    let refused = migrate(&mut client, port, "a 0 1000 AUTH wrong");
    assert!(error_of(&refused).contains("WRONGPASS"));
    assert!(migrate(&mut client, port, "a 0 1000 AUTH secret").is_ok());
    assert!(migrate(&mut client, port, "- 0 1000 AUTH2 default secret KEYS b c").is_ok());
    assert_eq!(client.run("DBSIZE").integer(), Some(0));
    client.run("CONFIG SET slowlog-log-slower-than 0");
    migrate(&mut client, port, "a 0 1000 AUTH secret");
    assert!(!format!("{:?}", client.run("SLOWLOG GET 10")).contains("secret"));
}

/// A server that takes connections and says nothing.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

#[test]
fn nobody_waits_but_for_the_keys() {
    for shards in ["1", "4"] {
        let source = server(shards, &[]);
        let (listener, port) = silent();
        let (mut client, mut other, mut third) = (source.client(), source.client(), source.client());
        client.run("MSET a 1 b 2 c 3 d 4 e 5 f 6");
        let words = ["MIGRATE", "127.0.0.1", &port.to_string(), "", "0", "1500", "KEYS", "a", "b", "c", "d"];
        let begun = Instant::now();
        client.send(&words).expect("it is read");
        let (mut stream, _) = listener.accept().expect("it comes");
        let mut bytes = [0; 16];
        stream.read_exact(&mut bytes).expect("it is sent");
        // As many as there is time for while the other server is silent; not one, if they waited for that.
        let mut served = 0;
        while served < 200 && begun.elapsed() < Duration::from_millis(1200) {
            assert_eq!(other.run("INCR e").integer(), Some(6 + served));
            assert_eq!(other.run("MGET e f").items().map(<[Value]>::len), Some(2));
            other.run(&format!("MSET x{served} 1 y{served} 2 z{served} 3"));
            served += 1;
        }
        assert!(served > 1, "others waited");
        // Who asks for a key waits, and sees it again.
        third.send(&["GET", "b"]).expect("it is read");
        assert!(third.receive_within(Duration::from_millis(100)).is_empty());
        let refused = client.reply().expect("an answer");
        assert_eq!(error_of(&refused), "IOERR error or timeout reading to target instance");
        assert!(begun.elapsed() >= Duration::from_millis(1400));
        assert_eq!(third.reply().expect("an answer").string().as_deref(), Some("2"));
        assert_eq!(other.run("EXISTS a b c d").integer(), Some(4));
        assert_eq!(other.run("DBSIZE").integer(), Some(6 + 3 * served));
    }
}

/// What is about all keys, or may be, waits for those that are on their way, and finds them.
#[test]
fn nobody_misses_keys_that_are_on_their_way() {
    for shards in ["1", "4"] {
        let commands: [(&[&str], Value); 5] = [
            (&["DBSIZE"], Value::Integer(3)),
            (&["EVAL", "return redis.call('APPEND', 'k' .. 'ey', '+')", "0"], Value::Integer(4)),
            (&["EVAL", "return redis.call('DBSIZE')", "0"], Value::Integer(3)),
            (&["SAVE"], Value::simple("OK")),
            (&["FLUSHALL"], Value::simple("OK")),
        ];
        for (words, expected) in commands {
            let source = server(shards, &["--save", ""]);
            let (listener, port) = silent();
            let (mut mover, mut other) = (source.client(), source.client());
            assert!(mover.run("MSET key old one 1 two 2").is_ok());
            let migrate = ["MIGRATE", "127.0.0.1", &port.to_string(), "", "0", "500", "KEYS", "key", "one"];
            mover.send(&migrate).expect("it is read");
            let (mut stream, _) = listener.accept().expect("it comes");
            stream.read_exact(&mut [0; 16]).expect("it is sent");
            assert_eq!(other.cmd(words), expected, "{words:?}, {shards} shards");
            assert!(error_of(&mover.reply().expect("an answer")).starts_with("IOERR"));
            let left = if words == ["FLUSHALL"] { 0 } else { 3 };
            assert_eq!(other.run("DBSIZE").integer(), Some(left), "{words:?}, {shards} shards");
            if words == ["SAVE"] {
                assert!(other.run("DEBUG RELOAD NOSAVE").is_ok());
                assert_eq!(other.run("DBSIZE").integer(), Some(3), "{shards} shards");
            }
        }
    }
}

/// Its client goes, or all is to end, while another server is silent.
#[test]
fn clients_and_servers_end_meanwhile() {
    for shards in ["1", "3"] {
        let mut source = server(shards, &["--appendonly", "yes"]);
        let (_listener, port) = silent();
        let (mut client, mut other) = (source.client(), source.client());
        client.run("MSET a 1 b 2 c 3");
        let words = ["MIGRATE", "127.0.0.1", &port.to_string(), "", "0", "700", "KEYS", "a", "b", "c"];
        client.send(&words).expect("it is read");
        std::thread::sleep(Duration::from_millis(50));
        drop(client);
        assert_eq!(other.run("GET b").string().as_deref(), Some("2"));
        other.send(&words).expect("it is read");
        std::thread::sleep(Duration::from_millis(50));
        let mut last = source.client();
        last.send(&["SHUTDOWN", "SAVE"]).expect("it is read");
        source.wait_exit(Duration::from_secs(10)).expect("it ends");
        source.restart().expect("it starts again");
        assert_eq!(source.client().run("EXISTS a b c").integer(), Some(3));
    }
}

/// A connection that is kept and has been closed meanwhile is made anew; what the other server has taken without saying so is still here.
#[test]
fn connections_are_kept_and_made_anew() {
    let source = server("2", &[]);
    let mut target = server("2", &[]);
    let mut client = source.client();
    client.run("MSET a 1 b 2 c 3 d 4");
    assert!(migrate(&mut client, target.port(), "a 0 1000").is_ok());
    assert!(migrate(&mut client, target.port(), "b 0 1000").is_ok());
    let connections = || {
        let text = target.client().run("INFO stats").string().expect("text");
        let (_, rest) = text.split_once("total_connections_received:").expect("the figure");
        rest.lines().next().and_then(|line| line.parse::<u64>().ok()).expect("a number")
    };
    let kept = |client: &mut Client| testkit::info_number(client, "migrate_cached_sockets");
    assert_eq!(kept(&mut client), 1);
    let before = connections();
    assert!(migrate(&mut client, target.port(), "c 0 1000").is_ok());
    assert_eq!(connections(), before + 1, "only who asks is new");
    target.restart().expect("it starts again");
    assert!(migrate(&mut client, target.port(), "d 0 1000").is_ok());
    assert_eq!(target.client().run("GET d").string().as_deref(), Some("4"));
    let other = server("1", &[]);
    client.run("SET f 6");
    assert!(migrate(&mut client, other.port(), "f 0 1000").is_ok());
    assert_eq!(kept(&mut client), 2);
    let (listener, port) = silent();
    client.run("SET e 5");
    let words = ["MIGRATE", "127.0.0.1", &port.to_string(), "e", "0", "5000"];
    client.send(&words).expect("it is read");
    // Twice, as in Redis.
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().expect("it comes");
        let mut bytes = [0; 1024];
        assert!(stream.read(&mut bytes).expect("it is sent") > 0);
    }
    let refused = client.reply().expect("an answer");
    assert_eq!(error_of(&refused), "IOERR error or timeout reading to target instance");
    assert_eq!(client.run("GET e").string().as_deref(), Some("5"));
    assert_eq!(kept(&mut client), 2, "what has failed is not kept");
}

/// Both ways at the same time, with clients that count: no count is lost, and each key is in one place.
#[test]
fn keys_that_go_to_and_fro_are_in_one_place() {
    let (first, second) = (server("3", &[]), server("2", &[]));
    let (first, second) = (&first, &second);
    let names: Vec<String> = (0..20).map(|n| format!("key:{n}")).collect();
    let names = &names;
    let mut client = first.client();
    names.iter().for_each(|name| assert!(client.cmd(&["SET", name, "0"]).is_ok()));
    let counted = std::thread::scope(|scope| {
        for (from, to) in [(first, second), (second, first)] {
            scope.spawn(move || {
                let (mut client, port) = (from.client(), to.port());
                for round in 0..100 {
                    let all = names[round % 7..].iter().step_by(1 + round % 3);
                    let all: Vec<&str> = all.map(String::as_str).collect();
                    let reply = migrate(&mut client, port, &format!("- 0 5000 KEYS {}", all.join(" ")));
                    assert!(!reply.is_error(), "{reply:?}");
                }
            });
        }
        let counters = [first, second].map(|server| {
            scope.spawn(move || {
                let (mut client, mut counted) = (server.client(), 0);
                for round in 0..2000 {
                    let name = &names[round % names.len()];
                    let reply = client.cmd(&["EVAL", COUNT, "1", name]);
                    counted += reply.integer().expect("a number");
                }
                counted
            })
        });
        counters.map(|counter| counter.join().expect("it counts")).iter().sum::<i64>()
    });
    let mut total = 0;
    for name in names {
        let values = [first, second].map(|server| server.client().cmd(&["GET", name]).integer_text());
        assert_eq!(values.iter().flatten().count(), 1, "{name}");
        total += values.iter().flatten().sum::<i64>();
    }
    assert_eq!(total, counted);
}

/// Counts if the key is here.
const COUNT: &str =
    "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('INCR', KEYS[1]) return 1 end return 0";

trait Number {
    fn integer_text(&self) -> Option<i64>;
}

impl Number for Value {
    fn integer_text(&self) -> Option<i64> {
        self.string().and_then(|text| text.parse().ok())
    }
}
