//! Operations: what clients ask, and which keys that touches.
//!
//! Every string written is new, so that a read says which write it saw.

use crate::streams::StreamOp;
use testkit::Value;

/// A key, by its index in [`crate::workload::Keys::names`].
pub type Key = usize;

/// A string that no other operation writes.
pub type Text = Vec<u8>;

#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Get(Key),
    Set(Key, Text),
    /// The last is when it expires, in unix ms.
    SetUntil(Key, Text, u64),
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
    /// Reads of a string and a list as parts of something, with a number that no other request has.
    Peek(Key, u64),
    PeekList(Key, u64),
    /// MULTI … EXEC. `seen`: what was read of keys that were watched.
    Block {
        seen: Vec<(Key, Value)>,
        ops: Vec<Op>,
    },
    /// A transaction that was refused, for something it watched had changed.
    Refused,
    /// A script that does this; so many of its operations have their keys declared.
    Script {
        ops: Vec<Op>,
        declared: usize,
    },
    /// A script that reads a string, declared, and pushes to the list that this chooses.
    Follow {
        string: Key,
        lists: Vec<Key>,
        text: Text,
        number: u64,
    },
    /// Waits for so many ms at most.
    BlPop(Vec<Key>, u64),
    BlMove(Key, Key, u64),
    DbSize,
    FlushAll,
    Stream(StreamOp),
    /// PUBLISH, or SPUBLISH, on a channel.
    Publish {
        channel: usize,
        is_sharded: bool,
        text: Text,
    },
    /// Touches nothing: shows whether replies come in order.
    Echo(Text),
    /// CLIENT KILL of a connection: nothing it asked happens afterwards.
    Kill(usize),
    /// Nobody asks for this: the time of what expires then is over, as far as this key is concerned.
    Strike(Key, u64),
}

impl Op {
    pub fn is_write(&self) -> bool {
        if let Self::Block { ops, .. } | Self::Script { ops, .. } = self {
            return ops.iter().any(Self::is_write);
        }
        if let Self::Stream(op) = self {
            return op.is_write();
        }
        !matches!(
            self,
            Self::Get(_)
                | Self::MGet(_)
                | Self::LRange(_)
                | Self::SMembers(_)
                | Self::Peek(..)
                | Self::PeekList(..)
                | Self::Refused
                | Self::DbSize
                | Self::Echo(_)
                | Self::Publish { .. }
                | Self::Kill(_)
        )
    }

    /// What it consists of, each as it is asked for inside.
    pub fn parts(&self) -> &[Op] {
        match self {
            Self::Block { ops, .. } | Self::Script { ops, .. } => ops,
            _ => &[],
        }
    }

    /// Whether it may turn out while it runs that it needs further keys. It locks them then: it may see a write and not the one
    /// that the same connection sent before, which waits for a key that it holds.
    pub fn asks_late(&self) -> bool {
        match self {
            Self::Script { ops, declared } => {
                ops[*declared..].iter().any(|op| op.keys().is_none_or(|keys| !keys.is_empty()))
            }
            Self::Follow { .. } => true,
            _ => false,
        }
    }

    /// Whether it may wait until there is something for it.
    pub fn waits(&self) -> bool {
        match self {
            Self::BlPop(..) | Self::BlMove(..) => true,
            Self::Stream(StreamOp::Read { ms, .. } | StreamOp::ReadGroup { ms, .. }) => ms.is_some(),
            _ => false,
        }
    }

    /// Whether this reply says that it changed nothing, whatever there was.
    pub fn is_inert(&self, reply: &Value) -> bool {
        match self {
            Self::Set(..) | Self::SetUntil(..) | Self::Append(..) | Self::Incr(_) => false,
            Self::MSet(_) | Self::RPush(..) | Self::FlushAll | Self::Strike(..) => false,
            // What it stores may be empty, but the key may not have been.
            Self::SUnionStore(..) => false,
            Self::Rename(..) => reply.is_error(),
            Self::LMove(..) | Self::BlPop(..) | Self::BlMove(..) => reply.is_null(),
            Self::Follow { .. } => false,
            Self::Block { ops, .. } | Self::Script { ops, .. } => match reply {
                Value::Array(replies) => ops.iter().zip(replies).all(|(op, reply)| op.is_inert(reply)),
                _ => false,
            },
            Self::Peek(..) | Self::PeekList(..) | Self::Refused => true,
            Self::Del(_) | Self::MSetNx(_) | Self::Copy(..) | Self::SAdd(..) | Self::SMove(..) => {
                *reply == Value::Integer(0)
            }
            Self::Kill(_) => *reply == Value::Integer(0),
            Self::Get(_) | Self::MGet(_) | Self::LRange(_) | Self::SMembers(_) => true,
            Self::DbSize | Self::Echo(_) | Self::Publish { .. } => true,
            Self::Stream(op) => op.is_inert(reply),
        }
    }

    /// The strings that only this operation writes.
    pub fn new_texts(&self) -> Vec<&Text> {
        match self {
            Self::Set(_, text) | Self::SetUntil(_, text, _) | Self::Append(_, text) => vec![text],
            Self::RPush(_, text) | Self::SAdd(_, text) => vec![text],
            Self::MSet(pairs) | Self::MSetNx(pairs) => pairs.iter().map(|(_, text)| text).collect(),
            Self::Follow { text, .. } | Self::Stream(StreamOp::Add(_, text)) => vec![text],
            Self::Block { ops, .. } | Self::Script { ops, .. } => {
                ops.iter().flat_map(Self::new_texts).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The keys it touches; `None` for all of them.
    pub fn keys(&self) -> Option<Vec<Key>> {
        Some(match self {
            Self::Get(key) | Self::Set(key, _) | Self::SetUntil(key, ..) | Self::Append(key, _) => vec![*key],
            Self::RPush(key, _) | Self::LRange(key) | Self::SAdd(key, _) | Self::SMembers(key) => vec![*key],
            Self::Incr(key) | Self::Strike(key, _) => vec![*key],
            Self::Del(keys) | Self::MGet(keys) => keys.clone(),
            Self::MSet(pairs) | Self::MSetNx(pairs) => pairs.iter().map(|(key, _)| *key).collect(),
            Self::Rename(a, b) | Self::Copy(a, b) | Self::LMove(a, b) | Self::SMove(a, b, _) => vec![*a, *b],
            Self::SUnionStore(to, from) => [&[*to][..], from].concat(),
            Self::DbSize | Self::FlushAll => return None,
            Self::Echo(_) | Self::Kill(_) | Self::Refused | Self::Publish { .. } => Vec::new(),
            Self::Stream(op) => op.keys(),
            Self::Peek(key, _) | Self::PeekList(key, _) => vec![*key],
            Self::BlPop(keys, _) => keys.clone(),
            Self::BlMove(a, b, _) => vec![*a, *b],
            Self::Follow { string, lists, .. } => [&[*string][..], lists].concat(),
            Self::Script { ops, .. } => of_all(ops.iter(), &[]),
            Self::Block { seen, ops } => {
                of_all(ops.iter(), &seen.iter().map(|(key, _)| *key).collect::<Vec<_>>())
            }
        })
    }

    /// The request.
    pub fn args(&self, names: &[String]) -> Vec<Vec<u8>> {
        let name = |key: &Key| names[*key].as_bytes().to_vec();
        let word = |text: &str| text.as_bytes().to_vec();
        let named = |command: &str, keys: &[Key]| {
            [vec![word(command)], keys.iter().map(name).collect::<Vec<_>>()].concat()
        };
        let with = |mut args: Vec<Vec<u8>>, rest: &[&[u8]]| {
            args.extend(rest.iter().map(|arg| arg.to_vec()));
            args
        };
        let pairs = |command: &str, pairs: &[(Key, Text)]| {
            let pairs = pairs.iter().flat_map(|(key, text)| [name(key), text.clone()]);
            [word(command)].into_iter().chain(pairs).collect()
        };
        match self {
            Self::Get(key) => named("GET", &[*key]),
            Self::Set(key, text) => with(named("SET", &[*key]), &[text]),
            Self::SetUntil(key, text, at_ms) => {
                with(named("SET", &[*key]), &[text, b"PXAT", at_ms.to_string().as_bytes()])
            }
            Self::Append(key, text) => with(named("APPEND", &[*key]), &[text]),
            Self::Incr(key) => named("INCR", &[*key]),
            Self::Del(keys) => named("DEL", keys),
            Self::MGet(keys) => named("MGET", keys),
            Self::MSet(all) => pairs("MSET", all),
            Self::MSetNx(all) => pairs("MSETNX", all),
            Self::Rename(from, to) => named("RENAME", &[*from, *to]),
            Self::Copy(from, to) => named("COPY", &[*from, *to]),
            Self::RPush(key, text) => with(named("RPUSH", &[*key]), &[text]),
            Self::LRange(key) => with(named("LRANGE", &[*key]), &[b"0", b"-1"]),
            Self::LMove(from, to) => with(named("LMOVE", &[*from, *to]), &[b"LEFT", b"RIGHT"]),
            Self::SAdd(key, text) => with(named("SADD", &[*key]), &[text]),
            Self::SMembers(key) => named("SMEMBERS", &[*key]),
            Self::SMove(from, to, text) => with(named("SMOVE", &[*from, *to]), &[text]),
            Self::SUnionStore(to, from) => named("SUNIONSTORE", &[&[*to][..], from].concat()),
            Self::DbSize => vec![word("DBSIZE")],
            Self::FlushAll => vec![word("FLUSHALL")],
            Self::Echo(text) => vec![word("ECHO"), text.clone()],
            Self::Stream(op) => op.args(names),
            Self::Publish { channel, is_sharded, text } => {
                let command = if *is_sharded { "SPUBLISH" } else { "PUBLISH" };
                vec![word(command), channel_name(*channel).into_bytes(), text.clone()]
            }
            Self::Kill(link) => ["CLIENT", "KILL", "ID", &(link + 1).to_string()].map(word).to_vec(),
            Self::Strike(key, at_ms) => vec![word("(time is over)"), name(key), word(&at_ms.to_string())],
            Self::Peek(key, number) => {
                with(named("GETRANGE", &[*key]), &[b"0", number.to_string().as_bytes()])
            }
            Self::PeekList(key, number) => {
                with(named("LRANGE", &[*key]), &[b"0", number.to_string().as_bytes()])
            }
            Self::BlPop(keys, ms) => with(named("BLPOP", keys), &[seconds(*ms).as_bytes()]),
            Self::BlMove(from, to, ms) => {
                with(named("BLMOVE", &[*from, *to]), &[b"LEFT", b"RIGHT", seconds(*ms).as_bytes()])
            }
            Self::Block { .. } => vec![word("EXEC")],
            Self::Refused => vec![word("EXEC")],
            Self::Script { ops, declared } => script(ops, *declared, names),
            Self::Follow { string, lists, text, number } => {
                let mut args = vec![word("EVAL"), word(FOLLOW), word("1"), name(string)];
                args.extend([word(&number.to_string()), text.clone()]);
                args.extend(lists.iter().map(name));
                args
            }
        }
    }

    /// The requests that stand before it in the pipeline and belong to it.
    pub fn prelude(&self, names: &[String]) -> Vec<Vec<Vec<u8>>> {
        match self {
            Self::Block { ops, .. } => {
                let inner = ops.iter().map(|op| op.args(names));
                [vec![b"MULTI".to_vec()]].into_iter().chain(inner).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Runs commands one after the other: of each, how many words it has, and the words. Keys that are not given are the next in KEYS.
const RUN: &str = "\
local out, at, declared = {}, 1, 0
while at <= #ARGV do
  local words = {}
  for i = 1, tonumber(ARGV[at]) do words[i] = ARGV[at + i] end
  if words[2] == '' then declared = declared + 1; words[2] = KEYS[declared] end
  out[#out + 1] = redis.call(unpack(words))
  at = at + 1 + #words
end
return out";

/// Which list comes from the number in a string such as `v17`.
const FOLLOW: &str = "\
local seen = redis.call('GETRANGE', KEYS[1], '0', ARGV[1])
local number = tonumber(seen:match('%d+') or '0')
local list = ARGV[3 + number % (#ARGV - 2)]
return {seen, redis.call('RPUSH', list, ARGV[2])}";

/// The list of [`Op::Follow`] for what its string holds.
pub fn followed(lists: &[Key], seen: &[u8]) -> Key {
    let digits: String = seen
        .iter()
        .map(|byte| char::from(*byte))
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    lists[digits.parse::<usize>().unwrap_or(0) % lists.len()]
}

fn script(ops: &[Op], declared: usize, names: &[String]) -> Vec<Vec<u8>> {
    let mut args = vec![b"EVAL".to_vec(), RUN.as_bytes().to_vec(), declared.to_string().into_bytes()];
    args.extend(ops[..declared].iter().map(|op| op.args(names)[1].clone()));
    for (at, op) in ops.iter().enumerate() {
        let mut words = op.args(names);
        if at < declared {
            words[1].clear();
        }
        args.push(words.len().to_string().into_bytes());
        args.append(&mut words);
    }
    args
}

/// A channel's name by its number.
pub fn channel_name(channel: usize) -> String {
    format!("channel{channel}")
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The keys of several operations, each once.
fn of_all<'a>(ops: impl Iterator<Item = &'a Op>, more: &[Key]) -> Vec<Key> {
    let mut keys: Vec<Key> = ops.filter_map(Op::keys).flatten().chain(more.iter().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Writes a command's name with capital and small letters as the bits say: the server does not mind, and whoever watches what it
/// executes can tell requests apart.
pub fn spell(name: &mut [u8], bits: u64) {
    for (at, letter) in name.iter_mut().enumerate() {
        if bits >> (at % 64) & 1 == 1 {
            letter.make_ascii_lowercase();
        }
    }
}
