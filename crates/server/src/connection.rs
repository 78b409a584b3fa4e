//! Sending what a connection has to say.

use resp::Reply;
use runtime::Reactor;
use std::io::{self, IoSlice};

/// Slices given to one system call at most.
const SLICES_MAX: usize = 64;

/// Output already handed to the system, of the replies that are not all sent yet.
#[derive(Clone, Copy, Default)]
pub struct Sent {
    bytes: usize,
}

impl Sent {
    /// Bytes of `out` that are still to be sent.
    pub fn unsent(self, out: &Reply) -> usize {
        out.len() - self.bytes
    }

    /// Gives back the memory of what is sent, once it is much and at least half: then a byte is moved only once or so.
    fn give_back(&mut self, out: &mut Reply, total: usize) {
        if self.bytes >= GIVE_BACK_BYTES_MIN && self.bytes >= total / 2 {
            self.bytes = out.drop_front(self.bytes);
        }
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

/// Sends as much as the socket takes.
#[inline]
pub fn flush(
    reactor: &mut dyn Reactor,
    token: usize,
    out: &mut Reply,
    sent: &mut Sent,
    spares: &mut Spares,
) -> Outcome {
    let total = out.len();
    while sent.bytes < total {
        let result = if out.blobs.is_empty() {
            reactor.send(token, &[IoSlice::new(&out.buf[sent.bytes..])])
        } else {
            send_slices(reactor, token, out, sent.bytes)
        };
        match result {
            Ok(0) => return Outcome::Broken,
            Ok(count) => {
                sent.bytes += count;
                if sent.bytes < total && out.blobs.is_empty() {
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
    out.clear();
    spares.take_back(out);
    sent.bytes = 0;
    Outcome::Done
}

fn send_slices(reactor: &mut dyn Reactor, token: usize, out: &Reply, skip: usize) -> io::Result<usize> {
    let mut slices = Vec::with_capacity(SLICES_MAX);
    let (mut from, mut skip) = (0, skip);
    let mut add = |bytes| {
        let bytes: &[u8] = bytes;
        let cut = skip.min(bytes.len());
        skip -= cut;
        if cut < bytes.len() && slices.len() < SLICES_MAX {
            slices.push(IoSlice::new(&bytes[cut..]));
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
