//! Large values in a walk: begun one after the other, or when they are about to change, and written in parts beside each other.
//!
//! Most can change meanwhile: collections keep what is about to change by themselves ([`types::showing`]), long strings have it kept
//! ([`super::text`]). What is in one piece is written to its end first. A value whose key goes becomes the walk's; one that gets another key, or
//! goes to another database of the shard, takes along what is known of it ([`Moving`]).

use super::text::Text;
use super::{Far, LARGE_BYTES, RecordId, Scribe, SharedScribe, Walk, entry, lock, place_of};
use crate::bin::Bin;
use crate::db::Db;
use crate::entry::Entry;
use crate::key::Key;
use crate::record::{self, KeyLayout, document, showable};
use crate::value::{Value, ValueRef};
use json::Document;
use json::showing::{Part, Reader};
use std::ops::Range;
use table::{Pos, Table};
use types::showing::{Element, Showable};

/// Large values whose keys are gone may wait as long as they take no more than this, bytes, beside the one that went last.
const ORPHAN_BYTES_MAX: usize = 8 << 20;
/// A value keeps no more than this for the walk when a command is over, bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// Who changes a document that keeps more than this writes a part of it, bytes.
const DOCUMENT_KEPT_BYTES_MAX: usize = 1 << 20;

/// A large value on its way.
pub(super) struct Begun {
    record: RecordId,
    way: Way,
    /// Who writes it: of another shard, if it is lent.
    scribe: SharedScribe,
}

/// How a value is written.
enum Way {
    /// In parts, and does not change before it is done.
    Unchanged,
    /// In parts. It never changes where it is: another takes its place.
    Exchanged,
    /// Shown element by element; it keeps by itself what is about to change.
    ByElement,
    Text(Text),
    /// A document, which keeps by itself what is about to change.
    Document(Reader),
    /// What is left of one whose elements are written, or all of it, as it was.
    Rest(Value),
}

/// An entry on its way from one key to another, to another database of its shard, or to another shard: it must get there.
pub struct Moving {
    entry: Entry,
    /// What has been begun of it.
    begun: Option<Begun>,
}

impl Moving {
    /// Whether it is being written.
    pub fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// The value.
    pub fn value(&self) -> ValueRef<'_> {
        self.entry.value.view()
    }

    /// Has a part of it written, wherever it is; false if nothing of it is to be written any more.
    pub fn write_on(&mut self) -> bool {
        let Some(begun) = &mut self.begun else { return false };
        if begun.write_on(Place::Own(&mut self.entry.value), false) {
            self.begun = None;
        }
        true
    }
}

impl From<Entry> for Moving {
    /// One of which no walk needs anything more.
    fn from(entry: Entry) -> Self {
        Self { entry, begun: None }
    }
}

/// Where a value stands that is written.
enum Place<'a> {
    InTable(&'a mut Table<KeyLayout>, Pos),
    Own(&'a mut Value),
}

impl Place<'_> {
    fn view(&self) -> ValueRef<'_> {
        match self {
            Self::InTable(table, pos) => record::value(table.record(*pos)),
            Self::Own(value) => value.view(),
        }
    }

    fn showable(&mut self) -> Showable<'_> {
        let showable = match self {
            Self::InTable(table, pos) => showable(table, *pos),
            Self::Own(value) => value.showable(),
        };
        showable.expect("it has not been put in another form")
    }

    fn document(&mut self) -> &mut Document {
        let document = match self {
            Self::InTable(table, pos) => document(table, *pos),
            Self::Own(value) => value.document(),
        };
        document.expect("it is a document as long as it is written")
    }

    fn text(&self) -> &[u8] {
        match self.view() {
            ValueRef::Str { bytes, .. } => bytes.bytes(),
            _ => panic!("it is a string as long as it is written"),
        }
    }
}

impl Begun {
    /// Goes on with the value, to its end if `to_the_end`; whether it is over.
    fn write_on(&mut self, mut place: Place<'_>, to_the_end: bool) -> bool {
        let record = self.record;
        let scribe: &mut dyn Scribe = &mut *lock(&self.scribe);
        loop {
            let has_more = match &mut self.way {
                Way::Unchanged | Way::Exchanged => {
                    return scribe.write_on(record, place.view(), to_the_end);
                }
                Way::ByElement => place.showable().show_on(&mut |element| scribe.element(record, element)),
                Way::Text(text) => {
                    text.show_on(place.text(), &mut |part| scribe.element(record, Element::Text(part)))
                }
                Way::Document(reader) => show_document(reader, place.document(), scribe, record),
                Way::Rest(value) => return scribe.write_on(record, value.view(), to_the_end),
            };
            if !has_more
                && matches!(self.way, Way::ByElement)
                && let Some(rest) = place.showable().take_rest()
            {
                place.showable().end();
                scribe.begin_rest(record);
                self.way = Way::Rest(Value::Stream(rest));
            } else if !has_more {
                match self.way {
                    Way::ByElement => place.showable().end(),
                    Way::Document(_) => place.document().end_showing(),
                    Way::Unchanged | Way::Exchanged | Way::Text(_) | Way::Rest(_) => {}
                }
                scribe.end_elements(record);
                return true;
            }
            if !to_the_end {
                return false;
            }
        }
    }
}

/// Shows a document on; whether there is more of it.
fn show_document(
    reader: &mut Reader,
    document: &mut Document,
    scribe: &mut dyn Scribe,
    record: RecordId,
) -> bool {
    reader.show_on(document, &mut |part| {
        let element = match part {
            Part::Length(bytes) => Element::TextLen(bytes),
            Part::Text(text) => Element::Text(text),
        };
        scribe.element(record, element);
    })
}

impl Walk {
    /// Begins to write the value of a key, if it is large and that has not been done.
    pub(super) fn begin(&mut self, table: &mut Table<KeyLayout>, far: &Far, key: &[u8]) {
        let Some(key) = self.large.take(key) else { return };
        let pos = place_of(table, &key);
        let text_len = record::str(table.record(pos)).map_or(0, |text| text.bytes().len());
        let way = if text_len > LARGE_BYTES {
            Way::Text(Text::new(text_len))
        } else if showable(table, pos).is_some_and(|mut showable| showable.begin()) {
            Way::ByElement
        } else if let Some(document) = document(table, pos) {
            match document.shared_numbers() {
                Some(shared) => Way::Rest(Value::Json(Box::new(shared))),
                None if document.begin_showing() => Way::Document(Reader::default()),
                None => Way::Exchanged,
            }
        } else {
            Way::Unchanged
        };
        let by_element = !matches!(way, Way::Unchanged | Way::Exchanged | Way::Rest(_));
        let scribe = self.scribe.clone();
        let record = lock(&scribe).begin(self.number, &entry(table.record(pos), far), by_element);
        self.begun.insert(key.clone(), Begun { record, way, scribe });
        self.order.push_back(key);
    }

    /// Goes on with a value that has been begun; whether it is over.
    pub(super) fn write_begun(&mut self, table: &mut Table<KeyLayout>, key: &[u8], to_the_end: bool) -> bool {
        let Some(begun) = self.begun.get_mut(key) else { return true };
        let pos = place_of(table, key);
        let is_over = begun.write_on(Place::InTable(table, pos), to_the_end);
        if is_over && let Some(Begun { way: Way::Rest(value), .. }) = self.begun.remove(key) {
            self.spent = Some(value);
        }
        is_over
    }

    /// Goes on with a value whose key is gone.
    pub(super) fn write_orphan(&mut self, bin: &Bin, to_the_end: bool) {
        let Some((mut begun, mut value)) = self.orphans.pop_front() else { return };
        if begun.write_on(Place::Own(&mut value), to_the_end) {
            self.orphan_bytes -= value.outside_bytes();
            bin.put(value);
        } else {
            self.orphans.push_front((begun, value));
        }
    }

    /// What has been begun of a key is the caller's.
    fn give_up(&mut self, key: &[u8]) -> Option<Begun> {
        // What it has begun of a table of its own has nothing to do with the database any more.
        if self.left.is_some() {
            return None;
        }
        let begun = self.begun.remove(key)?;
        self.order.retain(|other| **other != *key);
        Some(begun)
    }

    /// Takes a value over whose key goes, if it is large and not written; otherwise it is given back.
    pub(crate) fn adopt(&mut self, key: &[u8], value: Value, bin: &Bin) -> Option<Value> {
        let Some(begun) = self.give_up(key) else { return Some(value) };
        let bytes = value.outside_bytes();
        self.orphan_bytes += bytes;
        self.orphans.push_back((begun, value));
        while self.orphan_bytes - bytes > ORPHAN_BYTES_MAX {
            self.write_orphan(bin, true);
        }
        None
    }

    /// Writes what has been begun of the value of a key to its end.
    pub(super) fn write_to_the_end(&mut self, table: &mut Table<KeyLayout>, key: &[u8]) {
        if self.begun.contains_key(key) {
            self.write_begun(table, key, true);
            self.order.retain(|other| **other != *key);
        }
    }

    /// The same, if it cannot change before.
    pub(super) fn write_what_cannot_change(&mut self, table: &mut Table<KeyLayout>, key: &[u8]) {
        if self.begun.get(key).is_some_and(|begun| matches!(begun.way, Way::Unchanged)) {
            self.write_to_the_end(table, key);
        }
    }

    /// Keeps bytes of a string that are about to change.
    pub(super) fn keep_bytes(
        &mut self,
        table: &mut Table<KeyLayout>,
        key: &[u8],
        changes: impl IntoIterator<Item = Range<usize>>,
    ) {
        let Some(Begun { record, way: Way::Text(text), scribe }) = self.begun.get_mut(key) else {
            return self.write_what_cannot_change(table, key);
        };
        let (record, pos) = (*record, place_of(table, key));
        let bytes = Place::InTable(table, pos);
        let owed: usize = changes.into_iter().map(|range| text.keep(bytes.text(), range)).sum();
        let (mut written, mut has_more) = (0, true);
        while has_more && written < owed {
            let mut scribe = lock(scribe);
            has_more = text.show_on(bytes.text(), &mut |part| {
                written += part.len();
                scribe.element(record, Element::Text(part));
            });
        }
        if !has_more {
            lock(scribe).end_elements(record);
            self.begun.remove(key);
            self.order.retain(|other| **other != *key);
        }
    }

    /// Takes what a collection has kept, if that is much.
    pub(super) fn take_kept(&mut self, table: &mut Table<KeyLayout>, key: &[u8]) {
        let Some(Begun { record, way, scribe }) = self.begun.get_mut(key) else { return };
        let mut place = Place::InTable(table, place_of(table, key));
        match way {
            Way::Unchanged | Way::Exchanged | Way::Text(_) | Way::Rest(_) => {}
            Way::ByElement => {
                let mut showable = place.showable();
                if showable.kept_bytes() > KEPT_BYTES_MAX {
                    let mut scribe = lock(scribe);
                    showable.show_kept(&mut |element| scribe.element(*record, element));
                }
            }
            Way::Document(_) => {
                if place.document().kept_bytes() > DOCUMENT_KEPT_BYTES_MAX {
                    self.write_begun(table, key, false);
                }
            }
        }
        if !self.begun.contains_key(key) {
            self.order.retain(|other| **other != *key);
        }
    }

    /// Shows nobody anything any more.
    pub(super) fn end(mut self, table: &mut Table<KeyLayout>, bin: &Bin) {
        for key in self.order {
            let pos = place_of(table, &key);
            if let Some(mut showable) = showable(table, pos) {
                showable.end();
            }
            document(table, pos).into_iter().for_each(Document::end_showing);
        }
        self.orphans.drain(..).for_each(|(_, value)| bin.put(value));
    }
}

impl Db {
    /// Takes an entry out that gets another key, here or elsewhere. What a walk has written of it counts there.
    pub fn depart(&mut self, pos: Pos) -> Moving {
        self.keep_entry(pos);
        let table = &self.table;
        let begun = self.walk.as_deref_mut().and_then(|walk| walk.give_up(record::key(table.record(pos))));
        Moving { entry: self.take_out(pos), begun }
    }

    /// Puts such an entry under a key that is absent.
    pub fn arrive(&mut self, key: Key<'_>, moving: Moving) -> Pos {
        let Moving { mut entry, begun } = moving;
        let Some(mut begun) = begun else { return self.install(key, entry) };
        let is_ended = self.walk.as_ref().is_some_and(|walk| walk.left.is_some());
        if is_ended {
            // The walk is busy with what this database held before it was emptied.
            begun.write_on(Place::Own(&mut entry.value), true);
            return self.install(key, entry);
        }
        let walk = self.walk.get_or_insert_with(|| {
            self.table.begin_walk();
            let mut walk = Walk::new(0, begun.scribe.clone());
            (walk.cursor, walk.is_for_others) = (None, true);
            Box::new(walk)
        });
        walk.order.push_back(key.bytes.into());
        walk.begun.insert(key.bytes.into(), begun);
        self.install(key, entry)
    }

    /// The same of one that comes from another shard, or comes back: nobody is told.
    pub fn come_in(&mut self, key: Key<'_>, moving: Moving) {
        self.silently(|db| db.arrive(key, moving));
    }
}
