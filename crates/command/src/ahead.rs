//! Hashes of keys whose memory has been asked for before the command that uses them: nobody works them out twice.

use crate::Args;
use keyspace::Key;

/// So many keys are asked for at a time.
pub const KEYS_MAX: usize = 64;

/// The first keys of the command at hand.
pub struct KeysAhead {
    hashes: [u64; KEYS_MAX],
    count: usize,
    /// The command need not ask for its keys, however many they are.
    are_asked_for: bool,
}

impl Default for KeysAhead {
    fn default() -> Self {
        Self { hashes: [0; KEYS_MAX], count: 0, are_asked_for: false }
    }
}

impl KeysAhead {
    /// Another command is at hand.
    #[inline]
    pub fn clear(&mut self) {
        (self.count, self.are_asked_for) = (0, false);
    }

    /// The hash of its next key, of which at most [`KEYS_MAX`] are noted.
    #[inline]
    pub fn note(&mut self, hash: u64) {
        self.hashes[self.count] = hash;
        self.count += 1;
    }

    /// The hashes of all keys of the command at hand, which have been asked for; to be cleared when it has run.
    #[inline]
    pub fn give(&mut self, hashes: &[u64]) {
        self.clear();
        hashes.iter().for_each(|&hash| self.note(hash));
        self.are_asked_for = true;
    }

    /// Whether somebody has asked for its keys.
    #[inline]
    pub fn are_asked_for(&self) -> bool {
        self.are_asked_for
    }

    /// Those that have been noted.
    #[inline]
    pub fn hashes(&self) -> &[u64] {
        &self.hashes[..self.count]
    }

    /// The key of the command at hand that stands at `index` of its arguments and is its `number`-th.
    #[inline(always)]
    pub fn key<'a>(&self, args: Args<'a>, index: usize, number: usize) -> Key<'a> {
        match self.hashes().get(number) {
            Some(&hash) => Key { bytes: args.at(index), hash },
            None => args.key(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use resp::Span;

    #[test]
    fn keys_have_the_hashes_noted_or_their_own() {
        let seed = HashSeed::new(1, 2);
        let spans: Vec<_> = (0..4).map(|start| Span { start, len: 1 }).collect();
        let args = Args::new(b"Mabc", &spans, &seed);
        let mut ahead = KeysAhead::default();
        let hashes = |ahead: &KeysAhead| [0, 1, 2].map(|number| ahead.key(args, 1 + number, number).hash);
        let own = [b"a", b"b", b"c"].map(|key| seed.hash(key));
        assert_eq!((hashes(&ahead), ahead.are_asked_for()), (own, false));
        ahead.give(&[10, 11]);
        assert_eq!((hashes(&ahead), ahead.are_asked_for()), ([10, 11, own[2]], true));
        ahead.clear();
        assert_eq!((hashes(&ahead), ahead.are_asked_for()), (own, false));
        (20..23).for_each(|hash| ahead.note(hash));
        assert_eq!((hashes(&ahead), ahead.hashes()), ([20, 21, 22], &[20, 21, 22][..]));
    }
}
