//! Rounds: what is written at once, and what it looks like in a file.
//!
//! What one round appends to a file is sealed: in front of it stands a line, an annotation like those of timestamps, which every reader passes over:
//!
//! ```text
//! #weft-round <sum: 16 hex> <safe: 12 hex> <bytes: 12 hex>\r\n
//! ```
//!
//! `bytes` follow the line, and `sum` is the XXH3 of all that stands behind it and its space. So a round that came to the disk only in parts,
//! in whichever order, is known for what it is. `safe` is the length of the file up to which everything, of all files, had come to the disk for
//! certain before: what is wrong in front of that is damage, what is wrong behind it was never promised to anybody.

use crate::chunk::{Part, append_hex, append_select};
use crate::queue::Ticket;
use base::xxh3::xxh3_64;

pub(crate) const SEAL: &[u8] = b"#weft-round ";
/// The bytes of the line.
pub(crate) const SEAL_BYTES: usize = SEAL.len() + 16 + 1 + 12 + 1 + 12 + 2;
/// Where what is summed begins.
pub(crate) const SUMMED_FROM: usize = SEAL.len() + 16 + 1;

/// What can be written: every transaction of which a part is in it is wholly in it.
#[derive(Debug)]
pub struct Round {
    pub steps: Vec<Step>,
    pub(crate) number: u64,
    /// What is done once the round is.
    pub(crate) covers: Ticket,
    pub(crate) bytes: usize,
}

/// What is to be done, one after the other; but appends that follow each other concern different files, side by side.
#[derive(Debug)]
pub enum Step {
    /// To the newest file of a shard.
    Append { shard: u16, pieces: Vec<Piece> },
    /// All shards go on in new files; first what was appended must be safe.
    NextGeneration,
}

/// Commands for one file.
#[derive(Debug, Default)]
pub struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// The database of the first command; `None` if there is no command.
    pub(crate) first_db: Option<u16>,
    pub(crate) last_db: Option<u16>,
    pub(crate) parts: Vec<Part>,
}

impl Piece {
    /// Writes down how many parts the transaction of this one has.
    pub(crate) fn set_parts(&mut self, part: Part, parts: usize) {
        let parts = u16::try_from(parts).expect("there are not so many shards");
        let mut text = Vec::with_capacity(4);
        append_hex(&mut text, u64::from(parts), 4);
        self.bytes[part.digits..part.digits + 4].copy_from_slice(&text);
    }
}

/// The end of a file that is appended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The length of the file but for filler.
    pub bytes: u64,
    /// Up to where everything, of all files, is on the disk.
    pub safe_bytes: u64,
    /// The database that the commands at the end are for, if that is known.
    pub db: Option<u16>,
}

impl Default for Tail {
    /// That of an empty file.
    fn default() -> Self {
        Self { bytes: 0, safe_bytes: 0, db: Some(0) }
    }
}

impl Tail {
    /// That of a file of which it is not known what it has in it.
    pub fn of_file(bytes: u64) -> Self {
        Self { bytes, safe_bytes: bytes, db: None }
    }

    /// Appends to `out` what is to be appended to the file for these pieces, sealed, and counts it as written.
    pub fn append(&mut self, pieces: &[Piece], out: &mut Vec<u8>) {
        let start = out.len();
        let room: usize = pieces.iter().map(|piece| piece.bytes.len() + 32).sum();
        out.reserve(SEAL_BYTES + room);
        out.resize(start + SEAL_BYTES, b' ');
        for piece in pieces {
            if let Some(db) = piece.first_db
                && self.db != Some(db)
            {
                append_select(out, db);
            }
            self.db = piece.last_db.or(self.db);
            out.extend_from_slice(&piece.bytes);
        }
        seal(&mut out[start..], self.safe_bytes);
        self.bytes += (out.len() - start) as u64;
    }

    /// All rounds so far are on the disk, in all files.
    pub fn is_safe(&mut self) {
        self.safe_bytes = self.bytes;
    }

    /// So are those that stood in this file when it was so long, and those written to the others by then.
    pub fn is_safe_up_to(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.bytes, "it has been written");
        self.safe_bytes = self.safe_bytes.max(bytes);
    }
}

/// Writes the line in front of a round, whose room there is at the beginning.
fn seal(round: &mut [u8], safe_bytes: u64) {
    let mut line = Vec::with_capacity(SEAL_BYTES);
    line.extend_from_slice(SEAL);
    line.resize(SUMMED_FROM, b' ');
    append_hex(&mut line, safe_bytes, 12);
    line.push(b' ');
    append_hex(&mut line, (round.len() - SEAL_BYTES) as u64, 12);
    line.extend_from_slice(b"\r\n");
    round[..SEAL_BYTES].copy_from_slice(&line);
    line.clear();
    append_hex(&mut line, xxh3_64(&round[SUMMED_FROM..]), 16);
    round[SEAL.len()..SUMMED_FROM - 1].copy_from_slice(&line);
}

/// What room made ahead is filled with: lines `#`.
///
/// Behind what is written into such room another `#` must be written ([`FILLER_END`]), which the next write goes over; so what follows is a line
/// of its own, whether a line of the filler began there or ended.
pub fn fill(room: &mut [u8]) {
    for pair in room.chunks_mut(2) {
        pair.copy_from_slice(&b"#\n"[..pair.len()]);
    }
}

/// What stands between the last round and filler.
pub const FILLER_END: u8 = b'#';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Chunk;

    fn piece(db: u16, words: &[&[u8]]) -> Piece {
        let mut chunk = Chunk::default();
        chunk.command(db, words.iter().copied());
        Piece { first_db: Some(db), last_db: Some(db), bytes: chunk.bytes, parts: Vec::new() }
    }

    #[test]
    fn rounds_are_sealed_and_databases_chosen() {
        let (mut tail, mut out) = (Tail::default(), Vec::new());
        tail.append(&[piece(0, &[b"A"]), piece(2, &[b"B"])], &mut out);
        let body = &out[SEAL_BYTES..];
        assert_eq!(body, b"*1\r\n$1\r\nA\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*1\r\n$1\r\nB\r\n");
        let sum = format!("{:016x}", xxh3_64(&out[SUMMED_FROM..]));
        let expected = format!("#weft-round {sum} 000000000000 {:012x}\r\n", body.len());
        assert_eq!(&out[..SEAL_BYTES], expected.as_bytes());
        assert_eq!(tail, Tail { bytes: out.len() as u64, safe_bytes: 0, db: Some(2) });
        tail.is_safe();
        let first = out.len();
        tail.append(&[Piece::default(), piece(2, &[b"C"])], &mut out);
        assert_eq!(&out[first + SEAL_BYTES..], b"*1\r\n$1\r\nC\r\n");
        let safe = format!(" {first:012x} ");
        assert_eq!(&out[first + SUMMED_FROM - 1..first + SUMMED_FROM + 13], safe.as_bytes());
    }

    #[test]
    fn filler_can_be_written_over_anywhere() {
        for written in 0..9 {
            let mut room = vec![0; 20];
            fill(&mut room);
            room[..written].fill(b'x');
            room[written] = FILLER_END;
            assert!(
                room[written..].split(|byte| *byte == b'\n').all(|line| matches!(line, b"#" | b"##" | b""))
            );
        }
    }
}
