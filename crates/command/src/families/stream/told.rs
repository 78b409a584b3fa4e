//! What stream commands tell the journal: ids in the place of clocks, what was delivered to whom and when, exact trims.

use super::StreamId;
use crate::Cx;
use base::number::{I64Buf, append_i64};
use keyspace::{Key, ValueRef};
use types::Stream;
use types::stream::{Memory, References, Trim, TrimTo};

/// Ids in one command.
const IDS_MAX: usize = 1024;

/// The greatest count that a client can give.
const COUNT_MAX: u64 = i64::MAX as u64;

/// An entry that was delivered, and how often by now.
pub type Delivered = (StreamId, u64);

fn number(value: u64) -> Vec<u8> {
    I64Buf::from_u64(value).as_bytes().to_vec()
}

fn text(id: StreamId) -> Vec<u8> {
    id.text().as_bytes().to_vec()
}

/// What a trim has come to, as words that have the same come of it whatever blocks the entries stand in. `last`: as
/// [`Stream::trim_with_last`] has said.
pub fn exact(trim: Trim, last: Option<StreamId>, stream: &Stream) -> Vec<Vec<u8>> {
    let to = match trim.to {
        to if !trim.is_by_blocks() => to,
        // Some may stay in front of those that have gone.
        _ if trim.references == References::Acked => match last.and_then(StreamId::next) {
            Some(behind) => TrimTo::Id(behind),
            None => TrimTo::Len(stream.len() as u64),
        },
        TrimTo::Id(_) if !stream.is_empty() => TrimTo::Id(stream.first_id()),
        _ => TrimTo::Len(stream.len() as u64),
    };
    let mut words = match to {
        TrimTo::Len(max) => vec![b"MAXLEN".to_vec(), b"=".to_vec(), number(max)],
        TrimTo::Id(min) => vec![b"MINID".to_vec(), b"=".to_vec(), text(min)],
    };
    match trim.references {
        References::Keep => {}
        References::Delete => words.push(b"DELREF".to_vec()),
        References::Acked => words.push(b"ACKED".to_vec()),
    }
    words
}

impl Cx<'_> {
    /// Entries were delivered to a consumer, in this order.
    pub(super) fn log_delivered(
        &mut self,
        key: &[u8],
        [group, consumer]: [&[u8]; 2],
        delivered: &[Delivered],
        at_ms: u64,
    ) {
        let same_count = delivered.chunk_by(|one, other| one.1 == other.1);
        for some in same_count.flat_map(|some| some.chunks(IDS_MAX)) {
            let head = [&b"XCLAIM"[..], key, group, consumer, b"0"];
            let mut words: Vec<Vec<u8>> = head.iter().map(|word| word.to_vec()).collect();
            words.extend(some.iter().map(|(id, _)| text(*id)));
            words.extend([
                b"TIME".to_vec(),
                number(at_ms),
                b"RETRYCOUNT".to_vec(),
                number(some[0].1.min(COUNT_MAX)),
            ]);
            words.extend([b"FORCE".to_vec(), b"JUSTID".to_vec()]);
            self.log_words(key, words);
        }
    }

    /// Entries were given back, in this order. What they were counted for may not be known another time: reading them again
    /// counts, and is not written down.
    pub(super) fn log_given_back(&mut self, key: &[u8], group: &[u8], given: &[Delivered]) {
        let same_count = given.chunk_by(|one, other| one.1 == other.1);
        for some in same_count.flat_map(|some| some.chunks(IDS_MAX)) {
            let head = [&b"XNACK"[..], key, group, b"FAIL", b"IDS"];
            let mut words: Vec<Vec<u8>> = head.iter().map(|word| word.to_vec()).collect();
            words.push(number(some.len() as u64));
            words.extend(some.iter().map(|(id, _)| text(*id)));
            words.extend([b"RETRYCOUNT".to_vec(), number(some[0].1.min(COUNT_MAX)), b"FORCE".to_vec()]);
            self.log_words(key, words);
        }
    }

    /// Deliveries are over, for the entries were deleted.
    pub(super) fn log_forgotten(&mut self, key: &[u8], group: &[u8], gone: &[StreamId]) {
        for some in gone.chunks(IDS_MAX) {
            let mut words = vec![b"XACK".to_vec(), key.to_vec(), group.to_vec()];
            words.extend(some.iter().map(|id| text(*id)));
            self.log_words(key, words);
        }
    }

    pub(super) fn log_consumer(&mut self, key: &[u8], group: &[u8], consumer: &[u8]) {
        self.log(key, &[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
    }

    /// How far a group has read now.
    pub(super) fn log_progress(&mut self, key: Key<'_>, group: &[u8]) {
        let Some(pos) = self.find_for_write(key) else { return };
        let ValueRef::Stream(stream) = self.db().value(pos) else { return };
        let Some(progress) = stream.groups.get(group) else { return };
        let (last, mut read) = (progress.last_id.text(), Vec::new());
        append_i64(&mut read, progress.entries_read.map_or(-1, |read| read as i64));
        let words = [&b"XGROUP"[..], b"SETID", key.bytes, group, last.as_bytes(), b"ENTRIESREAD", &read];
        self.log(key.bytes, &words);
    }

    /// A message of a producer was noted; `first`: the stream had no producers before.
    pub(super) fn log_message(
        &mut self,
        key: &[u8],
        [producer, message]: [&[u8]; 2],
        id: StreamId,
        first: Option<Memory>,
    ) {
        if let Some(memory) = first {
            self.log_memory(key, memory);
        }
        self.log(key, &[b"XIDMPRECORD", key, producer, message, id.text().as_bytes()]);
    }

    /// What a stream remembers of its producers' messages.
    pub(super) fn log_memory(&mut self, key: &[u8], memory: Memory) {
        let (duration_s, messages) = (number(memory.duration_s), number(memory.messages_max as u64));
        self.log(key, &[b"XCFGSET", key, b"IDMP-DURATION", &duration_s, b"IDMP-MAXSIZE", &messages]);
    }
}
