//! CRC-64 with the polynomial of David Jones, as RDB files and DUMP payloads carry it: reflected, start value 0, no
//! final inversion. Not for protection against forgery.

/// The polynomial 0xad93d23594c935a9 with its bits reversed.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// `TABLES[k][b]` is the check sum of byte `b` followed by `k` zero bytes.
static TABLES: [[u64; 256]; 8] = {
    let mut tables = [[0u64; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = times_x(crc);
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
};

/// Long inputs are summed as rows of three parts of this length, side by side: each step waits for the one before it in its
/// part, but not for those in the others. A power of two.
const LANE_BYTES: usize = 4096;
/// What so many zero bytes multiply a check sum by.
const LANE_POWER: u64 = BYTE_POWERS[LANE_BYTES.trailing_zeros() as usize];

/// The check sum of what had the check sum `crc` (0 for nothing), followed by `bytes`.
pub fn crc64(mut crc: u64, bytes: &[u8]) -> u64 {
    let (rows, rest) = bytes.as_chunks::<{ 3 * LANE_BYTES }>();
    for row in rows {
        let (lanes, _) = row.as_chunks::<LANE_BYTES>();
        let (first, second, third) = (lanes[0].as_chunks::<8>().0, &lanes[1], &lanes[2]);
        let (mut second_crc, mut third_crc) = (0, 0);
        let others = second.as_chunks::<8>().0.iter().zip(third.as_chunks::<8>().0);
        for (first, (second, third)) in first.iter().zip(others) {
            crc = step(crc, *first);
            second_crc = step(second_crc, *second);
            third_crc = step(third_crc, *third);
        }
        crc = multiply(multiply(crc, LANE_POWER) ^ second_crc, LANE_POWER) ^ third_crc;
    }
    let (blocks, tail) = rest.as_chunks::<8>();
    for block in blocks {
        crc = step(crc, *block);
    }
    for &byte in tail {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

/// Eight bytes more.
#[inline]
fn step(crc: u64, block: [u8; 8]) -> u64 {
    let word = crc ^ u64::from_le_bytes(block);
    let byte = |number: u32| (word >> (8 * number)) as u8 as usize;
    (TABLES[7][byte(0)] ^ TABLES[6][byte(1)] ^ TABLES[5][byte(2)] ^ TABLES[4][byte(3)])
        ^ (TABLES[3][byte(4)] ^ TABLES[2][byte(5)] ^ TABLES[1][byte(6)] ^ TABLES[0][byte(7)])
}

/// The check sum of `a` followed by `b`, from those of the two and the length of `b` in bytes. Lets shards sum their
/// parts of a file on their own.
pub fn combine(crc_a: u64, crc_b: u64, len_b: u64) -> u64 {
    let mut shifted = crc_a;
    for (bit, power) in BYTE_POWERS.iter().enumerate() {
        if len_b >> bit & 1 == 1 {
            shifted = multiply(shifted, *power);
        }
    }
    shifted ^ crc_b
}

// Polynomials over GF(2) modulo POLYNOMIAL, with the coefficient of x^0 in the top bit.

/// `BYTE_POWERS[k]` is `x^(8 * 2^k)`: what `2^k` zero bytes multiply a check sum by.
static BYTE_POWERS: [u64; 64] = {
    let mut powers = [0; 64];
    powers[0] = 1 << (63 - 8);
    let mut k = 1;
    while k < 64 {
        powers[k] = multiply(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
};

const fn times_x(a: u64) -> u64 {
    (a >> 1) ^ if a & 1 == 1 { POLYNOMIAL } else { 0 }
}

const fn multiply(mut a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    while a != 0 {
        if a >> 63 == 1 {
            product ^= b;
        }
        a <<= 1;
        b = times_x(b);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn check_value_of_redis() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(0, b""), 0);
    }

    #[test]
    fn agrees_with_the_definition_bit_by_bit_and_chains() {
        let seed = 61;
        let mut random = Random::from_seed(seed);
        for len in 0..200 {
            let mut bytes = vec![0; len];
            random.fill(&mut bytes);
            let plain =
                bytes.iter().fold(0, |crc, &byte| (0..8).fold(crc ^ u64::from(byte), |crc, _| times_x(crc)));
            assert_eq!(crc64(0, &bytes), plain, "seed {seed}, {len} bytes");
            let (a, b) = bytes.split_at(random.index(len + 1));
            assert_eq!(crc64(crc64(0, a), b), plain);
            assert_eq!(combine(crc64(0, a), crc64(0, b), b.len() as u64), plain);
        }
    }

    #[test]
    fn long_inputs_are_summed_like_short_ones() {
        let mut random = Random::from_seed(62);
        for len in [3 * LANE_BYTES - 1, 3 * LANE_BYTES, 3 * LANE_BYTES + 1, 100_003] {
            let mut bytes = vec![0; len];
            random.fill(&mut bytes);
            let short = bytes.chunks(1000).fold(5, crc64);
            assert_eq!(crc64(5, &bytes), short, "{len} bytes");
        }
    }

    #[test]
    fn combines_over_long_distances() {
        let crc = crc64(0, b"head");
        let step = combine(crc, 0, 1 << 40);
        assert_eq!(combine(step, 0, 3 << 40), combine(crc, 0, 1 << 42));
        let zeros = vec![0; 100_000];
        assert_eq!(combine(crc, 0, 100_000), crc64(crc, &zeros));
        assert_eq!(combine(0, crc, u64::MAX), crc);
    }
}
