//! Glob patterns, as `CONFIG GET` and `include` use them: `*`, `?`, `[a-z]`, `[^a]`, and `\` to take a byte
//! as it is. Patterns come from clients: matching is linear in the text for one star after another, never
//! exponential.

/// Whether `text` matches `pattern`; with `fold`, letters of either case are the same.
pub(crate) fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to resume when the rest fails: behind the last star, one more byte of text under it.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, t));
            continue;
        }
        if let Some(used) = one(&pattern[p..], text[t], fold) {
            p += used;
            t += 1;
            continue;
        }
        let Some((after_star, covered)) = star else { return false };
        p = after_star;
        t = covered + 1;
        star = Some((after_star, t));
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// Whether the first element of the pattern takes `byte`; the length of that element.
fn one(pattern: &[u8], byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8| if fold { a.eq_ignore_ascii_case(&byte) } else { a == byte };
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (taken, used) = in_class(class, byte, fold);
            taken.then_some(used + 1)
        }
        [b'\\', escaped, ..] => same(*escaped).then_some(2),
        [plain, ..] => same(*plain).then_some(1),
    }
}

/// A class without its opening bracket. As in Redis, a class that is not closed ends with the pattern.
fn in_class(class: &[u8], byte: u8, fold: bool) -> (bool, usize) {
    let lower = |b: u8| if fold { b.to_ascii_lowercase() } else { b };
    let byte = lower(byte);
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at.min(class.len())..] {
            [] => return (found != negated, class.len()),
            [b']', ..] => return (found != negated, at + 1),
            [b'\\', escaped, ..] => {
                found |= lower(escaped) == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                let (low, high) = (lower(low.min(high)), lower(low.max(high)));
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            [plain, ..] => {
                found |= lower(plain) == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("max*", "maxmemory", true),
            ("MAX*y", "maxmemory", true),
            ("max\\memory", "maxmemory", true),
            ("maxmemor?", "maxmemory", true),
            ("maxmemory?", "maxmemory", false),
            ("*-*-*", "a-b", false),
            ("*[^a-y]set*", "zset-max", true),
            ("*[^a-z]set*", "zset-max", false),
            ("[a-", "a", true),
            ("[", "a", false),
            ("a\\", "a\\", true),
            ("**e*", "timeout", true),
            ("**e*t", "let", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), true), want, "{pattern} {text}");
        }
        assert!(!matches(b"A", b"a", false));
    }

    #[test]
    fn many_stars_are_quick() {
        let pattern = b"a*".repeat(2000);
        assert!(!matches(&[pattern, b"b".to_vec()].concat(), &[b'a'; 4000], true));
    }
}
