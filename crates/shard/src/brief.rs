//! What a visitor may do for a shard that sleeps, beside short commands: the steps of operations of several shards, which take no longer. Keys are
//! locked and lent, come home and are free again, and the thread of their shard need not wake for that.
//!
//! A visitor runs nothing of the shard's own clients, which its thread will look for in vain, and no command that has waited for a lock,
//! for nobody knows how long that takes.
//! Who waits for what a key has when it comes home is served there and then, as with any command that a visitor runs.

use crate::gates::Want;
use crate::message::{Ask, Item, Message};
use crate::parking::Job;
use crate::shard::Shard;

/// Keys and words about them in a message that a visitor reads; with more, the thread of the shard may wake.
const KEYS_MAX: usize = 64;
/// Those who wait for locks that are looked at; with more, the thread of the shard may wake.
const WAITERS_MAX: usize = 64;

impl Shard {
    /// Whether an item of a batch from shard `from` is a step of another shard's operation that takes no time to speak of.
    pub fn is_brief_item(&self, from: u16, item: &Item) -> bool {
        let asks_for_keys = matches!(item.ask, Ask::Hold(_) | Ask::Open(_));
        asks_for_keys && from != self.cx.id && item.spans.1 as usize <= KEYS_MAX
    }

    /// The same of a message; how many keys it is about.
    pub fn brief_keys(&self, message: &Message) -> Option<usize> {
        let (home, keys) = match message {
            Message::Release { home, keys, changes, .. } => (*home, keys.len().max(changes.len())),
            Message::Want { home, want: Want::Keys { keys, .. }, .. } => (*home, keys.len()),
            _ => return None,
        };
        let is_brief = home != self.cx.id && keys <= KEYS_MAX && !self.has_waiting_work();
        is_brief.then_some(1 + keys)
    }

    /// Whether somebody waits for a lock here who would run a command here once that is free.
    fn has_waiting_work(&self) -> bool {
        let here = self.cx.id;
        let is_work = |job: &Job| match job {
            Job::Hold { home, .. } | Job::Gate { home, .. } | Job::Want { home, .. } => *home == here,
            Job::Share | Job::Claim { .. } => false,
            Job::Command(_) | Job::Slice(_) | Job::Steps(_) | Job::ServeKey { .. } | Job::Serve { .. } => {
                true
            }
        };
        self.locks.may_have_waiting(WAITERS_MAX, is_work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, request};

    /// The next message, for which shard it is, and whether a visitor would run it there.
    fn next(trial: &mut Trial) -> (usize, Message, bool) {
        let (to, message) = trial.take_mail().expect("there is mail");
        let shard = &trial.shards[to];
        let is_brief = match &message {
            Message::Commands(batch) => {
                batch.commands().all(|item| item.ask.runs() || shard.is_brief_item(batch.from, item))
            }
            other => shard.brief_keys(other).is_some(),
        };
        (to, message, is_brief)
    }

    fn deliver(trial: &mut Trial, to: usize, message: Message) {
        trial.shards[to].on_message(message);
        trial.publish(to);
    }

    /// Delivers what there is up to the message that ends the operation of shard 0.
    fn until_release(trial: &mut Trial) -> (usize, Message, bool) {
        loop {
            match next(trial) {
                (to, message @ Message::Release { .. }, is_brief) => return (to, message, is_brief),
                (to, message, is_brief) => {
                    let is_request = matches!(message, Message::Commands(_));
                    assert!(!is_request || is_brief == (to != 0), "its own keys are its own thread's affair");
                    deliver(trial, to, message);
                }
            }
        }
    }

    #[test]
    fn keys_are_lent_and_come_home_while_their_shard_sleeps() {
        let mut trial = Trial::new(2);
        let (conn, here, there) = (trial.connect(), trial.key_on(0, "here"), trial.key_on(1, "there"));
        trial.ask(conn, &request(&["SET", &here, "v"]));
        trial.send(conn, &request(&["RENAME", &here, &there]));
        let (to, release, is_brief) = until_release(&mut trial);
        assert_eq!((to, is_brief), (1, true));
        deliver(&mut trial, to, release);
        trial.settle();
        assert_eq!(trial.take_replies(conn), b"+OK\r\n");
    }

    /// Nobody else runs what a client has asked for: it is not known how long that takes.
    #[test]
    fn who_waits_for_the_keys_has_them_given_back_by_their_own_thread() {
        let mut trial = Trial::new(2);
        let (conn, other) = (trial.connect(), trial.connect_to(1, 2));
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
        trial.ask(conn, &request(&["SET", &here, "v"]));
        trial.send(conn, &request(&["RENAME", &here, &there]));
        let (to, hold, _) = loop {
            match next(&mut trial) {
                (0, message, _) => deliver(&mut trial, 0, message),
                other => break other,
            }
        };
        deliver(&mut trial, to, hold);
        trial.send_to(1, other, &request(&["GET", &there]));
        let (to, release, is_brief) = until_release(&mut trial);
        assert_eq!((to, is_brief), (1, false));
        deliver(&mut trial, to, release);
        trial.settle();
        assert_eq!(trial.take_replies_of(1, other), b"$1\r\nv\r\n");
    }
}
