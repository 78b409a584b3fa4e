//! A connection: bytes not yet parsed, replies not yet sent, and the order between them.
//!
//! Invariant: replies leave in the order of the requests. While nothing is outstanding, replies are written straight to
//! `out`; otherwise each request has a slot, and `out` gets a slot's reply once all before it have theirs.

use crate::large::Large;
use crate::steering::Pull;
use command::session::ReplyMode;
use command::{Command, OwnArgs};
use resp::{Reply, RequestParser};
use std::collections::VecDeque;

/// A reply's place in the order.
enum Slot {
    /// Asked elsewhere; `discard` when CLIENT REPLY says that nobody wants it.
    Waiting { discard: bool },
    /// Here, but one before it is not.
    Held(Reply),
}

#[derive(Default)]
pub struct Conn {
    pub generation: u32,
    pub open: bool,
    pub parser: RequestParser,
    /// Beginning of a request whose end has not come yet.
    pub input: Vec<u8>,
    /// Its large arguments, which are kept apart.
    pub large: Option<Box<Large>>,
    /// Replies in order, to be sent.
    pub out: Reply,
    slots: VecDeque<Slot>,
    first_seq: u64,
    /// Requests in flight in this shard's own mailbox, or with a part there.
    pub through_own_mailbox: u32,
    /// Writes in flight on other shards.
    pub writes_elsewhere: u32,
    /// No more input is read: the replies so far are sent, then the connection is closed.
    pub closing: bool,
    /// Already in the list of connections to flush this turn.
    pub dirty: bool,
    /// Input waits until all outstanding replies are there.
    pub fenced: bool,
    /// Bytes known to be missing of the request at hand (a lower bound).
    pub missing: usize,
    /// Copies of what the session says, for every command looks at them.
    pub db: u16,
    pub resp3: bool,
    pub authenticated: bool,
    pub replies: ReplyMode,
    pub commands: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    /// When it last sent something, unix ms.
    pub last_active_ms: u64,
    /// Commands held back by CLIENT PAUSE.
    pub postponed: VecDeque<OwnArgs>,
    pub last_command: Option<&'static Command>,
    /// Which other shard serves most of it.
    pub pull: Pull,
    /// Already in the list of connections that want to move.
    pub moving: bool,
}

impl Conn {
    /// An unused connection slot, or one in use, of a generation.
    pub fn new(generation: u32, open: bool) -> Self {
        Self { generation, open, ..Self::default() }
    }

    /// Whether requests are read now.
    #[inline]
    pub fn takes_input(&self) -> bool {
        self.open && !self.closing && !self.fenced && self.postponed.is_empty()
    }

    /// Whether a command on a key of this shard may run at once, and write its reply straight to `out`.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.open
            && !self.closing
            && self.authenticated
            && self.is_in_order()
            && self.replies == ReplyMode::On
    }

    /// Whether nothing of it is under way: no input begun, no reply owed or unsent.
    pub fn is_quiet(&self) -> bool {
        self.takes_input()
            && self.input.is_empty()
            && self.slots.is_empty()
            && self.out.is_empty()
            && self.postponed.is_empty()
            && !self.parser.in_progress()
            && self.replies == ReplyMode::On
    }

    /// Whether the next reply may be written straight to `out`.
    #[inline]
    pub fn is_in_order(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of input that have not been executed.
    pub fn input_bytes(&self) -> usize {
        let postponed: usize = self.postponed.iter().map(OwnArgs::len_bytes).sum();
        self.input.len() + self.large.as_ref().map_or(0, |large| large.len_bytes()) + postponed
    }

    /// Requests whose replies are outstanding.
    pub fn outstanding(&self) -> usize {
        self.slots.len()
    }

    /// Reserves the next place in the order for a reply that will come; its sequence number.
    pub fn expect(&mut self, discard: bool) -> u64 {
        self.slots.push_back(Slot::Waiting { discard });
        self.first_seq + self.slots.len() as u64 - 1
    }

    /// Appends a reply that is here already, behind the outstanding ones.
    pub fn hold(&mut self, reply: Reply) {
        self.slots.push_back(Slot::Held(reply));
    }

    /// Bytes that are no reply but come between replies: MONITOR lines.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.is_in_order() {
            return self.out.raw(bytes);
        }
        let mut held = Reply::new(self.resp3);
        held.raw(bytes);
        self.hold(held);
    }

    /// The reply of request `seq` has come. `write` puts it at the end of the reply it is given.
    pub fn fulfil(&mut self, seq: u64, write: impl FnOnce(&mut Reply)) {
        let index = (seq - self.first_seq) as usize;
        let Some(Slot::Waiting { discard }) = self.slots.get(index) else {
            panic!("reply {seq} was not awaited");
        };
        let discard = *discard;
        if index == 0 {
            self.slots.pop_front();
            self.first_seq += 1;
            if !discard {
                write(&mut self.out);
            }
            self.advance();
            return;
        }
        let mut reply = Reply::new(self.out.resp3);
        if !discard {
            write(&mut reply);
        }
        self.slots[index] = Slot::Held(reply);
    }

    fn advance(&mut self) {
        while let Some(Slot::Held(_)) = self.slots.front() {
            let Some(Slot::Held(mut reply)) = self.slots.pop_front() else { unreachable!() };
            self.first_seq += 1;
            self.out.append(&mut reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_leave_in_the_order_of_requests() {
        let mut conn = Conn::default();
        let first = conn.expect(false);
        let second = conn.expect(false);
        let mut held = Reply::new(false);
        held.int(3);
        conn.hold(held);
        conn.fulfil(second, |r| r.int(2));
        assert!(conn.out.is_empty());
        conn.fulfil(first, |r| r.int(1));
        assert_eq!(conn.out.buf, b":1\r\n:2\r\n:3\r\n");
        assert!(conn.is_in_order());
        let third = conn.expect(true);
        conn.fulfil(third, |r| r.int(4));
        assert_eq!(conn.out.buf, b":1\r\n:2\r\n:3\r\n");
    }
}
