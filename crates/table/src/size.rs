//! The sizes of segment blocks.
//!
//! Blocks come in sizes of 4, 5, 6 and 7 times a power of two, as the classes of mimalloc (and jemalloc) do,
//! so that what is counted is what the allocator takes. An allocator may have to add up to the alignment to
//! an aligned request, so a block asks for `ALIGNMENT` less than its class and counts the whole of it.

pub(crate) const ALIGNMENT: usize = 64;

/// The largest class: 64 KiB, so that distances in a block fit 16 bits.
pub(crate) const CLASS_MAX: u8 = 20;

/// Bytes that a block of `class` takes from the allocator: 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10 … 64 KiB.
pub(crate) const fn class_bytes(class: u8) -> usize {
    (4 + (class as usize & 3)) << (9 + (class >> 2))
}

/// Bytes that a block of `class` asks for.
pub(crate) const fn request_bytes(class: u8) -> usize {
    class_bytes(class) - ALIGNMENT
}

/// The smallest class whose blocks have room for `bytes`, if there is one.
pub(crate) fn class_for(bytes: usize) -> Option<u8> {
    (0..=CLASS_MAX).find(|&class| request_bytes(class) >= bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_to_64_kib() {
        assert_eq!(class_bytes(0), 2048);
        assert_eq!(class_bytes(1), 2560);
        assert_eq!(class_bytes(CLASS_MAX), 65536);
        for class in 0..CLASS_MAX {
            assert!(class_bytes(class + 1) > class_bytes(class));
            assert_eq!(class_for(request_bytes(class)), Some(class));
            assert_eq!(class_for(request_bytes(class) + 1), Some(class + 1));
        }
        assert_eq!(class_for(65536), None);
    }
}
