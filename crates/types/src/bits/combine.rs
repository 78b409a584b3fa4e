//! The operations of `BITOP` on strings of different lengths: shorter ones are followed by zeros.
//!
//! The result is computed a block at a time, so that it stays in the first-level cache while all sources are
//! read over it; the loops over bytes are ones that the compiler turns into vector instructions.
#![forbid(unsafe_code)]

use super::BitError;

const BLOCK_BYTES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// Set in the first source and in no other.
    Diff,
    /// Set in any other source and not in the first.
    Diff1,
    /// Set in the first source and in any other.
    AndOr,
    /// Set in exactly one source.
    One,
}

impl Operation {
    /// `None` for an unknown name: a syntax error.
    pub fn parse(name: &[u8]) -> Option<Operation> {
        use Operation::*;
        let all = [And, Or, Xor, Not, Diff, Diff1, AndOr, One];
        all.into_iter().find(|operation| operation.name().as_bytes().eq_ignore_ascii_case(name))
    }

    pub fn name(self) -> &'static str {
        match self {
            Operation::And => "AND",
            Operation::Or => "OR",
            Operation::Xor => "XOR",
            Operation::Not => "NOT",
            Operation::Diff => "DIFF",
            Operation::Diff1 => "DIFF1",
            Operation::AndOr => "ANDOR",
            Operation::One => "ONE",
        }
    }

    /// Whether the operation takes that many sources. Redis checks this before it looks at the keys.
    pub fn check_sources(self, count: usize) -> Result<(), BitError> {
        match self {
            Operation::Not if count != 1 => Err(BitError::NotTakesOneSource),
            Operation::Diff | Operation::Diff1 | Operation::AndOr if count < 2 => {
                Err(BitError::TooFewSources(self.name()))
            }
            _ => Ok(()),
        }
    }
}

/// Combines the sources (missing keys are empty) into a string as long as the longest of them.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Result<Vec<u8>, BitError> {
    operation.check_sources(sources.len())?;
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = vec![0; len];
    let Some((first, rest)) = sources.split_first() else { return Ok(result) };
    for (index, block) in result.chunks_mut(BLOCK_BYTES).enumerate() {
        let at = index * BLOCK_BYTES;
        let first = part(first, at);
        let rest = rest.iter().map(|source| part(source, at));
        match operation {
            Operation::And => {
                or(block, first);
                rest.for_each(|source| and(block, source));
            }
            Operation::Or => {
                or(block, first);
                rest.for_each(|source| or(block, source));
            }
            Operation::Xor => {
                or(block, first);
                rest.for_each(|source| xor(block, source));
            }
            Operation::Not => block.iter_mut().zip(first).for_each(|(bits, source)| *bits = !source),
            Operation::Diff => {
                or(block, first);
                rest.for_each(|source| and_not(block, source));
            }
            Operation::Diff1 => {
                rest.for_each(|source| or(block, source));
                and_not(block, first);
            }
            Operation::AndOr => {
                rest.for_each(|source| or(block, source));
                and(block, first);
            }
            Operation::One => {
                or(block, first);
                exactly_one(block, rest);
            }
        }
    }
    Ok(result)
}

/// The bytes of a source that fall into the block at `at`.
fn part(source: &[u8], at: usize) -> &[u8] {
    let source = source.get(at..).unwrap_or_default();
    &source[..source.len().min(BLOCK_BYTES)]
}

fn or(block: &mut [u8], source: &[u8]) {
    block.iter_mut().zip(source).for_each(|(bits, source)| *bits |= source);
}

fn xor(block: &mut [u8], source: &[u8]) {
    block.iter_mut().zip(source).for_each(|(bits, source)| *bits ^= source);
}

fn and(block: &mut [u8], source: &[u8]) {
    block.iter_mut().zip(source).for_each(|(bits, source)| *bits &= source);
    if source.len() < block.len() {
        block[source.len()..].fill(0);
    }
}

fn and_not(block: &mut [u8], source: &[u8]) {
    block.iter_mut().zip(source).for_each(|(bits, source)| *bits &= !source);
}

/// Reduces `block`, which holds the first source, to the bits that no other source has, and adds what only
/// one has.
fn exactly_one<'a>(block: &mut [u8], rest: impl Iterator<Item = &'a [u8]>) {
    let mut repeated = [0; BLOCK_BYTES];
    for source in rest {
        for ((any, repeated), source) in block.iter_mut().zip(&mut repeated).zip(source) {
            *repeated |= *any & source;
            *any |= source;
        }
    }
    and_not(block, &repeated);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    /// One bit of the result, from that bit of every source.
    fn model(operation: Operation, bits: &[bool]) -> bool {
        let others = bits[1..].iter().any(|&bit| bit);
        let set = bits.iter().filter(|&&bit| bit).count();
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => set == 0,
            Operation::Diff => bits[0] && !others,
            Operation::Diff1 => !bits[0] && others,
            Operation::AndOr => bits[0] && others,
            Operation::One => set == 1,
        }
    }

    #[test]
    fn results_equal_the_model() {
        let mut sample = Sample::new(20);
        for round in 0..400 {
            let name = ["and", "Or", "xor", "NOT", "diff", "Diff1", "andor", "one"][round % 8];
            let operation = Operation::parse(name.as_bytes()).expect("a known name");
            let sources: Vec<Vec<u8>> =
                (0..if operation == Operation::Not { 1 } else { 2 + sample.index(4) })
                    .map(|_| {
                        let len =
                            sample.index([5, 100, BLOCK_BYTES + 2, 2 * BLOCK_BYTES + 40][round / 8 % 4]);
                        sample.bytes(len)
                    })
                    .collect();
            let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let result = combine(operation, &sources).expect("the right number of sources");
            assert_eq!(result.len(), sources.iter().map(|source| source.len()).max().unwrap_or(0));
            for offset in 0..result.len() as u64 * 8 {
                let bits: Vec<bool> =
                    sources.iter().map(|source| super::super::get(source, offset)).collect();
                assert_eq!(
                    super::super::get(&result, offset),
                    model(operation, &bits),
                    "{operation:?} {offset}"
                );
            }
        }
    }

    #[test]
    fn numbers_of_sources() {
        let one: &[&[u8]] = &[b"abc"];
        assert_eq!(combine(Operation::Not, &[b"a", b"b"]), Err(BitError::NotTakesOneSource));
        for operation in [Operation::Diff, Operation::Diff1, Operation::AndOr] {
            let error = combine(operation, one).unwrap_err();
            let text = format!("BITOP {} must be called with at least two source keys.", operation.name());
            assert_eq!(error.to_string(), text);
        }
        for operation in [Operation::And, Operation::Or, Operation::Xor, Operation::One] {
            assert_eq!(combine(operation, one), Ok(b"abc".to_vec()));
        }
        assert_eq!(combine(Operation::Or, &[b"", b""]), Ok(Vec::new()));
        assert_eq!(Operation::parse(b"nand"), None);
    }
}
