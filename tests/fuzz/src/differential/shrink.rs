//! The shortest sequence with the same difference: steps are left out, larger pieces first, then arguments.

use super::{Difference, Peer, Rules, Sequence, compare};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Shrinking ends after this time with what it has.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Plays shorter and shorter sequences. `both` gives two servers with nothing in them.
pub fn shrink(
    difference: Difference,
    rules: &Rules,
    known: &HashSet<String>,
    mut both: impl FnMut() -> [Box<dyn Peer>; 2],
) -> Difference {
    let end = Instant::now() + TIME_MAX;
    let mut again = |sequence: &Sequence, kind: &str| {
        let found = compare(&mut both(), sequence, rules, known)?;
        (found.kind == kind && Instant::now() < end).then_some(found)
    };
    let mut best = difference;
    let mut piece = best.sequence.steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < best.sequence.steps.len() {
            let mut fewer = best.sequence.clone();
            fewer.steps.drain(at..(at + piece).min(fewer.steps.len()));
            match again(&fewer, &best.kind) {
                Some(found) => best = found,
                None => at += piece,
            }
        }
        piece /= 2;
    }
    for step in (0..best.sequence.steps.len()).rev() {
        for request in 0..best.sequence.steps.get(step).map_or(0, |step| step.requests.len()) {
            best = shorten(best, step, request, &mut again);
        }
    }
    best
}

/// Leaves arguments of one request out.
fn shorten(
    mut best: Difference,
    step: usize,
    request: usize,
    again: &mut impl FnMut(&Sequence, &str) -> Option<Difference>,
) -> Difference {
    let len =
        |best: &Difference| best.sequence.steps.get(step).map_or(0, |step| step.requests[request].len());
    let mut piece = len(&best).div_ceil(2);
    while piece > 0 {
        let mut at = 1;
        while at < len(&best) {
            let mut fewer = best.sequence.clone();
            let words = &mut fewer.steps[step].requests[request];
            words.drain(at..(at + piece).min(words.len()));
            match again(&fewer, &best.kind) {
                Some(found) => best = found,
                None => at += piece,
            }
        }
        piece /= 2;
    }
    best
}
