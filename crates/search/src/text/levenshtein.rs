//! Words within a distance of another, found in a sorted dictionary: the rows of the table of distances are kept for the word just
//! looked at, so the next one costs only what is behind their common beginning; and where no word with that beginning can be near, the
//! whole of them is skipped. That is a walk over the trie that a sorted dictionary implies.

/// The distances from one word.
#[derive(Clone, Debug)]
pub(crate) struct Levenshtein {
    word: Vec<char>,
    distance_max: usize,
    /// The characters of the word last looked at that are in `rows`.
    seen: Vec<char>,
    /// One row for each of these, and one in front for none.
    rows: Vec<Vec<usize>>,
}

/// What is known of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Near {
    Yes,
    No,
    /// No, and so is no word that begins with these bytes.
    NoneWith(Vec<u8>),
}

impl Levenshtein {
    /// Distances from `word` (insertions, deletions and changes of characters) up to `distance_max`.
    pub fn new(word: &str, distance_max: usize) -> Self {
        let word: Vec<char> = word.chars().collect();
        let first = (0..=word.len()).collect();
        Self { word, distance_max, seen: Vec::new(), rows: vec![first] }
    }

    /// Whether `other` is within the distance. Fastest where words come sorted.
    pub fn look(&mut self, other: &str) -> Near {
        let common =
            self.seen.iter().zip(other.chars()).take_while(|(seen, letter)| **seen == *letter).count();
        self.seen.truncate(common);
        self.rows.truncate(common + 1);
        for (index, letter) in other.char_indices().skip(common) {
            self.push(letter);
            let row = &self.rows[self.rows.len() - 1];
            if row.iter().all(|&distance| distance > self.distance_max) {
                return Near::NoneWith(other.as_bytes()[..index + letter.len_utf8()].to_vec());
            }
        }
        let last = &self.rows[self.rows.len() - 1];
        if last[self.word.len()] <= self.distance_max { Near::Yes } else { Near::No }
    }

    fn push(&mut self, letter: char) {
        let above = &self.rows[self.rows.len() - 1];
        let mut row = Vec::with_capacity(above.len());
        row.push(above[0] + 1);
        for (column, &own) in self.word.iter().enumerate() {
            let changed = above[column] + usize::from(own != letter);
            row.push(changed.min(above[column + 1] + 1).min(row[column] + 1));
        }
        self.rows.push(row);
        self.seen.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn distance(left: &[char], right: &[char]) -> usize {
        match (left.split_last(), right.split_last()) {
            (None, _) => right.len(),
            (_, None) => left.len(),
            (Some((x, left_rest)), Some((y, right_rest))) => (distance(left_rest, right_rest)
                + usize::from(x != y))
            .min(distance(left_rest, right) + 1)
            .min(distance(left, right_rest) + 1),
        }
    }

    proptest! {
        #[test]
        fn as_the_definition_says(
            word in "[abé]{0,5}",
            mut others in prop::collection::vec("[abé]{0,6}", 0..12),
            distance_max in 0..4usize,
        ) {
            others.sort();
            let mut levenshtein = Levenshtein::new(&word, distance_max);
            let letters: Vec<char> = word.chars().collect();
            let near = |other: &str| distance(&letters, &other.chars().collect::<Vec<_>>()) <= distance_max;
            for other in &others {
                match levenshtein.look(other) {
                    Near::Yes => prop_assert!(near(other)),
                    Near::No => prop_assert!(!near(other)),
                    Near::NoneWith(prefix) => {
                        let prefix = String::from_utf8(prefix).unwrap();
                        prop_assert!(other.starts_with(&prefix));
                        for any in others.iter().filter(|any| any.starts_with(&prefix)) {
                            prop_assert!(!near(any));
                        }
                    }
                }
            }
        }
    }
}
