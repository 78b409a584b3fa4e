//! Operations: what clients ask, and which keys that touches.
//!
//! Every string written is new, so that a read says which write it saw.

use testkit::Value;

/// A key, by its index in [`crate::workload::Keys::names`].
pub type Key = usize;

/// A string that no other operation writes.
pub type Text = Vec<u8>;

#[derive(Clone, Debug, PartialEq, Eq)]
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
    DbSize,
    FlushAll,
    /// Touches nothing: shows whether replies come in order.
    Echo(Text),
    /// CLIENT KILL of a connection: nothing it asked happens afterwards.
    Kill(usize),
    /// Nobody asks for this: the time of what expires then is over, as far as this key is concerned.
    Strike(Key, u64),
}

impl Op {
    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            Self::Get(_)
                | Self::MGet(_)
                | Self::LRange(_)
                | Self::SMembers(_)
                | Self::DbSize
                | Self::Echo(_)
                | Self::Kill(_)
        )
    }

    /// Whether this reply says that it changed nothing, whatever there was.
    pub fn is_inert(&self, reply: &Value) -> bool {
        match self {
            Self::Set(..) | Self::SetUntil(..) | Self::Append(..) | Self::Incr(_) => false,
            Self::MSet(_) | Self::RPush(..) | Self::FlushAll | Self::Strike(..) => false,
            // What it stores may be empty, but the key may not have been.
            Self::SUnionStore(..) => false,
            Self::Rename(..) => reply.is_error(),
            Self::LMove(..) => reply.is_null(),
            Self::Del(_) | Self::MSetNx(_) | Self::Copy(..) | Self::SAdd(..) | Self::SMove(..) => {
                *reply == Value::Integer(0)
            }
            Self::Kill(_) => *reply == Value::Integer(0),
            Self::Get(_) | Self::MGet(_) | Self::LRange(_) | Self::SMembers(_) => true,
            Self::DbSize | Self::Echo(_) => true,
        }
    }

    /// The strings that only this operation writes.
    pub fn new_texts(&self) -> Vec<&Text> {
        match self {
            Self::Set(_, text) | Self::SetUntil(_, text, _) | Self::Append(_, text) => vec![text],
            Self::RPush(_, text) | Self::SAdd(_, text) => vec![text],
            Self::MSet(pairs) | Self::MSetNx(pairs) => pairs.iter().map(|(_, text)| text).collect(),
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
            Self::Echo(_) | Self::Kill(_) => Vec::new(),
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
            Self::Kill(link) => ["CLIENT", "KILL", "ID", &(link + 1).to_string()].map(word).to_vec(),
            Self::Strike(key, at_ms) => vec![word("(time is over)"), name(key), word(&at_ms.to_string())],
        }
    }
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
