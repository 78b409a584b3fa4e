//! Sorting in steps of bounded length, for what may be long and must not keep others waiting.
//!
//! The order need not be one: numbers beside texts compare as RediSearch compares them, by which `10` comes behind `"9"`, `"9"` behind `"1a"` and
//! `"1a"` behind `10`. The sorts of the standard library may panic then; here such values come in some order.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::iter::Peekable;
use std::vec::IntoIter;

/// So many are sorted at once; each step's length is in proportion.
const RUN: usize = 32;
/// What one unit of fuel moves in a merge.
const MOVES: usize = 8;

/// A merge sort: short runs, then two that are side by side become one, and so on. What is equal keeps its order. Of the whole the first are kept.
#[derive(Debug)]
pub struct Sorting<T> {
    unsorted: IntoIter<T>,
    /// Sorted, in their order. In a pass each two of those that it has found become one.
    runs: VecDeque<Vec<T>>,
    /// How many of the runs the pass has not come to.
    left: usize,
    merging: Option<Box<Merging<T>>>,
    wanted: usize,
}

#[derive(Debug)]
struct Merging<T> {
    front: Peekable<IntoIter<T>>,
    back: Peekable<IntoIter<T>>,
    merged: Vec<T>,
}

impl<T> Sorting<T> {
    /// Begins with all of these, of which the first so many are wanted.
    pub fn new(items: Vec<T>, wanted: usize) -> Self {
        let runs = VecDeque::with_capacity(items.len().div_ceil(RUN));
        Self { unsorted: items.into_iter(), runs, left: 0, merging: None, wanted }
    }

    /// Begins with some that are in their order each; what is equal comes in the order of these.
    pub fn of_runs(runs: impl Iterator<Item = Vec<T>>, wanted: usize) -> Self {
        let runs = runs.filter(|run| !run.is_empty()).collect();
        Self { unsorted: Vec::new().into_iter(), runs, left: 0, merging: None, wanted }
    }

    /// Goes on while `fuel` lasts. Says whether that was all. `compare` is the same each time.
    pub fn step(&mut self, compare: impl Fn(&T, &T) -> Ordering, fuel: &mut usize) -> bool {
        loop {
            if let Some(merging) = &mut self.merging {
                if *fuel == 0 {
                    return false;
                }
                *fuel -= 1;
                if merging.go_on(&compare, self.wanted) {
                    self.runs.extend(self.merging.take().map(|merging| merging.merged));
                }
            } else if !self.unsorted.as_slice().is_empty() {
                if *fuel == 0 {
                    return false;
                }
                *fuel = fuel.saturating_sub(2 * RUN / MOVES);
                let mut run: Vec<T> = self.unsorted.by_ref().take(RUN).collect();
                insert_each(&mut run, &compare);
                self.runs.push_back(run);
            } else if self.runs.len() <= 1 {
                self.runs.iter_mut().for_each(|run| run.truncate(self.wanted));
                return true;
            } else {
                self.next_pair();
            }
        }
    }

    /// Takes two runs that are side by side.
    fn next_pair(&mut self) {
        if self.left == 0 {
            self.left = self.runs.len();
        }
        let front = self.runs.pop_front().expect("there are two at least");
        if self.left == 1 {
            // It has no neighbour behind it in this pass.
            self.left = 0;
            return self.runs.push_back(front);
        }
        let back = self.runs.pop_front().expect("as above");
        self.left -= 2;
        let merged = Vec::with_capacity((front.len() + back.len()).min(self.wanted));
        let (front, back) = (front.into_iter().peekable(), back.into_iter().peekable());
        self.merging = Some(Box::new(Merging { front, back, merged }));
    }

    /// The first in their order; all steps must be done.
    pub fn finish(mut self) -> Vec<T> {
        self.runs.pop_front().unwrap_or_default()
    }
}

/// Sorts all at once, without bound.
pub fn sorted<T>(items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let count = items.len();
    let mut sorting = Sorting::new(items, count);
    sorting.step(compare, &mut { usize::MAX });
    sorting.finish()
}

/// Sorts a few. What is equal keeps its order.
fn insert_each<T>(run: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for next in 1..run.len() {
        let place = run[..next].partition_point(|known| compare(known, &run[next]).is_le());
        run[place..=next].rotate_right(1);
    }
}

impl<T> Merging<T> {
    /// Moves a few; whether that was all.
    fn go_on(&mut self, compare: impl Fn(&T, &T) -> Ordering, wanted: usize) -> bool {
        for _ in 0..MOVES {
            let next = match (self.front.peek(), self.back.peek()) {
                (Some(front), Some(back)) if compare(front, back).is_le() => self.front.next(),
                (_, Some(_)) => self.back.next(),
                (_, None) => self.front.next(),
            };
            let Some(next) = next else { return true };
            // What is not wanted goes here, a few at a time.
            if self.merged.len() < wanted {
                self.merged.push(next);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;

    #[test]
    fn as_sorted_at_once_whatever_the_fuel() {
        let mut random = Random::from_seed(5);
        for count in [0, 1, 2, 63, 64, 65, 128, 129, 200, 1000, 5000] {
            for (wanted, fuel) in [(usize::MAX, 1), (count / 3, 7), (count, 1000), (0, 3)] {
                let items: Vec<(usize, usize)> = (0..count).map(|at| (random.index(40), at)).collect();
                let mut expected = items.clone();
                expected.sort_by_key(|item| item.0);
                expected.truncate(wanted);
                let mut sorting = Sorting::new(items, wanted);
                let mut steps = 0;
                while !sorting.step(|left, right| left.0.cmp(&right.0), &mut { fuel }) {
                    steps += 1;
                }
                assert_eq!(sorting.finish(), expected, "{count} items, {wanted} wanted");
                assert!(fuel > 1 || count <= RUN || steps >= count / RUN, "{count} items in {steps} steps");
            }
        }
    }

    /// Nothing is lost, and nothing panics, where each is before the next in a circle.
    #[test]
    fn an_order_that_is_none() {
        let mut random = Random::from_seed(6);
        for count in [2, 33, 100, 1000, 5000] {
            let items: Vec<usize> = (0..count).map(|_| random.index(3)).collect();
            let circle = |left: &usize, right: &usize| match (right + 3 - left) % 3 {
                0 => Ordering::Equal,
                1 => Ordering::Less,
                _ => Ordering::Greater,
            };
            let (mut before, mut after) = (items.clone(), sorted(items, circle));
            before.sort_unstable();
            after.sort_unstable();
            assert_eq!(after, before);
        }
    }
}
