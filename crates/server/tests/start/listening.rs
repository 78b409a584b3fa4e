//! Where the server can be reached, and by whom.

use crate::programs::{Directory, eventually, has, is_once_below, run, serve, text};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::{Client, Value};

#[test]
fn several_addresses() {
    if TcpListener::bind("[::1]:0").is_err() {
        return eprintln!("not tried: there is no IPv6 here");
    }
    let server = serve(&["--bind", "127.0.0.1", "::1", "-192.0.2.77"]);
    assert!(server.client().cmd(&["SET", "k", "v"]).is_ok());
    let mut client = Client::connect(("::1", server.port())).unwrap();
    assert_eq!(client.cmd(&["GET", "k"]), Value::bulk("v"));
    let warning = format!(
        "Warning: Could not create server TCP listening socket 192.0.2.77:{}: bind: Cannot assign requested address",
        server.port()
    );
    assert!(server.log().contains(&warning));
    drop(serve(&["--bind", "localhost"]));
    let any = serve(&["--bind", "*", "-::*"]);
    assert_eq!(Client::connect(("::1", any.port())).unwrap().cmd(&["GET", "none"]), Value::Null);
}

#[test]
fn addresses_that_cannot_be_had() {
    let server = serve(&[]);
    let port = server.port().to_string();
    let output = run(&["--port", &port, "--bind", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let reason = format!("listening socket 127.0.0.1:{port}: bind: Address already in use");
    assert!(text(&output).contains(&reason), "{}", text(&output));
    let output = run(&["--port", &port, "--bind", "192.0.2.77"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("bind: Cannot assign requested address"));
    let output = run(&["--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("Configured to not listen anywhere, exiting."));
}

#[test]
fn a_unix_socket() {
    let mut server = serve(&["--unixsocket", "weft.sock", "--unixsocketperm", "700", "--shards", "2"]);
    let path = server.directory().join("weft.sock");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mut client = Client::connect_unix(&path).unwrap();
    assert!(client.cmd(&["SET", "k", "v"]).is_ok());
    assert_eq!(server.client().cmd(&["GET", "k"]), Value::bulk("v"));
    // A socket that a killed server left is taken over; at the end it goes.
    server.restart().unwrap();
    assert_eq!(Client::connect_unix(&path).unwrap().cmd(&["GET", "k"]), Value::Null);
    assert!(server.stop().unwrap().success());
    assert!(!path.exists());
}

#[test]
fn a_file_in_the_place_of_the_socket_is_spared() {
    let directory = Directory::new();
    let file = directory.write("precious", "data");
    let output = run(&["--port", "0", "--unixsocket", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("Failed opening Unix socket"), "{}", text(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
}

#[test]
fn protected_mode() {
    let Some(outside) = address_outside_loopback() else {
        return eprintln!("not tried: this machine has only a loopback address");
    };
    let server = serve(&["--bind", "*"]);
    let mut client = Client::connect((outside, server.port())).unwrap();
    let Value::Error(text) = client.receive().unwrap() else { panic!("an error was expected") };
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("DENIED Redis is running in protected mode because protected mode is enabled"));
    assert!(text.ends_with("start accepting connections from the outside."));
    assert!(client.is_closed_within(Duration::from_secs(5)));
    assert_eq!(server.client().cmd(&["GET", "none"]), Value::Null);

    let open = serve(&["--bind", "*", "--protected-mode", "no"]);
    assert_eq!(Client::connect((outside, open.port())).unwrap().cmd(&["GET", "none"]), Value::Null);
    let locked = serve(&["--bind", "*", "--requirepass", "secret"]);
    let reply = Client::connect((outside, locked.port())).unwrap().cmd(&["GET", "none"]);
    assert_eq!(reply, Value::Error(b"NOAUTH Authentication required.".to_vec()));
}

/// An address of this machine that packets to the world would leave from. None is sent.
fn address_outside_loopback() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn too_many_clients() {
    let server = serve(&["--maxclients", "3", "--shards", "2"]);
    let mut clients = Vec::new();
    // The connection that found the server ready may still count.
    eventually("three clients", || {
        let mut client = server.client();
        if client.try_cmd(&["GET", "none"]).is_ok_and(|reply| reply.is_null()) {
            clients.push(client);
        }
        clients.len() == 3
    });
    let mut one_more = server.client();
    assert_eq!(one_more.receive().unwrap(), Value::Error(b"ERR max number of clients reached".to_vec()));
    assert!(one_more.is_closed_within(Duration::from_secs(5)));
    clients.pop();
    eventually("room for another", || server.client().try_cmd(&["GET", "none"]).is_ok_and(|r| r.is_null()));
}

#[test]
fn no_descriptors_left() {
    if !has("prlimit") {
        return;
    }
    let server = serve(&["--shards", "2"]);
    let mut old = server.client();
    assert!(old.cmd(&["SET", "k", "v"]).is_ok());
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let limit = |soft: usize| {
        let (pid, files) = (format!("--pid={}", server.pid()), format!("--nofile={soft}:"));
        assert!(Command::new("prlimit").args([pid, files]).status().unwrap().success());
    };
    limit(open);
    let refused = |server: &testkit::Server| {
        let mut client = server.client();
        let refused = Value::Error(b"ERR max number of clients reached".to_vec());
        client.receive().is_ok_and(|reply| reply == refused)
    };
    // Each of them gets an answer; none waits in the backlog for ever.
    let mut accepted = Vec::new();
    for _ in 0..4 {
        let mut client = server.client();
        client.set_timeout(Duration::from_millis(300));
        match client.receive() {
            Ok(reply) => assert_eq!(reply, Value::Error(b"ERR max number of clients reached".to_vec())),
            Err(_) => accepted.push(client),
        }
    }
    assert!(accepted.len() < 3, "there were that many descriptors");
    assert!(refused(&server));
    assert_eq!(old.cmd(&["GET", "k"]), Value::bulk("v"));
    assert!(server.log().contains("Error accepting a client connection: Too many open files"));
    limit(open + 100);
    assert_eq!(server.client().cmd(&["GET", "k"]), Value::bulk("v"));
}

/// Even the descriptor in reserve is above the limit: nobody can be answered until there is room, and then nobody is forgotten.
#[test]
fn a_limit_below_what_is_open() {
    if !has("prlimit") {
        return;
    }
    for back_end in ["epoll", "auto"] {
        let server = serve(&["--shards", "2", "--io-backend", back_end]);
        let limit = |soft: usize| {
            let (pid, files) = (format!("--pid={}", server.pid()), format!("--nofile={soft}:"));
            assert!(Command::new("prlimit").args([pid, files]).status().unwrap().success());
        };
        limit(3);
        let mut waiting = server.client();
        waiting.send(&["PING"]).unwrap();
        waiting.set_timeout(Duration::from_millis(300));
        assert!(waiting.receive().is_err());
        let before = server.cpu_time();
        std::thread::sleep(Duration::from_millis(500));
        assert!(server.cpu_time() - before < Duration::from_millis(50), "it does not try all the time");
        limit(1000);
        waiting.set_timeout(Duration::from_secs(5));
        assert!(waiting.receive().is_ok_and(|reply| reply.to_string().contains("PONG")));
    }
}

#[test]
fn few_descriptors_from_the_start() {
    let server = crate::programs::serve_by("ulimit -n 64; exec \"$@\"", &["--shards", "2"]).unwrap();
    assert!(
        server.log().contains("maxclients has been reduced to 28 to compensate for low ulimit"),
        "{}",
        server.log()
    );
    let mut clients: Vec<Client> = (0..60).map(|_| server.client()).collect();
    let served = clients
        .iter_mut()
        .map(|c| c.try_cmd(&["GET", "none"]).is_ok_and(|r| r.is_null()))
        .filter(|served| *served)
        .count();
    assert!((27..=28).contains(&served), "{served}");
    drop(clients);
    eventually("room again", || server.client().try_cmd(&["GET", "none"]).is_ok_and(|r| r.is_null()));
    let error = crate::programs::serve_by("ulimit -n 30; exec \"$@\"", &["--shards", "2"]).err().unwrap();
    assert!(error.to_string().contains("is not enough for the server to start"), "{error}");
}

#[test]
fn more_clients_than_descriptors_are_refused() {
    let server = crate::programs::serve_by("ulimit -n 256; exec \"$@\"", &["--shards", "2"]).unwrap();
    let mut client = server.client();
    let before = client.run("CONFIG GET maxclients");
    assert_eq!(before, Value::bulks(&["maxclients", "220"]));
    assert_eq!(
        client.run("CONFIG SET maxclients 100000 timeout 7").to_string(),
        "(error) ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to \
         handle the specified number of clients, try with 220"
    );
    assert_eq!(client.run("CONFIG GET maxclients"), before);
    assert_eq!(client.run("CONFIG GET timeout"), Value::bulks(&["timeout", "0"]));
    assert!(client.run("CONFIG SET maxclients 10").is_ok());
    assert!(client.run("CONFIG SET maxclients 220").is_ok());
}

#[test]
fn port_and_bind_change_while_the_server_runs() {
    let free_port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for back_end in ["epoll", "auto"] {
        let server = serve(&["--shards", "2", "--io-backend", back_end, "--bind", "127.0.0.1"]);
        let mut client = server.client();
        let connect = |host: &str, port: u16| Client::connect((host, port));
        let first = server.port();
        let next = free_port();
        assert!(client.cmd(&["CONFIG", "SET", "port", &next.to_string()]).is_ok());
        assert!(connect("127.0.0.1", next).unwrap().run("PING").to_string().contains("PONG"));
        assert!(connect("127.0.0.1", first).is_err(), "the old port is closed");
        assert!(client.run("PING").to_string().contains("PONG"), "connections stay");

        // The same address again and one more that overlaps with it.
        assert!(connect("127.0.0.2", next).is_err());
        assert!(client.cmd(&["CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"]).is_ok());
        assert!(connect("127.0.0.1", next).is_ok() && connect("127.0.0.2", next).is_ok());
        assert!(client.cmd(&["CONFIG", "SET", "bind", "*"]).is_ok());
        assert!(connect("127.0.0.3", next).unwrap().run("PING").to_string().contains("PONG"));
        assert!(client.cmd(&["CONFIG", "SET", "bind", "127.0.0.1"]).is_ok());
        assert!(connect("127.0.0.1", next).is_ok() && connect("127.0.0.3", next).is_err());

        // What is taken or is not there leaves all as it was; nobody can share the address.
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port().to_string();
        let reply = client.cmd(&["CONFIG", "SET", "port", &taken]).to_string();
        let expected = "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.";
        assert!(reply.contains(expected), "{reply}");
        let reply = client.cmd(&["CONFIG", "SET", "bind", "203.0.113.7"]).to_string();
        assert!(reply.contains("argument 'bind') - Failed to bind to specified addresses."), "{reply}");
        assert_eq!(client.run("CONFIG GET port"), Value::bulks(&["port", &next.to_string()]));
        assert_eq!(client.run("CONFIG GET bind"), Value::bulks(&["bind", "127.0.0.1"]));
        assert!(connect("127.0.0.1", next).unwrap().run("PING").to_string().contains("PONG"));
        assert!(TcpListener::bind(("127.0.0.1", next)).is_err());

        assert!(client.run("CONFIG SET port 0").is_ok());
        assert!(connect("127.0.0.1", next).is_err());
        // Clients of a running server are not kept waiting for an address to become free.
        let refused = || {
            let begun = Instant::now();
            assert!(client.cmd(&["CONFIG", "SET", "port", &taken]).to_string().contains(expected));
            begun.elapsed()
        };
        assert!(is_once_below(Duration::from_millis(200), refused));
        assert!(client.cmd(&["CONFIG", "SET", "port", &next.to_string()]).is_ok());
        assert!(connect("127.0.0.1", next).is_ok());
    }
}
