//! The table: finding, adding, replacing and removing records.

use crate::bucket::ones;
use crate::directory::Directory;
use crate::position::{BUCKET_BITS, bucket, position, tag};
use crate::prefetch::prefetch;
use crate::remains::Remains;
use crate::reshape::Room;
use crate::segment::{BUCKETS, Block, Header, Segment, class_for_heap};
use crate::view::{View, ViewMut};
use crate::{Layout, RECORD_BYTES_MAX};
use base::hash::HashSeed;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a record stands. Valid until the next call on the table that can move records (insert, replace,
/// remove, sweep, clear). Using it later panics in debug builds; in release builds it panics or shows another
/// record, but is memory-safe.
#[derive(Clone, Copy, Debug)]
pub struct Pos {
    base: NonNull<u8>,
    /// Stamp of the table's state, bucket, slot: 54, 5 and 5 bits, so that a Pos travels in two registers.
    place: u64,
}

const SLOT_BITS: u32 = 5;
const PLACE_BITS: u32 = BUCKET_BITS + SLOT_BITS;

// SAFETY: a Pos gives no access by itself; the table it is shown to does.
unsafe impl Send for Pos {}
// SAFETY: as above.
unsafe impl Sync for Pos {}

/// Tells the states of all tables apart: a new one whenever a block is freed. 34 bits are the table's, 20
/// count; the low `PLACE_BITS` are left for a Pos.
struct Stamp(u64);

const STAMP_COUNT_BITS: u32 = 20;
static STAMPS: AtomicU64 = AtomicU64::new(1);

impl Stamp {
    fn new() -> Self {
        Self(STAMPS.fetch_add(1, Ordering::Relaxed) << (STAMP_COUNT_BITS + PLACE_BITS))
    }

    fn advance(&mut self) {
        self.0 += 1 << PLACE_BITS;
        if self.0.is_multiple_of(1 << (STAMP_COUNT_BITS + PLACE_BITS)) {
            *self = Self::new();
        }
    }
}

/// A hash table of packed records. See the crate for its shape.
///
/// Dropping it frees the records' bytes only; what they point to is the user's to free before.
pub struct Table<L: Layout> {
    seed: HashSeed,
    pub(crate) directory: Directory<L::Meta>,
    pub(crate) len: usize,
    stamp: Stamp,
    /// The number of the walk that is under way, or of none.
    pub(crate) walk: u32,
    /// Segments at this depth do not split but overflow. Lowered by tests only.
    pub(crate) depth_max: u32,
}

impl<L: Layout> Table<L> {
    /// An empty table; it takes 2.5 KiB.
    pub fn new(seed: HashSeed) -> Self {
        let directory = Directory::new(Self::first_segment());
        Self { seed, directory, len: 0, stamp: Stamp::new(), walk: 0, depth_max: crate::directory::DEPTH_MAX }
    }

    pub(crate) fn first_segment() -> Segment<L::Meta> {
        let class = class_for_heap::<L::Meta>(64).expect("the smallest segment is small");
        Segment::new(class, 0, 0)
    }

    pub fn seed(&self) -> &HashSeed {
        &self.seed
    }

    /// Number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory in use: blocks and directory, as the allocator takes them.
    pub fn bytes(&self) -> usize {
        self.directory.bytes()
    }

    /// Number of segments.
    pub fn segments(&self) -> usize {
        self.directory.segments()
    }

    /// The hash of a key, as the other calls want it: that of the seed.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// Stage 1 of a lookup to come: asks for the line of the bucket.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        let (segment, home) = self.home(hash);
        prefetch(segment.bucket_address(home));
    }

    /// Stage 1 of a lookup that may insert, replace or remove: asks for the header as well.
    #[inline]
    pub fn prefetch_bucket_for_write(&self, hash: u64) {
        let (segment, home) = self.home(hash);
        prefetch(segment.bucket_address(home));
        prefetch(segment.header_address());
    }

    /// Stage 2: reads the bucket and asks for the records whose tag matches.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        self.prefetch_matches(hash);
    }

    /// Stage 2 of a lookup that may insert, replace or remove: reads the header as well, and asks for the
    /// place of a new record.
    #[inline]
    pub fn prefetch_record_for_write(&self, hash: u64) {
        let segment = self.prefetch_matches(hash);
        let free = segment.record_address(segment.header().fill);
        prefetch(free.wrapping_sub(1));
        prefetch(free.wrapping_sub(64));
    }

    #[inline]
    fn prefetch_matches(&self, hash: u64) -> View<'_, L::Meta> {
        let (segment, home) = self.home(hash);
        let line = segment.bucket(home);
        for slot in ones(line.matches(tag(hash)) & line.own()) {
            let start = segment.record_address(line.offset(slot));
            prefetch(start);
            prefetch(start.wrapping_add(63));
        }
        if line.displaced > 0 {
            prefetch(segment.bucket_address((home + 1) % BUCKETS));
        }
        segment
    }

    /// The segment and the home bucket of a hash.
    #[inline]
    fn home(&self, hash: u64) -> (View<'_, L::Meta>, usize) {
        let position = position(hash);
        let (segment, depth) = self.directory.view(position);
        (segment, bucket(position, depth))
    }

    /// The record of `key`, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Pos> {
        let (segment, home) = self.home(hash);
        if let Some((bucket, slot)) = segment.find::<L>(home, tag(hash), key) {
            return Some(self.pos(segment.base(), bucket, slot));
        }
        if segment.bucket(home).overflowed != 0 {
            return self.find_overflowed(segment, home, hash, key);
        }
        None
    }

    #[cold]
    fn find_overflowed(&self, first: View<'_, L::Meta>, home: usize, hash: u64, key: &[u8]) -> Option<Pos> {
        let mut next = first.next();
        while let Some(segment) = next {
            if let Some((bucket, slot)) = segment.find::<L>(home, tag(hash), key) {
                return Some(self.pos(segment.base(), bucket, slot));
            }
            next = segment.next();
        }
        None
    }

    /// The record with this hash of which something is true, for who does not know its key.
    pub fn find_by(&self, hash: u64, is_it: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let (first, home) = self.home(hash);
        std::iter::successors(Some(first), |segment| segment.next()).find_map(|segment| {
            let slots = segment.at_home(home).into_iter().flat_map(|(bucket, slots)| {
                ones(slots & segment.bucket(bucket).matches(tag(hash))).map(move |slot| (bucket, slot))
            });
            slots.map(|(bucket, slot)| segment.record(bucket, slot)).find(|record| is_it(record))
        })
    }

    #[inline]
    pub(crate) fn pos(&self, base: NonNull<Block<L::Meta>>, bucket: usize, slot: usize) -> Pos {
        Pos { base: base.cast(), place: self.stamp.0 | (bucket << SLOT_BITS | slot) as u64 }
    }

    /// Makes every Pos invalid: to be called when a block is freed.
    pub(crate) fn moved(&mut self) {
        self.stamp.advance();
    }

    /// Makes every Pos invalid in debug builds: where records move sometimes.
    fn may_have_moved(&mut self) {
        if cfg!(debug_assertions) {
            self.stamp.advance();
        }
    }

    #[inline]
    fn view(&self, pos: Pos) -> (View<'_, L::Meta>, usize, usize) {
        let place = pos.place ^ self.stamp.0;
        assert!(place < 1 << PLACE_BITS, "a Pos from before a change of the table");
        let place = place as usize;
        // SAFETY: the stamp tells that this table made the Pos, and has freed no block since.
        let segment = unsafe { View::from_raw(pos.base.cast::<Block<L::Meta>>()) };
        let (bucket, slot) = (place >> SLOT_BITS, place % (1 << SLOT_BITS));
        assert!(segment.bucket(bucket).is_used(slot), "a Pos from before a removal");
        (segment, bucket, slot)
    }

    #[inline]
    fn view_mut(&mut self, pos: Pos) -> (ViewMut<'_, L::Meta>, usize, usize) {
        let (segment, bucket, slot) = self.view(pos);
        let base = segment.base();
        // SAFETY: alive as above, and the table is borrowed exclusively.
        (unsafe { ViewMut::from_raw(base) }, bucket, slot)
    }

    /// The record at `pos` and whatever bytes stand behind it in its block: for users that know from the record itself how
    /// far to read, and do not want its length worked out.
    #[inline]
    pub fn record_open(&self, pos: Pos) -> &[u8] {
        let (segment, bucket, slot) = self.view(pos);
        segment.record(bucket, slot)
    }

    /// As [`Table::record_open`], for changes within the record that leave its length and its key as they are. Nothing behind
    /// the first `len` bytes is handed out.
    ///
    /// # Panics
    /// If `len` is more than stands between the record and the end of its heap.
    #[inline]
    pub fn record_front(&mut self, pos: Pos, len: usize) -> &mut [u8] {
        let (segment, bucket, slot) = self.view_mut(pos);
        segment.into_record(bucket, slot, len)
    }

    /// The record at `pos`, exactly.
    #[inline]
    pub fn record(&self, pos: Pos) -> &[u8] {
        let (segment, bucket, slot) = self.view(pos);
        let record = segment.record(bucket, slot);
        &record[..L::record_len(record)]
    }

    /// The record at `pos`, exactly. Its length and its key must stay.
    #[inline]
    pub fn record_mut(&mut self, pos: Pos) -> &mut [u8] {
        let (segment, bucket, slot) = self.view_mut(pos);
        let len = L::record_len(segment.view().record(bucket, slot));
        segment.into_record(bucket, slot, len)
    }

    /// Adds a record of `len` bytes whose key is known absent: `fill` writes it into `len` bytes of
    /// unspecified content. The key it writes must hash to `hash`.
    ///
    /// # Panics
    /// If `len` is 0 or above [`RECORD_BYTES_MAX`].
    #[inline]
    pub fn insert(&mut self, hash: u64, len: usize, fill: impl FnOnce(&mut [u8])) -> Pos {
        assert!((1..=RECORD_BYTES_MAX).contains(&len), "a record of {len} bytes");
        let at = position(hash);
        loop {
            let (mut segment, depth) = self.directory.view_mut(at);
            let home = bucket(at, depth);
            if let Some((bucket, slot, offset)) = segment.admit(home, tag(hash), len) {
                fill(segment.heap_mut(offset, len));
                debug_assert_eq!(L::record_len(segment.view().record(bucket, slot)), len);
                let base = segment.view().base();
                self.len += 1;
                self.may_have_moved();
                return self.pos(base, bucket, slot);
            }
            if let Room::Overflow = self.make_room(at, len) {
                return self.insert_overflowed(hash, len, fill);
            }
        }
    }

    #[cold]
    fn insert_overflowed(&mut self, hash: u64, len: usize, fill: impl FnOnce(&mut [u8])) -> Pos {
        let at = position(hash);
        let (base, bucket, slot, offset) = self.admit_overflowed(at, tag(hash), len);
        // SAFETY: the segment was just found in the table, which is borrowed exclusively.
        let mut segment = unsafe { ViewMut::<L::Meta>::from_raw(base) };
        fill(segment.heap_mut(offset, len));
        self.len += 1;
        self.may_have_moved();
        self.pos(base, bucket, slot)
    }

    /// Replaces the record at `pos` by one of `len` bytes with the same key: `fill(old, new)` writes it. The
    /// bytes of `new` are unspecified, except that they start as those of `old` if `len` is not longer: then
    /// the record stays where it is and `old` is a copy.
    ///
    /// # Panics
    /// If `len` is 0 or above [`RECORD_BYTES_MAX`].
    #[inline]
    pub fn replace(&mut self, pos: Pos, len: usize, fill: impl FnOnce(&[u8], &mut [u8])) -> Pos {
        assert!((1..=RECORD_BYTES_MAX).contains(&len), "a record of {len} bytes");
        let (mut segment, bucket, slot) = self.view_mut(pos);
        let old_len = L::record_len(segment.view().record(bucket, slot));
        if len <= old_len {
            if len < old_len {
                segment.header_mut().dead += (old_len - len) as u16;
            }
            let mut buffer = BUFFER;
            let old = copied(&mut buffer, &segment.view().record(bucket, slot)[..old_len]);
            fill(old, segment.into_record(bucket, slot, len));
        } else if segment.has_heap_room(len) {
            let old_offset = segment.view().bucket(bucket).offset(slot);
            let header = segment.header_mut();
            header.fill += len as u16;
            header.dead += old_len as u16;
            let offset = header.fill;
            let (old, new) = segment.old_and_new(old_offset, old_len, offset, len);
            fill(old, new);
            segment.bucket_mut(bucket).set_offset(slot, offset);
        } else {
            return self.replace_elsewhere(pos, len, fill);
        }
        self.may_have_moved();
        self.pos(pos.base.cast(), bucket, slot)
    }

    #[cold]
    fn replace_elsewhere(&mut self, pos: Pos, len: usize, fill: impl FnOnce(&[u8], &mut [u8])) -> Pos {
        let mut buffer = BUFFER;
        let old = copied(&mut buffer, self.record(pos));
        let (mut segment, bucket, slot) = self.view_mut(pos);
        segment.remove(bucket, slot, old.len());
        self.len -= 1;
        self.insert(self.hash(L::key(old)), len, |new| fill(old, new))
    }

    /// Removes the record at `pos`.
    #[inline]
    pub fn remove(&mut self, pos: Pos) {
        let (mut segment, bucket, slot) = self.view_mut(pos);
        let len = L::record_len(segment.view().record(bucket, slot));
        segment.remove(bucket, slot, len);
        let sparse = Self::is_sparse(segment.view().header());
        let prefix = segment.view().header().prefix;
        self.len -= 1;
        self.may_have_moved();
        if sparse {
            self.give_back(prefix);
        }
    }

    /// The header that holds the meta for `pos`: that of the segment in the directory.
    pub(crate) fn header_mut(&mut self, pos: Pos) -> &mut Header<L::Meta> {
        let (segment, ..) = self.view_mut(pos);
        let (overflow, prefix) = (segment.view().header().overflow, segment.view().header().prefix);
        if overflow {
            self.directory.view_mut(prefix).0.into_header()
        } else {
            self.view_mut(pos).0.into_header()
        }
    }

    #[inline]
    pub(crate) fn header(&self, pos: Pos) -> &Header<L::Meta> {
        let header = self.view(pos).0.header();
        if header.overflow { self.directory.view(header.prefix).0.header() } else { header }
    }

    /// The meta of the segment that holds the record.
    #[inline]
    pub fn meta(&self, pos: Pos) -> &L::Meta {
        &self.header(pos).meta
    }

    #[inline]
    pub fn meta_mut(&mut self, pos: Pos) -> &mut L::Meta {
        &mut self.header_mut(pos).meta
    }

    /// What is left of the table, to be freed step by step.
    pub fn into_remains(self) -> Remains<L> {
        Remains::new(self.directory, self.len)
    }

    /// Removes all records, without a look at them.
    pub fn clear(&mut self) {
        self.directory = Directory::new(Self::first_segment());
        self.len = 0;
        self.moved();
    }
}

type Buffer = [MaybeUninit<u8>; RECORD_BYTES_MAX];
const BUFFER: Buffer = [const { MaybeUninit::uninit() }; RECORD_BYTES_MAX];

/// Copies `bytes`, of a record, to the front of `buffer`. (A buffer passed by value would be copied whole.)
#[inline]
fn copied<'a>(buffer: &'a mut Buffer, bytes: &[u8]) -> &'a [u8] {
    let buffer = &mut buffer[..bytes.len()];
    // SAFETY: both are as long as `bytes`, and apart; that many bytes are initialised then.
    unsafe {
        bytes.as_ptr().copy_to_nonoverlapping(buffer.as_mut_ptr().cast(), bytes.len());
        std::slice::from_raw_parts(buffer.as_ptr().cast(), bytes.len())
    }
}
