//! What a script has changed so far, to be taken back when it must run again in another way; who listens is told of it when that
//! cannot happen any more.

use crate::change::{Change, DbKey};
use crate::families::stream;
use crate::{Args, Command, Cx, Event, ShardCx};
use keyspace::{Entry, Found, Key, Pos, Value, ValueRef};
use std::collections::HashMap;
use types::Stream;
use types::stream::{Producers, StreamFront, StreamMark};

/// Bytes of an entry that is copied before it is changed, and of all of them. A script that changes more at once, unannounced, runs
/// as an operation that need not take anything back. A stream to which entries are only added is marked, whatever its size, and of one that is
/// trimmed the blocks are copied that go.
const ENTRY_BYTES_MAX: usize = 4096;
const BYTES_MAX: usize = 256 * 1024;

/// How what was under a key is had again.
enum Before {
    Nothing,
    Copy(Entry),
    /// A stream to which entries were added is cut back; its age comes back, too.
    Mark(Mark, u32),
    /// The same, with a copy from when more than that was done to it.
    CopyAndMark(Entry, Mark),
}

/// How far a stream had come, and what trims have taken since; its producers, if they were noted.
struct Mark {
    stream: StreamMark,
    front: StreamFront,
    producers: Option<Option<Producers>>,
}

impl Mark {
    fn restore(self, stream: &mut Stream) {
        stream.put_front(self.front);
        stream.cut_back(self.stream);
        if let Some(producers) = self.producers {
            stream.set_producers(producers);
        }
    }
}

#[derive(Default)]
pub struct Journal {
    before: HashMap<DbKey, Before>,
    bytes: usize,
    /// Counters when it began.
    counts: Option<Counts>,
    /// The commands it has called.
    calls: Vec<u16>,
    /// What nobody has been told of yet.
    changes: Vec<Change>,
}

struct Counts {
    dirty: u64,
    hits: u64,
    misses: u64,
}

impl Journal {
    /// The script goes on: from now on nobody is told of changes.
    pub fn begin(&mut self, cx: &mut ShardCx) {
        let (dirty, hits, misses) = (cx.dirty, cx.stats.hits, cx.stats.misses);
        self.counts.get_or_insert(Counts { dirty, hits, misses });
        // What it changes now may be what it has read, or changed before.
        cx.is_listening |= !self.changes.is_empty();
        cx.untold = Some(std::mem::take(&mut self.changes));
    }

    /// It has stopped, for a while or for good.
    pub fn pause(&mut self, cx: &mut ShardCx) {
        self.changes = cx.untold.take().unwrap_or_default();
    }

    /// It has called a command.
    pub fn note_call(&mut self, id: u16) {
        self.calls.push(id);
    }

    /// It has come to its end: who listens is told.
    pub fn tell(self, cx: &mut ShardCx) {
        self.changes.into_iter().for_each(|change| cx.hear(change));
    }

    /// Keeps what is under the keys of a command that is about to run, as far as that is not kept yet; whether there was room for all.
    pub fn keep(&mut self, cx: &mut ShardCx, command: &Command, args: Args<'_>, keys: &[DbKey]) -> bool {
        keys.iter().all(|key| match self.before.get(key) {
            None => self.keep_one(cx, command, args, key),
            Some(Before::Mark(..)) => self.keep_marked(cx, command, args, key),
            Some(_) => true,
        })
    }

    fn keep_one(&mut self, cx: &mut ShardCx, command: &Command, args: Args<'_>, key: &DbKey) -> bool {
        let before = match find(cx, key) {
            None => Before::Nothing,
            Some(pos) => match self.mark(cx, command, args, key.0, pos) {
                Some(mark) => Before::Mark(mark, cx.dbs[key.0 as usize].age(pos)),
                None => match self.copy(cx, key.0, pos) {
                    Some(entry) => Before::Copy(entry),
                    None => return false,
                },
            },
        };
        self.before.insert(key.clone(), before);
        true
    }

    /// A mark of the stream at a place, if that is enough to take back what the command does to it.
    fn mark(
        &mut self,
        cx: &mut ShardCx,
        command: &Command,
        args: Args<'_>,
        db: u16,
        pos: Pos,
    ) -> Option<Mark> {
        let ValueRef::Stream(stream) = cx.dbs[db as usize].value(pos) else { return None };
        let mut mark = Mark { stream: stream.mark(), front: StreamFront::default(), producers: None };
        suffices(&mut mark, &mut self.bytes, cx, command, args, (db, pos)).then_some(mark)
    }

    /// The same of a stream that is marked: the mark is enough as long as the stream only grows, or is trimmed.
    fn keep_marked(&mut self, cx: &mut ShardCx, command: &Command, args: Args<'_>, key: &DbKey) -> bool {
        let Some(pos) = find(cx, key) else { return true };
        let Some(Before::Mark(mark, _)) = self.before.get_mut(key) else { return true };
        if suffices(mark, &mut self.bytes, cx, command, args, (key.0, pos)) {
            return true;
        }
        let Some(entry) = self.copy(cx, key.0, pos) else { return false };
        if let Some(Before::Mark(mark, age)) = self.before.remove(key) {
            self.before.insert(key.clone(), Before::CopyAndMark(Entry { age, ..entry }, mark));
        }
        true
    }

    /// A copy of an entry, if there is room for it.
    fn copy(&mut self, cx: &ShardCx, db: u16, pos: Pos) -> Option<Entry> {
        let space = &cx.dbs[db as usize];
        let bytes = space.entry_bytes(pos);
        self.bytes += bytes;
        let fits = bytes <= ENTRY_BYTES_MAX && self.bytes <= BYTES_MAX;
        fits.then(|| Entry {
            value: space.value(pos).duplicate(),
            expire: space.expire(pos),
            age: space.age(pos),
        })
    }

    /// Puts everything back as it was.
    pub fn undo(self, cx: &mut ShardCx) {
        for (key, before) in self.before {
            restore(cx, &key, before);
        }
        if let Some(counts) = self.counts {
            (cx.dirty, cx.stats.hits, cx.stats.misses) = (counts.dirty, counts.hits, counts.misses);
        }
        self.calls.into_iter().for_each(|id| cx.commands.take_back(id));
        // What was over was over before, and is gone.
        let stays = |change: &Change| matches!(change.event, Some((Event::Expired | Event::Evicted, _)));
        self.changes.into_iter().filter(stays).for_each(|change| cx.hear(change));
    }
}

/// Where a key is. One that is over goes now, with a word to those who listen: that is not taken back.
fn find(cx: &mut ShardCx, key: &DbKey) -> Option<Pos> {
    let seed = cx.seed.clone();
    Cx::internal(cx, key.0).find_for_write(Key::new(&key.1, &seed))
}

/// Whether a mark of a stream is still enough once the command has run: all that it can do is to add an entry, to note its producer, and to
/// trim, and there is room to copy what that changes. `bytes`: of all copies.
fn suffices(
    mark: &mut Mark,
    bytes: &mut usize,
    cx: &mut ShardCx,
    command: &Command,
    args: Args<'_>,
    (db, pos): (u16, Pos),
) -> bool {
    let growth = stream::growth(&Cx::internal(cx, db), command, args);
    let ValueRef::Stream(stream) = cx.dbs[db as usize].value(pos) else { return false };
    let Some(growth) = growth else { return false };
    if growth.is_once && mark.producers.is_none() {
        let producers = stream.producers();
        let more = producers.map_or(0, Producers::bytes);
        if more > ENTRY_BYTES_MAX || *bytes + more > BYTES_MAX {
            return false;
        }
        *bytes += more;
        mark.producers = Some(producers.cloned());
    }
    let Some(trim) = growth.trim.filter(|trim| !stream.outlasts(*trim)) else { return true };
    let before = mark.front.bytes();
    let bytes_max = BYTES_MAX.saturating_sub(*bytes) + before;
    let is_kept = stream.keep_front(trim, &mark.stream, &mut mark.front, bytes_max);
    *bytes += mark.front.bytes() - before;
    is_kept
}

fn restore(cx: &mut ShardCx, (db, name): &DbKey, before: Before) {
    let key = Key::new(name, &cx.seed);
    let space = &mut cx.dbs[*db as usize];
    // Also one whose time is over since.
    let found = match space.find(key, 0) {
        Found::Live(pos) => Some(pos),
        _ => None,
    };
    let (entry, mark) = match before {
        Before::Mark(mark, age) => {
            // Nothing else has been done to it; it may have been evicted.
            if let Some(pos) = found {
                mark.restore(&mut space.update::<Stream>(pos));
                space.set_age(pos, age);
            }
            return;
        }
        Before::Nothing => (None, None),
        Before::Copy(entry) => (Some(entry), None),
        Before::CopyAndMark(entry, mark) => (Some(entry), Some(mark)),
    };
    if let Some(pos) = found {
        space.remove(pos);
    }
    if let Some(mut entry) = entry {
        if let (Some(mark), Value::Stream(stream)) = (mark, &mut entry.value) {
            mark.restore(stream);
        }
        space.put_back(key, entry);
    }
}

#[cfg(test)]
mod tests;
