//! Listpack: a short sequence of strings and integers in one block of bytes, byte for byte the format of
//! Redis, so that DUMP payloads and RDB files carry it as it is.
//!
//! Layout: total bytes (u32), number of entries (u16; 65535 = count them), entries, 0xFF. All little endian.
//!
//! Invariant: the bytes always form a valid listpack; foreign bytes enter only through
//! [`Listpack::from_bytes`], which checks every entry. Finding and changing an element is linear in the
//! bytes; users bound the size. It does not know what its entries mean (pairs, scores), nor whether they are
//! unique.

pub(crate) mod body;
pub(crate) mod entry;

pub use entry::{Item, Needle, Text};

const HEADER_BYTES: usize = 6;
/// Header and terminator: what an empty listpack takes.
pub const EMPTY_BYTES: usize = HEADER_BYTES + 1;
const END: u8 = 0xFF;
const COUNT_UNKNOWN: usize = u16::MAX as usize;
/// Users stop adding at this size (the bound of Redis), far below what the header can express.
pub const LISTPACK_BYTES_MAX: usize = 1 << 30;

/// Foreign bytes that do not form the structure they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("corrupt encoding")
    }
}

impl std::error::Error for Corrupt {}

/// Where an entry starts. Valid until the listpack changes at or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(usize);

impl At {
    /// Bytes before the entry.
    pub(crate) fn offset(self) -> usize {
        self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listpack {
    raw: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Listpack {
    pub fn new() -> Self {
        Self { raw: vec![EMPTY_BYTES as u8, 0, 0, 0, 0, 0, END] }
    }

    /// An empty listpack with room for `bytes` bytes of entries.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut raw = Vec::with_capacity(EMPTY_BYTES + bytes);
        raw.extend_from_slice(&[EMPTY_BYTES as u8, 0, 0, 0, 0, 0, END]);
        Self { raw }
    }

    /// Takes foreign bytes after checking header, every entry and terminator.
    pub fn from_bytes(raw: Vec<u8>) -> Result<Self, Corrupt> {
        if raw.len() < EMPTY_BYTES || raw.len() > u32::MAX as usize {
            return Err(Corrupt);
        }
        let (total, count) = (&raw[..4], u16::from_le_bytes([raw[4], raw[5]]));
        if total != (raw.len() as u32).to_le_bytes() || raw[raw.len() - 1] != END {
            return Err(Corrupt);
        }
        let mut row = &raw[HEADER_BYTES..raw.len() - 1];
        let mut found = 0usize;
        while !row.is_empty() {
            row = &row[entry::check(row).ok_or(Corrupt)?..];
            found += 1;
        }
        if usize::from(count) != COUNT_UNKNOWN && usize::from(count) != found {
            return Err(Corrupt);
        }
        Ok(Self { raw })
    }

    /// A listpack around entries that stand in a node of a list.
    pub(crate) fn append_wrapped(entries: &[u8], count: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&((entries.len() + EMPTY_BYTES) as u32).to_le_bytes());
        out.extend_from_slice(&(count.min(COUNT_UNKNOWN) as u16).to_le_bytes());
        out.extend_from_slice(entries);
        out.push(END);
    }

    /// The serialised form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.raw
    }

    /// Bytes of the serialised form.
    #[inline]
    pub fn total_bytes(&self) -> usize {
        self.raw.len()
    }

    /// Heap bytes held.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.raw.capacity()
    }

    /// Whether strings of `add` bytes in all may be added without passing the size bound.
    pub fn fits(&self, add: usize) -> bool {
        self.raw.len().saturating_add(add) <= LISTPACK_BYTES_MAX
    }

    /// Number of entries. Counts them when there are 65535 or more.
    #[inline]
    pub fn len(&self) -> usize {
        let count = self.header_count();
        if count == COUNT_UNKNOWN { self.iter().count() } else { count }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.raw.len() == EMPTY_BYTES
    }

    /// The entries, without header and terminator.
    #[inline]
    pub(crate) fn entries(&self) -> &[u8] {
        &self.raw[HEADER_BYTES..self.raw.len() - 1]
    }

    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { row: self.entries() }
    }

    /// Entries from `at` on.
    #[inline]
    pub fn iter_from(&self, at: At) -> Iter<'_> {
        Iter { row: &self.raw[at.0..self.raw.len() - 1] }
    }

    #[inline]
    pub fn first(&self) -> Option<At> {
        self.place(HEADER_BYTES)
    }

    #[inline]
    pub fn last(&self) -> Option<At> {
        self.prev(self.end())
    }

    /// Behind the last entry: the place to insert at the end.
    #[inline]
    pub fn end(&self) -> At {
        At(self.raw.len() - 1)
    }

    #[inline]
    pub fn next(&self, at: At) -> Option<At> {
        self.place(at.0 + entry::skip(&self.raw[at.0..]))
    }

    /// The entry before `at`, which may be `end()`.
    #[inline]
    pub fn prev(&self, at: At) -> Option<At> {
        let row = &self.raw[HEADER_BYTES..at.0];
        if row.is_empty() { None } else { Some(At(at.0 - entry::skip_back(row))) }
    }

    #[inline]
    fn place(&self, offset: usize) -> Option<At> {
        (offset + 1 < self.raw.len()).then_some(At(offset))
    }

    /// The place of the entry at `index`; negative counts from the end (-1 is the last).
    pub fn seek(&self, index: i64) -> Option<At> {
        let count = self.header_count();
        let forward = match usize::try_from(index) {
            Ok(index) if count == COUNT_UNKNOWN => return self.seek_forward(index),
            Ok(index) => index,
            Err(_) => return self.seek_back(usize::try_from(index.unsigned_abs()).ok()? - 1),
        };
        match count.checked_sub(forward + 1)? {
            from_end if from_end < forward => self.seek_back(from_end),
            _ => self.seek_forward(forward),
        }
    }

    fn seek_forward(&self, index: usize) -> Option<At> {
        let mut at = self.first()?;
        for _ in 0..index {
            at = self.next(at)?;
        }
        Some(at)
    }

    fn seek_back(&self, from_end: usize) -> Option<At> {
        let mut at = self.last()?;
        for _ in 0..from_end {
            at = self.prev(at)?;
        }
        Some(at)
    }

    /// The value at `at`.
    #[inline]
    pub fn get(&self, at: At) -> Item<'_> {
        entry::read(&self.raw[at.0..]).0
    }

    /// The value at `at` and the next place.
    #[inline]
    pub fn get_next(&self, at: At) -> (Item<'_>, Option<At>) {
        let (item, len) = entry::read(&self.raw[at.0..]);
        (item, self.place(at.0 + len))
    }

    pub fn get_index(&self, index: i64) -> Option<Item<'_>> {
        self.seek(index).map(|at| self.get(at))
    }

    /// The first entry equal to `needle` at `from` or later, looking at one entry, then passing over `skip`
    /// entries, and so on (`skip` 1 looks at the fields of field-value pairs).
    pub fn find(&self, from: At, needle: &[u8], skip: usize) -> Option<At> {
        let finder = entry::Finder::new(needle);
        let mut row = &self.raw[from.0..self.raw.len() - 1];
        while !row.is_empty() {
            let (found, mut len) = finder.look(row);
            if found {
                return Some(At(self.raw.len() - 1 - row.len()));
            }
            for _ in 0..skip {
                if len >= row.len() {
                    return None;
                }
                len += entry::skip(&row[len..]);
            }
            row = &row[len..];
        }
        None
    }

    /// `find` from the first entry.
    #[inline]
    pub fn find_first(&self, needle: &[u8], skip: usize) -> Option<At> {
        self.find(At(HEADER_BYTES), needle, skip)
    }

    /// Adds `item` behind the last entry.
    pub fn append(&mut self, item: Item<'_>) {
        self.insert(self.end(), item);
    }

    /// Adds `item` before the first entry.
    pub fn prepend(&mut self, item: Item<'_>) {
        self.insert(At(HEADER_BYTES), item);
    }

    /// Puts `item` before the entry at `at` (or at the end for `end()`); it then stands at `at`.
    pub fn insert(&mut self, at: At, item: Item<'_>) {
        self.insert_row(at, &[item]);
    }

    /// Puts `item` behind the entry at `at` and returns its place.
    pub fn insert_after(&mut self, at: At, item: Item<'_>) -> At {
        let at = At(at.0 + entry::skip(&self.raw[at.0..]));
        self.insert(at, item);
        at
    }

    /// Puts several items before `at`, moving what follows once.
    pub fn insert_row(&mut self, at: At, items: &[Item<'_>]) {
        let add = items.iter().map(|&item| entry::bytes(item)).sum();
        self.resize_gap(at.0, 0, add);
        let mut offset = at.0;
        for &item in items {
            let len = entry::bytes(item);
            entry::write(item, &mut self.raw[offset..offset + len]);
            offset += len;
        }
        self.count_changed(items.len() as isize);
    }

    /// Puts `item` in the place of the entry at `at`.
    pub fn replace(&mut self, at: At, item: Item<'_>) {
        let (old, new) = (entry::skip(&self.raw[at.0..]), entry::bytes(item));
        self.resize_gap(at.0, old, new);
        entry::write(item, &mut self.raw[at.0..at.0 + new]);
    }

    /// Removes up to `count` entries from `at` on; the entry that then stands at `at`, if any.
    pub fn remove(&mut self, at: At, count: usize) -> Option<At> {
        let (mut end, mut removed) = (at.0, 0);
        while removed < count && self.place(end).is_some() {
            end += entry::skip(&self.raw[end..]);
            removed += 1;
        }
        self.resize_gap(at.0, end - at.0, 0);
        self.count_changed(-(removed as isize));
        self.place(at.0)
    }

    /// Removes up to `count` entries from `index` on (negative from the end).
    pub fn remove_range(&mut self, index: i64, count: usize) {
        if let Some(at) = self.seek(index) {
            self.remove(at, count);
        }
    }

    /// Gives back memory beyond the content.
    pub fn shrink_to_fit(&mut self) {
        self.raw.shrink_to_fit();
    }

    /// Makes the `old` bytes at `offset` `new` bytes long (content arbitrary) and writes the total to the
    /// header.
    fn resize_gap(&mut self, offset: usize, old: usize, new: usize) {
        let len = self.raw.len();
        if new > old {
            let add = new - old;
            assert!(len + add <= u32::MAX as usize, "users of a listpack check `fits`");
            self.reserve(add);
            self.raw.resize(len + add, END);
            self.raw.copy_within(offset + old..len, offset + new);
        } else if new < old {
            self.raw.copy_within(offset + old..len, offset + new);
            self.raw.truncate(len - (old - new));
            if self.raw.capacity() > 64 && self.raw.capacity() / 2 > self.raw.len() {
                self.raw.shrink_to(self.raw.len() + self.raw.len() / 4);
            }
        }
        let total = self.raw.len() as u32;
        self.raw[..4].copy_from_slice(&total.to_le_bytes());
    }

    /// Grows by an eighth at least: these blocks are small and many, so memory counts more than copies.
    fn reserve(&mut self, add: usize) {
        if self.raw.capacity() - self.raw.len() < add {
            self.raw.reserve_exact(add.max(self.raw.len() / 8));
        }
    }

    #[inline]
    fn header_count(&self) -> usize {
        usize::from(u16::from_le_bytes([self.raw[4], self.raw[5]]))
    }

    /// A count that once passed 65534 stays unknown until a removal brings it back in range.
    fn count_changed(&mut self, by: isize) {
        let known = match self.header_count() {
            COUNT_UNKNOWN if by >= 0 => return,
            COUNT_UNKNOWN => self.iter().count(),
            count => count.checked_add_signed(by).expect("entries removed were there"),
        };
        let count = known.min(COUNT_UNKNOWN) as u16;
        self.raw[4..6].copy_from_slice(&count.to_le_bytes());
    }
}

/// Entries forwards, or backwards with `rev()`.
#[derive(Clone)]
pub struct Iter<'a> {
    row: &'a [u8],
}

impl<'a> Iter<'a> {
    #[inline]
    pub(crate) fn over(row: &'a [u8]) -> Self {
        Self { row }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.row.is_empty() {
            return None;
        }
        let (item, len) = entry::read(self.row);
        self.row = &self.row[len..];
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.row.is_empty() {
            return None;
        }
        let start = self.row.len() - entry::skip_back(self.row);
        let item = entry::read(&self.row[start..]).0;
        self.row = &self.row[..start];
        Some(item)
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
