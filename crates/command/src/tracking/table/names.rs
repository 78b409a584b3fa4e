//! The names of keys, one behind the other: what is added next to what was added last costs no wait for memory.

/// Names begin at multiples of this, so that 32 bits are enough for their places.
const ALIGN_BYTES: usize = 8;
/// In front of each name: its length.
const LENGTH_BYTES: usize = 4;
/// Room of names that have gone, below which it is left as it is.
const GONE_BYTES_MIN: usize = 4096;

#[derive(Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    /// Of names that have gone.
    gone_bytes: usize,
}

/// The room that a name takes.
fn room(len: usize) -> usize {
    (LENGTH_BYTES + len).next_multiple_of(ALIGN_BYTES)
}

impl Names {
    /// Whether there is room for a new name without more memory.
    #[inline]
    pub fn have_room(&self, name: &[u8]) -> bool {
        self.bytes.capacity() - self.bytes.len() >= room(name.len()) + ALIGN_BYTES
    }

    /// The place of a new name.
    #[inline]
    pub fn add(&mut self, name: &[u8]) -> u32 {
        let (at, room) = (self.bytes.len(), room(name.len()));
        self.bytes.reserve(room + ALIGN_BYTES);
        self.bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(name);
        // More than is needed: a fixed number of bytes is quicker to write than a few.
        self.bytes.extend_from_slice(&[0; ALIGN_BYTES]);
        self.bytes.truncate(at + room);
        u32::try_from(at / ALIGN_BYTES).expect("the names of one part take less than 32 GiB")
    }

    #[inline]
    pub fn get(&self, place: u32) -> &[u8] {
        let at = place as usize * ALIGN_BYTES;
        let (len, rest) = self.bytes[at..].split_first_chunk().expect("a name has a length");
        &rest[..u32::from_le_bytes(*len) as usize]
    }

    /// The name at a place has gone.
    pub fn remove(&mut self, place: u32) {
        self.gone_bytes += room(self.get(place).len());
    }

    /// Whether it is time to copy those that are left.
    pub fn are_sparse(&self) -> bool {
        self.gone_bytes > GONE_BYTES_MIN && self.gone_bytes > self.bytes.len() / 2
    }

    /// For as many bytes of names as another one has left.
    pub fn for_those_of(other: &Self) -> Self {
        Self { bytes: Vec::with_capacity(other.bytes.len() - other.gone_bytes), gone_bytes: 0 }
    }

    pub fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    #[cfg(test)]
    pub fn bytes_left(&self) -> usize {
        self.bytes.len() - self.gone_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_where_they_are_until_copied() {
        let mut names = Names::default();
        let words = [&b""[..], b"four", b"five5", &[b'x'; 5000], b"last"];
        let places = words.map(|word| names.add(word));
        assert!(places.iter().zip(words).all(|(place, word)| names.get(*place) == word));
        assert_eq!(names.bytes_left(), 8 + 8 + 16 + 5008 + 8);
        names.remove(places[3]);
        assert!(names.are_sparse());
        assert_eq!((names.bytes_left(), names.get(places[4])), (40, &b"last"[..]));
        let copy = Names::for_those_of(&names);
        assert!(copy.bytes() >= 40 && !copy.are_sparse());
    }
}
