//! An append-only file, or what follows the RDB data in front of one, entry by entry.
//!
//! Copies nothing and allocates no more than the words of a command take. It looks at one entry after the other; what makes a file whole (blocks that
//! end, seals that hold) is seen to by [`crate::survey`].

use crate::round::SEAL;
use crate::{TX_MARK, TxId};
use base::number;
use std::fmt;
use std::ops::Range;

/// Reads the bytes of a file.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    entry_at: usize,
    words: Vec<&'a [u8]>,
}

/// What stands in a file. Filler is passed over.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'e, 'a> {
    /// A command, which has at least one word.
    Command(&'e [&'a [u8]]),
    /// The block that follows is one of so many parts of a transaction of several shards.
    Part { tx: TxId, parts: u16 },
    /// What follows was added at this time.
    Timestamp { unix_s: u64 },
    /// So many bytes that follow were written together. See [`crate::round`]; whether the sum is right is another matter.
    Seal(Seal),
    /// An annotation of somebody else, without its line end.
    Annotation(&'a [u8]),
}

/// The line in front of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    pub sum: u64,
    pub safe_bytes: u64,
    pub bytes: u64,
}

/// Why something cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where it was found.
    pub offset: u64,
    /// Where the entry begins in which it was found.
    pub entry: u64,
    pub reason: Reason,
}

/// The words are those of redis-check-aof where it knows the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file ends in the middle of an entry.
    EndsInLine,
    EndsInWord {
        wanted: u64,
        got: u64,
    },
    /// A block has no end.
    EndsInBlock,
    Prefix {
        wanted: u8,
        got: u8,
    },
    LineEnd {
        got: [u8; 2],
    },
    /// What should be a length is none.
    Length,
    /// A command of no words.
    NoWords,
    /// What should be an annotation has another form.
    BadMark,
    MultiInBlock,
    ExecOutsideBlock,
    /// The mark of a part is not followed by its block.
    NoPart,
    /// Something stands where a round of ours should begin, or one begins behind filler.
    Unsealed,
    /// What was written together is not what it was.
    Sum {
        bytes: u64,
    },
}

impl Reason {
    /// Whether only the end of the file is missing.
    pub fn is_end(&self) -> bool {
        matches!(self, Reason::EndsInLine | Reason::EndsInWord { .. } | Reason::EndsInBlock)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::EndsInLine => write!(f, "Reached EOF in the middle of a line"),
            Reason::EndsInWord { wanted, got } => {
                write!(f, "Expected to read {wanted} bytes, got {got} bytes")
            }
            Reason::EndsInBlock => write!(f, "Reached EOF before reading EXEC for MULTI"),
            Reason::Prefix { wanted, got } => {
                let (wanted, got) = (char::from(*wanted), got.escape_ascii());
                write!(f, "Expected prefix '{wanted}', got: '{got}'")
            }
            Reason::LineEnd { got: [first, second] } => {
                write!(f, "Expected \\r\\n, got: {first:02x}{second:02x}")
            }
            Reason::Length => write!(f, "Expected a length"),
            Reason::NoWords => write!(f, "Expected a command, got one of no words"),
            Reason::BadMark => write!(f, "Expected an annotation, got something like it"),
            Reason::MultiInBlock => write!(f, "Unexpected MULTI"),
            Reason::ExecOutsideBlock => write!(f, "Unexpected EXEC"),
            Reason::NoPart => write!(f, "Expected MULTI behind the mark of a transaction"),
            Reason::Unsealed => write!(f, "Expected a round or nothing more"),
            Reason::Sum { bytes } => write!(f, "The check sum of a round of {bytes} bytes is wrong"),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.reason)?;
        if self.entry != self.offset {
            write!(f, " (in what begins at byte {})", self.entry)?;
        }
        Ok(())
    }
}

impl std::error::Error for Flaw {}

/// Whether a file begins with RDB data, behind which what is to be read here may follow.
pub fn begins_with_rdb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY")
}

/// Eight bytes of filler.
const FILLER: [u8; 8] = *b"#\n#\n#\n#\n";

impl<'a> Reader<'a> {
    /// Reads on from an entry that begins at `start`: 0, or where RDB data ends.
    ///
    /// # Panics
    /// If the file is shorter.
    pub fn new(bytes: &'a [u8], start: usize) -> Self {
        assert!(start <= bytes.len(), "there is no such place in the file");
        Self { bytes, at: start, entry_at: start, words: Vec::new() }
    }

    /// Where the last entry ends, and filler behind it as far as it was passed over.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next entry, and from where to where it stands; `None` at the end. An annotation that has no line end yet is the end, too, as for redis-server.
    ///
    /// # Errors
    /// If there is none that can be read. The reader stays where it is.
    pub fn next_entry(&mut self) -> Result<Option<(Range<usize>, Entry<'_, 'a>)>, Flaw> {
        loop {
            self.pass_filler();
            self.entry_at = self.at;
            match self.bytes.get(self.at) {
                None => return Ok(None),
                Some(b'*') => break,
                Some(b'#') => {}
                Some(&got) => return Err(self.flaw(self.at, Reason::Prefix { wanted: b'*', got })),
            }
            let rest = &self.bytes[self.at..];
            let Some(end) = memchr::memchr(b'\n', rest) else { return Ok(None) };
            let line = &rest[..end];
            let is_filler = matches!(line, b"#" | b"##" | b"#\r");
            if !is_filler {
                let entry = annotation(line).ok_or_else(|| self.flaw(self.at, Reason::BadMark))?;
                self.at += end + 1;
                return Ok(Some((self.entry_at..self.at, entry)));
            }
            self.at += end + 1;
        }
        let end = self.command()?;
        self.at = end;
        Ok(Some((self.entry_at..end, Entry::Command(&self.words))))
    }

    fn pass_filler(&mut self) {
        let (blocks, _) = self.bytes[self.at..].as_chunks();
        self.at += FILLER.len() * blocks.iter().take_while(|block| **block == FILLER).count();
    }

    /// Reads the command that begins here into `words`; where it ends.
    fn command(&mut self) -> Result<usize, Flaw> {
        self.words.clear();
        let (count, mut at) = self.length(self.at, b'*')?;
        if count == 0 {
            return Err(self.flaw(self.at, Reason::NoWords));
        }
        for _ in 0..count {
            let (wanted, word) = self.length(at, b'$')?;
            let got = (self.bytes.len() - word) as u64;
            if got < wanted.saturating_add(2) {
                return Err(self.flaw(word, Reason::EndsInWord { wanted: wanted.saturating_add(2), got }));
            }
            // It fits into the file, so into memory's numbers.
            let end = word + wanted as usize;
            self.line_end(end)?;
            self.words.push(&self.bytes[word..end]);
            at = end + 2;
        }
        Ok(at)
    }

    /// A line of a prefix and a number; and where the next begins.
    #[inline]
    fn length(&self, at: usize, prefix: u8) -> Result<(u64, usize), Flaw> {
        match self.bytes.get(at) {
            None => return Err(self.flaw(at, Reason::EndsInLine)),
            Some(&got) if got != prefix => {
                return Err(self.flaw(at, Reason::Prefix { wanted: prefix, got }));
            }
            Some(_) => {}
        }
        let (mut value, mut end) = (0u64, at + 1);
        while let Some(digit) =
            self.bytes.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            // Longer ones than Redis can read are none.
            if value > (i64::MAX as u64 - 9) / 10 {
                return Err(self.flaw(at, Reason::Length));
            }
            value = value * 10 + u64::from(digit);
            end += 1;
        }
        if end == at + 1 && self.bytes.len() > end {
            return Err(self.flaw(at, Reason::Length));
        }
        self.line_end(end)?;
        Ok((value, end + 2))
    }

    #[inline]
    fn line_end(&self, at: usize) -> Result<(), Flaw> {
        match self.bytes.get(at..at + 2) {
            Some(b"\r\n") => Ok(()),
            Some(got) => Err(self.flaw(at, Reason::LineEnd { got: [got[0], got[1]] })),
            None => match self.bytes.get(at) {
                None | Some(b'\r') => Err(self.flaw(at, Reason::EndsInLine)),
                Some(&got) => Err(self.flaw(at, Reason::LineEnd { got: [got, 0] })),
            },
        }
    }

    #[cold]
    fn flaw(&self, at: usize, reason: Reason) -> Flaw {
        Flaw { offset: at as u64, entry: self.entry_at as u64, reason }
    }
}

/// What a line says; `None`: it begins like one of ours and does not go on like one, or is nothing that anybody writes.
fn annotation<'e, 'a>(line: &'a [u8]) -> Option<Entry<'e, 'a>> {
    if let Some(fields) = line.strip_prefix(SEAL) {
        return Some(Entry::Seal(Seal::of_fields(fields.strip_suffix(b"\r")?)?));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(fields) = line.strip_prefix(TX_MARK) {
        let (tx, parts) = (hex(fields.get(..16)?)?, hex(fields.get(17..)?)?);
        let has_form = fields.len() == 16 + 1 + 4 && fields[16] == b' ';
        return has_form.then_some(Entry::Part { tx: TxId(tx), parts: u16::try_from(parts).ok()? });
    }
    // No such line was ever written, but a disk may have zeros where something was to be.
    if line.contains(&0) {
        return None;
    }
    let timestamp = line.strip_prefix(b"#TS:").and_then(number::parse_u64);
    Some(timestamp.map_or(Entry::Annotation(line), |unix_s| Entry::Timestamp { unix_s }))
}

impl Seal {
    /// Reads what stands behind the name, to the end of the line.
    pub(crate) fn of_fields(fields: &[u8]) -> Option<Self> {
        let (sum, safe, bytes) = (fields.get(..16)?, fields.get(17..29)?, fields.get(30..42)?);
        let has_form = fields.len() == 42 && fields[16] == b' ' && fields[29] == b' ';
        has_form.then_some(())?;
        Some(Self { sum: hex(sum)?, safe_bytes: hex(safe)?, bytes: hex(bytes)? })
    }
}

/// A number as we write it: lower case, leading zeros.
fn hex(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    digits.iter().try_fold(0u64, |value, byte| Some(value << 4 | u64::from(digit(byte)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<String>, Flaw> {
        let mut reader = Reader::new(text.as_bytes(), 0);
        let mut found = Vec::new();
        while let Some((place, entry)) = reader.next_entry()? {
            let entry = match entry {
                Entry::Command(words) => words.join(&b' ').escape_ascii().to_string(),
                other => format!("{other:?}"),
            };
            found.push(format!("{}: {entry}", place.start));
        }
        Ok(found)
    }

    #[test]
    fn entries() {
        let text = "#TS:12\r\n*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n#weft-tx 00000000000000ff 0102\r\n\
                    #weft-round 0123456789abcdef 000000000010 00000000ffff\r\n# a\r\n#TS:x\r\n";
        let expected = [
            "0: Timestamp { unix_s: 12 }",
            "8: GET \\r\\n",
            "29: Part { tx: TxId(255), parts: 258 }",
            "61: Seal(Seal { sum: 81985529216486895, safe_bytes: 16, bytes: 65535 })",
            "117: Annotation([35, 32, 97])",
            "122: Annotation([35, 84, 83, 58, 120])",
        ];
        assert_eq!(all(text), Ok(expected.map(str::to_owned).to_vec()));
        assert!(
            begins_with_rdb(b"REDIS0011") && begins_with_rdb(b"VALKEY080") && !begins_with_rdb(b"*1\r\n")
        );
    }

    #[test]
    fn filler_is_passed_over() {
        for filler in 0..40 {
            for odd in ["", "##\n", "#\r\n", "#"] {
                let text =
                    format!("{odd}{}*1\r\n$1\r\nA\r\n{}{odd}", "#\n".repeat(filler), "#\n".repeat(filler));
                let text = if odd == "#" { &text[1..] } else { &text };
                let before = text.find('*').expect("a command");
                assert_eq!(all(text), Ok(vec![format!("{before}: A")]), "{text:?}");
            }
        }
    }

    #[test]
    fn flaws_and_where_they_are() {
        let cases = [
            ("*1\r\n$1\r\nA", 8, "Expected to read 3 bytes, got 1 bytes"),
            ("*1\r\n$1\r\n", 8, "Expected to read 3 bytes, got 0 bytes"),
            ("*1\r\n$1\r", 6, "Reached EOF in the middle of a line"),
            ("*1\r\n$1", 6, "Reached EOF in the middle of a line"),
            ("*1\r\n$", 5, "Reached EOF in the middle of a line"),
            ("*1\r\n", 4, "Reached EOF in the middle of a line"),
            ("*", 1, "Reached EOF in the middle of a line"),
            ("*1\r\n$1\r\nAB\r\n", 9, "Expected \\r\\n, got: 420d"),
            ("*1\r\n+1\r\n", 4, "Expected prefix '$', got: '+'"),
            ("*1x\r\n", 2, "Expected \\r\\n, got: 780d"),
            ("*1x", 2, "Expected \\r\\n, got: 7800"),
            ("*x\r\n", 0, "Expected a length"),
            ("*-1\r\n", 0, "Expected a length"),
            ("*1\r\n$99999999999999999999\r\n", 4, "Expected a length"),
            ("*1\r\n$9223372036854775799\r\n", 26, "Expected to read 9223372036854775801 bytes, got 0 bytes"),
            ("*9223372036854775799\r\n", 22, "Reached EOF in the middle of a line"),
            ("*0\r\n", 0, "Expected a command, got one of no words"),
            ("PING\r\n", 0, "Expected prefix '*', got: 'P'"),
            ("\0", 0, "Expected prefix '*', got: '\\x00'"),
            ("#weft-tx 1 2\r\n", 0, "Expected an annotation, got something like it"),
            ("#weft-tx 00000000000000fF 0102\r\n", 0, "Expected an annotation, got something like it"),
            ("#weft-round \r\n", 0, "Expected an annotation, got something like it"),
            (
                "#weft-round 0123456789abcdef 000000000010 00000000ffff\n",
                0,
                "Expected an annotation, got something like it",
            ),
            ("#\0\0\n", 0, "Expected an annotation, got something like it"),
        ];
        for (text, offset, reason) in cases {
            let flaw = all(text).expect_err(text);
            assert_eq!((flaw.offset, &*flaw.reason.to_string()), (offset, reason), "{text:?}");
            assert_eq!(
                flaw.reason.is_end(),
                reason.contains("EOF") || reason.contains("bytes, got"),
                "{text:?}"
            );
        }
        let flaw = all("#\n*1\r\n$1").expect_err("cut");
        assert_eq!(
            flaw.to_string(),
            "at byte 8: Reached EOF in the middle of a line (in what begins at byte 2)"
        );
    }
}
