//! Cuts a failing episode down: leaves steps out, larger pieces first, as long as it still fails in the same way.

use crate::episode::{Episode, Step};
use crate::play::{Failure, Tally, play};

/// Episodes played at most while shrinking.
const PLAYS_MAX: usize = 3000;

/// A shorter episode that fails like this one, and its failure.
pub fn shrink(episode: &Episode, failure: &Failure) -> (Episode, Failure) {
    let kind = failure.kind();
    let (mut best, mut last, mut plays) = (episode.clone(), failure.clone(), 0);
    best.steps.truncate(failure.step + 1);
    split_up(&mut best);
    if play(&best, &mut Tally::default()).is_ok() {
        best = episode.clone();
        best.steps.truncate(failure.step + 1);
    }
    let mut piece = best.steps.len().div_ceil(2);
    while piece > 0 && plays < PLAYS_MAX {
        let mut at = 0;
        while at < best.steps.len() && plays < PLAYS_MAX {
            let mut shorter = best.clone();
            shorter.steps.drain(at..(at + piece).min(best.steps.len()));
            plays += 1;
            match play(&shorter, &mut Tally::default()) {
                Err(failure) if failure.kind() == kind => (best, last) = (shorter, failure),
                _ => at += piece,
            }
        }
        piece /= 2;
    }
    (best, last)
}

/// Requests that came together, one after the other.
fn split_up(episode: &mut Episode) {
    let steps = std::mem::take(&mut episode.steps);
    let last = steps.len().saturating_sub(1);
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Together(requests) if index < last => {
                let apart = requests.into_iter().map(|(conn, words)| Step::Request { conn, words });
                episode.steps.extend(apart);
            }
            step => episode.steps.push(step),
        }
    }
}
