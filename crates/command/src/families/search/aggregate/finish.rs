//! What is done with the rows of all shards when they are together, in slices: from the first step that needs all rows to the last.

use super::steps::{Flow, Rows, Step, apply_plain, barrier};
use super::tally::Tally;
use crate::Error;
use base::random::Random;
use search::aggregate::{EachGroup, Fields, Groups};
use search::sorting::Sorting;
use std::vec::IntoIter;

/// What a row or a group counts that goes through a step, or is passed over.
const ROW_FUEL: usize = 2;
const PASS_FUEL: usize = 1;

/// Rows on their way through the steps.
pub struct Finishing {
    stage: Stage,
    /// The step that comes next, or that is at work.
    at: usize,
    total: u64,
    is_counted: bool,
    /// The step at work is the first.
    is_first: bool,
}

enum Stage {
    /// Puts together what the shards have; of the first of them what is left.
    Gather {
        flows: IntoIter<Flow>,
        left: Option<EachGroup>,
        rows: Vec<Fields>,
        groups: Groups,
    },
    /// Rows between two steps.
    Rows(Vec<Fields>),
    Group(IntoIter<Fields>, Groups),
    /// Groups become rows.
    Ungroup(EachGroup, Vec<Fields>),
    Sort(Sorting<Fields>),
    /// Passes over so many rows, and takes so many.
    Cut {
        rows: IntoIter<Fields>,
        skipped: usize,
        count: usize,
        taken: Vec<Fields>,
    },
    /// APPLY and FILTER.
    Each(IntoIter<Fields>, Vec<Fields>),
    Done(Vec<Fields>),
}

impl Finishing {
    /// Begins with what the shards have.
    pub fn new(steps: &[Step], flows: Vec<Flow>) -> Self {
        let total = flows.iter().map(|flow| flow.total).sum();
        let (rows, groups) = (Vec::new(), Groups::default());
        let stage = Stage::Gather { flows: flows.into_iter(), left: None, rows, groups };
        let at = barrier(steps).unwrap_or(steps.len());
        Self { stage, at, total, is_counted: false, is_first: true }
    }

    /// Goes on while `fuel` lasts; whether that was all. The work is counted.
    ///
    /// # Errors
    /// An expression that cannot be evaluated, too many groups.
    pub fn step(
        &mut self,
        steps: &[Step],
        random: &mut Random,
        tally: &mut Tally,
        fuel: &mut usize,
    ) -> Result<bool, Error> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Done(Vec::new()));
            if matches!(stage, Stage::Done(_)) {
                self.stage = stage;
                return Ok(true);
            }
            if *fuel == 0 {
                self.stage = stage;
                return Ok(false);
            }
            let (begun_ns, at) = (tally.now_ns(), self.at);
            self.stage = self.advance(stage, steps, random, fuel)?;
            let passed = match &self.stage {
                Stage::Rows(rows) if self.at > at => rows.len(),
                _ => 0,
            };
            tally.passed(at, passed, begun_ns);
        }
    }

    fn advance(
        &mut self,
        stage: Stage,
        steps: &[Step],
        random: &mut Random,
        fuel: &mut usize,
    ) -> Result<Stage, Error> {
        Ok(match (stage, steps.get(self.at)) {
            (Stage::Gather { mut flows, mut left, mut rows, mut groups }, step) => {
                while *fuel > 0 {
                    if let Some(group) = left.as_mut().and_then(Iterator::next) {
                        *fuel = fuel.saturating_sub(ROW_FUEL);
                        let Some(Step::Group(grouping)) = step else { unreachable!("a step has made it") };
                        groups.take_in(group, grouping).map_err(Error::search)?;
                        continue;
                    }
                    match flows.next().map(|flow| flow.rows) {
                        Some(Rows::Plain(more)) if rows.is_empty() => rows = more,
                        Some(Rows::Plain(more)) => rows.extend(more),
                        Some(Rows::Groups(more)) if groups.is_empty() => groups = more,
                        Some(Rows::Groups(more)) => left = Some(more.into_iter()),
                        None if matches!(step, Some(Step::Group(_))) => {
                            return Ok(Stage::Ungroup(groups.into_iter(), Vec::new()));
                        }
                        None => return Ok(Stage::Rows(rows)),
                    }
                }
                Stage::Gather { flows, left, rows, groups }
            }
            (Stage::Rows(rows), None) => Stage::Done(rows),
            (Stage::Rows(rows), Some(step)) => self.begin(rows, step),
            (Stage::Group(mut rows, mut groups), Some(Step::Group(grouping))) => {
                while *fuel > 0 {
                    *fuel = fuel.saturating_sub(ROW_FUEL);
                    let Some(row) = rows.next() else {
                        return Ok(Stage::Ungroup(groups.into_iter(), Vec::new()));
                    };
                    groups.add(grouping, &row, random).map_err(Error::search)?;
                }
                Stage::Group(rows, groups)
            }
            (Stage::Ungroup(mut groups, mut rows), Some(Step::Group(grouping))) => {
                while *fuel > 0 {
                    *fuel = fuel.saturating_sub(ROW_FUEL);
                    let Some(group) = groups.next() else {
                        (self.total, self.is_counted) = (rows.len() as u64, true);
                        return Ok(self.passed(rows));
                    };
                    rows.push(group.into_row(grouping));
                }
                Stage::Ungroup(groups, rows)
            }
            (Stage::Sort(mut sorting), Some(Step::Arrange(arrange))) => {
                if !sorting.step(|left, right| arrange.compare(left, right), fuel) {
                    return Ok(Stage::Sort(sorting));
                }
                let rows = sorting.finish();
                let (skipped, count) = arrange.limit.unwrap_or((0, usize::MAX));
                if skipped == 0 && rows.len() <= count {
                    return Ok(self.passed(rows));
                }
                Stage::Cut { rows: rows.into_iter(), skipped, count, taken: Vec::new() }
            }
            (Stage::Cut { mut rows, mut skipped, count, mut taken }, _) => {
                while *fuel > 0 {
                    *fuel = fuel.saturating_sub(PASS_FUEL);
                    let Some(row) = rows.next() else { return Ok(self.passed(taken)) };
                    if skipped > 0 {
                        skipped -= 1;
                    } else if taken.len() < count {
                        taken.push(row);
                    }
                }
                Stage::Cut { rows, skipped, count, taken }
            }
            (Stage::Each(mut rows, mut kept), Some(step)) => {
                let single = std::slice::from_ref(step);
                while *fuel > 0 {
                    *fuel = fuel.saturating_sub(ROW_FUEL);
                    let Some(mut row) = rows.next() else { return Ok(self.passed(kept)) };
                    if apply_plain(single, &mut row, &mut Tally::default())? {
                        kept.push(row);
                    } else {
                        self.total -= 1;
                    }
                }
                Stage::Each(rows, kept)
            }
            _ => unreachable!("each stage belongs to its step"),
        })
    }

    /// The next step begins, with all rows.
    fn begin(&mut self, rows: Vec<Fields>, step: &Step) -> Stage {
        match step {
            Step::Group(_) => Stage::Group(rows.into_iter(), Groups::default()),
            Step::Arrange(arrange) => {
                if !self.is_first {
                    self.total = rows.len() as u64;
                }
                self.is_counted |= arrange.is_sorted || arrange.limit == Some((0, 0));
                Stage::Sort(arrange.sorting(rows))
            }
            Step::Apply(..) | Step::Filter(_) => Stage::Each(rows.into_iter(), Vec::new()),
        }
    }

    /// The step at work is done.
    fn passed(&mut self, rows: Vec<Fields>) -> Stage {
        self.at += 1;
        self.is_first = false;
        Stage::Rows(rows)
    }

    /// The rows, how many there were, and whether some step has counted them; all steps must be done.
    pub fn finish(self) -> (Vec<Fields>, u64, bool) {
        let Stage::Done(rows) = self.stage else { unreachable!("all steps are done") };
        (rows, self.total, self.is_counted)
    }
}
