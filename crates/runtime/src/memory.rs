//! The process's memory, as the operating system gives and takes it.

use std::io;
use std::sync::Mutex;

// Links the allocator that `give_back` talks to.
use libmimalloc_sys as _;

unsafe extern "C" {
    fn mi_collect(force: bool);
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
