//! What one turn adds to one shard's file: commands in the form of requests, blocks of them between MULTI and EXEC, and marks of
//! transactions of several shards.
//!
//! Which database a command is for is said with SELECT, where it changes. What the file has chosen when the chunk begins only its writer knows: a
//! chunk says which it begins with, and leaves that SELECT to the writer.

use crate::{EXEC, MULTI, TX_MARK, TxId};
use base::number;
use std::ops::Range;

/// Commands for one shard's file.
#[derive(Debug, Default)]
pub struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// What is for the generation that goes on or has begun last.
    pub(crate) current: Stretch,
    /// What is for generations that have ended.
    pub(crate) ended: Vec<Stretch>,
    pub(crate) parts: Vec<Part>,
    block: Block,
}

/// What of a chunk is for one generation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    /// Where it begins in the chunk.
    pub start: usize,
    /// The database of the first command; `None` if there is no command.
    pub first_db: Option<u16>,
    /// The database of the last.
    pub last_db: Option<u16>,
    /// Bytes of the command that the whole generation begins with.
    pub head: usize,
}

/// The mark of a part of a transaction of several shards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub tx: TxId,
    /// Where the number of parts stands.
    pub digits: usize,
}

/// An open block. Blocks within it are part of it.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    depth: u32,
    /// Where the outermost begins.
    start: usize,
    commands: u32,
    is_part: bool,
}

impl Chunk {
    /// A chunk that uses the room of `buffer`, whatever stands in it.
    pub fn with_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { bytes: buffer, ..Self::default() }
    }

    /// Whether there is nothing to hand over.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.ended.is_empty()
    }

    /// Bytes of what is to be written.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many generations end in it.
    pub fn generations_ended(&self) -> usize {
        self.ended.len()
    }

    /// Adds a command.
    #[inline]
    pub fn command<'w>(
        &mut self,
        db: u16,
        words: impl IntoIterator<Item = &'w [u8], IntoIter: ExactSizeIterator>,
    ) {
        self.choose(db);
        append_command(&mut self.bytes, words.into_iter());
    }

    /// Adds a command that stands in the form of a request already: `*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n`.
    #[inline]
    pub fn request(&mut self, db: u16, request: &[u8]) {
        self.choose(db);
        self.bytes.extend_from_slice(request);
    }

    /// The next command is for a database.
    #[inline]
    fn choose(&mut self, db: u16) {
        if self.current.last_db != Some(db) {
            self.select(db);
        }
        self.block.commands += 1;
    }

    #[cold]
    fn select(&mut self, db: u16) {
        match self.current.first_db {
            None => self.current.first_db = Some(db),
            Some(_) => append_select(&mut self.bytes, db),
        }
        self.current.last_db = Some(db);
    }

    /// What follows, up to [`Chunk::end_block`], is played wholly or not at all. Blocks within blocks count for nothing.
    pub fn begin_block(&mut self) {
        if self.block.depth == 0 {
            self.block = Block { depth: 0, start: self.bytes.len(), commands: 0, is_part: false };
            self.bytes.extend_from_slice(MULTI);
        }
        self.block.depth += 1;
    }

    /// Ends a block. Of one with a single command nothing but that is written, of one without any, nothing.
    ///
    /// # Panics
    /// If none has begun.
    pub fn end_block(&mut self) {
        let Block { depth, start, commands, is_part } = self.block;
        assert!(depth > 1 || depth == 1 && !is_part, "no block has begun");
        self.block.depth -= 1;
        if depth > 1 {
            return;
        }
        if commands > 1 {
            self.bytes.extend_from_slice(EXEC);
        } else {
            self.bytes.drain(start..start + MULTI.len());
        }
    }

    /// What follows, up to [`Chunk::end_part`], is this shard's part of a transaction of several shards, which is played on all of them or on
    /// none. A transaction may have several parts on a shard.
    ///
    /// # Panics
    /// Within a block.
    pub fn begin_part(&mut self, tx: TxId) {
        assert_eq!(self.block.depth, 0, "parts stand in no block");
        self.bytes.extend_from_slice(TX_MARK);
        append_hex(&mut self.bytes, tx.0, 16);
        self.bytes.push(b' ');
        self.parts.push(Part { tx, digits: self.bytes.len() });
        self.bytes.extend_from_slice(b"0000\r\n");
        self.block = Block { depth: 1, start: self.bytes.len(), commands: 0, is_part: true };
        self.bytes.extend_from_slice(MULTI);
    }

    /// Ends a part. It is written however few commands it has.
    ///
    /// # Panics
    /// If none has begun.
    pub fn end_part(&mut self) {
        assert!(self.block.depth == 1 && self.block.is_part, "no part has begun");
        self.block.depth = 0;
        self.bytes.extend_from_slice(EXEC);
    }

    /// From here on the next generation of files goes on.
    ///
    /// Every shard must end its generation, at the same place in the order of operations among shards; until all have, what
    /// follows waits. With `head`, a command and its database, the new file begins with that: the shard of the first file says so of
    /// what concerns whole databases. It is a transaction of all shards, so that nothing that follows it anywhere is there without it.
    ///
    /// # Panics
    /// Within a block.
    pub fn end_generation(&mut self, head: Option<(u16, &[&[u8]])>) {
        assert_eq!(self.block.depth, 0, "generations end in no block");
        self.ended.push(self.current);
        self.current = Stretch { start: self.bytes.len(), ..Stretch::default() };
        if let Some((db, words)) = head {
            self.command(db, words.iter().copied());
            self.current.head = self.bytes.len() - self.current.start;
        }
    }

    /// Notes what time it is (`aof-timestamp-enabled`).
    pub fn timestamp(&mut self, unix_s: u64) {
        append_timestamp(&mut self.bytes, unix_s);
    }

    /// # Panics
    /// If a block is open: it cannot be handed over.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.block.depth, 0, "a block is open");
    }
}

/// Appends SELECT.
pub(crate) fn append_select(out: &mut Vec<u8>, db: u16) {
    let text = number::I64Buf::from_u64(u64::from(db));
    append_command(out, [b"SELECT", text.as_bytes()].into_iter());
}

/// Appends so many lower-case hexadecimal digits.
pub(crate) fn append_hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    let hex = (0..digits).rev().map(|place| b"0123456789abcdef"[(value >> (4 * place) & 15) as usize]);
    out.extend(hex);
}

/// Appends a line that says what time it is.
pub fn append_timestamp(out: &mut Vec<u8>, unix_s: u64) {
    out.extend_from_slice(b"#TS:");
    number::append_u64(out, unix_s);
    out.extend_from_slice(b"\r\n");
}

/// Appends a command in the form of a request. A line end is written with what follows it.
#[inline]
pub fn append_command<'w>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    out.push(b'*');
    number::append_u64(out, words.len() as u64);
    for word in words {
        append_length(out, word.len());
        out.extend_from_slice(word);
    }
    out.extend_from_slice(b"\r\n");
}

/// `\r\n$12\r\n` for each of the shorter lengths, and last how many bytes of it count.
static LENGTHS: [[u8; 8]; 100] = {
    let mut table = [[0; 8]; 100];
    let mut length = 0;
    while length < table.len() {
        let (tens, ones) = (b'0' + (length / 10) as u8, b'0' + (length % 10) as u8);
        table[length] = if length < 10 {
            [b'\r', b'\n', b'$', ones, b'\r', b'\n', 0, 6]
        } else {
            [b'\r', b'\n', b'$', tens, ones, b'\r', b'\n', 7]
        };
        length += 1;
    }
    table
};

/// Appends the end of a line and a line with the length of a word, and makes room for that.
#[inline]
fn append_length(out: &mut Vec<u8>, length: usize) {
    out.reserve(length + 32);
    if let Some(text) = LENGTHS.get(length) {
        let end = out.len() + usize::from(text[7]);
        out.extend_from_slice(text);
        out.truncate(end);
        return;
    }
    out.extend_from_slice(b"\r\n$");
    number::append_u64(out, length as u64);
    out.extend_from_slice(b"\r\n");
}

/// A command as it came, for [`Chunk::request`], if it came in just the form in which it would be written: the words stand in `buf` at these places, each
/// with its length in front of it, and nothing else. Only short words are looked at so.
#[inline]
pub fn as_it_came(buf: &[u8], words: impl ExactSizeIterator<Item = Range<usize>>) -> Option<&[u8]> {
    let count = u8::try_from(words.len()).ok().filter(|count| *count < 10)?;
    let (mut start, mut end) = (None, None);
    for word in words {
        let text = LENGTHS.get(word.len())?;
        let length_bytes = usize::from(text[7]);
        let length_at = word.start.checked_sub(length_bytes)?;
        if *end.get_or_insert(length_at) != length_at {
            return None;
        }
        let found = buf.get(length_at..length_at + 8)?;
        let found = u64::from_le_bytes(found.try_into().expect("eight bytes"));
        let differing = (found ^ u64::from_le_bytes(*text)) << (8 * (8 - length_bytes));
        if differing != 0 {
            return None;
        }
        (start, end) = (start.or(Some(length_at)), Some(word.end));
    }
    let request = buf.get(start?.checked_sub(2)?..end? + 2)?;
    (request[..2] == [b'*', b'0' + count] && request.ends_with(b"\r\n")).then_some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chunk: &Chunk) -> String {
        chunk.bytes.escape_ascii().to_string().replace("\\r\\n", " ")
    }

    fn add(chunk: &mut Chunk, db: u16, words: &[&str]) {
        chunk.command(db, words.iter().map(|word| word.as_bytes()));
    }

    #[test]
    fn commands_and_their_databases() {
        let mut chunk = Chunk::default();
        assert!(chunk.is_empty());
        add(&mut chunk, 3, &["DEL", "k"]);
        add(&mut chunk, 3, &["SET", "k", &"x".repeat(12)]);
        add(&mut chunk, 12, &["DEL", ""]);
        assert_eq!(
            text(&chunk),
            "*2 $3 DEL $1 k *3 $3 SET $1 k $12 xxxxxxxxxxxx *2 $6 SELECT $2 12 *2 $3 DEL $0  "
        );
        assert_eq!((chunk.current.first_db, chunk.current.last_db), (Some(3), Some(12)));
    }

    #[test]
    fn lengths_of_every_size() {
        for length in [1, 9, 10, 99, 100, 101, 999, 1000, 123_456] {
            let (mut chunk, word) = (Chunk::default(), "x".repeat(length));
            chunk.command(0, [word.as_bytes(), b""]);
            assert_eq!(chunk.bytes, format!("*2\r\n${length}\r\n{word}\r\n$0\r\n\r\n").as_bytes());
            chunk.bytes.clear();
            chunk.command(0, vec![b"x".as_slice(); length]);
            assert_eq!(chunk.bytes, format!("*{length}\r\n{}", "$1\r\nx\r\n".repeat(length)).as_bytes());
        }
    }

    /// What is taken as it came is what would have been written, and whatever else stands around the words is not taken.
    #[test]
    fn as_it_came_is_as_it_would_be_written() {
        let mut random = base::random::Random::from_seed(5);
        let mut taken = 0;
        for _ in 0..20_000 {
            let words: Vec<Vec<u8>> = (0..1 + random.index(10))
                .map(|_| {
                    let max = [2, 12, 120][random.index(3)];
                    (0..random.index(max)).map(|_| b"x\r\n$*3"[random.index(6)]).collect()
                })
                .collect();
            let mut chunk = Chunk::default();
            chunk.command(0, words.iter().map(Vec::as_slice));
            let mut buf = b"*3\r\n$3".to_vec();
            buf.truncate(random.index(8));
            let before = buf.len();
            buf.extend_from_slice(&chunk.bytes);
            let end = buf.len();
            buf.extend_from_slice(b"rest of the buffer");
            let mut at = before + 2;
            let places: Vec<_> = words
                .iter()
                .map(|word| {
                    let start = at + 5 + word.len().to_string().len();
                    at = start + word.len();
                    start..at
                })
                .collect();
            let came = as_it_came(&buf, places.iter().cloned());
            let is_short = words.len() < 10 && words.iter().all(|word| word.len() < 100);
            assert_eq!(came, is_short.then_some(&chunk.bytes[..]));
            taken += usize::from(came.is_some());
            // Any other byte that is no word's.
            let other = before + random.index(end - before);
            buf[other] ^= 1;
            let is_word = places.iter().any(|place| place.contains(&other));
            assert_eq!(as_it_came(&buf, places.iter().cloned()).is_some(), is_short && is_word);
        }
        assert!(taken > 5_000, "{taken}");
        // As they stand in an inline request, and without anything between them.
        for text in [
            &b"SET     key     value\r\n"[..],
            b"SETkeyvalue\r\n",
            b"*3\r\n$3\r\nSET      key      value\r\n",
        ] {
            let at = |word: &[u8]| {
                let start = text.windows(word.len()).position(|window| window == word).unwrap();
                start..start + word.len()
            };
            assert_eq!(as_it_came(text, [at(b"SET"), at(b"key"), at(b"value")].into_iter()), None);
        }
        assert_eq!(as_it_came(b"*2\r\n$1\r\nk\r\n$1\r\nk\r\n", [8..9, 8..9].into_iter()), None);
        assert_eq!(as_it_came(b"*0\r\n", [].into_iter()), None);
        let beyond = 1 << 30..(1 << 30) + 3;
        assert_eq!(as_it_came(b"*1\r\n$3\r\nDEL\r\n", [beyond].into_iter()), None);
    }

    #[test]
    fn blocks_are_as_short_as_can_be() {
        let mut chunk = Chunk::default();
        chunk.begin_block();
        chunk.end_block();
        assert!(chunk.is_empty());
        chunk.begin_block();
        chunk.begin_block();
        add(&mut chunk, 0, &["A"]);
        chunk.end_block();
        chunk.end_block();
        assert_eq!(text(&chunk), "*1 $1 A ");
        chunk.begin_block();
        add(&mut chunk, 1, &["B"]);
        chunk.end_block();
        assert_eq!(text(&chunk), "*1 $1 A *2 $6 SELECT $1 1 *1 $1 B ");
        chunk.begin_block();
        add(&mut chunk, 1, &["C"]);
        add(&mut chunk, 1, &["D"]);
        chunk.end_block();
        assert!(text(&chunk).ends_with("B *1 $5 MULTI *1 $1 C *1 $1 D *1 $4 EXEC "));
    }

    #[test]
    fn parts_are_always_written() {
        let mut chunk = Chunk::default();
        chunk.begin_part(TxId(0xab));
        chunk.end_part();
        assert_eq!(text(&chunk), "#weft-tx 00000000000000ab 0000 *1 $5 MULTI *1 $4 EXEC ");
        chunk.begin_part(TxId(u64::MAX));
        chunk.begin_block();
        add(&mut chunk, 0, &["A"]);
        chunk.end_block();
        chunk.end_part();
        assert!(text(&chunk).ends_with("#weft-tx ffffffffffffffff 0000 *1 $5 MULTI *1 $1 A *1 $4 EXEC "));
        for part in &chunk.parts {
            assert_eq!(&chunk.bytes[part.digits..part.digits + 6], b"0000\r\n");
        }
    }

    #[test]
    fn generations_begin_anew() {
        let mut chunk = Chunk::default();
        add(&mut chunk, 1, &["A"]);
        chunk.end_generation(Some((1, &[b"FLUSHDB"])));
        chunk.timestamp(1_700_000_000);
        assert_eq!(text(&chunk), "*1 $1 A *1 $7 FLUSHDB #TS:1700000000 ");
        assert_eq!((chunk.ended.len(), chunk.current.start), (1, 11));
        assert_eq!(chunk.current.first_db, Some(1));
    }
}
