//! Messages on their way: from whoever publishes to the connections of this shard that listen, and to the other shards that have such.
//!
//! Whoever publishes knows from its shard's own tables who listens, so nobody is asked and nothing is waited for. What a turn has published
//! goes to each interested shard in one message, with what a turn has changed in the subscriptions ([`News`]). It is handed over with the
//! turn's commands, so nobody gets a message earlier than what its publisher had written before; it is looked at before these commands
//! run, which may publish themselves; and it goes before the turn's replies to other shards, so nobody learns that a command is done that
//! has published while the message is not on its way.
//!
//! A shard that does not get to its messages is not sent more and more of them: see [`crate::backlog`].
//!
//! What could publish later than it is its turn, because it runs elsewhere, lets nothing of its connection pass (`Shard::is_fence`,
//! `transaction`). So a connection's messages come in its order.

use crate::backlog::output_bytes;
use crate::conn::Conn;
use crate::shard::Shard;
use command::pubsub::{Frame, Interest, Kind, PubSub, Publication, Publications};
use command::state::Effect;
use resp::Reply;
use std::sync::Arc;

/// What a shard's connections have begun and ceased to listen to, by [`Kind`].
pub type Interests = [Vec<Interest>; 3];

/// What a turn of one shard has for another.
#[derive(Default)]
pub struct News {
    from: u16,
    /// What connections of that shard listen to, later words last.
    interests: Vec<(u16, Arc<Interests>)>,
    /// Messages for connections of the receiver.
    publications: Publications,
}

impl News {
    /// Bytes of output that the receiver will make of it.
    #[cfg(test)]
    pub(crate) fn output_bytes(&self) -> u64 {
        self.publications.output_bytes
    }
}

/// What is to be sent to other shards, and a frame for use and reuse.
#[derive(Default)]
pub(crate) struct Sending {
    /// For each shard.
    publications: Vec<Publications>,
    /// Shards with publications.
    shards: Vec<u16>,
    /// Who gets the publication at hand: shards, and how many of their connections, once for the channel and each pattern.
    reached: Vec<(u16, u32)>,
    frame: Frame,
}

impl Conn {
    /// A frame that is no reply, behind all replies that have come. It waits for none that is still to come: it may be what the client
    /// wants to see while it is blocked.
    #[inline]
    fn push_frame(&mut self, frame: &Frame) {
        if self.has_held() {
            let resp3 = self.resp3;
            return self.hold(|held| frame.write(resp3, held));
        }
        frame.write(self.resp3, &mut self.out);
    }
}

/// The connections of a shard, as far as messages need them.
struct Receivers<'a> {
    conns: &'a mut [Conn],
    dirty: &'a mut Vec<u32>,
    effects: &'a mut Vec<Effect>,
    /// What a client may leave unread, whatever else there is to deliver in this turn; 0 is no limit.
    hard_bytes: u64,
}

/// Bytes of output that a connection may still have though they are sent; see `give_back` in the server's `send`.
const SENT_BYTES_MIN: usize = 256 * 1024;

/// Gives a frame to connections.
fn push_all(to: &mut Receivers<'_>, frame: &Frame, receivers: &[u32]) {
    let Receivers { conns, dirty, effects, hard_bytes } = to;
    for index in receivers {
        let conn = &mut conns[*index as usize];
        if conn.closing {
            continue;
        }
        conn.push_frame(frame);
        if *hard_bytes > 0 && conn.out.len() as u64 > *hard_bytes {
            let bytes = conn.out.len();
            let unsent = bytes - (bytes / 2).max(SENT_BYTES_MIN).min(bytes) + conn.held_bytes();
            if unsent as u64 >= *hard_bytes {
                // Before more is kept for it. It is closed before anything is sent to anybody.
                conn.closing = true;
                conn.out = Reply::default();
                effects.push(Effect::Overrun { conn: *index as usize, bytes: unsent });
                continue;
            }
        }
        if !conn.dirty {
            (conn.dirty, conn.has_only_messages) = (true, true);
            dirty.push(*index);
        }
    }
}

impl Shard {
    /// Delivers what has been published here (not while a script that publishes is in the middle of its work: it may be taken back),
    /// and has it sent to the other shards with the news of this turn.
    #[cold]
    pub(crate) fn deliver_published(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let mut published = std::mem::take(&mut self.cx.pubsub.outbox);
        let settled = self.cx.pubsub.take_settled();
        let mut frame = std::mem::take(&mut self.sending.frame);
        for (index, settled) in settled.iter().enumerate() {
            let (_, mut receivers) = self.receivers();
            for (pattern, conns) in settled {
                frame.set(published.get(index), pattern.as_deref());
                push_all(&mut receivers, &frame, conns);
            }
        }
        self.sending.frame = frame;
        self.deliver_all(&published, settled.len());
        (0..published.len()).for_each(|index| self.send_to_shards(published.get(index)));
        published.clear();
        self.cx.pubsub.outbox = published;
    }

    /// Gives messages, from one of them on, to those of this shard who listen. What comes in a row on one channel is written
    /// together.
    fn deliver_all(&mut self, published: &Publications, from: usize) {
        let mut frame = std::mem::take(&mut self.sending.frame);
        let mut index = from;
        while index < published.len() {
            let first = published.get(index);
            index += 1;
            if !self.cx.pubsub.has_no_patterns_for(first) {
                self.deliver(first, &mut frame);
                continue;
            }
            frame.set(first, None);
            while index < published.len()
                && frame.takes_more()
                && published.get(index).is_on_channel_of(&first)
            {
                frame.add(published.get(index), None);
                index += 1;
            }
            let (pubsub, mut receivers) = self.receivers();
            push_all(&mut receivers, &frame, pubsub.here(first));
        }
        self.sending.frame = frame;
    }

    /// Gives a message to those of this shard who listen.
    fn deliver(&mut self, publication: Publication<'_>, frame: &mut Frame) {
        let (pubsub, mut receivers) = self.receivers();
        pubsub.for_each_here(publication, |pattern, conns| {
            frame.set(publication, pattern.map(|name| &**name));
            push_all(&mut receivers, frame, conns);
        });
    }

    fn receivers(&mut self) -> (&PubSub, Receivers<'_>) {
        let hard_bytes = self.cx.config.client_output_buffer_limit.pubsub.hard_bytes;
        let (conns, dirty, effects) = (&mut self.conns, &mut self.dirty_conns, &mut self.cx.effects);
        (&self.cx.pubsub, Receivers { conns, dirty, effects, hard_bytes })
    }

    fn send_to_shards(&mut self, publication: Publication<'_>) {
        if self.cx.shards == 1 {
            return;
        }
        self.sending.publications.resize_with(self.cx.shards as usize, Publications::default);
        let mut reached = std::mem::take(&mut self.sending.reached);
        self.cx.pubsub.for_each_shard(publication.is_sharded, publication.channel, |shard, conns| {
            reached.push((shard, conns));
        });
        reached.sort_unstable();
        for all in reached.chunk_by(|one, next| one.0 == next.0) {
            let (shard, conns) = (all[0].0, all.iter().map(|(_, conns)| *conns as usize).sum());
            let bytes = output_bytes(publication, conns);
            let queue = &mut self.sending.publications[shard as usize];
            if queue.is_empty() {
                self.sending.shards.push(shard);
            }
            queue.push(publication);
            queue.output_bytes += bytes;
            self.add_unmade(shard, bytes);
        }
        reached.clear();
        self.sending.reached = reached;
    }

    /// Whether there is anything of this kind to tell other shards.
    pub(crate) fn has_pubsub_news(&self) -> bool {
        let changes = Kind::ALL.iter().any(|kind| self.cx.pubsub.of(*kind).has_changes());
        changes || !self.cx.pubsub.outbox.is_empty() || !self.sending.shards.is_empty()
    }

    /// Hands what this turn has published and what its subscriptions have become to the other shards.
    pub(crate) fn tell_published(&mut self) {
        if !self.has_pubsub_news() {
            return;
        }
        self.deliver_published();
        for shard in std::mem::take(&mut self.sending.shards) {
            let mut publications = std::mem::take(&mut self.sending.publications[shard as usize]);
            self.news_for(shard).publications.take_all(&mut publications);
        }
        self.tell_interests();
    }

    /// What this turn has for another shard.
    fn news_for(&mut self, shard: u16) -> &mut News {
        let (news, to) = (&mut self.outgoing.news, shard as usize);
        let at = news.iter().position(|(shard, _)| *shard == to).unwrap_or_else(|| {
            news.push((to, Box::new(News { from: self.cx.id, ..News::default() })));
            news.len() - 1
        });
        &mut news[at].1
    }

    fn tell_interests(&mut self) {
        if !Kind::ALL.iter().any(|kind| self.cx.pubsub.of(*kind).has_changes()) {
            return;
        }
        let from = self.cx.id;
        let interests = Arc::new(Kind::ALL.map(|kind| self.cx.pubsub.of_mut(kind).take_changes()));
        for shard in (0..self.cx.shards).filter(|shard| *shard != from) {
            self.news_for(shard).interests.push((from, Arc::clone(&interests)));
        }
    }

    /// What another shard has published, and what its connections listen to.
    #[cold]
    pub(crate) fn on_news(&mut self, news: News) {
        for (from, interests) in &news.interests {
            for (kind, interests) in Kind::ALL.into_iter().zip(&**interests) {
                let topics = self.cx.pubsub.of_mut(kind);
                interests.iter().for_each(|interest| topics.hear(*from, interest));
            }
        }
        if !news.interests.is_empty() {
            self.cx.set_notices();
        }
        self.deliver_all(&news.publications, 0);
        self.add_made(news.from, news.publications.output_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::trial::{Trial, request};
    use base::random::Random;

    fn ask(trial: &mut Trial, shard: usize, conn: usize, words: &[&str]) -> String {
        trial.send_to(shard, conn, &request(words));
        trial.settle();
        seen(trial, shard, conn)
    }

    fn seen(trial: &mut Trial, shard: usize, conn: usize) -> String {
        String::from_utf8(trial.take_replies_of(shard, conn)).expect("text").replace("\r\n", " ")
    }

    const MESSAGE: &str = "*3 $7 message $1 c ";

    #[test]
    fn a_message_comes_to_all_who_listen_and_to_each_shard_once() {
        let mut trial = Trial::new(4);
        let publisher = trial.connect();
        let listeners: Vec<_> =
            (0..12).map(|number| (number % 4, trial.connect_to(number % 4, 100 + number as u64))).collect();
        for &(shard, conn) in &listeners {
            assert_eq!(ask(&mut trial, shard, conn, &["SUBSCRIBE", "c"]), "*3 $9 subscribe $1 c :1 ");
        }
        trial.send(publisher, &request(&["PUBLISH", "c", "hello"]));
        assert_eq!(seen(&mut trial, 0, publisher), ":12 ");
        let sent = trial.mail.messages().filter(|message| matches!(message, Message::News(_))).count();
        assert_eq!(sent, 3);
        trial.settle();
        for &(shard, conn) in &listeners {
            assert_eq!(seen(&mut trial, shard, conn), format!("{MESSAGE}$5 hello "));
        }
        // Two are gone, one of them without a word.
        ask(&mut trial, 1, listeners[1].1, &["UNSUBSCRIBE"]);
        trial.close(1, listeners[5].1);
        trial.settle();
        assert_eq!(ask(&mut trial, 0, publisher, &["PUBLISH", "c", "x"]), ":10 ");
        assert_eq!(ask(&mut trial, 0, publisher, &["PUBSUB", "NUMSUB", "c"]), "*2 $1 c :10 ");
        listeners.iter().filter(|(_, conn)| *conn != usize::MAX).for_each(|&(shard, conn)| {
            trial.close(shard, conn);
        });
        trial.settle();
        for shard in &trial.shards {
            assert!(Kind::ALL.iter().all(|kind| shard.cx.pubsub.of(*kind).is_empty()));
        }
    }

    #[test]
    fn what_somebody_publishes_comes_in_its_order_from_wherever_it_runs() {
        for seed in 0..200 {
            let (mut trial, mut random) = (Trial::new(3), Random::from_seed(seed));
            let (publisher, listener) = (trial.connect(), trial.connect_to(1, 7));
            ask(&mut trial, 1, listener, &["SUBSCRIBE", "c"]);
            let keys: Vec<_> = (0..3).map(|shard| trial.key_on(shard, "k")).collect();
            let (mut requests, mut expected) = (Vec::new(), String::new());
            for number in 0..10 {
                let (text, key) = (number.to_string(), &keys[random.index(3)]);
                expected.push_str(&format!("{MESSAGE}$1 {text} "));
                match random.below(4) {
                    0 => requests.extend(request(&["PUBLISH", "c", &text])),
                    1 => {
                        let script = "return redis.call('publish', 'c', ARGV[1])";
                        requests.extend(request(&["EVAL", script, "1", key, &text]));
                    }
                    2 => {
                        requests.extend(request(&["SET", key, "v"]));
                        requests.extend(request(&["PUBLISH", "c", &text]));
                    }
                    _ => {
                        let other = &keys[random.index(3)];
                        let block = [
                            &["MULTI"][..],
                            &["SET", key, "v"],
                            &["SET", other, "v"],
                            &["PUBLISH", "c", &text],
                        ];
                        block.iter().for_each(|words| requests.extend(request(words)));
                        requests.extend(request(&["EXEC"]));
                    }
                }
            }
            trial.send(publisher, &requests);
            while trial.deliver_any(&mut random) || trial.mail.messages().next().is_some() {}
            trial.settle();
            assert_eq!(seen(&mut trial, 1, listener), expected, "seed {seed}");
        }
    }

    /// The numbers of the shards share their lower bits.
    #[test]
    fn hundreds_of_shards_get_a_message() {
        let mut trial = Trial::new(600);
        let publisher = trial.connect();
        for (number, shard) in [1, 257, 513].into_iter().enumerate() {
            let conn = trial.connect_to(shard, 10 + number as u64);
            ask(&mut trial, shard, conn, &["PSUBSCRIBE", "c*", "*"]);
        }
        trial.send(publisher, &request(&["PUBLISH", "c", "hello"]));
        trial.settle();
        for shard in [1, 257, 513] {
            assert_eq!(seen(&mut trial, shard, 0).matches("pmessage").count(), 2, "{shard}");
        }
    }
}
