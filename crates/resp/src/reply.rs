//! Replies, written where they will be sent from.
//!
//! One writer serves both protocols: types that RESP2 lacks are written as Redis writes them there.

pub use base::blob::Blob;
use base::number::{I64Buf, short_text};
use std::ops::Range;

/// Reply bytes in order. Large values are not copied in: they stand beside the bytes with the place they belong to.
#[derive(Default, Debug)]
pub struct Reply {
    pub buf: Vec<u8>,
    /// (position in `buf` before which the value is sent, value), in ascending order.
    pub blobs: Vec<(usize, Blob)>,
    /// The client speaks RESP3.
    pub resp3: bool,
}

/// Longest number with its type byte and line end: `:-9223372036854775808\r\n`.
const LINE_BYTES_MAX: usize = 24;
/// Numbers below it have at most eight digits.
const LINE_SHORT_BELOW: i64 = 100_000_000;
const LINE_END: u128 = u16::from_le_bytes(*b"\r\n") as u128;

impl Reply {
    pub fn new(resp3: bool) -> Self {
        Self { buf: Vec::new(), blobs: Vec::new(), resp3 }
    }

    /// Nothing to send.
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty() && self.blobs.is_empty()
    }

    /// Bytes to send, shared values included.
    pub fn len(&self) -> usize {
        self.buf.len() + self.blobs.iter().map(|(_, b)| b.len()).sum::<usize>()
    }

    pub fn clear(&mut self) {
        self.buf.clear();
        self.blobs.clear();
    }

    /// Drops the first `bytes` bytes, which have been sent. A shared value goes as a whole or not at all: how many bytes of
    /// what is now the first one should have gone as well.
    pub fn drop_front(&mut self, bytes: usize) -> usize {
        let (mut rest, mut at, mut blobs) = (bytes, 0, 0);
        for (position, blob) in &self.blobs {
            let before = position - at;
            if rest < before + blob.len() {
                break;
            }
            rest -= before + blob.len();
            at = *position;
            blobs += 1;
        }
        let limit = self.blobs.get(blobs).map_or(self.buf.len(), |(position, _)| *position);
        let plain = rest.min(limit - at);
        self.buf.drain(..at + plain);
        self.blobs.drain(..blobs);
        self.blobs.iter_mut().for_each(|(position, _)| *position -= at + plain);
        rest - plain
    }

    /// Where the next reply begins; for [`Reply::rewind`].
    pub fn mark(&self) -> (usize, usize) {
        (self.buf.len(), self.blobs.len())
    }

    /// Bytes written since `mark`.
    pub fn bytes_since(&self, mark: (usize, usize)) -> usize {
        self.buf.len() - mark.0 + self.blobs[mark.1..].iter().map(|(_, blob)| blob.len()).sum::<usize>()
    }

    /// Takes back all that was written since `mark`.
    pub fn rewind(&mut self, mark: (usize, usize)) {
        self.buf.truncate(mark.0);
        self.blobs.truncate(mark.1);
    }

    /// Bytes that are a reply already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Moves another reply's content to the end of this one.
    pub fn append(&mut self, other: &mut Reply) {
        const LONG: usize = 16 << 10;
        if self.is_empty() && other.buf.len() > LONG {
            std::mem::swap(&mut self.buf, &mut other.buf);
            std::mem::swap(&mut self.blobs, &mut other.blobs);
            return;
        }
        let at = self.buf.len();
        self.buf.append(&mut other.buf);
        self.blobs.extend(other.blobs.drain(..).map(|(pos, blob)| (at + pos, blob)));
    }

    /// Copies whole replies of another one to the end of this one: those in `range` of its bytes, shared values included.
    #[inline]
    pub fn append_part(&mut self, from: &Reply, range: Range<usize>) {
        if !from.blobs.is_empty() {
            self.append_blobs(from, &range);
        }
        self.raw(&from.buf[range]);
    }

    #[cold]
    fn append_blobs(&mut self, from: &Reply, range: &Range<usize>) {
        let base = self.buf.len();
        let first = from.blobs.partition_point(|(position, _)| *position < range.start);
        let inside = from.blobs[first..].iter().take_while(|(position, _)| *position < range.end);
        self.blobs.extend(inside.map(|(position, blob)| (base + position - range.start, blob.clone())));
    }

    #[inline]
    fn line(&mut self, kind: u8, number: i64) {
        if !(0..LINE_SHORT_BELOW).contains(&number) {
            return self.long_line(kind, number);
        }
        // Put together in a register: at most eleven bytes.
        let (digits, len) = short_text(number as u64);
        let text = u128::from(u64::from_le_bytes(digits)) << 8;
        let line = u128::from(kind) | text | LINE_END << (8 * (len + 1));
        let end = self.buf.len() + len + 3;
        self.buf.extend_from_slice(&line.to_le_bytes());
        self.buf.truncate(end);
    }

    fn long_line(&mut self, kind: u8, number: i64) {
        let mut line = [0u8; LINE_BYTES_MAX];
        let mut at = LINE_BYTES_MAX - 2;
        line[at] = b'\r';
        line[at + 1] = b'\n';
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            line[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            at -= 1;
            line[at] = b'-';
        }
        at -= 1;
        line[at] = kind;
        self.buf.extend_from_slice(&line[at..]);
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A status line. The text must not contain CR or LF.
    pub fn status(&mut self, text: &str) {
        self.text_line(b'+', text.as_bytes());
    }

    /// An error line with its code in front (`ERR …`). CR and LF become spaces: nothing can be injected.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.text_line(b'-', text.as_ref());
    }

    fn text_line(&mut self, kind: u8, text: &[u8]) {
        self.buf.reserve(text.len() + 3);
        self.buf.push(kind);
        let at = self.buf.len();
        self.buf.extend_from_slice(text);
        for byte in &mut self.buf[at..] {
            *byte = if *byte == b'\r' || *byte == b'\n' { b' ' } else { *byte };
        }
        self.buf.extend_from_slice(b"\r\n");
    }

    #[inline]
    pub fn int(&mut self, value: i64) {
        self.line(b':', value);
    }

    /// A length or count.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.line(b':', value as i64);
    }

    /// A number beyond what [`Reply::int`] can say.
    pub fn natural(&mut self, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.int(value),
            Err(_) => self.text_line(b':', value.to_string().as_bytes()),
        }
    }

    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.buf.reserve(bytes.len() + 2 * LINE_BYTES_MAX);
        if let Some((head, len)) = short_header(bytes.len()) {
            // A copy of a fixed length is one store.
            self.buf.extend_from_slice(&head);
            self.buf.truncate(self.buf.len() - head.len() + len);
        } else {
            self.line(b'$', bytes.len() as i64);
        }
        self.buf.extend_from_slice(bytes);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A bulk string that is sent from where it lies.
    pub fn bulk_shared(&mut self, blob: Blob) {
        self.line(b'$', blob.len() as i64);
        self.blobs.push((self.buf.len(), blob));
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A number as a bulk string.
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(I64Buf::new(value).as_bytes());
    }

    /// No value: `$-1` or `_`.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No array: `*-1` or `_`.
    pub fn null_array(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    #[inline]
    pub fn array(&mut self, len: usize) {
        self.line(b'*', len as i64);
    }

    /// `pairs` keys with their values; a flat array in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3 { self.line(b'%', pairs as i64) } else { self.line(b'*', 2 * pairs as i64) }
    }

    pub fn set(&mut self, len: usize) {
        self.line(if self.resp3 { b'~' } else { b'*' }, len as i64);
    }

    pub fn push(&mut self, len: usize) {
        self.line(if self.resp3 { b'>' } else { b'*' }, len as i64);
    }

    /// Attributes of the reply that follows; nothing may be written for RESP2 clients.
    pub fn attribute(&mut self, pairs: usize) {
        assert!(self.resp3, "attributes exist only in RESP3");
        self.line(b'|', pairs as i64);
    }

    pub fn boolean(&mut self, value: bool) {
        match (self.resp3, value) {
            (true, true) => self.raw(b"#t\r\n"),
            (true, false) => self.raw(b"#f\r\n"),
            (false, value) => self.int(i64::from(value)),
        }
    }

    /// A double in the fewest digits: `,1.5` or a bulk string.
    pub fn double(&mut self, value: f64) {
        self.double_text(base::number::format_shortest(value).as_bytes());
    }

    /// A double whose text the caller has formatted: `,1.5` or a bulk string.
    pub fn double_text(&mut self, text: &[u8]) {
        if self.resp3 { self.text_line(b',', text) } else { self.bulk(text) }
    }

    /// An integer beyond 64 bits: `(…` or a bulk string.
    pub fn big_number(&mut self, text: &[u8]) {
        if self.resp3 { self.text_line(b'(', text) } else { self.bulk(text) }
    }

    /// Begins a run of bulk strings that take about `bytes` bytes in all, headers included. Their array header is the
    /// caller's to write before, or after by [`Reply::array_around`].
    #[inline]
    pub fn run(&mut self, bytes: usize) -> BulkRun<'_> {
        self.buf.reserve(bytes);
        let at = self.buf.len();
        BulkRun { buf: &mut self.buf, at, step: bytes.min(RUN_STEP_BYTES) }
    }

    /// Makes the `len` values written since `mark` an array.
    pub fn array_around(&mut self, mark: (usize, usize), len: usize) {
        self.before(mark, |out| out.array(len));
    }

    /// Makes the `len` values written since `mark` a set.
    pub fn set_around(&mut self, mark: (usize, usize), len: usize) {
        self.before(mark, |out| out.set(len));
    }

    /// Puts what `write` writes before all that was written since `mark`. For lengths that are known late; `write` writes
    /// no shared values.
    pub fn before(&mut self, mark: (usize, usize), write: impl FnOnce(&mut Self)) {
        let (end, blobs) = (self.buf.len(), self.blobs.len());
        write(self);
        assert!(self.blobs.len() == blobs, "a header has no shared values");
        let added = self.buf.len() - end;
        self.buf[mark.0..].rotate_right(added);
        self.blobs[mark.1..].iter_mut().for_each(|(at, _)| *at += added);
    }

    /// Text with a three-letter format (`txt`, `mkd`), or a bulk string.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        self.line(b'=', text.len() as i64 + 4);
        self.raw(format);
        self.raw(b":");
        self.raw(text);
        self.raw(b"\r\n");
    }
}

/// A run of bulk strings, written into room that is made in large steps; see [`Reply::run`].
///
/// Invariant: `at` is the end of what has been written; the bytes of `buf` from there on are zeros and leave with the run.
pub struct BulkRun<'r> {
    buf: &'r mut Vec<u8>,
    at: usize,
    /// Room made at a time.
    step: usize,
}

/// Room a run makes at a time at most: little enough to stay in the first cache until it is written.
const RUN_STEP_BYTES: usize = 8192;

impl BulkRun<'_> {
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        let need = bytes.len() + LINE_BYTES_MAX + 2;
        if self.buf.len() - self.at < need {
            self.make_room(need);
        }
        let room = &mut self.buf[self.at..self.at + need];
        let head = write_header(room, bytes.len());
        let end = head + bytes.len();
        room[head..end].copy_from_slice(bytes);
        room[end..end + 2].copy_from_slice(b"\r\n");
        self.at += end + 2;
    }

    /// A number as a bulk string.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.bulk(I64Buf::new(value).as_bytes());
    }

    #[cold]
    fn make_room(&mut self, need: usize) {
        self.buf.resize(self.at + need.max(self.step), 0);
    }
}

impl Drop for BulkRun<'_> {
    fn drop(&mut self) {
        self.buf.truncate(self.at);
    }
}

/// Writes the header of a bulk string of `len` bytes to the front of `room`, which has 8 bytes to spare; returns its
/// length.
#[inline]
fn write_header(room: &mut [u8], len: usize) -> usize {
    let Some((head, n)) = short_header(len) else { return write_long_header(room, len) };
    room[..8].copy_from_slice(&head);
    n
}

/// The header of a bulk string of up to 999 bytes, and its length; the bytes behind it mean nothing.
#[inline]
fn short_header(len: usize) -> Option<([u8; 8], usize)> {
    let digit = |n: usize| b'0' + (n % 10) as u8;
    match len {
        0..10 => Some(([b'$', digit(len), b'\r', b'\n', 0, 0, 0, 0], 4)),
        10..100 => Some(([b'$', digit(len / 10), digit(len), b'\r', b'\n', 0, 0, 0], 5)),
        100..1000 => Some(([b'$', digit(len / 100), digit(len / 10), digit(len), b'\r', b'\n', 0, 0], 6)),
        _ => None,
    }
}

fn write_long_header(room: &mut [u8], len: usize) -> usize {
    let number = I64Buf::from_u64(len as u64);
    let text = number.as_bytes();
    room[0] = b'$';
    room[1..=text.len()].copy_from_slice(text);
    room[1 + text.len()..3 + text.len()].copy_from_slice(b"\r\n");
    text.len() + 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn both(write: impl Fn(&mut Reply)) -> (String, String) {
        let text = |resp3| {
            let mut reply = Reply::new(resp3);
            write(&mut reply);
            String::from_utf8(reply.buf).unwrap()
        };
        (text(false), text(true))
    }

    #[test]
    fn forms_of_both_protocols() {
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(both(|r| r.null()), pair("$-1\r\n", "_\r\n"));
        assert_eq!(both(|r| r.null_array()), pair("*-1\r\n", "_\r\n"));
        assert_eq!(both(|r| r.map(2)), pair("*4\r\n", "%2\r\n"));
        assert_eq!(both(|r| r.set(2)), pair("*2\r\n", "~2\r\n"));
        assert_eq!(both(|r| r.boolean(true)), pair(":1\r\n", "#t\r\n"));
        assert_eq!(both(|r| r.double_text(b"1.5")), pair("$3\r\n1.5\r\n", ",1.5\r\n"));
        assert_eq!(both(|r| r.verbatim(b"txt", b"hi")), pair("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"));
        assert_eq!(both(|r| r.big_number(b"123")), pair("$3\r\n123\r\n", "(123\r\n"));
        assert_eq!(both(|r| r.bulk_int(i64::MIN)).0, "$20\r\n-9223372036854775808\r\n");
        assert_eq!(both(|r| r.int(i64::MIN)).0, ":-9223372036854775808\r\n");
    }

    #[test]
    fn a_run_writes_what_single_bulks_write() {
        let values: Vec<Vec<u8>> =
            [0, 1, 9, 10, 99, 100, 999, 1000, 4095, 8190, 8192, 100_000].map(|n| vec![b'x'; n]).to_vec();
        let (mut single, mut run) = (Reply::new(false), Reply::new(false));
        single.int(7);
        run.int(7);
        values.iter().for_each(|v| single.bulk(v));
        [0, -1, i64::MIN, i64::MAX].iter().for_each(|&n| single.bulk_int(n));
        {
            let mut run = run.run(100);
            values.iter().for_each(|v| run.bulk(v));
            [0, -1, i64::MIN, i64::MAX].iter().for_each(|&n| run.int(n));
        }
        assert_eq!(single.buf, run.buf);
    }

    #[test]
    fn a_header_may_come_after_the_values() {
        let mut reply = Reply::new(true);
        reply.int(1);
        let mark = reply.mark();
        reply.bulk(b"a");
        reply.bulk_shared(Arc::new(b"abc".to_vec()));
        reply.set_around(mark, 2);
        assert_eq!(reply.buf, b":1\r\n~2\r\n$1\r\na\r\n$3\r\n\r\n");
        assert_eq!(reply.blobs[0].0, 19);
        reply.clear();
        reply.array_around((0, 0), 0);
        assert_eq!(reply.buf, b"*0\r\n");
    }

    #[test]
    fn nothing_can_be_injected_into_a_line() {
        assert_eq!(both(|r| r.error("ERR a\r\n+b")).0, "-ERR a  +b\r\n");
    }

    /// All that would be sent.
    fn wire(reply: &Reply) -> Vec<u8> {
        let (mut bytes, mut from) = (Vec::new(), 0);
        for (position, blob) in &reply.blobs {
            bytes.extend_from_slice(&reply.buf[from..*position]);
            bytes.extend_from_slice(blob);
            from = *position;
        }
        bytes.extend_from_slice(&reply.buf[from..]);
        bytes
    }

    #[test]
    fn the_front_can_be_dropped_anywhere() {
        let make = || {
            let mut reply = Reply::new(false);
            reply.int(1);
            reply.bulk_shared(Arc::new(b"abcdef".to_vec()));
            reply.bulk_shared(Arc::new(b"ghi".to_vec()));
            reply.int(2);
            reply
        };
        let whole = wire(&make());
        for bytes in 0..=whole.len() {
            let mut reply = make();
            let more = reply.drop_front(bytes);
            assert_eq!(wire(&reply)[more..], whole[bytes..], "{bytes}");
            assert!(more == 0 || reply.blobs[0].0 == 0 && more < reply.blobs[0].1.len(), "{bytes}");
        }
    }

    #[test]
    fn shared_values_keep_their_place() {
        let mut first = Reply::new(false);
        first.int(1);
        let mut second = Reply::new(false);
        second.bulk_shared(Arc::new(b"abc".to_vec()));
        first.append(&mut second);
        assert_eq!(first.buf, b":1\r\n$3\r\n\r\n");
        assert_eq!(first.blobs[0].0, 8);
        assert_eq!(first.len(), 13);
    }
}
