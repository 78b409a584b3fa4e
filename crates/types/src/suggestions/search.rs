//! What begins like a text, best first.
//!
//! A score counts less the longer the suggestion is than what was asked for: it is divided by √(1 + d), where d is how far the letters of the suggestion
//! are from the bytes of the text. (Bytes, for RediSearch counts so.) In a fuzzy search it is multiplied by e^(−2) if the
//! beginning has a letter more, less or other. Who is written exactly as the text in small letters is always the first.

use super::{At, Suggestions, letters};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// (float)INT_MAX: the score of what was spelled out.
const EXACT: f32 = 2_147_483_648.0;
/// How far beginnings may be in a fuzzy search.
const DISTANCE_MAX: usize = 1;
/// What is below a tenth of the best may be cut off.
const TRIM_FACTOR: f32 = 10.0;

/// A suggestion that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    pub text: &'a [u8],
    pub score: f32,
    pub payload: Option<&'a [u8]>,
}

/// Places from one up to another, whose texts begin so far from what is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: At,
    to: At,
    distance: usize,
}

/// One of the best so far; the worst is the greatest.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    score: f32,
    number: u32,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// What a score becomes, from the distance and the difference of the lengths.
fn weighed(score: f32, distance: usize, longer: usize) -> f32 {
    let near = if distance == 0 { score } else { (f64::from(score) * (-2.0 * distance as f64).exp()) as f32 };
    // Not below zero by a sign alone.
    (f64::from(near) / (1.0 + longer as f64).sqrt()) as f32 + 0.0
}

impl Suggestions {
    /// The best `most` of those that begin like `text`, best first; of the same score who came first.
    pub fn search(&self, text: &[u8], is_fuzzy: bool, most: usize) -> Vec<Found<'_>> {
        let folded = letters::fold(text);
        let ranges = match is_fuzzy {
            true => self.near(&folded),
            false => vec![Range {
                from: self.from(folded.as_bytes()),
                to: self.behind(folded.as_bytes()),
                distance: 0,
            }],
        };
        let mut best = Best { most, heap: BinaryHeap::new() };
        // What must not be passed over because of the others in its leaf.
        let small = letters::small(text);
        let exact = self.find(letters::fold(small.as_bytes()).as_bytes(), small.as_bytes()).ok();
        let exact = exact.map(|at| self.leaves[at.leaf].places[at.place].number);
        if let Some(number) = exact {
            best.offer(Ranked { score: EXACT, number });
        }
        for range in ranges {
            self.rank(range, text.len(), exact, &mut best);
        }
        let found = |ranked: Ranked| {
            let entry = self.entries[ranked.number as usize].as_ref()?;
            Some(Found { text: &entry.text, score: ranked.score, payload: entry.payload.as_deref() })
        };
        best.heap.into_sorted_vec().into_iter().filter_map(found).collect()
    }

    fn rank(&self, range: Range, len: usize, exact: Option<u32>, best: &mut Best) {
        for (index, leaf) in self.leaves.iter().enumerate().take(range.to.leaf + 1).skip(range.from.leaf) {
            // A score below zero grows with the length.
            let bound = match leaf.best {
                score if score > 0.0 => {
                    weighed(score, range.distance, (leaf.letters_min as usize).saturating_sub(len))
                }
                score if score.is_nan() => f32::INFINITY,
                _ => 0.0,
            };
            if best.is_above(bound) {
                continue;
            }
            let from = if index == range.from.leaf { range.from.place } else { 0 };
            let to = if index == range.to.leaf { range.to.place } else { leaf.places.len() };
            for place in leaf.places.get(from..to).unwrap_or_default() {
                if Some(place.number) != exact {
                    let score = weighed(place.score, range.distance, (place.letters as usize).abs_diff(len));
                    best.offer(Ranked { score, number: place.number });
                }
            }
        }
    }

    fn from(&self, prefix: &[u8]) -> At {
        self.first(|entry| entry.folded() < prefix)
    }

    fn behind(&self, prefix: &[u8]) -> At {
        self.first(|entry| entry.folded() < prefix || entry.folded().starts_with(prefix))
    }

    /// The places of texts of which some beginning is within [`DISTANCE_MAX`] of `wanted`, in order, each with the least such distance.
    fn near(&self, wanted: &str) -> Vec<Range> {
        let wanted: Vec<char> = wanted.chars().collect();
        let mut walk = Walk { suggestions: self, wanted: &wanted, prefix: String::new(), ranges: Vec::new() };
        let row: Vec<usize> = (0..=wanted.len()).collect();
        walk.go(self.from(b""), self.behind(b""), &row, None);
        walk.ranges
    }
}

struct Best {
    most: usize,
    heap: BinaryHeap<Ranked>,
}

impl Best {
    /// Whether nothing with this score can be among the best.
    fn is_above(&self, score: f32) -> bool {
        self.heap.len() >= self.most
            && self.heap.peek().is_none_or(|worst| score.total_cmp(&worst.score) == Ordering::Less)
    }

    fn offer(&mut self, ranked: Ranked) {
        if self.heap.len() < self.most {
            self.heap.push(ranked);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && ranked < *worst
        {
            *worst = ranked;
        }
    }
}

/// A walk over the trie that the order implies, with the rows of the table of distances.
struct Walk<'a> {
    suggestions: &'a Suggestions,
    wanted: &'a [char],
    /// What all texts here begin with.
    prefix: String,
    ranges: Vec<Range>,
}

impl Walk<'_> {
    /// Looks at the places from `from` up to `to`, which have the prefix. `row` has its distances from the beginnings of what is wanted, `best` is the
    /// least distance of a beginning of it. As deep as there are letters in what is wanted, and one.
    fn go(&mut self, from: At, to: At, row: &[usize], best: Option<usize>) {
        if self.suggestions.step(from).is_none_or(|first| first >= to) {
            return;
        }
        let own = row[self.wanted.len()];
        let best = match best {
            Some(best) => Some(best.min(own)),
            None => (own <= DISTANCE_MAX).then_some(own),
        };
        let least = row.iter().copied().min().unwrap_or(0);
        match best {
            Some(distance) if least >= distance => return self.push(Range { from, to, distance }),
            None if least > DISTANCE_MAX => return,
            _ => {}
        }
        // Those that end here.
        let len = self.prefix.len();
        let longer = self.suggestions.first(|entry| entry.folded() <= self.prefix.as_bytes());
        if let Some(distance) = best {
            self.push(Range { from, to: longer, distance });
        }
        if least == DISTANCE_MAX && best.is_none() {
            // No further letter may be wrong, so it is one of these.
            let mut letters: Vec<char> = row
                .iter()
                .zip(self.wanted)
                .filter(|(at, _)| **at == least)
                .map(|(_, letter)| *letter)
                .collect();
            letters.sort_unstable();
            letters.dedup();
            for letter in letters {
                self.child(letter, row, best);
            }
            return;
        }
        let mut at = self.suggestions.step(longer).filter(|at| *at < to);
        while let Some(next) = at {
            let folded = &self.suggestions.entry(next).folded()[len..];
            let letter = std::str::from_utf8(folded).ok().and_then(|rest| rest.chars().next());
            let Some(letter) = letter else {
                return;
            };
            let behind = self.child(letter, row, best);
            at = self.suggestions.step(behind).filter(|at| *at < to);
        }
    }

    /// Looks at what has one letter more; the place behind it.
    fn child(&mut self, letter: char, row: &[usize], best: Option<usize>) -> At {
        let len = self.prefix.len();
        self.prefix.push(letter);
        let (from, to) = {
            let prefix = self.prefix.as_bytes();
            (self.suggestions.from(prefix), self.suggestions.behind(prefix))
        };
        let mut below = vec![row[0] + 1];
        for (column, own) in self.wanted.iter().enumerate() {
            let changed = row[column] + usize::from(*own != letter);
            below.push(changed.min(row[column + 1] + 1).min(below[column] + 1));
        }
        self.go(from, to, &below, best);
        self.prefix.truncate(len);
        to
    }

    fn push(&mut self, range: Range) {
        if range.from < range.to {
            self.ranges.push(range);
        }
    }
}

/// How many of what was found are worth a tenth of the best.
pub fn trimmed(found: &[Found<'_>]) -> usize {
    let least = found.first().map_or(0.0, |best| best.score / TRIM_FACTOR);
    found.iter().position(|found| found.score < least).unwrap_or(found.len())
}
