//! Clients that wait, seen from the sockets: when their time is over, when they go, when the server does.

use std::net::Shutdown;
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server, await_end_of_idle, await_info, await_true};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
/// Keys on several shards, whatever these are.
const MANY: &str = "a b c d e f g h";

fn serve(settings: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), settings).expect("weft-server starts")
}

fn everywhere(test: impl Fn(&mut Server)) {
    for (shards, back_end) in [("1", "auto"), ("4", "epoll"), ("4", "auto")] {
        test(&mut serve(&["--shards", shards, "--io-backend", back_end]));
    }
}

fn send(client: &mut Client, line: &str) {
    client.send(&line.split(' ').collect::<Vec<_>>()).expect("it is open");
}

fn wait_for_blocked(client: &mut Client, count: usize) {
    await_info(client, "blocked_clients", &count.to_string());
}

/// Everybody sleeps, and wakes in time.
#[test]
fn waits_end_when_their_time_is_over() {
    everywhere(|server| {
        let mut clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
        for keys in ["one", MANY] {
            let begun = Instant::now();
            for (number, client) in clients.iter_mut().enumerate() {
                send(client, &format!("BLPOP {keys} 0.{}", 20 - number));
            }
            for client in clients.iter_mut().rev() {
                assert_eq!(client.receive().expect("a reply").to_string(), "(nil array)");
            }
            let elapsed = begun.elapsed();
            assert!(elapsed >= Duration::from_millis(195), "too early: {elapsed:?}");
        }
    });
}

#[test]
fn waiting_costs_nothing() {
    everywhere(|server| {
        let mut control = server.client();
        let mut clients: Vec<Client> = (0..200).map(|_| server.client()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            send(client, &format!("BLPOP {} {}", if number % 2 == 0 { "one" } else { MANY }, 1000 + number));
        }
        wait_for_blocked(&mut control, 200);
        // What they have begun with ends some time.
        await_true("a second without work", || {
            let before = server.cpu_time();
            std::thread::sleep(Duration::from_secs(1));
            server.cpu_time() - before <= Duration::from_millis(20)
        });
    });
}

/// Whoever has sent all it will is not there to be served, and neither is one that has gone; nothing is taken for them.
#[test]
fn clients_that_go_are_forgotten() {
    everywhere(|server| {
        let mut control = server.client();
        let port = server.port();
        for keys in ["one", MANY] {
            for how in [Some(Shutdown::Write), Some(Shutdown::Both), None] {
                let stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
                let line = format!("BLPOP {keys} 0\r\n");
                std::io::Write::write_all(&mut &stream, line.as_bytes()).expect("it is open");
                wait_for_blocked(&mut control, 1);
                if let Some(how) = how {
                    stream.shutdown(how).expect("it was open");
                } else {
                    drop(stream);
                }
                wait_for_blocked(&mut control, 0);
                assert_eq!(control.run("RPUSH one x").integer(), Some(1));
                assert_eq!(control.run("RPUSH h x").integer(), Some(1));
                assert_eq!(control.run("DEL one h").integer(), Some(2));
            }
        }
    });
}

#[test]
fn idle_clients_are_closed_but_not_those_who_wait() {
    let server = serve(&["--shards", "2", "--timeout", "1"]);
    let mut waiter = server.client();
    send(&mut waiter, &format!("BLPOP {MANY} 0"));
    wait_for_blocked(&mut server.client(), 1);
    // Whoever comes later is closed, twice.
    for _ in 0..2 {
        await_end_of_idle(&server, &mut [server.client()], Duration::from_secs(1));
    }
    assert_eq!(server.client().run("RPUSH c x").integer(), Some(1));
    assert!(waiter.receive().expect("a reply").to_string().contains('x'));
}

#[test]
fn the_server_ends_although_clients_wait() {
    everywhere(|server| {
        let (mut waiter, mut other, mut control) = (server.client(), server.client(), server.client());
        send(&mut waiter, "BLPOP one 0");
        send(&mut other, &format!("BLPOP {MANY} 0"));
        wait_for_blocked(&mut control, 2);
        send(&mut control, "SHUTDOWN NOSAVE");
        server.wait_exit(testkit::client::TIMEOUT).expect("it ends");
        assert!([waiter, other].iter_mut().all(|client| client.is_closed_within(testkit::client::TIMEOUT)));
    });
}
