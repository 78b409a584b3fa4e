//! Pipelines of those who add to streams, consume them, publish, cache, and make caches out of date.

use crate::listening::CHANNELS;
use crate::op::{Key, Op};
use crate::streams::{Bookmarks, StreamOp};
use crate::workload::{Workload, one, two};
use base::random::Random;

impl Workload {
    fn add(&mut self, random: &mut Random) -> Op {
        Op::Stream(StreamOp::Add(one(&self.keys.streams, random), self.text('x')))
    }

    /// Entries for streams, by themselves, in transactions and by scripts, and something beside them.
    pub(crate) fn adds(&mut self, random: &mut Random) -> Vec<Op> {
        (0..1 + random.index(3))
            .map(|_| match random.below(8) {
                0 => self.set(one(&self.keys.strings, random), random),
                1 => self.mset(random),
                2 => Op::Block { seen: Vec::new(), ops: self.entries(random) },
                3 => {
                    let ops = self.entries(random);
                    Op::Script { declared: ops.len(), ops }
                }
                _ => self.add(random),
            })
            .collect()
    }

    fn entries(&mut self, random: &mut Random) -> Vec<Op> {
        let mut ops: Vec<Op> = (0..1 + random.index(3)).map(|_| self.add(random)).collect();
        if random.below(2) == 0 {
            ops.push(self.set(one(&self.keys.strings, random), random));
        }
        ops
    }

    /// For how many ms to wait: 0 is for ever.
    fn waits(random: &mut Random) -> Option<u64> {
        let ms = if random.below(6) == 0 { 0 } else { 1 + random.below(6) };
        (random.below(3) > 0).then_some(ms)
    }

    /// An entry for each stream: who waits for ever is served.
    pub(crate) fn adds_to_all(&mut self) -> Vec<Op> {
        let streams = self.keys.streams.clone();
        streams.into_iter().map(|key| Op::Stream(StreamOp::Add(key, self.text('x')))).collect()
    }

    /// One of the streams, or two if clients wait for several.
    fn some_streams(&self, random: &mut Random) -> Vec<Key> {
        let (first, second) = two(&self.keys.streams, random);
        if self.waits_for_many && random.below(2) == 0 { vec![first, second] } else { vec![first] }
    }

    /// What a consumer does: it reads on, acknowledges, takes over what others have left.
    pub(crate) fn consume(&mut self, marks: &mut Bookmarks, random: &mut Random) -> Vec<Op> {
        let mut ops = Vec::new();
        let keys = self.some_streams(random);
        for key in &keys {
            if !marks.grouped.contains(key) {
                marks.grouped.push(*key);
                ops.push(StreamOp::Group(*key));
            }
        }
        let (key, consumer) = (keys[0], marks.consumer);
        ops.push(match random.below(8) {
            0 => StreamOp::Pending(key, consumer),
            1 => StreamOp::Claim(key, consumer),
            2 | 3 if !marks.got.is_empty() => {
                let (key, entry) = marks.got.swap_remove(random.index(marks.got.len()));
                let mut entries = vec![entry];
                let others =
                    marks.got.iter().filter(|(other, _)| *other == key).map(|(_, entry)| entry.clone());
                entries.extend(others.take(random.index(3)));
                StreamOp::Ack(key, entries)
            }
            _ => {
                let (count, ms) = (1 + random.below(3), Self::waits(random));
                StreamOp::ReadGroup { keys, consumer, count, ms }
            }
        });
        ops.into_iter().map(Op::Stream).collect()
    }

    /// What a reader of streams does: it goes on where it was.
    pub(crate) fn read_on(&mut self, marks: &Bookmarks, random: &mut Random) -> Vec<Op> {
        match random.below(8) {
            0 => return vec![Op::Get(one(&self.keys.strings, random))],
            1 => return vec![Op::Stream(StreamOp::Range(one(&self.keys.streams, random)))],
            _ => {}
        }
        let (first, second) = two(&self.keys.streams, random);
        let keys = if random.below(2) == 0 { vec![first, second] } else { vec![first] };
        let behind = keys.into_iter().map(|key| (key, marks.behind.get(&key).cloned())).collect();
        let count = [1, 2, 100][random.index(3)];
        vec![Op::Stream(StreamOp::Read { behind, count, ms: Self::waits(random) })]
    }

    fn message(&mut self, random: &mut Random) -> Op {
        let (channel, is_sharded) = (random.index(CHANNELS), random.below(5) == 0);
        Op::Publish { channel, is_sharded, text: self.text('p') }
    }

    /// Writes, and a message behind them; or a message among them.
    pub(crate) fn tell(&mut self, random: &mut Random) -> Vec<Op> {
        let mut ops = Vec::new();
        if random.below(4) == 0 {
            // One of them at home, the next perhaps elsewhere.
            let key = one(&self.keys.strings, random);
            let parts = vec![Op::Set(key, self.text('v')), self.message(random)];
            return vec![self.message(random), Op::Block { seen: Vec::new(), ops: parts }];
        }
        match random.below(8) {
            0 => ops.push(self.mset(random)),
            1 => {
                let (a, b) = two(&self.keys.strings, random);
                ops.extend([Op::Set(a, self.text('v')), Op::Rename(a, b)]);
            }
            2 | 3 => {
                let mut parts = self.parts(random);
                parts.insert(random.index(parts.len() + 1), self.message(random));
                ops.push(Op::Block { seen: Vec::new(), ops: parts });
            }
            4 => {
                let mut parts = self.parts(random);
                let declared = parts.len();
                parts.push(self.message(random));
                ops.push(Op::Script { ops: parts, declared });
            }
            5 => {}
            _ => ops = self.writes(random),
        }
        ops.push(self.message(random));
        ops
    }

    /// What changes keys that others cache: mostly one of those that are written in no other way. The last of these is where writers
    /// tell how far they have come.
    pub(crate) fn outdate(&mut self, random: &mut Random) -> Vec<Op> {
        let (told, others) = self.keys.plain.split_last().expect("there are four");
        let (told, (plain, other)) = (*told, two(others, random));
        vec![match random.below(20) {
            0 => Op::MSet(vec![(plain, self.text('w')), (other, self.text('w'))]),
            1 => Op::Block { seen: Vec::new(), ops: vec![Op::Set(plain, self.text('v'))] },
            2 => {
                let ops = vec![Op::Peek(plain, self.number()), Op::Set(plain, self.text('v'))];
                Op::Script { ops, declared: 2 }
            }
            3 => {
                let ops = vec![
                    Op::Set(plain, self.text('v')),
                    Op::Peek(told, self.number()),
                    Op::Set(other, self.text('v')),
                ];
                Op::Block { seen: Vec::new(), ops }
            }
            4..=7 => self.outdate_others(random),
            8..=13 => Op::Set(told, self.text('v')),
            _ => Op::Set(plain, self.text('v')),
        }]
    }

    /// What changes the other strings, in any way. Where some of them expire, by commands for one key each.
    fn outdate_others(&mut self, random: &mut Random) -> Op {
        let (a, b) = two(&self.keys.strings[self.keys.plain.len()..], random);
        if !self.deadlines.is_empty() {
            return if random.below(4) == 0 { Op::Del(vec![a]) } else { self.set(a, random) };
        }
        match random.below(7) {
            0 => Op::Rename(a, b),
            1 => Op::Copy(one(&self.keys.plain, random), a),
            2 => Op::Del(vec![a, b]),
            3 => Op::MSetNx(vec![(a, self.text('x')), (b, self.text('x'))]),
            4 if self.flushes => Op::FlushAll,
            _ => Op::Set(a, self.text('v')),
        }
    }

    /// Reads of a client that caches, several at once, with what is answered at home among them; at times a write.
    pub(crate) fn look_around(&mut self, random: &mut Random) -> Vec<Op> {
        match random.below(6) {
            0 | 1 => {
                let told = *self.keys.plain.last().expect("there are four");
                return vec![Op::Get(told), Op::Echo(self.text('o'))];
            }
            2 => return vec![Op::MGet(self.keys.plain.clone())],
            3 => return vec![Op::Get(one(&self.keys.plain, random))],
            _ => {}
        }
        (0..1 + random.index(4))
            .map(|_| match random.below(12) {
                0 => Op::Echo(self.text('o')),
                1 | 2 => Op::MGet(self.some(random)),
                3 if random.below(3) == 0 => Op::Set(one(&self.keys.strings, random), self.text('v')),
                _ => Op::Get(one(&self.keys.strings, random)),
            })
            .collect()
    }
}
