//! Glob patterns as Redis matches them (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL rules), byte by byte.
//!
//! `*` any bytes, `?` one byte, `[abc]` `[a-z]` `[^x]` one byte of a class, `\` takes the next byte literally. The
//! corner cases are those of Redis's `stringmatchlen` on x86-64: a class that is never closed ends with the pattern; a
//! range may be written backwards and compares bytes as signed; an escape inside a class heeds case even where the
//! rest does not; a lone `\` at the end stands for itself; a pattern of more than one byte never matches the empty text.
//! One difference: the pattern `*` alone matches the empty text too, as all commands of Redis but PSUBSCRIBE see it.
//!
//! Each byte that is not `*` consumes exactly one byte of the text, so only the last `*` passed need be retried: the
//! work is at most pattern length times text length, without recursion. A budget of steps bounds even that.

/// The steps that [`matches`] and [`matches_nocase`] may take: a pattern and a text of 4 KiB each, at worst.
pub const STEPS_MAX: u64 = 1 << 24;

/// Whether `text` matches `pattern`. Answers no when [`STEPS_MAX`] did not suffice.
#[inline]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_within(pattern, text, false, &mut { STEPS_MAX }).unwrap_or(false)
}

/// The same without regard to the case of ASCII letters.
#[inline]
pub fn matches_nocase(pattern: &[u8], text: &[u8]) -> bool {
    matches_within(pattern, text, true, &mut { STEPS_MAX }).unwrap_or(false)
}

/// The same with a budget that the caller may share between many matches. Every byte of pattern or text looked at
/// costs about one step; `None` when `steps` is used up.
pub fn matches_within(pattern: &[u8], text: &[u8], nocase: bool, steps: &mut u64) -> Option<bool> {
    if pattern == b"*" {
        return Some(true);
    }
    if text.is_empty() {
        return Some(pattern.is_empty());
    }
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last `*`, with that star taking the text up to here.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += stars(&pattern[p..]);
            if p == pattern.len() {
                return Some(true);
            }
            retry = Some((p, t));
            *steps = steps.checked_sub(1)?;
            continue;
        }
        let (matched, next) = match pattern.get(p) {
            Some(&literal) if !matches!(literal, b'?' | b'[' | b'\\') => {
                (same(literal, text[t], nocase), p + 1)
            }
            _ => match_item(pattern, p, text[t], nocase),
        };
        *steps = steps.checked_sub((next - p) as u64)?;
        if matched {
            (p, t) = (next, t + 1);
            continue;
        }
        match resume(&mut retry, pattern, text, nocase, steps)? {
            Some(start) => (p, t) = start,
            None => return Some(false),
        }
    }
    // Out of text. A later start of the last star would leave even less of it, so there is nothing to retry.
    Some(p + stars(&pattern[p..]) == pattern.len())
}

/// Lets the last star take one byte more, or as many as it takes to reach the literal behind it. `Some(None)`: there
/// is no star or no text left, so nothing can match any more; `None`: out of steps.
#[inline]
fn resume(
    retry: &mut Option<(usize, usize)>,
    pattern: &[u8],
    text: &[u8],
    nocase: bool,
    steps: &mut u64,
) -> Option<Option<(usize, usize)>> {
    let Some((p, t)) = *retry else { return Some(None) };
    let mut t = t + 1;
    let literal = pattern[p];
    if !nocase && !matches!(literal, b'?' | b'[' | b'\\') {
        let rest = &text[t.min(text.len())..];
        let skipped = rest.iter().position(|&byte| byte == literal).unwrap_or(rest.len());
        *steps = steps.checked_sub(skipped as u64)?;
        t += skipped;
    }
    if t >= text.len() {
        return Some(None);
    }
    *retry = Some((p, t));
    Some(Some((p, t)))
}

/// How many `*` the pattern starts with.
#[inline]
fn stars(pattern: &[u8]) -> usize {
    pattern.iter().take_while(|&&byte| byte == b'*').count()
}

/// Whether `byte` matches the item (anything but a star) at `pattern[at]`, and where the next item starts.
#[inline]
fn match_item(pattern: &[u8], at: usize, byte: u8, nocase: bool) -> (bool, usize) {
    match &pattern[at..] {
        [b'?', ..] => (true, at + 1),
        [b'[', ..] => match_class(pattern, at + 1, byte, nocase),
        [b'\\', literal, ..] => (same(*literal, byte, nocase), at + 2),
        [literal, ..] => (same(*literal, byte, nocase), at + 1),
        [] => (false, at),
    }
}

/// The same for a class; `at` is behind its opening bracket.
fn match_class(pattern: &[u8], mut at: usize, byte: u8, nocase: bool) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    loop {
        match &pattern[at..] {
            [b'\\', literal, ..] => {
                found |= *literal == byte;
                at += 2;
            }
            [b']', ..] => return (found != negated, at + 1),
            [low, b'-', high, ..] => {
                found |= in_range(*low, *high, byte, nocase);
                at += 3;
            }
            [literal, ..] => {
                found |= same(*literal, byte, nocase);
                at += 1;
            }
            [] => return (found != negated, at),
        }
    }
}

/// Redis puts the ends of a range in order, as signed bytes, before it folds case: so `[Z-a]` without regard to case
/// is empty. Folding by glibc's `tolower` makes all but the highest of the negative bytes positive.
fn in_range(low: u8, high: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = if low as i8 > high as i8 { (high, low) } else { (low, high) };
    let order = |byte: u8| match byte {
        0xff => -1,
        _ if nocase => i16::from(byte.to_ascii_lowercase()),
        _ => i16::from(byte as i8),
    };
    (order(low)..=order(high)).contains(&order(byte))
}

#[inline]
fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn answers_of_redis_server() {
        // KEYS of redis-server 7.0.15: pattern, key, whether the key was listed.
        let asked: &[(&[u8], &[u8], bool)] = &[
            (b"abc", b"abc", true),
            (b"abc", b"abd", false),
            (b"a*", b"a", true),
            (b"a*", b"abc", true),
            (b"*a", b"ba", true),
            (b"*a", b"ab", false),
            (b"**", b"x", true),
            (b"**", b"", false),
            (b"***a***", b"bab", true),
            (b"?", b"a", true),
            (b"?", b"ab", false),
            (b"??", b"ab", true),
            (b"a?c", b"abc", true),
            (b"h[ae]llo", b"hello", true),
            (b"h[ae]llo", b"hillo", false),
            (b"h[^e]llo", b"hallo", true),
            (b"h[^e]llo", b"hello", false),
            (b"h[a-b]llo", b"hbllo", true),
            (b"h[b-a]llo", b"hbllo", true),
            (b"h[a-b]llo", b"hcllo", false),
            (b"[", b"[", false),
            (b"[", b"a", false),
            (b"[a", b"a", true),
            (b"[ab", b"b", true),
            (b"[ab", b"c", false),
            (b"[^", b"a", true),
            (b"[^a", b"a", false),
            (b"[^a", b"b", true),
            (b"[]", b"a", false),
            (b"[]a]", b"a", false),
            (b"[]a]", b"]a]", false),
            (b"[^]", b"a", true),
            (b"[^]a", b"xa", true),
            (b"[\\]]", b"]", true),
            (b"[\\", b"\\", true),
            (b"[a\\", b"\\", true),
            (b"[\\a", b"a", true),
            (b"[a-", b"-", true),
            (b"[a-", b"b", false),
            (b"[a-]", b"a", true),
            (b"[a-]", b"]", true),
            (b"[a-]", b"-", false),
            (b"[a-]", b"^", true),
            (b"[-a]", b"-", true),
            (b"[a-c-e]", b"d", false),
            (b"[a-c-e]", b"-", true),
            (b"[a-c-e]", b"e", true),
            (b"[a-\\]]", b"]", false),
            (b"[a-\\]]", b"a]", true),
            (b"[\\a-c]", b"b", false),
            (b"[\\a-c]", b"-", true),
            (b"[^-a]", b"-", false),
            (b"[a^]", b"^", true),
            (b"[^^]", b"^", false),
            (b"\\", b"\\", true),
            (b"a\\", b"a\\", true),
            (b"\\*", b"*", true),
            (b"\\*", b"a", false),
            (b"\\\\", b"\\", true),
            (b"\\a", b"a", true),
            (b"\\[a]", b"[a]", true),
            (b"\\?", b"?", true),
            (b"\\?", b"a", false),
            (b"a\\*b*c", b"a*bXc", true),
            (b"*[a]", b"xa", true),
            (b"*[ab", b"xyb", true),
            (b"*\\", b"a\\", true),
            (b"*?", b"a", true),
            (b"*??", b"a", false),
            (b"?*", b"a", true),
            (b"a*b*c", b"aXbYc", true),
            (b"a*b*c", b"abcabd", false),
            (b"a*a*a*a*b", b"aaaaaaaaaaaaaaaa", false),
            (b"*ab*ab", b"abxab", true),
            (b"*ab*ab", b"ab", false),
            (b"A", b"a", false),
            (b"[A-Z]", b"a", false),
            (b"[\x00-\xff]", b"a", false),
            (b"[\x00-\xff]", b"\x00", true),
            (b"[\x00-\xff]", b"\xff", true),
            (b"[\x80-\xff]", b"\x90", true),
            (b"[\x80-\xff]", b"\x7f", false),
            (b"[\xff-\x80]", b"\x90", true),
            (b"[\x7f-\x80]", b"a", true),
            (b"\x00*", b"\x00a", true),
            (b"?", b"\xe2\x82\xac", false),
            (b"???", b"\xe2\x82\xac", true),
            (b"a", b"a*", false),
            (b"a**", b"a", true),
            (b"a*[", b"a", false),
            (b"", b"", true),
        ];
        for (pattern, text, expected) in asked {
            let found = matches(pattern, text);
            assert_eq!(found, *expected, "{} on {}", pattern.escape_ascii(), text.escape_ascii());
        }
    }

    #[test]
    fn answers_without_regard_to_case() {
        // `stringmatchlen` of Redis 7.0.15 with its nocase flag set.
        let asked: &[(&[u8], &[u8], bool)] = &[
            (b"ABC", b"abc", true),
            (b"abc", b"ABC", true),
            (b"[A-C]", b"b", true),
            (b"[a-c]", b"B", true),
            (b"[Z-a]", b"z", false),
            (b"[Z-a]", b"[", false),
            (b"[a-Z]", b"b", false),
            (b"[A-z]", b"Q", true),
            (b"[\\a]", b"A", false),
            (b"[\\a]", b"a", true),
            (b"\\a", b"A", true),
            (b"[abc]", b"B", true),
            (b"[^abc]", b"B", false),
            (b"*B*", b"abc", true),
            (b"[@-[]", b"q", false),
            (b"[_-`]", b"_", true),
            (b"\xc4", b"\xe4", false),
            (b"a[^B", b"ac", true),
            (b"a[^B", b"ab", false),
        ];
        for (pattern, text, expected) in asked {
            let found = matches_nocase(pattern, text);
            assert_eq!(found, *expected, "{} on {}", pattern.escape_ascii(), text.escape_ascii());
        }
    }

    /// The meaning of patterns, by recursion: slow and plain.
    fn model(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => {
                rest.is_empty() || (0..=text.len()).any(|taken| model(rest, &text[taken..], nocase))
            }
            _ => text.split_first().is_some_and(|(&byte, text)| {
                let (matched, next) = match_item(pattern, 0, byte, nocase);
                matched && model(&pattern[next..], text, nocase)
            }),
        }
    }

    #[test]
    fn agrees_with_the_model() {
        let seed = 5;
        let mut random = Random::from_seed(seed);
        let mut matched = 0;
        for round in 0..200_000 {
            let mut draw = |alphabet: &[u8], len: usize| -> Vec<u8> {
                (0..random.index(len)).map(|_| alphabet[random.index(alphabet.len())]).collect()
            };
            let pattern = draw(b"aabAB**?[]^-\\", 9);
            let text = draw(b"aabB-", 9);
            let nocase = round % 2 == 0;
            // Redis never matches the empty text with anything but the empty pattern; `*` is our exception.
            let expected = if text.is_empty() {
                pattern.is_empty() || pattern == b"*"
            } else {
                model(&pattern, &text, nocase)
            };
            let found = matches_within(&pattern, &text, nocase, &mut { STEPS_MAX });
            let (pattern, text) = (pattern.escape_ascii(), text.escape_ascii());
            assert_eq!(found, Some(expected), "seed {seed}: {pattern} on {text}");
            matched += u32::from(expected);
        }
        assert!(matched > 10_000, "the draw exercises matches too: {matched}");
    }

    #[test]
    fn the_empty_text() {
        assert!(matches(b"", b"") && matches(b"*", b""));
        assert!(!matches(b"**", b"") && !matches(b"?", b"") && !matches(b"[^a]", b"") && !matches(b"", b"a"));
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = [b"a*".repeat(1000), b"b".to_vec()].concat();
        let text = vec![b'a'; 5000];
        let mut steps = STEPS_MAX;
        assert_eq!(matches_within(&pattern, &text, false, &mut steps), Some(false));
        assert!(STEPS_MAX - steps < 20_000, "{} steps", STEPS_MAX - steps);
        assert_eq!(matches_within(&pattern, &[&text[..], b"b"].concat(), false, &mut steps), Some(true));
    }

    #[test]
    fn the_budget_ends_quadratic_work() {
        let pattern = [b"*".to_vec(), b"a".repeat(50_000), b"b".to_vec()].concat();
        let text = vec![b'a'; 100_000];
        assert_eq!(matches_within(&pattern, &text, false, &mut { 1_000_000 }), None);
        assert!(!matches(&pattern, &text));
        let mut steps = 3;
        assert_eq!(matches_within(b"abc", b"abc", false, &mut steps), Some(true));
        assert_eq!(steps, 0);
        assert_eq!(matches_within(b"abc", b"abc", false, &mut { 2 }), None);
    }
}
