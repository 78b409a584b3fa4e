//! Splits a command line into arguments as redis-cli does, with one addition: `"x"*45` is 45 times `x`.

use crate::text::unescape;

/// Longest argument that a repetition may build, in bytes.
const REPEATED_BYTES_MAX: usize = 64 << 20;

/// The arguments of a line: bare words, `"double quoted"` with escapes, `'single quoted'` without.
/// Errors say what is wrong, for whoever wrote the line.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = first(rest)?;
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// The first argument of a text that does not begin with blanks, and what follows it.
pub fn first(text: &str) -> Result<(Vec<u8>, &str), String> {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        return Ok((text.as_bytes()[..end].to_vec(), &text[end..]));
    };
    let end = closing(text, quote).ok_or_else(|| format!("a quote is not closed: {text}"))?;
    let inner = &text[1..end];
    let word = if quote == '"' { unescape(inner) } else { inner.replace("\\'", "'").into_bytes() };
    let after = &text[end + 1..];
    let Some(factor) = after.strip_prefix('*') else {
        return match after.chars().next() {
            None | Some(' ' | '\t' | ',' | '|') => Ok((word, after)),
            Some(_) => Err(format!("a closing quote must be followed by a blank: {text}")),
        };
    };
    let digits = factor.find(|c: char| !c.is_ascii_digit()).unwrap_or(factor.len());
    let times: usize = factor[..digits].parse().map_err(|_| format!("not a number after *: {text}"))?;
    match word.len().checked_mul(times) {
        Some(bytes) if bytes <= REPEATED_BYTES_MAX => Ok((word.repeat(times), &factor[digits..])),
        _ => Err(format!("more than {REPEATED_BYTES_MAX} bytes: {text}")),
    }
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_redis_cli_does() {
        let words = split(r#"SET  "a key" 'it\'s' "\x00\n" "" x"y"#).unwrap();
        assert_eq!(words, [&b"SET"[..], b"a key", b"it's", b"\0\n", b"", b"x\"y"]);
    }

    #[test]
    fn a_factor_repeats_the_word() {
        assert_eq!(split(r#""ab"*3 c"#).unwrap(), [&b"ababab"[..], b"c"]);
        assert!(split(r#""ab"*x"#).is_err());
        assert!(split(r#""ab"*99999999999"#).is_err());
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert!(split("GET \"k").is_err());
        assert!(split("GET \"k\"x").is_err());
    }
}
