//! Publish and subscribe, on one shard: who listens to what, and what has been published and not yet been delivered.
//!
//! The tables know the connections of this shard, and of the other shards how many listen to what; so whoever publishes knows at once how
//! many will get the message, and which shards have them. The `shard` crate tells the shards of each other, and delivers.

pub mod publications;
pub mod topics;

pub use publications::{Payload, Publication, Publications};
pub use topics::{Interest, Name, Topics};

use resp::Reply;
use resp::reply::Blob;

/// Bytes of messages that may wait for the end of the turn.
const OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// And of the outputs that become of them.
const OUTBOX_OUTPUT_BYTES_MAX: u64 = 4 << 20;

/// The three kinds of names that a client subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Channel,
    Pattern,
    ShardChannel,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::ShardChannel];
}

/// Connections that get a message, with the pattern by which they do.
pub type Receivers = Vec<(Option<Name>, Vec<u32>)>;

#[derive(Default)]
pub struct PubSub {
    /// By [`Kind`].
    topics: [Topics; 3],
    /// Published here and neither delivered nor sent to other shards.
    pub outbox: Publications,
    /// Who gets the first of them, if subscriptions have changed since they were published.
    settled: Vec<Receivers>,
    /// Room for the name of a channel.
    name: Vec<u8>,
}

impl PubSub {
    pub fn of(&self, kind: Kind) -> &Topics {
        &self.topics[kind as usize]
    }

    pub fn of_mut(&mut self, kind: Kind) -> &mut Topics {
        &mut self.topics[kind as usize]
    }

    /// The memory that subscriptions take.
    pub fn bytes(&self) -> usize {
        self.topics.iter().map(Topics::bytes).sum()
    }

    /// How many names of each kind a connection is subscribed to.
    pub fn counts_of(&self, conn: usize) -> [usize; 3] {
        Kind::ALL.map(|kind| self.of(kind).count_of(conn as u32))
    }

    /// Ends all subscriptions of a connection.
    pub fn leave(&mut self, conn: usize) {
        self.topics.iter_mut().for_each(|topics| topics.leave(conn as u32));
    }

    /// Whether so much has been published and not been delivered that it should not wait for the end of the turn.
    #[inline]
    pub fn has_much(&self) -> bool {
        self.outbox.len_bytes() > OUTBOX_BYTES_MAX || self.outbox.output_bytes > OUTBOX_OUTPUT_BYTES_MAX
    }

    /// Whether messages on this channel have only receivers by its name.
    pub fn has_no_patterns_for(&self, publication: Publication<'_>) -> bool {
        let patterns = self.of(Kind::Pattern);
        let matches = |pattern: &Name| base::glob::matches(pattern, publication.channel);
        publication.is_sharded
            || patterns.is_empty()
            || !patterns.iter().any(|(pattern, ..)| matches(pattern))
    }

    /// Publishes a message; how many connections of all shards get it.
    pub fn publish(&mut self, publication: Publication<'_>) -> usize {
        let count = self.receivers(publication.is_sharded, publication.channel);
        if count > 0 {
            self.outbox.push(publication);
            self.outbox.output_bytes += (publication.sizes().0 * count) as u64;
        }
        count
    }

    /// Whether anybody may listen to events of keys.
    pub fn may_hear_events(&self) -> bool {
        !self.of(Kind::Pattern).is_empty() || self.of(Kind::Channel).has_reserved()
    }

    /// Publishes an event on a channel, whose name comes in parts.
    pub fn publish_event(&mut self, channel: &[&[u8]], message: &[u8]) {
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        channel.iter().for_each(|part| name.extend_from_slice(part));
        if self.receivers(false, &name) > 0 {
            let payload = Payload::Plain(message);
            self.outbox.push(Publication { is_sharded: false, channel: &name, payload });
        }
        self.name = name;
    }

    /// How many times a message on this channel will be delivered.
    fn receivers(&self, is_sharded: bool, channel: &[u8]) -> usize {
        if is_sharded {
            return self.of(Kind::ShardChannel).count(channel);
        }
        let mut count = self.of(Kind::Channel).count(channel);
        for (pattern, here, elsewhere) in self.of(Kind::Pattern).iter() {
            if base::glob::matches(pattern, channel) {
                count += here.len() + elsewhere.iter().map(|(_, count)| *count as usize).sum::<usize>();
            }
        }
        count
    }

    /// Calls `found` for the other shards where somebody gets a message on this channel, with how many do; perhaps more than once.
    pub fn for_each_shard(&self, is_sharded: bool, channel: &[u8], mut found: impl FnMut(u16, u32)) {
        let kind = if is_sharded { Kind::ShardChannel } else { Kind::Channel };
        self.of(kind).reach(channel).1.iter().for_each(|(shard, count)| found(*shard, *count));
        if is_sharded {
            return;
        }
        for (pattern, _, elsewhere) in self.of(Kind::Pattern).iter() {
            if !elsewhere.is_empty() && base::glob::matches(pattern, channel) {
                elsewhere.iter().for_each(|(shard, count)| found(*shard, *count));
            }
        }
    }

    /// Calls `found` for the connections of this shard that get a message, with the pattern by which they do.
    pub fn for_each_here(&self, publication: Publication<'_>, mut found: impl FnMut(Option<&Name>, &[u32])) {
        let here = self.here(publication);
        if !here.is_empty() {
            found(None, here);
        }
        if publication.is_sharded {
            return;
        }
        for (pattern, here, _) in self.of(Kind::Pattern).iter() {
            if !here.is_empty() && base::glob::matches(pattern, publication.channel) {
                found(Some(pattern), here);
            }
        }
    }

    /// The connections of this shard that get a message by the name of its channel.
    pub fn here(&self, publication: Publication<'_>) -> &[u32] {
        let kind = if publication.is_sharded { Kind::ShardChannel } else { Kind::Channel };
        self.of(kind).here(publication.channel)
    }

    /// To be called before subscriptions change: what has been published and not delivered (by a transaction that then
    /// subscribes) is for those who listen now.
    pub fn settle(&mut self) {
        for index in self.settled.len()..self.outbox.len() {
            let mut receivers = Receivers::new();
            self.for_each_here(self.outbox.get(index), |pattern, conns| {
                receivers.push((pattern.cloned(), conns.to_vec()));
            });
            self.settled.push(receivers);
        }
    }

    /// Moves what has been published since there were `len` messages to the end of `others`.
    pub fn take_since(&mut self, len: usize, others: &mut Publications) {
        if self.outbox.len() > len {
            others.append(&self.outbox, len);
            self.take_back(len);
        }
    }

    /// What has been published since there were `len` messages was not.
    pub fn take_back(&mut self, len: usize) {
        self.outbox.truncate(len);
        self.settled.truncate(len);
    }

    /// Who gets the first messages of the outbox, as far as that is settled.
    pub fn take_settled(&mut self) -> Vec<Receivers> {
        std::mem::take(&mut self.settled)
    }
}

/// Messages as they are sent to whoever gets all of them: but for the first byte of each the same in RESP2 and RESP3.
#[derive(Default)]
pub struct Frame {
    resp2: Vec<u8>,
    resp3: Vec<u8>,
    /// The last message, if it is sent from where it lies.
    shared: Option<Blob>,
}

impl Frame {
    /// Makes it a message; with the pattern by which it was subscribed to.
    pub fn set(&mut self, publication: Publication<'_>, pattern: Option<&[u8]>) {
        self.resp2.clear();
        self.resp3.clear();
        self.shared = None;
        self.add(publication, pattern);
    }

    /// Whether a message can follow.
    pub fn takes_more(&self) -> bool {
        self.shared.is_none() && self.resp2.len() < FRAME_BYTES_MAX
    }

    /// Adds a message.
    pub fn add(&mut self, publication: Publication<'_>, pattern: Option<&[u8]>) {
        let start = self.resp2.len();
        let mut out = Reply { buf: std::mem::take(&mut self.resp2), ..Reply::default() };
        match pattern {
            Some(pattern) => {
                out.raw(b"*4\r\n$8\r\npmessage\r\n");
                out.bulk(pattern);
            }
            None if publication.is_sharded => out.raw(b"*3\r\n$8\r\nsmessage\r\n"),
            None => out.raw(b"*3\r\n$7\r\nmessage\r\n"),
        }
        out.bulk(publication.channel);
        match publication.payload {
            Payload::Plain(bytes) => out.bulk(bytes),
            Payload::Shared(blob) => self.shared = Some(Blob::clone(blob)),
        }
        self.resp2 = out.buf;
        self.resp3.extend_from_slice(&self.resp2[start..]);
        self.resp3[start] = b'>';
    }

    /// Writes it for one who gets it.
    #[inline]
    pub fn write(&self, resp3: bool, out: &mut Reply) {
        out.raw(if resp3 { &self.resp3 } else { &self.resp2 });
        if let Some(blob) = &self.shared {
            out.bulk_shared(Blob::clone(blob));
        }
    }
}

/// Messages of so many bytes are written together: little enough to stay in the first cache while they are.
const FRAME_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn publication<'a>(channel: &'a [u8], payload: &'a [u8]) -> Publication<'a> {
        Publication { is_sharded: false, channel, payload: Payload::Plain(payload) }
    }

    #[test]
    fn patterns_and_channels_are_counted_each() {
        let mut pubsub = PubSub::default();
        assert_eq!(pubsub.publish(publication(b"news", b"x")), 0);
        assert!(pubsub.outbox.is_empty());
        pubsub.of_mut(Kind::Channel).subscribe(1, b"news");
        pubsub.of_mut(Kind::Pattern).subscribe(1, b"n*");
        pubsub.of_mut(Kind::Pattern).subscribe(2, b"n*");
        pubsub.of_mut(Kind::Pattern).hear(3, &(Name::from(&b"?ews"[..]), 5));
        pubsub.of_mut(Kind::ShardChannel).subscribe(1, b"news");
        assert_eq!(pubsub.publish(publication(b"news", b"x")), 8);
        assert_eq!(pubsub.counts_of(1), [1, 1, 1]);
        let mut shards = Vec::new();
        pubsub.for_each_shard(false, b"news", |shard, count| shards.push((shard, count)));
        assert_eq!(shards, [(3, 5)]);
        pubsub.leave(1);
        assert_eq!(pubsub.receivers(false, b"news"), 6);
        assert_eq!(pubsub.receivers(true, b"news"), 0);
    }

    #[test]
    fn frames_are_what_each_protocol_expects() {
        let (mut frame, mut out) = (Frame::default(), Reply::default());
        frame.set(publication(b"c", b"hello"), None);
        frame.write(false, &mut out);
        frame.set(publication(b"c", b"hello"), Some(b"?"));
        frame.write(true, &mut out);
        let expected = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n\
                        >4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nc\r\n$5\r\nhello\r\n";
        assert_eq!(String::from_utf8_lossy(&out.buf), expected);
    }
}
