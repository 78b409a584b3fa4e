//! The 24-bit age field of an entry: when it was last used, or how often.
//!
//! Under LRU it is a clock of seconds. Under LFU (Redis, `maxmemory-policy *-lfu`) the upper 16 bits are the minute of the
//! last use and the lower 8 a count that grows more slowly the larger it is and falls with time. Both clocks wrap
//! around, which makes an entry look younger than it is, at worst.

/// What the bits are masked to.
const AGE_MASK: u32 = 0x00ff_ffff;
/// The count that a new entry starts with, so that it is not the first to go.
const COUNT_AT_START: u8 = 5;

/// How ages are read and renewed.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgeRule {
    counts: bool,
    /// `lfu-log-factor`
    log_factor: u32,
    /// `lfu-decay-time`; 0: counts never fall.
    decay_minutes: u32,
    /// State of the dice for the count's growth.
    dice: u64,
}

impl AgeRule {
    /// Ages are times of the last use.
    pub const LRU: Self = Self { counts: false, log_factor: 0, decay_minutes: 0, dice: 0 };

    /// Ages are counts of uses. `seed`: any number.
    pub fn lfu(log_factor: u32, decay_minutes: u32, seed: u64) -> Self {
        Self { counts: true, log_factor, decay_minutes, dice: seed | 1 }
    }

    /// Whether ages are counts (LFU).
    pub fn counts(&self) -> bool {
        self.counts
    }

    /// The age of an entry made now.
    #[inline]
    pub fn fresh(&self, now_ms: u64) -> u32 {
        if self.counts {
            minute(now_ms) << 8 | u32::from(COUNT_AT_START)
        } else {
            (now_ms / 1000) as u32 & AGE_MASK
        }
    }

    /// The age of an entry of age `old` that is used now; `fresh` is [`AgeRule::fresh`] of now.
    #[inline]
    pub fn used(&mut self, old: u32, fresh: u32) -> u32 {
        if self.counts { self.counted(old, fresh) } else { fresh }
    }

    #[cold]
    fn counted(&mut self, old: u32, fresh: u32) -> u32 {
        let count = self.decayed(old, fresh >> 8);
        fresh & !0xff | u32::from(self.grown(count))
    }

    /// Counts one use more with the probability 1 / (uses beyond the start × factor + 1).
    fn grown(&mut self, count: u8) -> u8 {
        // xorshift64 (Marsaglia 2003): good enough for dice, and no state beside eight bytes.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let odds = u64::from(count.saturating_sub(COUNT_AT_START)) * u64::from(self.log_factor) + 1;
        let hit = (u128::from(self.dice) * u128::from(odds)) >> 64 == 0;
        count.saturating_add(u8::from(hit))
    }

    fn decayed(&self, age: u32, now_minute: u32) -> u8 {
        let count = age as u8;
        if self.decay_minutes == 0 {
            return count;
        }
        let elapsed = now_minute.wrapping_sub(age >> 8) & 0xffff;
        count.saturating_sub((elapsed / self.decay_minutes).min(255) as u8)
    }

    /// How often an entry of this age has been used, on a logarithmic scale; falls while it is not used. 0 under LRU.
    pub fn count(&self, age: u32, now_ms: u64) -> u8 {
        if self.counts { self.decayed(age, minute(now_ms)) } else { 0 }
    }

    /// The age of an entry that has been idle for so long, and of one that has this count (RESTORE).
    pub fn idle_for(&self, seconds: u64, now_ms: u64) -> u32 {
        (now_ms / 1000).wrapping_sub(seconds.min(u64::from(AGE_MASK))) as u32 & AGE_MASK
    }

    /// The age of an entry with this count (RESTORE … FREQ).
    pub fn with_count(&self, count: u8, now_ms: u64) -> u32 {
        minute(now_ms) << 8 | u32::from(count)
    }
}

/// Seconds since an entry of this age was last used (LRU).
pub fn idle_seconds(age: u32, now_ms: u64) -> u64 {
    u64::from(((now_ms / 1000) as u32).wrapping_sub(age) & AGE_MASK)
}

fn minute(now_ms: u64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    #[test]
    fn lru_counts_seconds_and_wraps() {
        let mut rule = AgeRule::LRU;
        let age = rule.fresh(NOW_MS);
        assert_eq!(idle_seconds(age, NOW_MS + 7_500), 7);
        assert_eq!(rule.used(age, rule.fresh(NOW_MS + 9_000)), rule.fresh(NOW_MS + 9_000));
        assert_eq!(idle_seconds(rule.idle_for(100, NOW_MS), NOW_MS), 100);
        assert_eq!(idle_seconds(rule.idle_for(u64::MAX, NOW_MS), NOW_MS), 0x00ff_ffff);
        assert_eq!(idle_seconds(0x00ff_ffff, 1_000 << 24), 1);
        assert_eq!(rule.count(age, NOW_MS), 0);
    }

    #[test]
    fn lfu_grows_slower_and_slower() {
        let mut rule = AgeRule::lfu(10, 1, 42);
        let mut age = rule.fresh(NOW_MS);
        assert_eq!(rule.count(age, NOW_MS), 5);
        let mut uses_at = Vec::new();
        for uses in 1..=200_000 {
            let before = rule.count(age, NOW_MS);
            age = rule.used(age, rule.fresh(NOW_MS));
            if rule.count(age, NOW_MS) != before && matches!(before, 9 | 99 | 199) {
                uses_at.push(uses);
            }
        }
        // 10 takes some 100 uses with factor 10, 100 some 45,000, 200 some 190,000 (documentation of redis.conf).
        assert!(uses_at.first().is_some_and(|&uses| uses < 400), "{uses_at:?}");
        assert!(uses_at.get(1).is_some_and(|&uses| (30_000..65_000).contains(&uses)), "{uses_at:?}");
        assert!(rule.count(age, NOW_MS) < 255);
    }

    #[test]
    fn lfu_counts_fall_by_the_minute() {
        let rule = AgeRule::lfu(10, 1, 1);
        let age = rule.with_count(100, NOW_MS);
        assert_eq!(rule.count(age, NOW_MS), 100);
        assert_eq!(rule.count(age, NOW_MS + 10 * 60_000), 90);
        assert_eq!(rule.count(age, NOW_MS + 1000 * 60_000), 0);
        assert_eq!(AgeRule::lfu(10, 0, 1).count(age, NOW_MS + 1000 * 60_000), 100);
        assert_eq!(AgeRule::lfu(10, 7, 1).count(age, NOW_MS + 14 * 60_000), 98);
        let mut always = AgeRule::lfu(0, 1, 1);
        assert_eq!(always.used(age, always.fresh(NOW_MS)) & 0xff, 101);
        assert_eq!(always.used(always.with_count(255, NOW_MS), always.fresh(NOW_MS)) & 0xff, 255);
    }
}
