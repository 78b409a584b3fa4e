//! Tests of HyperLogLogs against bytes that redis-server gave.

use super::*;
use crate::sample::{Sample, rounds};

/// FNV-1a, to compare whole values with what a real server stored without listing 12 KB here.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn element(n: u32) -> Vec<u8> {
    format!("element:{n}").into_bytes()
}

fn filled(range: std::ops::Range<u32>, sparse_bytes_max: usize) -> Vec<u8> {
    let mut hll = empty();
    for n in range {
        add(&mut hll, &element(n), sparse_bytes_max).expect("our own value is valid");
    }
    hll
}

fn with_header(encoding: u8, rest: &[u8]) -> Vec<u8> {
    [b"HYLL".as_slice(), &[encoding, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, STALE], rest].concat()
}

#[test]
fn an_empty_value_is_one_long_run() {
    let mut hll = empty();
    assert_eq!(hll, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff");
    assert_eq!(count(&mut hll), Ok(Count { cardinality: 0, cache_updated: true }));
    assert_eq!(count(&mut hll), Ok(Count { cardinality: 0, cache_updated: false }));
    assert_eq!(decode(&hll), Ok(Some("Z:16384".to_string())));
}

/// Lengths, digests and estimates are what redis-server 7.0.15 stores and replies for the same `PFADD`s.
#[test]
fn the_bytes_are_those_of_redis() {
    let cases = [
        (0..100, 3000, 285, 0x67b3_25af_8799_02d0, 99),
        (0..1000, 3000, 1897, 0x0f28_a9d9_3d31_64c9, 997),
        (0..5000, 3000, DENSE_BYTES, 0x71b5_9976_ab1a_a332, 5005),
        (100..700, 300, DENSE_BYTES, 0x10c7_9ffe_1497_7380, 603),
    ];
    for (range, sparse_bytes_max, len, expected, cardinality) in cases {
        let mut hll = filled(range.clone(), sparse_bytes_max);
        assert_eq!(count(&mut hll).map(|count| count.cardinality), Ok(cardinality), "{range:?}");
        // The digests were taken before the estimate was cached.
        hll[CARDINALITY_AT..HEADER_BYTES].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, STALE]);
        assert_eq!((hll.len(), digest(&hll)), (len, expected), "{range:?}");
    }
    let five = filled(0..5, 3000);
    assert_eq!(five, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80D\x8e\x80E;\x84F\x88\x90E\x01\x80K\'\x80_|");
    let text = "Z:1167 v:1,1 Z:1340 v:2,1 Z:1673 v:5,1 Z:1282 v:1,1 Z:2856 v:1,1 Z:8061";
    assert_eq!(decode(&five), Ok(Some(text.to_string())));
}

#[test]
fn a_merge_gives_the_bytes_of_redis() {
    let mut destination = filled(0..300, 3000);
    let mut union = Registers::of(&destination).unwrap();
    assert_eq!(union.merge(&filled(200..600, 3000)), Ok(Encoding::Sparse));
    assert_eq!(union.cardinality(), 602);
    union.store(&mut destination, false, 3000).unwrap();
    assert_eq!((destination.len(), digest(&destination)), (1229, 0xa05f_292e_1bb2_3851));
    assert_eq!(Registers::of(&destination), Ok(union));
}

/// The second check of `PFSELFTEST`: sparse and dense agree and the error stays within six standard errors.
#[test]
fn estimates_are_close() {
    let mut sparse = empty();
    let mut dense = empty();
    assert_eq!(to_dense(&mut dense), Ok(true));
    assert_eq!(to_dense(&mut dense), Ok(false));
    let mut sample = Sample::new(2);
    let mut checkpoint = 1u64;
    for n in 1..=200_000u64 {
        let element = sample.next().to_le_bytes();
        let changed = add(&mut dense, &element, 3000);
        assert_eq!(changed, add(&mut sparse, &element, 3000));
        if n != checkpoint {
            continue;
        }
        checkpoint = (checkpoint * 3).div_ceil(2);
        let estimate = count(&mut dense).unwrap().cardinality;
        assert_eq!(count(&mut sparse).unwrap().cardinality, estimate);
        let error_max = (1.04 / (REGISTERS as f64).sqrt() * 6.0 * n as f64).ceil().max(2.0) as u64;
        assert!(estimate.abs_diff(n) <= error_max, "{n} estimated as {estimate}");
    }
    assert_eq!(Registers::of(&sparse), Registers::of(&dense));
    assert_eq!(sparse, dense, "both are dense by now and hold the same cardinality");
}

#[test]
fn merging_equals_adding_everything() {
    let mut sample = Sample::new(3);
    for _ in 0..40 {
        let sparse_bytes_max = sample.index(4000);
        let mut all = empty();
        let mut union = Registers::new();
        for _ in 0..3 {
            let mut part = empty();
            for _ in 0..sample.below(700) {
                let element = sample.below(2000).to_le_bytes();
                add(&mut part, &element, sparse_bytes_max).unwrap();
                add(&mut all, &element, sparse_bytes_max).unwrap();
            }
            let mut gathered_elsewhere = Registers::new();
            gathered_elsewhere.merge(&part).unwrap();
            union.merge_registers(&gathered_elsewhere);
        }
        assert_eq!(union.cardinality(), count(&mut all).unwrap().cardinality);
        assert_eq!(Ok(&union), Registers::of(&all).as_ref());
        let mut stored = empty();
        union.store(&mut stored, sample.below(2) == 0, sparse_bytes_max).unwrap();
        assert_eq!(Ok(union), Registers::of(&stored));
    }
}

#[test]
fn bytes_that_are_no_hyperloglog() {
    let wrong = Err(HllError::NotHyperLogLog);
    for bytes in
        [&b""[..], b"HYLL", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0", b"hyll\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"]
    {
        assert_eq!(validate(bytes), wrong, "{}", bytes.escape_ascii());
    }
    assert_eq!(validate(&with_header(2, &[])), wrong);
    assert_eq!(validate(&with_header(0, &[0; dense::BYTES - 1])), wrong);
    assert_eq!(validate(&with_header(0, &[0; dense::BYTES + 1])), wrong);
    assert_eq!(validate(&with_header(0, &[0; dense::BYTES])), Ok(Encoding::Dense));
}

#[test]
fn runs_that_do_not_cover_all_registers() {
    let cases: [&[u8]; 7] = [
        b"",
        b"\x7f",
        b"\x7f\xfe",
        b"\x7f\xff\x00",
        b"\x7f\xff\x80",
        &[0x7f, 0xff].repeat(1 << 18),
        &[0xff].repeat(4097),
    ];
    for rest in cases {
        let mut hll = with_header(1, rest);
        let corrupted = Some(HllError::Corrupted);
        assert_eq!(count(&mut hll).err(), corrupted);
        assert_eq!(to_dense(&mut hll).err(), corrupted);
        assert_eq!(decode(&hll).err(), corrupted);
        assert_eq!(Registers::of(&hll).err(), corrupted);
        assert_eq!(hll, with_header(1, rest), "an error changes nothing");
    }
    let mut too_short = with_header(1, b"");
    assert_eq!(add(&mut too_short, b"x", 3000), Err(HllError::Corrupted));
}

/// Random opcodes, most of them not summing up to 16384: no call may panic, and what it accepts must stay
/// readable.
#[test]
fn hostile_runs_never_panic() {
    let mut sample = Sample::new(4);
    let other = filled(0..20, 3000);
    for round in 0..rounds(5000) {
        let len = sample.index(24);
        let mut hll = with_header(1, &sample.bytes(len));
        if round % 2 == 0 {
            let covered = sparse::opcodes(&hll[HEADER_BYTES..]).flatten().map(|op| op.run).sum::<usize>();
            if covered < REGISTERS {
                sparse::push_zeros(&mut hll, REGISTERS - covered);
            }
        }
        let valid = Registers::of(&hll);
        let mut counted = hll.clone();
        assert_eq!(count(&mut counted).is_ok(), valid.is_ok());
        assert_eq!(decode(&hll).is_ok(), valid.is_ok());
        let mut merged = hll.clone();
        let stored = Registers::of(&other).unwrap().store(&mut merged, false, 60);
        assert!(stored.is_ok() || valid.is_err());
        for n in 0..20 {
            let added = add(&mut hll, &element(n), 60);
            assert!(added.is_ok() || valid.is_err());
        }
        assert_eq!(Registers::of(&hll).is_ok(), valid.is_ok());
    }
}
