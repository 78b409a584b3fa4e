//! Longest common subsequence for `LCS`: its length, its bytes, and the ranges where both strings match.
//!
//! Redis fills a table of 32-bit lengths and walks it back from the end. The walk only asks, at each cell (i,
//! j) with different bytes, whether LCS(i, j) exceeds LCS(i, j-1); if it does, it drops a byte of the first
//! string, otherwise one of the second. That is one bit per cell, and 64 of them are computed at a time
//! (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004), so this takes 1/32 of Redis' memory, and
//! only one row where just the length is wanted, and still walks the same way. Of several longest
//! subsequences it finds the one that Redis finds.
//!
//! The limit on the size of the strings stays that of Redis' table, because clients see the error.
#![forbid(unsafe_code)]

use std::fmt;

/// Bytes of a cell in Redis' table, to which the limit applies.
const REDIS_CELL_BYTES: u128 = 4;
const WORD_BITS: usize = 64;

/// Why no subsequence was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcsError {
    StringTooLong,
    /// Redis' table would be larger than the limit.
    TableTooLarge,
    OutOfMemory,
}

impl fmt::Display for LcsError {
    /// The text of the error reply, without a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LcsError::StringTooLong => "String too long for LCS",
            LcsError::TableTooLarge => {
                "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            LcsError::OutOfMemory => "Insufficient memory, failed allocating transient memory for LCS",
        })
    }
}

impl std::error::Error for LcsError {}

/// A stretch of equal bytes; the offsets of its first and last byte in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub a: (usize, usize),
    pub b: (usize, usize),
}

impl Match {
    /// Number of bytes.
    pub fn length(&self) -> usize {
        self.a.1 - self.a.0 + 1
    }
}

/// What `LCS` with `IDX` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matches {
    /// From the ends of the strings to their beginnings, without those shorter than asked for.
    pub ranges: Vec<Match>,
    /// Length of the whole subsequence.
    pub len: usize,
}

/// Length of the longest common subsequence. `bytes_max` is proto-max-bulk-len.
pub fn length(a: &[u8], b: &[u8], bytes_max: u64) -> Result<usize, LcsError> {
    check_size(a, b, bytes_max)?;
    // The length is the same either way; the longer string goes into the bits of the words.
    let (rows, columns) = if a.len() > b.len() { (b, a) } else { (a, b) };
    let mut row = Row::new(rows, columns)?;
    rows.iter().for_each(|&byte| row.advance(byte));
    Ok(row.length())
}

/// The longest common subsequence itself.
pub fn subsequence(a: &[u8], b: &[u8], bytes_max: u64) -> Result<Vec<u8>, LcsError> {
    let matches = matches(a, b, 0, bytes_max)?;
    let mut bytes = Vec::with_capacity(matches.len);
    matches.ranges.iter().rev().for_each(|range| bytes.extend_from_slice(&a[range.a.0..=range.a.1]));
    Ok(bytes)
}

/// The ranges that make up the longest common subsequence, those of at least `len_min` bytes (`MINMATCHLEN`).
pub fn matches(a: &[u8], b: &[u8], len_min: i64, bytes_max: u64) -> Result<Matches, LcsError> {
    check_size(a, b, bytes_max)?;
    let table = Table::new(a, b)?;
    let len_min = usize::try_from(len_min.max(0)).unwrap_or(usize::MAX);
    let mut ranges = Vec::new();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        let run = common_suffix(&a[..i], &b[..j]);
        if run == 0 {
            if table.gains(i, j) {
                i -= 1
            } else {
                j -= 1
            }
            continue;
        }
        if run >= len_min {
            ranges.push(Match { a: (i - run, i - 1), b: (j - run, j - 1) });
        }
        (i, j) = (i - run, j - run);
    }
    Ok(Matches { ranges, len: table.len })
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// The limits of Redis, on the table that it would fill.
fn check_size(a: &[u8], b: &[u8], bytes_max: u64) -> Result<(), LcsError> {
    let len_max = u32::MAX as usize - 1;
    if a.len() >= len_max || b.len() >= len_max {
        return Err(LcsError::StringTooLong);
    }
    let cells = (a.len() as u128 + 1) * (b.len() as u128 + 1);
    if cells * REDIS_CELL_BYTES > u128::from(bytes_max) { Err(LcsError::TableTooLarge) } else { Ok(()) }
}

fn zeroed<T: Clone + Default>(count: usize) -> Result<Vec<T>, LcsError> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| LcsError::OutOfMemory)?;
    values.resize(count, T::default());
    Ok(values)
}

/// One row of the table: bit j is clear where LCS(i, j+1) exceeds LCS(i, j).
struct Row {
    words: Vec<u64>,
    columns: usize,
    /// For each byte that occurs in the rows, where it occurs in the columns: its mask starts at this index.
    mask_at: [Option<usize>; 256],
    masks: Vec<u64>,
}

impl Row {
    /// The row before the first. The masks take 1/8 byte a cell at most, as there are no more masks than
    /// rows.
    fn new(rows: &[u8], columns: &[u8]) -> Result<Row, LcsError> {
        let words = columns.len().div_ceil(WORD_BITS);
        let mut mask_at = [None; 256];
        let mut masks = 0;
        for &byte in rows {
            mask_at[usize::from(byte)].get_or_insert_with(|| {
                masks += 1;
                (masks - 1) * words
            });
        }
        let mut row =
            Row { words: zeroed(words)?, columns: columns.len(), mask_at, masks: zeroed(masks * words)? };
        row.words.fill(u64::MAX);
        for (column, &byte) in columns.iter().enumerate() {
            if let Some(at) = mask_at[usize::from(byte)] {
                row.masks[at + column / WORD_BITS] |= 1 << (column % WORD_BITS);
            }
        }
        Ok(row)
    }

    /// Goes on to the next row, that of a byte of the row string.
    fn advance(&mut self, byte: u8) {
        let at = self.mask_at[usize::from(byte)].expect("every byte of the rows has a mask");
        let mut carry = false;
        for (word, mask) in self.words.iter_mut().zip(&self.masks[at..]) {
            let matching = *word & mask;
            let (sum, carry_in) = word.overflowing_add(matching);
            let (sum, carry_one) = sum.overflowing_add(u64::from(carry));
            carry = carry_in | carry_one;
            *word = sum | (*word - matching);
        }
    }

    /// LCS of the rows so far with all columns.
    fn length(&self) -> usize {
        let clear: usize = self.words.iter().map(|word| word.count_zeros() as usize).sum();
        // Bits beyond the last column never match, so they stay set.
        debug_assert!(clear <= self.columns);
        clear
    }
}

/// The bits of all rows, packed to whole bytes.
struct Table {
    bits: Vec<u8>,
    row_bytes: usize,
    len: usize,
}

impl Table {
    fn new(a: &[u8], b: &[u8]) -> Result<Table, LcsError> {
        let mut row = Row::new(a, b)?;
        let row_bytes = b.len().div_ceil(8);
        let mut bits = zeroed(row_bytes.checked_mul(a.len()).ok_or(LcsError::OutOfMemory)?)?;
        if row_bytes > 0 {
            for (&byte, stored) in a.iter().zip(bits.chunks_exact_mut(row_bytes)) {
                row.advance(byte);
                for (bytes, word) in stored.chunks_mut(8).zip(&row.words) {
                    bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
                }
            }
        }
        Ok(Table { bits, row_bytes, len: row.length() })
    }

    /// Whether LCS(i, j) exceeds LCS(i, j-1); `i` and `j` are at least 1.
    fn gains(&self, i: usize, j: usize) -> bool {
        let byte = self.bits[(i - 1) * self.row_bytes + (j - 1) / 8];
        byte >> ((j - 1) % 8) & 1 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    const BYTES_MAX: u64 = 512 << 20;

    /// The plain table of lengths, walked as Redis walks it, one byte at a time.
    fn model(a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Match>) {
        let mut lcs = vec![vec![0u32; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                let equal = a[i - 1] == b[j - 1];
                lcs[i][j] = if equal { lcs[i - 1][j - 1] + 1 } else { lcs[i - 1][j].max(lcs[i][j - 1]) };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let mut bytes = Vec::new();
        let mut ranges: Vec<Match> = Vec::new();
        let mut contiguous = false;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                bytes.push(a[i]);
                match ranges.last_mut().filter(|_| contiguous) {
                    Some(range) => (range.a.0, range.b.0) = (i, j),
                    None => ranges.push(Match { a: (i, i), b: (j, j) }),
                }
                contiguous = true;
            } else {
                if lcs[i - 1][j] > lcs[i][j - 1] {
                    i -= 1
                } else {
                    j -= 1
                }
                contiguous = false;
            }
        }
        bytes.reverse();
        assert_eq!(bytes.len(), lcs[a.len()][b.len()] as usize);
        (bytes, ranges)
    }

    #[test]
    fn results_equal_the_model() {
        let mut sample = Sample::new(40);
        for round in 0..3000 {
            let letters = [1, 2, 4, 26, 256][round % 5];
            let lens = [(3, 3), (70, 70), (200, 4), (1, 130), (140, 140)][round / 5 % 5];
            let mut text = |max: usize| {
                let len = sample.index(max + 1);
                (0..len).map(|_| sample.below(letters) as u8).collect::<Vec<u8>>()
            };
            let (a, b) = (text(lens.0), text(lens.1));
            let (bytes, ranges) = model(&a, &b);
            assert_eq!(length(&a, &b, BYTES_MAX), Ok(bytes.len()));
            assert_eq!(subsequence(&a, &b, BYTES_MAX).as_ref(), Ok(&bytes), "{a:?} {b:?}");
            let len_min = sample.below(5) as i64 - 1;
            let found = matches(&a, &b, len_min, BYTES_MAX).expect("small strings");
            let long = ranges.into_iter().filter(|range| range.length() as i64 >= len_min);
            assert_eq!(found, Matches { ranges: long.collect(), len: bytes.len() }, "{a:?} {b:?}");
        }
    }

    /// The example of the `LCS` documentation.
    #[test]
    fn ohmytext_and_mynewtext() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        assert_eq!(subsequence(a, b, BYTES_MAX), Ok(b"mytext".to_vec()));
        assert_eq!(length(a, b, BYTES_MAX), Ok(6));
        let (text, my) = (Match { a: (4, 7), b: (5, 8) }, Match { a: (2, 3), b: (0, 1) });
        assert_eq!(matches(a, b, 0, BYTES_MAX), Ok(Matches { ranges: vec![text, my], len: 6 }));
        assert_eq!(matches(a, b, 4, BYTES_MAX), Ok(Matches { ranges: vec![text], len: 6 }));
        assert_eq!(matches(a, b, i64::MAX, BYTES_MAX), Ok(Matches { ranges: vec![], len: 6 }));
        assert_eq!(matches(b"", b, i64::MIN, BYTES_MAX), Ok(Matches { ranges: vec![], len: 0 }));
        assert_eq!(subsequence(a, b"", BYTES_MAX), Ok(Vec::new()));
    }

    #[test]
    fn the_limit_is_on_the_table_of_redis() {
        // 10 x 20 cells of 4 bytes.
        let (a, b) = ([b'x'; 9], [b'x'; 19]);
        assert_eq!(length(&a, &b, 800), Ok(9));
        assert_eq!(length(&a, &b, 799), Err(LcsError::TableTooLarge));
        assert_eq!(subsequence(&a, &b, 799), Err(LcsError::TableTooLarge));
        assert_eq!(matches(&a, &b, 0, 799), Err(LcsError::TableTooLarge));
    }
}
