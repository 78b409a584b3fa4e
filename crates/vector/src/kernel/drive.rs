//! The loop that all kernels share. An instruction set says how one line of two rows is added up; the loop does that for one row
//! or several at a time, with as many accumulators as it takes to keep the processor's multipliers busy.

use super::{Line, prefetch_line};

/// How one kind of element is added up with one instruction set.
///
/// # Safety
///
/// All functions may be called only on a processor that has the instruction set, with pointers to whole lines. They are inlined
/// into functions that are compiled for it.
pub(super) trait Lanes {
    /// What has been added up, in parts.
    type Sum: Copy;

    unsafe fn zero() -> Self::Sum;
    /// Adds a line of the query and a line of a row.
    unsafe fn add(sum: Self::Sum, query: *const Line, row: *const Line) -> Self::Sum;
    unsafe fn join(a: Self::Sum, b: Self::Sum) -> Self::Sum;
    unsafe fn total(sum: Self::Sum) -> f64;

    /// What the totals are too small by, which depends on the query alone.
    #[inline(always)]
    unsafe fn missing(_query: *const Line, _lines: usize) -> f64 {
        0.0
    }
}

/// Adds up a query and `ROWS` rows of `lines` lines, in `WIDE` parts for each row. With each line, that of the row is asked for which comes
/// `next` in its place: so what comes next is on its way at the pace at which memory gives it.
///
/// # Safety
///
/// As [`Lanes`] says; the query and all rows have `lines` lines.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "sums stay in registers only if all loops are unrolled: no iterators, no closures"
)]
pub(super) unsafe fn rows<L: Lanes, const ROWS: usize, const WIDE: usize>(
    query: *const Line,
    rows: [*const Line; ROWS],
    next: [*const Line; ROWS],
    lines: usize,
) -> [f64; ROWS] {
    // SAFETY: the caller's promise; no line from `lines` on is touched.
    unsafe {
        let mut sums = [[L::zero(); WIDE]; ROWS];
        let mut at = 0;
        while at + WIDE <= lines {
            for row in 0..ROWS {
                for part in 0..WIDE {
                    let place = at + part;
                    sums[row][part] = L::add(sums[row][part], query.add(place), rows[row].add(place));
                    prefetch_line(next[row].wrapping_add(place));
                }
            }
            at += WIDE;
        }
        while at < lines {
            for row in 0..ROWS {
                sums[row][0] = L::add(sums[row][0], query.add(at), rows[row].add(at));
                prefetch_line(next[row].wrapping_add(at));
            }
            at += 1;
        }
        let missing = L::missing(query, lines);
        let mut totals = [0.0; ROWS];
        for row in 0..ROWS {
            let mut sum = sums[row][0];
            for part in 1..WIDE {
                sum = L::join(sum, sums[row][part]);
            }
            totals[row] = L::total(sum) + missing;
        }
        totals
    }
}

/// A module with the two entry points of each kernel, compiled for the instruction set that the attribute says.
macro_rules! kernels {
    (#[$attribute:meta] $wide_one:literal $wide_four:literal: $($name:ident = $lanes:ty),* $(,)?) => { $(
        pub(in crate::kernel) mod $name {
            use super::*;
            use crate::kernel::{Entry, Line, drive::rows};

            /// # Safety
            ///
            /// As [`crate::kernel::Entry`] says.
            #[$attribute]
            unsafe fn one(query: *const Line, row: *const Line, lines: usize) -> f64 {
                // SAFETY: the caller's promise.
                unsafe { rows::<$lanes, 1, $wide_one>(query, [row], [query], lines)[0] }
            }

            /// # Safety
            ///
            /// As [`crate::kernel::Entry`] says.
            #[$attribute]
            unsafe fn four(
                query: *const Line,
                four: &[*const Line; 4],
                next: &[*const Line; 4],
                lines: usize,
            ) -> [f64; 4] {
                // SAFETY: the caller's promise.
                unsafe { rows::<$lanes, 4, $wide_four>(query, *four, *next, lines) }
            }

            pub(in crate::kernel) const ENTRY: Entry = Entry { one, four };
        }
    )* };
}
pub(super) use kernels;
