//! A list of effects, in memory that serves again.

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
        let mut count = 0;
        for word in words {
            // No argument is longer than 512 MiB, and no value than 4 GiB.
            self.bytes.extend_from_slice(&(word.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(word);
            count += 1;
        }
        self.heads.push(Head { shard, db, words: count, end: self.bytes.len(), stays });
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
            Listed { shard: head.shard, db: head.db, words: Words { left: head.words, bytes } }
        })
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

    fn words<'a>(line: &'a str) -> impl Iterator<Item = &'a [u8]> {
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
