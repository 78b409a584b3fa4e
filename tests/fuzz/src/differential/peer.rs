//! What requests are played to: a server over TCP, or shards in this process.

use super::events::Events;
use super::{Reply, Request};
use crate::engine::Engine;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use testkit::client::encode;

/// No reply takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Requests written before their replies are read: few enough that neither side waits for the other.
const PIPELINE: usize = 32;

/// Something that answers requests on one connection.
pub trait Peer {
    /// The replies to some requests; fewer when the connection ended.
    fn answers(&mut self, requests: &[Request]) -> Vec<Reply>;

    /// The events of keys since this was asked last, if there is somebody who listens.
    fn events(&mut self) -> Option<Events> {
        None
    }
}

/// A connection to a server.
pub struct Remote {
    stream: TcpStream,
    received: Vec<u8>,
    /// Listens to events of keys; and one that waits until all have been published.
    listener: Option<Box<[Remote; 2]>>,
}

impl Remote {
    /// Connects to a port of this machine.
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, received: Vec::new(), listener: None })
    }

    /// The same, with another connection that listens to events of keys.
    ///
    /// # Errors
    /// As [`Remote::connect`].
    pub fn connect_with_listener(port: u16) -> io::Result<Self> {
        let (mut remote, mut listener) = (Self::connect(port)?, Self::connect(port)?);
        listener.stream.write_all(b"PSUBSCRIBE __key*\r\n")?;
        listener.reply()?;
        remote.listener = Some(Box::new([listener, Self::connect(port)?]));
        Ok(remote)
    }

    /// Waits for keys that are still on their way home from an operation of several shards, which has been answered: of what was changed among them
    /// their own shards tell.
    fn wait_for_all(&mut self) -> io::Result<()> {
        self.stream.write_all(b"DBSIZE\r\n")?;
        self.reply().map(|_| ())
    }

    /// All messages until now.
    fn messages(&mut self) -> io::Result<Events> {
        self.stream.write_all(b"PING\r\n")?;
        let mut events = Events::default();
        loop {
            let message = self.reply()?;
            if message.items.first().is_some_and(|first| first.text == b"pong") {
                return Ok(events);
            }
            events.add(&message);
        }
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut chunk = [0; 64 << 10];
        loop {
            match Reply::parse(&self.received).map_err(io::Error::other)? {
                Some((reply, used)) => {
                    self.received.drain(..used);
                    return Ok(reply);
                }
                None => match self.stream.read(&mut chunk) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                    // The player has been stopped and goes on.
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }
}

impl Peer for Remote {
    fn answers(&mut self, requests: &[Request]) -> Vec<Reply> {
        let mut replies = Vec::new();
        // A setting counts for what follows, and not at the same moment on all shards.
        let is_setting = |request: &Request| request[0].eq_ignore_ascii_case(b"CONFIG");
        let runs = requests.chunk_by(|one, next| !is_setting(one) && !is_setting(next));
        for some in runs.flat_map(|run| run.chunks(PIPELINE)) {
            let bytes: Vec<u8> = some.iter().flat_map(|request| encode(request)).collect();
            if self.stream.write_all(&bytes).is_err() {
                return replies;
            }
            for _ in some {
                match self.reply() {
                    Ok(reply) => replies.push(reply),
                    Err(_) => return replies,
                }
            }
        }
        replies
    }

    fn events(&mut self) -> Option<Events> {
        let [listener, other] = &mut **self.listener.as_mut()?;
        other.wait_for_all().and_then(|()| listener.messages()).ok()
    }
}

impl Peer for Engine {
    fn answers(&mut self, requests: &[Request]) -> Vec<Reply> {
        let one = |request: &Request| {
            self.run([(0, request.as_slice())].into_iter()).expect("every request comes to an end");
            let bytes = self.received(0).bytes;
            Reply::parse(&bytes).expect("a well-formed reply").expect("a whole reply").0
        };
        requests.iter().map(one).collect()
    }
}
