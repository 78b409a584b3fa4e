//! The elements of a collection that an event is about: how many, and which if anybody can want to know.
//!
//! They are kept as they will be published, `3:abc,5:hello`: each name behind its length in bytes.

use base::number::append_u64;

/// The fields of a hash that one event is about.
#[derive(Debug, Default)]
pub struct Subkeys {
    count: usize,
    is_named: bool,
    names: Vec<u8>,
}

impl Subkeys {
    /// None so far; their names are kept if `is_named`.
    pub fn new(is_named: bool) -> Self {
        Self { count: 0, is_named, names: Vec::new() }
    }

    #[inline]
    pub fn add(&mut self, name: &[u8]) {
        self.count += 1;
        if self.is_named {
            self.write(name);
        }
    }

    #[cold]
    fn write(&mut self, name: &[u8]) {
        if !self.names.is_empty() {
            self.names.push(b',');
        }
        append_u64(&mut self.names, name.len() as u64);
        self.names.push(b':');
        self.names.extend_from_slice(name);
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// As they are published; empty if there are none or nobody wants to know.
    pub fn names(&self) -> &[u8] {
        &self.names
    }
}

/// The single names of what [`Subkeys::names`] gave.
pub fn each(mut names: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let colon = names.iter().position(|byte| *byte == b':')?;
        let digits = names[..colon].strip_prefix(b",").unwrap_or(&names[..colon]);
        let len = digits.iter().fold(0, |len, digit| len * 10 + usize::from(digit - b'0'));
        let (name, rest) = names[colon + 1..].split_at(len);
        names = rest;
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_whatever_is_in_them() {
        let given: [&[u8]; 6] = [b"abc", b"", b"1:2,3:4", b",", b"\n\0:", &[b'x'; 300]];
        let mut subkeys = Subkeys::new(true);
        given.iter().for_each(|name| subkeys.add(name));
        assert!(subkeys.names().starts_with(b"3:abc,0:,7:1:2,3:4,1:,,3:\n\0:,300:xxx"));
        assert_eq!(each(subkeys.names()).collect::<Vec<_>>(), given);
        assert_eq!(subkeys.count(), 6);
        assert_eq!(each(b"").count(), 0);
    }

    #[test]
    fn nothing_is_kept_that_nobody_wants() {
        let mut subkeys = Subkeys::new(false);
        assert!(subkeys.is_empty());
        subkeys.add(b"a");
        assert_eq!((subkeys.count(), subkeys.names()), (1, &b""[..]));
    }
}
