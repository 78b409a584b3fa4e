//! Active expiry: removing keys and fields of hashes whose time is over although nobody asks for them.
//!
//! A sweep goes round the table segment by segment. A segment in which nothing is due costs one comparison.

use crate::bin::Free;
use crate::db::Db;
use crate::record::{self, Code, SegmentMeta};
use crate::sizes::Sizes;
use crate::value::Kind;
use table::Keep;
use types::Hash;

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept<'a> {
    /// A key whose time was over.
    Key(&'a [u8]),
    /// A field of the hash that is told of next.
    Field(&'a [u8]),
    /// Some fields of the hash under this key, and how many; it is gone if none are left.
    Fields { key: &'a [u8], count: usize, emptied: bool },
}

/// What it costs to look at all records of a segment, in segments passed over.
const VISIT_COST: usize = 64;
/// Segments passed over, or what takes as long, between two questions whether there is time left.
const WORK_BETWEEN: usize = 64;
/// Fields looked at in one visit of a segment, and of one hash. What is left over is still due, so that the next round finds it.
const FIELDS_MAX: usize = 2048;
const FIELDS_OF_HASH_MAX: usize = 1024;

/// Segments whose bounds are asked for ahead of being looked at.
const SEGMENTS_AHEAD: usize = 8;

/// Where the sweep stands.
#[derive(Default)]
pub(crate) struct Sweep {
    cursor: u64,
}

impl Db {
    /// Whether a sweep may ever find something, as things are.
    pub fn has_expiry(&self) -> bool {
        self.expiring > 0 || self.timed_hashes > 0
    }

    /// A time, unix ms, before which nothing is over; `u64::MAX` if nothing ever is. Looks at every segment's bounds: `None` if
    /// there are more than `segments_max`.
    pub fn next_due_ms(&self, segments_max: usize) -> Option<u64> {
        if !self.has_expiry() {
            return Some(u64::MAX);
        }
        let (mut due_ms, mut cursor, mut ahead) = (u64::MAX, 0, 0);
        if self.segments() > segments_max {
            return None;
        }
        for _ in 0..SEGMENTS_AHEAD {
            ahead = self.table.next_segment(ahead);
        }
        for _ in 0..self.segments() {
            self.table.prefetch_meta(ahead);
            ahead = self.table.next_segment(ahead);
            let meta = self.table.meta_at(cursor);
            due_ms = due_ms.min(meta.expire_min).min(meta.field_min);
            cursor = self.table.next_segment(cursor);
        }
        Some(due_ms)
    }

    /// Goes on with the active expiry for about `work_max` units, one round at most: removes what is over at `now_ms`
    /// and tells it. Returns what is left of `work_max`: nothing left means that there may be more to remove, as it does when
    /// `has_time`, which is asked now and then, ends it.
    pub fn sweep(
        &mut self,
        now_ms: u64,
        work_max: usize,
        mut has_time: impl FnMut() -> bool,
        mut gone: impl FnMut(Swept<'_>),
    ) -> usize {
        let mut work = work_max;
        let mut left_over = false;
        let mut ask_at = work.saturating_sub(WORK_BETWEEN);
        for _ in 0..self.segments() {
            if work == 0 || !self.has_expiry() {
                return work;
            }
            if work <= ask_at {
                if !has_time() {
                    return 0;
                }
                ask_at = work.saturating_sub(WORK_BETWEEN);
            }
            let meta = self.table.meta_at(self.sweep.cursor);
            if meta.expire_min > now_ms && meta.field_min > now_ms {
                work -= 1;
                self.sweep.cursor = self.table.next_segment(self.sweep.cursor);
            } else {
                work = work.saturating_sub(VISIT_COST);
                left_over |= self.sweep_segment(now_ms, &mut gone);
            }
        }
        if left_over { 0 } else { work }
    }

    /// Whether something that is over had to be left for another visit.
    fn sweep_segment(&mut self, now_ms: u64, gone: &mut impl FnMut(Swept<'_>)) -> bool {
        self.keep_segment(self.sweep.cursor);
        let (expiring, outside, live) = (&mut self.expiring, &mut self.outside, &mut self.live);
        let (timed, sizes) = (&mut self.timed_hashes, &mut self.sizes);
        let (bin, lazy) = (&self.bin, self.frees.expired == Free::Later);
        let walk = &mut self.walk;
        let (cursor, mut first, mut fields_left) = (self.sweep.cursor, true, FIELDS_MAX);
        self.sweep.cursor = self.table.sweep(cursor, |record, meta| {
            if std::mem::take(&mut first) {
                *meta = SegmentMeta::default();
            }
            let expire = record::expire(record);
            let over = expire.is_some_and(|at_ms| at_ms <= now_ms);
            if over {
                gone(Swept::Key(record::key(record)));
            } else if !sweep_fields(record, meta, now_ms, &mut fields_left, (outside, timed, sizes), gone) {
                meta.expire_min = meta.expire_min.min(expire.unwrap_or(u64::MAX));
                return Keep::Yes;
            }
            sizes.leave_record(record);
            *expiring -= usize::from(expire.is_some());
            *outside -= record::outside_bytes(record);
            *live -= record.len();
            *timed -= usize::from(record::has_timed_fields(record));
            if record::owns_box(record) {
                let value = record::take_value(record);
                let value = match walk {
                    Some(walk) => walk.adopt(record::key(record), value, bin),
                    None => Some(value),
                };
                match value {
                    Some(value) if lazy => bin.put(value),
                    value => drop(value),
                }
            }
            record::release_key(record);
            Keep::Remove
        });
        if first {
            // It is empty, and nobody has reset its bounds.
            *self.table.meta_at_mut(cursor) = SegmentMeta::default();
        }
        fields_left == 0
    }
}

/// Removes the fields that are over, `fields_left` at most; whether none are left, so that the record must go.
fn sweep_fields(
    record: &[u8],
    meta: &mut SegmentMeta,
    now_ms: u64,
    fields_left: &mut usize,
    (outside, timed, sizes): (&mut usize, &mut usize, &mut Sizes),
    gone: &mut impl FnMut(Swept<'_>),
) -> bool {
    if record::code(record) != Code::Hash {
        return false;
    }
    // SAFETY: the code says that the record owns a boxed `Hash`; the table is borrowed mutably by the sweep, and the
    // visit has no other reference to the value.
    let hash = unsafe { &mut *record::boxed::<Hash>(record) };
    if *fields_left > 0 && hash.next_expire().is_some_and(|at_ms| at_ms <= now_ms) {
        let (before, size_before) = (hash.bytes(), hash.len());
        let fields_max = FIELDS_OF_HASH_MAX.min(*fields_left);
        *fields_left -= hash.len().min(fields_max);
        let count = hash.expire_fields(now_ms, fields_max, |field| gone(Swept::Field(field)));
        *outside = *outside + hash.bytes() - before;
        sizes.change(Kind::Hash, size_before, hash.len());
        *timed -= usize::from(hash.next_expire().is_none());
        let emptied = hash.is_empty();
        if count > 0 {
            gone(Swept::Fields { key: record::key(record), count, emptied });
        }
        if emptied {
            return true;
        }
    }
    meta.field_min = meta.field_min.min(hash.next_expire().unwrap_or(u64::MAX));
    false
}
