//! SHA-1 (FIPS 180-4), by whose digest Redis names scripts. Not for security.

/// The digest of `message`.
pub fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let (blocks, tail) = message.as_chunks::<64>();
    for block in blocks {
        compress(&mut state, block);
    }
    // The tail, a one bit, zeros, and the length in bits: one block, or two if the length does not fit the first.
    let mut padded = [0u8; 128];
    padded[..tail.len()].copy_from_slice(tail);
    padded[tail.len()] = 0x80;
    let end = if tail.len() < 56 { 64 } else { 128 };
    padded[end - 8..end].copy_from_slice(&(message.len() as u64).wrapping_mul(8).to_be_bytes());
    for block in padded[..end].as_chunks::<64>().0 {
        compress(&mut state, block);
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// The digest in lower-case hexadecimal digits, as EVALSHA takes it.
pub fn sha1_hex(message: &[u8]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 40];
    for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(sha1(message)) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    hex
}

fn compress(state: &mut [u32; 5], block: &[u8; 64]) {
    let mut schedule = [0u32; 80];
    for (word, bytes) in schedule.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..80 {
        let mixed = schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16];
        schedule[t] = mixed.rotate_left(1);
    }
    // Four times twenty rounds, each with its own function and constant.
    let [early, second, third, last] = schedule.as_chunks::<20>().0 else { unreachable!("eighty words") };
    let mixed = *state;
    let mixed = rounds(mixed, early, 0x5a82_7999, |b, c, d| d ^ (b & (c ^ d)));
    let mixed = rounds(mixed, second, 0x6ed9_eba1, |b, c, d| b ^ c ^ d);
    let mixed = rounds(mixed, third, 0x8f1b_bcdc, |b, c, d| (b & c) | (d & (b | c)));
    let mixed = rounds(mixed, last, 0xca62_c1d6, |b, c, d| b ^ c ^ d);
    for (word, addend) in state.iter_mut().zip(mixed) {
        *word = word.wrapping_add(addend);
    }
}

#[inline(always)]
fn rounds(
    state: [u32; 5],
    words: &[u32; 20],
    constant: u32,
    function: impl Fn(u32, u32, u32) -> u32,
) -> [u32; 5] {
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for word in words {
        let sum = a.rotate_left(5).wrapping_add(function(b, c, d)).wrapping_add(e);
        (a, b, c, d, e) = (sum.wrapping_add(constant).wrapping_add(*word), a, b.rotate_left(30), c, d);
    }
    [a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(message: &[u8]) -> String {
        String::from_utf8(sha1_hex(message).to_vec()).unwrap()
    }

    #[test]
    fn published_vectors() {
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(hex(&vec![b'a'; 1_000_000]), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        // The example of the documentation of SCRIPT LOAD.
        assert_eq!(hex(b"return redis.call('get','foo')"), "6b1bf486c81ceb7edf3c093f4c48582e38c0e791");
    }

    #[test]
    fn every_length_of_the_last_block() {
        // The digest of all digests of zeros of lengths 0 to 130, by Python's hashlib.
        let all: Vec<u8> = (0..=130).flat_map(|len| sha1(&vec![0; len])).collect();
        assert_eq!(hex(&all), "818c65f1b041afb30f2a12f75127000c5bc03e5f");
    }
}
