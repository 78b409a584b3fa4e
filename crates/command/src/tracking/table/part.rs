//! The keys of one stretch of hashes: open addressing in place. To remember a read touches one cache line.

use super::Size;
use super::clients::{Clients, NO_NUMBER, Number};
use super::entry::{Entry, Id, IdMap};
use super::names::Names;
use super::slots::{LINE_ENTRIES, Slots};
use crate::tracking::ClientRef;

/// Slots of a part that is not empty.
const SLOTS_MIN: usize = 16;
/// Below so many they are doubled when there is no room, from then on half as many are added: room is dear then, copying not.
const SLOTS_MANY: usize = 2048;

/// What has become of a read.
#[derive(PartialEq, Eq)]
pub(super) enum Read {
    /// There are as many readers as before.
    Known,
    /// The entry has one reader more.
    Added,
    /// There is an entry more, with one reader.
    Entered,
    /// There is no room, or no number: see [`Part::add`].
    Nowhere,
}

/// What nearly every read needs stands first, on one cache line.
#[derive(Default)]
#[repr(C, align(64))]
pub(super) struct Part {
    /// An entry stands on the line that its hash says or behind it. At most two thirds are taken.
    slots: Slots,
    /// Slots that are taken.
    len: usize,
    /// Clients of all entries.
    items: usize,
    names: Names,
    /// Readers for which an entry has no room, or who have no number; ascending. None of these is empty.
    more: IdMap<Vec<ClientRef>>,
    /// Of all of these.
    more_items: usize,
}

impl Part {
    /// How much there is of what.
    #[inline]
    pub fn size(&self) -> Size {
        let bytes = self.slots.bytes()
            + self.names.bytes()
            + self.more.capacity() * size_of::<(Id, Vec<ClientRef>)>()
            + self.more_items * size_of::<ClientRef>();
        Size { keys: self.len, items: self.items, bytes }
    }

    /// Where a look-up begins.
    #[inline]
    pub fn line(&self, hash: u64) -> *const u8 {
        self.slots.line(hash)
    }

    /// The slot of a key, or the free one where it would stand. There is a free one.
    #[inline]
    fn slot_of(&self, id: Id) -> usize {
        let mut at = self.slots.home(id.hash);
        while !self.slots[at].is_free() && self.slots[at].id() != id {
            at = self.slots.next(at);
        }
        at
    }

    /// Gives the entries so many slots, or one more, and, if much room of names is lost, the names another place.
    #[cold]
    fn rebuild(&mut self, slots: usize) {
        let slots = Slots::new(slots.next_multiple_of(LINE_ENTRIES));
        let old = std::mem::replace(&mut self.slots, slots);
        let old_names = self.names.are_sparse().then(|| {
            let names = Names::for_those_of(&self.names);
            std::mem::replace(&mut self.names, names)
        });
        for entry in old.iter() {
            if entry.is_free() {
                continue;
            }
            let mut at = self.slots.home(entry.hash());
            while !self.slots[at].is_free() {
                at = self.slots.next(at);
            }
            self.slots[at] = *entry;
            if let Some(old_names) = &old_names {
                self.slots[at].name = self.names.add(old_names.get(entry.name));
            }
        }
    }

    /// After entries have gone.
    #[inline]
    fn settle(&mut self) {
        let is_wide = self.slots.len() > SLOTS_MIN && self.len < self.slots.len() / 6;
        if self.len == 0 {
            *self = Self::default();
        } else if is_wide || self.names.are_sparse() {
            let slots = if is_wide { (self.len * 2).max(SLOTS_MIN) } else { self.slots.len() };
            self.rebuild(slots);
        }
    }

    /// Whether there is room for an entry more.
    #[inline]
    fn has_room(&self) -> bool {
        self.len < self.slots.len() / 3 * 2
    }

    /// A client has read a key, after so many flushes had begun: what nearly always becomes of it, for which no memory is got.
    /// `is_gone`: a client is known not to be there any more.
    #[inline(always)]
    pub fn add_simply(
        &mut self,
        (id, name): (Id, &[u8]),
        client: ClientRef,
        flushes: u16,
        clients: &mut Clients,
        is_gone: impl Fn(ClientRef) -> bool,
    ) -> Read {
        if self.len == 0 {
            return Read::Nowhere;
        }
        let (at, number) = (self.slot_of(id), clients.number(client));
        let entry = &mut self.slots[at];
        if entry.is_free() {
            return match number {
                Some(number) => self.enter(at, (id, name), (number, flushes), clients),
                None => Read::Nowhere,
            };
        }
        // What is not written need not go back to memory.
        if entry.flushes != flushes {
            entry.flushes = flushes;
        }
        if number.is_some_and(|number| entry.names(number)) {
            return Read::Known;
        }
        if !self.more.is_empty() && entry.has_more() && self.more[&id].binary_search(&client).is_ok() {
            return Read::Known;
        }
        let Some(number) = number else { return Read::Nowhere };
        if let Some(last) = entry.last().filter(|last| is_gone(clients.client(*last))) {
            entry.replace_last(number);
            clients.hold(number);
            clients.release(last);
            return Read::Known;
        }
        if entry.is_full() {
            return Read::Nowhere;
        }
        entry.push(number);
        clients.hold(number);
        self.items += 1;
        Read::Added
    }

    /// A new entry in a free slot, if there is room without more memory.
    #[inline]
    fn enter(
        &mut self,
        at: usize,
        (id, name): (Id, &[u8]),
        (number, flushes): (Number, u16),
        clients: &mut Clients,
    ) -> Read {
        if !self.has_room() || !self.names.have_room(name) {
            return Read::Nowhere;
        }
        self.slots[at] = Entry::read_by(number, id, self.names.add(name), flushes);
        clients.hold(number);
        self.len += 1;
        self.items += 1;
        Read::Entered
    }

    /// The same where that is not all.
    pub fn add(
        &mut self,
        (id, name): (Id, &[u8]),
        client: ClientRef,
        flushes: u16,
        clients: &mut Clients,
        is_gone: impl Fn(ClientRef) -> bool,
    ) {
        if !self.has_room() {
            let slots = self.slots.len();
            self.rebuild(if slots < SLOTS_MANY { (slots * 2).max(SLOTS_MIN) } else { slots / 2 * 3 });
        }
        let at = self.slot_of(id);
        let entry = &mut self.slots[at];
        if entry.is_free() {
            *entry = Entry::new(id, self.names.add(name));
            self.len += 1;
        }
        entry.flushes = flushes;
        let has_more = entry.has_more();
        // For those who stand elsewhere only when they have become twice as many.
        if entry.is_full() && (!has_more || self.more[&id].len().is_power_of_two()) {
            self.forget_gone(at, clients, is_gone);
        }
        let entry = &mut self.slots[at];
        self.items += 1;
        let number = || clients.number(client).or_else(|| clients.enter(client));
        match (!entry.is_full()).then(number).flatten() {
            Some(number) => {
                entry.push(number);
                clients.hold(number);
            }
            None => self.add_elsewhere(at, client, clients),
        }
    }

    /// A reader for which there is no room, or no number.
    #[cold]
    fn add_elsewhere(&mut self, at: usize, client: ClientRef, clients: &mut Clients) {
        let entry = &mut self.slots[at];
        let more = self.more.entry(entry.id()).or_default();
        if !entry.has_more() {
            if entry.is_full() {
                let first = entry.make_first_more();
                more.push(clients.client(first));
                clients.release(first);
                self.more_items += 1;
            } else {
                entry.push(NO_NUMBER);
            }
        }
        let place = more.partition_point(|other| *other < client);
        more.insert(place, client);
        self.more_items += 1;
    }

    /// Forgets who has read the key of a slot and is gone. Nobody may be left.
    #[cold]
    fn forget_gone(&mut self, at: usize, clients: &mut Clients, is_gone: impl Fn(ClientRef) -> bool) {
        let entry = &mut self.slots[at];
        let (id, mut gone, mut has_more) = (entry.id(), 0, entry.has_more());
        if has_more && let Some(more) = self.more.get_mut(&id) {
            let before = more.len();
            more.retain(|client| !is_gone(*client));
            (gone, has_more) = (before - more.len(), !more.is_empty());
            self.more_items -= gone;
            if !has_more {
                self.more.remove(&id);
            }
        }
        entry.retain(|number| {
            if number == NO_NUMBER {
                return has_more;
            }
            let is_gone = is_gone(clients.client(number));
            if is_gone {
                clients.release(number);
                gone += 1;
            }
            !is_gone
        });
        self.items -= gone;
    }

    /// Forgets all clients that are gone, and keys that nobody else has read.
    pub fn sweep(&mut self, clients: &mut Clients, is_gone: impl Fn(ClientRef) -> bool) {
        let before = self.len;
        for at in 0..self.slots.len() {
            if self.slots[at].is_free() {
                continue;
            }
            let name = self.slots[at].name;
            self.forget_gone(at, clients, &is_gone);
            if self.slots[at].is_free() {
                self.names.remove(name);
                self.len -= 1;
            }
        }
        if self.len < before {
            self.close_gaps();
        }
    }

    /// Entries have gone without regard to those that stand behind them for want of their places.
    fn close_gaps(&mut self) {
        if self.len > 0 {
            self.rebuild((self.len * 2).max(SLOTS_MIN));
        }
        self.settle();
    }

    /// Takes out who has read a key, ascending, if anybody has.
    pub fn remove(&mut self, id: Id, clients: &mut Clients) -> Vec<ClientRef> {
        if self.len == 0 {
            return Vec::new();
        }
        let at = self.slot_of(id);
        if self.slots[at].is_free() { Vec::new() } else { self.take(at, clients) }
    }

    /// Takes out the entry at a place or the next one, and who had read it. There must be one.
    pub fn remove_near(&mut self, at: usize, clients: &mut Clients) -> (Box<[u8]>, Vec<ClientRef>) {
        let mut at = at % self.slots.len();
        while self.slots[at].is_free() {
            at = self.slots.next(at);
        }
        let name = self.names.get(self.slots[at].name).into();
        (name, self.take(at, clients))
    }

    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    fn take(&mut self, at: usize, clients: &mut Clients) -> Vec<ClientRef> {
        let readers = self.take_readers(at, clients);
        self.names.remove(self.slots[at].name);
        self.free_slot(at);
        self.len -= 1;
        self.settle();
        readers
    }

    /// All clients of an entry, ascending; the entry names them no longer.
    fn take_readers(&mut self, at: usize, clients: &mut Clients) -> Vec<ClientRef> {
        let entry = self.slots[at];
        let more = if entry.has_more() { self.more.remove(&entry.id()) } else { None };
        let mut readers = more.unwrap_or_default();
        self.more_items -= readers.len();
        for number in entry.numbers() {
            readers.push(clients.client(number));
            clients.release(number);
        }
        readers.sort_unstable();
        self.items -= readers.len();
        readers
    }

    /// Frees a slot, and moves those up that stand behind it for want of theirs.
    fn free_slot(&mut self, mut free: usize) {
        let mut at = free;
        loop {
            at = self.slots.next(at);
            let entry = self.slots[at];
            if entry.is_free() {
                break;
            }
            if self.slots.distance(self.slots.home(entry.hash()), at) >= self.slots.distance(free, at) {
                self.slots[free] = entry;
                free = at;
            }
        }
        self.slots[free] = Entry::default();
    }

    /// Forgets what was read last before a flush that all clients have been told of, if so many have begun and `pending` not come to this.
    pub fn end_flush(&mut self, flushes: u16, pending: u16, clients: &mut Clients) {
        let (before, oldest) = (self.len, flushes.wrapping_sub(pending));
        for at in 0..self.slots.len() {
            let entry = &self.slots[at];
            if !entry.is_free() && entry.flushes.wrapping_sub(oldest) > pending {
                self.take_readers(at, clients);
                self.names.remove(self.slots[at].name);
                self.slots[at] = Entry::default();
                self.len -= 1;
            }
        }
        if self.len < before {
            self.close_gaps();
        }
    }

    #[cfg(test)]
    pub fn name_bytes(&self) -> usize {
        self.names.bytes_left()
    }

    #[cfg(test)]
    pub fn named(&self) -> usize {
        self.slots.iter().map(|entry| entry.numbers().count()).sum()
    }
}
