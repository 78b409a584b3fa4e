//! How far groups have read a stream, and reading on.
//!
//! A group counts what it reads. The count says how many entries it has still to read as long as none was deleted behind the last one it
//! read; where one was, it is worked out anew when the group stands at an end of the stream (as Redis 8.2 does).

use super::group::Group;
use super::groups::GroupMut;
use super::pending::ConsumerId;
use super::{Entry, Stream, StreamId};

impl Stream {
    /// Whether an entry at `from` or behind it may have been deleted.
    fn has_gap_from(&self, from: StreamId) -> bool {
        !self.is_empty() && !self.max_deleted_id.is_zero() && from <= self.max_deleted_id
    }

    /// How many entries there ever were up to an ID, that one included; `None` if nobody knows.
    pub fn entries_ever_until(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(self.entries_added);
        }
        if !id.is_zero() && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let is_whole = self.max_deleted_id.is_zero() || self.max_deleted_id < self.first_id();
        if !is_whole || id > self.first_id() {
            return None;
        }
        let before_first = self.entries_added.wrapping_sub(self.len() as u64);
        Some(before_first.wrapping_add(u64::from(id == self.first_id())))
    }

    /// How many entries a group has still to read; `None` if nobody knows. Below 0 if a client has set a count too high.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 || self.is_empty() {
            return Some(0);
        }
        let first = self.first_id();
        if group.last_id < first && self.max_deleted_id < first {
            return Some(self.len() as i64);
        }
        let counted = group.entries_read.filter(|_| !self.has_gap_from(group.last_id));
        let read = counted.or_else(|| self.entries_ever_until(group.last_id))?;
        Some(self.entries_added.wrapping_sub(read) as i64)
    }

    /// Whether there is an entry that a group has not read.
    pub fn has_news_for(&self, group: &Group) -> bool {
        self.last_live_id().is_some_and(|last| last > group.last_id)
    }

    /// The ID of the last entry that is there.
    pub fn last_live_id(&self) -> Option<StreamId> {
        if self.is_empty() {
            return None;
        }
        // Only what was deleted can stand between them.
        match self.max_deleted_id < self.last_id {
            true => Some(self.last_id),
            false => self.last().map(|entry| entry.id),
        }
    }

    /// Changes a group, which there is, with the entries in view.
    pub fn with_group<R>(&mut self, name: &[u8], f: impl FnOnce(&Self, &mut GroupMut<'_>) -> R) -> R {
        let mut groups = std::mem::take(&mut self.groups);
        let result = f(self, &mut groups.get_mut(name).expect("there is the group"));
        self.groups = groups;
        result
    }

    /// Reads on for a group, up to as many entries as `take` wants: it says of each whether it is taken (then it was shown the last
    /// one). Entries that a consumer takes are pending for it from then on.
    ///
    /// There is such a group.
    pub fn read_on(
        &mut self,
        name: &[u8],
        consumer: Option<ConsumerId>,
        now_ms: u64,
        mut take: impl FnMut(&Entry<'_>) -> bool,
    ) -> usize {
        let mut groups = std::mem::take(&mut self.groups);
        let mut count = 0;
        {
            let mut group = groups.get_mut(name).expect("there is the group");
            if let Some(from) = group.last_id.next() {
                for entry in self.range(from, StreamId::MAX) {
                    if !take(&entry) {
                        break;
                    }
                    self.note_read(&mut group, entry.id);
                    if let Some(consumer) = consumer {
                        group.assign(entry.id, consumer, now_ms, 1);
                    }
                    count += 1;
                }
            }
            if let Some(consumer) = consumer.filter(|_| count > 0) {
                group.consumer_mut(consumer).active_ms = Some(now_ms);
            }
        }
        self.groups = groups;
        count
    }

    /// A group has read up to this entry.
    fn note_read(&self, group: &mut Group, id: StreamId) {
        match group.entries_read {
            Some(read) if group.last_id >= self.first_id() && !self.has_gap_from(group.last_id) => {
                group.entries_read = Some(read.wrapping_add(1));
            }
            _ if self.entries_added > 0 => group.entries_read = self.entries_ever_until(id),
            _ => {}
        }
        group.last_id = id;
    }
}
