//! Mail between shard threads: what travels, what a turn takes, what it hands over.

use super::ShardLoop;
use mailbox::Port;
use runtime::{Socket, Waker, clock};
use shard::message::Batch;
use shard::{Message, Moving, Transport};
use std::sync::OnceLock;

/// What travels between shard threads. It is moved several times on its way: two words, of which what comes most needs no more.
pub enum Mail {
    /// As the messages of these names.
    Commands(Box<Batch>),
    Replies(Box<Batch>),
    /// Any other message.
    Other(Box<Message>),
    /// A new connection to serve.
    Adopt {
        socket: Socket,
        is_unix: bool,
    },
    /// A connection that this shard serves most of.
    Move(Box<(Socket, Moving)>),
}

impl From<Message> for Mail {
    #[inline]
    fn from(message: Message) -> Self {
        match message {
            Message::Commands(batch) => Self::Commands(batch),
            Message::Replies(batch) => Self::Replies(batch),
            other => Self::Other(Box::new(other)),
        }
    }
}

/// Carries a turn's messages through the real mailboxes.
pub(super) struct Post<'a> {
    port: &'a mut Port<Mail>,
    /// Receivers that sleep, each once.
    sleepers: &'a mut Vec<usize>,
}

impl Transport for Post<'_> {
    fn next_turn(&self) -> u64 {
        self.port.next_turn()
    }

    fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, exclusive: bool) {
        let messages = messages.map(|(to, message)| (to, Mail::from(message)));
        #[cfg(feature = "planted")]
        if let Some(fault) = crate::planted::fault() {
            return fault.publish(self.port, messages, |to| self.sleepers.push(to));
        }
        self.port.publish(messages, exclusive, |to| self.sleepers.push(to));
    }

    fn post(&mut self, to: usize, mut message: Message) {
        message.see(|| self.port.published(to));
        if self.port.push(to, message.into()) && !self.sleepers.contains(&to) {
            self.sleepers.push(to);
        }
    }
}

/// Puts mail into the box of a shard, and wakes the shard if it sleeps.
pub(super) fn send_mail(port: &mut Port<Mail>, wakers: &[OnceLock<Waker>], to: usize, mail: Mail) {
    if port.send(to, mail) {
        wake(wakers, to);
    }
}

pub(super) fn wake(wakers: &[OnceLock<Waker>], shard: usize) {
    if let Some(waker) = wakers[shard].get() {
        waker.wake();
    }
}

impl ShardLoop {
    /// Step 2: everything other shards sent, in order.
    pub(super) fn take_mail(&mut self) {
        self.port.drain(self.shard.mail());
        for (op, delivery) in self.process.migrator.take(self.id) {
            let message = Message::Delivered { op, delivery: Box::new(delivery) };
            self.shard.mail().push_back(message.into());
        }
        // Read once everything that this turn runs is here: nobody who has seen a key expire elsewhere finds one here, with the same
        // time to live, that has not.
        let (now_ms, now_us) = clock::now();
        self.shard.set_time(now_ms, now_us);
        while let Some(mail) = self.shard.mail().pop_front() {
            match mail {
                Mail::Commands(batch) => {
                    self.port.wait_armed(batch.from.into(), batch.turn);
                    self.shard.on_message(Message::Commands(batch));
                }
                Mail::Replies(batch) => self.shard.on_message(Message::Replies(batch)),
                Mail::Other(message) => self.shard.on_message(*message),
                Mail::Adopt { socket, is_unix } => self.adopt(socket, is_unix),
                Mail::Move(connection) => {
                    let (socket, moving) = *connection;
                    self.attach(socket, moving);
                }
            }
        }
    }

    /// Puts this turn's messages into the mailboxes. Whoever learns of a write by them, or by a reply, learns what it has cost:
    /// `maxmemory` is kept by what the others tell.
    pub(super) fn hand_over(&mut self) {
        self.process.journal.take_from(&mut self.shard);
        if self.shard.awaits_sync() {
            self.see_to_syncs();
        }
        self.process.exchange_memory(&mut self.shard);
        let mut transport = Post { port: &mut self.port, sleepers: &mut self.sleepers };
        self.shard.outgoing.hand_over(&mut transport);
    }
}
