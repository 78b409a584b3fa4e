//! The steps of FT.AGGREGATE over rows, and what a shard does with its own; when those of all are together, [`super::finish`] goes on.

use super::tally::Tally;
use crate::Error;
use base::random::Random;
use search::aggregate::{Fields, Grouping, Groups, SortKey, compare_rows};
use search::expression::Expression;
use search::sorting::Sorting;
use std::cmp::Ordering;

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

    /// Begins to put the first rows in order, and to leave out the others.
    pub fn sorting(&self, rows: Vec<Fields>) -> Sorting<Fields> {
        match self.keys.is_empty() {
            true => Sorting::of_runs(std::iter::once(rows), self.wanted()),
            false => Sorting::new(rows, self.wanted()),
        }
    }

    /// The order of two rows.
    pub fn compare(&self, left: &Fields, right: &Fields) -> Ordering {
        compare_rows(&self.keys, left, right)
    }
}

/// What has become of the rows of a shard.
pub enum Rows {
    Plain(Vec<Fields>),
    Groups(Groups),
}

/// Rows of a shard on their way, and how many there were.
pub struct Flow {
    pub rows: Rows,
    pub total: u64,
}

impl Flow {
    /// How many rows or groups it has.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Plain(rows) => rows.len(),
            Rows::Groups(groups) => groups.len(),
        }
    }
}

impl Default for Flow {
    /// Before the first step.
    fn default() -> Self {
        Self { rows: Rows::Plain(Vec::new()), total: 0 }
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
#[derive(Default)]
pub struct Reduction {
    flow: Flow,
    /// The first rows of what has been sorted, in front of those that have come since.
    sorting: Option<Sorting<Fields>>,
    sorted: Vec<Fields>,
}

/// Rows are put in order when there are so many times more than are wanted, and at least so many.
const ROWS_OVER: usize = 2;
const SORTED_MIN: usize = 128;
/// How much of that is done with each row that comes: it is over before there are as many again.
const SORT_FUEL: usize = 8;

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
                if let Some(Step::Arrange(arrange)) = step {
                    self.sort(arrange);
                }
            }
            (_, Rows::Groups(_)) => unreachable!("rows are grouped where a step says so"),
        }
        Ok(())
    }

    /// Goes on with what is being sorted, or begins to if there are many rows.
    fn sort(&mut self, arrange: &Arrange) {
        if self.sorting.is_some() {
            self.go_on(arrange, &mut { SORT_FUEL });
            return;
        }
        let Rows::Plain(rows) = &mut self.flow.rows else { return };
        let many = arrange.wanted().saturating_mul(ROWS_OVER).max(SORTED_MIN);
        if self.sorted.len() + rows.len() >= many {
            let mut all = std::mem::take(&mut self.sorted);
            all.append(rows);
            self.sorting = Some(arrange.sorting(all));
        }
    }

    /// Whether nothing is being sorted any more.
    fn go_on(&mut self, arrange: &Arrange, fuel: &mut usize) -> bool {
        let Some(sorting) = &mut self.sorting else { return true };
        if !sorting.step(|left, right| arrange.compare(left, right), fuel) {
            return false;
        }
        self.sorted = self.sorting.take().map(Sorting::finish).unwrap_or_default();
        true
    }

    /// No more rows come: what is left to be done while `fuel` lasts; whether that was all.
    pub fn step(&mut self, step: Option<&Step>, fuel: &mut usize) -> bool {
        let Some(Step::Arrange(arrange)) = step else { return true };
        if !self.go_on(arrange, fuel) {
            return false;
        }
        match &mut self.flow.rows {
            Rows::Plain(rows) if !rows.is_empty() => {
                let mut all = std::mem::take(&mut self.sorted);
                all.append(rows);
                self.sorting = Some(arrange.sorting(all));
                self.go_on(arrange, fuel)
            }
            _ => true,
        }
    }

    /// What there is; all steps must be done.
    pub fn finish(mut self, step: Option<&Step>) -> Flow {
        match (step, &mut self.flow.rows) {
            (Some(Step::Group(_)), rows @ Rows::Plain(_)) => *rows = Rows::Groups(Groups::default()),
            (Some(Step::Arrange(_)), Rows::Plain(rows)) => *rows = self.sorted,
            _ => {}
        }
        self.flow
    }
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
            while !reduction.step(Some(&step), &mut 3) {}
            let flow = reduction.finish(Some(&step));
            let Rows::Plain(kept) = flow.rows else { panic!("nothing is grouped") };
            assert_eq!(flow.total, 1000);
            assert_eq!(format!("{kept:?}"), format!("{expected:?}"), "{wanted} wanted");
        }
    }
}
