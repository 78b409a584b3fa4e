//! Words that are neither indexed nor searched for.

use super::fold;
use std::collections::HashSet;
use std::sync::Arc;

/// What is left out if STOPWORDS says nothing, in all languages.
const DEFAULT: &str = "a is the an and are as at be but by for if in into it no not of on or such that their \
    then there these they this to was will with";

/// The stop words of an index. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopWords {
    words: Arc<HashSet<Vec<u8>>>,
    /// In the order given, for FT.INFO; `None` for the usual ones.
    listed: Option<Arc<Vec<Vec<u8>>>>,
}

impl StopWords {
    /// Exactly these, in any case.
    pub fn new<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let listed: Vec<Vec<u8>> = words.map(|word| fold(word).into_owned()).collect();
        Self { words: Arc::new(listed.iter().cloned().collect()), listed: Some(Arc::new(listed)) }
    }

    /// Whether a folded word is one.
    pub fn contains(&self, folded: &[u8]) -> bool {
        self.words.contains(folded)
    }

    /// Those that STOPWORDS named, in its order; `None` if it named none.
    pub fn listed(&self) -> Option<&[Vec<u8>]> {
        self.listed.as_deref().map(Vec::as_slice)
    }
}

impl Default for StopWords {
    fn default() -> Self {
        let words = DEFAULT.split_ascii_whitespace().map(|word| word.as_bytes().to_vec());
        Self { words: Arc::new(words.collect()), listed: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ones_or_those_given() {
        let usual = StopWords::default();
        assert!(usual.contains(b"the") && usual.contains(b"with") && !usual.contains(b"redis"));
        assert_eq!(usual.listed(), None);
        let own = StopWords::new([&b"Foo"[..], b"bar"].into_iter());
        assert!(own.contains(b"foo") && !own.contains(b"the"));
        assert_eq!(own.listed().unwrap(), [b"foo".to_vec(), b"bar".to_vec()]);
        assert!(!StopWords::new(std::iter::empty()).contains(b"a"));
    }
}
