//! Which undeclared keys a script will use, as far as they follow from what the client sends with it (`'lock:' .. ARGV[1]`), or have the number that follows
//! the one of the run before (`'job:' .. redis.call('INCR', KEYS[1])`, or the jobs of a list one after the other).
//!
//! Guesses, learned from runs: a pattern counts once two runs have shown it. What is guessed wrongly is locked in vain; what is not guessed is
//! asked for as before.

use crate::Args;

/// Patterns of a script at most, and arguments that are looked at.
const PATTERNS_MAX: usize = 16;
const ARGUMENTS_MAX: usize = 32;
/// Digits of a number that is counted on.
const DIGITS_MAX: usize = 15;
/// Runs in a row that do not show a pattern, after which it is forgotten.
const MISSES_MAX: u8 = 4;

/// An argument (counted from the third, the number of keys) with text around it, or a text by itself; and in the text behind it, or in that text, the
/// last number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: Vec<u8>,
    argument: Option<usize>,
    between: Vec<u8>,
    number: Option<u64>,
    after: Vec<u8>,
}

impl Pattern {
    /// The longest argument that the key contains.
    fn of(key: &[u8], args: Args<'_>) -> Self {
        let found = args.from(3).take(ARGUMENTS_MAX).enumerate().filter_map(|(index, arg)| {
            let at = (!arg.is_empty()).then(|| key.windows(arg.len()).rposition(|part| part == arg))??;
            Some((arg.len(), index, at))
        });
        let found = found.max_by_key(|(len, ..)| *len);
        let (len, argument, at) = found.map_or((0, None, 0), |(len, index, at)| (len, Some(index), at));
        let (between, number, after) = split_number(&key[at + len..]);
        Self { before: key[..at].to_vec(), argument, between, number, after }
    }

    /// Whether the other differs in its number at most.
    fn is_like(&self, other: &Self) -> bool {
        let form = |it: &Self| (it.argument, it.number.is_some());
        form(self) == form(other)
            && (&self.before, &self.between, &self.after) == (&other.before, &other.between, &other.after)
    }

    fn key(&self, args: Args<'_>, number: Option<u64>) -> Option<Vec<u8>> {
        let argument = match self.argument {
            None => &[][..],
            Some(index) => args.get(3 + index)?,
        };
        let number = number.map_or_else(Vec::new, |number| number.to_string().into_bytes());
        Some([&self.before, argument, &self.between, &number, &self.after].concat())
    }
}

/// The last number in a text, written as numbers are, with what stands before and behind it.
fn split_number(text: &[u8]) -> (Vec<u8>, Option<u64>, Vec<u8>) {
    let end = text.iter().rposition(u8::is_ascii_digit).map_or(0, |last| last + 1);
    let start = text[..end].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    let digits = &text[start..end];
    let is_plain =
        !digits.is_empty() && digits.len() <= DIGITS_MAX && (digits[0] != b'0' || digits.len() == 1);
    if !is_plain {
        return (text.to_vec(), None, Vec::new());
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (text[..start].to_vec(), Some(number), text[end..].to_vec())
}

/// A pattern, and what runs have shown of it.
struct Known {
    pattern: Pattern,
    /// Two runs have.
    is_certain: bool,
    /// Its number grew by one from one run to the next.
    counts: bool,
    /// Runs since that did not show it.
    misses: u8,
}

impl Known {
    fn new(pattern: Pattern) -> Self {
        Self { pattern, is_certain: false, counts: false, misses: 0 }
    }

    /// A run has used keys of these patterns; those that this one accounts for are taken out.
    fn compare(&mut self, seen: &mut Vec<Pattern>) {
        let next = self.pattern.number.map(|number| number + 1);
        let alike = |other: &Pattern| self.pattern.is_like(other);
        let following = seen.iter().position(|other| alike(other) && other.number == next && next.is_some());
        let same = seen.iter().position(|other| *other == self.pattern);
        let other = || seen.iter().position(|other| self.counts && alike(other));
        let (at, is_hit) = match (following, same) {
            (Some(at), None) => {
                (self.counts, self.is_certain) = (true, true);
                (at, true)
            }
            (_, Some(at)) => {
                self.is_certain = true;
                (at, true)
            }
            // Others count, too.
            (None, None) => match other() {
                Some(at) => (at, false),
                None => return self.misses += 1,
            },
        };
        self.misses = if is_hit { 0 } else { self.misses + 1 };
        self.pattern = seen.swap_remove(at);
    }

    fn is_given_up(&self) -> bool {
        self.misses >= if self.is_certain { MISSES_MAX } else { 1 }
    }
}

/// What is known of a script's undeclared keys.
#[derive(Default)]
pub struct Forecast {
    patterns: Vec<Known>,
    /// The number of keys with which they were seen.
    declared: Vec<u8>,
}

impl Forecast {
    /// A run with these arguments has used these keys that it had not declared.
    pub fn learn<'k>(&mut self, args: Args<'_>, keys: impl Iterator<Item = &'k [u8]>) {
        let declared = args.get(2).unwrap_or_default();
        let mut seen: Vec<Pattern> = Vec::new();
        for key in keys.take(PATTERNS_MAX + 1) {
            let pattern = Pattern::of(key, args);
            if !seen.contains(&pattern) {
                seen.push(pattern);
            }
        }
        if seen.len() > PATTERNS_MAX {
            return *self = Self::default();
        }
        if self.declared != declared {
            *self = Self { patterns: Vec::new(), declared: declared.to_vec() };
        }
        self.patterns.iter_mut().for_each(|known| known.compare(&mut seen));
        self.patterns.retain(|known| !known.is_given_up());
        let room = PATTERNS_MAX - self.patterns.len();
        self.patterns.extend(seen.into_iter().take(room).map(Known::new));
    }

    /// Whether runs that need no more than what was foreseen say nothing new.
    pub fn is_settled(&self) -> bool {
        self.patterns.iter().any(|known| known.is_certain) && !self.patterns.iter().any(|known| known.counts)
    }

    /// Keys that a run with these arguments is likely to use, behind so many others that have not been learned from yet.
    pub fn keys(&self, args: Args<'_>, earlier: u32) -> Vec<Vec<u8>> {
        if self.patterns.is_empty() || args.get(2) != Some(&self.declared[..]) {
            return Vec::new();
        }
        let certain = self.patterns.iter().filter(|known| known.is_certain);
        let key = |known: &Known| {
            let number = known
                .pattern
                .number
                .map(|number| number + if known.counts { 1 + u64::from(earlier) } else { 0 });
            known.pattern.key(args, number)
        };
        certain.filter_map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnArgs;
    use base::hash::HashSeed;

    fn run<R>(line: &str, look: impl FnOnce(Args<'_>) -> R) -> R {
        let own = OwnArgs::of_words(line.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        look(own.args(&HashSeed::new(1, 2)))
    }

    fn learn(forecast: &mut Forecast, line: &str, keys: &[&str]) {
        run(line, |args| forecast.learn(args, keys.iter().map(|key| key.as_bytes())));
    }

    fn foreseen(forecast: &Forecast, line: &str) -> Vec<String> {
        foreseen_behind(forecast, line, 0)
    }

    fn foreseen_behind(forecast: &Forecast, line: &str, earlier: u32) -> Vec<String> {
        let keys = run(line, |args| forecast.keys(args, earlier));
        keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    #[test]
    fn what_two_runs_have_shown_is_expected_of_the_third() {
        let mut forecast = Forecast::default();
        learn(&mut forecast, "EVALSHA sha 1 q:7 job55", &["q:7:wait", "lock:job55", "meta", "data:311"]);
        assert!(foreseen(&forecast, "EVALSHA sha 1 q:8 job56").is_empty());
        learn(&mut forecast, "EVALSHA sha 1 q:8 job56", &["q:8:wait", "lock:job56", "meta", "data:900"]);
        assert!(forecast.is_settled());
        assert_eq!(foreseen(&forecast, "EVALSHA sha 1 q:9 x"), ["q:9:wait", "lock:x", "meta"]);
        assert!(foreseen(&forecast, "EVALSHA sha 2 q:9 x").is_empty());
        assert!(foreseen(&forecast, "EVALSHA sha 1").iter().all(|key| key == "meta"));
        // Too many to be worth it.
        let many: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        learn(&mut forecast, "EVALSHA sha 1 q:8 job56", &many);
        assert!(foreseen(&forecast, "EVALSHA sha 1 q:9 x").is_empty());
    }

    #[test]
    fn a_number_that_grew_by_one_is_expected_to_do_so_again() {
        let mut forecast = Forecast::default();
        let line = "EVALSHA sha 1 wait bull:q:";
        for id in [8, 9, 10] {
            learn(
                &mut forecast,
                line,
                &[&format!("bull:q:{id}"), &format!("bull:q:{id}:lock"), "bull:q:meta"],
            );
        }
        assert_eq!(foreseen(&forecast, line), ["bull:q:11", "bull:q:11:lock", "bull:q:meta"]);
        assert_eq!(foreseen_behind(&forecast, line, 3), ["bull:q:14", "bull:q:14:lock", "bull:q:meta"]);
        // For another prefix, too; a run that finds no job says nothing against it.
        learn(&mut forecast, line, &["bull:q:meta"]);
        assert_eq!(foreseen(&forecast, "EVALSHA sha 1 wait r:").len(), 3);
        // Somebody else has counted on: from there.
        learn(&mut forecast, line, &["bull:q:30", "bull:q:30:lock", "bull:q:meta"]);
        assert_eq!(foreseen(&forecast, line), ["bull:q:31", "bull:q:31:lock", "bull:q:meta"]);
        // And over again: it is given up.
        for id in [77, 12, 500, 3, 44] {
            learn(&mut forecast, line, &[&format!("bull:q:{id}"), "bull:q:meta"]);
        }
        assert_eq!(foreseen(&forecast, line), ["bull:q:meta"]);
    }

    #[test]
    fn numbers_are_found_where_they_stand() {
        let split = |text: &str| {
            let (before, number, after) = split_number(text.as_bytes());
            (
                String::from_utf8_lossy(&before).into_owned(),
                number,
                String::from_utf8_lossy(&after).into_owned(),
            )
        };
        assert_eq!(split("a7:b19:c"), ("a7:b".into(), Some(19), ":c".into()));
        assert_eq!(split("5"), (String::new(), Some(5), String::new()));
        assert_eq!(split("a0"), ("a".into(), Some(0), String::new()));
        for none in ["", "abc", "a07", "a1234567890123456"] {
            assert_eq!(split(none), (none.to_owned(), None, String::new()));
        }
    }
}
