//! The bounds of ranges, and the place between two elements that a bound means.

/// One end of a range of scores. An open end is `Inclusive` of an infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScoreBound {
    Inclusive(f64),
    Exclusive(f64),
}

/// `min` to `max`, in score order also when it is walked in reverse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    pub min: ScoreBound,
    pub max: ScoreBound,
}

/// One end of a range of members: `-`, `+`, `[member`, `(member`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    Min,
    Max,
    Inclusive(&'a [u8]),
    Exclusive(&'a [u8]),
}

/// `min` to `max`, in member order also when it is walked in reverse. Means something only where all scores
/// are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    pub min: LexBound<'a>,
    pub max: LexBound<'a>,
}

impl ScoreRange {
    /// Whether no score at all lies in the range.
    pub fn is_empty(&self) -> bool {
        use ScoreBound::{Exclusive, Inclusive};
        let (Inclusive(min) | Exclusive(min)) = self.min;
        let (Inclusive(max) | Exclusive(max)) = self.max;
        let both_inclusive = matches!((self.min, self.max), (Inclusive(_), Inclusive(_)));
        !(min < max || (min == max && both_inclusive))
    }

    pub fn contains(&self, score: f64) -> bool {
        self.is_above_min(score) && self.is_below_max(score)
    }

    /// Whether the lower end lets `score` in.
    #[inline]
    pub fn is_above_min(&self, score: f64) -> bool {
        match self.min {
            ScoreBound::Inclusive(min) => score >= min,
            ScoreBound::Exclusive(min) => score > min,
        }
    }

    /// Whether the upper end lets `score` in.
    #[inline]
    pub fn is_below_max(&self, score: f64) -> bool {
        match self.max {
            ScoreBound::Inclusive(max) => score <= max,
            ScoreBound::Exclusive(max) => score < max,
        }
    }
}

impl LexRange<'_> {
    pub fn contains(&self, member: &[u8]) -> bool {
        self.min.is_below(member) && self.max.is_above(member)
    }
}

impl LexBound<'_> {
    /// Whether this, as a lower end, lets `member` in.
    pub fn is_below(&self, member: &[u8]) -> bool {
        match *self {
            LexBound::Min => true,
            LexBound::Max => false,
            LexBound::Inclusive(end) => member >= end,
            LexBound::Exclusive(end) => member > end,
        }
    }

    /// Whether this, as an upper end, lets `member` in.
    pub fn is_above(&self, member: &[u8]) -> bool {
        match *self {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Inclusive(end) => member <= end,
            LexBound::Exclusive(end) => member < end,
        }
    }
}

/// A place between two neighbours in the order of (score, member).
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    pub score: f64,
    pub place: Place<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// Below everything that has the score.
    Below,
    /// Above everything that has the score.
    Above,
    Before(&'a [u8]),
    After(&'a [u8]),
}

impl<'a> Cut<'a> {
    pub fn before(score: f64, member: &'a [u8]) -> Self {
        Self { score, place: Place::Before(member) }
    }

    /// Where a range that starts at `bound` starts.
    pub fn start(bound: ScoreBound) -> Self {
        match bound {
            ScoreBound::Inclusive(score) => Self { score, place: Place::Below },
            ScoreBound::Exclusive(score) => Self { score, place: Place::Above },
        }
    }

    /// Where a range that ends at `bound` ends.
    pub fn end(bound: ScoreBound) -> Self {
        match bound {
            ScoreBound::Inclusive(score) => Self { score, place: Place::Above },
            ScoreBound::Exclusive(score) => Self { score, place: Place::Below },
        }
    }
}
