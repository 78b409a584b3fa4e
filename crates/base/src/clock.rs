//! Points in time as values. Reading a clock is the business of the runtime (or of the simulator); everybody else is
//! handed the time.

/// Milliseconds since 1970-01-01 UTC, at most `i64::MAX`. Expiry times are such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// The latest time that clients can name.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// A time from a signed number, as clients and files give it; `None` before 1970.
    pub fn from_i64(millis: i64) -> Option<Self> {
        u64::try_from(millis).ok().map(Self)
    }

    /// The same in seconds; `None` before 1970 and after [`UnixMillis::MAX`].
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        Self::from_i64(seconds.checked_mul(1000)?)
    }

    /// The milliseconds, never negative.
    pub fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// The milliseconds.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The whole seconds.
    pub fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This time moved by `millis`, which may be negative; `None` if that is before 1970 or after [`UnixMillis::MAX`].
    pub fn checked_add_millis(self, millis: i64) -> Option<Self> {
        Self::from_i64(self.as_i64().checked_add(millis)?)
    }

    /// How many milliseconds after `earlier` this is; 0 if it is not after it.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether something that expires at this time has expired at `now`: Redis keeps a key for the whole of its last
    /// millisecond.
    pub fn is_expired_at(self, now: Self) -> bool {
        now > self
    }
}

/// Microseconds since some moment before the process started, on a clock that never goes back. Time outs and
/// latencies are measured in such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicMicros(u64);

impl MonotonicMicros {
    /// The end of time: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// A time from what a clock says.
    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The microseconds.
    pub fn as_micros(self) -> u64 {
        self.0
    }

    /// This time plus `micros`; `None` on overflow.
    pub fn checked_add_micros(self, micros: u64) -> Option<Self> {
        self.0.checked_add(micros).map(Self)
    }

    /// The deadline `millis` from here: [`MonotonicMicros::NEVER`] if it lies beyond the range.
    pub fn deadline_after_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1000)))
    }

    /// How many microseconds after `earlier` this is; 0 if it is not after it.
    pub fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_stay_in_their_range() {
        let time = UnixMillis::from_i64(1_500).unwrap();
        assert_eq!((time.as_i64(), time.as_u64(), time.as_seconds()), (1_500, 1_500, 1));
        assert_eq!(time.checked_add_millis(-1_500), Some(UnixMillis::default()));
        assert_eq!(time.checked_add_millis(-1_501), None);
        assert_eq!(time.checked_add_millis(i64::MAX), None);
        assert_eq!(UnixMillis::from_i64(-1), None);
        assert_eq!(UnixMillis::from_unix_seconds(i64::MAX / 1000 + 1), None);
        assert_eq!(UnixMillis::from_unix_seconds(2), time.checked_add_millis(500));
        assert_eq!(UnixMillis::MAX.checked_add_millis(1), None);
        assert_eq!(UnixMillis::MAX.as_i64(), i64::MAX);
    }

    #[test]
    fn differences_and_expiry() {
        let (early, late) = (UnixMillis::from_i64(10).unwrap(), UnixMillis::from_i64(25).unwrap());
        assert_eq!((late.millis_since(early), early.millis_since(late)), (15, 0));
        assert!(early.is_expired_at(late) && !early.is_expired_at(early) && !late.is_expired_at(early));
    }

    #[test]
    fn monotonic_times() {
        let time = MonotonicMicros::from_micros(7);
        assert_eq!(time.checked_add_micros(3).map(MonotonicMicros::as_micros), Some(10));
        assert_eq!(MonotonicMicros::NEVER.checked_add_micros(1), None);
        assert_eq!(time.deadline_after_millis(2), MonotonicMicros::from_micros(2_007));
        assert_eq!(time.deadline_after_millis(u64::MAX), MonotonicMicros::NEVER);
        assert_eq!(MonotonicMicros::from_micros(9).micros_since(time), 2);
        assert_eq!(time.micros_since(MonotonicMicros::from_micros(9)), 0);
    }
}
