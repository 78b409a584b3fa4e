//! Bytes in, requests out: what connections have sent is parsed, at once or when it may go on.
//!
//! Requests that stand whole in the shared buffer are run from there. The rest of a connection's input, the beginning of a request or what
//! waits for the connection's own commands, is kept with it.

use crate::ahead::CHUNK_COMMANDS;
use crate::shard::Shard;
use command::Error;
use resp::{Limits, Parsed};
use std::ops::Range;

/// Bytes of a connection's own input that are run in one step.
const OWN_BYTES_MAX: usize = 64 * 1024;
/// Lines in which a request says how many arguments it has, and the first two of them with their lengths.
const HEAD_LINES: usize = 5;
/// Steps of connections that go on with their input, in one turn.
const RESUMES_MAX: usize = 64;

impl Shard {
    /// Input of several connections: `(connection, range of buf)`, each connection at most once.
    pub fn receive(&mut self, buf: &[u8], inputs: &[(u32, Range<usize>)]) {
        debug_assert!(is_each_once(inputs), "a connection's input is in one piece");
        self.silence_killed();
        self.tell_heard();
        self.cx.stats.turns_with_input += u64::from(!inputs.is_empty());
        for (conn, range) in inputs {
            let conn = *conn as usize;
            self.cx.stats.net_in_bytes += range.len() as u64;
            self.cx.stats.reads += 1;
            self.conns[conn].reads += 1;
            self.conns[conn].net_in_bytes += range.len() as u64;
            self.conns[conn].last_active_ms = self.cx.now_ms;
            if !self.conns[conn].input.is_empty() {
                // Who was read before it comes before all that it has now.
                self.run_queue(buf);
                self.receive_more(conn, &buf[range.clone()]);
                continue;
            }
            let end = self.parse(conn, &buf[..range.end], range.start, range.end);
            if end < range.end {
                self.conns[conn].input.extend(&buf[end..range.end]);
                self.conns[conn].set_large_apart();
            }
        }
        self.run_queue(buf);
    }

    /// More input stands at the end of the connection's own input buffer.
    pub fn receive_own(&mut self, conn: usize) {
        let mut input = std::mem::take(&mut self.conns[conn].input);
        let waiting = std::mem::take(&mut self.queue);
        let spans = std::mem::take(&mut self.spans);
        let (buf, start) = input.buf();
        let stop = buf.len().min(start + OWN_BYTES_MAX);
        let end = self.parse(conn, buf, start, stop);
        self.run_queue(buf);
        (self.queue, self.spans) = (waiting, spans);
        let slot = &mut self.conns[conn];
        if !slot.open {
            return;
        }
        let may_go_on = end >= stop && !slot.closing;
        input.consume_to(if slot.closing { buf.len() } else { end });
        slot.input = input;
        slot.set_large_apart();
        if may_go_on && !slot.fenced && !slot.input.is_empty() {
            self.resume_later(conn);
        }
    }

    /// Parses whole requests of one connection, all that begin before `end`, running the queue whenever a chunk is full; where the
    /// rest begins.
    fn parse(&mut self, conn: usize, buf: &[u8], at: usize, end: usize) -> usize {
        let mut requests = 0;
        let at = self.parse_counted(conn, buf, at, end, &mut requests);
        self.cx.stats.parsing.note(requests);
        self.conns[conn].parsing.note(requests);
        at
    }

    /// The same; `requests` counts those that were whole.
    #[inline(always)]
    fn parse_counted(
        &mut self,
        conn: usize,
        buf: &[u8],
        mut at: usize,
        end: usize,
        requests: &mut u64,
    ) -> usize {
        // What they follow from changes only when something runs.
        let mut limits = self.limits_of(conn);
        let (mut last, mut joins) = (at, false);
        while at < end {
            if !self.conns[conn].takes_input() {
                joins = self.repeats(conn, buf, last..at, end);
                if !joins {
                    break;
                }
            }
            last = at;
            let mark = self.spans.len();
            match self.conns[conn].parser.parse(buf, at, &mut self.spans, &limits) {
                Ok(Parsed::Request { end }) => {
                    at = end;
                    *requests += 1;
                    let ends_chunk = self.spans.len() > mark && self.enqueue(conn, buf, mark);
                    // What joins others does so before anybody else can take the room.
                    if ends_chunk
                        || std::mem::take(&mut joins)
                        || self.queue.len() >= CHUNK_COMMANDS
                        || !limits.authenticated
                    {
                        self.run_queue(buf);
                        limits = self.limits_of(conn);
                    }
                }
                Ok(Parsed::Large { end }) => {
                    at = end;
                    *requests += 1;
                    self.run_large(conn, buf, mark);
                    limits = self.limits_of(conn);
                }
                Ok(Parsed::Incomplete { .. }) => break,
                Err(error) => {
                    self.run_queue(buf);
                    // Nothing counts behind QUIT.
                    if self.conns[conn].closing {
                        return end;
                    }
                    if let Some(end) = self.run_quoted_line(conn, buf, at) {
                        at = end;
                        limits = self.limits_of(conn);
                        continue;
                    }
                    self.reply_error(conn, &Error::Reply([b"ERR ", &error.0[..]].concat().into()));
                    self.conns[conn].closing = true;
                    return end;
                }
            }
        }
        if self.conns[conn].closing { end } else { at }
    }

    /// Whether the connection's last request lets nothing pass but what comes behind it now: the same script again, for they can go together
    /// (see [`crate::multi::open`]). `last`: where that request stands.
    #[cold]
    #[inline(never)]
    fn repeats(&mut self, conn: usize, buf: &[u8], last: Range<usize>, end: usize) -> bool {
        let slot = &self.conns[conn];
        let is_at_a_fence = slot.fenced && slot.open && !slot.closing && slot.postponed.is_empty();
        let head = if is_at_a_fence && self.cx.shards > 1 { head_of(&buf[last.clone()]) } else { None };
        if head.is_none_or(|head| !buf[last.end..end].starts_with(head)) {
            return false;
        }
        self.repeating = Some(conn);
        self.run_queue(buf);
        self.repeating = None;
        self.is_gathering_for(conn)
    }

    /// What the parser accepts of a connection now.
    #[inline]
    fn limits_of(&self, conn: usize) -> Limits {
        Limits {
            bulk_bytes_max: self.cx.config.proto_max_bulk_len,
            args_max: i32::MAX as u64,
            authenticated: self.conns[conn].authenticated,
        }
    }

    /// Has the connection's input gone on with, once in this turn.
    pub(crate) fn resume_later(&mut self, index: usize) {
        if !std::mem::replace(&mut self.conns[index].resumes, true) {
            self.resume.push_back(index as u32);
        }
    }

    /// Whether connections that had to wait can go on, or operations that gave others their turn.
    pub fn has_ready_input(&self) -> bool {
        let goes_on = self.gathering.is_some()
            || !self.ticked.is_empty()
            || !self.may_proceed.is_empty()
            || self.busy.is_some()
            || self.slices.has_work();
        goes_on || !self.resume.is_empty() && !self.cx.is_closed
    }

    /// Goes on with operations that gave others their turn, and with the input of connections that had to wait: a step of each in turn, and
    /// not more than [`RESUMES_MAX`] in all.
    /// Call once per turn, after the mail.
    pub fn resume(&mut self) {
        self.resume_input();
        self.work_on_parts();
    }

    /// The same but for parts of commands that go in rounds, which have their turn with [`Shard::work_on_parts`].
    pub fn resume_input(&mut self) {
        self.tell_heard();
        if self.busy.is_some() {
            self.go_on_with_script();
        }
        if (!self.ticked.is_empty() || !self.may_proceed.is_empty()) && self.busy.is_none() {
            self.go_on();
        }
        for _ in 0..RESUMES_MAX {
            if self.cx.is_closed {
                return;
            }
            let Some(index) = self.resume.pop_front() else { return };
            let index = index as usize;
            let conn = &mut self.conns[index];
            conn.resumes = false;
            if conn.open && !conn.postponed.is_empty() {
                self.run_postponed(index);
            } else if conn.open && !conn.fenced && !conn.input.is_empty() {
                self.receive_own(index);
            }
            let conn = &mut self.conns[index];
            if conn.ended && !conn.holds_back() {
                conn.closing = true;
                self.mark_dirty(index);
            }
        }
    }
}

/// The beginning of a request of several arguments up to the end of the second one: of EVALSHA and FCALL, what they run and how many arguments there are.
fn head_of(request: &[u8]) -> Option<&[u8]> {
    let mut ends = request.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let end = if request.first() == Some(&b'*') { ends.nth(HEAD_LINES - 1)? } else { return None };
    Some(&request[..=end])
}

fn is_each_once(inputs: &[(u32, Range<usize>)]) -> bool {
    let mut conns: Vec<u32> = inputs.iter().map(|(conn, _)| *conn).collect();
    conns.sort_unstable();
    conns.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};

    /// SORT lets nothing pass on several shards. A long pipeline of it keeps nobody else waiting, and is not handed on
    /// whole with each.
    #[test]
    fn a_pipeline_that_waits_for_itself_goes_on_step_by_step() {
        let mut trial = Trial::new(4);
        let (conn, other) = (trial.connect(), trial.connect());
        let key = trial.key_on(0, "list");
        trial.ask(conn, &request(&["RPUSH", &key, "2", "1"]));
        let count = 20_000;
        let (mut requests, mut expected) = (Vec::new(), Vec::new());
        for round in 0..count {
            requests.extend(request(&["SORT", &key]));
            requests.extend(request(&["ECHO", &round.to_string()]));
            let round = round.to_string();
            expected.extend(format!("*2\r\n$1\r\n1\r\n$1\r\n2\r\n${}\r\n{round}\r\n", round.len()).bytes());
        }
        trial.send(conn, &requests);
        assert!(trial.shards[0].has_ready_input());
        assert!(trial.shards[0].conn(conn).out.len() < expected.len() / 100);
        trial.send(other, b"PING\r\n");
        assert_eq!(trial.take_replies(other), b"+PONG\r\n");
        trial.settle();
        assert!(trial.take_replies(conn) == expected);
    }

    /// It has not been closed yet, since its shard has been woken by nothing but that input.
    #[test]
    fn a_killed_connection_is_not_heard_any_more() {
        let mut trial = Trial::new(2);
        let (killer, victim) = (trial.connect_to(0, 1), trial.connect_to(1, 2));
        let key = trial.key_on(1, "k");
        assert_eq!(trial.ask(killer, &request(&["CLIENT", "KILL", "ID", "2"])), b":1\r\n");
        trial.send_to(1, victim, &request(&["SET", &key, "v"]));
        trial.settle();
        assert_eq!(trial.take_replies_of(1, victim), b"");
        assert_eq!(trial.ask(killer, b"DBSIZE\r\n"), b":0\r\n");
    }

    /// What it has sent on before its end is done before what the other client sends behind CLIENT KILL.
    #[test]
    fn what_follows_the_end_of_a_connection_comes_behind_its_last_words() {
        let mut trial = Trial::new(3);
        let (killer, victim) = (trial.connect_to(0, 1), trial.connect_to(1, 2));
        let key = trial.key_on(2, "k");
        let lines = [&["CLIENT", "KILL", "ID", "2"][..], &["FLUSHALL"]];
        trial.send(killer, &lines.map(request).concat());
        // Its shard has not heard of that yet.
        trial.send_to(1, victim, &request(&["SET", &key, "v"]));
        trial.settle();
        assert_eq!(trial.take_replies(killer), b":1\r\n+OK\r\n");
        assert_eq!(trial.ask(killer, b"DBSIZE\r\n"), b":0\r\n");
    }

    /// A client that has sent all it will gets all its replies; then the connection is closing.
    #[test]
    fn what_waits_runs_after_the_end_of_input() {
        for fences in [1, 300] {
            let mut trial = Trial::new(2);
            let conn = trial.connect();
            let there = trial.key_on(1, "there");
            let mut requests = request(&["SORT", &there]).repeat(fences);
            requests.extend(request(&["SET", "last", "1"]));
            requests.extend(b"*2\r\n$3\r\nGET");
            trial.send(conn, &requests);
            let slot = trial.shards[0].conn_mut(conn);
            assert!(slot.holds_back() && !slot.closing);
            slot.ended = true;
            trial.settle();
            assert!(trial.shards[0].conn(conn).closing);
            assert_eq!(trial.take_replies(conn), [b"*0\r\n".repeat(fences), b"+OK\r\n".to_vec()].concat());
        }
    }
}
