//! Connections: bytes under way in both directions, which arrive late and in any pieces, and ends that go away.

use base::random::Random;
use std::collections::VecDeque;

/// A connection.
#[derive(Default)]
pub struct Link {
    /// The shard that serves it (nobody while it moves), and the number it has there once accepted.
    pub shard: Option<usize>,
    pub conn: Option<usize>,
    /// Sent by the client and not arrived; arrived and not read.
    up: VecDeque<u8>,
    readable: VecDeque<u8>,
    /// Sent by the shard and not arrived; arrived, for the client to read.
    down: VecDeque<u8>,
    pub arrived: Vec<u8>,
    /// Bytes that may be under way to the client before the network takes no more.
    room: usize,
    /// The client has closed it: nothing more will arrive.
    pub is_gone: bool,
    /// The shard has closed it.
    pub is_closed: bool,
}

impl Link {
    pub fn new(shard: usize, room: usize) -> Self {
        Self { shard: Some(shard), room, ..Self::default() }
    }

    /// The client sends.
    pub fn send(&mut self, bytes: &[u8]) {
        self.up.extend(bytes);
    }

    /// Some of what is under way arrives. `whole`: all of it.
    pub fn deliver(&mut self, whole: bool, random: &mut Random) {
        let count = if whole { self.up.len() } else { random.index(self.up.len() + 1) };
        self.readable.extend(self.up.drain(..count));
        let count = if whole { self.down.len() } else { random.index(self.down.len() + 1) };
        self.arrived.extend(self.down.drain(..count));
    }

    /// The client goes away; some of what it sent still arrives.
    pub fn abandon(&mut self, random: &mut Random) {
        let count = random.index(self.up.len() + 1);
        self.readable.extend(self.up.drain(..count));
        self.up.clear();
        self.down.clear();
        self.is_gone = true;
    }

    /// Whether there is something for the shard to see.
    pub fn is_readable(&self) -> bool {
        !self.is_closed && (self.conn.is_none() || !self.readable.is_empty() || self.is_gone)
    }

    /// The shard reads at most `max` bytes into `buf`; how many.
    pub fn read(&mut self, max: usize, buf: &mut Vec<u8>) -> usize {
        let count = max.min(self.readable.len());
        buf.extend(self.readable.drain(..count));
        count
    }

    pub fn unread(&self) -> usize {
        self.readable.len()
    }

    /// The shard sends; how many of the bytes the network takes, `None` when the client is gone.
    pub fn reply(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_gone {
            return None;
        }
        let count = bytes.len().min(self.room - self.down.len());
        self.down.extend(&bytes[..count]);
        Some(count)
    }

    /// Whether the network takes anything, if only the news that nobody is there.
    pub fn is_writable(&self) -> bool {
        self.is_gone || self.down.len() < self.room
    }

    /// The shard closes it: what was sent arrives, what was not read is lost.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.arrived.extend(self.down.drain(..));
        self.up.clear();
        self.readable.clear();
    }

    /// Whether any bytes are under way.
    pub fn is_quiet(&self) -> bool {
        self.is_closed
            || self.up.is_empty()
                && self.readable.is_empty()
                && self.down.is_empty()
                && self.arrived.is_empty()
                && !self.is_gone
    }
}
