//! A blocking client for tests: one connection over TCP or a UNIX socket, with a time limit on every wait.
//!
//! [`Client::cmd`] and its kin panic when the connection fails, since that fails the test anyway; the `try_` forms
//! give the error. Out-of-band pushes that arrive before a reply are kept aside in [`Client::pushes`].

use crate::{Value, decode, words};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a client waits for bytes unless told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(60);

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One connection to a server.
pub struct Client {
    stream: Stream,
    /// Bytes received and not yet read as a value.
    received: Vec<u8>,
    timeout: Duration,
    /// Pushes that came while a reply was awaited, oldest first.
    pub pushes: VecDeque<Value>,
}

impl Client {
    /// Connects over TCP, with Nagle's delay off.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Client::new(Stream::Tcp(stream))
    }

    /// Connects to a UNIX socket.
    pub fn connect_unix(path: impl AsRef<Path>) -> io::Result<Client> {
        Client::new(Stream::Unix(UnixStream::connect(path)?))
    }

    fn new(stream: Stream) -> io::Result<Client> {
        let client = Client { stream, received: Vec::new(), timeout: TIMEOUT, pushes: VecDeque::new() };
        match &client.stream {
            Stream::Tcp(stream) => stream.set_write_timeout(Some(TIMEOUT))?,
            Stream::Unix(stream) => stream.set_write_timeout(Some(TIMEOUT))?,
        }
        Ok(client)
    }

    /// How long every later wait may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Switches the connection to RESP3 and gives the server's greeting.
    pub fn hello3(&mut self) -> Value {
        self.cmd(&["HELLO", "3"])
    }

    /// Sends a command and waits for its reply.
    pub fn cmd<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> Value {
        self.try_cmd(arguments).unwrap_or_else(|error| panic!("{}: {error}", shown(arguments)))
    }

    /// Sends a command written as one line, split as redis-cli would, and waits for its reply.
    pub fn run(&mut self, line: &str) -> Value {
        let words = words::split(line).unwrap_or_else(|error| panic!("{error}"));
        self.cmd(&words)
    }

    /// Sends a command and waits for its reply.
    pub fn try_cmd<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<Value> {
        self.send(arguments)?;
        self.reply()
    }

    /// Sends several commands in one write, then waits for all the replies.
    pub fn pipeline<C: AsRef<[T]>, T: AsRef<[u8]>>(&mut self, commands: &[C]) -> Vec<Value> {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command.as_ref())).collect();
        let run = |client: &mut Client| {
            client.send_raw(&bytes)?;
            commands.iter().map(|_| client.reply()).collect::<io::Result<Vec<Value>>>()
        };
        run(self).unwrap_or_else(|error| panic!("a pipeline of {} commands: {error}", commands.len()))
    }

    /// Sends a command and does not wait.
    pub fn send<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<()> {
        self.send_raw(&encode(arguments))
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// The next value that is not a push; pushes before it go to [`Client::pushes`].
    pub fn reply(&mut self) -> io::Result<Value> {
        loop {
            match self.receive()? {
                push @ Value::Push(_) => self.pushes.push_back(push),
                value => return Ok(value),
            }
        }
    }

    /// The next value on the wire, pushes included.
    pub fn receive(&mut self) -> io::Result<Value> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match decode(&self.received) {
                Ok(Some((value, used))) => {
                    self.received.drain(..used);
                    return Ok(value);
                }
                Ok(None) => self.fill(deadline)?,
                Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
            }
        }
    }

    /// Exactly `count` bytes as they come.
    pub fn receive_raw(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        while self.received.len() < count {
            self.fill(deadline)?;
        }
        Ok(self.received.drain(..count).collect())
    }

    /// Everything that comes within `wait`, until the server closes the connection.
    pub fn receive_within(&mut self, wait: Duration) -> Vec<u8> {
        let deadline = Instant::now() + wait;
        while self.fill(deadline).is_ok() {}
        std::mem::take(&mut self.received)
    }

    /// True when the server closes the connection within `wait`; bytes before that are kept.
    pub fn is_closed_within(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            match self.fill(deadline) {
                Ok(()) => {}
                Err(error) => return !matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock),
            }
        }
    }

    /// Bytes that came and were not asked for yet.
    pub fn unread(&self) -> &[u8] {
        &self.received
    }

    /// Waits for more bytes, at most until `deadline`.
    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "no reply in time"));
        }
        let mut chunk = [0; 64 << 10];
        let read = match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(&mut chunk)
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(&mut chunk)
            }
        };
        match read {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(io::Error::new(ErrorKind::TimedOut, "no reply in time"))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A command as an array of bulk strings, the form all clients send.
pub fn encode<T: AsRef<[u8]>>(arguments: &[T]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn shown<T: AsRef<[u8]>>(arguments: &[T]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| word.as_ref().escape_ascii().to_string()).collect();
    words.join(" ")
}
