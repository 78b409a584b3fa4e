//! What a reducer has of the rows of a group so far; two of them can be put together.

use super::collect::Rows;
use super::reducer::{Reducer, ReducerKind};
use crate::expression::{Row, Value};
use base::random::Random;
use base::xxh3::xxh3_64;
use std::cmp::Ordering;
use std::collections::HashSet;

/// The state of a reducer.
#[derive(Clone, Debug)]
pub(super) enum Partial {
    Count(u64),
    Distinct(HashSet<u64>),
    Distinctish(Box<[u8; REGISTERS]>),
    /// Not a number until there is one.
    Sum(f64),
    /// The least or the greatest value.
    Extreme(Value),
    Moments(Moments),
    Numbers(Vec<f64>),
    List {
        values: Vec<Value>,
        seen: HashSet<Vec<u8>>,
    },
    First(Option<First>),
    /// Values with the numbers drawn for them; those with the least are the sample.
    Sample(Vec<(u64, Value)>),
    Rows(Rows),
}

/// A value, and what decides between it and another.
#[derive(Clone, Debug)]
pub(super) struct First {
    value: Value,
    by: Value,
    /// When its document was written, in µs.
    written_us: u64,
}

/// Registers of the HyperLogLog: an error of 3 %.
const REGISTERS: usize = 1024;

/// Count, mean and sum of squared deviations (Welford 1962; put together as by Chan, Golub and LeVeque 1979).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, number: f64) {
        self.count += 1.0;
        let off = number - self.mean;
        self.mean += off / self.count;
        self.squares += off * (number - self.mean);
    }

    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if count > 0.0 {
            let off = other.mean - self.mean;
            self.mean += off * other.count / count;
            self.squares += other.squares + off * off * self.count * other.count / count;
            self.count = count;
        }
    }
}

impl Partial {
    pub fn new(reducer: &Reducer) -> Self {
        match &reducer.kind {
            ReducerKind::Count => Self::Count(0),
            ReducerKind::CountDistinct => Self::Distinct(HashSet::new()),
            ReducerKind::CountDistinctish => Self::Distinctish(Box::new([0; REGISTERS])),
            ReducerKind::Sum => Self::Sum(f64::NAN),
            ReducerKind::Min | ReducerKind::Max => Self::Extreme(Value::Null),
            ReducerKind::Average | ReducerKind::StandardDeviation => Self::Moments(Moments::default()),
            ReducerKind::Quantile(_) => Self::Numbers(Vec::new()),
            ReducerKind::ToList => Self::List { values: Vec::new(), seen: HashSet::new() },
            ReducerKind::FirstValue { .. } => Self::First(None),
            ReducerKind::RandomSample(_) => Self::Sample(Vec::new()),
            ReducerKind::Collect(_) => Self::Rows(Rows::default()),
        }
    }

    /// Takes a row in.
    pub fn add(&mut self, reducer: &Reducer, row: &dyn Row, random: &mut Random) {
        if let Self::Count(count) = self {
            *count += 1;
            return;
        }
        if let (Self::Rows(rows), ReducerKind::Collect(collect)) = (&mut *self, &reducer.kind) {
            rows.add(collect, row);
            return;
        }
        let value = row.property(&reducer.property).unwrap_or_default();
        match self {
            Self::Count(_) | Self::Rows(_) => {}
            Self::Distinct(_) | Self::Distinctish(_) if value == Value::Null => {}
            Self::Distinct(hashes) => _ = hashes.insert(xxh3_64(&value.identity())),
            Self::Distinctish(registers) => {
                let hash = xxh3_64(&value.identity());
                let register = &mut registers[hash as usize % REGISTERS];
                *register = (*register).max(((hash / REGISTERS as u64) | 1 << 54).trailing_zeros() as u8 + 1);
            }
            Self::Sum(sum) => value.number().into_iter().for_each(|number| add_up(sum, number)),
            Self::Extreme(known) => better(known, value, reducer),
            Self::Moments(moments) => value.number().into_iter().for_each(|number| moments.add(number)),
            Self::Numbers(numbers) => numbers.extend(value.number()),
            Self::List { values, seen } => match value {
                Value::Null => {}
                Value::List(list) => list.into_iter().for_each(|value| distinct(values, seen, value)),
                value => distinct(values, seen, value),
            },
            Self::First(first) => {
                let by = match &reducer.kind {
                    ReducerKind::FirstValue { by: Some((by, _)) } => row.property(by).unwrap_or_default(),
                    _ => Value::Null,
                };
                let next = First { value, by, written_us: row.written_us() };
                // Rows come in their order, which may be another than that of writing.
                if first.as_ref().is_none_or(|first| is_before(&next, first, reducer)) {
                    *first = Some(next);
                }
            }
            Self::Sample(_) if value == Value::Null => {}
            Self::Sample(sample) => {
                sample.push((random.next_u64(), value));
                keep_sample(sample, reducer);
            }
        }
    }

    /// Takes in what another shard has of the same group.
    pub fn merge(&mut self, other: Self, reducer: &Reducer) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Distinct(hashes), Self::Distinct(more)) => hashes.extend(more),
            (Self::Distinctish(registers), Self::Distinctish(more)) => {
                for (own, theirs) in registers.iter_mut().zip(more.iter()) {
                    *own = (*own).max(*theirs);
                }
            }
            (Self::Sum(sum), Self::Sum(more)) if !more.is_nan() => add_up(sum, more),
            (Self::Sum(_), Self::Sum(_)) => {}
            (Self::Extreme(known), Self::Extreme(value)) => better(known, value, reducer),
            (Self::Moments(moments), Self::Moments(more)) => moments.merge(more),
            (Self::Numbers(numbers), Self::Numbers(more)) => numbers.extend(more),
            (Self::List { values, seen }, Self::List { values: more, .. }) => {
                more.into_iter().for_each(|value| distinct(values, seen, value));
            }
            (Self::First(Some(first)), Self::First(Some(other))) if is_earlier(&other, first, reducer) => {
                *first = other;
            }
            (Self::First(first), Self::First(other)) => *first = first.take().or(other),
            (Self::Sample(sample), Self::Sample(more)) => {
                sample.extend(more);
                keep_sample(sample, reducer);
            }
            (Self::Rows(rows), Self::Rows(more)) => {
                if let ReducerKind::Collect(collect) = &reducer.kind {
                    rows.merge(more, collect);
                }
            }
            _ => debug_assert!(false, "both are of the same reducer"),
        }
    }

    /// Its value.
    pub fn finish(self, reducer: &Reducer) -> Value {
        match self {
            Self::Count(count) => Value::Number(count as f64),
            Self::Distinct(hashes) => Value::Number(hashes.len() as f64),
            Self::Distinctish(registers) => Value::Number(estimate(&registers).round()),
            Self::Sum(sum) => Value::Number(sum),
            Self::Extreme(Value::Null) => Value::Number(match reducer.kind {
                ReducerKind::Min => f64::INFINITY,
                _ => f64::NEG_INFINITY,
            }),
            Self::Extreme(value) => value,
            Self::Moments(moments) => Value::Number(match reducer.kind {
                ReducerKind::Average if moments.count == 0.0 => f64::NAN,
                ReducerKind::Average => moments.mean,
                _ if moments.count > 1.0 => (moments.squares / (moments.count - 1.0)).sqrt(),
                _ => 0.0,
            }),
            Self::Numbers(numbers) => match reducer.kind {
                ReducerKind::Quantile(share) => quantile(numbers, share),
                _ => Value::Null,
            },
            Self::List { values, .. } => Value::List(values),
            Self::First(first) => first.map_or(Value::Null, |first| first.value),
            Self::Rows(rows) => match &reducer.kind {
                ReducerKind::Collect(collect) => rows.finish(collect),
                _ => Value::Null,
            },
            Self::Sample(sample) => Value::List(sample.into_iter().map(|(_, value)| value).collect()),
        }
    }
}

/// Adds a number to a sum that may have none yet.
fn add_up(sum: &mut f64, number: f64) {
    *sum = if sum.is_nan() { number } else { *sum + number };
}

/// Keeps the better of two values. Texts that read like numbers are numbers.
fn better(known: &mut Value, value: Value, reducer: &Reducer) {
    let value = value.number().map_or(value, Value::Number);
    let ordering = value.compare(known);
    let is_better = match reducer.kind {
        ReducerKind::Min => ordering == Ordering::Less,
        _ => ordering == Ordering::Greater,
    };
    if value != Value::Null && (*known == Value::Null || is_better) {
        *known = value;
    }
}

fn distinct(values: &mut Vec<Value>, seen: &mut HashSet<Vec<u8>>, value: Value) {
    if seen.insert(value.identity()) {
        values.push(value);
    }
}

/// Whether one comes before another by the deciding property, if there is one.
fn is_before(one: &First, other: &First, reducer: &Reducer) -> bool {
    let ReducerKind::FirstValue { by: Some((_, descending)) } = &reducer.kind else { return false };
    let number = |value: &Value| value.number().map_or_else(|| value.clone(), Value::Number);
    match (&other.by, &one.by) {
        (_, Value::Null) => false,
        (Value::Null, _) => true,
        (other, one) => {
            let ordering = number(one).compare(&number(other));
            if *descending { ordering.is_gt() } else { ordering.is_lt() }
        }
    }
}

/// Whether one of two shards' comes before the other's: what nothing else decides, the time of writing does.
fn is_earlier(one: &First, other: &First, reducer: &Reducer) -> bool {
    let is_behind = is_before(other, one, reducer);
    is_before(one, other, reducer) || !is_behind && one.written_us < other.written_us
}

fn keep_sample(sample: &mut Vec<(u64, Value)>, reducer: &Reducer) {
    let ReducerKind::RandomSample(size) = reducer.kind else { return };
    if sample.len() > size {
        sample.sort_by_key(|(drawn, _)| *drawn);
        sample.truncate(size);
    }
}

/// The number that so great a share of all is not above (nearest rank).
fn quantile(mut numbers: Vec<f64>, share: f64) -> Value {
    numbers.sort_by(f64::total_cmp);
    let rank = (share * numbers.len() as f64).ceil() as usize;
    Value::Number(numbers.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN))
}

/// The estimate of Flajolet, Fusy, Gandouet and Meunier (2007), with linear counting where it is better.
fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let count = REGISTERS as f64;
    let sum: f64 = registers.iter().map(|register| 0.5f64.powi(i32::from(*register))).sum();
    let estimate = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
    let zeros = registers.iter().filter(|register| **register == 0).count();
    if estimate <= 2.5 * count && zeros > 0 { count * (count / zeros as f64).ln() } else { estimate }
}
