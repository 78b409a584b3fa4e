//! Several shards in one thread for unit tests: their mailboxes are one queue, and everything is published at once.

use crate::message::Batch;
use crate::{Message, Shard, Transport};
use base::hash::HashSeed;
use base::random::Random;
use command::ShardCx;
use command::session::Session;
use config::Config;
use journal::chunk::Chunk;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Default)]
pub struct Queue {
    messages: VecDeque<(usize, Message)>,
    /// Who hands over, and how often each shard has published.
    from: usize,
    published: Vec<u64>,
}

impl Queue {
    /// Everything that is on its way.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().map(|(_, message)| message)
    }

    /// Batches of commands on their way.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> + Clone {
        let latest = self.messages.iter().filter_map(|(_, message)| match message {
            Message::Commands(batch) => Some(&**batch),
            _ => None,
        });
        latest.flat_map(|batch| std::iter::successors(Some(batch), |batch| batch.earlier.as_deref()))
    }
}

impl Transport for Queue {
    fn next_turn(&self) -> u64 {
        self.published[self.from] + 1
    }

    fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, _exclusive: bool) {
        self.messages.extend(messages);
        self.published[self.from] += 1;
    }

    fn post(&mut self, to: usize, mut message: Message) {
        message.see(|| self.published[to]);
        self.messages.push_back((to, message));
    }
}

pub struct Trial {
    pub shards: Vec<Shard>,
    pub mail: Queue,
    /// What has been handed over to be written.
    pub journal: journal::queue::Queue,
}

impl Trial {
    pub fn new(shards: u16) -> Self {
        let graphs = Arc::default();
        let shard = |id| {
            let (config, seed) = (Arc::new(Config::default()), HashSeed::new(1, 2));
            let mut cx = ShardCx::new(id, shards, config, seed, 3);
            cx.indexes.share_graphs(Arc::clone(&graphs));
            Shard::new(cx)
        };
        let mail = Queue { published: vec![0; shards.into()], ..Queue::default() };
        let journal = journal::queue::Queue::new(shards);
        Self { shards: (0..shards).map(shard).collect(), mail, journal }
    }

    /// A connection of shard 0; its index there.
    pub fn connect(&mut self) -> usize {
        self.connect_to(0, 0)
    }

    /// A connection of any shard, with its CLIENT ID.
    pub fn connect_to(&mut self, shard: usize, id: u64) -> usize {
        self.shards[shard].open(Session { authenticated: true, id, ..Session::default() })
    }

    /// The client's next bytes come to shard 0 and what can run there runs.
    pub fn send(&mut self, conn: usize, bytes: &[u8]) {
        self.send_to(0, conn, bytes);
    }

    /// The same on any shard.
    pub fn send_to(&mut self, shard: usize, conn: usize, bytes: &[u8]) {
        self.shards[shard].receive(bytes, &[(conn as u32, 0..bytes.len())]);
        self.go_on_at(shard);
    }

    /// The connection is gone.
    pub fn close(&mut self, shard: usize, conn: usize) {
        self.shards[shard].close(conn);
        self.publish(shard);
    }

    /// It is now so late on all shards, monotonic µs.
    pub fn set_time(&mut self, now_us: u64) {
        for shard in 0..self.shards.len() {
            self.shards[shard].set_time(now_us / 1000, now_us);
            self.shards[shard].end_pause();
            self.shards[shard].end_waits();
            self.publish(shard);
        }
    }

    fn go_on_at(&mut self, shard: usize) {
        self.shards[shard].resume();
        self.publish(shard);
    }

    /// What a shard has for others is in the mail.
    pub fn publish(&mut self, shard: usize) {
        self.mail.from = shard;
        if self.shards[shard].has_added() {
            let added = self.shards[shard].take_added(Chunk::default());
            self.journal.hand_over(added);
        }
        self.shards[shard].send_news();
        self.shards[shard].outgoing.hand_over(&mut self.mail);
    }

    /// One message is delivered, if there is one.
    pub fn deliver(&mut self) -> bool {
        let Some((to, message)) = self.mail.messages.pop_front() else { return false };
        self.shards[to].on_message(message);
        self.shards[to].resume();
        self.publish(to);
        true
    }

    /// The next message, and for whom it is; it is not delivered.
    pub fn take_mail(&mut self) -> Option<(usize, Message)> {
        self.mail.messages.pop_front()
    }

    /// All messages are delivered; what waits for something else still does.
    pub fn deliver_all(&mut self) {
        while self.deliver() {}
    }

    /// A message for one of the shards is delivered; each gets its own in their order.
    pub fn deliver_any(&mut self, random: &mut Random) -> bool {
        self.deliver_to(random.index(self.shards.len()))
    }

    /// The next message for a shard is delivered, if there is one.
    pub fn deliver_to(&mut self, to: usize) -> bool {
        let at = self.mail.messages.iter().position(|(receiver, _)| *receiver == to);
        let Some((_, message)) = at.and_then(|at| self.mail.messages.remove(at)) else { return false };
        self.shards[to].on_message(message);
        self.go_on_at(to);
        true
    }

    /// Runs until nothing is under way.
    pub fn settle(&mut self) {
        while self.deliver() || self.go_on() {}
        let left: Vec<_> = self.shards.iter().flat_map(Shard::unsettled).collect();
        assert_eq!(left, Vec::<String>::new());
    }

    /// A shard that has something to go on with does so, if there is one.
    pub fn go_on(&mut self) -> bool {
        let waits = self.shards.iter().position(Shard::has_ready_input);
        waits.into_iter().for_each(|shard| self.go_on_at(shard));
        waits.is_some()
    }

    /// Sends requests, and returns all replies.
    pub fn ask(&mut self, conn: usize, bytes: &[u8]) -> Vec<u8> {
        self.send(conn, bytes);
        self.settle();
        self.take_replies(conn)
    }

    /// Replies in order, with the bytes of shared values.
    pub fn take_replies(&mut self, conn: usize) -> Vec<u8> {
        self.take_replies_of(0, conn)
    }

    /// The same on any shard.
    pub fn take_replies_of(&mut self, shard: usize, conn: usize) -> Vec<u8> {
        let out = std::mem::take(&mut self.shards[shard].conn_mut(conn).out);
        let (mut bytes, mut from) = (Vec::new(), 0);
        for (position, blob) in &out.blobs {
            bytes.extend_from_slice(&out.buf[from..*position]);
            bytes.extend_from_slice(blob);
            from = *position;
        }
        bytes.extend_from_slice(&out.buf[from..]);
        bytes
    }

    /// The first name with this beginning whose key is on a shard.
    pub fn key_on(&self, shard: u16, name: &str) -> String {
        let mut names = (0..).map(|number| format!("{name}{number}"));
        names.find(|name| self.shards[0].cx.slots.shard_of(name.as_bytes()) == shard).expect("there is one")
    }
}

/// A request as clients send it.
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    bytes.into_bytes()
}
