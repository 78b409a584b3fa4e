//! Words of a line, with the quotes that Redis knows: inline requests, redis.conf, manifests; there (`sdssplitargs`) and back
//! (`sdscatrepr`).

/// C's isspace in the C locale.
#[inline]
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// What may stand between words. Redis ends a line at a zero byte, where it can have one at all; here it is a blank.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    is_space(byte) || byte == 0
}

/// Whether a word without quotes ends at this byte: as in Redis, not at all that may stand between words.
#[inline]
pub fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0)
}

/// Splits a line into words. Double quotes know `\n \r \t \b \a \xNN` and `\` before any other byte; single
/// quotes know only `\'`. `None` if a quote stays open or a closing quote is not followed by a blank.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let start = rest.iter().position(|b| !is_blank(*b));
        let Some(start) = start else { return Some(words) };
        let (word, after) = first_word(&rest[start..])?;
        words.push(word);
        rest = after;
    }
}

/// The word at the start of `text` (which starts with no blank) and what follows it.
fn first_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            end if ends_word(end) => return Some((word, &text[at + 1..])),
            b'"' | b'\'' => {
                let inside = &text[at + 1..];
                let used = if byte == b'"' {
                    double_quoted(inside, &mut word)
                } else {
                    single_quoted(inside, &mut word)
                };
                let after = &inside[used?..];
                return after.first().is_none_or(|b| is_blank(*b)).then_some((word, after));
            }
            _ => word.push(byte),
        }
        at += 1;
    }
    Some((word, &[]))
}

/// Appends what stands before the closing double quote; the number of bytes up to and with that quote.
fn double_quoted(text: &[u8], word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match text[at..] {
            [b'"', ..] => return Some(at + 1),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(high) << 4 | hex(low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                at += 2;
            }
            [plain, ..] => {
                word.push(plain);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// As [`double_quoted`], for single quotes.
fn single_quoted(text: &[u8], word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match text[at..] {
            [b'\'', ..] => return Some(at + 1),
            [b'\\', b'\'', ..] => {
                word.push(b'\'');
                at += 2;
            }
            [plain, ..] => {
                word.push(plain);
                at += 1;
            }
            [] => return None,
        }
    }
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

/// Puts a word into double quotes so that [`split_words`] gives it back.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in word {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").into_bytes()),
        }
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let words = split_words(line.as_bytes())?;
        Some(words.into_iter().map(|w| String::from_utf8_lossy(&w).into_owned()).collect())
    }

    #[test]
    fn plain_and_quoted_words() {
        assert_eq!(split("save 60  1\t").unwrap(), ["save", "60", "1"]);
        assert_eq!(split(r#"a "b c" 'd e' """#).unwrap(), ["a", "b c", "d e", ""]);
        assert_eq!(split(r#""\x41\n\t\r\a\b\\\"\q""#).unwrap(), ["A\n\t\r\u{7}\u{8}\\\"q"]);
        assert_eq!(split(r#""\x4" '\n\''"#).unwrap(), ["x4", r"\n'"]);
        assert_eq!(split(r#"pre"quoted part""#).unwrap(), ["prequoted part"]);
        assert_eq!(split("").unwrap(), [""; 0]);
    }

    #[test]
    fn unbalanced_quotes() {
        for line in [r#"port "1"#, "'", r#""a"b"#, r"'a'b", r#""a\"#, r#""a\""#] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn quoting_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split_words(&quote(&all)).unwrap(), [all]);
        assert_eq!(quote("é \"x\"".as_bytes()), br#""\xc3\xa9 \"x\"""#);
        assert_eq!(split_words(&quote(b"")).unwrap(), [b""]);
    }

    #[test]
    fn other_blanks_stand_between_words_and_end_none() {
        assert_eq!(split("\u{b}a \u{c}b").unwrap(), ["a", "b"]);
        assert_eq!(split("a\u{b}b \"c\"\u{b}d").unwrap(), ["a\u{b}b", "c", "d"]);
        assert_eq!(split("\0\0a\0\0b\0").unwrap(), ["a", "b"]);
    }
}
