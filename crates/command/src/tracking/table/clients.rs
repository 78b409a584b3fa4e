//! Small numbers for the clients that entries name, so that an entry has room for several.

use crate::tracking::ClientRef;
use base::hash::{HashSeed, QuickMap};
use std::num::NonZeroU16;

/// A client's number, as long as an entry names it.
pub(super) type Number = NonZeroU16;

/// One more than the greatest number there can be; stands in entries for what is no number.
pub(super) const NO_NUMBER: Number = Number::MAX;

struct Known {
    client: ClientRef,
    /// Entries that name it.
    entries: u32,
}

pub(super) struct Clients {
    /// By number, from 1.
    known: Vec<Known>,
    numbers: QuickMap<ClientRef, Number>,
    /// Numbers of nobody.
    free: Vec<Number>,
    /// Who had a number last: commands of one client come in a row.
    last: Option<(ClientRef, Number)>,
    count_max: usize,
}

impl Clients {
    /// At most `count_max` have numbers at a time, which is less than [`NO_NUMBER`].
    pub fn new(seed: HashSeed, count_max: usize) -> Self {
        assert!(count_max < usize::from(NO_NUMBER.get()));
        Self {
            known: Vec::new(),
            numbers: QuickMap::with_hasher(seed),
            free: Vec::new(),
            last: None,
            count_max,
        }
    }

    /// Those that have numbers.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    pub fn count_max(&self) -> usize {
        self.count_max
    }

    /// The number of a client, which is the last one's more often than not.
    #[inline]
    pub fn number(&mut self, client: ClientRef) -> Option<Number> {
        if let Some((last, number)) = self.last
            && last == client
        {
            return Some(number);
        }
        let number = *self.numbers.get(&client)?;
        self.last = Some((client, number));
        Some(number)
    }

    /// Gives a number to a client that has none. There is none left if that many clients have one.
    pub fn enter(&mut self, client: ClientRef) -> Option<Number> {
        let known = Known { client, entries: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.known[usize::from(number.get()) - 1] = known;
                number
            }
            None if self.known.len() < self.count_max => {
                self.known.push(known);
                Number::new(self.known.len() as u16).expect("there is one at least")
            }
            None => return None,
        };
        self.numbers.insert(client, number);
        Some(number)
    }

    #[inline]
    pub fn client(&self, number: Number) -> ClientRef {
        self.known[usize::from(number.get()) - 1].client
    }

    /// One more entry names it.
    #[inline]
    pub fn hold(&mut self, number: Number) {
        self.known[usize::from(number.get()) - 1].entries += 1;
    }

    /// One entry fewer names it.
    #[inline]
    pub fn release(&mut self, number: Number) {
        self.known[usize::from(number.get()) - 1].entries -= 1;
        self.drop_unused(number);
    }

    /// The number is free again if no entry names it.
    #[inline]
    pub fn drop_unused(&mut self, number: Number) {
        if self.known[usize::from(number.get()) - 1].entries == 0 {
            self.drop(number);
        }
    }

    #[cold]
    fn drop(&mut self, number: Number) {
        self.numbers.remove(&self.client(number));
        self.free.push(number);
        self.last = None;
        if self.numbers.is_empty() {
            (self.known, self.free) = (Vec::new(), Vec::new());
            self.numbers.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub fn entries(&self) -> usize {
        self.known.iter().map(|known| known.entries as usize).sum()
    }
}
