//! Wildcard patterns `w'…'`: `?` is one character, `*` any, and a backslash takes the meaning away.

/// A pattern, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Byte(u8),
    /// One character: a byte and the bytes that continue it in UTF-8.
    Any,
    /// Any bytes. Never two in a row.
    Star,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &[u8]) -> Self {
        let mut steps = Vec::with_capacity(text.len());
        let mut bytes = text.iter();
        while let Some(&byte) = bytes.next() {
            let step = match byte {
                b'*' => Step::Star,
                b'?' => Step::Any,
                b'\\' => bytes.next().map_or(Step::Byte(b'\\'), |&next| Step::Byte(next)),
                _ => Step::Byte(byte),
            };
            if step != Step::Star || steps.last() != Some(&Step::Star) {
                steps.push(step);
            }
        }
        Self { steps }
    }

    /// What every word that matches begins with.
    pub fn prefix(&self) -> Vec<u8> {
        let literal = |step: &Step| if let Step::Byte(byte) = step { Some(*byte) } else { None };
        self.steps.iter().map_while(literal).collect()
    }

    /// Whether all of `word` matches. Only the last `*` is ever tried again, so the work is at most the product of the lengths.
    pub fn matches(&self, word: &[u8]) -> bool {
        let (mut step, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let next = match self.steps.get(step) {
                None if at == word.len() => return true,
                None => None,
                Some(Step::Star) => {
                    step += 1;
                    retry = Some((step, at));
                    continue;
                }
                Some(Step::Byte(byte)) => (word.get(at) == Some(byte)).then_some(at + 1),
                Some(Step::Any) => (at < word.len()).then(|| character_end(word, at)),
            };
            match (next, retry) {
                (Some(next), _) => (step, at) = (step + 1, next),
                (None, Some((behind_star, taken))) if taken < word.len() => {
                    at = character_end(word, taken);
                    retry = Some((behind_star, at));
                    step = behind_star;
                }
                (None, _) => return false,
            }
        }
    }
}

/// Where the character that begins at `at` ends.
fn character_end(word: &[u8], at: usize) -> usize {
    let continues = word[at + 1..].iter().take_while(|&&byte| byte & 0xc0 == 0x80).count();
    // A stray byte that continues nothing is one character.
    if word[at] >= 0xc0 { at + 1 + continues.min(3) } else { at + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_marks_and_escapes() {
        for (pattern, word, expected) in [
            ("foo*bar?", "foobarx", true),
            ("foo*bar?", "foo--bar", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("", "", true),
            ("", "x", false),
            ("ab*", "ab", true),
        ] {
            assert_eq!(
                Pattern::new(pattern.as_bytes()).matches(word.as_bytes()),
                expected,
                "{pattern} {word}"
            );
        }
        assert_eq!(Pattern::new(br"ab\*c?d*").prefix(), b"ab*c");
    }

    /// The definition, which takes as long as it likes.
    fn slow(pattern: &[char], word: &[char]) -> bool {
        match (pattern.split_first(), word.split_first()) {
            (None, word) => word.is_none(),
            (Some(('*', rest)), _) => slow(rest, word) || (!word.is_empty() && slow(pattern, &word[1..])),
            (Some(('?', rest)), Some((_, behind))) => slow(rest, behind),
            (Some((letter, rest)), Some((other, behind))) => letter == other && slow(rest, behind),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn as_the_definition_says(pattern in "[ab?*é]{0,7}", word in "[abé]{0,9}") {
            let expected = slow(&pattern.chars().collect::<Vec<_>>(), &word.chars().collect::<Vec<_>>());
            prop_assert_eq!(Pattern::new(pattern.as_bytes()).matches(word.as_bytes()), expected);
        }
    }
}
