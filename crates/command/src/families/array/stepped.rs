//! Searches for a regular expression that can be ended: one lazily built automaton, walked a piece of the text at a time.
//!
//! For texts so long that a search in one piece, which nothing can end, might take too long. The automaton never falls back on something
//! slower: where its cache is too small for the states that it meets, it makes them again, and the clock decides.

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;

/// Bytes between two questions whether to go on: some milliseconds if each of them leads to a state never seen before.
const PIECE_BYTES: usize = 256;

pub struct Stepped {
    dfa: DFA,
    cache: Cache,
}

impl Stepped {
    /// The automaton of a valid expression, which may take some `bytes_max` of memory; `None` if it is too large.
    pub fn new(expression: &str, nocase: bool, bytes_max: usize) -> Option<Self> {
        let config = Config::new().cache_capacity(bytes_max).skip_cache_capacity_check(true);
        let captures = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let syntax = syntax.dot_matches_new_line(true).case_insensitive(nocase);
        let mut builder = DFA::builder();
        let dfa = builder.configure(config).thompson(captures).syntax(syntax).build(expression).ok()?;
        let cache = dfa.create_cache();
        Some(Self { dfa, cache })
    }

    /// Whether the expression matches somewhere in the text; `None` if `goes_on` has ended the search.
    pub fn is_match(&mut self, text: &[u8], goes_on: impl Fn() -> bool) -> Option<bool> {
        let Self { dfa, cache } = self;
        let mut state = dfa.start_state_forward(cache, &Input::new(text)).ok()?;
        for piece in text.chunks(PIECE_BYTES) {
            if !goes_on() {
                return None;
            }
            for &byte in piece {
                state = dfa.next_state(cache, state, byte).ok()?;
                if state.is_tagged() && (state.is_match() || state.is_dead()) {
                    return Some(state.is_match());
                }
            }
        }
        Some(dfa.next_eoi_state(cache, state).ok()?.is_match())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use regex::bytes::RegexBuilder;
    use std::cell::Cell;

    #[test]
    fn it_finds_what_a_search_in_one_piece_finds() {
        let expressions = [
            "b",
            "^b",
            "b$",
            "^b*$",
            "",
            "a.c",
            "(?:ab|ba){3}",
            r"\bab\b",
            r"\b{start}ab",
            r"ab\b{end}",
            r"[^a]{300}",
            r"\xff",
            "a(?:.|b)*c$",
            r"(?:a|b)*a(?:a|b){11}c",
        ];
        let mut random = Random::from_seed(7);
        for expression in expressions {
            for nocase in [false, true] {
                let mut builder = RegexBuilder::new(expression);
                let builder = builder.unicode(false).dot_matches_new_line(true).case_insensitive(nocase);
                let whole = builder.build().expect(expression);
                // A cache for which every expression is too large, too.
                for bytes_max in [0, 1 << 20] {
                    let mut stepped = Stepped::new(expression, nocase, bytes_max).expect(expression);
                    for _ in 0..60 {
                        let letters: &[u8] = [&b"ab"[..], b"abc \n", b"aAbB\xff"][random.index(3)];
                        let text: Vec<u8> =
                            (0..random.index(900)).map(|_| letters[random.index(letters.len())]).collect();
                        let found = stepped.is_match(&text, || true);
                        assert_eq!(found, Some(whole.is_match(&text)), "{expression} {nocase} {text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        let mut stepped = Stepped::new("c", false, 1 << 16).expect("it is small");
        let asked = Cell::new(0);
        let goes_on = || asked.replace(asked.get() + 1) < 3;
        assert_eq!(stepped.is_match(&[b'a'; 100_000], goes_on), None);
        assert_eq!(asked.get(), 4);
    }
}
