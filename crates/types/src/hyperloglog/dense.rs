//! Dense registers: 16384 fields of 6 bits, packed from the least significant bit of the first byte on, so
//! that 3 bytes hold 4 registers.
#![forbid(unsafe_code)]

use super::REGISTERS;

const REGISTER_BITS: usize = 6;
const REGISTER_MASK: u32 = (1 << REGISTER_BITS) - 1;
/// Length of the packed registers in bytes.
pub(super) const BYTES: usize = REGISTERS * REGISTER_BITS / 8;

/// How many registers hold each value. Values above 51 occur only in hostile strings.
pub(super) type Histogram = [u32; 1 << REGISTER_BITS];

fn unpack(group: &[u8]) -> [u8; 4] {
    let bits = u32::from(group[0]) | u32::from(group[1]) << 8 | u32::from(group[2]) << 16;
    [0, 6, 12, 18].map(|shift| (bits >> shift & REGISTER_MASK) as u8)
}

fn pack(values: [u8; 4]) -> [u8; 3] {
    let bits = values.iter().rev().fold(0u32, |bits, &value| bits << REGISTER_BITS | u32::from(value));
    let [low, middle, high, _] = bits.to_le_bytes();
    [low, middle, high]
}

/// Sets one register.
pub(super) fn set(registers: &mut [u8], index: usize, value: u8) {
    let group = &mut registers[index / 4 * 3..][..3];
    let mut values = unpack(group);
    values[index % 4] = value;
    group.copy_from_slice(&pack(values));
}

/// Sets one register to `rank` if it is lower; true if it was.
pub(super) fn raise(registers: &mut [u8], index: usize, rank: u8) -> bool {
    let group = &mut registers[index / 4 * 3..][..3];
    let mut values = unpack(group);
    let lower = values[index % 4] < rank;
    if lower {
        values[index % 4] = rank;
        group.copy_from_slice(&pack(values));
    }
    lower
}

pub(super) fn histogram(registers: &[u8]) -> Histogram {
    // Four tables, so that equal neighbours do not wait for one another's counter.
    let mut counts = [[0u32; 1 << REGISTER_BITS]; 4];
    for group in registers.chunks_exact(3) {
        for (table, value) in counts.iter_mut().zip(unpack(group)) {
            table[usize::from(value)] += 1;
        }
    }
    std::array::from_fn(|value| counts.iter().map(|table| table[value]).sum())
}

/// Raises every unpacked register to at least its packed counterpart.
pub(super) fn merge_into(unpacked: &mut [u8; REGISTERS], registers: &[u8]) {
    for (values, group) in unpacked.chunks_exact_mut(4).zip(registers.chunks_exact(3)) {
        for (value, other) in values.iter_mut().zip(unpack(group)) {
            *value = (*value).max(other);
        }
    }
}

/// Raises every packed register to at least its unpacked counterpart.
pub(super) fn raise_all(registers: &mut [u8], unpacked: &[u8; REGISTERS]) {
    for (values, group) in unpacked.chunks_exact(4).zip(registers.chunks_exact_mut(3)) {
        let mut raised = unpack(group);
        for (value, &other) in raised.iter_mut().zip(values) {
            *value = (*value).max(other);
        }
        group.copy_from_slice(&pack(raised));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    /// The register check of `PFSELFTEST`: all values are kept and none disturbs its neighbours.
    #[test]
    fn registers_keep_their_values() {
        let mut sample = Sample::new(1);
        let mut packed = vec![0; BYTES];
        for _ in 0..20 {
            let plain: Vec<u8> = (0..REGISTERS).map(|_| sample.below(64) as u8).collect();
            plain.iter().enumerate().for_each(|(index, &value)| set(&mut packed, index, value));
            let mut unpacked = [0; REGISTERS];
            merge_into(&mut unpacked, &packed);
            assert_eq!(plain, unpacked);
            let counts = histogram(&packed);
            for value in 0..64u8 {
                let expected = plain.iter().filter(|&&v| v == value).count();
                assert_eq!(counts[usize::from(value)] as usize, expected);
            }
        }
    }

    #[test]
    fn the_first_register_is_in_the_low_bits() {
        let mut packed = vec![0; BYTES];
        set(&mut packed, 0, 0b11_1111);
        set(&mut packed, 1, 0b10_0001);
        assert_eq!(packed[..3], [0b0111_1111, 0b0000_1000, 0]);
        set(&mut packed, REGISTERS - 1, 63);
        assert_eq!(packed[BYTES - 1], 0b1111_1100);
    }

    #[test]
    fn raising_never_lowers() {
        let mut packed = vec![0; BYTES];
        assert!(raise(&mut packed, 77, 5));
        assert!(!raise(&mut packed, 77, 5));
        assert!(!raise(&mut packed, 77, 4));
        assert!(raise(&mut packed, 77, 51));
    }
}
