//! How a text falls into words: at blanks and at ASCII punctuation but the underscore. A backslash makes the separator behind it part of
//! the word.

use super::{StopWords, fold};
use std::borrow::Cow;

/// Whether a byte separates words.
pub fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0 || (byte.is_ascii_punctuation() && byte != b'_')
}

/// Whether a backslash takes away the meaning of the byte behind it.
fn is_escapable(byte: u8) -> bool {
    byte.is_ascii_punctuation() || byte.is_ascii_whitespace()
}

/// A word without the backslashes that protect separators.
pub fn unescape(word: &[u8]) -> Cow<'_, [u8]> {
    if !word.contains(&b'\\') {
        return Cow::Borrowed(word);
    }
    let mut out = Vec::with_capacity(word.len());
    let mut at = 0;
    while at < word.len() {
        if word[at] == b'\\' && word.get(at + 1).is_some_and(|&next| is_escapable(next)) {
            at += 1;
        }
        out.push(word[at]);
        at += 1;
    }
    Cow::Owned(out)
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// Folded, backslashes removed.
    pub word: Cow<'a, [u8]>,
    /// Where it begins in the text, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// The words of a text but its stop words.
pub struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    stop_words: &'a StopWords,
}

impl<'a> Tokens<'a> {
    /// Begins at the front of `text`.
    pub fn new(text: &'a [u8], stop_words: &'a StopWords) -> Self {
        Self { text, at: 0, stop_words }
    }

    /// The end of the word that begins at `start`, and whether a backslash is in it.
    fn word_end(&self, start: usize) -> (usize, bool) {
        let (mut at, mut escaped) = (start, false);
        while let Some(&byte) = self.text.get(at) {
            if byte == b'\\' && self.text.get(at + 1).is_some_and(|&next| is_escapable(next)) {
                escaped = true;
                at += 2;
            } else if is_separator(byte) {
                break;
            } else {
                at += 1;
            }
        }
        (at, escaped)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while self.at < self.text.len() {
            let start = self.at;
            let (end, escaped) = self.word_end(start);
            if end == start {
                self.at += 1;
                continue;
            }
            self.at = end;
            let raw = &self.text[start..end];
            let word = if escaped { Cow::Owned(fold(&unescape(raw)).into_owned()) } else { fold(raw) };
            if !self.stop_words.contains(&word) {
                return Some(Token { word, start, end });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Tokens::new(text.as_bytes(), &StopWords::default())
            .map(|token| String::from_utf8(token.word.into_owned()).unwrap())
            .collect()
    }

    #[test]
    fn as_documented() {
        assert_eq!(words("foo-bar.baz...bag"), ["foo", "bar", "baz", "bag"]);
        assert_eq!(words(r"hello\-world hello-world"), ["hello-world", "hello", "world"]);
        assert_eq!(words("hello_world"), ["hello_world"]);
        assert_eq!(words("  ,,Hello,  THE   World!"), ["hello", "world"]);
        assert_eq!(words(r"James\!\* Exclaim"), ["james!*", "exclaim"]);
        assert_eq!(words("Größe, été; 東京"), ["größe", "été", "東京"]);
        assert_eq!(words(r"back\slash \"), ["back", "slash"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn places_are_those_of_the_text() {
        let tokens: Vec<_> = Tokens::new(b"One, two\\-x", &StopWords::default())
            .map(|token| (token.start, token.end))
            .collect();
        assert_eq!(tokens, [(0, 3), (5, 11)]);
    }
}
