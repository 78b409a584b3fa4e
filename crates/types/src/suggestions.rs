//! Suggestions: texts with scores, found by how they begin (FT.SUGADD and its kind). RediSearch keeps them in a trie; here they stand in order in
//! leaves, which is a trie as well: what begins alike stands together.
//!
//! Invariants: the leaves are sorted by the folded text, then the text itself, and none is empty; what a leaf says of its best score and its shortest text holds
//! for all in it. Entries keep the order in which they came, by which those with the same score are told; the leaves name them by number.

mod letters;
mod remains;
mod search;
mod showing;
#[cfg(test)]
mod tests;

pub(crate) use remains::SuggestionsRemains;
pub use search::{Found, trimmed};
use showing::SuggestionsShowing;

/// Places in a leaf; a full one becomes two.
const LEAF_MAX: usize = 128;
/// Numbers of entries that are gone before the others are numbered anew, if they are as many as these.
const GAPS_MIN: usize = 64;

/// The longest text, in bytes. What is longer is not taken, as in RediSearch.
pub const TEXT_BYTES_MAX: usize = 512;
/// The longest text, in letters.
pub const LETTERS_MAX: usize = 255;

/// A text with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    text: Box<[u8]>,
    /// Only if it differs.
    folded: Option<Box<str>>,
    payload: Option<Box<[u8]>>,
    score: f32,
}

impl Entry {
    fn folded(&self) -> &[u8] {
        self.folded.as_ref().map_or(&self.text, |folded| folded.as_bytes())
    }

    fn heap_bytes(&self) -> usize {
        let folded = self.folded.as_ref().map_or(0, |folded| folded.len());
        self.text.len() + folded + self.payload.as_ref().map_or(0, |payload| payload.len())
    }
}

/// An entry in its order, with what a search asks of most of them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    number: u32,
    score: f32,
    /// Of the text.
    letters: u32,
}

#[derive(Clone, Debug)]
struct Leaf {
    places: Vec<Place>,
    best: f32,
    letters_min: u32,
}

impl Leaf {
    fn new(places: Vec<Place>) -> Self {
        let mut leaf = Self { places, best: 0.0, letters_min: 0 };
        leaf.look();
        leaf
    }

    /// Makes what is said of all places true.
    fn look(&mut self) {
        self.best =
            self.places.iter().map(|place| place.score).max_by(f32::total_cmp).unwrap_or(f32::NEG_INFINITY);
        self.letters_min = self.places.iter().map(|place| place.letters).min().unwrap_or(0);
    }
}

/// Where an entry is in the leaves, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    leaf: usize,
    place: usize,
}

/// One entry, as it is saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggestion<'a> {
    pub text: &'a [u8],
    pub score: f32,
    pub payload: Option<&'a [u8]>,
}

impl<'a> Suggestion<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self { text: &entry.text, score: entry.score, payload: entry.payload.as_deref() }
    }
}

/// The suggestions under a key.
#[derive(Debug, Default)]
pub struct Suggestions {
    /// By number; what is gone leaves a gap.
    entries: Vec<Option<Entry>>,
    gaps: usize,
    leaves: Vec<Leaf>,
    /// Places that there is room for.
    room: usize,
    /// Heap bytes of texts and payloads.
    text_bytes: usize,
    showing: SuggestionsShowing,
}

impl Clone for Suggestions {
    fn clone(&self) -> Self {
        let leaves = self.leaves.clone();
        let room = leaves.iter().map(|leaf| leaf.places.capacity()).sum();
        Self {
            entries: self.entries.clone(),
            gaps: self.gaps,
            leaves,
            room,
            text_bytes: self.text_bytes,
            showing: SuggestionsShowing::default(),
        }
    }
}

/// What ends a text is the first zero byte, as in RediSearch.
fn until_zero(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

impl Suggestions {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.entries.len() - self.gaps
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes.
    pub fn bytes(&self) -> usize {
        self.text_bytes + self.frame_bytes()
    }

    /// Of which so many are not those of texts.
    fn frame_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Option<Entry>>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.room * size_of::<Place>()
    }

    /// What is at least as large as all numbers of entries.
    pub fn numbers_end(&self) -> usize {
        self.entries.len()
    }

    /// The entry with a number. Numbers go from 0 to [`Self::numbers_end`] in the order in which entries came; some have none.
    pub fn suggestion(&self, number: usize) -> Option<Suggestion<'_>> {
        Some(Suggestion::of(self.entries.get(number)?.as_ref()?))
    }

    /// Whether a text can be a suggestion: it is not empty, and not too long.
    pub fn takes(text: &[u8]) -> bool {
        let letters = String::from_utf8_lossy(until_zero(text)).chars().count();
        text.len() <= TEXT_BYTES_MAX && (1..=LETTERS_MAX).contains(&letters)
    }

    /// Adds a text; or changes the score of one that is there, adding to it if `adds`, and its payload if there is a new one. What is not
    /// [taken](Self::takes) is passed over.
    pub fn add(&mut self, text: &[u8], score: f32, adds: bool, payload: Option<&[u8]>) {
        if !Self::takes(text) {
            return;
        }
        let text = until_zero(text);
        let folded = letters::fold(text);
        let letters = folded.chars().count();
        let payload = payload.filter(|payload| !payload.is_empty());
        match self.find(folded.as_bytes(), text) {
            Ok(at) => self.change(at, score, adds, payload),
            Err(at) => {
                let entry = Entry {
                    text: text.into(),
                    folded: (folded.as_bytes() != text).then(|| folded.into()),
                    payload: payload.map(Into::into),
                    score,
                };
                let number = u32::try_from(self.entries.len()).expect("fewer texts than 2^32");
                self.text_bytes += entry.heap_bytes();
                self.entries.push(Some(entry));
                self.insert(at, Place { number, score, letters: letters as u32 });
            }
        }
    }

    fn change(&mut self, at: At, score: f32, adds: bool, payload: Option<&[u8]>) {
        let leaf = &mut self.leaves[at.leaf];
        let place = &mut leaf.places[at.place];
        let entry = self.entries[place.number as usize].as_mut().expect("a place names an entry");
        self.showing.keep(place.number, entry);
        self.text_bytes -= entry.heap_bytes();
        entry.score = if adds { entry.score + score } else { score };
        place.score = entry.score;
        if let Some(payload) = payload {
            entry.payload = Some(payload.into());
        }
        self.text_bytes += entry.heap_bytes();
        leaf.look();
    }

    fn insert(&mut self, at: At, place: Place) {
        if self.leaves.is_empty() {
            self.leaves.push(Leaf::new(Vec::new()));
        }
        let leaf = &mut self.leaves[at.leaf];
        self.room -= leaf.places.capacity();
        leaf.places.insert(at.place, place);
        let split = (leaf.places.len() > LEAF_MAX).then(|| leaf.places.split_off(LEAF_MAX / 2));
        leaf.look();
        self.room += leaf.places.capacity();
        if let Some(places) = split {
            self.room += places.capacity();
            self.leaves.insert(at.leaf + 1, Leaf::new(places));
        }
    }

    /// Removes a text; whether it was there.
    pub fn remove(&mut self, text: &[u8]) -> bool {
        let text = until_zero(text);
        let Ok(at) = self.find(letters::fold(text).as_bytes(), text) else {
            return false;
        };
        let leaf = &mut self.leaves[at.leaf];
        let number = leaf.places.remove(at.place).number;
        if leaf.places.is_empty() {
            self.room -= leaf.places.capacity();
            self.leaves.remove(at.leaf);
        } else {
            leaf.look();
        }
        if let Some(entry) = self.entries[number as usize].take() {
            self.text_bytes -= entry.heap_bytes();
            self.showing.take(number, entry);
        }
        self.gaps += 1;
        // As long as they are shown they go by their numbers.
        if !self.showing.is_on() && self.gaps >= GAPS_MIN && self.gaps * 2 > self.entries.len() {
            self.number_anew();
        }
        true
    }

    /// Closes the gaps.
    fn number_anew(&mut self) {
        let mut next = 0;
        let mut numbers = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            numbers.push(next);
            next += u32::from(entry.is_some());
        }
        self.entries.retain(Option::is_some);
        self.entries.shrink_to_fit();
        self.gaps = 0;
        for place in self.leaves.iter_mut().flat_map(|leaf| &mut leaf.places) {
            place.number = numbers[place.number as usize];
        }
    }

    fn entry(&self, at: At) -> &Entry {
        let number = self.leaves[at.leaf].places[at.place].number;
        self.entries[number as usize].as_ref().expect("a place names an entry")
    }

    /// The first place of which `is_before` is not true; it must be true of some first ones and of no others.
    fn first(&self, is_before: impl Fn(&Entry) -> bool) -> At {
        let whole = self.leaves.partition_point(|leaf| {
            let number = leaf.places[0].number as usize;
            is_before(self.entries[number].as_ref().expect("a place names an entry"))
        });
        let Some(leaf) = whole.checked_sub(1) else {
            return At { leaf: 0, place: 0 };
        };
        let place = self.leaves[leaf].places.partition_point(|place| {
            is_before(self.entries[place.number as usize].as_ref().expect("a place names an entry"))
        });
        At { leaf, place }
    }

    /// Where a text is, or else would be.
    fn find(&self, folded: &[u8], text: &[u8]) -> Result<At, At> {
        let at = self.first(|entry| (entry.folded(), &*entry.text) < (folded, text));
        let found = self.step(at).filter(|at| {
            let entry = self.entry(*at);
            (entry.folded(), &*entry.text) == (folded, text)
        });
        found.ok_or(at)
    }

    /// The place itself, or the first of the next leaf if it is behind the last of its own; `None` behind all.
    fn step(&self, at: At) -> Option<At> {
        match self.leaves.get(at.leaf)?.places.len() {
            len if at.place < len => Some(at),
            _ => (at.leaf + 1 < self.leaves.len()).then_some(At { leaf: at.leaf + 1, place: 0 }),
        }
    }
}
