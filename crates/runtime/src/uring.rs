//! The io_uring back end: readiness through multishot polls in the ring, direct recv and send.
//!
//! One `io_uring_enter` per turn submits what is new and waits. Sockets are read and written by plain system calls as soon as
//! they are ready, which measured cheaper than receive and send requests in the ring, unless there is something to send to many at
//! once: then one call carries all of it (see `docs/decisions/`).
//!
//! A user-data word is `generation << 32 | token`, so that a late event of a closed socket is not taken for one of its
//! successor under the same token.

use crate::reactor::{Event, Reactor};
use crate::socket::Socket;
use crate::waker::Waker;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

const TOKEN_BITS: u32 = 32;
const TOKEN_MASK: u64 = (1 << TOKEN_BITS) - 1;
const WAKER: u64 = TOKEN_MASK;
/// Completions of cancellations, which nobody waits for.
const NOBODY: u64 = TOKEN_MASK - 1;
const READ: u32 = (libc::POLLIN | libc::POLLRDHUP) as u32;
/// Polled for whether asked or not, but for the first.
const ENDED: u32 = (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) as u32;
const WRITE: u32 = libc::POLLOUT as u32;
/// Set in the user data of a poll for room.
const ROOM_BIT: u64 = 1 << 63;
/// Set in the user data of a listener's poll.
const LISTENER_BIT: u64 = 1 << 62;
/// Set in the user data of a send, beside its place among those of one call.
const SEND_BIT: u64 = 1 << 61;
/// Calls in one turn, beyond the one that waits, for completions that are due.
const FETCHES_MAX: usize = 64;
/// A call that brings fewer has left none: one of Linux 6.18 brings 20.
const FETCHED_MIN: usize = 16;
/// Sends in one call at most.
const SENDS_MAX: usize = 256;

pub struct Uring {
    ring: IoUring,
    waker: Waker,
    slots: Vec<Slot>,
    /// Listening sockets by token; the caller owns the descriptors.
    listeners: Vec<(usize, RawFd)>,
    /// Entries that did not fit the submission queue, and all that came after them: a cancellation must not overtake its poll.
    backlog: Vec<squeue::Entry>,
    /// What was told of while something was sent.
    early: Vec<Event>,
}

#[derive(Default)]
struct Slot {
    socket: Option<Socket>,
    generation: u32,
    room_asked: bool,
}

impl Uring {
    /// # Errors
    /// Why the kernel refuses a ring: not permitted, no such call, too little lockable memory.
    pub fn new(entries: u32) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            // Without it nobody knows that completions are due, and a wait that does not wait never brings them.
            .setup_taskrun_flag()
            .setup_cqsize(entries * 8)
            .build(entries)?;
        let mut uring = Self {
            ring,
            waker: Waker::new()?,
            slots: Vec::new(),
            listeners: Vec::new(),
            backlog: Vec::new(),
            early: Vec::new(),
        };
        uring.poll(uring.waker.fd(), READ, true, WAKER);
        uring.ring.submit()?;
        Ok(uring)
    }

    fn poll(&mut self, fd: RawFd, mask: u32, multi: bool, user_data: u64) {
        self.push(opcode::PollAdd::new(Fd(fd), mask).multi(multi).build().user_data(user_data));
    }

    fn push(&mut self, entry: squeue::Entry) {
        if !self.backlog.is_empty() {
            return self.backlog.push(entry);
        }
        // SAFETY: poll and cancel requests carry no pointers.
        let full = unsafe { self.ring.submission().push(&entry).is_err() };
        if full {
            let _ = self.ring.submit();
            // SAFETY: as above.
            if unsafe { self.ring.submission().push(&entry).is_err() } {
                self.backlog.push(entry);
            }
        }
    }

    fn slot(&mut self, token: usize) -> &mut Slot {
        if self.slots.len() <= token {
            self.slots.resize_with(token + 1, Slot::default);
        }
        &mut self.slots[token]
    }

    fn name_of(&self, token: usize) -> u64 {
        u64::from(self.slots[token].generation & 0x1fff_ffff) << TOKEN_BITS | token as u64
    }

    /// Sends to several sockets in one call; `results` has a place for each.
    fn send_chunk(&mut self, sends: &[(usize, &[u8])], results: &mut [io::Result<usize>]) {
        let mut left = 0;
        for (index, (token, bytes)) in sends.iter().enumerate() {
            let Some(fd) = self.slots[*token].socket.as_ref().map(Socket::fd) else {
                results[index] = Err(io::ErrorKind::NotFound.into());
                continue;
            };
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let entry = opcode::Send::new(Fd(fd), bytes.as_ptr(), length)
                .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
                .build()
                .user_data(SEND_BIT | index as u64);
            // SAFETY: the bytes are borrowed until this function returns, which it does when every send is complete.
            while unsafe { self.ring.submission().push(&entry).is_err() } {
                left -= self.complete_sends(0, results);
            }
            left += 1;
        }
        let mut wanted = 0;
        while left > 0 {
            left -= self.complete_sends(wanted, results);
            wanted = 1;
        }
    }

    /// Submits what is in the queue and waits for so many completions; how many sends are complete.
    fn complete_sends(&mut self, wanted: usize, results: &mut [io::Result<usize>]) -> usize {
        if let Err(error) = self.ring.submit_and_wait(wanted) {
            // The kernel may still read what it was asked to send: nobody may go on from here.
            assert!(is_passing(&error), "the ring fails while it sends: {error}");
        }
        let (mut complete, mut early) = (0, std::mem::take(&mut self.early));
        let count = self.ring.completion().len();
        for _ in 0..count {
            let Some(entry) = self.ring.completion().next() else { break };
            if entry.user_data() & (SEND_BIT | LISTENER_BIT | ROOM_BIT) != SEND_BIT {
                self.on_completion(&entry, &mut early);
                continue;
            }
            complete += 1;
            let sent = usize::try_from(entry.result());
            results[(entry.user_data() & TOKEN_MASK) as usize] =
                sent.map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        }
        self.early = early;
        complete
    }

    /// Newer kernels make some twenty completions in one call and leave the others for the next one. Whoever is told of last would be read turns
    /// after the others, some of whom would be read again before.
    fn fetch_the_rest(&mut self) -> io::Result<()> {
        let mut known = 0;
        for _ in 0..FETCHES_MAX {
            let there = self.ring.completion().len();
            if there < known + FETCHED_MIN || !self.ring.submission().taskrun() {
                break;
            }
            known = there;
            match self.ring.submitter().submit_with_args(0, &SubmitArgs::new()) {
                Ok(_) => {}
                Err(error) if is_passing(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn on_completion(&mut self, entry: &cqueue::Entry, out: &mut Vec<Event>) {
        let data = entry.user_data() & !ROOM_BIT;
        let for_room = entry.user_data() & ROOM_BIT != 0;
        let ended = !cqueue::more(entry.flags());
        if data == WAKER {
            self.waker.reset();
            out.push(Event::Woken);
            if ended {
                self.poll(self.waker.fd(), READ, true, WAKER);
            }
            return;
        }
        let token = (data & TOKEN_MASK) as usize;
        if data & LISTENER_BIT != 0 {
            out.push(Event::Readable(token));
            let found = self.listeners.iter().find(|(known, _)| *known == token);
            if let (true, Some(&(_, fd))) = (ended, found) {
                self.poll(fd, READ, true, data);
            }
            return;
        }
        if data == NOBODY || token >= self.slots.len() || self.name_of(token) != data {
            return;
        }
        let slot = &mut self.slots[token];
        let Some(fd) = slot.socket.as_ref().map(Socket::fd) else { return };
        if for_room {
            slot.room_asked = false;
            out.push(Event::Writable(token));
            return;
        }
        out.push(Event::Readable(token));
        if entry.result() < 0 || entry.result() as u32 & ENDED != 0 {
            out.push(Event::Ended(token));
        }
        if ended && entry.result() >= 0 {
            self.poll(fd, READ, true, data);
        } else if ended {
            // Nothing would tell of this socket any more, and asking again could fail again without end: the caller finds the
            // end of the stream.
            slot.socket.as_ref().inspect(|socket| socket.shut_down());
        }
    }
}

impl Reactor for Uring {
    fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Event>) -> io::Result<()> {
        for entry in std::mem::take(&mut self.backlog) {
            self.push(entry);
        }
        let timeout = if self.early.is_empty() { timeout } else { Some(Duration::ZERO) };
        out.append(&mut self.early);
        let span = Timespec::from(timeout.unwrap_or_default());
        let result = match timeout {
            Some(Duration::ZERO) => {
                let ready = !self.ring.completion().is_empty();
                if ready {
                    self.ring.submit()
                } else {
                    self.ring.submitter().submit_with_args(0, &SubmitArgs::new())
                }
            }
            Some(_) => self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&span)),
            None => self.ring.submit_and_wait(1),
        };
        match result {
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        // Who sleeps has read all there was, and is told of others before anybody is read again.
        if timeout == Some(Duration::ZERO) {
            self.fetch_the_rest()?;
        }
        // Not those that come while these are looked at: a poll that is renewed because completions had overflown may
        // complete at once, again and again, until the caller has read from its socket.
        let count = self.ring.completion().len();
        for _ in 0..count {
            let Some(entry) = self.ring.completion().next() else { break };
            self.on_completion(&entry, out);
        }
        Ok(())
    }

    fn add(&mut self, token: usize, socket: Socket) -> io::Result<()> {
        let fd = socket.fd();
        self.slot(token).socket = Some(socket);
        let name = self.name_of(token);
        self.poll(fd, READ, true, name);
        Ok(())
    }

    fn add_listener(&mut self, token: usize, fd: RawFd) -> io::Result<()> {
        self.listeners.push((token, fd));
        self.poll(fd, READ, true, LISTENER_BIT | token as u64);
        Ok(())
    }

    fn remove_listener(&mut self, token: usize, _: RawFd) {
        self.listeners.retain(|(known, _)| *known != token);
        self.push(opcode::AsyncCancel::new(LISTENER_BIT | token as u64).build().user_data(NOBODY));
    }

    #[inline]
    fn recv(&mut self, token: usize, buf: &mut [u8]) -> io::Result<usize> {
        match &self.slots[token].socket {
            Some(socket) => socket.recv(buf),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn recv_apart(
        &mut self,
        token: usize,
        body: &mut Vec<u8>,
        body_max: usize,
        rest: &mut [u8],
    ) -> io::Result<(usize, usize)> {
        match &self.slots[token].socket {
            Some(socket) => socket.recv_apart(body, body_max, rest),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[inline]
    fn send(&mut self, token: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(socket) = &self.slots[token].socket else { return Err(io::ErrorKind::NotFound.into()) };
        let result = socket.send(slices);
        let total: usize = slices.iter().map(|s| s.len()).sum();
        let short = match &result {
            Ok(sent) => *sent < total,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if short && !self.slots[token].room_asked {
            let fd = socket.fd();
            self.slots[token].room_asked = true;
            let name = self.name_of(token);
            self.poll(fd, WRITE, false, name | ROOM_BIT);
        }
        result
    }

    fn send_each(&mut self, sends: &[(usize, &[u8])], results: &mut Vec<io::Result<usize>>) {
        let chunk_max = SENDS_MAX.min(self.ring.params().sq_entries() as usize);
        for chunk in sends.chunks(chunk_max) {
            let start = results.len();
            results.extend(chunk.iter().map(|_| Ok(0)));
            self.send_chunk(chunk, &mut results[start..]);
        }
    }

    fn remove(&mut self, token: usize) -> Option<Socket> {
        let name = self.name_of(token);
        let slot = self.slots.get_mut(token)?;
        let socket = slot.socket.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        let asked = std::mem::take(&mut slot.room_asked);
        // Not PollRemove: that leaves a poll whose event is just being delivered as it is, and the poll would keep the socket
        // open after everybody has forgotten it.
        self.push(opcode::AsyncCancel::new(name).build().user_data(NOBODY));
        if asked {
            self.push(opcode::AsyncCancel::new(name | ROOM_BIT).build().user_data(NOBODY));
        }
        Some(socket)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn name(&self) -> &'static str {
        "io_uring"
    }
}

/// Whether a call may be made again after this error.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Listener;
    use std::io::Read;
    use std::net::TcpStream;

    /// A small ring if there is io_uring; our end of a connection and theirs.
    fn ring_and_connection() -> Option<(Uring, Socket, TcpStream)> {
        let ring = Uring::new(1).inspect_err(|error| eprintln!("not tried: no io_uring: {error}")).ok()?;
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 8).unwrap();
        let theirs = TcpStream::connect(("127.0.0.1", listener.port().unwrap())).unwrap();
        theirs.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        Some((ring, listener.accept().unwrap(), theirs))
    }

    fn wait(ring: &mut Uring) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..3 {
            ring.wait(Some(Duration::from_millis(10)), &mut events).unwrap();
        }
        events
    }

    #[test]
    fn a_cancellation_does_not_overtake_its_poll() {
        let Some((mut ring, ours, mut theirs)) = ring_and_connection() else { return };
        let fd = ours.fd();
        ring.slot(0).socket = Some(ours);
        let name = ring.name_of(0);
        // The queue was full when the poll came; there is room again when it is cancelled.
        ring.backlog.push(opcode::PollAdd::new(Fd(fd), READ).multi(true).build().user_data(name));
        let ours = ring.remove(0).unwrap();
        assert_eq!(ring.backlog.len(), 2);
        wait(&mut ring);
        assert!(ring.backlog.is_empty());
        // A poll that is still there would keep the socket open.
        drop(ours);
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    }

    /// More sends than the ring has entries, among them one that its socket cannot take whole, one whose peer is gone, and one that has
    /// no socket; and input that comes meanwhile.
    #[test]
    fn many_sends_in_one_call_have_each_its_result() {
        let Some((mut ring, ours, mut theirs)) = ring_and_connection() else { return };
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 64).unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", listener.port().unwrap())).unwrap();
        ring.add(0, ours).unwrap();
        let mut peers: Vec<_> = (1..20).map(|token| (token, connect(), listener.accept().unwrap())).collect();
        let (_, gone, ours) = peers.pop().unwrap();
        ours.shut_down();
        drop(gone);
        ring.add(19, ours).unwrap();
        ring.slot(20);
        let mut clients = Vec::new();
        for (token, client, ours) in peers {
            ring.add(token, ours).unwrap();
            clients.push(client);
        }
        wait(&mut ring);
        use std::io::Write;
        theirs.write_all(b"meanwhile").unwrap();
        let (long, words) =
            (vec![b'x'; 64 << 20], (0..21).map(|n| format!("message {n}")).collect::<Vec<_>>());
        let mut sends: Vec<_> = words.iter().enumerate().map(|(n, word)| (n, word.as_bytes())).collect();
        sends[5].1 = &long;
        let mut results = Vec::new();
        ring.send_each(&sends, &mut results);
        for (token, result) in results.iter().enumerate() {
            match token {
                5 => assert!(matches!(result, Ok(1..=0x3ff_ffff)), "{result:?}"),
                19 => assert_eq!(result.as_ref().unwrap_err().kind(), io::ErrorKind::BrokenPipe),
                20 => assert_eq!(result.as_ref().unwrap_err().kind(), io::ErrorKind::NotFound),
                _ => assert_eq!(*result.as_ref().unwrap(), words[token].len()),
            }
        }
        // Nothing more fits: it is said at once.
        results.clear();
        ring.send_each(&[(5, &long)], &mut results);
        assert_eq!(results[0].as_ref().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        for (token, client) in (1..).zip(&mut clients).filter(|(token, _)| *token != 5) {
            let mut word = vec![0; words[token].len()];
            client.read_exact(&mut word).unwrap();
            assert_eq!(word, words[token].as_bytes());
        }
        assert!(wait(&mut ring).contains(&Event::Readable(0)));
    }

    #[test]
    fn a_poll_that_fails_ends_its_connection() {
        let Some((mut ring, ours, mut theirs)) = ring_and_connection() else { return };
        ring.add(0, ours).unwrap();
        assert_eq!(wait(&mut ring), []);
        ring.push(opcode::AsyncCancel::new(ring.name_of(0)).build().user_data(NOBODY));
        assert_eq!(wait(&mut ring), [Event::Readable(0), Event::Ended(0)]);
        assert_eq!(ring.recv(0, &mut [0; 8]).unwrap(), 0);
        drop(ring.remove(0));
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    }
}
