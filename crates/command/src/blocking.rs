//! Commands that wait: what they wait for, and which of the awaited keys have changed.
//!
//! A handler that finds nothing returns [`Error::Wait`], having changed nothing; the `shard` crate runs it again once a key
//! may have what it asks for, and answers for it when its time is over. Here is only what handlers and events have to do with it.

use crate::{Args, Cx, Error, OwnArgs};
use base::number::parse_f64;
use keyspace::ValueRef;
use resp::Reply;
use std::collections::{HashMap, VecDeque};

/// The type of value that a client waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Awaits {
    List,
    SortedSet,
    Stream,
    /// A group of a stream: its end is news, too.
    Group,
    #[default]
    /// No key: only the time to pass (WAIT without replicas).
    Time,
    /// No key: what was written to be synced (WAITAOF).
    Sync,
    /// That, and then the time to pass.
    SyncAndTime,
}

impl Awaits {
    /// What a client could wait for that finds this value.
    pub fn of(value: &ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::List(_) => Some(Self::List),
            ValueRef::ZSet(_) => Some(Self::SortedSet),
            ValueRef::Stream(_) => Some(Self::Stream),
            _ => None,
        }
    }

    /// Whether a client that awaits this is to be served with what is under the key.
    pub fn is_met_by(self, found: Option<Self>) -> bool {
        self == Self::Group || found == Some(self)
    }
}

/// The reply when the time is over, or where a command must not wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overdue {
    #[default]
    NullArray,
    /// WAIT: nobody has acknowledged.
    None,
    /// WAITAOF: nor is what was written synced here.
    NoneAndNone,
    /// WAITAOF: it is synced here.
    OneAndNone,
}

impl Overdue {
    pub fn write(self, out: &mut Reply) {
        match self {
            Self::NullArray => out.null_array(),
            Self::None => out.int(0),
            Self::NoneAndNone | Self::OneAndNone => {
                out.array(2);
                out.int(i64::from(self == Self::OneAndNone));
                out.int(0);
            }
        }
    }
}

/// What a command waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    pub awaits: Awaits,
    /// The arguments that are awaited keys, ascending.
    pub keys: Vec<usize>,
    /// For how long; `None` without end.
    pub timeout_us: Option<u64>,
    pub overdue: Overdue,
    /// Arguments that have another text when the command runs again: what they meant when it ran first.
    pub settled: Vec<(usize, Vec<u8>)>,
    /// After so long it is tried again, even if nothing has happened to its keys.
    pub again_us: Option<u64>,
    /// When one of several with the same name has found nothing under a key, neither do the others.
    pub rivals: Option<Box<[u8]>>,
}

impl Wait {
    /// The arguments that the command runs with from now on.
    pub fn settle(&self, mut args: OwnArgs) -> OwnArgs {
        self.settled.iter().for_each(|(index, text)| args.replace(*index, text));
        args
    }
}

/// A timeout in seconds, as µs from now on; `None` for without end.
///
/// # Errors
/// Those of Redis.
pub fn seconds(cx: &Cx<'_>, args: Args<'_>, index: usize) -> Result<Option<u64>, Error> {
    let seconds = args.get(index).and_then(parse_f64).filter(|seconds| !seconds.is_nan());
    let ms = seconds.ok_or_else(|| Error::TIMEOUT_NOT_FLOAT)? * 1000.0;
    // Redis compares in 80 bits, where the largest number of ms exists.
    if ms >= i64::MAX as f64 {
        return Err(Error::TIMEOUT_OUT_OF_RANGE);
    }
    duration(cx, ms.ceil() as i64)
}

/// The same in ms.
///
/// # Errors
/// Those of Redis.
pub fn milliseconds(cx: &Cx<'_>, args: Args<'_>, index: usize) -> Result<Option<u64>, Error> {
    let ms = args.int(index).map_err(|_| Error::TIMEOUT_NOT_INTEGER)?;
    duration(cx, ms)
}

fn duration(cx: &Cx<'_>, ms: i64) -> Result<Option<u64>, Error> {
    match u64::try_from(ms) {
        Err(_) => Err(Error::TIMEOUT_NEGATIVE),
        Ok(0) => Ok(None),
        // The end must be a time of day.
        Ok(ms) if ms > (i64::MAX as u64).saturating_sub(cx.now_ms()) => Err(Error::TIMEOUT_OUT_OF_RANGE),
        Ok(ms) => Ok(Some(ms.saturating_mul(1000))),
    }
}

impl Cx<'_> {
    /// Has the command wait; where it must not, it answers as if its time were over.
    ///
    /// # Errors
    /// [`Error::Wait`]
    pub fn wait(&self, wait: Wait, out: &mut Reply) -> Result<(), Error> {
        if !self.deny_blocking {
            return Err(Error::Wait(Box::new(wait)));
        }
        wait.overdue.write(out);
        Ok(())
    }

    /// Whether the command runs again for the sake of another of its keys than this one.
    #[inline]
    pub fn passes_over(&self, index: usize) -> bool {
        self.shard.awaited.serving.is_some_and(|served| served != index)
    }
}

/// Names an awaited key.
pub type AwaitedId = usize;

struct Slot {
    db: u16,
    key: Box<[u8]>,
    /// Clients that wait for it.
    count: usize,
    /// Those among them who must be told when it goes.
    of_end: usize,
    is_changed: bool,
}

/// Keys of this shard that blocked clients wait for.
#[derive(Default)]
pub struct Awaited {
    dbs: HashMap<u16, HashMap<Box<[u8]>, AwaitedId>>,
    slots: Vec<Slot>,
    free: Vec<AwaitedId>,
    /// Those that have changed, in the order they did.
    changed: VecDeque<AwaitedId>,
    count: usize,
    /// Keys of whose end somebody must be told.
    with_end: usize,
    /// Clients that wait for a limited time.
    pub timed: u64,
    /// The key, by its argument, for the sake of which a command runs again.
    pub serving: Option<usize>,
    /// Clients whose waiting this shard ends (by CLIENT ID), and whether it is about to be served.
    pub clients: HashMap<u64, bool>,
    /// Clients that CLIENT UNBLOCK has freed, and whether with an error.
    pub freed: Vec<(u64, bool)>,
}

impl Awaited {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many keys are awaited.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether anything has happened that blocked clients must know of.
    #[inline]
    pub fn has_news(&self) -> bool {
        !self.changed.is_empty() || !self.freed.is_empty()
    }

    /// One more client waits for a key.
    pub fn enter(&mut self, db: u16, key: &[u8]) -> AwaitedId {
        let keys = self.dbs.entry(db).or_default();
        if let Some(&id) = keys.get(key) {
            self.slots[id].count += 1;
            return id;
        }
        let slot = Slot { db, key: key.into(), count: 1, of_end: 0, is_changed: false };
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        keys.insert(key.into(), id);
        self.count += 1;
        id
    }

    /// One of those who wait for a key must be told when it goes, or (`more` is false) one less.
    pub fn set_end(&mut self, id: AwaitedId, more: bool) {
        let of_end = &mut self.slots[id].of_end;
        match more {
            true => *of_end += 1,
            false => *of_end -= 1,
        }
        match (more, *of_end) {
            (true, 1) => self.with_end += 1,
            (false, 0) => self.with_end -= 1,
            _ => {}
        }
    }

    /// Of how many keys somebody must be told the end.
    pub fn with_end(&self) -> usize {
        self.with_end
    }

    /// One less does.
    pub fn leave(&mut self, id: AwaitedId) {
        let slot = &mut self.slots[id];
        slot.count -= 1;
        if slot.count > 0 {
            return;
        }
        if let Some(keys) = self.dbs.get_mut(&slot.db) {
            keys.remove(&slot.key);
            if keys.is_empty() {
                self.dbs.remove(&slot.db);
            }
        }
        self.count -= 1;
        if !self.slots[id].is_changed {
            self.free.push(id);
        }
    }

    /// A key has changed.
    pub fn note(&mut self, db: u16, key: &[u8]) {
        if let Some(id) = self.find(db, key) {
            self.note_one(id);
        }
    }

    pub fn find(&self, db: u16, key: &[u8]) -> Option<AwaitedId> {
        self.dbs.get(&db)?.get(key).copied()
    }

    /// All keys of a database have.
    pub fn note_all(&mut self, db: u16) {
        let ids = self.dbs.get(&db).map_or(Vec::new(), |keys| keys.values().copied().collect());
        ids.into_iter().for_each(|id| self.note_one(id));
    }

    /// As if the key had changed.
    pub fn note_one(&mut self, id: AwaitedId) {
        if !std::mem::replace(&mut self.slots[id].is_changed, true) {
            self.changed.push_back(id);
        }
    }

    /// The awaited key that changed first, and is forgotten to have.
    pub fn take_changed(&mut self) -> Option<AwaitedId> {
        while let Some(id) = self.changed.pop_front() {
            self.slots[id].is_changed = false;
            if self.slots[id].count > 0 {
                return Some(id);
            }
            self.free.push(id);
        }
        None
    }

    /// The key's database and name.
    pub fn name(&self, id: AwaitedId) -> (u16, &[u8]) {
        (self.slots[id].db, &self.slots[id].key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_keys_come_once_and_in_order() {
        let mut awaited = Awaited::default();
        let (a, b) = (awaited.enter(0, b"a"), awaited.enter(0, b"b"));
        assert_eq!((awaited.enter(0, b"a"), awaited.len()), (a, 2));
        let other = awaited.enter(1, b"a");
        assert!(other != a && !awaited.has_news());
        for key in [&b"b"[..], b"a", b"b", b"none"] {
            awaited.note(0, key);
        }
        assert_eq!(
            (awaited.take_changed(), awaited.take_changed(), awaited.take_changed()),
            (Some(b), Some(a), None)
        );
        awaited.note_all(1);
        awaited.leave(other);
        // Its number is not given away while it stands among the changed.
        let c = awaited.enter(0, b"c");
        assert!(c != other && awaited.take_changed().is_none());
        assert_eq!(awaited.enter(5, b"d"), other);
        awaited.leave(a);
        assert_eq!((awaited.len(), awaited.name(a)), (4, (0, &b"a"[..])));
        for (more, keys) in [(true, 1), (true, 1), (false, 1), (false, 0)] {
            awaited.set_end(a, more);
            assert_eq!(awaited.with_end(), keys);
        }
        awaited.leave(a);
        assert_eq!(awaited.len(), 3);
        awaited.note(0, b"a");
        assert!(!awaited.has_news());
    }
}
