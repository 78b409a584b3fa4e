//! AVX-512 with VNNI and VPOPCNTDQ (Ice Lake and Zen 4 on): a line is a register.

use super::Line;
use super::drive::{Lanes, kernels};
use std::arch::x86_64::*;

kernels! { #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512vpopcntdq,avx2,fma,f16c")] 4 2:
    f64_dot = F64<false>, f64_l2 = F64<true>,
    f32_dot = F32<false>, f32_l2 = F32<true>,
    f16_dot = F16<false>, f16_l2 = F16<true>,
    bf16_dot = Bf16<false>, bf16_l2 = Bf16<true>,
    i8_dot = I8Dot, i8_l2 = BytesL2<true>,
    u8_dot = U8Dot, u8_l2 = BytesL2<false>,
    hamming = Bits,
}

/// A line as it lies there.
///
/// # Safety
///
/// The processor has AVX-512; the pointer is to a line.
#[inline(always)]
unsafe fn load(line: *const Line) -> __m512i {
    // SAFETY: lines are 64 bytes at multiples of 64; the rest is the caller's promise.
    unsafe { _mm512_load_si512(line.cast()) }
}

/// One of the two halves of a line.
///
/// # Safety
///
/// As [`load`].
#[inline(always)]
unsafe fn half(line: *const Line, upper: bool) -> __m256i {
    // SAFETY: both halves lie within the line, at multiples of 32.
    unsafe { _mm256_load_si256(line.cast::<__m256i>().add(upper.into())) }
}

macro_rules! float_sums {
    ($sum:ty, $zero:ident, $join:ident, $total:ident) => {
        type Sum = $sum;
        #[inline(always)]
        unsafe fn zero() -> Self::Sum {
            // SAFETY: the caller has AVX-512.
            unsafe { $zero() }
        }
        #[inline(always)]
        unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum {
            // SAFETY: the caller has AVX-512.
            unsafe { $join(a, b) }
        }
        #[inline(always)]
        unsafe fn total(sum: Self::Sum) -> f64 {
            // SAFETY: the caller has AVX-512.
            unsafe { $total(sum).into() }
        }
    };
}

/// The sum so far and that of 16 products, or squares of differences.
///
/// # Safety
///
/// The processor has AVX-512.
#[inline(always)]
unsafe fn step<const L2: bool>(sum: __m512, query: __m512, row: __m512) -> __m512 {
    // SAFETY: the caller has AVX-512.
    unsafe {
        if L2 {
            let apart = _mm512_sub_ps(query, row);
            return _mm512_fmadd_ps(apart, apart, sum);
        }
        _mm512_fmadd_ps(query, row, sum)
    }
}

pub(super) struct F64<const L2: bool>;

impl<const L2: bool> Lanes for F64<L2> {
    float_sums!(__m512d, _mm512_setzero_pd, _mm512_add_pd, _mm512_reduce_add_pd);
    #[inline(always)]
    unsafe fn add(sum: __m512d, query: *const Line, row: *const Line) -> __m512d {
        // SAFETY: the caller's promise.
        unsafe {
            let (query, row) = (_mm512_castsi512_pd(load(query)), _mm512_castsi512_pd(load(row)));
            if L2 {
                let apart = _mm512_sub_pd(query, row);
                return _mm512_fmadd_pd(apart, apart, sum);
            }
            _mm512_fmadd_pd(query, row, sum)
        }
    }
}

pub(super) struct F32<const L2: bool>;

impl<const L2: bool> Lanes for F32<L2> {
    float_sums!(__m512, _mm512_setzero_ps, _mm512_add_ps, _mm512_reduce_add_ps);
    #[inline(always)]
    unsafe fn add(sum: __m512, query: *const Line, row: *const Line) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { step::<L2>(sum, _mm512_castsi512_ps(load(query)), _mm512_castsi512_ps(load(row))) }
    }
}

pub(super) struct F16<const L2: bool>;

impl<const L2: bool> Lanes for F16<L2> {
    float_sums!(__m512, _mm512_setzero_ps, _mm512_add_ps, _mm512_reduce_add_ps);
    #[inline(always)]
    unsafe fn add(sum: __m512, query: *const Line, row: *const Line) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            let wide = |line, upper| _mm512_cvtph_ps(half(line, upper));
            let sum = step::<L2>(sum, wide(query, false), wide(row, false));
            step::<L2>(sum, wide(query, true), wide(row, true))
        }
    }
}

pub(super) struct Bf16<const L2: bool>;

impl<const L2: bool> Lanes for Bf16<L2> {
    float_sums!(__m512, _mm512_setzero_ps, _mm512_add_ps, _mm512_reduce_add_ps);
    /// The elements with odd numbers are upper halves as they lie there, those with even numbers become so by a shift.
    #[inline(always)]
    unsafe fn add(sum: __m512, query: *const Line, row: *const Line) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            let (query, row) = (load(query), load(row));
            let even = |it| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(it));
            let upper = _mm512_set1_epi32(-0x1_0000);
            let odd = |it| _mm512_castsi512_ps(_mm512_and_si512(it, upper));
            let sum = step::<L2>(sum, even(query), even(row));
            step::<L2>(sum, odd(query), odd(row))
        }
    }
}

macro_rules! integer_sums {
    () => {
        type Sum = __m512i;
        #[inline(always)]
        unsafe fn zero() -> __m512i {
            // SAFETY: the caller has AVX-512.
            unsafe { _mm512_setzero_si512() }
        }
        #[inline(always)]
        unsafe fn join(a: __m512i, b: __m512i) -> __m512i {
            // SAFETY: the caller has AVX-512.
            unsafe { _mm512_add_epi32(a, b) }
        }
        /// No lane comes near to what 32 bits hold with [`crate::DIMENSION_MAX`] elements, nor does their sum.
        #[inline(always)]
        unsafe fn total(sum: __m512i) -> f64 {
            // SAFETY: the caller has AVX-512.
            unsafe { _mm512_reduce_add_epi32(sum).into() }
        }
    };
}

/// VNNI multiplies unsigned by signed bytes: the row is taken as if 128 were added to each element, and so many times the sum
/// of the query's is missing.
pub(super) struct I8Dot;

impl Lanes for I8Dot {
    integer_sums!();
    #[inline(always)]
    unsafe fn add(sum: __m512i, query: *const Line, row: *const Line) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let row = _mm512_xor_si512(load(row), _mm512_set1_epi8(-128));
            _mm512_dpbusd_epi32(sum, row, load(query))
        }
    }
    #[inline(always)]
    unsafe fn missing(query: *const Line, lines: usize) -> f64 {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = Self::zero();
            for at in 0..lines {
                sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), load(query.add(at)));
            }
            Self::total(sum) * -128.0
        }
    }
}

/// As [`I8Dot`], with 128 taken from each element of the row.
pub(super) struct U8Dot;

impl Lanes for U8Dot {
    integer_sums!();
    #[inline(always)]
    unsafe fn add(sum: __m512i, query: *const Line, row: *const Line) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let row = _mm512_xor_si512(load(row), _mm512_set1_epi8(-128));
            _mm512_dpbusd_epi32(sum, load(query), row)
        }
    }
    #[inline(always)]
    unsafe fn missing(query: *const Line, lines: usize) -> f64 {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = Self::zero();
            for at in 0..lines {
                sum = _mm512_dpbusd_epi32(sum, load(query.add(at)), _mm512_set1_epi8(1));
            }
            Self::total(sum) * 128.0
        }
    }
}

/// Differences of bytes have up to 9 bits with sign, so they are squared as 16 bits. Signed bytes are as far apart as the
/// unsigned ones that they become with 128 added.
pub(super) struct BytesL2<const SIGNED: bool>;

impl<const SIGNED: bool> Lanes for BytesL2<SIGNED> {
    integer_sums!();
    #[inline(always)]
    unsafe fn add(sum: __m512i, query: *const Line, row: *const Line) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let shift = _mm512_set1_epi8(if SIGNED { -128 } else { 0 });
            let (a, b) = (_mm512_xor_si512(load(query), shift), _mm512_xor_si512(load(row), shift));
            let apart = _mm512_or_si512(_mm512_subs_epu8(a, b), _mm512_subs_epu8(b, a));
            let zero = _mm512_setzero_si512();
            let (low, high) = (_mm512_unpacklo_epi8(apart, zero), _mm512_unpackhi_epi8(apart, zero));
            _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(sum, low, low), high, high)
        }
    }
}

pub(super) struct Bits;

impl Lanes for Bits {
    type Sum = __m512i;
    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn add(sum: __m512i, query: *const Line, row: *const Line) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let differ = _mm512_xor_si512(load(query), load(row));
            _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ))
        }
    }
    #[inline(always)]
    unsafe fn join(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_add_epi64(a, b) }
    }
    #[inline(always)]
    unsafe fn total(sum: __m512i) -> f64 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_reduce_add_epi64(sum) as f64 }
    }
}
