//! Unpacked registers: the maximum over several HyperLogLogs, for `PFCOUNT` of several keys and for
//! `PFMERGE`. They can be gathered on several shards and merged.
#![forbid(unsafe_code)]

use super::{Encoding, HEADER_BYTES, HllError, REGISTERS, dense, estimate, sparse};

/// One byte per register, the maximum of all that was merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers(Box<[u8; REGISTERS]>);

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// The registers of the empty set.
    pub fn new() -> Self {
        Registers(Box::new([0; REGISTERS]))
    }

    /// The registers of one value (`PFDEBUG GETREG`).
    pub fn of(hll: &[u8]) -> Result<Self, HllError> {
        let mut registers = Self::new();
        registers.merge(hll)?;
        Ok(registers)
    }

    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Merges a stored value and tells its encoding. After an error the registers hold a part of the value.
    pub fn merge(&mut self, hll: &[u8]) -> Result<Encoding, HllError> {
        let encoding = super::validate(hll)?;
        let registers = &hll[HEADER_BYTES..];
        match encoding {
            Encoding::Dense => dense::merge_into(&mut self.0, registers),
            Encoding::Sparse => sparse::for_each_run(registers, |first, run, value| {
                for register in &mut self.0[first..first + run] {
                    *register = (*register).max(value);
                }
            })?,
        }
        Ok(encoding)
    }

    pub fn merge_registers(&mut self, other: &Registers) {
        for (register, &value) in self.0.iter_mut().zip(other.0.iter()) {
            *register = (*register).max(value);
        }
    }

    /// The cardinality of the union.
    pub fn cardinality(&self) -> u64 {
        let mut histogram = [0; 64];
        // A register read from 6 bits is below 64; the mask only saves the bounds check.
        self.0.iter().for_each(|&value| histogram[usize::from(value) & 63] += 1);
        estimate::cardinality(&histogram)
    }

    /// Raises the registers of `destination` to these and marks its cache out of date: the last step of
    /// `PFMERGE`. Redis passes `as_dense` if the destination or any source is dense. A sparse destination is
    /// written register by register in order, which decides how its runs are split and merged, as in Redis.
    pub fn store(
        &self,
        destination: &mut Vec<u8>,
        as_dense: bool,
        sparse_bytes_max: usize,
    ) -> Result<(), HllError> {
        if as_dense {
            super::to_dense(destination)?;
        }
        let mut encoding = super::validate(destination)?;
        let mut cursor = sparse::Cursor::default();
        for (index, &value) in self.0.iter().enumerate().filter(|&(_, &value)| value > 0) {
            if encoding == Encoding::Dense {
                break;
            }
            super::raise_sparse(destination, &mut cursor, index, value, sparse_bytes_max)?;
            encoding = super::validate(destination)?;
        }
        if encoding == Encoding::Dense {
            dense::raise_all(&mut destination[HEADER_BYTES..], &self.0);
        }
        super::invalidate_cache(destination);
        Ok(())
    }
}
