//! The key of a document, as an index keeps it for each of its documents and searches hand it on.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The longest key that lies in place.
const SHORT_MAX: usize = 22;

/// A key. A short one lies in place: no memory of its own, nothing to be counted when it is copied, and no second line to wait for.
#[derive(Clone)]
pub struct DocumentKey(Form);

#[derive(Clone)]
enum Form {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Arc<[u8]>),
}

const _: () =
    assert!(size_of::<Option<DocumentKey>>() == 24, "as large as a short key with its length and form");

impl DocumentKey {
    /// Memory outside of it.
    pub fn outside_bytes(&self) -> usize {
        /// Those of the copies.
        const COUNTS: usize = 2 * size_of::<usize>();
        match &self.0 {
            Form::Short { .. } => 0,
            Form::Long(key) => COUNTS + key.len(),
        }
    }
}

impl From<&[u8]> for DocumentKey {
    fn from(key: &[u8]) -> Self {
        if key.len() > SHORT_MAX {
            return Self(Form::Long(key.into()));
        }
        let mut bytes = [0; SHORT_MAX];
        bytes[..key.len()].copy_from_slice(key);
        Self(Form::Short { len: key.len() as u8, bytes })
    }
}

impl Deref for DocumentKey {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Short { len, bytes } => &bytes[..usize::from(*len)],
            Form::Long(key) => key,
        }
    }
}

impl PartialEq for DocumentKey {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for DocumentKey {}

impl PartialOrd for DocumentKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DocumentKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self[..].cmp(&other[..])
    }
}

impl fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_length() {
        for len in [0, 1, SHORT_MAX - 1, SHORT_MAX, SHORT_MAX + 1, 1000] {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let key = DocumentKey::from(&bytes[..]);
            assert_eq!(&key[..], &bytes[..]);
            assert_eq!(&key.clone()[..], &bytes[..]);
            assert_eq!(key.outside_bytes(), if len > SHORT_MAX { 16 + len } else { 0 });
        }
    }
}
