//! Byte strings too long for a table's record: the record holds a reference of 16 bytes to a block of its
//! own.
//!
//! The block belongs to the record: whoever removes the record frees the block, whoever copies a table makes
//! new blocks. A reference is the block's address and length as integers (with exposed provenance), so that
//! records may be copied about as plain bytes.
#![allow(unsafe_code)]

/// Bytes a reference takes in a record.
pub const REF_BYTES: usize = 16;

/// Allocates a block with a copy of `bytes` and writes the reference to it into `slot` (`REF_BYTES` long).
pub fn put(bytes: &[u8], slot: &mut [u8]) {
    let block: Box<[u8]> = bytes.into();
    let (address, len) = (Box::into_raw(block).cast::<u8>(), bytes.len());
    slot[..8].copy_from_slice(&address.expose_provenance().to_ne_bytes());
    slot[8..16].copy_from_slice(&len.to_ne_bytes());
}

fn read(slot: &[u8]) -> (*mut u8, usize) {
    let word = |at: usize| usize::from_ne_bytes(slot[at..at + 8].try_into().expect("eight bytes"));
    (std::ptr::with_exposed_provenance_mut(word(0)), word(8))
}

/// The bytes of the block.
///
/// # Safety
/// `slot` was written by `put`, and the block is not freed while the result lives.
pub unsafe fn get(slot: &[u8]) -> &[u8] {
    let (address, len) = read(slot);
    // SAFETY: `put` made this address and length from a box that, as the caller promises, still exists.
    unsafe { std::slice::from_raw_parts(address, len) }
}

/// Frees the block; returns how many bytes it had.
///
/// # Safety
/// `slot` was written by `put`, the block was not freed before, and nothing refers to it any more.
pub unsafe fn free(slot: &[u8]) -> usize {
    let (address, len) = read(slot);
    // SAFETY: the address and length are those of the box that `put` gave up, and the caller promises this is
    // the end.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(address, len)) });
    len
}
