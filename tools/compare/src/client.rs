//! A small RESP2 client over loopback: enough to ask INFO, probe a command and load data fast.
//!
//! It does not stream, subscribe or speak RESP3.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For commands that may take long, such as loading under valgrind or deleting a large key.
const PATIENT: Duration = Duration::from_secs(120);
const REPLY_BYTES_MAX: usize = 64 << 20;
const REPLY_DEPTH_MAX: u32 = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
}

pub struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Client {
    pub fn connect(port: u16) -> io::Result<Client> {
        Client::connect_for(port, PATIENT)
    }

    /// A connection on which no read or write waits longer than `longest`.
    pub fn connect_for(port: u16, longest: Duration) -> io::Result<Client> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let output = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        output.set_nodelay(true)?;
        output.set_read_timeout(Some(longest))?;
        output.set_write_timeout(Some(longest))?;
        Ok(Client { input: BufReader::with_capacity(256 << 10, output.try_clone()?), output })
    }

    /// Sends one command and waits for its reply.
    pub fn call(&mut self, words: &[&str]) -> io::Result<Reply> {
        self.send(words)?;
        self.receive()
    }

    /// Sends one command; its reply is to be received.
    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut request = Vec::new();
        write_command(&mut request, words.iter().map(|word| word.as_bytes()));
        self.output.write_all(&request)
    }

    pub fn receive(&mut self) -> io::Result<Reply> {
        read_reply(&mut self.input, 0)
    }

    /// Sends requests that are already encoded and waits for all their replies.
    ///
    /// The caller keeps `requests` small enough that their replies fit the socket's buffers.
    pub fn pipeline(&mut self, requests: &[u8], replies: usize) -> io::Result<()> {
        self.output.write_all(requests)?;
        for _ in 0..replies {
            if let Reply::Error(text) = read_reply(&mut self.input, 0)? {
                return Err(io::Error::other(format!("the server answered: {text}")));
            }
        }
        Ok(())
    }

    /// INFO, one section, as text; empty if the server does not know it.
    pub fn info(&mut self, section: &str) -> io::Result<String> {
        match self.call(&["INFO", section])? {
            Reply::Bulk(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Ok(String::new()),
        }
    }
}

/// The value of `field:` in an INFO text.
pub fn info_field<'t>(info: &'t str, field: &str) -> Option<&'t str> {
    info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(str::trim)
}

/// Appends one command in RESP2.
pub fn write_command<'w>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn read_reply(input: &mut impl BufRead, depth: u32) -> io::Result<Reply> {
    let mut line = Vec::with_capacity(32);
    input.take(64 << 10).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| invalid("a reply line that does not end"))?;
    let text = std::str::from_utf8(line).map_err(|_| invalid("a reply line that is not text"))?;
    let kind = text.chars().next().ok_or_else(|| invalid("an empty reply"))?;
    let rest = &text[kind.len_utf8()..];
    match kind {
        '+' => Ok(Reply::Status(rest.to_owned())),
        '-' => Ok(Reply::Error(rest.to_owned())),
        ':' => rest.parse().map(Reply::Integer).map_err(|_| invalid("not an integer")),
        '$' | '*' => {
            let Ok(length) = rest.parse::<i64>() else { return Err(invalid("not a length")) };
            let Ok(length) = usize::try_from(length) else { return Ok(Reply::Null) };
            if length > REPLY_BYTES_MAX || depth > REPLY_DEPTH_MAX {
                return Err(invalid("a reply too large or too deep"));
            }
            if kind == '*' {
                return (0..length)
                    .map(|_| read_reply(input, depth + 1))
                    .collect::<Result<_, _>>()
                    .map(Reply::Array);
            }
            let mut bytes = vec![0; length + 2];
            input.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Reply::Bulk(bytes))
        }
        _ => Err(invalid("a reply of no known kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_every_kind() {
        let mut input: &[u8] = b"+OK\r\n-ERR no\r\n:-3\r\n$2\r\nab\r\n$-1\r\n*2\r\n:1\r\n$0\r\n\r\n";
        let mut next = || read_reply(&mut input, 0).unwrap();
        assert_eq!(next(), Reply::Status("OK".into()));
        assert_eq!(next(), Reply::Error("ERR no".into()));
        assert_eq!(next(), Reply::Integer(-3));
        assert_eq!(next(), Reply::Bulk(b"ab".to_vec()));
        assert_eq!(next(), Reply::Null);
        assert_eq!(next(), Reply::Array(vec![Reply::Integer(1), Reply::Bulk(Vec::new())]));
    }

    #[test]
    fn damaged_replies_are_errors() {
        for damaged in [&b""[..], b"+OK", b"\r\n", b"$x\r\n", b"$5\r\nab", b"!3\r\n", b"*99999999999\r\n"] {
            assert!(read_reply(&mut &damaged[..], 0).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn commands_and_info() {
        let mut out = Vec::new();
        write_command(&mut out, [&b"GET"[..], b"k"].into_iter());
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        assert_eq!(info_field("# Server\r\nredis_version:7.0.15\r\n", "redis_version"), Some("7.0.15"));
        assert_eq!(info_field("redis_version_x:7\r\n", "redis_version"), None);
    }
}
