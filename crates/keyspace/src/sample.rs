//! Entries by chance, for eviction.

use crate::db::Db;
use crate::record;
use table::Pos;

/// What eviction looks at.
#[derive(Clone, Copy, Debug)]
pub struct Sampled<'a> {
    pub key: &'a [u8],
    pub age: u32,
    pub expire: Option<u64>,
}

/// Draws for each entry with an expiry that is wanted, before going through segments in order.
const DRAWS: usize = 8;
/// Entries drawn at a time, so that their memory comes side by side.
const GROUP: usize = 16;

impl Db {
    /// Shows `count` entries drawn by chance, with repetitions; none if the database is empty.
    pub fn sample(&self, count: usize, random: &mut impl FnMut() -> u64, mut visit: impl FnMut(Sampled<'_>)) {
        let mut left = count;
        while left > 0 {
            let mut drawn = [None; GROUP];
            let drawn = &mut drawn[..left.min(GROUP)];
            if !self.table.random_many(drawn, random) {
                return;
            }
            left -= drawn.len();
            drawn.iter().flatten().for_each(|&pos| visit(self.sampled(pos)));
        }
    }

    /// As [`Db::sample`], only entries with an expiry. Where these are rare, all of the segment next to a place drawn by
    /// chance that has some.
    pub fn sample_expiring(
        &self,
        count: usize,
        random: &mut impl FnMut() -> u64,
        mut visit: impl FnMut(Sampled<'_>),
    ) {
        if self.expiring == 0 {
            return;
        }
        let mut seen = 0;
        for _ in 0..count * DRAWS {
            let Some(pos) = self.random(random) else { return };
            let sampled = self.sampled(pos);
            if sampled.expire.is_some() {
                visit(sampled);
                seen += 1;
                if seen == count {
                    return;
                }
            }
        }
        let mut cursor = random() >> 16;
        for _ in 0..=self.segments() {
            if self.table.meta_at(cursor).expire_min == u64::MAX {
                cursor = self.table.next_segment(cursor);
                continue;
            }
            cursor = self.table.visit_segment(cursor, |record| {
                let (key, age, expire) = (record::key(record), record::age(record), record::expire(record));
                if expire.is_some() {
                    visit(Sampled { key, age, expire });
                    seen += 1;
                }
            });
            if seen >= count {
                return;
            }
        }
    }

    fn sampled(&self, pos: Pos) -> Sampled<'_> {
        let record = self.record(pos);
        Sampled { key: record::key(record), age: record::age(record), expire: record::expire(record) }
    }
}
