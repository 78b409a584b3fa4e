//! How many rows have passed the steps of FT.AGGREGATE, and how long that took, for FT.PROFILE.

use super::steps::Step;
use crate::families::search::profile::meter::Processor;
use search::evaluate::Clock;

/// Counts of each step. Without a clock nothing is counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    clock: Option<Clock>,
    steps: Vec<(u64, u64)>,
}

impl Tally {
    pub fn new(clock: Option<Clock>, steps: usize) -> Self {
        Self { clock, steps: if clock.is_some() { vec![(0, 0); steps] } else { Vec::new() } }
    }

    /// Monotonic ns; 0 if nothing is counted.
    pub fn now_ns(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }

    /// So many rows have left a step that began its work on them then.
    pub fn passed(&mut self, step: usize, rows: usize, begun_ns: u64) {
        let now_ns = self.now_ns();
        if let Some((count, ns)) = self.steps.get_mut(step) {
            *count += rows as u64;
            *ns += now_ns - begun_ns;
        }
    }

    /// The steps in a range as they are told.
    pub fn processors(&self, steps: &[Step], range: std::ops::Range<usize>) -> Vec<Processor> {
        let counted = steps.iter().zip(&self.steps).skip(range.start).take(range.len());
        counted
            .map(|(step, (results, ns))| Processor { name: name(step).into(), results: *results, ns: *ns })
            .collect()
    }
}

fn name(step: &Step) -> String {
    match step {
        Step::Apply(expression, _) => format!("Projector - {}", expression.summary()),
        Step::Filter(expression) => format!("Filter - {}", expression.summary()),
        Step::Group(_) => "Grouper".to_owned(),
        Step::Arrange(arrange) if arrange.is_sorted => "Sorter".to_owned(),
        Step::Arrange(_) => "Pager/Limiter".to_owned(),
    }
}
