//! Large arguments: received into buffers of their own, which become values as they are.
//!
//! While a request with a large argument comes in, its bytes up to there stay in the connection's input; the argument's own
//! bytes come straight from the socket into [`Incoming`] (or through [`Shard::receive`], for callers without sockets).
//!
//! Invariant: a buffer is at most [`GROWTH`] times as large as what has come, or [`FIRST_BYTES_MAX`]: what a client only
//! announces takes no memory.

use crate::conn::Conn;
use crate::shard::Shard;
use crate::timing;
use command::{Args, OwnArgs};
use resp::reply::Blob;
use std::sync::Arc;

/// A buffer's first size at most.
const FIRST_BYTES_MAX: usize = 128 * 1024;
/// How many times larger a buffer becomes when it is full. A large factor, for growing copies: at most a seventh of the
/// argument in all.
const GROWTH: usize = 8;

/// The large arguments of the request that is coming in.
#[derive(Default)]
pub struct Large {
    incoming: Option<Incoming>,
    whole: Vec<Blob>,
}

/// A large argument of which not all has come.
struct Incoming {
    bytes: Vec<u8>,
    len: usize,
}

impl Incoming {
    fn missing(&self) -> usize {
        self.len - self.bytes.len()
    }

    /// Makes room for `more` bytes, of those that are missing.
    fn reserve(&mut self, more: usize) {
        let wanted = self.bytes.len() + more;
        if wanted <= self.bytes.capacity() {
            return;
        }
        // Sizes go down from the full one, so that the last step is a whole one.
        let mut size = self.len;
        while size / GROWTH >= wanted && size > FIRST_BYTES_MAX {
            size /= GROWTH;
        }
        self.bytes.reserve_exact(size - self.bytes.len());
    }
}

impl Large {
    /// Where bytes of the argument at hand go, and how many are missing; room for at least one is there. `None`: what comes
    /// next belongs to the connection's input.
    pub fn room(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        let incoming = self.incoming.as_mut().filter(|incoming| incoming.missing() > 0)?;
        incoming.reserve(1);
        let missing = incoming.missing();
        Some((&mut incoming.bytes, missing))
    }

    /// Takes what belongs to the argument at hand; the rest.
    fn take<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        while !bytes.is_empty() {
            let Some((buf, missing)) = self.room() else { break };
            let count = missing.min(bytes.len()).min(buf.capacity() - buf.len());
            buf.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
        }
        bytes
    }

    /// Whether an argument is coming in of which more bytes must be awaited. One that is whole takes its place.
    fn is_waiting(&mut self) -> bool {
        if let Some(incoming) = self.incoming.take_if(|incoming| incoming.missing() == 0) {
            self.whole.push(Arc::new(incoming.bytes));
        }
        self.incoming.is_some()
    }

    /// Bytes that have come.
    pub fn len_bytes(&self) -> usize {
        let whole: usize = self.whole.iter().map(|blob| blob.len()).sum();
        whole + self.incoming.as_ref().map_or(0, |incoming| incoming.bytes.len())
    }
}

impl Conn {
    /// If the input, whose first request has been parsed as far as it goes, ends within a large argument: keeps that apart.
    #[inline]
    pub(crate) fn set_large_apart(&mut self) {
        if let Some((at, len)) = self.parser.awaited_bulk() {
            self.begin_large(at, len);
        }
    }

    #[cold]
    fn begin_large(&mut self, at: usize, len: usize) {
        // All of it is here already if only its line end is missing; then it stays. And nothing is left of a closing connection's.
        let Some(begun) = self.input.from(at).filter(|begun| begun.len() < len) else { return };
        let mut incoming = Incoming { bytes: Vec::new(), len };
        incoming.reserve(begun.len().max(1));
        incoming.bytes.extend_from_slice(begun);
        self.input.truncate(at);
        self.parser.put_outside();
        self.large.get_or_insert_default().incoming = Some(incoming);
    }
}

impl Shard {
    /// Further input of a connection whose request has not come wholly.
    #[inline]
    pub(crate) fn receive_more(&mut self, conn: usize, bytes: &[u8]) {
        let slot = &mut self.conns[conn];
        let mut rest = bytes;
        if let Some(large) = &mut slot.large {
            rest = large.take(bytes);
            if large.is_waiting() {
                return;
            }
        }
        slot.input.extend(rest);
        self.receive_own(conn);
    }

    /// So many bytes of a large argument have come by [`Large::room`]. [`Shard::receive`] must be called next, if only with
    /// an empty range.
    pub fn has_read(&mut self, conn: usize, bytes: usize) {
        self.cx.stats.net_in_bytes += bytes as u64;
        self.cx.stats.reads += 1;
        self.conns[conn].reads += 1;
        self.conns[conn].net_in_bytes += bytes as u64;
    }

    /// Runs the request whose spans begin at `mark`, and all that are queued before it. Its large arguments are the
    /// connection's.
    #[cold]
    pub(crate) fn run_large(&mut self, conn: usize, buf: &[u8], mark: usize) {
        let spans = self.spans.split_off(mark);
        self.run_queue(buf);
        let large = self.conns[conn].large.take().expect("the parser knows of large arguments");
        let seed = self.cx.seed.clone();
        self.run_apart(conn, Args::new(buf, &spans, &seed).with_outside(&large.whole));
    }

    /// Runs one command that is not queued. Nothing may be queued.
    fn run_apart(&mut self, conn: usize, args: Args<'_>) {
        let queued = self.queued(conn, 0, args, command::lookup_request(args));
        self.conns[conn].fenced |= queued.fences;
        timing::begin_chunk(&mut self.cx);
        self.run_queued(&queued, args.hashed(queued.key_index as usize, queued.hash));
        timing::end_chunk(&mut self.cx);
    }

    /// Runs one command that has been kept.
    pub(crate) fn run_kept(&mut self, conn: usize, kept: &OwnArgs) {
        let seed = self.cx.seed.clone();
        self.run_apart(conn, kept.args(&seed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_grow_with_what_comes() {
        let piece = [7; 10_000];
        for len in [32_768, 1 << 20, (1 << 20) + 1, 9_999_999, 50 << 20] {
            let incoming = Incoming { bytes: Vec::new(), len };
            let mut large = Large { incoming: Some(incoming), whole: Vec::new() };
            let (mut come, mut capacity, mut steps) = (0, 0, 0);
            while large.is_waiting() {
                let rest = large.take(&piece);
                come += piece.len() - rest.len();
                assert_eq!(large.len_bytes(), come);
                let bytes = &large.incoming.as_ref().expect("it is not taken yet").bytes;
                assert!(bytes.capacity() <= FIRST_BYTES_MAX.max(GROWTH * (come + 1)), "{len}: {come}");
                steps += usize::from(bytes.capacity() != capacity);
                capacity = bytes.capacity();
                assert!(rest.is_empty() || come == len);
            }
            assert!(steps <= 4, "{len}: {steps} sizes");
            let whole = &large.whole[0];
            assert_eq!((whole.len(), whole.capacity()), (len, len));
            assert_eq!(large.take(b"\r\n"), b"\r\n");
            assert!(large.room().is_none());
        }
    }
}
