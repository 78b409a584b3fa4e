//! What a visitor runs for a shard that sleeps, whose thread need not wake for that: short commands, replies that go out alone, and the steps of
//! operations of several shards, which take no longer: keys are locked and lent, come home and are free again.
//!
//! A visitor runs nothing of the shard's own clients, which its thread will look for in vain, and no command that has waited for a lock,
//! for nobody knows how long that takes. Who waits for what a key has when it comes home is served there and then, as with any command that a
//! visitor runs.
//!
//! The server and the simulator ask the same [`Shard::is_for_visitors`].

use crate::gates::Want;
use crate::message::{Ask, Batch, Item, Message};
use crate::parking::Job;
use crate::shard::Shard;
use command::Plan;
use command::spec::{Merge, flag};

/// Commands that one visit runs; with more, two threads at work are worth a wake-up. So many take some ten microseconds.
pub const VISIT_COMMANDS_MAX: usize = 256;
/// Arguments and their bytes in a message that a visit runs: what takes much to say takes long to do.
const ARGS_MAX: usize = 8 * VISIT_COMMANDS_MAX;
const ARG_BYTES_MAX: usize = 32 * 1024;
/// To send a reply takes as long as so many commands.
const COMMANDS_PER_REPLY: usize = 64;

/// Keys and words about them in a message that a visitor reads; with more, the thread of the shard may wake.
const KEYS_MAX: usize = 64;
/// Those who wait for locks that are looked at; with more, the thread of the shard may wake.
const WAITERS_MAX: usize = 64;

/// What a message is for a visitor who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand {
    /// As many commands take as long.
    pub commands: usize,
    /// The data may change.
    pub writes: bool,
}

impl Errand {
    const A_REPLY: Self = Self { commands: COMMANDS_PER_REPLY, writes: false };
}

impl Shard {
    /// Whether a visitor runs a message for this shard while it sleeps; if not, it and all behind it are left to the shard's own thread.
    pub fn is_for_visitors(&self, message: &Message) -> Option<Errand> {
        match message {
            Message::Commands(batch) => self.are_commands_for_visitors(batch),
            Message::Replies(batch) => self.are_replies_for_visitors(batch),
            other => self.is_word_for_visitors(other),
        }
    }

    /// The same of commands: there are nothing but short ones.
    #[inline]
    pub fn are_commands_for_visitors(&self, batch: &Batch) -> Option<Errand> {
        let is_large = batch.spans.len() > ARGS_MAX || batch.args.len() > ARG_BYTES_MAX;
        let is_alone = batch.earlier.is_none() && batch.news.is_none() && batch.outside.is_empty();
        if is_large || !is_alone {
            return None;
        }
        let mut writes = false;
        for item in &batch.items {
            if !is_short(item) && !self.is_brief_item(batch.from, item) {
                return None;
            }
            writes |= item.command.may_write();
        }
        Some(Errand { commands: batch.items.len(), writes })
    }

    /// The same of commands that have come back with their replies.
    pub fn are_replies_for_visitors(&self, batch: &Batch) -> Option<Errand> {
        self.are_replies_alone(batch).then_some(Errand::A_REPLY)
    }

    /// The same of any other message.
    pub fn is_word_for_visitors(&self, message: &Message) -> Option<Errand> {
        match self.brief_keys(message) {
            Some(commands) => Some(Errand { commands, writes: true }),
            None => self.is_reply_alone(message).then_some(Errand::A_REPLY),
        }
    }

    /// Whether an item of a batch from shard `from` is a step of another shard's operation that takes no time to speak of.
    fn is_brief_item(&self, from: u16, item: &Item) -> bool {
        let asks_for_keys = matches!(item.ask, Ask::Hold(_) | Ask::Open(_));
        asks_for_keys && from != self.cx.id && item.spans.1 as usize <= KEYS_MAX
    }

    /// The same of a message; how many keys it is about.
    fn brief_keys(&self, message: &Message) -> Option<usize> {
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

/// Whether a command, or its share on one shard, takes little time if it has few arguments.
fn is_short(item: &Item) -> bool {
    let command = item.command;
    let is_brief =
        command.flags & (flag::SHORT | flag::FAST) != 0 || matches!(command.plan, Plan::Split(Merge::Ok));
    let takes_many = command.flags & flag::COUNTED != 0 && item.spans.1 > 2;
    item.ask.runs() && is_brief && !takes_many
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, request};

    /// The next message, for which shard it is, and whether a visitor would run it there.
    fn next(trial: &mut Trial) -> (usize, Message, bool) {
        let (to, message) = trial.take_mail().expect("there is mail");
        let is_brief = trial.shards[to].is_for_visitors(&message).is_some();
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
