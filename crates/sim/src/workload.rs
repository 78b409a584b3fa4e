//! Keys, and random pipelines of operations on them.
//!
//! Keys are few and live on several shards; each belongs to a pool of one type, so that no operation meets a wrong type.

use crate::op::{Key, Op, Text};
use crate::streams::{Bookmarks, StreamOp};
use base::random::Random;
use base::slot::SlotMap;
use testkit::Value;

/// The keys of a run.
pub struct Keys {
    pub names: Vec<String>,
    /// The shard of each.
    pub owners: Vec<usize>,
    pub strings: Vec<Key>,
    counters: Vec<Key>,
    lists: Vec<Key>,
    sets: Vec<Key>,
    pub streams: Vec<Key>,
    /// Those of the strings that only get new values, for ever and by single writes, blocks and scripts.
    pub plain: Vec<Key>,
}

impl Keys {
    /// Names that fall on random shards; most often, the strings on as many as there are.
    pub fn random(theme: Theme, shards: usize, random: &mut Random) -> Self {
        let (mut names, mut owners) = (Vec::<String>::new(), Vec::new());
        let slots = SlotMap::new(shards as u16);
        let spread = random.below(4) > 0;
        let mut pool = |letter: &str, count: usize| -> Vec<Key> {
            let first = random.index(shards);
            let add = |at: usize| {
                let wanted = (first + at) % shards;
                loop {
                    let name = format!("{letter}{}:{}", names.len(), random.below(1000));
                    let owner = usize::from(slots.shard_of(name.as_bytes()));
                    if owner == wanted || !spread {
                        names.push(name);
                        owners.push(owner);
                        return names.len() - 1;
                    }
                }
            };
            (0..count).map(add).collect()
        };
        let (mut strings, counters) = (pool("s", 4), pool("c", 1));
        let (lists, sets) = (pool("l", 2), pool("t", 2));
        let streams = if theme == Theme::Streams { pool("x", 3) } else { Vec::new() };
        let plain = strings.clone();
        if theme == Theme::Caches {
            strings.extend(pool("s", 3));
        }
        Self { names, owners, strings, counters, lists, sets, streams, plain }
    }

    /// Reads that together show everything.
    fn audit(&self) -> Vec<Op> {
        let strings = [&self.strings[..], &self.counters].concat();
        let mut ops = vec![Op::MGet(strings)];
        ops.extend(self.lists.iter().map(|key| Op::LRange(*key)));
        ops.extend(self.sets.iter().map(|key| Op::SMembers(*key)));
        for &key in &self.streams {
            ops.push(Op::Stream(StreamOp::Range(key)));
            ops.extend((0..CONSUMERS).map(|consumer| Op::Stream(StreamOp::Pending(key, consumer))));
            ops.push(Op::Stream(StreamOp::ReadGroup { keys: vec![key], consumer: 0, count: 1000, ms: None }));
        }
        ops
    }
}

/// Consumers of a group.
pub const CONSUMERS: usize = 4;

/// What a client remembers for the operations to come.
#[derive(Default)]
pub struct Memory {
    /// The string it read last.
    pub last_read: usize,
    pub bookmarks: Bookmarks,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Pipelines of writes, mostly to one key each.
    Writer,
    /// One read at a time.
    Reader,
    /// Anything, pipelined.
    Mixed,
    /// MONITOR, and nothing else.
    Watcher,
    /// Listens to channels, and looks for what was written before a message.
    Listener,
    /// Caches what it reads.
    Cacher,
}

impl Role {
    /// Whose share of the operations of a run it takes from: 0 of those who write, 1 of those who read.
    pub fn budget(self) -> usize {
        usize::from(matches!(self, Self::Reader | Self::Listener | Self::Cacher))
    }
}

/// What clients do in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Everything there is.
    Broad,
    /// Writes to one key each, pipelined over the shards, and reads that go against their order.
    Order,
    /// The same, beside a client that watches what others ask.
    Watch,
    /// Operations on several keys beside writes to one each.
    Multi,
    /// Writes that expire, and reads of one key.
    Expiry,
    /// Transactions and scripts beside writes and reads of one key and of several.
    Whole,
    /// Blocking commands, beside those who push, transactions among them.
    Wait,
    /// Streams: readers and consumers, waiting or not, beside those who add.
    Streams,
    /// Messages behind writes.
    Messages,
    /// Clients that cache, beside writers that mostly wait for each reply.
    Caches,
}

impl Theme {
    /// As often as each is chosen.
    const ALL: [Self; 18] = [
        Self::Broad,
        Self::Broad,
        Self::Broad,
        Self::Order,
        Self::Watch,
        Self::Multi,
        Self::Multi,
        Self::Expiry,
        Self::Whole,
        Self::Whole,
        Self::Whole,
        Self::Wait,
        Self::Streams,
        Self::Streams,
        Self::Messages,
        Self::Messages,
        Self::Caches,
        Self::Caches,
    ];
}

impl Theme {
    /// The theme of a name, in small letters.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| format!("{theme:?}").to_lowercase() == name)
    }
}

/// Makes operations.
pub struct Workload {
    pub keys: Keys,
    pub theme: Theme,
    /// Operations with several keys are among them.
    multi: bool,
    /// Readers read several keys at once, too. They wait for all publications under way, and so see less of what happens while a
    /// shard stands still in the middle of one: not in every run.
    multi_reads: bool,
    /// When strings of this run expire, in unix ms; none if they do not.
    pub deadlines: Vec<u64>,
    pub flushes: bool,
    /// Scripts have undeclared keys, too.
    undeclared: bool,
    /// Clients wait for several keys, too.
    pub waits_for_many: bool,
    values: u64,
}

impl Workload {
    /// `now_ms`: the time at which the run begins.
    pub fn new(theme: Option<Theme>, shards: usize, now_ms: u64, random: &mut Random) -> Self {
        let chosen = Theme::ALL[random.index(Theme::ALL.len())];
        let theme = theme.unwrap_or(chosen);
        let is_broad = theme == Theme::Broad;
        let is_whole = theme == Theme::Whole;
        let may_expire = !matches!(theme, Theme::Wait | Theme::Whole | Theme::Streams | Theme::Messages);
        let expires = theme == Theme::Expiry || may_expire && random.below(3) == 0;
        let deadlines = if expires { 1 + random.below(4) } else { 0 };
        Self {
            keys: Keys::random(theme, shards, random),
            theme,
            multi: is_broad || is_whole || theme == Theme::Multi,
            multi_reads: is_broad && random.below(2) == 0
                || matches!(theme, Theme::Multi | Theme::Whole | Theme::Messages | Theme::Caches),
            undeclared: is_whole && random.below(2) == 0,
            waits_for_many: matches!(theme, Theme::Wait | Theme::Streams) && random.below(2) == 0,
            deadlines: (0..deadlines).map(|_| now_ms + 1 + random.below(24)).collect(),
            flushes: matches!(theme, Theme::Broad | Theme::Caches) && random.below(2) == 0,
            values: 0,
        }
    }

    /// Operations that clients which write send in a run, and those that clients which read do.
    pub fn size(&self, random: &mut Random) -> [usize; 2] {
        match self.theme {
            Theme::Broad => [20 + random.index(40), 30 + random.index(60)],
            Theme::Caches => [30 + random.index(30), 40 + random.index(80)],
            Theme::Streams => [24 + random.index(24), 20 + random.index(40)],
            _ => [12 + random.index(24), 40 + random.index(60)],
        }
    }

    /// Who takes part: the first of them, and those that others are chosen among.
    pub fn roles(&self) -> (&'static [Role], &'static [Role]) {
        match self.theme {
            Theme::Broad => {
                (&[Role::Writer, Role::Reader], &[Role::Writer, Role::Reader, Role::Reader, Role::Mixed])
            }
            Theme::Whole | Theme::Wait => {
                (&[Role::Mixed, Role::Writer, Role::Reader], &[Role::Mixed, Role::Mixed, Role::Reader])
            }
            Theme::Order | Theme::Multi | Theme::Expiry => {
                (&[Role::Writer, Role::Reader, Role::Reader], &[Role::Writer, Role::Reader])
            }
            Theme::Watch => (&[Role::Writer, Role::Watcher, Role::Reader], &[Role::Writer, Role::Reader]),
            Theme::Streams => (
                &[Role::Mixed, Role::Writer, Role::Reader],
                &[Role::Writer, Role::Mixed, Role::Mixed, Role::Reader],
            ),
            Theme::Messages => (
                &[Role::Writer, Role::Listener, Role::Writer],
                &[Role::Writer, Role::Listener, Role::Listener, Role::Reader],
            ),
            Theme::Caches => {
                (&[Role::Writer, Role::Cacher, Role::Cacher], &[Role::Writer, Role::Cacher, Role::Reader])
            }
        }
    }

    pub(crate) fn text(&mut self, letter: char) -> Text {
        self.values += 1;
        format!("{letter}{}", self.values).into_bytes()
    }

    /// A pipeline for a client that waits for nothing.
    pub fn pipeline(&mut self, role: Role, memory: &mut Memory, random: &mut Random) -> Vec<Op> {
        let last_read = &mut memory.last_read;
        match role {
            Role::Watcher => Vec::new(),
            Role::Writer if self.theme == Theme::Streams => self.adds(random),
            Role::Mixed if self.theme == Theme::Streams => self.consume(&mut memory.bookmarks, random),
            Role::Reader if self.theme == Theme::Streams => self.read_on(&memory.bookmarks, random),
            Role::Writer if self.theme == Theme::Messages => self.tell(random),
            Role::Writer if self.theme == Theme::Caches => self.outdate(random),
            Role::Cacher => self.look_around(random),
            Role::Writer if self.theme == Theme::Wait => self.pushes(random),
            Role::Mixed if self.theme == Theme::Wait => vec![self.wait(random)],
            Role::Mixed if self.theme == Theme::Whole => {
                (0..1 + random.index(3)).map(|_| self.whole(last_read, random)).collect()
            }
            Role::Reader if self.theme == Theme::Wait => vec![Op::LRange(one(&self.keys.lists, random))],
            Role::Reader if self.theme == Theme::Whole && random.below(3) == 0 => {
                vec![Op::LRange(one(&self.keys.lists, random))]
            }
            Role::Reader | Role::Listener => vec![self.read(last_read, random)],
            Role::Writer => self.writes(random),
            Role::Mixed => (0..1 + random.index(4)).map(|_| self.any(last_read, random)).collect(),
        }
    }

    /// Reads that together show everything.
    pub fn audit(&self) -> Vec<Op> {
        let mut ops = self.keys.audit();
        if self.counts_keys() {
            ops.push(Op::DbSize);
        }
        ops
    }

    /// Whether the number of keys says something: those that are over but not removed count.
    fn counts_keys(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// A new value for a string, for ever or not.
    pub(crate) fn set(&mut self, key: Key, random: &mut Random) -> Op {
        let text = self.text('v');
        match self.deadlines.len() {
            0 => Op::Set(key, text),
            count if random.below(2) == 0 => Op::SetUntil(key, text, self.deadlines[random.index(count)]),
            _ => Op::Set(key, text),
        }
    }

    /// Writes to different keys one after the other, sometimes with an operation on several among them.
    pub(crate) fn writes(&mut self, random: &mut Random) -> Vec<Op> {
        let mut keys = self.keys.strings.clone();
        let first = random.index(keys.len());
        keys.rotate_left(first);
        keys.truncate(2 + random.index(3));
        let mut ops: Vec<Op> = keys.into_iter().map(|key| self.set(key, random)).collect();
        if self.multi && random.below(3) == 0 {
            let at = random.index(ops.len() + 1);
            let op = self.mset(random);
            ops.insert(at, op);
        }
        match self.theme {
            Theme::Broad if random.below(4) == 0 => ops.push(self.single(random)),
            // Does it see what it has just written?
            Theme::Multi if random.below(2) == 0 => ops.push(Op::Get(one(&self.keys.strings, random))),
            _ => {}
        }
        ops
    }

    fn read(&mut self, last: &mut usize, random: &mut Random) -> Op {
        // Against the order in which keys are written.
        let mut back = || {
            *last = (*last + self.keys.strings.len() - 1) % self.keys.strings.len();
            Op::Get(self.keys.strings[*last])
        };
        match random.below(20) {
            0..=9 if self.multi_reads => Op::MGet(self.some(random)),
            _ if self.theme != Theme::Broad && self.theme != Theme::Whole => back(),
            0 => Op::LRange(one(&self.keys.lists, random)),
            1 => Op::SMembers(one(&self.keys.sets, random)),
            2 if self.multi && self.counts_keys() => Op::DbSize,
            3..=14 => back(),
            _ => Op::Get(one(&self.keys.strings, random)),
        }
    }

    /// A number that no other operation has.
    pub(crate) fn number(&mut self) -> u64 {
        self.values += 1;
        1_000_000 + self.values
    }

    /// Reads of what a client watches before a transaction; none if it does not.
    pub fn looks(&mut self, random: &mut Random) -> Vec<Op> {
        if self.theme != Theme::Whole || random.below(5) > 0 {
            return Vec::new();
        }
        let mut looks = vec![Op::Get(one(&self.keys.strings, random))];
        if random.below(2) == 0 {
            looks.push(Op::LRange(one(&self.keys.lists, random)));
        }
        looks
    }

    /// A transaction after something was seen; it changes that, mostly.
    pub fn block_after(&mut self, seen: Vec<(Key, Value)>, random: &mut Random) -> Op {
        let mut ops = self.parts(random);
        for (key, _) in seen.iter().filter(|_| random.below(3) > 0) {
            let is_list = self.keys.lists.contains(key);
            ops.push(if is_list { Op::RPush(*key, self.text('e')) } else { Op::Set(*key, self.text('v')) });
        }
        Op::Block { seen, ops }
    }

    /// What a transaction or script does.
    pub(crate) fn parts(&mut self, random: &mut Random) -> Vec<Op> {
        let count = 1 + random.index(4);
        (0..count)
            .map(|_| {
                let (string, list) = (one(&self.keys.strings, random), one(&self.keys.lists, random));
                match random.below(6) {
                    0 | 1 => Op::Set(string, self.text('v')),
                    2 => Op::RPush(list, self.text('e')),
                    3 => Op::PeekList(list, self.number()),
                    _ => Op::Peek(string, self.number()),
                }
            })
            .collect()
    }

    /// A transaction or a script, or something beside them.
    fn whole(&mut self, last: &mut usize, random: &mut Random) -> Op {
        match random.below(10) {
            0..=2 => Op::Block { seen: Vec::new(), ops: self.parts(random) },
            3 | 4 => {
                let ops = self.parts(random);
                let declared = if self.undeclared { random.index(ops.len() + 1) } else { ops.len() };
                Op::Script { ops, declared }
            }
            5 if self.undeclared => {
                let (string, lists) = (one(&self.keys.strings, random), self.keys.lists.clone());
                Op::Follow { string, lists, text: self.text('e'), number: self.number() }
            }
            5 | 6 => self.mset(random),
            7 => Op::RPush(one(&self.keys.lists, random), self.text('e')),
            8 => self.set(one(&self.keys.strings, random), random),
            _ => self.read(last, random),
        }
    }

    /// What those who wait are served by. At most one push in a transaction: of two, it is the first that serves, whichever key
    /// the one who waits has named first.
    fn pushes(&mut self, random: &mut Random) -> Vec<Op> {
        (0..1 + random.index(3))
            .map(|_| {
                let push = Op::RPush(one(&self.keys.lists, random), self.text('e'));
                match random.below(4) {
                    0 => {
                        let set = Op::Set(one(&self.keys.strings, random), self.text('v'));
                        Op::Block { seen: Vec::new(), ops: vec![set, push] }
                    }
                    1 => self.set(one(&self.keys.strings, random), random),
                    _ => push,
                }
            })
            .collect()
    }

    fn wait(&mut self, random: &mut Random) -> Op {
        let (list, other) = two(&self.keys.lists, random);
        let ms = 1 + random.below(6);
        match random.below(6) {
            0 => Op::LRange(list),
            1 | 2 => Op::BlMove(list, other, ms),
            3 if self.waits_for_many => Op::BlPop(vec![list, other], ms),
            _ => Op::BlPop(vec![list], ms),
        }
    }

    fn single(&mut self, random: &mut Random) -> Op {
        let keys = &self.keys;
        let (string, list, set) =
            (one(&keys.strings, random), one(&keys.lists, random), one(&keys.sets, random));
        match random.below(10) {
            0 => Op::Append(string, self.text('.')),
            1 => Op::Incr(keys.counters[0]),
            2 => Op::Del(vec![string]),
            3 | 4 => Op::RPush(list, self.text('e')),
            5 => Op::SAdd(set, self.text('m')),
            6 => Op::Get(keys.counters[0]),
            7 => Op::Echo(self.text('o')),
            8 => Op::Get(string),
            _ => self.set(string, random),
        }
    }

    /// At least two different strings.
    pub(crate) fn some(&self, random: &mut Random) -> Vec<Key> {
        let mut keys = self.keys.strings.clone();
        random.shuffle(&mut keys);
        keys.truncate(2 + random.index(keys.len() - 1));
        keys
    }

    pub(crate) fn mset(&mut self, random: &mut Random) -> Op {
        let keys = self.some(random);
        Op::MSet(keys.into_iter().map(|key| (key, self.text('w'))).collect())
    }

    fn any(&mut self, last: &mut usize, random: &mut Random) -> Op {
        if !self.multi || random.below(3) == 0 {
            return if random.below(3) == 0 { self.read(last, random) } else { self.single(random) };
        }
        if self.flushes && random.below(12) == 0 {
            return Op::FlushAll;
        }
        let (a, b) = two(&self.keys.strings, random);
        let (list, other_list) = two(&self.keys.lists, random);
        let (set, other_set) = two(&self.keys.sets, random);
        match random.below(13) {
            0 | 1 => Op::Rename(a, b),
            2 => Op::Copy(a, b),
            3 => Op::Copy(list, other_list),
            4 | 5 => Op::LMove(list, other_list),
            6 => Op::SMove(set, other_set, format!("m{}", 1 + random.below(self.values + 1)).into_bytes()),
            7 => Op::SUnionStore(set, vec![other_set, set]),
            8 => Op::SUnionStore(set, vec![other_set]),
            9 => Op::Del(self.some(random)),
            10 => {
                let keys = self.some(random);
                Op::MSetNx(keys.into_iter().map(|key| (key, self.text('x'))).collect())
            }
            11 => Op::Rename(set, other_set),
            _ => self.mset(random),
        }
    }
}

pub(crate) fn one(keys: &[Key], random: &mut Random) -> Key {
    keys[random.index(keys.len())]
}

/// Two different keys.
pub(crate) fn two(keys: &[Key], random: &mut Random) -> (Key, Key) {
    let first = random.index(keys.len());
    let second = (first + 1 + random.index(keys.len() - 1)) % keys.len();
    (keys[first], keys[second])
}
