//! Messages that have been published and are on their way to those who listen: first in their shard's outbox, then in one message to
//! each shard that has subscribers.

use resp::reply::Blob;
use std::ops::Range;
use std::sync::Arc;

/// Messages from so many bytes on are shared by all who get them; shorter ones are copied.
const SHARED_BYTES_MIN: usize = 16 * 1024;

/// What is published.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    Plain(&'a [u8]),
    Shared(&'a Blob),
}

/// A message in [`Publications`].
struct Item {
    is_sharded: bool,
    channel: Range<usize>,
    message: Result<Range<usize>, Blob>,
}

/// A message, and what it was published on.
#[derive(Clone, Copy)]
pub struct Publication<'a> {
    /// The channel is a shard channel.
    pub is_sharded: bool,
    pub channel: &'a [u8],
    pub payload: Payload<'a>,
}

impl Publication<'_> {
    pub fn is_on_channel_of(&self, other: &Publication<'_>) -> bool {
        self.is_sharded == other.is_sharded && self.channel == other.channel
    }

    /// Bytes that are copied for each who gets it, and bytes that all share.
    pub fn sizes(&self) -> (usize, usize) {
        match self.payload {
            Payload::Plain(bytes) => (self.channel.len() + bytes.len(), 0),
            Payload::Shared(blob) => (self.channel.len(), blob.len()),
        }
    }
}

/// Messages in the order in which they were published.
#[derive(Default)]
pub struct Publications {
    items: Vec<Item>,
    bytes: Vec<u8>,
    /// Bytes of output that they become, as far as whoever adds them says so.
    pub output_bytes: u64,
}

/// Room that is kept when messages have gone.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl Publications {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Adds a message.
    pub fn push(&mut self, publication: Publication<'_>) {
        let Publication { is_sharded, channel, payload } = publication;
        let channel = self.keep(channel);
        let message = match payload {
            Payload::Shared(blob) => Err(Arc::clone(blob)),
            Payload::Plain(bytes) if bytes.len() >= SHARED_BYTES_MIN => Err(Blob::new(bytes.to_vec())),
            Payload::Plain(bytes) => Ok(self.keep(bytes)),
        };
        self.items.push(Item { is_sharded, channel, message });
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Bytes that all take, those of long messages aside.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn get(&self, index: usize) -> Publication<'_> {
        let item = &self.items[index];
        let bytes = |range: &Range<usize>| &self.bytes[range.clone()];
        let payload = match &item.message {
            Ok(range) => Payload::Plain(bytes(range)),
            Err(blob) => Payload::Shared(blob),
        };
        Publication { is_sharded: item.is_sharded, channel: bytes(&item.channel), payload }
    }

    /// Adds the messages of others from this one on.
    pub fn append(&mut self, others: &Self, from: usize) {
        (from..others.len()).for_each(|index| self.push(others.get(index)));
    }

    /// Takes over all messages of others.
    pub fn take_all(&mut self, others: &mut Self) {
        if self.is_empty() {
            return std::mem::swap(self, others);
        }
        self.append(others, 0);
        self.output_bytes += others.output_bytes;
        others.clear();
    }

    /// Leaves the first `len` messages.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        self.output_bytes = 0;
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.items.shrink_to(KEPT_BYTES_MAX / size_of::<Item>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(publication: Publication<'_>) -> String {
        let payload = match publication.payload {
            Payload::Plain(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Payload::Shared(blob) => format!("shared {}", blob.len()),
        };
        format!("{} {} {payload}", publication.is_sharded, String::from_utf8_lossy(publication.channel))
    }

    #[test]
    fn messages_keep_their_order_and_what_is_taken_back_is_gone() {
        let (mut all, mut others) = (Publications::default(), Publications::default());
        let long = Blob::new(vec![b'x'; SHARED_BYTES_MIN]);
        let publication = |payload| Publication { is_sharded: true, channel: b"c", payload };
        all.push(publication(Payload::Plain(b"one")));
        all.push(publication(Payload::Plain(b"gone")));
        all.truncate(1);
        others.push(publication(Payload::Plain(b"two")));
        others.push(publication(Payload::Plain(&long)));
        others.push(publication(Payload::Shared(&long)));
        all.append(&others, 1);
        others.take_all(&mut all);
        let seen: Vec<_> = (0..others.len()).map(|index| text(others.get(index))).collect();
        let expected = ["two", "shared 16384", "shared 16384", "one", "shared 16384", "shared 16384"]
            .map(|text| format!("true c {text}"));
        assert_eq!(seen, expected);
        others.clear();
        assert!(others.is_empty() && all.is_empty());
    }
}
