//! What commands ask of the connection layer, seen to once per turn.

use crate::shard::Shard;
use command::shipping::Shipment;
use command::state::Effect;

/// What is left for the caller, who owns the sockets and the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Close the connection now.
    Close(usize),
    /// Close one that has left so many bytes unread.
    CloseSlow(usize, usize),
    /// End the process; with `now`, without waiting for anything.
    Shutdown { now: bool },
    /// Carry this to another server, and tell the shard as [`crate::Message::Delivered`].
    Ship { op: u64, shipment: Box<Shipment> },
    /// The process was to end and does not, for the data could not be saved.
    CannotEnd,
    /// These directives have changed.
    ConfigChanged(Vec<&'static str>),
}

impl Shard {
    /// Connections that have been killed and not closed yet ask for nothing more, wait for nothing and listen to nothing: whoever killed
    /// them may know already.
    #[inline]
    pub(crate) fn silence_killed(&mut self) {
        if !self.cx.effects.is_empty() {
            self.silence_all_killed();
        }
    }

    #[cold]
    fn silence_all_killed(&mut self) {
        for at in 0..self.cx.effects.len() {
            match self.cx.effects[at] {
                Effect::Kill { conn } if self.conns[conn].open => {
                    self.conns[conn].closing = true;
                    self.expect_nothing(conn);
                }
                Effect::CloseAfterReply { conn } => self.conns[conn].closing = true,
                _ => {}
            }
        }
    }

    /// Does what the shard itself can do and returns the rest.
    pub fn take_requests(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        while !self.cx.effects.is_empty() {
            self.take_some(&mut requests);
        }
        requests
    }

    fn take_some(&mut self, requests: &mut Vec<Request>) {
        for effect in std::mem::take(&mut self.cx.effects) {
            match effect {
                Effect::CloseAfterReply { conn } => {
                    if let Some(session) = self.cx.sessions.get_mut(conn) {
                        session.close_after_reply = true;
                        self.sync_from_session(conn);
                        self.mark_dirty(conn);
                    }
                }
                Effect::Kill { conn } => requests.push(Request::Close(conn)),
                Effect::Overrun { conn, bytes } => requests.push(Request::CloseSlow(conn, bytes)),
                Effect::Shutdown { now } => requests.push(Request::Shutdown { now }),
                Effect::Ship { op, shipment } => requests.push(Request::Ship { op, shipment }),
                Effect::CannotEnd => requests.push(Request::CannotEnd),
                Effect::SaveAndEnd { conn, now, force } => self.save_and_end(conn, now, force),
                Effect::Closed { is_refused } => self.on_closed(is_refused),
                Effect::ConfigChanged(names) => requests.push(Request::ConfigChanged(names)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};

    /// What stands in one pipeline behind CLIENT KILL finds nothing of the victim, though its connection is closed later.
    #[test]
    fn who_is_killed_is_not_served() {
        for shards in [1, 2] {
            for in_block in [false, true] {
                let (mut trial, last) = (Trial::new(shards), shards - 1);
                let (killer, victim) = (trial.connect_to(0, 1), trial.connect_to(last.into(), 2));
                // On several shards, keys of both: the client's own shard decides.
                let (list, other) = (trial.key_on(last, "l"), trial.key_on(0, "m"));
                trial.send_to(last.into(), victim, &request(&["BLPOP", &list, &other, "0"]));
                trial.settle();
                let kill = request(&["CLIENT", "KILL", "ID", "2"]);
                let push = [request(&["LPUSH", &list, "x"]), request(&["LPUSH", &other, "y"])].concat();
                let asked = match in_block {
                    true => [&request(&["MULTI"]), &kill, &push, &request(&["EXEC"])[..]].concat(),
                    false => [&kill[..], &push].concat(),
                };
                trial.ask(killer, &asked);
                assert_eq!(
                    trial.ask(killer, &request(&["EXISTS", &list, &other])),
                    b":2\r\n",
                    "{shards} {in_block}"
                );
            }
        }
    }

    /// The same where victim and killer are of one shard and what the victim waits for is on another: that it waits no longer must be known
    /// there before what the killer writes arrives, though both leave in one turn.
    #[test]
    fn who_is_killed_is_not_served_elsewhere() {
        for shards in [2, 3, 4] {
            for key_on in 1..shards {
                let mut trial = Trial::new(shards);
                let (killer, victim) = (trial.connect_to(0, 1), trial.connect_to(0, 2));
                let key = trial.key_on(key_on, "l");
                trial.send_to(0, victim, &request(&["BLPOP", &key, "0"]));
                trial.settle();
                let lines = [&["CLIENT", "KILL", "ID", "2"][..], &["LPUSH", &key, "x"], &["EXISTS", &key]];
                trial.send(killer, &lines.map(request).concat());
                let mut own = Vec::new();
                while let Some((to, message)) = trial.take_mail() {
                    if to == 0 {
                        own.push(message);
                    } else {
                        trial.shards[to].on_message(message);
                        trial.publish(to);
                    }
                }
                own.into_iter().for_each(|message| trial.shards[0].on_message(message));
                trial.shards[0].resume();
                trial.publish(0);
                trial.settle();
                assert_eq!(trial.take_replies(killer), b":1\r\n:1\r\n:1\r\n", "{shards} {key_on}");
            }
        }
    }

    /// Events of keys cost nothing again once the last who listened has been killed.
    #[test]
    fn who_is_killed_does_not_listen() {
        let mut trial = Trial::new(1);
        let (killer, victim) = (trial.connect_to(0, 1), trial.connect_to(0, 2));
        trial.ask(killer, &request(&["CONFIG", "SET", "notify-keyspace-events", "KEA"]));
        trial.ask(victim, &request(&["PSUBSCRIBE", "__key*"]));
        assert!(trial.shards[0].cx.is_listening);
        trial.ask(killer, &request(&["CLIENT", "KILL", "ID", "2"]));
        assert!(!trial.shards[0].cx.is_listening);
    }

    #[test]
    fn who_kills_itself_asks_nothing_more() {
        for shards in [1, 2] {
            let mut trial = Trial::new(shards);
            let (killer, other) = (trial.connect_to(0, 1), trial.connect_to(0, 2));
            let kill = request(&["CLIENT", "KILL", "ID", "1", "SKIPME", "no"]);
            for key in [trial.key_on(0, "a"), trial.key_on(shards - 1, "b")] {
                let asked = [&kill[..], &request(&["SET", &key, "v"])].concat();
                trial.ask(killer, &asked);
                assert_eq!(trial.ask(other, &request(&["EXISTS", &key])), b":0\r\n", "{shards}");
            }
        }
    }
}
