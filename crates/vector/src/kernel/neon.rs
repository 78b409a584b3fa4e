//! NEON, which every aarch64 processor has: a line is four registers. f16 is left to the compiler.

use super::Line;
use super::drive::{Lanes, kernels};
use std::arch::aarch64::*;

kernels! { #[target_feature(enable = "neon")] 4 1:
    f64_dot = F64<false>, f64_l2 = F64<true>,
    f32_dot = F32<false>, f32_l2 = F32<true>,
    bf16_dot = Bf16<false>, bf16_l2 = Bf16<true>,
    i8_dot = I8<false>, i8_l2 = I8<true>,
    u8_dot = U8<false>, u8_l2 = U8<true>,
    hamming = Bits,
}

pub(super) struct F64<const L2: bool>;

impl<const L2: bool> Lanes for F64<L2> {
    type Sum = [float64x2_t; 4];
    #[inline(always)]
    unsafe fn zero() -> Self::Sum {
        // SAFETY: the processor has NEON.
        unsafe { [vdupq_n_f64(0.0); 4] }
    }
    #[inline(always)]
    unsafe fn add(mut sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum {
        for (part, sum) in sum.iter_mut().enumerate() {
            // SAFETY: a line has four times two f64.
            unsafe {
                let (query, row) = (
                    vld1q_f64(query.cast::<f64>().add(2 * part)),
                    vld1q_f64(row.cast::<f64>().add(2 * part)),
                );
                let apart = vsubq_f64(query, row);
                let (a, b) = if L2 { (apart, apart) } else { (query, row) };
                *sum = vfmaq_f64(*sum, a, b);
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum {
        // SAFETY: the processor has NEON.
        unsafe {
            let low = [vaddq_f64(a[0], b[0]), vaddq_f64(a[1], b[1])];
            [low[0], low[1], vaddq_f64(a[2], b[2]), vaddq_f64(a[3], b[3])]
        }
    }
    #[inline(always)]
    unsafe fn total(sum: Self::Sum) -> f64 {
        // SAFETY: the processor has NEON.
        unsafe { vaddvq_f64(vaddq_f64(vaddq_f64(sum[0], sum[1]), vaddq_f64(sum[2], sum[3]))) }
    }
}

/// Sums of f32 in four registers.
macro_rules! float_sums {
    () => {
        type Sum = [float32x4_t; 4];
        #[inline(always)]
        unsafe fn zero() -> Self::Sum {
            // SAFETY: the processor has NEON.
            unsafe { [vdupq_n_f32(0.0); 4] }
        }
        #[inline(always)]
        unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum {
            // SAFETY: the processor has NEON.
            unsafe {
                let low = [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])];
                [low[0], low[1], vaddq_f32(a[2], b[2]), vaddq_f32(a[3], b[3])]
            }
        }
        #[inline(always)]
        unsafe fn total(sum: Self::Sum) -> f64 {
            // SAFETY: the processor has NEON.
            unsafe { vaddvq_f32(vaddq_f32(vaddq_f32(sum[0], sum[1]), vaddq_f32(sum[2], sum[3]))).into() }
        }
    };
}

/// The sum so far and that of 4 products, or squares of differences.
///
/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn step<const L2: bool>(sum: float32x4_t, query: float32x4_t, row: float32x4_t) -> float32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        let apart = vsubq_f32(query, row);
        let (a, b) = if L2 { (apart, apart) } else { (query, row) };
        vfmaq_f32(sum, a, b)
    }
}

pub(super) struct F32<const L2: bool>;

impl<const L2: bool> Lanes for F32<L2> {
    float_sums!();
    #[inline(always)]
    unsafe fn add(mut sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum {
        for (part, sum) in sum.iter_mut().enumerate() {
            // SAFETY: a line has four times four f32.
            unsafe {
                let (query, row) = (
                    vld1q_f32(query.cast::<f32>().add(4 * part)),
                    vld1q_f32(row.cast::<f32>().add(4 * part)),
                );
                *sum = step::<L2>(*sum, query, row);
            }
        }
        sum
    }
}

pub(super) struct Bf16<const L2: bool>;

impl<const L2: bool> Lanes for Bf16<L2> {
    float_sums!();
    /// The elements with odd numbers are upper halves as they lie there, those with even numbers become so by a shift.
    #[inline(always)]
    unsafe fn add(mut sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum {
        for part in 0..4 {
            // SAFETY: a line has four times four pairs.
            unsafe {
                let (query, row) = (
                    vld1q_u32(query.cast::<u32>().add(4 * part)),
                    vld1q_u32(row.cast::<u32>().add(4 * part)),
                );
                let even = |it| vreinterpretq_f32_u32(vshlq_n_u32::<16>(it));
                let odd = |it| vreinterpretq_f32_u32(vandq_u32(it, vdupq_n_u32(0xffff_0000)));
                let at = part % 2 * 2;
                sum[at] = step::<L2>(sum[at], even(query), even(row));
                sum[at + 1] = step::<L2>(sum[at + 1], odd(query), odd(row));
            }
        }
        sum
    }
}

/// Sums of 32-bit integers; products have 16 bits and are added in pairs.
macro_rules! integers {
    ($name:ident: $sum:ty, $as:ty, $zero:ident, $load:ident, $low:ident, $high:ident, $apart:ident, $wide:ident, $pairs:ident, $join:ident, $total:ident) => {
        pub(super) struct $name<const L2: bool>;

        impl<const L2: bool> Lanes for $name<L2> {
            type Sum = $sum;
            #[inline(always)]
            unsafe fn zero() -> $sum {
                // SAFETY: the processor has NEON.
                unsafe { $zero(0) }
            }
            #[inline(always)]
            unsafe fn add(mut sum: $sum, query: *const Line, row: *const Line) -> $sum {
                for part in 0..4 {
                    // SAFETY: a line has four times sixteen bytes.
                    unsafe {
                        let (query, row) = (
                            $load(query.cast::<$as>().add(16 * part)),
                            $load(row.cast::<$as>().add(16 * part)),
                        );
                        if L2 {
                            sum = $wide(sum, $apart(query, row));
                        } else {
                            sum = $pairs(sum, $low(query, row));
                            sum = $pairs(sum, $high(query, row));
                        }
                    }
                }
                sum
            }
            #[inline(always)]
            unsafe fn join(a: $sum, b: $sum) -> $sum {
                // SAFETY: the processor has NEON.
                unsafe { $join(a, b) }
            }
            #[inline(always)]
            unsafe fn total(sum: $sum) -> f64 {
                // SAFETY: the processor has NEON.
                unsafe { $total(sum) as f64 }
            }
        }
    };
}
integers!(I8: int32x4_t, i8, vdupq_n_s32, vld1q_s8, low_s8, vmull_high_s8, apart_s8, squares_s32, vpadalq_s16, vaddq_s32, vaddlvq_s32);
integers!(U8: uint32x4_t, u8, vdupq_n_u32, vld1q_u8, low_u8, vmull_high_u8, vabdq_u8, squares_u32, vpadalq_u16, vaddq_u32, vaddlvq_u32);

/// Products of the lower halves.
///
/// # Safety
///
/// The processor has NEON, as for those that follow.
#[inline(always)]
unsafe fn low_s8(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    // SAFETY: the caller's promise.
    unsafe { vmull_s8(vget_low_s8(a), vget_low_s8(b)) }
}

#[inline(always)]
unsafe fn low_u8(a: uint8x16_t, b: uint8x16_t) -> uint16x8_t {
    // SAFETY: the caller's promise.
    unsafe { vmull_u8(vget_low_u8(a), vget_low_u8(b)) }
}

/// How far signed bytes are apart needs 8 bits without a sign.
#[inline(always)]
unsafe fn apart_s8(a: int8x16_t, b: int8x16_t) -> uint8x16_t {
    // SAFETY: the caller's promise.
    unsafe { vreinterpretq_u8_s8(vabdq_s8(a, b)) }
}

#[inline(always)]
unsafe fn squares_u32(sum: uint32x4_t, apart: uint8x16_t) -> uint32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vpadalq_u16(vpadalq_u16(sum, low_u8(apart, apart)), vmull_high_u8(apart, apart)) }
}

#[inline(always)]
unsafe fn squares_s32(sum: int32x4_t, apart: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vreinterpretq_s32_u32(squares_u32(vreinterpretq_u32_s32(sum), apart)) }
}

pub(super) struct Bits;

impl Lanes for Bits {
    type Sum = uint32x4_t;
    #[inline(always)]
    unsafe fn zero() -> uint32x4_t {
        // SAFETY: the processor has NEON.
        unsafe { vdupq_n_u32(0) }
    }
    #[inline(always)]
    unsafe fn add(mut sum: uint32x4_t, query: *const Line, row: *const Line) -> uint32x4_t {
        for part in 0..4 {
            // SAFETY: a line has four times sixteen bytes.
            unsafe {
                let (query, row) =
                    (vld1q_u8(query.cast::<u8>().add(16 * part)), vld1q_u8(row.cast::<u8>().add(16 * part)));
                sum = vpadalq_u16(sum, vpaddlq_u8(vcntq_u8(veorq_u8(query, row))));
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn join(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        // SAFETY: the processor has NEON.
        unsafe { vaddq_u32(a, b) }
    }
    #[inline(always)]
    unsafe fn total(sum: uint32x4_t) -> f64 {
        // SAFETY: the processor has NEON.
        unsafe { vaddlvq_u32(sum) as f64 }
    }
}
