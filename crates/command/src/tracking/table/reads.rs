//! Who has read what since the last flush began.

use super::clients::{Clients, Number};
use super::crowds::Crowds;
use super::entry::{Entry, Id, Readers};
use super::names::Names;
use super::pages::{Found, Pages, Place};
use crate::tracking::ClientRef;
use base::hash::HashSeed;
use base::random::Random;

/// Steps in which all entries are looked through for clients that are gone.
pub(super) const SWEEPS: usize = 256;
/// Names that are looked at for each that comes or goes, if too many are gone.
const NAMES_SEEN: usize = 4;

pub(super) struct Reads {
    pages: Pages,
    crowds: Crowds,
    pub clients: Clients,
    /// Of keys that were not there when they were read; the others' are in the keyspace.
    names: Names,
    /// Clients of all entries.
    items: usize,
    /// While no more clients have numbers, those that are gone are not looked for.
    quiet_max: usize,
    /// The page where they are looked for next.
    next_swept: usize,
}

impl Reads {
    pub fn new(seed: HashSeed, quiet_max: usize) -> Self {
        Self {
            pages: Pages::default(),
            crowds: Crowds::default(),
            clients: Clients::new(seed),
            names: Names::default(),
            items: 0,
            quiet_max,
            next_swept: 0,
        }
    }

    /// Keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    pub fn items(&self) -> usize {
        self.items
    }

    /// Heap bytes of keys and their readers.
    pub fn bytes(&self) -> usize {
        self.pages.bytes() + self.crowds.bytes() + self.names.bytes()
    }

    /// The line where a look-up begins.
    #[inline]
    pub fn line(&self, hash: u64) -> *const u8 {
        self.pages.line(hash)
    }

    /// A client has read a key. `is_gone`: a client is known not to be there any more.
    #[inline]
    pub fn add(&mut self, id: Id, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        let Some(number) = self.clients.number(client) else { return self.add_rarely(id, client, is_gone) };
        match self.pages.find(id) {
            Found::Taken(place) => {
                let entry = self.pages.entry_mut(place);
                if entry.has_crowd() {
                    return self.add_reader(place, number, is_gone);
                }
                if entry.names(number) {
                    return;
                }
                match entry.push(number) {
                    true => {
                        self.clients.hold(number);
                        self.items += 1;
                    }
                    false => self.add_reader(place, number, is_gone),
                }
            }
            Found::Free { page, at } if let Some(entry) = Entry::read_by(id, number) => {
                self.pages.enter((page, at), entry);
                self.clients.hold(number);
                self.items += 1;
            }
            _ => self.add_rarely(id, client, is_gone),
        }
    }

    /// The same for a client that has no number, or where there is no room.
    #[inline(never)]
    fn add_rarely(&mut self, id: Id, client: ClientRef, is_gone: impl Fn(ClientRef) -> bool) {
        let known = self.clients.number(client);
        let number = known.unwrap_or_else(|| self.clients.enter(client));
        let entry = || Entry::read_by(id, number);
        match self.pages.find(id) {
            Found::Taken(place) => self.add_reader(place, number, &is_gone),
            found => {
                let crowds = &mut self.crowds;
                let entry = entry().unwrap_or_else(|| Entry::read_by_crowd(id, crowds.enter(vec![number])));
                match found {
                    Found::Free { page, at } => self.pages.enter((page, at), entry),
                    _ => self.pages.make_room_for(entry),
                }
                self.clients.hold(number);
                self.items += 1;
            }
        }
        if known.is_none() && self.clients.len() > self.quiet_max {
            self.sweep_next(is_gone);
        }
    }

    /// A client has read a key that others have read. It is not among those who stand in the entry.
    #[inline(never)]
    fn add_reader(&mut self, place: Place, number: Number, is_gone: impl Fn(ClientRef) -> bool) {
        let (entry, clients) = (self.pages.entry_mut(place), &mut self.clients);
        match entry.readers() {
            Readers::Few(_) => {
                if !entry.push(number) {
                    self.items -= forget_gone(entry, clients, &mut self.crowds, is_gone);
                    if !entry.push(number) {
                        let Readers::Few(few) = entry.readers() else { unreachable!("there is none yet") };
                        let crowd = few.into_iter().flatten().chain([number]).collect();
                        entry.set_crowd(self.crowds.enter(crowd));
                    }
                }
            }
            Readers::Crowd(crowd) => {
                if self.crowds.has(crowd, number) {
                    return;
                }
                // Only when they have become twice as many.
                if self.crowds.len(crowd).is_power_of_two() {
                    self.items -= thin_out(crowd, clients, &mut self.crowds, is_gone);
                }
                self.crowds.push(crowd, number);
            }
        }
        self.clients.hold(number);
        self.items += 1;
    }

    /// Looks for clients that are gone in some pages: so all are looked through for as many clients that come.
    #[cold]
    fn sweep_next(&mut self, is_gone: impl Fn(ClientRef) -> bool) {
        let (clients, crowds, items) = (&mut self.clients, &mut self.crowds, &mut self.items);
        let count = self.pages.pages().div_ceil(SWEEPS);
        self.next_swept = self.pages.visit(self.next_swept, count, |entry| {
            let is_named = entry.round().is_some();
            *items -= forget_gone(entry, clients, crowds, &is_gone);
            if entry.is_free() && is_named {
                self.names.lose();
            }
        });
    }

    /// A key that is remembered has this name, which will not be found elsewhere.
    #[inline(never)]
    pub fn set_name(&mut self, id: Id, name: &[u8]) {
        let Found::Taken(place) = self.pages.find(id) else { return };
        let entry = self.pages.entry_mut(place);
        if entry.round().is_none() {
            entry.set_round(self.names.push(id, name));
        }
        self.tidy_names();
    }

    /// Drops some names of keys that are remembered no longer, if there are many.
    #[inline]
    fn tidy_names(&mut self) {
        for _ in 0..NAMES_SEEN {
            if !self.names.are_sparse() {
                break;
            }
            if let Some((id, name)) = self.oldest_name() {
                self.set_name_again(id, &name);
            }
        }
    }

    #[cold]
    fn set_name_again(&mut self, id: Id, name: &[u8]) {
        let round = self.names.push(id, name);
        if let Found::Taken(place) = self.pages.find(id) {
            self.pages.entry_mut(place).set_round(round);
        }
    }

    /// Takes the oldest name out, if its key is still remembered.
    #[cold]
    fn oldest_name(&mut self) -> Option<(Id, Box<[u8]>)> {
        let record = self.names.pop()?;
        if let Found::Taken(place) = self.pages.find(record.id)
            && self.pages.entry_mut(place).round() == Some(record.round)
        {
            self.names.settle();
            return Some((record.id, record.name));
        }
        self.names.find_lost();
        None
    }

    /// Takes out who has read a key, in no order, if anybody has.
    pub fn remove(&mut self, id: Id) -> Vec<ClientRef> {
        match self.pages.find(id) {
            Found::Taken(place) => self.take(place),
            _ => Vec::new(),
        }
    }

    /// A key drawn by lot; for one that has a name here, the one that has had it longest, and its name,
    /// which is here no longer. There must be one.
    pub fn any(&mut self, random: &mut Random) -> (Id, Option<Box<[u8]>>) {
        let place = self.pages.any(random);
        let entry = *self.pages.entry_mut(place);
        while entry.round().is_some() {
            if let Some((id, name)) = self.oldest_name() {
                if let Found::Taken(place) = self.pages.find(id) {
                    self.pages.entry_mut(place).clear_round();
                }
                return (id, Some(name));
            }
        }
        (entry.id(), None)
    }

    fn take(&mut self, place: Place) -> Vec<ClientRef> {
        let entry = self.pages.remove(place);
        if entry.round().is_some() {
            self.names.lose();
            self.tidy_names();
        }
        let (clients, mut readers) = (&mut self.clients, Vec::new());
        let mut take = |number| {
            readers.push(clients.client(number));
            clients.release(number);
        };
        match entry.readers() {
            Readers::Few(few) => few.into_iter().flatten().for_each(&mut take),
            Readers::Crowd(crowd) => self.crowds.leave(crowd).into_iter().for_each(&mut take),
        }
        self.items -= readers.len();
        readers
    }

    /// Entries that say that their names are here.
    #[cfg(test)]
    pub fn named(&self) -> usize {
        self.pages.iter().filter(|entry| entry.round().is_some()).count()
    }

    /// Entries, readers of them, names.
    #[cfg(test)]
    pub fn counts(&self) -> [usize; 3] {
        let readers = self.pages.iter().map(|entry| match entry.readers() {
            Readers::Few(few) => few.into_iter().flatten().count(),
            Readers::Crowd(crowd) => self.crowds.len(crowd),
        });
        [self.pages.iter().count(), readers.sum(), self.names.good()]
    }
}

/// Forgets which readers of an entry are gone; how many. Nobody may be left.
#[cold]
fn forget_gone(
    entry: &mut Entry,
    clients: &mut Clients,
    crowds: &mut Crowds,
    is_gone: impl Fn(ClientRef) -> bool,
) -> usize {
    let Readers::Crowd(crowd) = entry.readers() else {
        let mut gone = 0;
        entry.retain(|number| {
            let stays = !is_gone(clients.client(number));
            if !stays {
                clients.release(number);
                gone += 1;
            }
            stays
        });
        return gone;
    };
    let gone = thin_out(crowd, clients, crowds, is_gone);
    if crowds.len(crowd) == 0 {
        crowds.leave(crowd);
        *entry = Entry::default();
    }
    gone
}

/// The same of a crowd.
#[cold]
fn thin_out(
    crowd: u32,
    clients: &mut Clients,
    crowds: &mut Crowds,
    is_gone: impl Fn(ClientRef) -> bool,
) -> usize {
    let mut gone = Vec::new();
    crowds.retain(crowd, |number| {
        let stays = !is_gone(clients.client(number));
        if !stays {
            gone.push(number);
        }
        stays
    });
    gone.iter().for_each(|number| clients.release(*number));
    gone.len()
}
