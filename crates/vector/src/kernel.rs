//! Inner products and distances of rows, as fast as the processor can. Which instruction set is used is found out at run time.
//!
//! The `unsafe` code of this crate is here and in [`crate::rows`]. Why it is sound: a [`Kernel`] can only be had for an instruction
//! set that the processor has been seen to have ([`Isa::is_there`]), its entries are called with slices of the same number of lines,
//! and no kernel reads beyond so many lines. Rows are whole lines at multiples of 64 bytes by their type.
//!
//! NaN and infinities go through as IEEE 754 says; an index refuses them before. Numbers are added up in 8 to 64 parts, f64 as f64,
//! f32 and shorter ones as f32, integers exactly.

mod drive;
mod scalar;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::element::Element;
use std::sync::OnceLock;

/// A cache line of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

impl Line {
    pub const BYTES: usize = 64;
    pub const ZERO: Line = Line([0; 64]);

    /// These bytes in lines, filled up with zeros.
    pub fn pack(bytes: &[u8]) -> Vec<Line> {
        let mut lines = vec![Line::ZERO; bytes.len().div_ceil(Line::BYTES)];
        for (line, bytes) in lines.iter_mut().zip(bytes.chunks(Line::BYTES)) {
            line.0[..bytes.len()].copy_from_slice(bytes);
        }
        lines
    }

    /// The bytes of these lines.
    pub fn bytes(lines: &[Line]) -> &[u8] {
        // SAFETY: a line is 64 bytes and nothing else, and any alignment will do for bytes.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines)) }
    }
}

/// What kernels sum up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Of products.
    Dot,
    /// Of squares of differences.
    L2,
    /// Of bits that differ.
    Hamming,
}

/// A set of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Scalar,
    Avx2,
    Avx512,
    Neon,
}

impl Isa {
    /// All of them, better ones later.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Neon];

    /// The best that this processor has.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        let best = || Isa::ALL.into_iter().rev().find(|isa| isa.is_there()).unwrap_or(Isa::Scalar);
        *BEST.get_or_init(best)
    }

    /// Whether this processor has it.
    pub fn is_there(self) -> bool {
        match self {
            Isa::Scalar => true,
            _ if cfg!(miri) => false,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_there()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512vpopcntdq")
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg_attr(
                not(any(target_arch = "x86_64", target_arch = "aarch64")),
                allow(unreachable_patterns)
            )]
            _ => false,
        }
    }
}

/// The functions of a kernel: for one row, and for four at a time.
///
/// To be called only on a processor that has the instruction set of the module they are from, with pointers to as many lines as
/// the last argument says. Of the rows that come next, lines are only asked for.
#[derive(Clone, Copy)]
struct Entry {
    one: unsafe fn(*const Line, *const Line, usize) -> f64,
    four: unsafe fn(*const Line, &[*const Line; 4], &[*const Line; 4], usize) -> [f64; 4],
}

/// Sums up rows of one kind of element.
#[derive(Clone, Copy)]
pub struct Kernel {
    entry: Entry,
}

macro_rules! choose {
    ($module:ident, $element:expr, $sum:expr $(, $absent:pat)?) => {
        match ($element, $sum) {
            (_, Sum::Hamming) | (Element::Bit, _) => $module::hamming::ENTRY,
            $($absent => choose!(scalar, $element, $sum),)?
            (Element::F64, Sum::Dot) => $module::f64_dot::ENTRY,
            (Element::F64, Sum::L2) => $module::f64_l2::ENTRY,
            (Element::F32, Sum::Dot) => $module::f32_dot::ENTRY,
            (Element::F32, Sum::L2) => $module::f32_l2::ENTRY,
            #[allow(unreachable_patterns)]
            (Element::F16, _) => choose!(@halves $module, $sum $(, $absent)?),
            (Element::Bf16, Sum::Dot) => $module::bf16_dot::ENTRY,
            (Element::Bf16, Sum::L2) => $module::bf16_l2::ENTRY,
            (Element::I8 | Element::Q8, Sum::Dot) => $module::i8_dot::ENTRY,
            (Element::I8 | Element::Q8, Sum::L2) => $module::i8_l2::ENTRY,
            (Element::U8, Sum::Dot) => $module::u8_dot::ENTRY,
            (Element::U8, Sum::L2) => $module::u8_l2::ENTRY,
        }
    };
    (@halves $module:ident, $sum:expr) => {
        if $sum == Sum::L2 { $module::f16_l2::ENTRY } else { $module::f16_dot::ENTRY }
    };
    (@halves $module:ident, $sum:expr, $absent:pat) => { choose!(@halves scalar, $sum) };
}

impl Kernel {
    /// The fastest on this processor.
    pub fn new(element: Element, sum: Sum) -> Kernel {
        Kernel::with(Isa::best(), element, sum).expect("the best instruction set is there")
    }

    /// With a given instruction set, if the processor has it.
    pub fn with(isa: Isa, element: Element, sum: Sum) -> Option<Kernel> {
        let entry = match isa {
            _ if !isa.is_there() => return None,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => choose!(avx2, element, sum),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => choose!(avx512, element, sum),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => choose!(neon, element, sum, (Element::F16, _)),
            _ => choose!(scalar, element, sum),
        };
        Some(Kernel { entry })
    }

    /// The sum for a query and a row of as many lines.
    #[inline]
    pub fn one(&self, query: &[Line], row: &[Line]) -> f64 {
        assert_eq!(query.len(), row.len(), "rows of one kind have the same length");
        // SAFETY: the processor has the instruction set (`with`), and both have so many lines.
        unsafe { (self.entry.one)(query.as_ptr(), row.as_ptr(), query.len()) }
    }

    /// The same for four rows: the query is read once, and the four rows that come `next` are asked for meanwhile.
    #[inline(always)]
    pub fn four(&self, query: &[Line], rows: &[&[Line]; 4], next: &[&[Line]; 4]) -> [f64; 4] {
        let [a, b, c, d] = *rows;
        let lines = query.len();
        let is_like_query = a.len() == lines && b.len() == lines && c.len() == lines && d.len() == lines;
        assert!(is_like_query, "rows of one kind have the same length");
        let rows = [a.as_ptr(), b.as_ptr(), c.as_ptr(), d.as_ptr()];
        let next = [next[0].as_ptr(), next[1].as_ptr(), next[2].as_ptr(), next[3].as_ptr()];
        // SAFETY: the processor has the instruction set (`with`), and all rows have so many lines.
        unsafe { (self.entry.four)(query.as_ptr(), &rows, &next, lines) }
    }
}

/// Asks for the cache line at the beginning of `some`, which will be read soon.
#[inline(always)]
pub fn prefetch<T>(some: &[T]) {
    prefetch_line(some.as_ptr());
}

/// Asks for a cache line. Nothing is read, so any address will do.
#[inline(always)]
fn prefetch_line<T>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a prefetch reads nothing, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) place, options(nostack, readonly, preserves_flags));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = place;
}
