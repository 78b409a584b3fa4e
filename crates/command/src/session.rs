//! What a client connection is to the commands: its database, protocol, name and rights. Its bytes and sockets are the
//! `shard` and `runtime` crates' business.

use crate::Command;
use crate::state::Parsing;
use crate::tracking::{ClientRef, Mode};
use std::collections::HashMap;

/// Whether replies are sent (CLIENT REPLY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// The reply of the command after this one is not sent.
    SkipNext,
}

/// Names of fields for hashes to come (HIMPORT).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fieldset {
    pub name: Vec<u8>,
    /// Short ones first, then ascending, as in Redis; with each the place of its value among those that the client sends.
    pub fields: Vec<(Vec<u8>, usize)>,
}

impl Fieldset {
    /// `None` if a name comes twice.
    pub fn new<'a>(name: &[u8], fields: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut fields: Vec<_> = fields.enumerate().map(|(index, field)| (field.to_vec(), index)).collect();
        fields.sort_unstable_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
        let twice = fields.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!twice).then(|| Self { name: name.to_vec(), fields })
    }

    fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, _)| name.len()).sum::<usize>();
        size_of::<Self>() + self.name.len() + fields + self.fields.len() * size_of::<(Vec<u8>, usize)>()
    }
}

/// A transaction as CLIENT LIST shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionFigures {
    pub queued: usize,
    pub queued_bytes: usize,
    pub watched: usize,
    /// A watched key has changed.
    pub is_touched: bool,
}

#[derive(Clone, Default)]
pub struct Session {
    /// CLIENT ID; unique in the process, ascending.
    pub id: u64,
    /// Where it is connected.
    pub client: ClientRef,
    pub addr: String,
    pub local_addr: String,
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
    pub db: u16,
    pub resp3: bool,
    pub authenticated: bool,
    pub reply_mode: ReplyMode,
    /// Exempt from client eviction (CLIENT NO-EVICT).
    pub no_evict: bool,
    /// Reads do not change the age of keys (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// CLIENT PAUSE holds back what it has sent.
    pub paused: bool,
    /// It waits in a blocking command.
    pub blocked: bool,
    pub monitor: bool,
    pub unix_socket: bool,
    pub fd: i32,
    pub created_ms: u64,
    pub last_active_ms: u64,
    /// The last command, as CLIENT LIST shows it.
    pub last_command: Option<&'static Command>,
    /// Bytes not yet parsed, bytes not yet sent; brought up to date by the shard.
    pub query_bytes: usize,
    pub output_bytes: usize,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    /// Reads that brought something.
    pub reads: u64,
    pub parsing: Parsing,
    pub commands: u64,
    pub fieldsets: Vec<Fieldset>,
    /// CLIENT TRACKING, while it is on.
    pub tracking: Option<Box<Mode>>,
    /// Another client has its tracking messages sent here, or had.
    pub is_target: bool,
    /// Between MULTI and EXEC.
    pub in_multi: bool,
    /// What is queued and watched; brought up to date by the shard.
    pub transaction: TransactionFigures,
    /// Channels, patterns and shard channels that it is subscribed to.
    pub subscriptions: [usize; 3],
    /// Closed after the replies written so far have been sent.
    pub close_after_reply: bool,
}

impl Session {
    /// What it takes in memory, its buffers aside.
    pub fn bytes(&self) -> usize {
        let fieldsets = self.fieldsets.iter().map(Fieldset::bytes).sum::<usize>();
        let prefixes = self.tracking.iter().flat_map(|mode| &mode.prefixes);
        let tracking = prefixes.map(|prefix| size_of::<Vec<u8>>() + prefix.len()).sum::<usize>();
        size_of::<Self>() + fieldsets + tracking
    }

    /// Whether it is subscribed to anything.
    pub fn is_subscribed(&self) -> bool {
        self.subscriptions != [0; 3]
    }

    /// Whether the client is on this machine: it came by the loopback or the Unix socket.
    pub fn is_local(&self) -> bool {
        self.unix_socket || self.addr.starts_with("127.") || self.addr.starts_with("[::1]")
    }
}

/// Sessions of one shard's connections, by connection index.
#[derive(Default)]
pub struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    count: usize,
    by_id: HashMap<u64, usize>,
}

impl Sessions {
    pub fn put(&mut self, index: usize, session: Session) {
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        assert!(self.slots[index].is_none(), "connection index in use");
        self.by_id.insert(session.id, index);
        self.slots[index] = Some(Box::new(session));
        self.count += 1;
    }

    pub fn take(&mut self, index: usize) -> Option<Box<Session>> {
        let session = self.slots.get_mut(index)?.take();
        if let Some(session) = &session {
            self.count -= 1;
            if self.by_id.get(&session.id) == Some(&index) {
                self.by_id.remove(&session.id);
            }
        }
        session
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&Session> {
        self.slots.get(index)?.as_deref()
    }

    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Session> {
        self.slots.get_mut(index)?.as_deref_mut()
    }

    /// The connection with this CLIENT ID.
    pub fn index_of(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sessions with their connection indexes.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Session)> {
        self.slots.iter().enumerate().filter_map(|(i, s)| Some((i, s.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fieldsets_are_sorted_and_know_the_order_of_values() {
        let fields = [&b"name"[..], b"", b"sex", b"zip", b"email"];
        let fieldset = Fieldset::new(b"user", fields.into_iter()).unwrap();
        let known = [(&b""[..], 1), (b"sex", 2), (b"zip", 3), (b"name", 0), (b"email", 4)];
        assert_eq!(fieldset.fields, known.map(|(name, at)| (name.to_vec(), at)));
        assert_eq!(Fieldset::new(b"user", [&b"a"[..], b"b", b"a"].into_iter()), None);
    }
}
