//! Inline requests: words on a line, as a person types them into netcat. Quoting follows Redis's sdssplitargs.
//!
//! Words are spans of the caller's buffer, so quoted words with escapes cannot be decoded in place. The few clients
//! that send them are served by [`needs_rewrite`] and [`split_words`]: the caller splits into owned words and
//! re-encodes them as a multi-bulk request.

use crate::request::Span;
use base::words::{ends_word, is_blank};

pub use base::words::split_words;

/// Appends the spans of the words of an unquoted line, `start` being the line's position in the buffer. False when the
/// line has quotes that do not balance. A line with balanced quotes must have been rewritten before.
pub(crate) fn plain_words(line: &[u8], start: usize, spans: &mut Vec<Span>) -> bool {
    if needs_rewrite(line) {
        return split_words(line).is_some_and(|words| {
            // Words without escapes stand in the line as they are: point at them.
            let mut from = 0;
            words.iter().all(|word| match find(&line[from..], word) {
                Some(at) => {
                    spans.push(Span { start: (start + from + at) as u32, len: word.len() as u32 });
                    from += at + word.len();
                    true
                }
                None => false,
            })
        });
    }
    let mut at = 0;
    while at < line.len() {
        if is_blank(line[at]) {
            at += 1;
            continue;
        }
        let len = line[at..].iter().position(|&b| ends_word(b)).unwrap_or(line.len() - at);
        spans.push(Span { start: (start + at) as u32, len: len as u32 });
        at += len;
    }
    true
}

/// Whether a line has quotes.
pub fn needs_rewrite(line: &[u8]) -> bool {
    line.iter().any(|&b| b == b'"' || b == b'\'')
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    hay.windows(needle.len()).position(|w| w == needle)
}

/// The multi-bulk form of a request.
pub fn encode_request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_the_words_of_the_line() {
        let lines = [
            "  SET  k v ",
            "",
            "a\u{b}b \u{c}c",
            "\0GET\0k",
            "SET k \"a b\"",
            "SET 'a' \"\"",
            "SET k \"a\"b\"",
            "SET \"a",
        ];
        for line in lines {
            let mut spans = Vec::new();
            let is_balanced = plain_words(line.as_bytes(), 0, &mut spans);
            let words = spans.iter().map(|span| span.of(line.as_bytes()).to_vec()).collect();
            assert_eq!(is_balanced.then_some(words), split_words(line.as_bytes()), "{line:?}");
        }
    }
}
