//! What clients that listen to channels get, and what they must.
//!
//! - messages of one connection come in its order, and so do two of which the second was asked for when the first was answered;
//! - who has been told that it listens gets every message published from then on, once, until it says that it ends that;
//! - nobody gets what was not published, or when it does not listen;
//! - PUBLISH says how many get the message.
//!
//! That what was written before is visible is checked with the order of operations: by [`Record::seen`].

use crate::history::Record;
use crate::op::{Op, channel_name};
use base::random::Random;
use std::collections::BTreeSet;
use testkit::Value;

/// Channels of a run.
pub const CHANNELS: usize = 2;

/// What can be listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Channel(usize),
    Sharded(usize),
    /// All channels but sharded ones.
    Pattern,
}

impl Topic {
    fn any(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::Pattern,
            1 => Self::Sharded(random.index(CHANNELS)),
            _ => Self::Channel(random.index(CHANNELS)),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Channel(channel) | Self::Sharded(channel) => channel_name(channel),
            Self::Pattern => "channel*".to_owned(),
        }
    }

    /// What its commands and messages begin with.
    fn letter(self) -> &'static str {
        match self {
            Self::Channel(_) => "",
            Self::Sharded(_) => "s",
            Self::Pattern => "p",
        }
    }

    fn takes(self, publication: &Publication<'_>) -> bool {
        match self {
            Self::Channel(channel) => !publication.is_sharded && channel == publication.channel,
            Self::Sharded(channel) => publication.is_sharded && channel == publication.channel,
            Self::Pattern => !publication.is_sharded,
        }
    }
}

/// Something published: a request, or a part of one.
struct Publication<'a> {
    /// By its place in the history, and in the request.
    place: (usize, usize),
    record: &'a Record,
    channel: usize,
    is_sharded: bool,
    text: &'a [u8],
}

impl Publication<'_> {
    fn returned(&self) -> u64 {
        self.record.returned.as_ref().map_or(u64::MAX, |(at, _)| *at)
    }

    /// How many get it, as the reply says.
    fn count(&self) -> Option<i64> {
        let (_, reply) = self.record.returned.as_ref()?;
        match self.record.op {
            Op::Publish { .. } => reply.integer(),
            _ => reply.items()?.get(self.place.1)?.integer(),
        }
    }

    /// Whether this one must come first.
    fn precedes(&self, other: &Self) -> bool {
        let is_of_same = self.record.link == other.record.link;
        is_of_same && self.place < other.place || self.returned() < other.record.invoked
    }
}

fn publications(history: &[Record]) -> Vec<Publication<'_>> {
    let mut all = Vec::new();
    for (at, record) in history.iter().enumerate() {
        let single = std::slice::from_ref(&record.op);
        let parts = if record.op.parts().is_empty() { single } else { record.op.parts() };
        for (part, op) in parts.iter().enumerate() {
            if let Op::Publish { channel, is_sharded, text } = op {
                let (channel, is_sharded) = (*channel, *is_sharded);
                all.push(Publication { place: (at, part), record, channel, is_sharded, text });
            }
        }
    }
    all
}

/// A subscription of a connection. Times are on the scale of [`Record::invoked`].
struct Subscription {
    link: usize,
    topic: Topic,
    asked: u64,
    confirmed: Option<u64>,
    end_asked: Option<u64>,
    ended: Option<u64>,
}

/// A message: who got it, by which subscription, and which it was.
struct Receipt {
    link: usize,
    subscription: usize,
    text: Vec<u8>,
}

/// Who listens, and what has come of it.
#[derive(Default)]
pub struct Listening {
    subscriptions: Vec<Subscription>,
    receipts: Vec<Receipt>,
}

impl Listening {
    /// Begins or ends to listen to something: the request.
    pub fn toggle(&mut self, link: usize, at: u64, random: &mut Random) -> Vec<u8> {
        let topic = Topic::any(random);
        let open = self
            .subscriptions
            .iter_mut()
            .find(|it| it.link == link && it.topic == topic && it.end_asked.is_none());
        let command = match open {
            Some(subscription) => {
                subscription.end_asked = Some(at);
                "unsubscribe"
            }
            None => {
                let (confirmed, end_asked, ended) = (None, None, None);
                self.subscriptions.push(Subscription { link, topic, asked: at, confirmed, end_asked, ended });
                "subscribe"
            }
        };
        testkit::client::encode(&[format!("{}{command}", topic.letter()), topic.name()])
    }

    /// A push that has come to a connection. The text, if it is a message.
    pub fn hear(&mut self, link: usize, at: u64, parts: &[Value]) -> Result<Option<Vec<u8>>, String> {
        let words: Vec<String> = parts.iter().map(|part| part.string().unwrap_or_default()).collect();
        let complain = |what: &str| Err(format!("connection {link} got {}, {what}", words.join(" ")));
        let (Some(kind), Some(name), Some(last)) = (words.first(), words.get(1), parts.last()) else {
            return complain("which is nothing");
        };
        let is_named = |it: &Subscription, word: &str| {
            it.link == link && *kind == format!("{}{word}", it.topic.letter()) && *name == it.topic.name()
        };
        let all = &mut self.subscriptions;
        if kind.ends_with("message") {
            let is_open =
                |it: &Subscription| is_named(it, "message") && it.confirmed.is_some() && it.ended.is_none();
            let Some(subscription) = all.iter().position(is_open) else {
                return complain("and did not listen");
            };
            let text = last.bytes().unwrap_or_default().to_vec();
            self.receipts.push(Receipt { link, subscription, text: text.clone() });
            return Ok(Some(text));
        }
        let begun = all.iter().position(|it| is_named(it, "subscribe") && it.confirmed.is_none());
        let over = all
            .iter()
            .position(|it| is_named(it, "unsubscribe") && it.end_asked.is_some() && it.ended.is_none());
        match (begun, over) {
            (Some(begun), _) => all[begun].confirmed = Some(at),
            (None, Some(over)) => all[over].ended = Some(at),
            (None, None) => return complain("and did not ask for that"),
        }
        Ok(None)
    }

    /// Where a message was published, by its place in the history.
    pub fn source(history: &[Record], text: &[u8]) -> Option<usize> {
        publications(history).iter().find(|publication| publication.text == text).map(|it| it.place.0)
    }

    /// What is wrong when everything has come. `dead`: connections that may have missed something.
    pub fn check(&self, history: &[Record], dead: &BTreeSet<usize>) -> Result<(), String> {
        let all = publications(history);
        let links: BTreeSet<usize> = self.receipts.iter().map(|receipt| receipt.link).collect();
        for link in links {
            self.check_order(link, &all)?;
        }
        for publication in &all {
            self.check_receipts(publication, dead)?;
            self.check_count(publication, dead)?;
        }
        Ok(())
    }

    fn check_order(&self, link: usize, all: &[Publication<'_>]) -> Result<(), String> {
        let mut got: Vec<&Publication<'_>> = Vec::new();
        for receipt in self.receipts.iter().filter(|receipt| receipt.link == link) {
            let topic = self.subscriptions[receipt.subscription].topic;
            let found = all.iter().find(|it| it.text == receipt.text && topic.takes(it));
            let Some(publication) = found else {
                let text = String::from_utf8_lossy(&receipt.text).into_owned();
                return Err(format!(
                    "connection {link} got {text} by {topic:?}, which was not published there"
                ));
            };
            if let Some(other) = got.iter().find(|other| publication.precedes(other)) {
                return Err(format!("connection {link} got {}\nbefore {}", other.record, publication.record));
            }
            got.push(publication);
        }
        Ok(())
    }

    fn check_receipts(&self, publication: &Publication<'_>, dead: &BTreeSet<usize>) -> Result<(), String> {
        for (number, subscription) in self.subscriptions.iter().enumerate() {
            let link = subscription.link;
            let of_it =
                self.receipts.iter().filter(|it| it.subscription == number && it.text == publication.text);
            let count = of_it.count();
            let is_due = subscription.must_get(publication, dead);
            if count > 1 || is_due && count == 0 {
                let topic = subscription.topic;
                return Err(format!(
                    "connection {link} got {count} times by {topic:?}: {}",
                    publication.record
                ));
            }
        }
        Ok(())
    }

    fn check_count(&self, publication: &Publication<'_>, dead: &BTreeSet<usize>) -> Result<(), String> {
        let Some(count) = publication.count() else { return Ok(()) };
        let least = self.subscriptions.iter().filter(|it| it.must_get(publication, dead)).count();
        let most = self.subscriptions.iter().filter(|it| it.may_get(publication)).count();
        if count < least as i64 || count > most as i64 {
            return Err(format!("{least} to {most} listen to {}, which says {count}", publication.record));
        }
        Ok(())
    }

    /// Messages that have come.
    pub fn count(&self) -> usize {
        self.receipts.len()
    }
}

impl Subscription {
    fn must_get(&self, publication: &Publication<'_>, dead: &BTreeSet<usize>) -> bool {
        let has_begun = self.confirmed.is_some_and(|at| at < publication.record.invoked);
        let goes_on = self.end_asked.is_none_or(|at| publication.returned() < at);
        let is_done = publication.returned() < u64::MAX && publication.count().is_some();
        self.topic.takes(publication) && has_begun && goes_on && is_done && !dead.contains(&self.link)
    }

    fn may_get(&self, publication: &Publication<'_>) -> bool {
        let is_over = self.ended.is_some_and(|at| at < publication.record.invoked);
        self.topic.takes(publication) && self.asked < publication.returned() && !is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(link: usize, text: &str, invoked: u64, returned: u64, count: i64) -> Record {
        let op = Op::Publish { channel: 0, is_sharded: false, text: text.into() };
        let (request, returned) = (op.args(&[]), Some((returned, Value::Integer(count))));
        Record { link, op, request, invoked, returned, seen: None }
    }

    fn push(words: [&str; 3]) -> Vec<Value> {
        words.iter().map(Value::bulk).collect()
    }

    /// Connection 9 listens to channel 0 from time 2 to time 20, and gets these messages.
    fn judge(history: &[Record], got: &[&str], dead: &[usize]) -> Result<(), String> {
        let (confirmed, end_asked, ended) = (Some(2), Some(19), Some(20));
        let topic = Topic::Channel(0);
        let subscription =
            Subscription { link: 9, topic, asked: 1, confirmed: None, end_asked: None, ended: None };
        let mut listening = Listening { subscriptions: vec![subscription], ..Listening::default() };
        let at = |time: Option<u64>| time.unwrap_or_default();
        listening.hear(9, at(confirmed), &push(["subscribe", "channel0", "1"]))?;
        for text in got {
            listening.hear(9, 10, &push(["message", "channel0", text]))?;
        }
        listening.subscriptions[0].end_asked = end_asked;
        listening.hear(9, at(ended), &push(["unsubscribe", "channel0", "0"]))?;
        assert!(listening.hear(9, 21, &push(["message", "channel0", "x"])).is_err());
        listening.check(history, &dead.iter().copied().collect())
    }

    #[test]
    fn messages_come_once_and_in_the_order_of_their_publisher() {
        let of_one = [publish(1, "a", 3, 9, 1), publish(1, "b", 3, 9, 1)];
        assert_eq!(judge(&of_one, &["a", "b"], &[]), Ok(()));
        assert!(judge(&of_one, &["b", "a"], &[]).is_err());
        assert!(judge(&of_one, &["a"], &[]).is_err());
        assert_eq!(judge(&of_one, &["a"], &[9]), Ok(()));
        assert!(judge(&of_one, &["a", "b", "b"], &[]).is_err());
        assert!(judge(&of_one, &["a", "c", "b"], &[]).is_err());
        let of_two = [publish(1, "a", 3, 9, 1), publish(2, "b", 3, 9, 1)];
        assert_eq!(judge(&of_two, &["b", "a"], &[]), Ok(()));
        let one_after_the_other = [publish(1, "a", 3, 4, 1), publish(2, "b", 5, 9, 1)];
        assert!(judge(&one_after_the_other, &["b", "a"], &[]).is_err());
    }

    #[test]
    fn who_has_been_told_that_it_listens_is_counted() {
        assert!(judge(&[publish(1, "a", 3, 9, 0)], &["a"], &[]).is_err());
        assert!(judge(&[publish(1, "a", 3, 9, 2)], &["a"], &[]).is_err());
        // Published before or after, or at that time.
        assert_eq!(judge(&[publish(1, "a", 1, 3, 0)], &[], &[]), Ok(()));
        assert_eq!(judge(&[publish(1, "a", 18, 30, 0)], &[], &[]), Ok(()));
        assert!(judge(&[publish(1, "a", 21, 22, 1)], &[], &[]).is_err());
    }
}
