//! AUX fields that fill up a file to whole blocks, so that parts of it can be written past the page cache.

use super::opcode;

/// What direct I/O wants offsets and lengths to be multiples of.
pub const BLOCK_BYTES: usize = 4096;

pub const NAME: &[u8] = b"weft-pad";

/// An AUX field with an empty value: opcode, length, name, and a length of two bytes, which can say all that is needed.
const BYTES_MIN: usize = 1 + 1 + NAME.len() + 2;

/// Bytes that it takes to fill up what has so many.
pub fn bytes_after(bytes: u64) -> usize {
    let over = (bytes % BLOCK_BYTES as u64) as usize;
    match (BLOCK_BYTES - over) % BLOCK_BYTES {
        0 => 0,
        gap if gap < BYTES_MIN => gap + BLOCK_BYTES,
        gap => gap,
    }
}

/// Fills up `out`, the last of so many bytes.
pub fn append(out: &mut Vec<u8>, bytes: u64) {
    let Some(value_bytes) = bytes_after(bytes).checked_sub(BYTES_MIN) else { return };
    out.push(opcode::AUX);
    out.push(NAME.len() as u8);
    out.extend_from_slice(NAME);
    out.extend_from_slice(&(0x4000 | value_bytes as u16).to_be_bytes());
    out.resize(out.len() + value_bytes, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_is_filled_up() {
        for bytes in 0..3 * BLOCK_BYTES {
            let mut out = vec![1; bytes];
            append(&mut out, bytes as u64);
            assert!(out.len().is_multiple_of(BLOCK_BYTES) && out.len() - bytes < BLOCK_BYTES + BYTES_MIN);
            assert_eq!(out.len() - bytes, bytes_after(bytes as u64));
        }
    }
}
