//! The memory allocator: mimalloc, but large blocks begin elsewhere in their page, and very large ones come straight from the
//! system.
//!
//! - A block at the very beginning of a page is sent slowly on processors whose `rep movsb` stumbles over a destination
//!   that lies 1 to 15 bytes behind the source, modulo the page size (AMD with FSRM): the kernel copies a value behind
//!   the 8 to 12 bytes of its header. See `docs/decisions/large-values.md`.
//! - A very large block grows without being copied, and its memory goes back at once when it is freed.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

/// Blocks from this size on are large.
const LARGE_BYTES_MIN: usize = 32 * 1024;
/// Blocks from this size on are very large.
const MAPPED_BYTES_MIN: usize = 8 << 20;
/// Large blocks lie so far behind a multiple of [`STEP`].
const OFFSET: usize = 16;
const STEP: usize = 32;
const PAGE: usize = 4096;

/// mimalloc aligns all blocks so, and those of 16 bytes and more to 16.
const USUAL_ALIGN: usize = 8;

unsafe extern "C" {
    fn mi_malloc(size: usize) -> *mut c_void;
    /// A block `offset` bytes into which is a multiple of `alignment`.
    fn mi_malloc_aligned_at(size: usize, alignment: usize, offset: usize) -> *mut c_void;
    fn mi_zalloc_aligned_at(size: usize, alignment: usize, offset: usize) -> *mut c_void;
    fn mi_realloc_aligned_at(block: *mut c_void, size: usize, alignment: usize, offset: usize)
    -> *mut c_void;
}

/// For `#[global_allocator]`.
pub struct Allocator;

/// Where a block comes from; follows from its layout alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Plain,
    Shifted,
    Mapped,
}

impl Source {
    #[inline]
    fn of(size: usize, align: usize) -> Self {
        if size < LARGE_BYTES_MIN || align > OFFSET {
            Self::Plain
        } else if size < MAPPED_BYTES_MIN {
            Self::Shifted
        } else {
            Self::Mapped
        }
    }
}

// SAFETY: a block is freed and resized by the source that gave it, for its layout says which that was; large blocks are
// multiples of 16 and no larger alignment is asked of them.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match Source::of(layout.size(), layout.align()) {
            // SAFETY: the caller's promise.
            Source::Plain if layout.align() <= USUAL_ALIGN => unsafe { mi_malloc(layout.size()).cast() },
            // SAFETY: the caller's promise.
            Source::Plain => unsafe { MiMalloc.alloc(layout) },
            // SAFETY: the alignment is a power of two.
            Source::Shifted => unsafe { mi_malloc_aligned_at(layout.size(), STEP, STEP - OFFSET).cast() },
            Source::Mapped => map(layout.size()),
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match Source::of(layout.size(), layout.align()) {
            // SAFETY: the caller's promise.
            Source::Plain => unsafe { MiMalloc.alloc_zeroed(layout) },
            // SAFETY: the alignment is a power of two.
            Source::Shifted => unsafe { mi_zalloc_aligned_at(layout.size(), STEP, STEP - OFFSET).cast() },
            Source::Mapped => map(layout.size()),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match Source::of(layout.size(), layout.align()) {
            // SAFETY: the caller's promise; mimalloc frees blocks of both kinds in the same way.
            Source::Plain | Source::Shifted => unsafe { MiMalloc.dealloc(block, layout) },
            // SAFETY: `map` or `remap` has given the block.
            Source::Mapped => unsafe { unmap(block, layout.size()) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (from, to) = (Source::of(layout.size(), layout.align()), Source::of(size, layout.align()));
        match (from, to) {
            // SAFETY: the caller's promise; mimalloc resizes blocks of both kinds to either.
            (Source::Plain | Source::Shifted, Source::Plain) => unsafe {
                MiMalloc.realloc(block, layout, size)
            },
            // SAFETY: as above.
            (Source::Plain | Source::Shifted, Source::Shifted) => unsafe {
                mi_realloc_aligned_at(block.cast(), size, STEP, STEP - OFFSET).cast()
            },
            // SAFETY: `map` or `remap` has given the block.
            (Source::Mapped, Source::Mapped) => unsafe { remap(block, layout.size(), size) },
            // SAFETY: the caller's promise.
            _ => unsafe { self.replace(block, layout, size) },
        }
    }
}

impl Allocator {
    /// # Safety
    /// As [`GlobalAlloc::realloc`].
    #[cold]
    unsafe fn replace(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new layout is valid, that the block is ours and that it has this layout; the new
        // block is another one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

fn mapping_bytes(size: usize) -> usize {
    (size + OFFSET).next_multiple_of(PAGE)
}

/// Zeros from the system, or null.
#[cold]
fn map(size: usize) -> *mut u8 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping anywhere; nothing else is touched.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), mapping_bytes(size), protection, flags, -1, 0) };
    if base != libc::MAP_FAILED {
        // A wish: without huge pages it only takes longer. Nothing of ours forks, so they cost no copies.
        // SAFETY: the mapping was just made and is so long.
        unsafe { libc::madvise(base, mapping_bytes(size), libc::MADV_HUGEPAGE) };
    }
    inside(base)
}

/// # Safety
/// The block must be one of `size` bytes from [`map`] or [`remap`].
#[cold]
unsafe fn unmap(block: *mut u8, size: usize) {
    // SAFETY: the caller's promise: so the mapping begins there and is so long.
    unsafe { libc::munmap(block.sub(OFFSET).cast(), mapping_bytes(size)) };
}

/// # Safety
/// As [`unmap`]. If the result is null, the block is as before.
#[cold]
unsafe fn remap(block: *mut u8, size: usize, new_size: usize) -> *mut u8 {
    let (old, new) = (mapping_bytes(size), mapping_bytes(new_size));
    // SAFETY: the caller's promise: so the mapping begins there and is so long.
    inside(unsafe { libc::mremap(block.sub(OFFSET).cast(), old, new, libc::MREMAP_MAYMOVE) })
}

fn inside(base: *mut c_void) -> *mut u8 {
    if base == libc::MAP_FAILED { std::ptr::null_mut() } else { base.cast::<u8>().wrapping_add(OFFSET) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 12] = [
        1,
        4096,
        LARGE_BYTES_MIN - 1,
        LARGE_BYTES_MIN,
        65_536,
        1 << 20,
        (1 << 20) + 1,
        MAPPED_BYTES_MIN - 1,
        MAPPED_BYTES_MIN,
        MAPPED_BYTES_MIN + 4080,
        MAPPED_BYTES_MIN + 4081,
        20 << 20,
    ];

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 1).expect("a valid layout")
    }

    fn check_place(block: *mut u8, size: usize) {
        assert!(!block.is_null());
        if size >= LARGE_BYTES_MIN {
            assert_eq!(block as usize % STEP, OFFSET, "{size}");
        }
    }

    #[test]
    fn blocks_keep_their_content_however_they_are_resized() {
        for from in SIZES {
            for to in SIZES {
                // SAFETY: each block is used within its size, resized and freed once, with its layout.
                unsafe {
                    let block = Allocator.alloc(layout(from));
                    check_place(block, from);
                    for at in (0..from).step_by(1000).chain([from - 1]) {
                        block.add(at).write((at % 251) as u8);
                    }
                    let block = Allocator.realloc(block, layout(from), to);
                    check_place(block, to);
                    let kept = from.min(to);
                    for at in (0..kept).step_by(1000) {
                        assert_eq!(block.add(at).read(), (at % 251) as u8, "{from} to {to} at {at}");
                    }
                    block.add(to - 1).write(1);
                    Allocator.dealloc(block, layout(to));
                }
            }
        }
    }

    #[test]
    fn zeroed_blocks_are_zeros() {
        for size in SIZES {
            // SAFETY: each block is used within its size and freed once, with its layout.
            unsafe {
                // One that has been used before, perhaps.
                let used = Allocator.alloc(layout(size));
                used.write_bytes(7, size);
                Allocator.dealloc(used, layout(size));
                let block = Allocator.alloc_zeroed(layout(size));
                check_place(block, size);
                assert!(std::slice::from_raw_parts(block, size).iter().all(|&byte| byte == 0), "{size}");
                Allocator.dealloc(block, layout(size));
            }
        }
    }

    #[test]
    fn large_alignments_are_heeded() {
        for size in [100, 65_536, 20 << 20] {
            let layout = Layout::from_size_align(size, 4096).expect("a valid layout");
            // SAFETY: the block is freed once, with its layout.
            unsafe {
                let block = Allocator.alloc(layout);
                assert_eq!(block as usize % 4096, 0);
                Allocator.dealloc(block, layout);
            }
        }
    }
}
