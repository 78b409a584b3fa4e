//! The order of a loop turn and of what it publishes: stated once, for the real loop and for the simulator.
//!
//! `docs/ARCHITECTURE.md`, "Ordering", argues why each step stands where it does. This module moves nothing itself: whoever
//! owns the sockets and the mailboxes takes the steps, and carries what is handed over.

use crate::message::Message;
use crate::shard::Outgoing;

/// A step of a loop turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads what the connections brought, without looking at it.
    Collect,
    /// Takes all mail there is by now, and runs it, oldest first.
    Mail,
    /// Parses and runs what was collected.
    Execute,
    /// Hands the messages of this turn over.
    Publish,
    /// Sends the replies.
    Send,
}

/// A loop turn.
pub const TURN: [Step; 5] = [Step::Collect, Step::Mail, Step::Execute, Step::Publish, Step::Send];

/// Carries messages to the shards' mailboxes.
pub trait Transport {
    /// The number of the publication to come.
    fn next_turn(&self) -> u64;

    /// Publishes messages, each with the shard it is for, together; if `exclusive`, alone among all shards. News come last, and must not
    /// be sent before the commands.
    fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, exclusive: bool);

    /// Sends a message that needs no order among others. It is to [`Message::see`] what the receiver has published.
    fn post(&mut self, to: usize, message: Message);
}

impl Outgoing {
    /// Puts the news before the replies, if there are no commands that they must not overtake; whether what is in `posts` may go.
    pub fn put_news_first(&mut self) -> bool {
        if !self.cancels.is_empty() {
            self.cancels.append(&mut self.posts);
            std::mem::swap(&mut self.cancels, &mut self.posts);
        }
        if self.news.is_empty() {
            return true;
        }
        if self.has_batches {
            return false;
        }
        let news = std::mem::take(&mut self.news).into_iter();
        let mut posts: Vec<_> = news.map(|(to, news)| (to, Message::News(news))).collect();
        posts.append(&mut self.posts);
        self.posts = posts;
        true
    }

    /// Gives everything to `transport`: first who waits no longer, for what a client sends behind CLIENT KILL must not serve the victim,
    /// then the commands, as one publication, then replies and continuations. A shard gets its news with
    /// its commands. If there are only commands for others, it gets them in the same publication: whoever runs one of these may
    /// publish, too, and that comes later.
    pub fn hand_over(&mut self, transport: &mut impl Transport) {
        for (to, message) in self.cancels.drain(..) {
            transport.post(to, message);
        }
        if std::mem::take(&mut self.has_batches) {
            let turn = transport.next_turn();
            self.publications = turn;
            let batches = &mut self.batches;
            self.news.retain_mut(|(to, news)| match &mut batches[*to] {
                Some(batch) => {
                    batch.news = Some(std::mem::take(news));
                    false
                }
                None => true,
            });
            // What is split from now on travels with the next publication.
            self.splits = None;
            let exclusive = std::mem::take(&mut self.exclusive);
            let messages = self.batches.iter_mut().enumerate().filter_map(|(to, batch)| {
                let mut batch = batch.take()?;
                batch.turn = turn;
                Some((to, Message::Commands(batch)))
            });
            let news = self.news.drain(..).map(|(to, news)| (to, Message::News(news)));
            transport.publish(messages.chain(news), exclusive);
        }
        self.put_news_first();
        for (to, message) in self.posts.drain(..) {
            transport.post(to, message);
        }
    }
}

impl Message {
    /// To be called just before it is sent: notes what its receiver has `published` by then.
    #[inline]
    pub fn see(&mut self, published: impl FnOnce() -> u64) {
        match self {
            Self::Changes(changes) => changes.see(published()),
            Self::Replies(batch) if !batch.changes.is_empty() => {
                let published = published();
                batch.changes.iter_mut().for_each(|(_, changes)| changes.see(published));
            }
            _ => {}
        }
    }

    /// The shard and its turn that must be published before this message may be executed.
    #[inline]
    pub fn armed_by(&self) -> Option<(usize, u64)> {
        match self {
            Self::Commands(batch) => Some((batch.from as usize, batch.turn)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, request};

    /// For whom there were commands and news: what has been published together, and what has been sent behind it.
    #[derive(Default, Debug, PartialEq, Eq)]
    struct Sent {
        together: Vec<(usize, &'static str)>,
        behind: Vec<(usize, &'static str)>,
    }

    fn kind(message: &Message) -> &'static str {
        match message {
            Message::Commands(batch) if batch.news.is_some() => "commands and news",
            Message::Commands(_) => "commands",
            Message::News(_) => "news",
            _ => "other",
        }
    }

    impl Transport for Sent {
        fn next_turn(&self) -> u64 {
            1
        }

        fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, _exclusive: bool) {
            self.together.extend(messages.map(|(to, message)| (to, kind(&message))));
        }

        fn post(&mut self, to: usize, message: Message) {
            self.behind.push((to, kind(&message)));
        }
    }

    /// A command that follows a message may publish elsewhere: it must not run before the message is on its way to all who listen.
    #[test]
    fn news_are_on_their_way_before_commands_of_their_turn_may_run() {
        let mut trial = Trial::new(4);
        for shard in [1, 2] {
            let listener = trial.connect_to(shard, 10 + shard as u64);
            trial.send_to(shard, listener, &request(&["SUBSCRIBE", "c"]));
            trial.settle();
        }
        let publisher = trial.connect();
        let key = trial.key_on(1, "k");
        let mut pipeline = request(&["PUBLISH", "c", "first"]);
        pipeline.extend(request(&["EVAL", "return redis.call('PUBLISH', 'c', 'second')", "1", &key]));
        let range = 0..pipeline.len();
        let shard = &mut trial.shards[0];
        shard.receive(&pipeline, &[(publisher as u32, range)]);
        shard.send_news();
        let mut sent = Sent::default();
        shard.outgoing.hand_over(&mut sent);
        assert_eq!(sent.together, [(1, "commands and news"), (2, "news")]);
        assert!(sent.behind.iter().all(|(_, kind)| *kind == "other"), "{sent:?}");
    }
}
