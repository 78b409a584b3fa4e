//! What a connection has sent that is not parsed, in one piece.

/// Bytes that have come and are not parsed.
#[derive(Default)]
pub struct Unread {
    bytes: Vec<u8>,
    /// Where they begin; what stands before has been parsed.
    start: usize,
}

/// Parsed bytes at the beginning of a buffer that are not worth moving the rest.
const PARSED_BYTES_MIN: usize = 16 * 1024;
/// Input buffers larger than this are given back once they are empty.
const IDLE_INPUT_BYTES_MAX: usize = 16 * 1024;

impl Unread {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The whole buffer, and where in it the bytes begin.
    pub(crate) fn buf(&self) -> (&[u8], usize) {
        (&self.bytes, self.start)
    }

    /// The bytes from `at` on, if there are so many.
    pub(crate) fn from(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.start + at..)
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }

    /// All before position `end` of the buffer has been parsed. What is left is moved only when it is less than what goes: so a byte
    /// is moved once or so, however many steps it takes.
    pub(crate) fn consume_to(&mut self, end: usize) {
        self.start = end;
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
            if self.bytes.capacity() > IDLE_INPUT_BYTES_MAX {
                self.bytes = Vec::new();
            }
        } else if self.start >= PARSED_BYTES_MIN && self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn input_is_moved_rarely_and_stays_what_it_is() {
        let (mut unread, mut expected, mut moves) = (Unread::default(), VecDeque::new(), 0);
        let piece: Vec<u8> = (0..=250).collect();
        for round in 0..20_000 {
            unread.extend(&piece);
            expected.extend(&piece);
            // More comes than goes, then more goes than comes.
            for _ in 0..if round < 10_000 { 2 } else { 8 } {
                let count = expected.len().min(61);
                let (_, start) = unread.buf();
                expected.drain(..count);
                unread.consume_to(start + count);
                moves += usize::from(unread.start < start) * unread.len();
            }
            assert_eq!((unread.len(), unread.is_empty()), (expected.len(), expected.is_empty()));
            assert_eq!(unread.from(0).and_then(|rest| rest.first()), expected.front());
        }
        assert!(moves <= 20_000 * piece.len(), "{moves} bytes moved");
    }
}
