//! Words in order, each with a number; and the look-ups that find many: by beginning, end, part, pattern and distance.
//!
//! With suffixes (WITHSUFFIXTRIE) every end of every word is kept in order as well, so what ends with something, or contains it, is found
//! without looking at all words.

use crate::text::{Levenshtein, Near, Pattern};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A word, shared by the places that know it.
pub type Word = Arc<[u8]>;

/// What a word costs beside its bytes: two counts of owners, two pointers, a number, and its share of a tree's nodes.
const WORD_BYTES: usize = 16 + 2 * 16 + 8 + 16;
/// What a suffix costs beside its bytes.
const SUFFIX_BYTES: usize = 16 + 24 + 16;

/// The words.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    numbers: BTreeMap<Word, u32>,
    words: Vec<Option<Word>>,
    free: Vec<u32>,
    suffixes: Option<BTreeMap<Box<[u8]>, Vec<u32>>>,
    bytes: usize,
}

impl Dictionary {
    /// An empty one, with suffixes or without.
    pub fn new(has_suffixes: bool) -> Self {
        Self { suffixes: has_suffixes.then(BTreeMap::new), ..Self::default() }
    }

    /// How many words.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Memory, estimated for the trees.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The words behind another in their order; all, if there is none.
    pub fn iter_behind(&self, word: Option<&[u8]>) -> impl Iterator<Item = &Word> {
        let behind = word.map_or(Bound::Unbounded, Bound::Excluded);
        self.numbers.range::<[u8], _>((behind, Bound::Unbounded)).map(|(word, _)| word)
    }

    /// The number of a word.
    pub fn get(&self, word: &[u8]) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    /// The word of a number that is in use.
    pub fn word(&self, number: u32) -> &Word {
        self.words[number as usize].as_ref().expect("the number is in use")
    }

    /// The number of a word, which is added if it is new. Numbers of removed words are used again.
    pub fn add(&mut self, word: &[u8]) -> u32 {
        if let Some(number) = self.get(word) {
            return number;
        }
        let word: Word = word.into();
        let number = self.free.pop().unwrap_or_else(|| {
            self.words.push(None);
            self.words.len() as u32 - 1
        });
        self.bytes += word.len() + WORD_BYTES;
        self.words[number as usize] = Some(Arc::clone(&word));
        if let Some(suffixes) = &mut self.suffixes {
            for start in starts(&word) {
                suffixes.entry(word[start..].into()).or_default().push(number);
                self.bytes += word.len() - start + SUFFIX_BYTES;
            }
        }
        self.numbers.insert(word, number);
        number
    }

    /// Removes the word of a number that is in use.
    pub fn remove(&mut self, number: u32) {
        let word = self.words[number as usize].take().expect("the number is in use");
        self.numbers.remove(&word);
        self.free.push(number);
        self.bytes -= word.len() + WORD_BYTES;
        if let Some(suffixes) = &mut self.suffixes {
            for start in starts(&word) {
                let suffix = &word[start..];
                let words = suffixes.get_mut(suffix).expect("every end of a word is kept");
                words.retain(|known| *known != number);
                if words.is_empty() {
                    suffixes.remove(suffix);
                }
                self.bytes -= word.len() - start + SUFFIX_BYTES;
            }
        }
    }
}

/// Where the characters of a word begin.
fn starts(word: &[u8]) -> impl Iterator<Item = usize> + '_ {
    (0..word.len()).filter(|&at| word[at] & 0xc0 != 0x80)
}

/// Which words are looked for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Infix(Vec<u8>),
    Pattern(Pattern),
    Near(Levenshtein),
}

/// A look-up that goes in steps and survives changes between them.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    wanted: Wanted,
    /// What was looked at last.
    last: Bound<Vec<u8>>,
}

impl Lookup {
    pub fn new(wanted: Wanted) -> Self {
        let last = match &wanted {
            Wanted::Prefix(prefix) => Bound::Included(prefix.clone()),
            Wanted::Pattern(pattern) => Bound::Included(pattern.prefix()),
            _ => Bound::Unbounded,
        };
        Self { wanted, last }
    }

    /// Looks at words while `fuel` lasts (each costs one) and fewer than `limit` are found. Says whether all have been looked at.
    ///
    /// Words are found in their order, but by suffixes in the order of these; a word may then be found more than once.
    pub fn step(
        &mut self,
        dictionary: &Dictionary,
        found: &mut Vec<Word>,
        limit: usize,
        fuel: &mut usize,
    ) -> bool {
        match (&self.wanted, &dictionary.suffixes) {
            (Wanted::Suffix(word), Some(suffixes)) => {
                let numbers = suffixes.get(&word[..]).map_or(&[][..], Vec::as_slice);
                *fuel = fuel.saturating_sub(numbers.len());
                found.extend(numbers.iter().map(|number| Arc::clone(dictionary.word(*number))));
                true
            }
            (Wanted::Infix(word), Some(suffixes)) => {
                let word = word.clone();
                let from = match &self.last {
                    Bound::Unbounded => Bound::Included(&word[..]),
                    last => last.as_ref().map(Vec::as_slice),
                };
                for (suffix, numbers) in suffixes.range::<[u8], _>((from, Bound::Unbounded)) {
                    if !suffix.starts_with(&word) {
                        return true;
                    }
                    if *fuel == 0 || found.len() >= limit {
                        return false;
                    }
                    *fuel = fuel.saturating_sub(numbers.len());
                    self.last = Bound::Excluded(suffix.to_vec());
                    for number in numbers {
                        let word = dictionary.word(*number);
                        if !found.contains(word) {
                            found.push(Arc::clone(word));
                        }
                    }
                }
                true
            }
            _ => self.step_words(dictionary, found, limit, fuel),
        }
    }

    fn step_words(
        &mut self,
        dictionary: &Dictionary,
        found: &mut Vec<Word>,
        limit: usize,
        fuel: &mut usize,
    ) -> bool {
        'seek: loop {
            let from = self.last.as_ref().map(Vec::as_slice);
            for (word, _) in dictionary.numbers.range::<[u8], _>((from, Bound::Unbounded)) {
                if *fuel == 0 || found.len() >= limit {
                    return false;
                }
                *fuel -= 1;
                let mut next = Bound::Excluded(word.to_vec());
                let matches = match &mut self.wanted {
                    // The empty word is found only by itself.
                    _ if word.is_empty() => false,
                    Wanted::Prefix(prefix) if !word.starts_with(prefix) => return true,
                    Wanted::Prefix(_) => true,
                    Wanted::Suffix(end) => word.ends_with(end),
                    Wanted::Infix(part) => contains(word, part),
                    Wanted::Pattern(pattern) => {
                        if !word.starts_with(&pattern.prefix()) {
                            return true;
                        }
                        pattern.matches(word)
                    }
                    Wanted::Near(levenshtein) => {
                        match std::str::from_utf8(word).map(|text| levenshtein.look(text)) {
                            Ok(Near::Yes) => true,
                            Ok(Near::NoneWith(prefix)) => match behind(&prefix) {
                                Some(bound) => {
                                    next = Bound::Included(bound);
                                    false
                                }
                                None => return true,
                            },
                            Ok(Near::No) | Err(_) => false,
                        }
                    }
                };
                if matches {
                    found.push(Arc::clone(word));
                }
                let skips = matches!(next, Bound::Included(_));
                self.last = next;
                if skips {
                    continue 'seek;
                }
            }
            return true;
        }
    }
}

/// Whether `part` is in `word`.
fn contains(word: &[u8], part: &[u8]) -> bool {
    part.is_empty() || word.windows(part.len()).any(|window| window == part)
}

/// The first bytes behind all that begin with `prefix`.
fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut bound = prefix[..=keep].to_vec();
    bound[keep] += 1;
    Some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn look_up(dictionary: &Dictionary, wanted: Wanted, fuel: usize) -> BTreeSet<Vec<u8>> {
        let (mut lookup, mut found) = (Lookup::new(wanted), Vec::new());
        while !lookup.step(dictionary, &mut found, usize::MAX, &mut { fuel }) {}
        found.into_iter().map(|word| word.to_vec()).collect()
    }

    proptest! {
        #[test]
        fn every_look_up_finds_what_looking_at_all_words_does(
            words in prop::collection::btree_set("[abé]{0,6}", 0..60),
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            part in "[abé]{1,2}", pattern in "[ab?*é]{1,5}", distance in 1..4usize, has_suffixes: bool, fuel in 1..20usize,
        ) {
            let mut dictionary = Dictionary::new(has_suffixes);
            let mut model: BTreeSet<Vec<u8>> = BTreeSet::new();
            for word in &words {
                dictionary.add(word.as_bytes());
                model.insert(word.as_bytes().to_vec());
            }
            for index in gone {
                if let Some(word) = model.iter().nth(index.index(model.len().max(1))).cloned() {
                    dictionary.remove(dictionary.get(&word).unwrap());
                    model.remove(&word);
                }
            }
            prop_assert_eq!(dictionary.len(), model.len());
            let part = part.into_bytes();
            let such = |holds: &dyn Fn(&[u8]) -> bool| -> BTreeSet<Vec<u8>> { model.iter().filter(|word| !word.is_empty() && holds(word)).cloned().collect() };
            prop_assert_eq!(look_up(&dictionary, Wanted::Prefix(part.clone()), fuel), such(&|word| word.starts_with(&part)));
            prop_assert_eq!(look_up(&dictionary, Wanted::Suffix(part.clone()), fuel), such(&|word| word.ends_with(&part)));
            prop_assert_eq!(look_up(&dictionary, Wanted::Infix(part.clone()), fuel), such(&|word| contains(word, &part)));
            let compiled = Pattern::new(pattern.as_bytes());
            prop_assert_eq!(look_up(&dictionary, Wanted::Pattern(compiled.clone()), fuel), such(&|word| compiled.matches(word)));
            let text = String::from_utf8(part).unwrap();
            let near = |word: &[u8]| Levenshtein::new(&text, distance).look(std::str::from_utf8(word).unwrap()) == Near::Yes;
            prop_assert_eq!(look_up(&dictionary, Wanted::Near(Levenshtein::new(&text, distance)), fuel), such(&near));
            prop_assert!(dictionary.iter_behind(None).map(|word| word.to_vec()).eq(model.iter().cloned()));
            let behind = dictionary.iter_behind(Some(text.as_bytes())).map(|word| word.to_vec());
            prop_assert!(behind.eq(model.iter().filter(|word| word[..] > *text.as_bytes()).cloned()));
            for word in model {
                dictionary.remove(dictionary.get(&word).unwrap());
            }
            prop_assert_eq!(dictionary.bytes(), 0);
        }
    }
}
