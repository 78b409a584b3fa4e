//! The process's memory, as the operating system gives and takes it.

use std::ffi::{c_int, c_long};
use std::io;
use std::sync::Mutex;

// Links the allocator that `give_back` talks to.
use libmimalloc_sys as _;

unsafe extern "C" {
    fn mi_collect(force: bool);
    fn mi_option_set(option: c_int, value: c_long);
    #[cfg(test)]
    fn mi_option_get(option: c_int) -> c_long;
}

/// `mi_option_purge_delay`: ms from when memory is free until the system gets it.
const PURGE_DELAY: c_int = 15;
/// What is given back is given back all at once, some ten µs for each 64 KiB. By itself the allocator waits a second, and where
/// tens of megabytes become free in a second (eviction, tables that shrink) a shard then stands still for many ms.
const PURGE_DELAY_MS: c_long = 5;

/// Has the allocator give memory back soon and in small portions, by itself. To be called once, at the start.
pub fn give_back_soon() {
    // SAFETY: an option may be set at any time.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) };
}

/// Has the allocator give back what the calling thread has freed. Without effect if the process uses another one.
pub fn give_back() {
    /// A second thread that asks at the same time would be sent away with nothing done.
    static ASKING: Mutex<()> = Mutex::new(());
    let _asking = ASKING.lock();
    // SAFETY: may be called at any time; it concerns free memory only.
    unsafe { mi_collect(true) };
}

/// Has the system give memory in small pages only. A huge page is cleared all at once while the one who touched it waits: 0.2 ms
/// where memory is fast, several where a hypervisor has to find the memory first.
///
/// # Errors
/// What the system says.
pub fn refuse_huge_pages() -> io::Result<()> {
    // SAFETY: plain system call; the arguments not used must be zero.
    match unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_has_the_number_that_the_allocator_gives_it() {
        // The default of mimalloc 3; a version that numbers its options otherwise has another here.
        // SAFETY: an option may be read at any time.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, 1000);
        give_back_soon();
        // SAFETY: as above.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, PURGE_DELAY_MS);
    }
}
