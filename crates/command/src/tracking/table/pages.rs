//! Pages of entries, found by the first bits of hashes (extendible hashing, Fagin et al. 1979): a page that is full becomes two, so what grows is never
//! copied as a whole, and memory that has been got stays in use.

use super::entry::{Entry, Id, IdMap};
use super::page::{ENTRIES_MAX, Page, Slot};
use base::random::Random;

/// Two pages become one when they have so few entries together.
const MERGED_MAX: usize = ENTRIES_MAX / 3;
/// So many times more places than pages the directory may have; and so many more. Hashes are random: a page that would need more
/// to be split is one of hashes that are made alike.
const SPARSE_FACTOR: usize = 8;
const SPARSE_MIN: usize = 64;

/// Where an entry is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Page { page: usize, at: usize },
    Beside(Id),
}

/// Where there is none yet.
pub(super) enum Found {
    Taken(Place),
    Free {
        page: usize,
        at: usize,
    },
    /// Room has to be made first.
    Full,
}

#[derive(Default)]
pub(super) struct Pages {
    /// By the first `depth` bits of a hash: the index of its page. Empty if there is no page.
    directory: Vec<u32>,
    depth: u8,
    pages: Vec<Page>,
    /// Entries for which there is no room in their page, which cannot be split.
    beside: IdMap<Entry>,
    len: usize,
}

impl Pages {
    /// Entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.pages.len() * Page::BYTES
            + self.pages.capacity() * size_of::<Page>()
            + self.directory.capacity() * size_of::<u32>()
            + self.beside.capacity() * size_of::<(Id, Entry)>()
    }

    /// The first bits of a hash, as a place in a directory of this depth.
    #[inline]
    fn place(hash: u64, depth: u8) -> usize {
        (hash >> 1 >> (63 - depth)) as usize
    }

    #[inline]
    fn page_of(&self, hash: u64) -> Option<usize> {
        self.directory.get(Self::place(hash, self.depth)).map(|page| *page as usize)
    }

    /// The line where a look-up begins.
    #[inline]
    pub fn line(&self, hash: u64) -> *const u8 {
        self.page_of(hash).map_or(std::ptr::null(), |page| self.pages[page].line(hash))
    }

    /// Where the entry of a key is, or is to be.
    #[inline]
    pub fn find(&self, id: Id) -> Found {
        let Some(page) = self.page_of(id.hash) else { return Found::Full };
        match self.pages[page].slot_of(id) {
            Slot::Taken(at) => Found::Taken(Place::Page { page, at }),
            Slot::Free(_) if self.beside.contains_key(&id) => Found::Taken(Place::Beside(id)),
            Slot::Free(at) if self.pages[page].has_room() => Found::Free { page, at },
            Slot::Free(_) => Found::Full,
        }
    }

    #[inline]
    pub fn entry_mut(&mut self, place: Place) -> &mut Entry {
        match place {
            Place::Page { page, at } => self.pages[page].entry_mut(at),
            Place::Beside(id) => self.beside.get_mut(&id).expect("it is there"),
        }
    }

    /// Puts a new entry where there is room for it.
    #[inline]
    pub fn enter(&mut self, (page, at): (usize, usize), entry: Entry) {
        self.pages[page].enter(at, entry);
        self.len += 1;
    }

    /// Puts in a new entry for which there is no room in its page.
    #[cold]
    pub fn make_room_for(&mut self, entry: Entry) {
        if self.pages.is_empty() {
            (self.directory, self.pages) = (vec![0], vec![Page::new(0, 0)]);
        }
        self.len += 1;
        loop {
            let page = Self::place(entry.hash(), self.depth);
            let page = self.directory[page] as usize;
            if self.pages[page].has_room() {
                return self.pages[page].insert(entry);
            }
            if !self.split(page) {
                self.beside.insert(entry.id(), entry);
                return;
            }
        }
    }

    /// Makes two of a page, if the directory may have places for them.
    fn split(&mut self, page: usize) -> bool {
        let depth = self.pages[page].depth;
        if depth == self.depth {
            if self.directory.len() * 2 > self.pages.len() * SPARSE_FACTOR + SPARSE_MIN {
                return false;
            }
            self.directory = self.directory.iter().flat_map(|page| [*page, *page]).collect();
            self.depth += 1;
        }
        let lower = &mut self.pages[page];
        lower.depth += 1;
        let mut upper = Page::new(lower.prefix | 1 << (63 - depth), depth + 1);
        for entry in lower.drain() {
            match entry.hash() >> (63 - depth) & 1 {
                0 => lower.insert(entry),
                _ => upper.insert(entry),
            }
        }
        self.pages.push(upper);
        self.point_to(self.pages.len() - 1);
        true
    }

    /// Has the directory know where a page is.
    fn point_to(&mut self, page: usize) {
        let Page { prefix, depth, .. } = self.pages[page];
        let first = Self::place(prefix, self.depth);
        self.directory[first..first + (1 << (self.depth - depth))].fill(page as u32);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, place: Place) -> Entry {
        self.len -= 1;
        let removed = match place {
            Place::Page { page, at } => {
                let removed = self.pages[page].remove(at);
                if self.pages[page].len() < MERGED_MAX / 2 {
                    self.merge(page);
                }
                removed
            }
            Place::Beside(id) => self.beside.remove(&id).expect("it is there"),
        };
        if self.len == 0 {
            *self = Self::default();
        }
        removed
    }

    /// Makes one of a page and the one from which it was split, if both have few entries.
    #[cold]
    fn merge(&mut self, page: usize) {
        let Page { prefix, depth, .. } = self.pages[page];
        if depth == 0 {
            return;
        }
        let half = 1 << (64 - depth);
        let other = self.directory[Self::place(prefix ^ half, self.depth)] as usize;
        let both = self.pages[page].len() + self.pages[other].len();
        if self.pages[other].depth != depth || both > MERGED_MAX {
            return;
        }
        let gone = self.pages.swap_remove(other.max(page));
        let kept = other.min(page);
        if self.pages.len() > other.max(page) {
            self.point_to(other.max(page));
        }
        self.pages[kept].depth -= 1;
        self.pages[kept].prefix &= !half;
        let mut gone = gone;
        gone.drain().for_each(|entry| self.pages[kept].insert(entry));
        self.point_to(kept);
    }

    /// An entry drawn by lot. There must be one.
    pub fn any(&self, random: &mut Random) -> Place {
        if self.beside.len() == self.len {
            return Place::Beside(*self.beside.keys().next().expect("there is an entry"));
        }
        let (count, first) = (self.pages.len(), random.index(self.pages.len()));
        let page = (first..first + count).map(|page| page % count).find(|page| self.pages[*page].len() > 0);
        let page = page.expect("the pages have entries");
        Place::Page { page, at: self.pages[page].taken_near(random.index(super::page::SLOTS)) }
    }

    /// Changes the entries of some pages, from the one with this number on, and takes out those that nobody has read then. Returns the number of the next page.
    pub fn visit(&mut self, first: usize, count: usize, mut change: impl FnMut(&mut Entry)) -> usize {
        for page in first..(first + count).min(self.pages.len()) {
            let page = &mut self.pages[page];
            let entries: Vec<Entry> = page.drain().collect();
            for mut entry in entries {
                change(&mut entry);
                match entry.is_free() {
                    true => self.len -= 1,
                    false => page.insert(entry),
                }
            }
        }
        let next = first + count;
        if next < self.pages.len() {
            return next;
        }
        let before = self.beside.len();
        self.beside.retain(|_, entry| {
            change(entry);
            !entry.is_free()
        });
        self.len -= before - self.beside.len();
        if self.len == 0 {
            *self = Self::default();
        }
        0
    }

    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// All of them, in no order.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        let paged = self.pages.iter().flat_map(|page| page.taken().map(|at| page.entry(at)));
        paged.chain(self.beside.values())
    }
}
