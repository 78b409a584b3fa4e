//! Replies that wait until it is settled who gets what their commands have brought.
//!
//! Who waits for keys of several shards is served once its own shard has agreed. If whoever pushed had its reply before, it could push to another shard's
//! key, and that shard could be quicker with the same client: the later element would go to the client that came first. In Redis clients have been served
//! when the reply to the push is there; so here, too: the reply waits until no claim to the key is open. Until then the key is locked and
//! nobody pushes to it, so that takes no longer than what was pushed lasts.
//!
//! Not withheld: replies of commands that had to wait for a lock, and of operations of several shards.

use crate::message::Ask;
use crate::shard::Shard;
use crate::waiting::Claim;
use command::Command;
use command::change::DbKey;
use resp::Reply;
use std::collections::{HashMap, HashSet};

/// A reply that is ready.
enum Withheld {
    /// It will be sent by itself.
    Apart { home: u16, ask: Ask, command: &'static Command, reply: Reply },
    /// It stands in the output of a connection of this shard, which is not sent meanwhile; with the connection's generation.
    InPlace(usize, u32),
}

#[derive(Default)]
pub(crate) struct Withholding {
    /// Keys with a claim that is not settled.
    open: HashSet<DbKey>,
    /// By number, each with how many keys it still waits for.
    replies: HashMap<u64, (usize, Withheld)>,
    next: u64,
    /// Those that wait for a key, in the order in which they came.
    waiting: HashMap<DbKey, Vec<u64>>,
    /// The claims of the command at hand are looked for; the keys that it has claimed.
    is_looking: bool,
    claimed: Vec<DbKey>,
}

impl Withholding {
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// A reply waits for these keys, each named once.
    fn keep(&mut self, keys: Vec<DbKey>, withheld: Withheld) {
        self.replies.insert(self.next, (keys.len(), withheld));
        keys.into_iter().for_each(|key| self.waiting.entry(key).or_default().push(self.next));
        self.next += 1;
    }

    /// One of the keys that a reply waits for is settled; the reply if that was the last.
    fn settle_one(&mut self, number: u64) -> Option<Withheld> {
        let (left, _) = self.replies.get_mut(&number)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.replies.remove(&number).map(|(_, withheld)| withheld)
    }

    /// A key is claimed for an operation.
    pub fn note_claim(&mut self, db: u16, key: &[u8]) {
        let key = (db, key.to_vec());
        if self.is_looking && !self.claimed.contains(&key) {
            self.claimed.push(key.clone());
        }
        self.open.insert(key);
    }
}

impl Shard {
    /// As [`Shard::after_command`]; the keys of which it is not settled yet who gets what the command has brought there.
    pub(crate) fn after_claiming_command(&mut self) -> Vec<DbKey> {
        self.withholding.is_looking = true;
        self.after_command();
        self.withholding.is_looking = false;
        std::mem::take(&mut self.withholding.claimed)
    }

    /// A command that had its reply written to `out` from `mark` on, for a connection of shard `home`, has to wait with it.
    #[cold]
    pub(crate) fn withhold(
        &mut self,
        keys: Vec<DbKey>,
        (home, ask, command): (u16, Ask, &'static Command),
        (out, mark): (&mut Reply, (usize, usize)),
    ) {
        let mut reply = Reply::new(out.resp3);
        reply.append_part(out, mark.0..out.buf.len());
        out.rewind(mark);
        self.withholding.keep(keys, Withheld::Apart { home, ask, command, reply });
    }

    /// The same for a connection of this shard.
    #[cold]
    pub(crate) fn withhold_in_place(&mut self, keys: Vec<DbKey>, index: usize) {
        let conn = &mut self.conns[index];
        conn.withheld += 1;
        // As if it were in the list already, so nobody puts it there.
        conn.dirty = true;
        let withheld = Withheld::InPlace(index, conn.generation);
        // Most often it has come just now.
        match self.dirty_conns.last() {
            Some(&last) if last as usize == index => drop(self.dirty_conns.pop()),
            _ => self.dirty_conns.retain(|other| *other as usize != index),
        }
        self.withholding.keep(keys, withheld);
    }

    /// These claims are settled; the names of their keys.
    pub(super) fn close_claims(&mut self, claims: &[Claim]) -> Vec<DbKey> {
        let keys = claims.iter().map(|claim| {
            let (db, key) = self.cx.awaited.name(claim.key);
            (db, key.to_vec())
        });
        let keys: Vec<DbKey> = keys.collect();
        for key in &keys {
            self.withholding.open.remove(key);
        }
        keys
    }

    /// Sends the replies that have waited for claims to these keys, unless there are others now.
    pub(super) fn send_withheld(&mut self, keys: &[DbKey]) {
        if self.withholding.is_empty() {
            return;
        }
        for key in keys {
            if self.withholding.open.contains(key) || self.to_serve.contains(key) {
                continue;
            }
            for number in self.withholding.waiting.remove(key).unwrap_or_default() {
                match self.withholding.settle_one(number) {
                    Some(Withheld::Apart { home, ask, command, reply }) => {
                        self.answer(home, ask, command, reply)
                    }
                    Some(Withheld::InPlace(index, generation)) => self.send_in_place(index, generation),
                    None => {}
                }
            }
        }
    }

    fn send_in_place(&mut self, index: usize, generation: u32) {
        let conn = &mut self.conns[index];
        if conn.generation != generation {
            return;
        }
        conn.withheld -= 1;
        if conn.withheld == 0 {
            conn.dirty = false;
            self.mark_dirty(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};
    use base::random::Random;

    const WAITERS: usize = 6;

    /// Each push waits for the reply to the one before, and for nothing else; messages arrive in any order.
    fn push_in_order(seed: u64, pusher_at: usize) {
        let mut random = Random::from_seed(seed);
        let mut trial = Trial::new(3);
        let keys: Vec<String> = (0..3).map(|shard| trial.key_on(shard, "list")).collect();
        let waiters: Vec<(usize, usize)> = (0..WAITERS)
            .map(|number| {
                let shard = random.index(3);
                (shard, trial.connect_to(shard, number as u64 + 1))
            })
            .collect();
        for &(shard, waiter) in &waiters {
            trial.send_to(shard, waiter, &request(&["BLPOP", &keys[0], &keys[1], &keys[2], "0"]));
            trial.settle();
        }
        let pusher = trial.connect_to(pusher_at, 100);
        for number in 0..WAITERS {
            let push = request(&["RPUSH", &keys[random.index(3)], &number.to_string()]);
            trial.send_to(pusher_at, pusher, &push);
            let is_answered = |trial: &Trial| {
                let conn = &trial.shards[pusher_at].conns[pusher];
                conn.withheld == 0 && !conn.out.is_empty()
            };
            while !is_answered(&trial) {
                assert!(trial.mail.messages().count() > 0 || trial.go_on(), "seed {seed}: there is no reply");
                trial.deliver_any(&mut random);
            }
            assert_eq!(trial.take_replies_of(pusher_at, pusher), b":1\r\n");
        }
        trial.settle();
        for (number, (shard, waiter)) in waiters.into_iter().enumerate() {
            let reply = trial.take_replies_of(shard, waiter);
            let value = format!("\r\n$1\r\n{number}\r\n");
            assert!(reply.ends_with(value.as_bytes()), "seed {seed}: waiter {number} got {reply:?}");
        }
    }

    #[test]
    fn who_waits_for_keys_of_several_shards_is_served_in_order() {
        for seed in 0..300 {
            push_in_order(seed, seed as usize % 3);
        }
    }

    /// Each of two keys is claimed for another operation: neither is enough.
    #[test]
    fn a_reply_waits_for_all_keys_that_its_command_has_pushed_to() {
        let mut trial = Trial::new(2);
        let [one, other, there] =
            [(0, "one"), (0, "other"), (1, "there")].map(|(shard, name)| trial.key_on(shard, name));
        for (id, key) in [(1, &one), (2, &other)] {
            let waiter = trial.connect_to(1, id);
            trial.send_to(1, waiter, &request(&["BLPOP", key, &there, "0"]));
            trial.settle();
        }
        let pusher = trial.connect_to(0, 3);
        let words = [&["MULTI"][..], &["RPUSH", &one, "v"], &["RPUSH", &other, "v"], &["EXEC"]];
        trial.send(pusher, &words.map(request).concat());
        let mut random = Random::from_seed(1);
        while !trial.shards[0].withholding.open.is_empty() {
            assert_eq!(trial.shards[0].conns[pusher].withheld, 1);
            assert!(trial.mail.messages().count() > 0 || trial.go_on(), "it is never settled");
            trial.deliver_any(&mut random);
        }
        trial.settle();
        assert_eq!(trial.shards[0].conns[pusher].withheld, 0);
        assert_eq!(trial.take_replies(pusher), b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
    }

    /// Nobody sends more for a client that has gone, and another one in its place is answered.
    #[test]
    fn a_connection_that_ends_while_its_reply_is_withheld_leaves_nothing_behind() {
        let mut trial = Trial::new(2);
        let (here, there) = (trial.key_on(0, "here"), trial.key_on(1, "there"));
        let (waiter, pusher) = (trial.connect_to(1, 1), trial.connect_to(0, 2));
        trial.send_to(1, waiter, &request(&["BLPOP", &here, &there, "0"]));
        trial.settle();
        trial.send(pusher, &request(&["RPUSH", &here, "v"]));
        assert_eq!(trial.shards[0].conns[pusher].withheld, 1);
        assert!(!trial.shards[0].dirty_conns.contains(&(pusher as u32)));
        trial.close(0, pusher);
        let next = trial.connect_to(0, 3);
        assert_eq!(next, pusher);
        assert_eq!(trial.ask(next, &request(&["LLEN", &here])), b":0\r\n");
        assert_eq!(trial.shards[0].conns[next].withheld, 0);
        assert!(trial.take_replies_of(1, waiter).starts_with(b"*2\r\n"));
    }
}
