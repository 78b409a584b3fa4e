//! Messages that other shards have been sent and have not looked at yet; and whoever would publish more waits while they are many.
//!
//! A shard that gets no processor time, or is in the middle of a long command, takes nothing out of its mailbox; whoever publishes for it must
//! not fill the memory meanwhile. So every shard counts what its messages will be in outputs of each other shard's connections, and the
//! receiver tells now and then how much of that it has made. Above [`OUTPUT_BYTES_MAX`] the receiver is *behind*, as all shards are told:
//! commands that may publish for it wait with their connections (`Shard::postpone`), which read no further, so the publisher pays as in
//! Redis. Nobody else waits, nothing is locked meanwhile and the receiver needs nothing of those who wait to catch up: so
//! nobody waits for ever.

use crate::message::Message;
use crate::queue::Queued;
use crate::shard::Shard;
use command::pubsub::Publication;
use command::spec::{Verb, flag};
use command::{Args, Plan};

/// Bytes of output that may stand before a shard.
const OUTPUT_BYTES_MAX: u64 = if cfg!(test) { 320_000 } else { 32 << 20 };
/// A message for fewer connections counts as one for so many: what comes to one connection at once must be far below what it may leave
/// unread.
const RECEIVERS_MIN: usize = 16;
/// With so many it has caught up.
const OUTPUT_BYTES_LOW: u64 = OUTPUT_BYTES_MAX / 2;
/// It tells when it has made so many. Fewer than are low, or the last of them would be awaited for ever.
const TOLD_BYTES: u64 = OUTPUT_BYTES_MAX / 4;

/// A shard, and another that is behind with its messages.
pub type Behind = (u16, u16);

#[derive(Default)]
pub(crate) struct Backlog {
    /// Bytes of output that each shard has to make of this one's messages, as far as this one knows.
    unmade: Vec<u64>,
    /// Bytes that this one has made of each shard's messages and not told it of.
    untold: Vec<u64>,
    /// Of all shards.
    behind: Vec<Behind>,
}

impl Backlog {
    /// Whether any shard is behind.
    #[inline]
    pub fn is_long(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether a shard is behind with another one's messages.
    fn has(&self, from: u16, to: u16) -> bool {
        self.behind.contains(&(from, to))
    }
}

fn of(bytes: &mut Vec<u64>, shard: u16) -> &mut u64 {
    if bytes.len() <= usize::from(shard) {
        bytes.resize(usize::from(shard) + 1, 0);
    }
    &mut bytes[usize::from(shard)]
}

impl Shard {
    /// A message goes to another shard, which makes so much output of it.
    pub(crate) fn add_unmade(&mut self, to: u16, bytes: u64) {
        let unmade = of(&mut self.backlog.unmade, to);
        *unmade += bytes;
        if *unmade > OUTPUT_BYTES_MAX && !self.backlog.has(self.cx.id, to) {
            self.spread_behind((self.cx.id, to), false);
        }
    }

    /// This shard has made so much output of another one's messages.
    pub(crate) fn add_made(&mut self, from: u16, bytes: u64) {
        let untold = of(&mut self.backlog.untold, from);
        *untold += bytes;
        if *untold >= TOLD_BYTES {
            let made = Message::Made { by: self.cx.id, bytes: std::mem::take(untold) };
            self.outgoing.posts.push((from.into(), made));
        }
    }

    /// What another shard tells by that.
    pub(crate) fn on_made(&mut self, by: u16, bytes: u64) {
        let unmade = of(&mut self.backlog.unmade, by);
        *unmade = unmade.checked_sub(bytes).expect("no more is made than was sent");
        if *unmade <= OUTPUT_BYTES_LOW && self.backlog.has(self.cx.id, by) {
            self.spread_behind((self.cx.id, by), true);
        }
    }

    #[cold]
    fn spread_behind(&mut self, behind: Behind, is_over: bool) {
        for shard in (0..self.cx.shards).filter(|shard| *shard != self.cx.id) {
            self.outgoing.posts.push((shard.into(), Message::Behind { behind, is_over }));
        }
        self.on_behind(behind, is_over);
    }

    /// A shard is behind with another one's messages, or no longer.
    pub(crate) fn on_behind(&mut self, behind: Behind, is_over: bool) {
        if !is_over {
            return self.backlog.behind.push(behind);
        }
        self.backlog.behind.retain(|known| *known != behind);
        // Those who still have to wait will find out.
        let waits = |index: &usize| !self.conns[*index].postponed.is_empty();
        for index in (0..self.conns.len()).filter(waits).collect::<Vec<_>>() {
            self.resume_later(index);
        }
    }

    /// Whether a command has to wait because it may publish for a shard that is behind.
    #[cold]
    pub(crate) fn adds_to_backlog(&self, q: &Queued, args: Args<'_>) -> bool {
        let Some(command) = q.command.filter(|_| self.backlog.is_long()) else { return false };
        if command.flags & flag::PUBLISHES != 0 && !self.is_in_multi(q.conn as usize) {
            // It runs here.
            return args.get(1).is_some_and(|channel| {
                let is_sharded = !command.keys.is_empty();
                let mut adds = false;
                self.cx.pubsub.for_each_shard(is_sharded, channel, |shard, _| {
                    adds |= self.backlog.has(self.cx.id, shard);
                });
                adds
            });
        }
        let queued = match command.plan {
            Plan::Transaction(Verb::Exec) => self.conns[q.conn as usize].queued_flags(),
            _ => 0,
        };
        // A script that is known to keep to its keys does not publish.
        let may_publish =
            q.fences && command.flags & flag::SCRIPT != 0 || queued & (flag::PUBLISHES | flag::SCRIPT) != 0;
        let makes_events = (command.flags | queued) & (flag::WRITE | flag::SCRIPT) != 0;
        may_publish || makes_events && self.cx.notices.any
    }
}

/// Bytes that a message takes in the output of so many connections, for which a long one is there once.
pub(crate) fn output_bytes(publication: Publication<'_>, receivers: usize) -> u64 {
    const FRAME_BYTES: usize = 32;
    let (copied, shared) = publication.sizes();
    ((copied + FRAME_BYTES) * receivers.max(RECEIVERS_MIN) + shared * RECEIVERS_MIN) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, request};
    use base::random::Random;

    const TEXT: &str = "a message of some length";

    fn ask(trial: &mut Trial, (shard, conn): (usize, usize), words: &[&str]) -> String {
        trial.send_to(shard, conn, &request(words));
        trial.settle();
        seen(trial, (shard, conn))
    }

    fn seen(trial: &mut Trial, (shard, conn): (usize, usize)) -> String {
        String::from_utf8(trial.take_replies_of(shard, conn)).expect("text").replace("\r\n", " ")
    }

    /// Output bytes of the messages that are on their way to a shard.
    fn under_way(trial: &Trial) -> u64 {
        let news = trial.mail.messages().filter_map(|message| match message {
            Message::News(news) => Some(news.output_bytes()),
            _ => None,
        });
        news.sum()
    }

    /// Clients of shards 0 and 2 publish for a listener on shard 1, which gets no processor time.
    #[test]
    fn who_publishes_for_a_shard_that_is_behind_waits_and_nobody_else_does() {
        let mut trial = Trial::new(3);
        let connect = |trial: &mut Trial, shard, id| (shard, trial.connect_to(shard, id));
        let (publisher, other) = (connect(&mut trial, 0, 1), connect(&mut trial, 0, 2));
        let (listener, apart) = (connect(&mut trial, 1, 3), connect(&mut trial, 2, 4));
        let elsewhere = connect(&mut trial, 2, 5);
        ask(&mut trial, listener, &["SUBSCRIBE", "c"]);
        ask(&mut trial, apart, &["SUBSCRIBE", "d"]);
        let key = trial.key_on(0, "k");
        // A script that has shown that it keeps to its keys.
        let script = ["EVAL", "return redis.call('GET', KEYS[1])", "1", &key];
        ask(&mut trial, other, &script);
        let (count, mut requests) = (2000, Vec::new());
        (0..count).for_each(|number| requests.extend(request(&["PUBLISH", "c", &format!("{TEXT}{number}")])));
        requests.extend(request(&["PING"]));
        // Turn by turn, as the socket brings it.
        requests.chunks(1000).for_each(|chunk| trial.send_to(publisher.0, publisher.1, chunk));
        let bytes = under_way(&trial);
        assert!((OUTPUT_BYTES_MAX..OUTPUT_BYTES_MAX + 20_000).contains(&bytes), "{bytes}");
        let mut replies = seen(&mut trial, publisher);
        assert!(replies.len() < 1200, "{}", replies.len());
        // Others go on, also with messages: those for other shards, and those for this shard that others have sent little.
        for (words, reply) in [
            (&["SET", &key, "v"][..], "+OK "),
            (&["PUBLISH", "d", "x"], ":1 "),
            (&["PUBLISH", "nobody", "x"], ":0 "),
            (&script, "$1 v "),
        ] {
            trial.send_to(other.0, other.1, &request(words));
            assert_eq!(seen(&mut trial, other), reply, "{words:?}");
        }
        trial.send_to(elsewhere.0, elsewhere.1, &request(&["PUBLISH", "c", "from elsewhere"]));
        assert_eq!(seen(&mut trial, elsewhere), ":1 ");
        // But what may publish for it waits, on all shards.
        while trial.deliver_to(2) {}
        for asker in [other, elsewhere] {
            let script = ["EVAL", "return redis.call('PUBLISH', 'c', 'script')", "0"];
            let block = [&["MULTI"][..], &["PUBLISH", "c", "block"], &["EXEC"]].map(request).concat();
            trial.send_to(asker.0, asker.1, &[request(&script), block, request(&["PING"])].concat());
            assert_eq!(seen(&mut trial, asker), "");
        }
        trial.settle();
        for asker in [other, elsewhere] {
            assert_eq!(seen(&mut trial, asker), ":1 +OK +QUEUED *1 :1 +PONG ");
        }
        replies.push_str(&seen(&mut trial, publisher));
        assert_eq!(replies, format!("{}+PONG ", ":1 ".repeat(count)));
        let got = seen(&mut trial, listener);
        let mut numbers = got.split(' ').filter_map(|word| word.strip_prefix("length"));
        assert!(
            (0..count).all(|number| numbers.next() == Some(&*number.to_string())) && numbers.next().is_none()
        );
        for text in ["from elsewhere", "script", "block"] {
            assert!(got.contains(text), "{text}");
        }
        assert!(!trial.shards.iter().any(|shard| shard.backlog.is_long()));
    }

    /// Events are messages, too.
    #[test]
    fn writes_wait_if_their_events_have_listeners_on_a_shard_that_is_behind() {
        let mut trial = Trial::new(2);
        let (writer, listener) = ((0, trial.connect()), (1, trial.connect_to(1, 2)));
        ask(&mut trial, writer, &["CONFIG", "SET", "notify-keyspace-events", "KEA"]);
        ask(&mut trial, listener, &["PSUBSCRIBE", "__key*"]);
        let key = trial.key_on(0, "k");
        for _ in 0..40 {
            trial.send_to(0, writer.1, &request(&["SET", &key, "v"]).repeat(20));
        }
        trial.send_to(0, writer.1, &request(&["GET", &key]));
        let replies = seen(&mut trial, writer);
        assert!(replies.len() < 800 * "+OK ".len() / 2 && !replies.contains('$'), "{replies}");
        trial.settle();
        assert!(seen(&mut trial, writer).ends_with("+OK $1 v "));
        assert_eq!(seen(&mut trial, listener).matches("pmessage").count(), 1600);
    }

    /// Everybody publishes to everybody, and the shards get their messages by lot: what is under way has its bounds, and all comes in its
    /// order.
    #[test]
    fn whoever_is_behind_everything_comes_in_its_order() {
        const SHARDS: usize = 3;
        for seed in 0..20 {
            let (mut trial, mut random) = (Trial::new(SHARDS as u16), Random::from_seed(seed));
            let clients: Vec<_> = (0..SHARDS).map(|shard| (shard, trial.connect_to(shard, 10))).collect();
            let listeners: Vec<_> =
                (0..2 * SHARDS).map(|n| (n % SHARDS, trial.connect_to(n % SHARDS, 20))).collect();
            for listener in &listeners {
                ask(&mut trial, *listener, &["SUBSCRIBE", "c"]);
            }
            let (mut sent, mut bound) = ([0; SHARDS], 0);
            for _ in 0..400 {
                let from = random.index(SHARDS);
                let mut requests = Vec::new();
                for _ in 0..random.index(20) {
                    let text = format!("{from}:{}", sent[from]);
                    sent[from] += 1;
                    requests.extend(request(&["PUBLISH", "c", &text]));
                }
                trial.send_to(clients[from].0, clients[from].1, &requests);
                (0..random.index(3)).for_each(|_| _ = trial.deliver_any(&mut random));
                bound = bound.max(under_way(&trial));
            }
            let pairs = (SHARDS * (SHARDS - 1)) as u64;
            // Above the limit by what one turn brings.
            assert!(bound < pairs * 2 * OUTPUT_BYTES_MAX, "seed {seed}: {bound}");
            trial.settle();
            for listener in listeners {
                let got = seen(&mut trial, listener);
                for (from, count) in sent.iter().enumerate() {
                    let prefix = format!("{from}:");
                    let numbers = got.split(' ').filter_map(|word| word.strip_prefix(&prefix));
                    assert!(numbers.eq((0..*count).map(|number| number.to_string())), "seed {seed}");
                }
            }
        }
    }
}
