//! Reactors where it is tight: rings much too small for their sockets, peers that read slowly or vanish, sockets that are
//! closed while something is under way. Every test runs on epoll and on rings of several sizes.

use runtime::epoll::Epoll;
use runtime::uring::Uring;
use runtime::{Event, Listener, Reactor, Socket};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(5);

/// Rings of 1, 2 and 64 entries (8, 16 and 512 completions), if there is io_uring, and epoll.
fn reactors() -> Vec<Box<dyn Reactor>> {
    let mut all: Vec<Box<dyn Reactor>> = vec![Box::new(Epoll::new().expect("epoll always works"))];
    for entries in [1, 2, 64] {
        match Uring::new(entries) {
            Ok(ring) => all.push(Box::new(ring)),
            Err(error) => eprintln!("not tried: no ring of {entries} entries: {error}"),
        }
    }
    all
}

/// A listener and as many connections as are asked of it.
struct Peers(Listener);

impl Peers {
    fn new() -> Self {
        Self(Listener::tcp("127.0.0.1:0".parse().expect("an address"), 512).expect("a free port"))
    }

    /// Our end and theirs.
    fn connect(&self) -> (Socket, TcpStream) {
        let port = self.0.port().expect("TCP has ports");
        let theirs = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        theirs.set_read_timeout(Some(WAIT)).expect("a valid timeout");
        (self.0.accept().expect("it has connected"), theirs)
    }
}

/// Waits until `done` says so of the events that come.
fn until(reactor: &mut dyn Reactor, what: &str, mut done: impl FnMut(&mut dyn Reactor, Event) -> bool) {
    let end = Instant::now() + WAIT;
    loop {
        let mut events = Vec::new();
        reactor.wait(Some(Duration::from_millis(100)), &mut events).expect("waiting works");
        for event in events {
            if done(reactor, event) {
                return;
            }
        }
        assert!(Instant::now() < end, "{} ({what})", reactor.name());
    }
}

/// Sends back what has come.
fn echo(reactor: &mut dyn Reactor, token: usize) -> usize {
    let mut buf = [0; 100];
    match reactor.recv(token, &mut buf) {
        Ok(count) => {
            let sent = reactor.send(token, &[IoSlice::new(&buf[..count])]).expect("little fits always");
            assert_eq!(sent, count);
            count
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            0
        }
    }
}

/// Sends until the socket takes no more; how much it took.
fn fill(reactor: &mut dyn Reactor, token: usize, bytes: &[u8]) -> usize {
    let mut sent = 0;
    while sent < bytes.len() {
        match reactor.send(token, &[IoSlice::new(&bytes[sent..])]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{}: {error}", reactor.name()),
        }
    }
    sent
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[test]
fn many_sockets_on_a_small_ring_all_get_their_turn() {
    const COUNT: usize = 200;
    for mut reactor in reactors() {
        let peers = Peers::new();
        // More than the queue takes at once.
        let mut streams: Vec<_> = (0..COUNT)
            .map(|token| {
                let (ours, theirs) = peers.connect();
                reactor.add(token, ours).expect("it can be watched");
                theirs
            })
            .collect();
        for round in 0..3u8 {
            // All speak before we look: more events than completions fit.
            streams.iter_mut().for_each(|stream| stream.write_all(&[round; 3]).expect("it is open"));
            let mut echoed = 0;
            until(reactor.as_mut(), "echoes", |reactor, event| {
                if let Event::Readable(token) = event {
                    echoed += echo(reactor, token);
                }
                echoed == 3 * COUNT
            });
            for stream in &mut streams {
                let mut back = [9; 3];
                stream.read_exact(&mut back).expect("it has been sent");
                assert_eq!(back, [round; 3]);
            }
        }
        // All go at once, and all are noticed.
        drop(streams);
        let mut open = COUNT;
        until(reactor.as_mut(), "ends", |reactor, event| {
            if let Event::Readable(token) = event
                && matches!(reactor.recv(token, &mut [0]), Ok(0))
            {
                assert!(reactor.remove(token).is_some());
                open -= 1;
            }
            open == 0
        });
    }
}

#[test]
fn a_slow_reader_gets_all_of_it_and_keeps_nobody_waiting() {
    for mut reactor in reactors() {
        let peers = Peers::new();
        let (ours, mut slow) = peers.connect();
        reactor.add(0, ours).expect("it can be watched");
        let (ours, mut other) = peers.connect();
        reactor.add(1, ours).expect("it can be watched");
        let bytes = noise(16 << 20);
        let mut sent = fill(reactor.as_mut(), 0, &bytes);
        assert!(sent > 0 && sent < bytes.len(), "{sent}");
        // It does not read at all for a while; others are served.
        for _ in 0..20 {
            other.write_all(b"ping").expect("it is open");
            until(reactor.as_mut(), "an echo beside", |reactor, event| {
                event == Event::Readable(1) && echo(reactor, 1) == 4
            });
            other.read_exact(&mut [0; 4]).expect("it has been sent");
        }
        let expected = bytes.clone();
        let reader = std::thread::spawn(move || {
            let mut got = vec![0; expected.len()];
            for part in got.chunks_mut(300_000) {
                slow.read_exact(part).expect("all is sent");
            }
            assert!(got == expected, "other bytes");
        });
        while sent < bytes.len() {
            until(reactor.as_mut(), "room", |_, event| event == Event::Writable(0));
            sent += fill(reactor.as_mut(), 0, &bytes[sent..]);
        }
        reader.join().expect("it got all");
    }
}

#[test]
fn a_socket_closed_while_sending_leaves_nothing_behind() {
    for mut reactor in reactors() {
        let peers = Peers::new();
        let bytes = noise(16 << 20);
        for _ in 0..50 {
            let (ours, mut old) = peers.connect();
            reactor.add(0, ours).expect("it can be watched");
            let sent = fill(reactor.as_mut(), 0, &bytes);
            assert!(sent < bytes.len());
            // Its events are on their way when it is closed and its number is given to another.
            old.write_all(b"late").expect("it is open");
            drop(reactor.remove(0));
            assert!(reactor.remove(0).is_none());
            let (ours, mut new) = peers.connect();
            reactor.add(0, ours).expect("it can be watched");
            let drained = std::thread::spawn(move || std::io::copy(&mut old, &mut std::io::sink()));
            let mut events = Vec::new();
            reactor.wait(Some(Duration::from_millis(2)), &mut events).expect("waiting works");
            assert!(!events.contains(&Event::Writable(0)), "{}: {events:?}", reactor.name());
            for _ in &events {
                let error = reactor.recv(0, &mut [0; 8]).expect_err("nobody has sent anything");
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
            new.write_all(b"hello").expect("it is open");
            until(reactor.as_mut(), "the new one", |reactor, event| {
                event == Event::Readable(0) && echo(reactor, 0) == 5
            });
            // The old one sees its end: no request in the ring keeps it open. (A reset, for it had something to tell.)
            let end = Instant::now() + WAIT;
            while !drained.is_finished() {
                assert!(Instant::now() < end, "{}: the old one is still open", reactor.name());
                reactor.wait(Some(Duration::from_millis(1)), &mut events).expect("waiting works");
            }
            drop(reactor.remove(0));
        }
    }
}

#[test]
fn a_peer_that_vanishes_while_we_send_is_noticed() {
    for mut reactor in reactors() {
        let peers = Peers::new();
        let (ours, theirs) = peers.connect();
        reactor.add(0, ours).expect("it can be watched");
        let bytes = noise(16 << 20);
        assert!(fill(reactor.as_mut(), 0, &bytes) < bytes.len());
        drop(theirs);
        until(reactor.as_mut(), "the end", |reactor, event| match event {
            Event::Readable(0) => {
                reactor.recv(0, &mut [0; 8]).is_ok_and(|count| count == 0) || broken(reactor)
            }
            Event::Writable(0) => broken(reactor),
            _ => false,
        });
        assert!(reactor.remove(0).is_some());
    }
}

fn broken(reactor: &mut dyn Reactor) -> bool {
    let error = reactor.send(0, &[IoSlice::new(b"more")]).expect_err("nobody is there");
    error.kind() != ErrorKind::WouldBlock
}

#[test]
fn wakes_come_through_a_full_ring() {
    for mut reactor in reactors() {
        let peers = Peers::new();
        let mut streams: Vec<_> = (0..100)
            .map(|token| {
                let (ours, theirs) = peers.connect();
                reactor.add(token, ours).expect("it can be watched");
                theirs
            })
            .collect();
        for _ in 0..20 {
            let waker = reactor.waker();
            let waking = std::thread::spawn(move || waker.wake());
            streams.iter_mut().for_each(|stream| stream.write_all(b"x").expect("it is open"));
            let (mut woken, mut echoed) = (false, 0);
            until(reactor.as_mut(), "a wake", |reactor, event| {
                match event {
                    Event::Woken => woken = true,
                    Event::Readable(token) => echoed += echo(reactor, token),
                    _ => {}
                }
                woken && echoed == 100
            });
            waking.join().expect("it ends");
        }
    }
}

#[test]
fn a_body_and_what_follows_are_read_apart() {
    for mut reactor in reactors() {
        let peers = Peers::new();
        let (ours, mut theirs) = peers.connect();
        reactor.add(0, ours).expect("it can be watched");
        theirs.write_all(b"0123456789rest").expect("it is open");
        until(reactor.as_mut(), "input", |_, event| event == Event::Readable(0));
        let (mut body, mut rest) = (Vec::with_capacity(100), [0; 20]);
        body.extend_from_slice(b"..");
        // In two steps: the first has room for a part of the body only.
        let mut counts = reactor.recv_apart(0, &mut body, 4, &mut []).expect("it is there");
        assert_eq!((counts, body.as_slice()), ((4, 0), &b"..0123"[..]));
        counts = reactor.recv_apart(0, &mut body, 6, &mut rest).expect("it is there");
        assert_eq!((counts, body.as_slice(), &rest[..4]), ((6, 4), &b"..0123456789"[..], &b"rest"[..]));
        let error = reactor.recv_apart(0, &mut body, 6, &mut rest).expect_err("nothing more is there");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(body.len(), 12);
        drop(theirs);
        until(reactor.as_mut(), "the end", |_, event| event == Event::Readable(0));
        assert_eq!(reactor.recv_apart(0, &mut body, 6, &mut rest).expect("the end"), (0, 0));
    }
}

#[test]
fn waiting_takes_as_long_as_was_said() {
    for mut reactor in reactors() {
        let begin = Instant::now();
        let mut events = Vec::new();
        reactor.wait(Some(Duration::from_millis(30)), &mut events).expect("waiting works");
        assert!(events.is_empty(), "{}: {events:?}", reactor.name());
        assert!(begin.elapsed() >= Duration::from_millis(29), "{}", reactor.name());
        reactor.waker().wake();
        reactor.wait(None, &mut events).expect("waiting works");
        assert_eq!(events, [Event::Woken]);
    }
}
