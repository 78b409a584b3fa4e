//! The steps of FT.AGGREGATE over rows: what a shard does with its own, and what is done when those of all are together.

use super::tally::Tally;
use crate::Error;
use base::random::Random;
use search::aggregate::{Fields, Grouping, Groups, SortKey, compare_rows};
use search::expression::Expression;

/// One step.
#[derive(Debug)]
pub enum Step {
    Group(Grouping),
    Apply(Expression, Vec<u8>),
    Filter(Expression),
    Arrange(Arrange),
}

impl Step {
    /// Whether its expression asks which words of the query a document has.
    pub fn asks_for_terms(&self) -> bool {
        match self {
            Self::Apply(expression, _) | Self::Filter(expression) => expression.asks_for_terms(),
            Self::Group(_) | Self::Arrange(_) => false,
        }
    }
}

/// SORTBY and LIMIT.
#[derive(Debug, Default)]
pub struct Arrange {
    /// SORTBY was given, perhaps without properties.
    pub is_sorted: bool,
    pub keys: Vec<SortKey>,
    pub max: Option<usize>,
    pub limit: Option<(usize, usize)>,
}

/// So many rows come of SORTBY without MAX and LIMIT.
const SORTED_DEFAULT: usize = 10;

impl Arrange {
    /// How many of the first rows are wanted.
    pub fn wanted(&self) -> usize {
        let limited = self.limit.map(|(first, count)| first.saturating_add(count));
        match (limited, self.max.filter(|max| *max > 0)) {
            (None, None) if !self.keys.is_empty() => SORTED_DEFAULT,
            (limited, max) => limited.unwrap_or(usize::MAX).min(max.unwrap_or(usize::MAX)),
        }
    }

    /// Puts the first rows in order, and leaves out the others.
    fn sort(&self, rows: &mut Vec<Fields>) {
        if !self.keys.is_empty() {
            rows.sort_by(|left, right| compare_rows(&self.keys, left, right));
        }
        rows.truncate(self.wanted());
    }
}

/// What has become of the rows of a shard.
pub enum Rows {
    Plain(Vec<Fields>),
    Groups(Groups),
}

/// Rows on their way, and how many there were at the last step that looks at all of them.
pub struct Flow {
    pub rows: Rows,
    pub total: u64,
    /// Some step has looked at all of them.
    pub is_counted: bool,
}

impl Flow {
    /// Before the first step.
    pub fn new(is_counted: bool) -> Self {
        Self { rows: Rows::Plain(Vec::new()), total: 0, is_counted }
    }
}

/// Takes rows of documents through the steps that need no other rows. `false`: the row is left out.
///
/// # Errors
/// An expression that cannot be evaluated.
pub fn apply_plain(steps: &[Step], row: &mut Fields, tally: &mut Tally) -> Result<bool, Error> {
    for (at, step) in steps.iter().enumerate() {
        let begun_ns = tally.now_ns();
        match step {
            Step::Apply(expression, name) => {
                let value = expression.evaluate(row).map_err(Error::search)?;
                row.set(name, value);
            }
            Step::Filter(expression) => {
                if !expression.accepts(row).map_err(Error::search)? {
                    tally.passed(at, 0, begun_ns);
                    return Ok(false);
                }
            }
            Step::Group(_) | Step::Arrange(_) => break,
        }
        tally.passed(at, 1, begun_ns);
    }
    Ok(true)
}

/// The number of the first step that needs all rows.
pub fn barrier(steps: &[Step]) -> Option<usize> {
    steps.iter().position(|step| matches!(step, Step::Group(_) | Step::Arrange(_)))
}

/// What a shard does with its rows, as they come, at the first step that needs all: it keeps what may be wanted. Each row is put away as it
/// comes, so that nothing is left that takes long at once.
pub struct Reduction {
    flow: Flow,
}

impl Default for Reduction {
    fn default() -> Self {
        Self { flow: Flow::new(false) }
    }
}

/// Rows are put in order when there are so many times more than are wanted, and at least so many.
const ROWS_OVER: usize = 2;
const SORTED_AT_ONCE: usize = 128;

impl Reduction {
    /// A row has come as far as to this step.
    ///
    /// # Errors
    /// Too many groups.
    pub fn add(&mut self, step: Option<&Step>, row: Fields, random: &mut Random) -> Result<(), Error> {
        self.flow.total += 1;
        match (step, &mut self.flow.rows) {
            (Some(Step::Group(grouping)), Rows::Groups(groups)) => {
                groups.add(grouping, &row, random).map_err(Error::search)?;
            }
            (Some(Step::Group(grouping)), rows @ Rows::Plain(_)) => {
                let mut groups = Groups::default();
                groups.add(grouping, &row, random).map_err(Error::search)?;
                *rows = Rows::Groups(groups);
            }
            (step, Rows::Plain(rows)) => {
                rows.push(row);
                if let Some(Step::Arrange(arrange)) = step
                    && rows.len() >= arrange.wanted().saturating_mul(ROWS_OVER).max(SORTED_AT_ONCE)
                {
                    arrange.sort(rows);
                }
            }
            (_, Rows::Groups(_)) => unreachable!("rows are grouped where a step says so"),
        }
        Ok(())
    }

    /// No more rows come.
    pub fn finish(mut self, step: Option<&Step>) -> Flow {
        match (step, &mut self.flow.rows) {
            (Some(Step::Group(_)), rows @ Rows::Plain(_)) => *rows = Rows::Groups(Groups::default()),
            (Some(Step::Arrange(arrange)), Rows::Plain(rows)) => arrange.sort(rows),
            _ => {}
        }
        self.flow
    }
}

/// Takes the rows of all shards through the steps from the first that needs all, which are counted.
///
/// # Errors
/// An expression that cannot be evaluated.
pub fn finish(
    steps: &[Step],
    flows: Vec<Flow>,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<Flow, Error> {
    let mut begun_ns = tally.now_ns();
    let mut total: u64 = flows.iter().map(|flow| flow.total).sum();
    let (mut plain, mut groups, mut is_counted) = (Vec::new(), Groups::default(), false);
    let first = barrier(steps);
    for flow in flows {
        match (flow.rows, first.map(|at| &steps[at])) {
            (Rows::Groups(more), Some(Step::Group(grouping))) => {
                groups.merge(more, grouping).map_err(Error::search)?;
            }
            (Rows::Plain(rows), _) => plain.extend(rows),
            (Rows::Groups(_), _) => unreachable!("rows are grouped where a step says so"),
        }
    }
    let Some(mut at) = first else {
        return Ok(Flow { rows: Rows::Plain(plain), total, is_counted });
    };
    if let Step::Group(grouping) = &steps[at] {
        plain = groups.finish(grouping);
        (total, is_counted) = (plain.len() as u64, true);
        tally.passed(at, plain.len(), begun_ns);
        begun_ns = tally.now_ns();
        at += 1;
    }
    let mut is_first = !is_counted;
    while let Some(step) = steps.get(at) {
        match step {
            Step::Group(grouping) => {
                let mut groups = Groups::default();
                for row in &plain {
                    groups.add(grouping, row, random).map_err(Error::search)?;
                }
                plain = groups.finish(grouping);
                (total, is_counted) = (plain.len() as u64, true);
            }
            Step::Arrange(arrange) => {
                if !std::mem::take(&mut is_first) {
                    total = plain.len() as u64;
                }
                is_counted |= arrange.is_sorted || arrange.limit == Some((0, 0));
                arrange.sort(&mut plain);
                let (skipped, count) = arrange.limit.unwrap_or((0, usize::MAX));
                plain.drain(..skipped.min(plain.len()));
                plain.truncate(count);
            }
            Step::Apply(..) | Step::Filter(_) => {
                let before = plain.len();
                let single = std::slice::from_ref(step);
                let mut kept = Vec::with_capacity(before);
                for mut row in plain {
                    if apply_plain(single, &mut row, &mut Tally::default())? {
                        kept.push(row);
                    }
                }
                plain = kept;
                total -= (before - plain.len()) as u64;
            }
        }
        is_first = false;
        tally.passed(at, plain.len(), begun_ns);
        begun_ns = tally.now_ns();
        at += 1;
    }
    Ok(Flow { rows: Rows::Plain(plain), total, is_counted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use search::expression::Value;

    /// Rows that are put away one by one are those that sorting all at once leaves, the same ones of equals.
    #[test]
    fn the_first_rows_are_kept_as_they_come() {
        let key = SortKey { property: b"n".to_vec(), descending: true };
        let mut random = Random::from_seed(1);
        for wanted in [0, 1, 10, 100, 5000] {
            let rows = (0..1000).map(|number| {
                let value = Value::Number((random.index(50)) as f64);
                Fields::new(
                    [(b"n".to_vec(), value), (b"row".to_vec(), Value::Number(f64::from(number)))].into_iter(),
                )
            });
            let rows: Vec<Fields> = rows.collect();
            let limit = Some((0, wanted));
            let arrange = Arrange { is_sorted: true, keys: vec![key.clone()], max: None, limit };
            let mut expected = rows.clone();
            expected.sort_by(|left, right| compare_rows(&arrange.keys, left, right));
            expected.truncate(wanted);
            let step = Step::Arrange(arrange);
            let mut reduction = Reduction::default();
            for row in rows {
                reduction.add(Some(&step), row, &mut random).expect("nothing is grouped");
            }
            let flow = reduction.finish(Some(&step));
            let Rows::Plain(kept) = flow.rows else { panic!("nothing is grouped") };
            assert_eq!(flow.total, 1000);
            assert_eq!(format!("{kept:?}"), format!("{expected:?}"), "{wanted} wanted");
        }
    }
}
