//! The clients of a run: what they send and when, what their replies are taken for.

use super::World;
use super::hearing::{check_ids, written};
use crate::caching::Cache;
use crate::history::Record;
use crate::op::{Op, spell};
use crate::outcome::Anomaly;
use crate::workload::{Memory, Role};
use std::collections::VecDeque;
use testkit::Value;

/// A client.
pub(super) struct Lane {
    /// Its connections, and the one it uses now. It takes another when nothing is outstanding.
    pub(super) links: Vec<usize>,
    pub(super) link: usize,
    pub(super) role: Role,
    /// What was sent and not answered.
    pub(super) pending: VecDeque<Awaited>,
    /// Reads of what is watched, by their place in the history: a transaction is to follow.
    pub(super) watched: Vec<usize>,
    pub(super) memory: Memory,
    /// Of a client that caches.
    pub(super) cache: Option<Cache>,
    /// Out of 8: how readily it acts, and how readily the network does.
    pub(super) eager: u64,
    pub(super) quick: u64,
}

/// A reply to come.
#[derive(Clone, Copy)]
pub(super) enum Awaited {
    /// To what only prepares an operation: WATCH, MULTI, a command that is queued.
    Aside,
    /// To an operation, by its place in the history.
    Op(usize),
}

impl World {
    /// A client and its connection take a step: bytes arrive, replies are read, operations are sent.
    pub(super) fn lane_step(&mut self, index: usize) -> Result<(), Anomaly> {
        let lane = &self.lanes[index];
        let link = &mut self.links[lane.link];
        if self.random.below(8) < lane.quick {
            let whole = self.random.below(4) > 0;
            link.deliver(whole, &mut self.random);
        }
        self.read_replies(index)?;
        let lane = &self.lanes[index];
        if self.links[lane.link].is_closed {
            self.reconnect(index);
            return Ok(());
        }
        if self.kills_left > 0 && lane.role != Role::Watcher && self.random.below(200) == 0 {
            self.kills_left -= 1;
            if self.random.below(2) == 0 {
                self.links[lane.link].abandon(&mut self.random);
                self.reconnect(index);
            } else {
                self.kill_another(index);
            }
            return Ok(());
        }
        if !lane.watched.is_empty() {
            if lane.pending.is_empty() && self.random.below(8) < lane.eager {
                self.send_watched(index);
            }
            return Ok(());
        }
        if lane.role == Role::Listener && self.ops_left[0] > 0 && self.random.below(32) == 0 {
            self.toggle(index);
            return Ok(());
        }
        let lane = &self.lanes[index];
        let may_send = lane.pending.is_empty() || lane.role != Role::Reader && lane.pending.len() < 8;
        let reluctance = if lane.pending.is_empty() { 8 } else { 64 };
        let budget = lane.role.budget();
        if self.ops_left[budget] > 0 && may_send && self.random.below(reluctance) < lane.eager {
            if lane.role != Role::Reader && lane.pending.is_empty() {
                let looks = self.workload.looks(&mut self.random);
                if !looks.is_empty() {
                    self.ops_left[budget] = self.ops_left[budget].saturating_sub(looks.len() + 1);
                    self.watch(index, looks);
                    return Ok(());
                }
            }
            let lane = &mut self.lanes[index];
            let ops = self.workload.pipeline(lane.role, &mut lane.memory, &mut self.random);
            self.ops_left[budget] = self.ops_left[budget].saturating_sub(ops.len());
            self.choose_link(index, &ops);
            self.send(index, ops);
        }
        Ok(())
    }

    /// Takes another connection, if nothing is outstanding: mostly one to the shard that has the key.
    fn choose_link(&mut self, index: usize, ops: &[Op]) {
        let lane = &mut self.lanes[index];
        if !lane.pending.is_empty() || lane.links.len() < 2 {
            return;
        }
        let key = ops.first().and_then(|op| op.keys()?.first().copied());
        let owner = key.map(|key| self.workload.keys.owners[key]);
        let near = lane.links.iter().find(|link| self.links[**link].shard == owner);
        lane.link = match near {
            Some(link) if self.random.below(4) > 0 => *link,
            _ => lane.links[self.random.index(lane.links.len())],
        };
    }

    /// The connection in use is lost: another takes its place.
    fn reconnect(&mut self, index: usize) {
        let link = self.connect_anywhere();
        let lane = &mut self.lanes[index];
        lane.links.iter_mut().filter(|old| **old == lane.link).for_each(|old| *old = link);
        lane.link = link;
        lane.pending.clear();
        lane.watched.clear();
        self.greet(index);
    }

    /// A client has the connection of another killed.
    fn kill_another(&mut self, index: usize) {
        let victims = self.lanes.iter().enumerate();
        let victims: Vec<usize> = victims
            .filter(|(other, lane)| *other != index && lane.role != Role::Watcher)
            .map(|(_, lane)| lane.link)
            .collect();
        let victim = victims[self.random.index(victims.len())];
        self.send(index, vec![Op::Kill(victim)]);
    }

    /// Watches what these operations read, and has them read it.
    fn watch(&mut self, index: usize, looks: Vec<Op>) {
        let keys = looks.iter().filter_map(Op::keys).flatten();
        let names = keys.map(|key| self.workload.keys.names[key].clone());
        let request: Vec<String> = ["WATCH".to_owned()].into_iter().chain(names).collect();
        let lane = &mut self.lanes[index];
        self.links[lane.link].send(&testkit::client::encode(&request));
        lane.pending.push_back(Awaited::Aside);
        lane.watched = (self.history.len()..self.history.len() + looks.len()).collect();
        self.send(index, looks);
    }

    /// All that is watched has been read: the transaction.
    fn send_watched(&mut self, index: usize) {
        let places = std::mem::take(&mut self.lanes[index].watched);
        let seen = places.into_iter().filter_map(|place| {
            let record = &self.history[place];
            let key = record.op.keys()?.first().copied()?;
            Some((key, record.returned.as_ref()?.1.clone()))
        });
        let seen = seen.collect();
        let block = self.workload.block_after(seen, &mut self.random);
        self.send(index, vec![block]);
    }

    pub(super) fn send(&mut self, index: usize, ops: Vec<Op>) {
        let lane = &mut self.lanes[index];
        for op in ops {
            let (place, is_alone) = (self.history.len(), lane.pending.is_empty());
            let word =
                lane.cache.as_mut().and_then(|cache| cache.ask(place, &op, is_alone, &mut self.random));
            if let Some(word) = word {
                self.links[lane.link].send(&testkit::client::encode(&word));
                lane.pending.push_back(Awaited::Aside);
            }
            op.new_texts().into_iter().for_each(|text| _ = self.writers.insert(text.clone(), place));
            for request in op.prelude(&self.workload.keys.names) {
                self.links[lane.link].send(&testkit::client::encode(&request));
                lane.pending.push_back(Awaited::Aside);
            }
            let mut request = op.args(&self.workload.keys.names);
            // Of those with one key, the next that look alike are as far away as can be.
            let about = if request.len() == 2 { request.concat() } else { request[0].clone() };
            let count = self.asked.entry(about).or_default();
            spell(&mut request[0], *count);
            *count += 1;
            self.links[lane.link].send(&testkit::client::encode(&request));
            lane.pending.push_back(Awaited::Op(self.history.len()));
            // Odd, so that what is sent in the step in which a reply is read comes after it.
            let invoked = 2 * self.now + 1;
            self.history.push(Record { link: lane.link, op, request, invoked, returned: None, seen: None });
        }
    }

    fn read_replies(&mut self, index: usize) -> Result<(), Anomaly> {
        loop {
            let link = &mut self.links[self.lanes[index].link];
            let (reply, used) = match testkit::decode(&link.arrived) {
                Ok(None) => return Ok(()),
                Err(error) => return Err(Anomaly::Reply(error.to_string())),
                Ok(Some(decoded)) => decoded,
            };
            link.arrived.drain(..used);
            if self.lanes[index].role == Role::Watcher {
                self.see(&reply);
                continue;
            }
            if let Value::Push(parts) = &reply {
                self.trace.note(&[3, self.lanes[index].link as u64]);
                self.trace.note_text(&reply.to_string());
                self.hear(index, parts)?;
                continue;
            }
            let lane = &mut self.lanes[index];
            let place = match lane.pending.pop_front() {
                None => return Err(Anomaly::Reply(format!("nobody asked for {reply}"))),
                Some(Awaited::Aside) if matches!(reply, Value::Simple(_) | Value::Map(_)) => continue,
                Some(Awaited::Aside) => {
                    return Err(Anomaly::Reply(format!("a transaction is not begun by {reply}")));
                }
                Some(Awaited::Op(place)) => place,
            };
            self.trace.note(&[2, lane.link as u64, place as u64]);
            self.trace.note_text(&reply.to_string());
            let record = &mut self.history[place];
            if matches!(&record.op, Op::Echo(text) if reply.bytes() != Some(text)) {
                return Err(Anomaly::Reply(format!("{record}, but got {reply}")));
            }
            if let Op::Block { seen, .. } = &record.op
                && reply.is_null()
            {
                if seen.is_empty() {
                    return Err(Anomaly::Reply(format!("{record}, but got {reply}")));
                }
                record.op = Op::Refused;
            }
            if let Op::BlPop(keys, _) = &mut record.op
                && let Some([name, _]) = reply.items()
            {
                // Of several keys that get something at the same time, any may serve who waits for them.
                let names = &self.workload.keys.names;
                keys.retain(|key| name.bytes() == Some(names[*key].as_bytes()));
            }
            if let Op::Stream(op) = &mut record.op {
                let names = &self.workload.keys.names;
                let shown = op.shown(&reply, names);
                let shown = shown.ok_or_else(|| Anomaly::Reply(format!("{op:?}, but got {reply}")))?;
                check_ids(&mut self.ids, &shown)?;
                op.keep_served(&shown.iter().map(|(key, _)| *key).collect::<Vec<_>>());
                lane.memory.bookmarks.keep(op, shown);
            }
            record.returned = Some((2 * self.now, reply));
            if let Some(cache) = &mut self.lanes[index].cache {
                let written = written(&self.history, &self.writers, &self.workload);
                cache.keep(place, &written).map_err(Anomaly::Cache)?;
            }
        }
    }

    /// A watcher reads a line: time, database, address, and the words of a request in quotes.
    fn see(&mut self, line: &Value) {
        let line = line.string().unwrap_or_default();
        let Some((head, words)) = line.split_once("] ") else { return };
        let Some(link) = head.rsplit(' ').next().and_then(|addr| addr.parse::<usize>().ok()) else { return };
        let words: Vec<&[u8]> = words.split('"').skip(1).step_by(2).map(str::as_bytes).collect();
        let unseen = self.unseen.entry(link).or_default();
        let is_it = |record: &Record| record.link == link && record.request == words;
        if let Some(at) = self.history[*unseen..].iter().position(is_it) {
            self.history[*unseen + at].seen = Some(2 * self.now);
            *unseen += at + 1;
        }
    }
}
