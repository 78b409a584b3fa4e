//! The steps of FT.AGGREGATE over rows: what a shard does with its own, and what is done when those of all are together.

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
pub fn apply_plain(steps: &[Step], row: &mut Fields) -> Result<bool, Error> {
    for step in steps {
        match step {
            Step::Apply(expression, name) => {
                let value = expression.evaluate(row).map_err(Error::search)?;
                row.set(name, value);
            }
            Step::Filter(expression) => {
                if !expression.accepts(row).map_err(Error::search)? {
                    return Ok(false);
                }
            }
            Step::Group(_) | Step::Arrange(_) => break,
        }
    }
    Ok(true)
}

/// The number of the first step that needs all rows.
pub fn barrier(steps: &[Step]) -> Option<usize> {
    steps.iter().position(|step| matches!(step, Step::Group(_) | Step::Arrange(_)))
}

/// What a shard does with its rows at the first step that needs all: it keeps what may be wanted.
pub fn reduce(step: Option<&Step>, rows: Vec<Fields>, random: &mut Random) -> Flow {
    let mut flow = Flow::new(false);
    flow.total = rows.len() as u64;
    flow.rows = match step {
        None => Rows::Plain(rows),
        Some(Step::Group(grouping)) => {
            let mut groups = Groups::default();
            rows.iter().for_each(|row| groups.add(grouping, row, random));
            Rows::Groups(groups)
        }
        Some(Step::Arrange(arrange)) => {
            let mut rows = rows;
            arrange.sort(&mut rows);
            Rows::Plain(rows)
        }
        Some(Step::Apply(..) | Step::Filter(_)) => unreachable!("these need no other rows"),
    };
    flow
}

/// Takes the rows of all shards through the steps from the first that needs all.
///
/// # Errors
/// An expression that cannot be evaluated.
pub fn finish(steps: &[Step], flows: Vec<Flow>, random: &mut Random) -> Result<Flow, Error> {
    let mut total: u64 = flows.iter().map(|flow| flow.total).sum();
    let (mut plain, mut groups, mut is_counted) = (Vec::new(), Groups::default(), false);
    let first = barrier(steps);
    for flow in flows {
        match (flow.rows, first.map(|at| &steps[at])) {
            (Rows::Groups(more), Some(Step::Group(grouping))) => groups.merge(more, grouping),
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
        at += 1;
    }
    let mut is_first = !is_counted;
    while let Some(step) = steps.get(at) {
        match step {
            Step::Group(grouping) => {
                let mut groups = Groups::default();
                plain.iter().for_each(|row| groups.add(grouping, row, random));
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
                    if apply_plain(single, &mut row)? {
                        kept.push(row);
                    }
                }
                plain = kept;
                total -= (before - plain.len()) as u64;
            }
        }
        is_first = false;
        at += 1;
    }
    Ok(Flow { rows: Rows::Plain(plain), total, is_counted })
}
