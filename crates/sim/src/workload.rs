//! Operations: what clients ask, which keys that touches, and random pipelines of them.
//!
//! Keys are few and live on several shards; each belongs to a pool of one type, so that no operation meets a wrong type.
//! Every value written is new, so that a read says which write it saw.

use base::random::Random;
use testkit::Value;
use testkit::client::encode;

/// A key, by its index in [`Keys::names`].
pub type Key = usize;

/// A string that no other operation writes.
pub type Text = Vec<u8>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Get(Key),
    Set(Key, Text),
    Append(Key, Text),
    Incr(Key),
    Del(Vec<Key>),
    MGet(Vec<Key>),
    MSet(Vec<(Key, Text)>),
    MSetNx(Vec<(Key, Text)>),
    Rename(Key, Key),
    Copy(Key, Key),
    RPush(Key, Text),
    LRange(Key),
    /// From the left of one to the right of the other.
    LMove(Key, Key),
    SAdd(Key, Text),
    SMembers(Key),
    SMove(Key, Key, Text),
    /// Into the first, from the others.
    SUnionStore(Key, Vec<Key>),
    DbSize,
    /// Touches nothing: shows whether replies come in order.
    Echo(Text),
}

impl Op {
    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            Self::Get(_) | Self::MGet(_) | Self::LRange(_) | Self::SMembers(_) | Self::DbSize | Self::Echo(_)
        )
    }

    /// Whether this reply says that it changed nothing, whatever there was.
    pub fn is_inert(&self, reply: &Value) -> bool {
        match self {
            Self::Set(..) | Self::Append(..) | Self::Incr(_) | Self::MSet(_) | Self::RPush(..) => false,
            // What it stores may be empty, but the key may not have been.
            Self::SUnionStore(..) => false,
            Self::Rename(..) => reply.is_error(),
            Self::LMove(..) => reply.is_null(),
            Self::Del(_) | Self::MSetNx(_) | Self::Copy(..) | Self::SAdd(..) | Self::SMove(..) => {
                *reply == Value::Integer(0)
            }
            Self::Get(_) | Self::MGet(_) | Self::LRange(_) | Self::SMembers(_) => true,
            Self::DbSize | Self::Echo(_) => true,
        }
    }

    /// The strings that only this operation writes.
    pub fn new_texts(&self) -> Vec<&Text> {
        match self {
            Self::Set(_, text) | Self::Append(_, text) | Self::RPush(_, text) | Self::SAdd(_, text) => {
                vec![text]
            }
            Self::MSet(pairs) | Self::MSetNx(pairs) => pairs.iter().map(|(_, text)| text).collect(),
            _ => Vec::new(),
        }
    }

    /// The keys it touches; `None` for all of them.
    pub fn keys(&self) -> Option<Vec<Key>> {
        Some(match self {
            Self::Get(key) | Self::Set(key, _) | Self::Append(key, _) | Self::Incr(key) => vec![*key],
            Self::RPush(key, _) | Self::LRange(key) | Self::SAdd(key, _) | Self::SMembers(key) => vec![*key],
            Self::Del(keys) | Self::MGet(keys) => keys.clone(),
            Self::MSet(pairs) | Self::MSetNx(pairs) => pairs.iter().map(|(key, _)| *key).collect(),
            Self::Rename(a, b) | Self::Copy(a, b) | Self::LMove(a, b) | Self::SMove(a, b, _) => vec![*a, *b],
            Self::SUnionStore(to, from) => [&[*to][..], from].concat(),
            Self::DbSize => return None,
            Self::Echo(_) => Vec::new(),
        })
    }

    /// The request as bytes.
    pub fn encode(&self, keys: &Keys) -> Vec<u8> {
        let name = |key: &Key| keys.names[*key].as_bytes();
        let mut args: Vec<&[u8]> = Vec::new();
        match self {
            Self::Get(key) => args.extend([b"GET", name(key)]),
            Self::Set(key, text) => args.extend([b"SET", name(key), text]),
            Self::Append(key, text) => args.extend([b"APPEND", name(key), text]),
            Self::Incr(key) => args.extend([b"INCR", name(key)]),
            Self::Del(keys) => {
                args.push(b"DEL");
                args.extend(keys.iter().map(name));
            }
            Self::MGet(keys) => {
                args.push(b"MGET");
                args.extend(keys.iter().map(name));
            }
            Self::MSet(pairs) | Self::MSetNx(pairs) => {
                args.push(if matches!(self, Self::MSet(_)) { b"MSET" } else { b"MSETNX" });
                args.extend(pairs.iter().flat_map(|(key, text)| [name(key), text]));
            }
            Self::Rename(from, to) => args.extend([b"RENAME", name(from), name(to)]),
            Self::Copy(from, to) => args.extend([b"COPY", name(from), name(to)]),
            Self::RPush(key, text) => args.extend([b"RPUSH", name(key), text]),
            Self::LRange(key) => args.extend([b"LRANGE", name(key), b"0", b"-1"]),
            Self::LMove(from, to) => args.extend([b"LMOVE", name(from), name(to), b"LEFT", b"RIGHT"]),
            Self::SAdd(key, text) => args.extend([b"SADD", name(key), text]),
            Self::SMembers(key) => args.extend([b"SMEMBERS", name(key)]),
            Self::SMove(from, to, text) => args.extend([b"SMOVE", name(from), name(to), text]),
            Self::SUnionStore(to, from) => {
                args.extend([b"SUNIONSTORE", name(to)]);
                args.extend(from.iter().map(name));
            }
            Self::DbSize => args.push(b"DBSIZE"),
            Self::Echo(text) => args.extend([b"ECHO", &text[..]]),
        }
        encode(&args)
    }
}

/// The keys of a run.
pub struct Keys {
    pub names: Vec<String>,
    strings: Vec<Key>,
    counters: Vec<Key>,
    lists: Vec<Key>,
    sets: Vec<Key>,
}

impl Keys {
    /// Names that fall on random shards.
    pub fn random(random: &mut Random) -> Self {
        let mut names = Vec::new();
        let mut pool = |letter: &str, count: usize| -> Vec<Key> {
            (0..count)
                .map(|_| {
                    names.push(format!("{letter}{}:{}", names.len(), random.below(1000)));
                    names.len() - 1
                })
                .collect()
        };
        let (strings, counters) = (pool("s", 4), pool("c", 1));
        let (lists, sets) = (pool("l", 2), pool("t", 2));
        Self { names, strings, counters, lists, sets }
    }

    /// Keys without pools, for showing operations.
    pub fn named(names: Vec<String>) -> Self {
        Self { names, strings: Vec::new(), counters: Vec::new(), lists: Vec::new(), sets: Vec::new() }
    }

    /// Reads that together show everything.
    pub fn audit(&self) -> Vec<Op> {
        let strings = [&self.strings[..], &self.counters].concat();
        let mut ops = vec![Op::MGet(strings), Op::DbSize];
        ops.extend(self.lists.iter().map(|key| Op::LRange(*key)));
        ops.extend(self.sets.iter().map(|key| Op::SMembers(*key)));
        ops
    }
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
}

/// Makes operations. `multi`: operations with several keys are among them.
pub struct Workload {
    pub keys: Keys,
    multi: bool,
    /// Readers read several keys at once, too. They wait for all publications under way, and so see less of what happens while a
    /// shard stands still in the middle of one: not in every run.
    multi_reads: bool,
    values: u64,
}

impl Workload {
    pub fn new(multi: bool, random: &mut Random) -> Self {
        let multi_reads = multi && random.below(2) == 0;
        Self { keys: Keys::random(random), multi, multi_reads, values: 0 }
    }

    fn text(&mut self, letter: char) -> Text {
        self.values += 1;
        format!("{letter}{}", self.values).into_bytes()
    }

    /// A pipeline for a client that waits for nothing.
    pub fn pipeline(&mut self, role: Role, last_read: &mut usize, random: &mut Random) -> Vec<Op> {
        match role {
            Role::Reader => vec![self.read(last_read, random)],
            Role::Writer => self.writes(random),
            Role::Mixed => (0..1 + random.index(4)).map(|_| self.any(last_read, random)).collect(),
        }
    }

    /// Writes to different keys one after the other, sometimes with an operation on several among them.
    fn writes(&mut self, random: &mut Random) -> Vec<Op> {
        let mut keys = self.keys.strings.clone();
        let first = random.index(keys.len());
        keys.rotate_left(first);
        let mut ops: Vec<Op> = keys.into_iter().map(|key| Op::Set(key, self.text('v'))).collect();
        ops.truncate(2 + random.index(3));
        if self.multi && random.below(3) == 0 {
            let at = random.index(ops.len() + 1);
            let op = self.mset(random);
            ops.insert(at, op);
        }
        if random.below(4) == 0 {
            let op = self.single(random);
            ops.push(op);
        }
        ops
    }

    fn read(&mut self, last: &mut usize, random: &mut Random) -> Op {
        match random.below(20) {
            0..=9 if self.multi_reads => Op::MGet(self.some(random)),
            0 => Op::LRange(one(&self.keys.lists, random)),
            1 => Op::SMembers(one(&self.keys.sets, random)),
            2 if self.multi => Op::DbSize,
            3..=14 => {
                // Against the order in which keys are written.
                *last = (*last + self.keys.strings.len() - 1) % self.keys.strings.len();
                Op::Get(self.keys.strings[*last])
            }
            _ => Op::Get(one(&self.keys.strings, random)),
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
            _ => Op::Set(string, self.text('v')),
        }
    }

    /// At least two different strings.
    fn some(&self, random: &mut Random) -> Vec<Key> {
        let mut keys = self.keys.strings.clone();
        random.shuffle(&mut keys);
        keys.truncate(2 + random.index(keys.len() - 1));
        keys
    }

    fn mset(&mut self, random: &mut Random) -> Op {
        let keys = self.some(random);
        Op::MSet(keys.into_iter().map(|key| (key, self.text('w'))).collect())
    }

    fn any(&mut self, last: &mut usize, random: &mut Random) -> Op {
        if !self.multi || random.below(3) == 0 {
            return if random.below(3) == 0 { self.read(last, random) } else { self.single(random) };
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

fn one(keys: &[Key], random: &mut Random) -> Key {
    keys[random.index(keys.len())]
}

/// Two different keys.
fn two(keys: &[Key], random: &mut Random) -> (Key, Key) {
    let first = random.index(keys.len());
    let second = (first + 1 + random.index(keys.len() - 1)) % keys.len();
    (keys[first], keys[second])
}
