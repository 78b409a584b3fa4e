//! Which of the 16384 hash slots of Redis Cluster a key belongs to, and which shard has a slot.
//!
//! The slot is CRC-16/XMODEM (polynomial 0x1021, start value 0, not reflected) of the key, or of its hash tag, taken
//! modulo the number of slots. See "Redis cluster specification", section "Key distribution model".

/// How many slots there are.
pub const SLOT_COUNT: u16 = 16384;

/// `TABLES[k][b]` is the check sum of byte `b` followed by `k` zero bytes; `TABLES[0]` is the usual table.
static TABLES: [[u16; 256]; 8] = {
    let mut tables = [[0u16; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut zeros = 1;
        while zeros < 8 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = (crc << 8) ^ tables[0][(crc >> 8) as usize];
            zeros += 1;
        }
        byte += 1;
    }
    tables
};

/// CRC-16/XMODEM. Eight bytes a step: the key of every command passes here.
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    let (blocks, tail) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in blocks {
        let [high, low] = crc.to_be_bytes();
        crc = step([a ^ high, b ^ low, c, d], 4) ^ step([e, f, g, h], 0);
    }
    let (blocks, tail) = tail.as_chunks::<4>();
    for &[a, b, c, d] in blocks {
        let [high, low] = crc.to_be_bytes();
        crc = step([a ^ high, b ^ low, c, d], 0);
    }
    for &byte in tail {
        crc = (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    }
    crc
}

/// The check sum of four bytes followed by so many zero bytes, at most four.
#[inline(always)]
fn step([a, b, c, d]: [u8; 4], zeros: usize) -> u16 {
    let sum = |byte: u8, zeros: usize| TABLES[zeros][usize::from(byte)];
    sum(a, zeros + 3) ^ sum(b, zeros + 2) ^ sum(c, zeros + 1) ^ sum(d, zeros)
}

/// The part of a key that decides its slot: what stands between the first `{` and the next `}` if that is not empty,
/// else the whole key.
#[inline]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    if !has_brace(key) {
        return key;
    }
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let after = &key[open + 1..];
    match after.iter().position(|&byte| byte == b'}') {
        Some(len) if len > 0 => &after[..len],
        _ => key,
    }
}

/// Whether there is a `{`. Most keys have none, so this looks at eight bytes at a time.
#[inline]
fn has_brace(key: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    // The classic test for a zero byte (Mycroft, 1987): the lowest one found is never false, and one is enough.
    let hit = |word: u64| {
        let zeroed = word ^ (ONES * b'{' as u64);
        zeroed.wrapping_sub(ONES) & !zeroed & (ONES << 7) != 0
    };
    let Some(last) = key.last_chunk::<8>() else { return key.contains(&b'{') };
    let (blocks, tail) = key.as_chunks::<8>();
    let hit = |block: &[u8; 8]| hit(u64::from_le_bytes(*block));
    blocks.iter().any(hit) || !tail.is_empty() && hit(last)
}

/// The slot of a key, below [`SLOT_COUNT`].
#[inline]
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOT_COUNT
}

/// The slot table: which shard has which slot. Contiguous ranges, as even as can be.
#[derive(Clone, Copy, Debug)]
pub struct SlotMap {
    shards: u16,
}

impl SlotMap {
    /// # Panics
    /// Without shards, or with more than there are slots.
    pub fn new(shards: u16) -> Self {
        assert!(shards > 0 && shards <= SLOT_COUNT);
        Self { shards }
    }

    #[inline]
    pub fn shard_of_slot(self, slot: u16) -> u16 {
        (u32::from(slot) * u32::from(self.shards) / u32::from(SLOT_COUNT)) as u16
    }

    /// The shard that has a key.
    #[inline]
    pub fn shard_of(self, key: &[u8]) -> u16 {
        if self.shards == 1 { 0 } else { self.shard_of_slot(key_slot(key)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn crc16_bitwise(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc, &byte| {
            (0..8).fold(crc ^ (u16::from(byte) << 8), |crc: u16, _| (crc << 1) ^ ((crc >> 15) * 0x1021))
        })
    }

    #[test]
    fn check_value_of_the_catalogue() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn agrees_with_the_definition_bit_by_bit() {
        let seed = 11;
        let mut random = Random::from_seed(seed);
        for len in 0..200 {
            let mut bytes = vec![0; len];
            random.fill(&mut bytes);
            assert_eq!(crc16(&bytes), crc16_bitwise(&bytes), "seed {seed}, {len} bytes");
        }
    }

    #[test]
    fn slots_as_redis_server_answers() {
        // CLUSTER KEYSLOT of redis-server 7.0.15.
        let asked: &[(&[u8], u16)] = &[
            (b"", 0),
            (b"a", 15495),
            (b"foo", 12182),
            (b"bar", 5061),
            (b"123456789", 12739),
            (b"user:1000", 1649),
            (b"{user1000}.following", 3443),
            (b"{user1000}.followers", 3443),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
            (b"foo}{", 8134),
            (b"{", 4092),
            (b"}", 12090),
            (b"{}", 15257),
            (b"{}a", 10875),
            (b"a{", 14311),
            (b"a{b", 13340),
            (b"}{a}", 15495),
            (b"{{}}", 4092),
            (b"key:000000012345", 12533),
            (b"somekey_longer_than_sixteen_bytes", 8872),
            (b"\x00\x01\xff\xfe", 14878),
            (b"\xe2\x82\xac{\xc3\xa9}", 10180),
        ];
        for (key, slot) in asked {
            assert_eq!(key_slot(key), *slot, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn hash_tag_rule() {
        assert_eq!(hash_tag(b"{user1000}.following"), b"user1000");
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"foo}{"), b"foo}{");
        assert_eq!(hash_tag(b""), b"");
        for at in 0..40 {
            let mut key = [b'z'; 43];
            key[at..at + 3].copy_from_slice(b"{a}");
            assert_eq!(hash_tag(&key[..at + 3]), b"a");
            assert_eq!(hash_tag(&key[..at]), &key[..at]);
        }
    }

    #[test]
    fn every_shard_has_a_range_of_slots_and_none_has_many_more() {
        for shards in [1, 2, 3, 7, 16, 100, 16_384] {
            let map = SlotMap::new(shards);
            let mut counts = vec![0u32; usize::from(shards)];
            let owners: Vec<_> = (0..SLOT_COUNT).map(|slot| map.shard_of_slot(slot)).collect();
            assert!(owners.is_sorted());
            owners.iter().for_each(|&shard| counts[usize::from(shard)] += 1);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{shards}: {least} to {most}");
        }
    }
}
