//! Kernels for any processor, and for Miri. The compiler makes of them what it can.

use super::drive::{Lanes, kernels};
use crate::element::{bf16_to_f32, f16_to_f32};

kernels! { #[inline] 1 1:
    f64_dot = Floats<f64, false>, f64_l2 = Floats<f64, true>,
    f32_dot = Floats<f32, false>, f32_l2 = Floats<f32, true>,
    f16_dot = Floats<F16, false>, f16_l2 = Floats<F16, true>,
    bf16_dot = Floats<Bf16, false>, bf16_l2 = Floats<Bf16, true>,
    i8_dot = Integers<i8, false>, i8_l2 = Integers<i8, true>,
    u8_dot = Integers<u8, false>, u8_l2 = Integers<u8, true>,
    hamming = Bits,
}

/// A number in a row.
pub(super) trait Number {
    type As: Copy;
    type Bytes: Copy;
    fn parts(line: &super::Line) -> &[Self::Bytes];
    fn read(bytes: Self::Bytes) -> Self::As;
}

pub(super) struct F16;
pub(super) struct Bf16;

macro_rules! number {
    ($($name:ty, $size:literal, $as:ty: $read:expr;)*) => { $(
        impl Number for $name {
            type As = $as;
            type Bytes = [u8; $size];
            #[inline(always)]
            fn parts(line: &super::Line) -> &[[u8; $size]] {
                line.0.as_chunks().0
            }
            #[inline(always)]
            fn read(bytes: [u8; $size]) -> $as {
                $read(bytes)
            }
        }
    )* };
}
number! {
    f64, 8, f64: f64::from_le_bytes;
    f32, 4, f32: f32::from_le_bytes;
    F16, 2, f32: |it| f16_to_f32(u16::from_le_bytes(it));
    Bf16, 2, f32: |it| bf16_to_f32(u16::from_le_bytes(it));
    i8, 1, i32: |it| i32::from(i8::from_le_bytes(it));
    u8, 1, i32: |[it]: [u8; 1]| i32::from(it);
}

/// Floating-point numbers, in 8 parts.
pub(super) struct Floats<N, const L2: bool>(N);

macro_rules! floats {
    ($as:ty: $($name:ty),*) => { $(
        impl<const L2: bool> Lanes for Floats<$name, L2> {
            type Sum = [$as; 8];
            #[inline(always)]
            unsafe fn zero() -> Self::Sum {
                [0.0; 8]
            }
            #[inline(always)]
            unsafe fn add(mut sum: Self::Sum, query: *const super::Line, row: *const super::Line) -> Self::Sum {
                // SAFETY: the caller gives pointers to whole lines.
                let (query, row) = unsafe { (&*query, &*row) };
                for (query, row) in <$name>::parts(query).chunks_exact(8).zip(<$name>::parts(row).chunks_exact(8)) {
                    for part in 0..8 {
                        let (query, row) = (<$name>::read(query[part]), <$name>::read(row[part]));
                        let apart = query - row;
                        sum[part] += if L2 { apart * apart } else { query * row };
                    }
                }
                sum
            }
            #[inline(always)]
            unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum {
                std::array::from_fn(|part| a[part] + b[part])
            }
            #[inline(always)]
            unsafe fn total(sum: Self::Sum) -> f64 {
                sum.iter().sum::<$as>().into()
            }
        }
    )* };
}
floats!(f64: f64);
floats!(f32: f32, F16, Bf16);

/// Whole numbers, exactly.
pub(super) struct Integers<N, const L2: bool>(N);

impl<N: Number<As = i32>, const L2: bool> Lanes for Integers<N, L2> {
    type Sum = i64;
    #[inline(always)]
    unsafe fn zero() -> i64 {
        0
    }
    #[inline(always)]
    unsafe fn add(sum: i64, query: *const super::Line, row: *const super::Line) -> i64 {
        // SAFETY: the caller gives pointers to whole lines.
        let (query, row) = unsafe { (&*query, &*row) };
        let mut line = 0i32;
        for (query, row) in N::parts(query).iter().zip(N::parts(row)) {
            let (query, row) = (N::read(*query), N::read(*row));
            line += if L2 { (query - row) * (query - row) } else { query * row };
        }
        sum + i64::from(line)
    }
    #[inline(always)]
    unsafe fn join(a: i64, b: i64) -> i64 {
        a + b
    }
    #[inline(always)]
    unsafe fn total(sum: i64) -> f64 {
        sum as f64
    }
}

/// In how many bits two rows differ.
pub(super) struct Bits;

impl Lanes for Bits {
    type Sum = u32;
    #[inline(always)]
    unsafe fn zero() -> u32 {
        0
    }
    #[inline(always)]
    unsafe fn add(sum: u32, query: *const super::Line, row: *const super::Line) -> u32 {
        // SAFETY: the caller gives pointers to whole lines.
        let (query, row) = unsafe { (&*query, &*row) };
        let words = query.0.as_chunks().0.iter().zip(row.0.as_chunks().0);
        sum + words.map(|(a, b)| (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)).count_ones()).sum::<u32>()
    }
    #[inline(always)]
    unsafe fn join(a: u32, b: u32) -> u32 {
        a + b
    }
    #[inline(always)]
    unsafe fn total(sum: u32) -> f64 {
        sum.into()
    }
}
