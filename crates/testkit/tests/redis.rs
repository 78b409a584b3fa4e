//! The kit against the redis-server in PATH. Where there is none these tests have nothing to try and pass.

use std::time::Duration;
use testkit::{Client, Program, Server, Value};

const NO_ARGUMENTS: [&str; 0] = [];

fn redis(arguments: &[&str]) -> Option<Server> {
    Program::redis().find().map(|_| Server::redis(arguments))
}

#[test]
fn commands_pipelines_and_protocols() {
    let Some(server) = redis(&NO_ARGUMENTS) else { return };
    let mut client = server.client();
    assert!(client.cmd(&["SET", "k", "v"]).is_ok());
    assert_eq!(client.run(r#"GET k"#), Value::bulk("v"));
    assert_eq!(client.run("LPOP none 1"), Value::NullArray);
    let replies = client.pipeline(&[["INCR", "n"], ["INCR", "n"], ["GET", "n"]]);
    assert_eq!(replies, [Value::Integer(1), Value::Integer(2), Value::bulk("2")]);
    assert_eq!(client.hello3().field("proto").and_then(Value::integer), Some(3));
    client.run("HSET h f v");
    assert_eq!(client.run("HGETALL h"), Value::Map(vec![(Value::bulk("f"), Value::bulk("v"))]));
    assert!(server.resident_bytes() > 1 << 20);
    assert!(server.cpu_time() < Duration::from_secs(60));
}

#[test]
fn raw_bytes_silence_and_closing() {
    let Some(server) = redis(&NO_ARGUMENTS) else { return };
    let mut client = server.client();
    client.send_raw(b"*1\r\n$4\r\nPI").unwrap();
    assert_eq!(client.receive_within(Duration::from_millis(20)), b"");
    assert!(!client.is_closed_within(Duration::from_millis(20)));
    client.send_raw(b"NG\r\n").unwrap();
    assert_eq!(client.receive_raw(7).unwrap(), b"+PONG\r\n");
    client.send_raw(b"*1\r\n!\r\n").unwrap();
    assert!(client.is_closed_within(Duration::from_secs(2)));
    assert!(client.unread().starts_with(b"-ERR Protocol error"));
}

#[test]
fn pushes_wait_aside() {
    let Some(server) = redis(&NO_ARGUMENTS) else { return };
    let (mut listener, mut speaker) = (server.client(), server.client());
    listener.hello3();
    listener.send(&["SUBSCRIBE", "news"]).unwrap();
    assert!(matches!(listener.receive().unwrap(), Value::Push(_)));
    assert_eq!(speaker.run("PUBLISH news hello"), Value::Integer(1));
    assert_eq!(listener.run("ECHO x"), Value::bulk("x"));
    assert_eq!(listener.pushes.pop_front().unwrap().to_string(), "1> \"message\"\n2> \"news\"\n3> \"hello\"");
}

#[test]
fn a_unix_socket_serves_too() {
    let directory = std::env::temp_dir().join(format!("weft-unix-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let socket = directory.join("s");
    let Some(_server) = redis(&["--unixsocket", socket.to_str().unwrap()]) else { return };
    assert_eq!(Client::connect_unix(&socket).unwrap().run("PING"), Value::simple("PONG"));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_server_can_be_stopped_and_started_again() {
    let Some(mut server) = redis(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    server.client().run("SET k v");
    server.kill();
    assert!(!server.is_running());
    server.restart().unwrap();
    assert_eq!(server.client().run("GET k"), Value::bulk("v"));
    assert!(server.stop().unwrap().success());
    assert!(server.log().contains("Ready to accept connections"));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    if Program::redis().find().is_none() {
        return;
    }
    let error = Server::start(&Program::redis(), &["--no-such-option", "1"]).err().unwrap();
    assert!(error.to_string().contains("Bad directive"), "{error}");
    let absent = Server::start(&Program::Peer("/no/such/server".into()), &NO_ARGUMENTS).err().unwrap();
    assert_eq!(absent.kind(), std::io::ErrorKind::NotFound);
}
