//! Sending what a connection has to say.

use resp::Reply;
use runtime::Reactor;
use std::io::{self, IoSlice};
use std::ops::Range;

/// Slices given to one system call at most.
const SLICES_MAX: usize = 64;

/// Bytes sent to one connection in a turn at most, so that one that reads as fast as we write does not keep others waiting.
const SEND_BYTES_MAX: usize = 1 << 20;

/// Output already handed to the system, of the replies that are not all sent yet.
#[derive(Clone, Copy, Default)]
pub struct Sent {
    bytes: usize,
    /// Waits for its next share of a turn.
    pub(crate) waits: bool,
    /// Stands in the line of those that have messages and nothing else.
    pub(crate) is_in_line: bool,
    /// Until when its replies are held back for others; 0 if they are not.
    pub(crate) held_until_us: u64,
    /// Turns that have added to its output and wait for the journal; and how far the output may be sent meanwhile, counted from the
    /// connection's first byte.
    pub(crate) gated_turns: u32,
    pub(crate) free_to: u64,
}

impl Sent {
    /// Bytes of `out` that are still to be sent.
    pub fn unsent(self, out: &Reply) -> usize {
        out.len() - self.bytes
    }

    /// How much of `out` may be sent, `gone` bytes of this connection having been handed over since its beginning.
    #[inline]
    pub fn sendable(self, out: &Reply, gone: u64) -> usize {
        if self.gated_turns == 0 {
            return out.len();
        }
        self.bytes + (self.free_to.saturating_sub(gone) as usize).min(out.len() - self.bytes)
    }

    /// Gives back the memory of what is sent, once it is much and at least half: then a byte is moved only once or so.
    fn give_back(&mut self, out: &mut Reply, total: usize) {
        if self.bytes >= GIVE_BACK_BYTES_MIN && self.bytes >= total / 2 {
            self.bytes = out.drop_front(self.bytes);
        }
    }

    /// So many bytes have been handed over, of a reply of which none had been.
    #[inline]
    pub(crate) fn add(&mut self, count: usize, out: &mut Reply, spares: &mut Spares) {
        if count == out.len() {
            out.clear();
            spares.take_back(out);
        } else {
            self.bytes = count;
        }
    }

    /// Whether all of the output may be sent, and none of it has been.
    #[inline]
    pub(crate) fn is_fresh(self) -> bool {
        self.bytes == 0 && self.gated_turns == 0
    }

    /// Bytes already handed over.
    pub fn bytes(self) -> usize {
        self.bytes
    }
}

/// Less than this is not worth moving the rest.
const GIVE_BACK_BYTES_MIN: usize = 256 * 1024;

/// What became of an attempt to send.
#[derive(PartialEq, Eq)]
pub enum Outcome {
    /// All sent; the reply is empty again.
    Done,
    /// The socket takes no more for now.
    Blocked,
    /// The socket would take more, but others shall have their turn.
    More,
    /// The peer is gone.
    Broken,
}

/// Output buffers of connections that have sent all, for those that will have something to say next: so a connection
/// that is silent holds little memory, and one that speaks need not grow a buffer anew.
#[derive(Default)]
pub struct Spares(Vec<Vec<u8>>);

impl Spares {
    /// Buffers kept at most, and how large one of them may be.
    const COUNT_MAX: usize = 64;
    const BYTES_MAX: usize = 256 * 1024;
    /// A smaller buffer stays with its connection.
    const BYTES_MIN: usize = 4 * 1024;

    /// Gives a connection without a buffer one, if there is any.
    #[inline]
    pub fn lend(&mut self, out: &mut Reply) {
        if out.buf.capacity() == 0 {
            out.buf = self.0.pop().unwrap_or_default();
        }
    }

    /// Takes the buffer of an empty reply, if it is large.
    #[inline]
    fn take_back(&mut self, out: &mut Reply) {
        if out.buf.capacity() < Self::BYTES_MIN {
            return;
        }
        let buf = std::mem::take(&mut out.buf);
        if buf.capacity() <= Self::BYTES_MAX && self.0.len() < Self::COUNT_MAX {
            self.0.push(buf);
        }
    }
}

/// Sends as much of the first `total` bytes as the socket takes, or [`SEND_BYTES_MAX`].
#[inline]
pub fn flush(
    reactor: &mut dyn Reactor,
    token: usize,
    (out, total): (&mut Reply, usize),
    sent: &mut Sent,
    spares: &mut Spares,
) -> Outcome {
    let limit = total.min(sent.bytes + SEND_BYTES_MAX);
    while sent.bytes < total {
        if sent.bytes >= limit {
            sent.give_back(out, total);
            return Outcome::More;
        }
        let result = if out.blobs.is_empty() {
            reactor.send(token, &[IoSlice::new(&out.buf[sent.bytes..limit])])
        } else {
            send_slices(reactor, token, out, sent.bytes..limit)
        };
        match result {
            Ok(0) => return Outcome::Broken,
            Ok(count) => {
                sent.bytes += count;
                if sent.bytes < limit && out.blobs.is_empty() {
                    sent.give_back(out, total);
                    return Outcome::Blocked;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sent.give_back(out, total);
                return Outcome::Blocked;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Outcome::Broken,
        }
    }
    if total < out.len() {
        sent.give_back(out, total);
        return Outcome::Done;
    }
    out.clear();
    spares.take_back(out);
    sent.bytes = 0;
    Outcome::Done
}

/// Sends the bytes of `range`, or the first of them if they are in many pieces.
fn send_slices(
    reactor: &mut dyn Reactor,
    token: usize,
    out: &Reply,
    range: Range<usize>,
) -> io::Result<usize> {
    let mut slices = Vec::with_capacity(SLICES_MAX.min(2 * out.blobs.len() + 1));
    let (mut from, mut skip, mut room) = (0, range.start, range.len());
    let mut add = |bytes| {
        let bytes: &[u8] = bytes;
        let cut = skip.min(bytes.len());
        skip -= cut;
        let bytes = &bytes[cut..];
        let bytes = &bytes[..bytes.len().min(room)];
        if !bytes.is_empty() && slices.len() < SLICES_MAX {
            room -= bytes.len();
            slices.push(IoSlice::new(bytes));
        }
    };
    for (position, blob) in &out.blobs {
        add(&out.buf[from..*position]);
        add(blob.as_slice());
        from = *position;
    }
    add(&out.buf[from..]);
    reactor.send(token, &slices)
}
