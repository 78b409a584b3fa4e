//! The pages of an array in order, in groups: whatever is inserted or removed moves one group's pages at most.
//!
//! Invariants: no page and no group is empty; numbers ascend; a group's `first` is the number of its first page; `pages`
//! and `room` are sums over all groups.

use super::page::Page;

/// Pages of a group.
const GROUP_PAGES_MAX: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Directory {
    groups: Vec<Group>,
    pages: usize,
    /// Places for pages that all groups have room for.
    room: usize,
}

#[derive(Clone, Debug)]
struct Group {
    first: u64,
    pages: Vec<Numbered>,
}

/// A page, with the number of its place: its first position divided by those of a page.
#[derive(Clone, Debug)]
pub struct Numbered {
    pub number: u64,
    pub page: Page,
}

/// Where a page stands, or belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    group: usize,
    at: usize,
}

impl Directory {
    /// Pages.
    pub fn len(&self) -> usize {
        self.pages
    }

    /// Places for pages that are allocated.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Groups beyond the first.
    pub fn extra_groups(&self) -> usize {
        self.groups.len().saturating_sub(1)
    }

    /// Heap bytes of the directory itself, without what the pages hold.
    pub fn own_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Group>() + self.room * size_of::<Numbered>()
    }

    /// The first page whose number is not below `number`; and whether it has that number.
    pub fn find(&self, number: u64) -> (Place, bool) {
        let group = self.groups.partition_point(|group| group.first <= number).saturating_sub(1);
        let Some(pages) = self.groups.get(group).map(|group| &group.pages) else {
            return (Place { group: 0, at: 0 }, false);
        };
        let at = pages.partition_point(|page| page.number < number);
        if at == pages.len() {
            return (Place { group: group + 1, at: 0 }, false);
        }
        (Place { group, at }, pages[at].number == number)
    }

    pub fn get(&self, place: Place) -> Option<&Numbered> {
        self.groups.get(place.group)?.pages.get(place.at)
    }

    pub fn get_mut(&mut self, place: Place) -> Option<&mut Numbered> {
        self.groups.get_mut(place.group)?.pages.get_mut(place.at)
    }

    pub fn next(&self, place: Place) -> Place {
        if place.at + 1 < self.groups[place.group].pages.len() {
            Place { at: place.at + 1, ..place }
        } else {
            Place { group: place.group + 1, at: 0 }
        }
    }

    /// The place before one that exists, or before the end.
    pub fn previous(&self, place: Place) -> Option<Place> {
        if place.at > 0 {
            return Some(Place { at: place.at - 1, ..place });
        }
        let group = place.group.checked_sub(1)?;
        Some(Place { group, at: self.groups[group].pages.len() - 1 })
    }

    pub fn last(&self) -> Option<&Numbered> {
        self.groups.last()?.pages.last()
    }

    pub fn insert(&mut self, number: u64, page: Page) -> Place {
        let numbered = Numbered { number, page };
        self.pages += 1;
        let index = self.groups.partition_point(|group| group.first <= number).saturating_sub(1);
        let Some(group) = self.groups.get_mut(index) else {
            self.groups.push(Group { first: number, pages: vec![numbered] });
            self.room += 1;
            return Place { group: 0, at: 0 };
        };
        let at = group.pages.partition_point(|page| page.number < number);
        if group.pages.len() < GROUP_PAGES_MAX {
            self.room -= group.pages.capacity();
            group.insert(at, numbered);
            self.room += group.pages.capacity();
            return Place { group: index, at };
        }
        // What grows at the end leaves full groups behind.
        let keep = if at == group.pages.len() { at } else { GROUP_PAGES_MAX / 2 };
        self.room -= group.pages.capacity();
        let mut upper = Group { first: 0, pages: group.pages.split_off(keep) };
        let place = if at <= keep && at < GROUP_PAGES_MAX {
            group.insert(at, numbered);
            Place { group: index, at }
        } else {
            upper.insert(at - keep, numbered);
            Place { group: index + 1, at: at - keep }
        };
        group.pages.shrink_to_fit();
        upper.first = upper.pages[0].number;
        self.room += group.pages.capacity() + upper.pages.capacity();
        self.groups.insert(index + 1, upper);
        place
    }

    /// Takes a page out.
    pub fn remove(&mut self, place: Place) -> Numbered {
        let group = &mut self.groups[place.group];
        self.room -= group.pages.capacity();
        let removed = group.pages.remove(place.at);
        self.pages -= 1;
        group.settle();
        self.room += group.pages.capacity();
        if group.pages.is_empty() {
            self.groups.remove(place.group);
            self.settle();
        }
        removed
    }

    /// Takes all pages from number `first` to `last` out, both included, and shows them.
    pub fn remove_between(&mut self, first: u64, last: u64, mut see: impl FnMut(Numbered)) {
        let (from, to) = (self.find(first).0.group, self.groups.partition_point(|group| group.first <= last));
        if from >= to {
            return;
        }
        // Only the first and the last of these groups may have pages that stay.
        for group in &mut self.groups[from..to] {
            self.room -= group.pages.capacity();
            let low = group.pages.partition_point(|page| page.number < first);
            let high = group.pages.partition_point(|page| page.number <= last);
            self.pages -= high - low;
            group.pages.drain(low..high).for_each(&mut see);
            group.settle();
            self.room += group.pages.capacity();
        }
        let empty_from = from + usize::from(!self.groups[from].pages.is_empty());
        let empty_to = to - usize::from(!self.groups[to - 1].pages.is_empty());
        if empty_from < empty_to {
            self.groups.drain(empty_from..empty_to);
            self.settle();
        }
    }

    /// Takes the last page out.
    pub fn pop(&mut self) -> Option<Numbered> {
        let group = self.groups.len().checked_sub(1)?;
        let at = self.groups[group].pages.len() - 1;
        Some(self.remove(Place { group, at }))
    }

    /// To be called once for a copy, whose buffers have other capacities.
    pub fn recount(&mut self) {
        self.room = self.groups.iter().map(|group| group.pages.capacity()).sum();
    }

    fn settle(&mut self) {
        if self.groups.len() * 4 <= self.groups.capacity() {
            self.groups.shrink_to(self.groups.len() * 2);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Numbered> {
        self.groups.iter().flat_map(|group| &group.pages)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Numbered> {
        self.groups.iter_mut().flat_map(|group| &mut group.pages)
    }

    #[cfg(test)]
    pub fn check(&self) {
        assert_eq!(self.pages, self.iter().count());
        assert_eq!(self.room, self.groups.iter().map(|group| group.pages.capacity()).sum::<usize>());
        assert!(self.groups.iter().all(|group| group.first == group.pages[0].number));
        assert!(self.iter().map(|page| page.number).is_sorted_by(|a, b| a < b));
        assert!(self.iter().all(|page| page.page.count() > 0));
    }
}

impl Group {
    /// There is room for one more.
    fn insert(&mut self, at: usize, numbered: Numbered) {
        let pages = &mut self.pages;
        if pages.len() == pages.capacity() {
            pages.reserve_exact((pages.len() / 2).clamp(1, GROUP_PAGES_MAX));
        }
        pages.insert(at, numbered);
        self.first = pages[0].number;
    }

    /// After pages have gone.
    fn settle(&mut self) {
        if self.pages.len() * 4 <= self.pages.capacity() {
            self.pages.shrink_to(self.pages.len() * 2);
        }
        self.first = self.pages.first().map_or(self.first, |page| page.number);
    }
}
