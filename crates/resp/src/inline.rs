//! Inline requests: words on a line, as a person types them into netcat. Quoting follows Redis's sdssplitargs.
//!
//! Words are spans of the caller's buffer, so quoted words with escapes cannot be decoded in place. The few clients
//! that send them are served by [`needs_rewrite`] and [`split_words`]: the caller splits into owned words and
//! re-encodes them as a multi-bulk request.

use crate::request::Span;

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
        if is_space(line[at]) {
            at += 1;
            continue;
        }
        let len = line[at..].iter().position(|&b| is_space(b)).unwrap_or(line.len() - at);
        spans.push(Span { start: (start + at) as u32, len: len as u32 });
        at += len;
    }
    true
}

/// Whether a line has quotes.
pub fn needs_rewrite(line: &[u8]) -> bool {
    line.iter().any(|&b| b == b'"' || b == b'\'')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0)
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    hay.windows(needle.len()).position(|w| w == needle)
}

/// Splits a line into words: `"…"` with `\xHH`, `\n` `\r` `\t` `\b` `\a` escapes, `'…'` with `\'`. `None` when a quote stays
/// open or is followed by something other than a space.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while at < line.len() && is_space(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return Some(words);
        }
        let mut word = Vec::new();
        at = one_word(line, at, &mut word)?;
        words.push(word);
    }
}

fn one_word(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    while at < line.len() && !is_space(line[at]) {
        match line[at] {
            quote @ (b'"' | b'\'') => {
                at = quoted(line, at + 1, quote, word)?;
                return (at == line.len() || is_space(line[at])).then_some(at);
            }
            byte => word.push(byte),
        }
        at += 1;
    }
    Some(at)
}

/// Decodes from behind the opening quote; the position behind the closing one.
fn quoted(line: &[u8], mut at: usize, quote: u8, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (*line.get(at)?, line.get(at + 1)) {
            (b'\\', Some(b'x')) if quote == b'"' => match (hex(line.get(at + 2)), hex(line.get(at + 3))) {
                (Some(high), Some(low)) => {
                    word.push(high << 4 | low);
                    at += 4;
                }
                _ => {
                    word.push(b'x');
                    at += 2;
                }
            },
            (b'\\', Some(&escaped)) if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            (b'\\', Some(b'\'')) if quote == b'\'' => {
                word.push(b'\'');
                at += 2;
            }
            (byte, _) if byte == quote => return Some(at + 1),
            (byte, _) => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    (*byte? as char).to_digit(16).map(|d| d as u8)
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

    fn split(line: &str) -> Option<Vec<String>> {
        split_words(line.as_bytes())
            .map(|words| words.into_iter().map(|w| String::from_utf8_lossy(&w).into_owned()).collect())
    }

    #[test]
    fn quoting_follows_sdssplitargs() {
        assert_eq!(split("  SET  k v ").unwrap(), ["SET", "k", "v"]);
        assert_eq!(split(r#"SET k "a b\x41\n""#).unwrap(), ["SET", "k", "a bA\n"]);
        assert_eq!(split(r"SET k 'a \' b'").unwrap(), ["SET", "k", "a ' b"]);
        assert_eq!(split(r#"SET k """#).unwrap(), ["SET", "k", ""]);
        assert_eq!(split(r#"SET k "a"b"#), None);
        assert_eq!(split(r#"SET k "a"#), None);
    }
}
