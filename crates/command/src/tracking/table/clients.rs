//! Small numbers for the clients that entries name, so that an entry has room for several.

use crate::tracking::ClientRef;
use base::hash::{HashSeed, QuickMap};
use std::num::NonZeroU32;

/// A client's number, as long as an entry names it.
pub(super) type Number = NonZeroU32;

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
}

impl Clients {
    pub fn new(seed: HashSeed) -> Self {
        Self { known: Vec::new(), numbers: QuickMap::with_hasher(seed), free: Vec::new(), last: None }
    }

    /// Those that have numbers.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The number of a client, which is the last one's more often than not.
    #[inline]
    pub fn number(&mut self, client: ClientRef) -> Option<Number> {
        match self.last {
            Some((last, number)) if last == client => Some(number),
            _ => self.look_up(client),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, client: ClientRef) -> Option<Number> {
        let number = *self.numbers.get(&client)?;
        self.last = Some((client, number));
        Some(number)
    }

    /// Gives a number to a client that has none. An entry must name it next, or nobody frees it.
    #[cold]
    pub fn enter(&mut self, client: ClientRef) -> Number {
        let known = Known { client, entries: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.known[Self::index(number)] = known;
                number
            }
            None => {
                self.known.push(known);
                let count = u32::try_from(self.known.len()).expect("there are fewer connections than that");
                Number::new(count).expect("there is one at least")
            }
        };
        self.numbers.insert(client, number);
        number
    }

    #[inline]
    fn index(number: Number) -> usize {
        number.get() as usize - 1
    }

    #[inline]
    pub fn client(&self, number: Number) -> ClientRef {
        self.known[Self::index(number)].client
    }

    /// One more entry names it.
    #[inline]
    pub fn hold(&mut self, number: Number) {
        self.known[Self::index(number)].entries += 1;
    }

    /// One entry fewer names it. The number is free again if none does.
    #[inline]
    pub fn release(&mut self, number: Number) {
        let known = &mut self.known[Self::index(number)];
        known.entries -= 1;
        if known.entries == 0 {
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
