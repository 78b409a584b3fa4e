//! A connection: bytes not yet parsed, replies not yet sent, and the order between them.
//!
//! Invariant: replies leave in the order of the requests. While nothing is outstanding, replies are written straight to
//! `out`; otherwise each request has a slot, and `out` gets a slot's reply once all before it have theirs. Until then it
//! stands in `held`, which all slots share, unless it has values that are sent from where they lie.

use crate::large::Large;
use crate::message::{OpId, Ticket, mark};
use crate::steering::Pull;
use crate::transaction::Transaction;
use crate::unread::Unread;
use command::session::ReplyMode;
use command::state::Parsing;
use command::tracking::{ClientRef, Tracker};
use command::{Command, OwnArgs};
use resp::{Reply, RequestParser};
use std::collections::VecDeque;
use std::ops::Range;

/// A reply's place in the order.
enum Slot {
    /// Asked elsewhere; `discard` when CLIENT REPLY says that nobody wants it. `is_partial`: some of it may be here.
    Waiting { discard: bool, is_partial: bool },
    /// In this range of `held`: here, but one before it is not.
    Held(Range<usize>),
    /// The same for a reply with shared values, which stands by itself.
    Apart(Box<Reply>),
}

/// Bytes in `held` that nobody waits for any more, before the rest is moved together; and room that is kept for later.
const HELD_DEAD_BYTES_MAX: usize = 64 * 1024;

/// Where a connection's blocking command waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockedAt {
    /// On the shard of its keys, which decides on it.
    Shard(u16, Ticket),
    /// On several; it is decided here.
    Operation(OpId),
}

#[derive(Default)]
pub struct Conn {
    pub generation: u32,
    pub open: bool,
    pub parser: RequestParser,
    /// Requests that have not run, the last of which may not have come wholly.
    pub input: Unread,
    /// Its large arguments, which are kept apart.
    pub large: Option<Box<Large>>,
    /// Replies in order, to be sent.
    pub out: Reply,
    slots: VecDeque<Slot>,
    first_seq: u64,
    held: Reply,
    /// Slots with a reply in `held`, and bytes there that belong to none.
    held_slots: usize,
    held_dead_bytes: usize,
    /// Bytes of replies that stand apart.
    apart_bytes: usize,
    /// What is to be sent behind the reply with a number, ascending.
    between: VecDeque<(u64, Vec<u8>)>,
    between_bytes: usize,
    /// The publication with which requests of a client that caches went to other shards last, and the reply to the first of them.
    asked: (u64, u64),
    /// Requests in flight in this shard's own mailbox, or with a part there.
    pub through_own_mailbox: u32,
    /// Writes in flight on other shards.
    pub writes_elsewhere: u32,
    /// No more input is read: the replies so far are sent, then the connection is closed.
    pub closing: bool,
    /// Some bytes of `out` are sent.
    pub sent_in_part: bool,
    /// Already in the list of connections to flush this turn.
    pub dirty: bool,
    /// It is there for messages and nothing else: they may wait until others have their replies.
    pub has_only_messages: bool,
    /// Replies in `out` that wait until it is settled who gets what was brought: nothing of it is sent meanwhile.
    pub(crate) withheld: u32,
    /// Input waits until all outstanding replies are there.
    pub fenced: bool,
    /// Its command waits for a key; it is fenced meanwhile.
    pub blocked: Option<BlockedAt>,
    /// Input waits for its turn in [`crate::Shard::resume`].
    pub(crate) resumes: bool,
    /// The client sends no more: when the input that waits has run, the connection is closing.
    pub ended: bool,
    /// The turn in which it was read last, by whoever reads.
    pub read_in_turn: u64,
    /// Copies of what the session says, for every command looks at them.
    pub db: u16,
    pub resp3: bool,
    pub authenticated: bool,
    /// It may send any command: the client is known, and not in the state of RESP2 where it has subscriptions.
    pub takes_all: bool,
    pub subscribed: bool,
    pub replies: ReplyMode,
    pub no_touch: bool,
    pub tracker: Tracker,
    /// CLIENT CACHING has been said, which ends with the next command.
    pub(crate) is_excepted: bool,
    pub commands: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    /// Reads that brought something.
    pub reads: u64,
    pub parsing: Parsing,
    /// When it last sent or took something, unix ms.
    pub last_active_ms: u64,
    /// Commands held back by CLIENT PAUSE and its kind (`shard::pause`).
    pub postponed: VecDeque<OwnArgs>,
    pub last_command: Option<&'static Command>,
    /// What MULTI and WATCH have begun.
    pub(crate) transaction: Option<Box<Transaction>>,
    /// Which other shard serves most of it.
    pub pull: Pull,
    /// Already in the list of connections that want to move.
    pub moving: bool,
    /// Whether it is read late, for it adds vectors while too many are not linked.
    pub slowing: Slowing,
}

/// Whether a connection is read at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slowing {
    #[default]
    No,
    /// It is not to be read any more.
    Marked,
    /// It stands in the line of those that wait to be read again.
    InLine,
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

    /// Whether there may be requests that wait for something other than input.
    pub fn holds_back(&self) -> bool {
        self.fenced || self.resumes || !self.postponed.is_empty()
    }

    /// Whether a command on a key of this shard may run at once, and write its reply straight to `out`.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.transaction.is_none() && self.awaits_nothing()
    }

    /// Whether it may send what it likes, and is answered as others are.
    #[inline]
    fn is_ordinary(&self) -> bool {
        self.open && !self.closing && self.takes_all && self.replies == ReplyMode::On && !self.is_excepted
    }

    /// Whether it may send what it likes, and what comes now is answered straight to `out`.
    #[inline]
    pub(crate) fn awaits_nothing(&self) -> bool {
        self.is_ordinary() && self.is_in_order()
    }

    /// Whether nothing of its output may be sent: it is not settled yet who gets what it has pushed.
    #[inline]
    pub fn is_withheld(&self) -> bool {
        self.withheld > 0
    }

    /// Whether any command on a key goes on its way at once, and its reply is one like others; it may have to wait for those before it.
    #[inline]
    pub(crate) fn lets_all_pass(&self) -> bool {
        self.is_ordinary() && !self.fenced && self.postponed.is_empty()
    }

    /// How its commands are marked on their way to other shards, and who it is.
    #[inline]
    pub(crate) fn marks(&self) -> (u8, ClientRef) {
        let mut marks = u8::from(self.no_touch);
        if self.tracker.is_on {
            marks |= mark::TRACKS;
            marks |= if self.tracker.reads { mark::TRACKS_READS } else { 0 };
            marks |= if self.tracker.is_deaf { mark::IS_DEAF } else { 0 };
        }
        (marks, self.tracker.client)
    }

    /// Whether nothing of it is under way: no input begun, no reply owed or unsent.
    pub fn is_quiet(&self) -> bool {
        self.takes_input()
            && !self.is_withheld()
            && self.input.is_empty()
            && self.slots.is_empty()
            && self.out.is_empty()
            && self.postponed.is_empty()
            && !self.parser.in_progress()
            && self.transaction.is_none()
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

    /// Bytes of the commands that a transaction has queued.
    pub fn queued_bytes(&self) -> usize {
        self.transaction.as_ref().map_or(0, |transaction| transaction.bytes())
    }

    /// Bytes of replies that wait for others to be sent before them.
    pub fn held_bytes(&self) -> usize {
        self.held.buf.len() - self.held_dead_bytes + self.apart_bytes + self.between_bytes
    }

    /// Requests whose replies are outstanding.
    pub fn outstanding(&self) -> usize {
        self.slots.len()
    }

    /// Whether everything before request `seq` has been answered, and that has not.
    pub fn is_next(&self, seq: u64) -> bool {
        self.first_seq == seq && self.awaits(seq)
    }

    /// Whether the reply of request `seq` is still to come.
    pub fn awaits(&self, seq: u64) -> bool {
        let index = seq.checked_sub(self.first_seq).map(|index| index as usize);
        index.is_some_and(|index| matches!(self.slots.get(index), Some(Slot::Waiting { .. })))
    }

    /// Reserves the next place in the order for a reply that will come; its sequence number.
    pub fn expect(&mut self, discard: bool) -> u64 {
        self.slots.push_back(Slot::Waiting { discard, is_partial: false });
        self.first_seq + self.slots.len() as u64 - 1
    }

    /// The reply expected last will be put together here of parts that come one by one.
    pub(crate) fn expect_parts(&mut self) {
        if let Some(Slot::Waiting { is_partial, .. }) = self.slots.back_mut() {
            *is_partial = true;
        }
    }

    /// The reply expected last will be to a request that goes with a publication of this number.
    pub(crate) fn asks_with(&mut self, publication: u64) {
        if self.asked.0 != publication {
            self.asked = (publication, self.first_seq + self.slots.len() as u64 - 1);
        }
    }

    /// The reply with this number, and all behind it, will be to requests that go with a publication of a later number than was said.
    pub(crate) fn asks_from(&mut self, publication: u64, seq: u64) {
        if self.asked.0 < publication {
            self.asked = (publication, seq);
        }
    }

    /// Bytes that tell what makes replies out of date: they go behind all that have come, also in part, and before all that have not.
    /// What was asked with a publication after number `seen` may have been answered by who knew of it, so they go before that: nothing
    /// from there on can be out of date.
    pub fn push_between(&mut self, bytes: &[u8], seen: u64) {
        let older = match self.asked {
            (publication, seq) if publication > seen => seq.saturating_sub(self.first_seq) as usize,
            _ => self.slots.len(),
        };
        let is_there = |slot: &Slot| !matches!(slot, Slot::Waiting { is_partial: false, .. });
        let Some(index) = self.slots.iter().take(older).rposition(is_there) else {
            return self.out.raw(bytes);
        };
        let seq = self.first_seq + index as u64;
        self.between_bytes += bytes.len();
        let place = self.between.partition_point(|(behind, _)| *behind < seq);
        match self.between.get_mut(place) {
            Some((behind, before)) if *behind == seq => before.extend_from_slice(bytes),
            _ => self.between.insert(place, (seq, bytes.to_vec())),
        }
    }

    /// The reply before `first_seq` has its place in `out`: what stands behind it follows.
    #[inline]
    fn take_between(&mut self) {
        if !self.between.is_empty() {
            self.append_between();
        }
    }

    #[cold]
    fn append_between(&mut self) {
        while let Some((seq, bytes)) = self.between.pop_front() {
            if seq >= self.first_seq {
                return self.between.push_front((seq, bytes));
            }
            self.between_bytes -= bytes.len();
            self.out.raw(&bytes);
        }
    }

    /// A reply that is here already, behind the outstanding ones: `write` puts it at the end of the reply it is given.
    /// Without a reply there is no slot.
    #[inline]
    pub fn hold<R>(&mut self, write: impl FnOnce(&mut Reply) -> R) -> R {
        let start = self.held.buf.len();
        let result = write(&mut self.held);
        if self.held.buf.len() > start {
            let slot = self.take_held(start);
            self.slots.push_back(slot);
        }
        result
    }

    /// The slot of the reply that has been written to `held` from `start` on.
    #[inline]
    fn take_held(&mut self, start: usize) -> Slot {
        if !self.held.blobs.is_empty() {
            return self.take_apart(start);
        }
        self.held_slots += 1;
        Slot::Held(start..self.held.buf.len())
    }

    #[cold]
    fn take_apart(&mut self, start: usize) -> Slot {
        let mut reply = Reply::new(self.held.resp3);
        reply.append_part(&self.held, start..self.held.buf.len());
        self.held.rewind((start, 0));
        self.apart_bytes += reply.len();
        Slot::Apart(Box::new(reply))
    }

    /// A reply that is complete, in its place.
    pub(crate) fn hold_or_send(&mut self, reply: &mut Reply) {
        if self.is_in_order() {
            self.out.append(reply);
        } else {
            self.hold(|held| held.append(reply));
        }
    }

    /// Bytes that are no reply but come between replies, behind all that have come: MONITOR lines, pushes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.has_held() {
            return self.hold(|held| held.raw(bytes));
        }
        self.out.raw(bytes);
    }

    /// Whether replies have come that must not be sent yet.
    #[inline]
    pub(crate) fn has_held(&self) -> bool {
        self.held_slots > 0 || self.apart_bytes > 0
    }

    /// The reply of request `seq` has come. `write` puts it at the end of the reply it is given.
    pub fn fulfil(&mut self, seq: u64, write: impl FnOnce(&mut Reply)) {
        let index = (seq - self.first_seq) as usize;
        let Some(Slot::Waiting { discard, .. }) = self.slots.get(index) else {
            panic!("reply {seq} was not awaited");
        };
        let discard = *discard;
        if index == 0 {
            self.slots.pop_front();
            self.first_seq += 1;
            if !discard {
                write(&mut self.out);
            }
            self.take_between();
            self.advance();
            return;
        }
        let start = self.held.buf.len();
        if !discard {
            write(&mut self.held);
        }
        self.slots[index] = self.take_held(start);
    }

    /// Moves the replies to `out` that nothing stands before any more.
    fn advance(&mut self) {
        while let Some(slot) = self.slots.pop_front() {
            match slot {
                Slot::Held(range) => {
                    self.held_dead_bytes += range.len();
                    self.held_slots -= 1;
                    self.out.raw(&self.held.buf[range]);
                }
                Slot::Apart(mut reply) => {
                    self.apart_bytes -= reply.len();
                    self.out.append(&mut reply);
                }
                Slot::Waiting { .. } => {
                    self.slots.push_front(slot);
                    break;
                }
            }
            self.first_seq += 1;
            self.take_between();
        }
        if self.held_slots == 0 {
            self.held.clear();
            self.held.buf.shrink_to(HELD_DEAD_BYTES_MAX);
            self.held_dead_bytes = 0;
        } else if self.held_dead_bytes > HELD_DEAD_BYTES_MAX.max(self.held.buf.len() - self.held_dead_bytes) {
            self.move_together();
        }
    }

    /// Rids `held` of what nobody waits for.
    #[cold]
    fn move_together(&mut self) {
        let mut live = Reply::default();
        for slot in &mut self.slots {
            if let Slot::Held(range) = slot {
                let start = live.buf.len();
                live.raw(&self.held.buf[range.clone()]);
                *range = start..live.buf.len();
            }
        }
        self.held = live;
        self.held_dead_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::reply::Blob;

    #[test]
    fn replies_leave_in_the_order_of_requests() {
        let mut conn = Conn::default();
        let first = conn.expect(false);
        let second = conn.expect(false);
        conn.hold(|held| held.int(3));
        conn.fulfil(second, |r| r.int(2));
        assert!(conn.out.is_empty());
        conn.fulfil(first, |r| r.int(1));
        assert_eq!(conn.out.buf, b":1\r\n:2\r\n:3\r\n");
        assert!(conn.is_in_order());
        let third = conn.expect(true);
        conn.fulfil(third, |r| r.int(4));
        assert_eq!(conn.out.buf, b":1\r\n:2\r\n:3\r\n");
    }

    /// Large values among small replies: the order stays, and what is out is not kept; with moves at each reply, this would
    /// not end.
    #[test]
    fn held_replies_with_shared_values_are_not_moved() {
        const COUNT: usize = 20_000;
        let mut conn = Conn::default();
        let value = Blob::new(b"large".to_vec());
        let seqs: Vec<_> = (0..COUNT).map(|_| conn.expect(false)).collect();
        let mut expected = Vec::new();
        let write = |number: usize, reply: &mut Reply| match number % 3 {
            0 => reply.bulk_shared(value.clone()),
            _ => reply.int(number as i64),
        };
        // All but the first of each ten come before it, the last ones first.
        for (number, &seq) in seqs.iter().enumerate().rev().filter(|(number, _)| number % 10 != 0) {
            conn.fulfil(seq, |reply| write(number, reply));
        }
        for (number, &seq) in seqs.iter().enumerate().step_by(10) {
            let before = conn.held_bytes() + conn.out.len();
            conn.fulfil(seq, |reply| write(number, reply));
            let mut own = Reply::new(false);
            write(number, &mut own);
            assert_eq!(conn.held_bytes() + conn.out.len(), before + own.len());
            assert!(conn.held.blobs.is_empty());
        }
        assert_eq!(conn.held_bytes(), 0);
        for number in 0..COUNT {
            match number % 3 {
                0 => expected.extend(b"$5\r\n\r\n"),
                _ => expected.extend(format!(":{number}\r\n").bytes()),
            }
        }
        assert!(conn.out.buf == expected && conn.is_in_order() && conn.held.is_empty());
        assert_eq!(conn.out.blobs.len(), COUNT.div_ceil(3));
        conn.out.clear();
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }

    #[test]
    fn what_makes_replies_out_of_date_goes_behind_those_that_have_come() {
        let mut conn = Conn::default();
        let pieces = |conn: &Conn| String::from_utf8(conn.out.buf.clone()).expect("text").replace("\r\n", "");
        conn.push_between(b"0", u64::MAX);
        let first = conn.expect(false);
        conn.push_between(b"1", u64::MAX);
        assert_eq!(pieces(&conn), "01");
        let second = conn.expect(false);
        let third = conn.expect(false);
        conn.fulfil(second, |r| r.int(2));
        conn.push_between(b"3", u64::MAX);
        conn.push_between(b"4", u64::MAX);
        let parts = conn.expect(false);
        conn.expect_parts();
        let last = conn.expect(false);
        conn.push_between(b"5", u64::MAX);
        assert_eq!(conn.held_bytes(), 4 + 3);
        conn.fulfil(first, |r| r.int(1));
        assert_eq!(pieces(&conn), "01:1:234");
        conn.fulfil(last, |r| r.int(9));
        conn.push_between(b"6", u64::MAX);
        conn.fulfil(third, |r| r.int(3));
        assert_eq!(pieces(&conn), "01:1:234:3");
        conn.fulfil(parts, |r| r.int(7));
        assert_eq!(pieces(&conn), "01:1:234:3:75:96");
        assert!(conn.is_in_order() && conn.between.is_empty() && conn.held_bytes() == 0);
    }

    #[test]
    fn what_makes_replies_out_of_date_goes_before_what_was_asked_after_it_was_told() {
        let mut conn = Conn::default();
        let ask = |conn: &mut Conn, publication| {
            let seq = conn.expect(false);
            conn.asks_with(publication);
            seq
        };
        let first = ask(&mut conn, 7);
        let second = ask(&mut conn, 7);
        conn.fulfil(second, |r| r.int(2));
        conn.hold(|r| r.int(3));
        let third = ask(&mut conn, 8);
        let fourth = ask(&mut conn, 8);
        conn.hold(|r| r.int(5));
        conn.push_between(b" here", u64::MAX);
        conn.push_between(b" late", 8);
        conn.push_between(b" early", 7);
        conn.fulfil(fourth, |r| r.int(5));
        conn.fulfil(first, |r| r.int(1));
        conn.push_between(b" straight", 7);
        conn.fulfil(third, |r| r.int(4));
        let out = String::from_utf8(conn.out.buf.clone()).expect("text").replace("\r\n", "");
        assert_eq!(out, ":1:2:3 early straight:4:5:5 here late");
        assert!(conn.is_in_order() && conn.between.is_empty() && conn.held_bytes() == 0);
    }

    #[test]
    fn held_replies_survive_moves_and_leave_nothing_behind() {
        let mut conn = Conn::default();
        let (mut waiting, mut expected) = (VecDeque::new(), Vec::new());
        let long = vec![b'x'; 3000];
        for round in 0..200i64 {
            waiting.push_back((conn.expect(false), round));
            conn.hold(|held| held.bulk(&long));
            conn.hold(|_| ());
            waiting.push_back((conn.expect(false), -round));
            // The youngest first, then the oldest: something always waits.
            if let Some((seq, value)) = waiting.pop_back() {
                conn.fulfil(seq, |r| r.int(value));
            }
            if round % 3 == 2 {
                let (seq, value) = waiting.pop_front().expect("more come than go");
                conn.fulfil(seq, |r| r.int(value));
            }
            assert!(conn.held_dead_bytes <= HELD_DEAD_BYTES_MAX.max(conn.held.buf.len()));
            let mut reply = Reply::new(false);
            reply.int(round);
            reply.bulk(&long);
            reply.int(-round);
            expected.append(&mut reply.buf);
        }
        for (seq, value) in waiting {
            conn.fulfil(seq, |r| r.int(value));
        }
        assert!(conn.out.buf == expected);
        assert!(conn.is_in_order() && conn.held.is_empty() && conn.held_slots == 0);
    }
}
