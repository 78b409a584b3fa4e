//! Which undeclared keys a script will use, as far as they follow from what the client sends with it: `'lock:' .. ARGV[1]`.
//!
//! Guesses, learned from runs: a pattern counts once two runs with different arguments have shown it. What is guessed wrongly is locked in vain;
//! what is not guessed is asked for as before.

use crate::Args;

/// Patterns of a script at most, and arguments that are looked at.
const PATTERNS_MAX: usize = 16;
const ARGUMENTS_MAX: usize = 32;

/// An argument (counted from the third, the number of keys) with text around it; or a text by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: Vec<u8>,
    argument: Option<usize>,
    after: Vec<u8>,
}

impl Pattern {
    /// The longest argument that the key contains.
    fn of(key: &[u8], args: Args<'_>) -> Self {
        let found = args.from(3).take(ARGUMENTS_MAX).enumerate().filter_map(|(index, arg)| {
            let at = (!arg.is_empty()).then(|| key.windows(arg.len()).rposition(|part| part == arg))??;
            Some((arg.len(), index, at))
        });
        match found.max_by_key(|(len, ..)| *len) {
            None => Self { before: key.to_vec(), argument: None, after: Vec::new() },
            Some((len, index, at)) => {
                Self { before: key[..at].to_vec(), argument: Some(index), after: key[at + len..].to_vec() }
            }
        }
    }

    fn key(&self, args: Args<'_>) -> Option<Vec<u8>> {
        let argument = match self.argument {
            None => &[][..],
            Some(index) => args.get(3 + index)?,
        };
        Some([&self.before, argument, &self.after].concat())
    }
}

/// What is known of a script's undeclared keys.
#[derive(Default)]
pub struct Forecast {
    patterns: Vec<Pattern>,
    /// The number of keys with which they were seen.
    declared: Vec<u8>,
    /// Two runs have shown them.
    is_certain: bool,
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
        if self.declared != declared || self.patterns.is_empty() {
            *self = Self { patterns: seen, declared: declared.to_vec(), is_certain: false };
            return;
        }
        // What both have shown; a key that depends on data is another one each time.
        self.patterns.retain(|known| seen.contains(known));
        self.is_certain = true;
    }

    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// Keys that a run with these arguments is likely to use.
    pub fn keys(&self, args: Args<'_>) -> Vec<Vec<u8>> {
        if !self.is_certain || args.get(2) != Some(&self.declared[..]) {
            return Vec::new();
        }
        self.patterns.iter().filter_map(|pattern| pattern.key(args)).collect()
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

    fn names(keys: &[Vec<u8>]) -> Vec<String> {
        keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    #[test]
    fn what_two_runs_have_shown_is_expected_of_the_third() {
        let mut forecast = Forecast::default();
        let learn = |forecast: &mut Forecast, line: &str, keys: &[&str]| {
            run(line, |args| forecast.learn(args, keys.iter().map(|key| key.as_bytes())));
        };
        learn(&mut forecast, "EVALSHA sha 1 q:7 job55", &["q:7:wait", "lock:job55", "meta", "data:311"]);
        assert!(run("EVALSHA sha 1 q:8 job56", |args| forecast.keys(args)).is_empty());
        learn(&mut forecast, "EVALSHA sha 1 q:8 job56", &["q:8:wait", "lock:job56", "meta", "data:312"]);
        let third = run("EVALSHA sha 1 q:9 x", |args| forecast.keys(args));
        assert_eq!(names(&third), ["q:9:wait", "lock:x", "meta"]);
        assert!(run("EVALSHA sha 2 q:9 x", |args| forecast.keys(args)).is_empty());
        assert!(run("EVALSHA sha 1", |args| forecast.keys(args)).iter().all(|key| key == b"meta"));
        // Too many to be worth it.
        let many: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        learn(&mut forecast, "EVALSHA sha 1 q:8 job56", &many);
        assert!(run("EVALSHA sha 1 q:9 x", |args| forecast.keys(args)).is_empty());
    }
}
