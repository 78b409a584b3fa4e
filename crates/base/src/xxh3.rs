//! XXH3, 64 bits, seed 0 and the default secret: what the command DIGEST of Redis replies. Written from the
//! specification, `doc/xxhash_spec.md` of the xxHash project.
//!
//! Plain loops over eight lanes, which compilers turn into vector instructions. Not keyed, so not for tables that
//! clients fill.

const PRIME32_1: u64 = 0x9e37_79b1;
const PRIME32_2: u64 = 0x85eb_ca77;
const PRIME32_3: u64 = 0xc2b2_ae3d;
const PRIME64_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME64_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME64_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME64_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME64_5: u64 = 0x27d4_eb2f_1656_67c5;
const PRIME_MX1: u64 = 0x1656_6791_9e37_79f9;
const PRIME_MX2: u64 = 0x9fb2_1c65_1e98_df25;

/// The default secret of the specification.
#[rustfmt::skip]
static SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

/// The longest inputs of the three algorithms for short input.
const TINY_BYTES_MAX: usize = 16;
const SMALL_BYTES_MAX: usize = 128;
const MEDIUM_BYTES_MAX: usize = 240;

const STRIPE_BYTES: usize = 64;
const LANES: usize = 8;
/// One stripe for every eight bytes of the secret, less the last stripe's.
const STRIPES_PER_BLOCK: usize = (SECRET.len() - STRIPE_BYTES) / 8;

/// The hash of `input`.
pub fn xxh3_64(input: &[u8]) -> u64 {
    match input.len() {
        0..=TINY_BYTES_MAX => hash_tiny(input),
        len if len <= SMALL_BYTES_MAX => hash_small(input),
        len if len <= MEDIUM_BYTES_MAX => hash_medium(input),
        _ => hash_large(input),
    }
}

fn hash_tiny(input: &[u8]) -> u64 {
    let len = input.len();
    match len {
        0 => avalanche_xxh64(word(&SECRET, 56) ^ word(&SECRET, 64)),
        1..=3 => {
            let (first, middle, last) = (input[0], input[len / 2], input[len - 1]);
            let combined = u32::from_le_bytes([last, len as u8, first, middle]);
            avalanche_xxh64(u64::from(half_word(&SECRET, 0) ^ half_word(&SECRET, 4) ^ combined))
        }
        4..=8 => {
            let combined = u64::from(half_word(input, len - 4)) | u64::from(half_word(input, 0)) << 32;
            let value = word(&SECRET, 8) ^ word(&SECRET, 16) ^ combined;
            let value = (value ^ value.rotate_left(49) ^ value.rotate_left(24)).wrapping_mul(PRIME_MX2);
            let value = (value ^ (value >> 35).wrapping_add(len as u64)).wrapping_mul(PRIME_MX2);
            value ^ value >> 28
        }
        _ => {
            let low = word(&SECRET, 24) ^ word(&SECRET, 32) ^ word(input, 0);
            let high = word(&SECRET, 40) ^ word(&SECRET, 48) ^ word(input, len - 8);
            let sum = (len as u64).wrapping_add(low.swap_bytes()).wrapping_add(high);
            avalanche(sum.wrapping_add(fold_product(low, high)))
        }
    }
}

fn hash_small(input: &[u8]) -> u64 {
    let len = input.len();
    let rounds = (len - 1) / 32 + 1;
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    for round in 0..rounds {
        sum = sum.wrapping_add(mix(input, round * 16, round * 32));
        sum = sum.wrapping_add(mix(input, len - round * 16 - 16, round * 32 + 16));
    }
    avalanche(sum)
}

fn hash_medium(input: &[u8]) -> u64 {
    let len = input.len();
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    for chunk in 0..8 {
        sum = sum.wrapping_add(mix(input, chunk * 16, chunk * 16));
    }
    sum = avalanche(sum);
    for chunk in 8..len / 16 {
        sum = sum.wrapping_add(mix(input, chunk * 16, (chunk - 8) * 16 + 3));
    }
    avalanche(sum.wrapping_add(mix(input, len - 16, 119)))
}

fn hash_large(input: &[u8]) -> u64 {
    let mut lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
    // The last stripe, full or not, is left out: the last 64 bytes stand in for it, at another place of the secret.
    let stripes = input[..input.len() - 1].as_chunks::<STRIPE_BYTES>().0;
    for block in stripes.chunks(STRIPES_PER_BLOCK) {
        for (index, stripe) in block.iter().enumerate() {
            accumulate(&mut lanes, stripe, index * 8);
        }
        // A block that ends exactly where the input does has one stripe less here and is not scrambled.
        if block.len() == STRIPES_PER_BLOCK {
            scramble(&mut lanes);
        }
    }
    if let Some(last) = input.last_chunk::<STRIPE_BYTES>() {
        accumulate(&mut lanes, last, SECRET.len() - 71);
    }
    let start = (input.len() as u64).wrapping_mul(PRIME64_1);
    let pairs = lanes.as_chunks::<2>().0.iter().enumerate();
    avalanche(pairs.fold(start, |sum, (pair, lanes)| {
        let low = lanes[0] ^ word(&SECRET, 11 + pair * 16);
        let high = lanes[1] ^ word(&SECRET, 11 + pair * 16 + 8);
        sum.wrapping_add(fold_product(low, high))
    }))
}

#[inline]
fn accumulate(lanes: &mut [u64; LANES], stripe: &[u8; STRIPE_BYTES], secret_offset: usize) {
    let secret = SECRET[secret_offset..].first_chunk::<STRIPE_BYTES>().expect("the secret is so long");
    for lane in 0..LANES {
        let data = word(stripe, lane * 8);
        let value = data ^ word(secret, lane * 8);
        let product = (value & 0xffff_ffff) * (value >> 32);
        lanes[lane ^ 1] = lanes[lane ^ 1].wrapping_add(data);
        lanes[lane] = lanes[lane].wrapping_add(product);
    }
}

fn scramble(lanes: &mut [u64; LANES]) {
    for (index, lane) in lanes.iter_mut().enumerate() {
        let key = word(&SECRET, SECRET.len() - STRIPE_BYTES + index * 8);
        *lane = (*lane ^ *lane >> 47 ^ key).wrapping_mul(PRIME32_1);
    }
}

#[inline]
fn mix(input: &[u8], at: usize, secret_offset: usize) -> u64 {
    fold_product(
        word(input, at) ^ word(&SECRET, secret_offset),
        word(input, at + 8) ^ word(&SECRET, secret_offset + 8),
    )
}

/// The product of two words in 128 bits, its halves put together.
#[inline]
fn fold_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

fn avalanche(x: u64) -> u64 {
    let x = (x ^ x >> 37).wrapping_mul(PRIME_MX1);
    x ^ x >> 32
}

fn avalanche_xxh64(x: u64) -> u64 {
    let x = (x ^ x >> 33).wrapping_mul(PRIME64_2);
    let x = (x ^ x >> 29).wrapping_mul(PRIME64_3);
    x ^ x >> 32
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[inline]
fn half_word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The buffer of the reference implementation's own test: bytes from the top of a multiplicative sequence.
    fn sanity_buffer(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b1u64;
        let step = |_| {
            let byte = (state >> 56) as u8;
            state = state.wrapping_mul(0x9e37_79b1_85eb_ca8d);
            byte
        };
        (0..len).map(step).collect()
    }

    #[test]
    fn hashes_of_the_reference_implementation() {
        // Length of the prefix of the sanity buffer, and its hash by libxxhash.
        let vectors: &[(usize, u64)] = &[
            (0, 0x2d06_8005_38d3_94c2),
            (1, 0xc44b_dff4_074e_ecdb),
            (2, 0x7a99_7804_4cb8_a8bb),
            (3, 0x5424_7382_a8d6_b94d),
            (4, 0xe5dc_74bc_5184_8a51),
            (6, 0x27b5_6a84_cd2d_7325),
            (8, 0x24cc_c9ac_aa9f_65e4),
            (9, 0x14d5_001c_15dd_3f2b),
            (12, 0xa713_daf0_dfbb_77e7),
            (16, 0x981b_17d3_6c74_98c9),
            (17, 0x796f_5acd_3a60_f862),
            (24, 0xa3fe_70bf_9d35_10eb),
            (32, 0x9fea_ddbd_bf57_eed3),
            (33, 0xabfb_2d08_1b40_0a10),
            (64, 0x9cb4_8487_720e_c49d),
            (65, 0xfd81_aac4_bebc_3883),
            (96, 0x935a_769a_7f94_776f),
            (97, 0xca4c_a268_fd3c_3a6c),
            (128, 0xfcff_2412_6754_d861),
            (129, 0x98f1_b0a6_79a2_ca29),
            (144, 0xc440_d47e_5f03_fe58),
            (195, 0xcd94_217e_e362_ec3a),
            (240, 0x81c3_c2b6_7f56_8ccf),
            (241, 0xc5a6_39ec_d203_0e5e),
            (256, 0x55de_574a_d89d_0ac5),
            (257, 0xb17f_d5a8_ae75_bb0b),
            (403, 0xcdeb_804d_65c6_dea4),
            (512, 0x617e_4959_9013_cb6b),
            (576, 0x9c87_5962_cb39_acf8),
            (1023, 0x87a8_f7b2_f2e2_2496),
            (1024, 0xdd85_c9b5_c110_9c5c),
            (1025, 0xd870_c0fa_1321_1c6a),
            (1087, 0x047f_181e_7c8a_41b9),
            (1088, 0xcc14_50ea_6b52_a8f4),
            (2048, 0xdd59_e2c3_a5f0_38e0),
            (2049, 0xd3af_a432_9779_b921),
            (2240, 0x6e73_a905_39cf_2948),
            (2367, 0xcb37_aeb9_e5d3_61ed),
            (4096, 0xe912_0642_9d1f_48f9),
            (5000, 0x1c24_6c7b_fe00_3a78),
        ];
        let buffer = sanity_buffer(5000);
        for &(len, hash) in vectors {
            assert_eq!(xxh3_64(&buffer[..len]), hash, "{len} bytes");
        }
    }

    #[test]
    fn all_lengths() {
        // The hash of the hashes (little endian) of the prefixes of 0 to 4999 bytes, by libxxhash.
        let buffer = sanity_buffer(5000);
        let hashes: Vec<u8> = (0..5000).flat_map(|len| xxh3_64(&buffer[..len]).to_le_bytes()).collect();
        assert_eq!(xxh3_64(&hashes), 0xbc43_552c_cd37_d193);
    }
}
