//! Sparse registers: runs of equal registers in one or two bytes each.
//!
//! | opcode | bits                  | meaning                                        |
//! |--------|-----------------------|------------------------------------------------|
//! | ZERO   | `00rrrrrr`            | r + 1 (1 to 64) registers of zero              |
//! | XZERO  | `01rrrrrr rrrrrrrr`   | r + 1 (1 to 16384) registers of zero           |
//! | VAL    | `1vvvvvrr`            | r + 1 (1 to 4) registers of v + 1 (1 to 32)    |
//!
//! A valid value covers exactly 16384 registers. Which of several equivalent sequences is stored depends on
//! how runs are split and merged on update; this follows Redis step by step, because the bytes are visible to
//! clients.
#![forbid(unsafe_code)]

use super::dense::Histogram;
use super::{HEADER_BYTES, HllError, REGISTERS};

const XZERO: u8 = 0x40;
const VAL: u8 = 0x80;
const ZERO_RUN_MAX: usize = 64;
const VAL_RUN_MAX: usize = 4;
const VALUE_MAX: u8 = 32;
/// The longest replacement of one opcode: XZERO, VAL, XZERO.
const SPLIT_BYTES_MAX: usize = 5;
/// Opcodes looked at, from the one before the update on, for neighbours to merge.
const MERGE_SCAN_MAX: usize = 5;

#[derive(Clone, Copy)]
pub(super) struct Opcode {
    /// 0 for ZERO and XZERO.
    pub value: u8,
    /// Registers covered, at least 1.
    pub run: usize,
    /// Length of the opcode itself.
    pub bytes: usize,
}

impl Opcode {
    /// The opcode at `at`; an error at the end of the bytes or within a cut XZERO.
    fn read(bytes: &[u8], at: usize) -> Result<Opcode, HllError> {
        let first = *bytes.get(at).ok_or(HllError::Corrupted)?;
        let low = usize::from(first & 0x3f);
        if first & VAL != 0 {
            return Ok(Opcode { value: (first >> 2 & 0x1f) + 1, run: (low & 3) + 1, bytes: 1 });
        }
        if first & XZERO == 0 {
            return Ok(Opcode { value: 0, run: low + 1, bytes: 1 });
        }
        let second = *bytes.get(at + 1).ok_or(HllError::Corrupted)?;
        Ok(Opcode { value: 0, run: (low << 8 | usize::from(second)) + 1, bytes: 2 })
    }
}

fn val(value: u8, run: usize) -> u8 {
    debug_assert!((1..=VALUE_MAX).contains(&value) && (1..=VAL_RUN_MAX).contains(&run));
    VAL | (value - 1) << 2 | (run - 1) as u8
}

/// Appends `run` zero registers (1 to 16384) in the shortest opcode.
pub(super) fn push_zeros(bytes: &mut impl Extend<u8>, run: usize) {
    debug_assert!((1..=REGISTERS).contains(&run));
    let length = run - 1;
    if run > ZERO_RUN_MAX {
        bytes.extend([XZERO | (length >> 8) as u8, length as u8]);
    } else {
        bytes.extend([length as u8]);
    }
}

/// The opcodes of a whole value (without header). Yields an error, and then ends, if they do not cover
/// exactly 16384 registers; so there are never more than 16384 of them, however long a hostile string is.
pub(super) fn opcodes(bytes: &[u8]) -> impl Iterator<Item = Result<Opcode, HllError>> + '_ {
    let mut at = 0;
    let mut covered = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || (at == bytes.len() && covered == REGISTERS) {
            return None;
        }
        let opcode = Opcode::read(bytes, at)
            .and_then(|op| if covered + op.run > REGISTERS { Err(HllError::Corrupted) } else { Ok(op) });
        match opcode {
            Ok(op) => {
                at += op.bytes;
                covered += op.run;
            }
            Err(_) => failed = true,
        }
        Some(opcode)
    })
}

/// Calls `visit(first, run, value)` for each run; all of them lie within 16384 registers, even if an error
/// follows.
pub(super) fn for_each_run(bytes: &[u8], mut visit: impl FnMut(usize, usize, u8)) -> Result<(), HllError> {
    let mut first = 0;
    for opcode in opcodes(bytes) {
        let opcode = opcode?;
        visit(first, opcode.run, opcode.value);
        first += opcode.run;
    }
    Ok(())
}

pub(super) fn histogram(bytes: &[u8]) -> Result<Histogram, HllError> {
    let mut histogram = [0; 64];
    for_each_run(bytes, |_, run, value| histogram[usize::from(value)] += run as u32)?;
    Ok(histogram)
}

/// An opcode's place: its offset in the string and the first register it covers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    at: usize,
    first: usize,
}

const START: Place = Place { at: HEADER_BYTES, first: 0 };

/// Where the search for the next register may begin, if registers are raised in ascending order. An update
/// changes nothing before the opcode that precedes it, so the cursor rests one further back.
pub(super) struct Cursor(Place);

impl Default for Cursor {
    fn default() -> Self {
        Cursor(START)
    }
}

/// What became of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Unchanged,
    Changed,
    /// The sparse form cannot hold the new value; nothing was changed.
    NeedsDense,
}

/// Raises register `index` of a sparse value (with header) to at least `rank`.
pub(super) fn raise(
    hll: &mut Vec<u8>,
    cursor: &mut Cursor,
    index: usize,
    rank: u8,
    bytes_max: usize,
) -> Result<Raised, HllError> {
    if rank > VALUE_MAX {
        return Ok(Raised::NeedsDense);
    }
    let (previous, place, opcode) = locate(hll, cursor, index)?;
    if opcode.value >= rank {
        return Ok(Raised::Unchanged);
    }
    let split = Split::new(opcode, index - place.first, rank);
    let split = split.as_slice();
    if split.len() > opcode.bytes && hll.len() + split.len() - opcode.bytes > bytes_max {
        return Ok(Raised::NeedsDense);
    }
    replace(hll, place.at, opcode.bytes, split);
    merge_neighbours(hll, previous.unwrap_or(START).at);
    Ok(Raised::Changed)
}

/// The opcode that covers `index`, its place and that of the opcode before it. Leaves the cursor before both.
fn locate(hll: &[u8], cursor: &mut Cursor, index: usize) -> Result<(Option<Place>, Place, Opcode), HllError> {
    let mut previous = None;
    let mut place = cursor.0;
    loop {
        let opcode = Opcode::read(hll, place.at)?;
        if index < place.first + opcode.run {
            if previous.is_none() && place != START {
                // The opcode before is needed but lies before the cursor.
                *cursor = Cursor::default();
                return locate(hll, cursor, index);
            }
            return Ok((previous, place, opcode));
        }
        if let Some(before_previous) = previous.replace(place) {
            cursor.0 = before_previous;
        }
        place = Place { at: place.at + opcode.bytes, first: place.first + opcode.run };
    }
}

/// The opcodes that replace one opcode when a single register of its run gets a new value.
struct Split {
    bytes: [u8; SPLIT_BYTES_MAX],
    len: usize,
}

impl Split {
    fn new(opcode: Opcode, offset: usize, rank: u8) -> Split {
        let mut split = Split { bytes: [0; SPLIT_BYTES_MAX], len: 0 };
        split.push_run(opcode.value, offset);
        split.push_run(rank, 1);
        split.push_run(opcode.value, opcode.run - offset - 1);
        split
    }

    fn push_run(&mut self, value: u8, run: usize) {
        match (value, run) {
            (_, 0) => {}
            (0, _) => push_zeros(self, run),
            _ => self.extend([val(value, run)]),
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Extend<u8> for Split {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        for byte in bytes {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }
}

/// Replaces `old_len` bytes at `at`. Cheaper than `Vec::splice` for these few bytes.
fn replace(hll: &mut Vec<u8>, at: usize, old_len: usize, new: &[u8]) {
    let end = hll.len();
    if new.len() > old_len {
        hll.resize(end + new.len() - old_len, 0);
    }
    hll.copy_within(at + old_len..end, at + new.len());
    hll.truncate(end + new.len() - old_len);
    hll[at..at + new.len()].copy_from_slice(new);
}

/// Joins adjacent VAL opcodes of the same value where the joined run fits one opcode.
fn merge_neighbours(hll: &mut Vec<u8>, mut at: usize) {
    for _ in 0..MERGE_SCAN_MAX {
        let Ok(opcode) = Opcode::read(hll, at) else { return };
        if opcode.value == 0 {
            at += opcode.bytes;
            continue;
        }
        let joined = Opcode::read(hll, at + 1)
            .ok()
            .filter(|next| next.value == opcode.value && next.run + opcode.run <= VAL_RUN_MAX)
            .map(|next| val(opcode.value, opcode.run + next.run));
        match joined {
            // Stay here: the joined opcode may join the one after it.
            Some(joined) => {
                hll.remove(at);
                hll[at] = joined;
            }
            None => at += 1,
        }
    }
}
