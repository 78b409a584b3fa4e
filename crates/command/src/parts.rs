//! Reading the parts of an all-shards command: the replies that the shards' part handlers wrote.
//!
//! Parts come from our own handlers, so a part that does not have the expected form is a bug, and panics.

use resp::reader;

/// A place in a part, going forward.
pub struct Part<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Part<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn header(&mut self) -> (u8, i64) {
        let (kind, number, next) = reader::header(self.bytes, self.at).expect("a part is a whole reply");
        self.at = next;
        (kind, number)
    }

    pub fn int(&mut self) -> i64 {
        let (kind, number) = self.header();
        assert_eq!(kind, b':', "a number was expected in a part");
        number
    }

    /// The number of elements of the array that begins here.
    pub fn array(&mut self) -> usize {
        let (kind, len) = self.header();
        assert_eq!(kind, b'*', "an array was expected in a part");
        len as usize
    }

    pub fn bulk(&mut self) -> &'a [u8] {
        let (kind, len) = self.header();
        assert!(kind == b'$' && len >= 0, "a string was expected in a part");
        let start = self.at;
        self.at += len as usize + 2;
        &self.bytes[start..start + len as usize]
    }

    /// The whole reply that begins here.
    pub fn element(&mut self) -> &'a [u8] {
        let start = self.at;
        let len = reader::reply_len(&self.bytes[start..]).expect("a part is a whole reply");
        self.at += len;
        &self.bytes[start..self.at]
    }

    pub fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bulk()).expect("names in parts are ASCII")
    }
}

/// Adds up the integer replies of all parts.
pub fn sum(parts: &[&[u8]]) -> i64 {
    parts.iter().map(|part| Part::new(part).int()).sum()
}
