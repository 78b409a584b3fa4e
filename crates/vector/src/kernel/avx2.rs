//! AVX2 with FMA and F16C (Haswell and Zen on): a line is two registers.

use super::Line;
use super::drive::{Lanes, kernels};
use std::arch::x86_64::*;

kernels! { #[target_feature(enable = "avx2,fma,f16c")] 4 1:
    f64_dot = F64<false>, f64_l2 = F64<true>,
    f32_dot = F32<false>, f32_l2 = F32<true>,
    f16_dot = F16<false>, f16_l2 = F16<true>,
    bf16_dot = Bf16<false>, bf16_l2 = Bf16<true>,
    i8_dot = Bytes<true, false>, i8_l2 = Bytes<true, true>,
    u8_dot = Bytes<false, false>, u8_l2 = Bytes<false, true>,
    hamming = Bits,
}

/// One of the two halves of a line.
///
/// # Safety
///
/// The processor has AVX2; the pointer is to a line.
#[inline(always)]
unsafe fn half(line: *const Line, upper: bool) -> __m256i {
    // SAFETY: both halves lie within the line, at multiples of 32.
    unsafe { _mm256_load_si256(line.cast::<__m256i>().add(upper.into())) }
}

/// One of the four quarters of a line.
///
/// # Safety
///
/// The processor has AVX2; the pointer is to a line, the quarter below 4.
#[inline(always)]
unsafe fn quarter(line: *const Line, at: usize) -> __m128i {
    // SAFETY: the quarters lie within the line, at multiples of 16.
    unsafe { _mm_load_si128(line.cast::<__m128i>().add(at)) }
}

pub(super) struct F64<const L2: bool>;

impl<const L2: bool> Lanes for F64<L2> {
    type Sum = [__m256d; 2];
    #[inline(always)]
    unsafe fn zero() -> Self::Sum {
        // SAFETY: the caller has AVX2.
        unsafe { [_mm256_setzero_pd(); 2] }
    }
    #[inline(always)]
    unsafe fn add(mut sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum {
        // SAFETY: the caller's promise.
        unsafe {
            for (part, sum) in sum.iter_mut().enumerate() {
                let query = _mm256_castsi256_pd(half(query, part == 1));
                let row = _mm256_castsi256_pd(half(row, part == 1));
                let apart = _mm256_sub_pd(query, row);
                let (a, b) = if L2 { (apart, apart) } else { (query, row) };
                *sum = _mm256_fmadd_pd(a, b, *sum);
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum {
        // SAFETY: the caller has AVX2.
        unsafe { [_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn total(sum: Self::Sum) -> f64 {
        let mut parts = [0.0; 4];
        // SAFETY: the caller has AVX2, and there is room for four.
        unsafe { _mm256_storeu_pd(parts.as_mut_ptr(), _mm256_add_pd(sum[0], sum[1])) };
        parts.iter().sum()
    }
}

/// Sums of f32 in two registers; `add` takes the line apart.
macro_rules! float_sums {
    () => {
        type Sum = [__m256; 2];
        #[inline(always)]
        unsafe fn zero() -> Self::Sum {
            // SAFETY: the caller has AVX2.
            unsafe { [_mm256_setzero_ps(); 2] }
        }
        #[inline(always)]
        unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum {
            // SAFETY: the caller has AVX2.
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn total(sum: Self::Sum) -> f64 {
            let mut parts = [0.0f32; 8];
            // SAFETY: the caller has AVX2, and there is room for eight.
            unsafe { _mm256_storeu_ps(parts.as_mut_ptr(), _mm256_add_ps(sum[0], sum[1])) };
            parts.iter().sum::<f32>().into()
        }
    };
}

/// The sum so far and that of 8 products, or squares of differences.
///
/// # Safety
///
/// The processor has AVX2 and FMA.
#[inline(always)]
unsafe fn step<const L2: bool>(sum: __m256, query: __m256, row: __m256) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        if L2 {
            let apart = _mm256_sub_ps(query, row);
            return _mm256_fmadd_ps(apart, apart, sum);
        }
        _mm256_fmadd_ps(query, row, sum)
    }
}

pub(super) struct F32<const L2: bool>;

impl<const L2: bool> Lanes for F32<L2> {
    float_sums!();
    #[inline(always)]
    unsafe fn add(sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum {
        // SAFETY: the caller's promise.
        unsafe {
            let part = |line, upper| _mm256_castsi256_ps(half(line, upper));
            [
                step::<L2>(sum[0], part(query, false), part(row, false)),
                step::<L2>(sum[1], part(query, true), part(row, true)),
            ]
        }
    }
}

pub(super) struct F16<const L2: bool>;

impl<const L2: bool> Lanes for F16<L2> {
    float_sums!();
    #[inline(always)]
    unsafe fn add(mut sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum {
        // SAFETY: the caller's promise.
        unsafe {
            for part in 0..4 {
                let wide = |line| _mm256_cvtph_ps(quarter(line, part));
                sum[part % 2] = step::<L2>(sum[part % 2], wide(query), wide(row));
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
        // SAFETY: the caller's promise.
        unsafe {
            let upper = _mm256_set1_epi32(-0x1_0000);
            let even = |it| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(it));
            let odd = |it| _mm256_castsi256_ps(_mm256_and_si256(it, upper));
            for part in [false, true] {
                let (query, row) = (half(query, part), half(row, part));
                sum[0] = step::<L2>(sum[0], even(query), even(row));
                sum[1] = step::<L2>(sum[1], odd(query), odd(row));
            }
        }
        sum
    }
}

/// The sum of the 32-bit lanes; with [`crate::DIMENSION_MAX`] elements it fits.
///
/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn total_i32(sum: __m256i) -> f64 {
    let mut parts = [0i32; 8];
    // SAFETY: the caller has AVX2, and there is room for eight.
    unsafe { _mm256_storeu_si256(parts.as_mut_ptr().cast(), sum) };
    parts.iter().map(|part| i64::from(*part)).sum::<i64>() as f64
}

/// Bytes, widened to 16 bits and multiplied in pairs into 32.
pub(super) struct Bytes<const SIGNED: bool, const L2: bool>;

impl<const SIGNED: bool, const L2: bool> Lanes for Bytes<SIGNED, L2> {
    type Sum = __m256i;
    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn add(mut sum: __m256i, query: *const Line, row: *const Line) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            for part in 0..4 {
                let wide = |line| match SIGNED {
                    true => _mm256_cvtepi8_epi16(quarter(line, part)),
                    false => _mm256_cvtepu8_epi16(quarter(line, part)),
                };
                let (query, row) = (wide(query), wide(row));
                let apart = _mm256_sub_epi16(query, row);
                let (a, b) = if L2 { (apart, apart) } else { (query, row) };
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn join(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn total(sum: __m256i) -> f64 {
        // SAFETY: the caller has AVX2.
        unsafe { total_i32(sum) }
    }
}

/// Bits are counted by looking up half bytes (Muła, Kurz and Lemire, "Faster population counts using AVX2 instructions", 2018).
pub(super) struct Bits;

impl Lanes for Bits {
    type Sum = __m256i;
    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn add(mut sum: __m256i, query: *const Line, row: *const Line) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let counts =
                _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
            let low = _mm256_set1_epi8(15);
            for part in [false, true] {
                let differ = _mm256_xor_si256(half(query, part), half(row, part));
                let first = _mm256_shuffle_epi8(counts, _mm256_and_si256(differ, low));
                let second = _mm256_and_si256(_mm256_srli_epi16::<4>(differ), low);
                let both = _mm256_add_epi8(first, _mm256_shuffle_epi8(counts, second));
                sum = _mm256_add_epi64(sum, _mm256_sad_epu8(both, _mm256_setzero_si256()));
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn join(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_epi64(a, b) }
    }
    #[inline(always)]
    unsafe fn total(sum: __m256i) -> f64 {
        // No count has more than 32 bits, so the upper halves are zero.
        // SAFETY: the caller has AVX2.
        unsafe { total_i32(sum) }
    }
}
