//! Returning memory to the operating system.

// Links the allocator that `give_back` talks to.
use libmimalloc_sys as _;

unsafe extern "C" {
    fn mi_collect(force: bool);
}

/// Has the allocator give back what the calling thread has freed. Without effect if the process uses another one.
pub fn give_back() {
    // SAFETY: may be called at any time; it concerns free memory only.
    unsafe { mi_collect(true) };
}
