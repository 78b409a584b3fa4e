//! What somebody wants to hear of, by the beginnings of keys. As many look-ups per key as the prefixes have different lengths.

use std::collections::{BTreeMap, HashMap};

pub struct Prefixes<T> {
    by_prefix: HashMap<Vec<u8>, T>,
    /// How many prefixes have each length.
    lengths: BTreeMap<usize, usize>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { by_prefix: HashMap::new(), lengths: BTreeMap::new() }
    }
}

impl<T: Default> Prefixes<T> {
    pub fn len(&self) -> usize {
        self.by_prefix.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_prefix.is_empty()
    }

    pub fn get_mut(&mut self, prefix: &[u8]) -> Option<&mut T> {
        self.by_prefix.get_mut(prefix)
    }

    /// What stands under a prefix, which is made if it is new.
    pub fn entry(&mut self, prefix: &[u8]) -> &mut T {
        if !self.by_prefix.contains_key(prefix) {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        self.by_prefix.entry(prefix.to_vec()).or_default()
    }

    pub fn remove(&mut self, prefix: &[u8]) -> Option<T> {
        let removed = self.by_prefix.remove(prefix)?;
        let count = self.lengths.get_mut(&prefix.len()).expect("every prefix has a length");
        *count -= 1;
        if *count == 0 {
            self.lengths.remove(&prefix.len());
        }
        Some(removed)
    }

    /// What stands under the prefixes of a key.
    pub fn of<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a T> {
        let lengths = self.lengths.range(..=key.len());
        lengths.filter_map(|(len, _)| self.by_prefix.get(&key[..*len]))
    }

    /// The same, to be changed.
    pub fn each_of(&mut self, key: &[u8], mut each: impl FnMut(&mut T)) {
        for (len, _) in self.lengths.range(..=key.len()) {
            if let Some(found) = self.by_prefix.get_mut(&key[..*len]) {
                each(found);
            }
        }
    }

    /// All, by their prefixes.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Vec<u8>, &mut T)> {
        self.by_prefix.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_heard_of_under_each_of_its_prefixes() {
        let mut prefixes = Prefixes::<Vec<u32>>::default();
        for (number, prefix) in [&b"user:"[..], b"user:1", b"", b"item:"].into_iter().enumerate() {
            prefixes.entry(prefix).push(number as u32);
        }
        let of = |prefixes: &Prefixes<Vec<u32>>, key: &[u8]| {
            let mut found: Vec<_> = prefixes.of(key).flatten().copied().collect();
            found.sort_unstable();
            found
        };
        assert_eq!(of(&prefixes, b"user:17"), [0, 1, 2]);
        assert_eq!(of(&prefixes, b"user"), [2]);
        assert_eq!(of(&prefixes, b"item:"), [2, 3]);
        assert_eq!(prefixes.remove(b""), Some(vec![2]));
        assert_eq!(prefixes.remove(b""), None);
        assert!(of(&prefixes, b"").is_empty());
        prefixes.each_of(b"item:5", |found| found.clear());
        assert!(of(&prefixes, b"item:5").is_empty());
        assert_eq!(prefixes.len(), 3);
    }
}
