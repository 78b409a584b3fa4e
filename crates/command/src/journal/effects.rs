//! A list of effects, in memory that serves again.

use ::journal::TxId;
use ::journal::chunk::Chunk;

/// Commands in their order, each with the shard whose keys it concerns and its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Each word behind its length (4 bytes, little endian).
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    shard: u16,
    db: u16,
    words: u32,
    /// Where its bytes end.
    end: usize,
    /// Whatever becomes of the command that has met it.
    stays: bool,
    /// It concerns whole databases, and ends a generation.
    ends: bool,
}

/// How far a list had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(usize);

/// One of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    pub shard: u16,
    pub db: u16,
    pub words: Words<'a>,
    /// It concerns whole databases of all shards, each of which lists it.
    pub ends: bool,
}

/// The words of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'a> {
    left: u32,
    bytes: &'a [u8],
}

const LEN_BYTES: usize = size_of::<u32>();

impl Effects {
    /// Adds a command. `stays`: it has happened whatever becomes of what is being gathered.
    pub fn push<'w>(&mut self, shard: u16, db: u16, words: impl Iterator<Item = &'w [u8]>, stays: bool) {
        let words = self.push_words(words);
        self.heads.push(Head { shard, db, words, end: self.bytes.len(), stays, ends: false });
    }

    /// Adds a command that concerns whole databases.
    pub fn push_end<'w>(&mut self, shard: u16, db: u16, words: impl Iterator<Item = &'w [u8]>) {
        let words = self.push_words(words);
        self.heads.push(Head { shard, db, words, end: self.bytes.len(), stays: false, ends: true });
    }

    fn push_words<'w>(&mut self, words: impl Iterator<Item = &'w [u8]>) -> u32 {
        let mut count = 0;
        for word in words {
            // No argument is longer than 512 MiB, and no value than 4 GiB.
            self.bytes.extend_from_slice(&(word.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(word);
            count += 1;
        }
        count
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub fn len(&self) -> usize {
        self.heads.len()
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.heads.clear();
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        let mut start = 0;
        self.heads.iter().map(move |head| {
            let bytes = &self.bytes[start..head.end];
            start = head.end;
            let words = Words { left: head.words, bytes };
            Listed { shard: head.shard, db: head.db, words, ends: head.ends }
        })
    }

    /// The shards that they concern, each once, ascending.
    pub fn shards(&self) -> Vec<u16> {
        let mut shards: Vec<_> = self.heads.iter().map(|head| head.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// Whether any concerns whole databases.
    pub fn has_ends(&self) -> bool {
        self.heads.iter().any(|head| head.ends)
    }

    /// Puts what concerns whole databases in front, as far as it is not undone by more of its kind: the commands, each once, and
    /// what is to follow them. Each of `shards` lists each of them.
    pub fn by_generation(&self, shards: usize) -> (Self, Self) {
        let (mut ends, mut rest, mut seen) = (Self::default(), Self::default(), 0);
        for listed in self.iter() {
            if !listed.ends {
                rest.push(listed.shard, listed.db, listed.words, false);
                continue;
            }
            seen += 1;
            if seen == shards {
                // Now it has been done everywhere, and what was found on the way stands before it.
                seen = 0;
                let words: Vec<_> = listed.words.collect();
                if words[0].eq_ignore_ascii_case(b"flushall") {
                    ends.clear();
                }
                rest = rest.after_end(listed.db, &words);
                ends.push_end(0, listed.db, listed.words);
            }
        }
        (ends, rest)
    }

    /// What is left of these behind a command that concerns whole databases.
    fn after_end(&self, end_db: u16, end: &[&[u8]]) -> Self {
        let number =
            |at: usize| end.get(at).and_then(|word| std::str::from_utf8(word).ok()?.parse::<u16>().ok());
        let swapped = if end[0].eq_ignore_ascii_case(b"swapdb") { number(1).zip(number(2)) } else { None };
        let mut left = Self::default();
        for Listed { shard, db, words, .. } in self.iter() {
            let is_function = words.clone().next().is_some_and(|name| name.eq_ignore_ascii_case(b"function"));
            let db = match swapped {
                Some((one, other)) if db == one => other,
                Some((one, other)) if db == other => one,
                _ => db,
            };
            let is_flushed = swapped.is_none() && (db == end_db || end[0].eq_ignore_ascii_case(b"flushall"));
            if is_function || !is_flushed {
                left.push(shard, db, words, false);
            }
        }
        left
    }

    /// Adds those of a shard, or all, to a chunk as one block.
    pub fn write_block(&self, chunk: &mut Chunk, shard: Option<u16>) {
        chunk.begin_block();
        self.write(chunk, shard);
        chunk.end_block();
    }

    /// Adds those of a shard to a chunk as its part of a transaction.
    pub fn write_part(&self, chunk: &mut Chunk, shard: u16, tx: TxId) {
        chunk.begin_part(tx);
        self.write(chunk, Some(shard));
        chunk.end_part();
    }

    fn write(&self, chunk: &mut Chunk, shard: Option<u16>) {
        let wanted = self.iter().filter(|listed| shard.is_none_or(|shard| shard == listed.shard));
        wanted.for_each(|listed| chunk.command(listed.db, listed.words));
    }

    /// Adds others behind.
    pub fn append(&mut self, others: &Self) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&others.bytes);
        self.heads.extend(others.heads.iter().map(|head| Head { end: head.end + before, ..*head }));
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.heads.len())
    }

    /// What has been added since has not happened, but for what stays.
    pub(super) fn take_back(&mut self, mark: Mark) {
        let begin = mark.0.checked_sub(1).map_or(0, |last| self.heads[last].end);
        let taken = Self { bytes: self.bytes.split_off(begin), heads: self.heads.split_off(mark.0) };
        let mut start = begin;
        for head in taken.heads {
            if head.stays {
                self.bytes.extend_from_slice(&taken.bytes[start - begin..head.end - begin]);
                self.heads.push(Head { end: self.bytes.len(), ..head });
            }
            start = head.end;
        }
    }
}

impl<'a> Words<'a> {
    pub fn count(&self) -> usize {
        self.left as usize
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (len, rest) = self.bytes.split_at(LEN_BYTES);
        let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
        let (word, rest) = rest.split_at(len);
        self.bytes = rest;
        Some(word)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count(), Some(self.count()))
    }
}

impl ExactSizeIterator for Words<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(effects: &Effects) -> Vec<String> {
        let line = |listed: Listed<'_>| {
            let words: Vec<_> = listed.words.map(String::from_utf8_lossy).collect();
            format!("{}/{} {}", listed.shard, listed.db, words.join(" "))
        };
        effects.iter().map(line).collect()
    }

    fn words(line: &str) -> impl Iterator<Item = &[u8]> {
        line.split(' ').map(str::as_bytes)
    }

    #[test]
    fn what_is_taken_back_is_gone_but_for_what_stays() {
        let mut effects = Effects::default();
        effects.push(1, 0, words("SET a 1"), false);
        let mark = effects.mark();
        effects.push(2, 3, words("SET b 2"), false);
        effects.push(2, 3, words("DEL over"), true);
        effects.push(1, 0, words("INCR  a"), false);
        assert_eq!(told(&effects), ["1/0 SET a 1", "2/3 SET b 2", "2/3 DEL over", "1/0 INCR  a"]);
        effects.take_back(mark);
        assert_eq!(told(&effects), ["1/0 SET a 1", "2/3 DEL over"]);
        let mut others = Effects::default();
        others.push(0, 1, words("DEL c"), false);
        others.append(&effects);
        assert_eq!(told(&others), ["0/1 DEL c", "1/0 SET a 1", "2/3 DEL over"]);
        others.take_back(Mark::default());
        assert_eq!(told(&others), ["2/3 DEL over"]);
    }
}
