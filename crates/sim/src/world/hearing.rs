//! What clients hear that is no reply, and those who wait for ever.

use super::{Anomaly, Awaited, World};
use crate::caching::{Cache, Mode, Written};
use crate::history::Record;
use crate::listening::Listening;
use crate::op::{Key, Op, Text};
use crate::streams::{self, Entry};
use crate::workload::{Role, Workload};
use std::collections::{BTreeMap, HashMap};
use testkit::Value;

impl World {
    /// What a client has to say first on a new connection.
    pub(super) fn greet(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let link = &mut self.links[lane.link];
        match lane.role {
            Role::Watcher => link.send(&testkit::client::encode(&["MONITOR"])),
            Role::Listener | Role::Cacher => {
                link.send(&testkit::client::encode(&["HELLO", "3"]));
                lane.pending.push_back(Awaited::Aside);
            }
            _ => {}
        }
        if lane.role == Role::Cacher {
            let mode = Mode::any(&mut self.random);
            link.send(&testkit::client::encode(&mode.request()));
            lane.pending.push_back(Awaited::Aside);
            lane.cache = Some(Cache::new(mode));
        }
        if lane.role == Role::Listener {
            (0..2).for_each(|_| self.toggle(index));
        }
    }

    /// A client that listens begins to listen to something else, or ends that.
    pub(super) fn toggle(&mut self, index: usize) {
        let (link, at) = (self.lanes[index].link, 2 * self.now + 1);
        let request = self.listening.toggle(link, at, &mut self.random);
        self.links[link].send(&request);
    }

    /// A client reads what is no reply.
    pub(super) fn hear(&mut self, index: usize, parts: &[Value]) -> Result<(), Anomaly> {
        let (at, lane) = (2 * self.now, &mut self.lanes[index]);
        if let Some(cache) = &mut lane.cache {
            self.invalidations += 1;
            let written = written(&self.history, &self.writers, &self.workload);
            return cache.forget(parts, &self.workload.keys.names, &written).map_err(Anomaly::Cache);
        }
        let text = self.listening.hear(lane.link, at, parts).map_err(Anomaly::Message)?;
        let source = text.and_then(|text| Listening::source(&self.history, &text));
        if let Some(place) = source {
            self.look_behind(index, place);
        }
        Ok(())
    }

    /// A client has got a message: what its publisher wrote before is there, and it looks for that.
    fn look_behind(&mut self, index: usize, place: usize) {
        let (link, seen) = (self.history[place].link, 2 * self.now);
        let mut keys = Vec::new();
        for record in self.history[..=place].iter_mut().rev().filter(|record| record.link == link) {
            // Nobody knows of a transaction without a reply whether something that it watched has changed.
            let is_known = record.returned.is_some()
                || !matches!(&record.op, Op::Block { seen, .. } if !seen.is_empty());
            if record.op.is_write() && is_known {
                record.seen.get_or_insert(seen);
                keys.extend(record.op.keys().unwrap_or_default());
            }
        }
        keys.truncate(4);
        keys.retain(|key| self.workload.keys.strings.contains(key));
        if !keys.is_empty() && self.lanes[index].pending.len() < 8 && self.random.below(4) > 0 {
            let key = keys[self.random.index(keys.len())];
            let many = Op::MGet(keys);
            let op = if self.random.below(4) == 0 { many } else { Op::Get(key) };
            self.send(index, vec![op]);
        }
    }

    /// Nothing can happen because clients wait for ever for entries of streams: if there is nothing for them, each stream gets something.
    /// Whether there is anybody.
    pub(super) fn serve_patient(&mut self) -> Result<bool, Anomaly> {
        let mut waits = false;
        for lane in &self.lanes {
            let Some(Awaited::Op(place)) = lane.pending.front() else { continue };
            let record = &self.history[*place];
            let Op::Stream(op) = &record.op else { continue };
            let unserved = op.overlooks(
                &self.history,
                &self.ids,
                self.links.iter().any(|link| link.is_gone || link.is_closed),
            );
            if let Some(text) = unserved {
                let text = String::from_utf8_lossy(text);
                return Err(Anomaly::Standstill(format!(
                    "there is {text} for {record}\n{}",
                    self.describe()
                )));
            }
            waits |= op.waits_for_ever();
        }
        if waits && self.gifts_left > 0 {
            self.gifts_left -= 1;
            self.lanes.retain(|lane| lane.role != Role::Writer || !lane.pending.is_empty());
            self.enter(Role::Writer);
            let adds = self.workload.adds_to_all();
            self.send(self.lanes.len() - 1, adds);
        }
        Ok(waits && self.gifts_left > 0)
    }

    /// What clients cache is what the last client has read, from this place in the history on.
    pub(super) fn check_caches(&self, first: usize) -> Result<(), Anomaly> {
        let mut values = BTreeMap::new();
        for record in &self.history[first..] {
            if let (Op::MGet(keys), Some((_, Value::Array(items)))) = (&record.op, &record.returned) {
                let texts = items.iter().map(|item| item.bytes().map(<[u8]>::to_vec));
                values.extend(keys.iter().copied().zip(texts));
            }
        }
        let mut caches = self.lanes.iter().filter_map(|lane| lane.cache.as_ref());
        caches.try_for_each(|cache| cache.check_at_the_end(&values)).map_err(Anomaly::Cache)
    }
}

/// What clients that cache are judged by.
pub(super) fn written<'a>(
    history: &'a [Record],
    writers: &'a HashMap<Text, usize>,
    workload: &'a Workload,
) -> Written<'a> {
    let (plain, owners) = (&workload.keys.plain[..], &workload.keys.owners[..]);
    Written { history, writers, plain, never_absent: !workload.flushes, owners }
}

/// An entry has the same id wherever it is shown, and ids ascend.
pub(super) fn check_ids(ids: &mut HashMap<Text, String>, shown: &[(Key, Vec<Entry>)]) -> Result<(), Anomaly> {
    for (_, entries) in shown {
        let ascend =
            entries.iter().map(|entry| streams::id(&entry.id)).is_sorted_by(|a, b| a.is_some() && a < b);
        for entry in entries {
            let known = ids.entry(entry.text.clone()).or_insert_with(|| entry.id.clone());
            if *known != entry.id || !ascend {
                return Err(Anomaly::Reply(format!("{entries:?}, where one has the id {known}")));
            }
        }
    }
    Ok(())
}
