//! A leaf: up to 64 elements in the order of (score, member), packed into one block of bytes.
//!
//! ```text
//! slots × 8  scores, f64 little-endian
//! slots × 2  ends: where the element's bytes end within the member bytes, u16; top bit: out of line
//! slots × 1  tags: low byte of the member's 32-bit hash
//! rest       member bytes, in order; out of line: the member's id in `Outs`, u32 little-endian
//! ```
//!
//! Columns rather than records, so that a search by score touches scores only and a search by member scans
//! the tags eight at a time. The block grows through the size classes that allocators keep, so what is asked
//! for is what is used. A leaf knows nothing of the index or of the nodes above it; it keeps no two equal
//! members because nobody inserts them.

use super::arena::Arena;
use super::bounds::{Cut, Place};
use std::ops::Range;
use table::prefetch::prefetch;

/// Members too long for a leaf.
pub(super) type Outs = Arena<Box<[u8]>>;

pub(super) const LEN_MAX: usize = 64;
/// Longer members live out of line.
pub(super) const INLINE_MAX: usize = 255;
/// Member bytes that a leaf holds; far more than `INLINE_MAX`, so that both halves of a split have room.
pub(super) const MEMBER_BYTES_MAX: usize = 4096;

/// Bytes of an element in the columns.
const COLUMNS: usize = 8 + 2 + 1;
const OUT: u16 = 1 << 15;

#[derive(Clone)]
pub(super) struct Leaf {
    block: Box<[u8]>,
    len: u16,
    slots: u16,
    /// The neighbours' ids, or `NONE`.
    pub next: u32,
    pub prev: u32,
    /// The last showing of the tree in which its elements have been shown or kept.
    pub shown: u32,
}

/// The columns of a leaf, cut to its length: what walks use.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub scores: &'a [[u8; 8]],
    ends: &'a [[u8; 2]],
    members: &'a [u8],
}

/// What a leaf stores of a member, on its way from one leaf to another.
pub(super) struct Raw {
    bytes: [u8; INLINE_MAX],
    len: u8,
    pub out: bool,
    pub tag: u8,
}

impl Raw {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

/// The id of an out-of-line member from what a leaf stores.
pub(super) fn out_id(raw: &[u8]) -> u32 {
    u32::from_le_bytes(raw.try_into().expect("an out-of-line id is four bytes"))
}

/// The size that an allocator with four classes per doubling makes of a request of `bytes`.
pub(super) fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return 64;
    }
    let step = 1 << ((bytes - 1).ilog2() - 2);
    bytes.next_multiple_of(step)
}

impl<'a> View<'a> {
    #[inline]
    pub fn score(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.scores[at])
    }

    #[inline]
    fn span(&self, at: usize) -> (Range<usize>, bool) {
        let start = if at == 0 { 0 } else { u16::from_le_bytes(self.ends[at - 1]) & !OUT };
        let end = u16::from_le_bytes(self.ends[at]);
        (start as usize..(end & !OUT) as usize, end & OUT != 0)
    }

    /// What is stored of the member, and whether that is an id of `Outs`.
    #[inline]
    pub fn raw(&self, at: usize) -> (&'a [u8], bool) {
        let (span, out) = self.span(at);
        (&self.members[span], out)
    }

    /// Takes the elements of a range in order: as a loop over [`View::member`], but each end is read once.
    #[inline]
    pub fn fold<B>(
        &self,
        range: Range<usize>,
        outs: &'a Outs,
        init: B,
        mut take: impl FnMut(B, (&'a [u8], f64)) -> B,
    ) -> B {
        let mut start = if range.start == 0 { 0 } else { self.span(range.start - 1).0.end };
        let mut so_far = init;
        for (score, end) in self.scores[range.clone()].iter().zip(&self.ends[range]) {
            let (end, out) = (u16::from_le_bytes(*end) & !OUT, u16::from_le_bytes(*end) & OUT != 0);
            let raw = &self.members[start..end as usize];
            start = end as usize;
            let member = if out { &outs[out_id(raw)] } else { raw };
            so_far = take(so_far, (member, f64::from_le_bytes(*score)));
        }
        so_far
    }

    #[inline]
    pub fn member(&self, at: usize, outs: &'a Outs) -> &'a [u8] {
        let (raw, out) = self.raw(at);
        if out { &outs[out_id(raw)] } else { raw }
    }

    /// How many elements stand below the cut.
    pub fn rank(&self, cut: &Cut, outs: &Outs) -> usize {
        let low = self.scores.partition_point(|&score| f64::from_le_bytes(score) < cut.score);
        if matches!(cut.place, Place::Below)
            || self.scores.get(low).is_none_or(|&s| f64::from_le_bytes(s) != cut.score)
        {
            return low;
        }
        let ties = self.scores[low..].partition_point(|&score| f64::from_le_bytes(score) <= cut.score);
        low + match cut.place {
            Place::Below => 0,
            Place::Above => ties,
            Place::Before(member) => halve(ties, |at| self.member(low + at, outs) < member),
            Place::After(member) => halve(ties, |at| self.member(low + at, outs) <= member),
        }
    }
}

/// The first of `0..len` for which `below` is false, given that it never turns true again.
pub(super) fn halve(len: usize, mut below: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let mid = (low + high) / 2;
        if below(mid) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    low
}

/// Asks for all cache lines of `bytes` at once, instead of one after the other as a search finds out that it
/// needs them.
#[inline]
pub(super) fn touch(bytes: &[u8]) {
    bytes.iter().step_by(64).for_each(|byte| prefetch(byte));
}

impl Leaf {
    /// Touches what a search by score reads.
    #[inline]
    pub fn touch_scores(&self) {
        touch(&self.block[..8 * self.len()]);
    }

    /// Touches the tags, and what is read when one of them matches.
    #[inline]
    pub fn touch_members(&self) {
        touch(&self.block[8 * self.slots as usize..]);
    }

    #[inline]
    pub fn touch_all(&self) {
        touch(&self.block);
    }

    /// An empty leaf between these two.
    pub fn new(prev: u32, next: u32, shown: u32) -> Self {
        Self { block: Box::default(), len: 0, slots: 0, next, prev, shown }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Heap bytes.
    pub fn bytes(&self) -> usize {
        self.block.len()
    }

    /// Bytes of the stored members.
    pub fn member_bytes(&self) -> usize {
        self.start(self.len())
    }

    /// Whether an element whose member takes `bytes` may come in.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.len() < LEN_MAX && self.member_bytes() + bytes <= MEMBER_BYTES_MAX
    }

    #[inline]
    pub fn view(&self) -> View<'_> {
        let (len, slots) = (self.len(), self.slots as usize);
        View {
            scores: self.block[..8 * len].as_chunks().0,
            ends: self.block[8 * slots..8 * slots + 2 * len].as_chunks().0,
            members: &self.block[COLUMNS * slots..],
        }
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        &self.block[10 * self.slots as usize..][..self.len()]
    }

    pub fn tag(&self, at: usize) -> u8 {
        self.tags()[at]
    }

    fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.view().span(at - 1).0.end }
    }

    pub fn score(&self, at: usize) -> f64 {
        self.view().score(at)
    }

    /// The first place at or after `from` whose tag is `tag` and of which `wanted` holds.
    #[inline]
    pub fn find(&self, tag: u8, mut wanted: impl FnMut(usize) -> bool) -> Option<usize> {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = LOW << 7;
        let tags = self.tags();
        let (words, rest) = tags.as_chunks::<8>();
        for (nth, word) in words.iter().enumerate() {
            let differs = u64::from_le_bytes(*word) ^ (LOW * u64::from(tag));
            // Zero bytes of `differs`, and sometimes the byte above one: the tag is checked again.
            let mut hits = differs.wrapping_sub(LOW) & !differs & HIGH;
            while hits != 0 {
                let at = nth * 8 + hits.trailing_zeros() as usize / 8;
                if tags[at] == tag && wanted(at) {
                    return Some(at);
                }
                hits &= hits - 1;
            }
        }
        let base = words.len() * 8;
        rest.iter()
            .enumerate()
            .find(|&(at, &other)| other == tag && wanted(base + at))
            .map(|(at, _)| base + at)
    }

    /// A leaf of the elements `range` of this one, without neighbours.
    fn copy(&self, range: Range<usize>, len: usize, member_bytes: usize) -> Self {
        let need = COLUMNS * len + member_bytes;
        let size = size_class(need);
        // What the class gives beyond the need is dealt out in proportion, so that columns and members fill
        // up together.
        let slots = (size * len / need.max(1)).clamp(len, LEN_MAX);
        let mut new = Self {
            block: vec![0; size].into_boxed_slice(),
            len: 0,
            slots: slots as u16,
            next: self.next,
            prev: self.prev,
            shown: self.shown,
        };
        new.append(self, range);
        new
    }

    /// Puts the elements `range` of `other` behind ours; there must be room in the block.
    fn append(&mut self, other: &Self, range: Range<usize>) {
        let (len, slots, count) = (self.len(), self.slots as usize, range.len());
        let (used, from) = (self.member_bytes(), other.start(range.start));
        let theirs = other.slots as usize;
        let moved = other.start(range.end) - from;
        self.block[8 * len..][..8 * count].copy_from_slice(&other.block[8 * range.start..8 * range.end]);
        self.block[10 * slots + len..][..count].copy_from_slice(&other.tags()[range.clone()]);
        self.block[COLUMNS * slots + used..][..moved]
            .copy_from_slice(&other.block[COLUMNS * theirs + from..][..moved]);
        let ends = self.block[8 * slots + 2 * len..][..2 * count].as_chunks_mut::<2>().0;
        for (end, old) in ends.iter_mut().zip(&other.view().ends[range]) {
            // The offsets change by the same amount, the flag above them stays: no carry reaches it.
            *end = (u16::from_le_bytes(*old) - from as u16 + used as u16).to_le_bytes();
        }
        self.len += count as u16;
    }

    /// Makes room for one more element of `bytes`, in a new block where needed.
    fn reserve(&mut self, bytes: usize) {
        let (slots, need) = (self.slots as usize, self.member_bytes() + bytes);
        if self.len() == slots || COLUMNS * slots + need > self.block.len() {
            *self = self.copy(0..self.len(), self.len() + 1, need);
        }
    }

    fn shrink(&mut self) {
        let need = COLUMNS * self.len() + self.member_bytes();
        if need * 2 < self.block.len() && size_class(need) < self.block.len() {
            *self = self.copy(0..self.len(), self.len(), self.member_bytes());
        }
    }

    fn shift_ends(&mut self, range: Range<usize>, by: u16) {
        let slots = self.slots as usize;
        for end in self.block[8 * slots..][2 * range.start..2 * range.end].as_chunks_mut::<2>().0 {
            *end = u16::from_le_bytes(*end).wrapping_add(by).to_le_bytes();
        }
    }

    pub fn insert(&mut self, at: usize, score: f64, tag: u8, raw: &[u8], out: bool) {
        debug_assert!(self.has_room(raw.len()) && !score.is_nan());
        self.reserve(raw.len());
        let (len, slots) = (self.len(), self.slots as usize);
        let (start, used) = (self.start(at), self.member_bytes());
        let block = &mut self.block;
        block.copy_within(8 * at..8 * len, 8 * at + 8);
        block[8 * at..8 * at + 8].copy_from_slice(&score.to_le_bytes());
        let ends = 8 * slots;
        block.copy_within(ends + 2 * at..ends + 2 * len, ends + 2 * at + 2);
        let end = (start + raw.len()) as u16 | if out { OUT } else { 0 };
        block[ends + 2 * at..ends + 2 * at + 2].copy_from_slice(&end.to_le_bytes());
        let tags = 10 * slots;
        block.copy_within(tags + at..tags + len, tags + at + 1);
        block[tags + at] = tag;
        let members = COLUMNS * slots;
        block.copy_within(members + start..members + used, members + start + raw.len());
        block[members + start..members + start + raw.len()].copy_from_slice(raw);
        self.len += 1;
        self.shift_ends(at + 1..len + 1, raw.len() as u16);
    }

    pub fn remove(&mut self, range: Range<usize>) {
        let (len, slots, count) = (self.len(), self.slots as usize, range.len());
        let (start, end, used) = (self.start(range.start), self.start(range.end), self.member_bytes());
        self.shift_ends(range.end..len, ((end - start) as u16).wrapping_neg());
        let block = &mut self.block;
        block.copy_within(8 * range.end..8 * len, 8 * range.start);
        block.copy_within(8 * slots + 2 * range.end..8 * slots + 2 * len, 8 * slots + 2 * range.start);
        block.copy_within(10 * slots + range.end..10 * slots + len, 10 * slots + range.start);
        block.copy_within(COLUMNS * slots + end..COLUMNS * slots + used, COLUMNS * slots + start);
        self.len -= count as u16;
        self.shrink();
    }

    pub fn set_score(&mut self, at: usize, score: f64) {
        self.block[8 * at..8 * at + 8].copy_from_slice(&score.to_le_bytes());
    }

    /// What the leaf stores of one element.
    pub fn take(&self, at: usize) -> Raw {
        let (raw, out) = self.view().raw(at);
        let mut bytes = [0; INLINE_MAX];
        bytes[..raw.len()].copy_from_slice(raw);
        Raw { bytes, len: raw.len() as u8, out, tag: self.tag(at) }
    }

    /// Where to cut so that both halves hold about as much; at least one element stays on each side.
    pub fn middle(&self) -> usize {
        let half = self.member_bytes() / 2;
        if self.len() == LEN_MAX && self.start(LEN_MAX / 2).abs_diff(half) < MEMBER_BYTES_MAX / 8 {
            return LEN_MAX / 2;
        }
        halve(self.len(), |at| self.start(at + 1) <= half).clamp(1, self.len() - 1)
    }

    /// Cuts the elements from `at` off into a leaf of their own; links are the caller's business.
    pub fn split_off(&mut self, at: usize) -> Self {
        let bytes = self.member_bytes() - self.start(at);
        let right = self.copy(at..self.len(), self.len() - at, bytes);
        *self = self.copy(0..at, at, self.start(at));
        right
    }

    /// Both leaves' elements, this one's first, with this one's links.
    pub fn join(&self, right: &Self) -> Self {
        let (len, bytes) = (self.len() + right.len(), self.member_bytes() + right.member_bytes());
        let mut both = self.copy(0..self.len(), len, bytes);
        both.append(right, 0..right.len());
        both
    }
}
