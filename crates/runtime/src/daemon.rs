//! Leaving the terminal.

use std::io;

/// Goes on in the background: the calling process ends with status 0, a grandchild in a session of its own returns from
/// here. Standard input and outputs are `/dev/null` from then on.
///
/// # Errors
/// What the system says; then the caller is still in the foreground.
///
/// # Panics
/// When the process has more than one thread: the others would not come along.
pub fn detach() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    assert!(threads == 1, "a process with {threads} threads cannot go into the background");
    fork_and_leave()?;
    // SAFETY: plain system call.
    if unsafe { libc::setsid() } < 0 {
        return Err(io::Error::last_os_error());
    }
    // The second child leads no session, so no terminal can become its own by accident.
    fork_and_leave()?;
    // SAFETY: the path ends in a zero byte; dup2 and close work on descriptors of ours.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null < 0 {
            return Err(io::Error::last_os_error());
        }
        for standard in 0..=2 {
            libc::dup2(null, standard);
        }
        if null > 2 {
            libc::close(null);
        }
    }
    Ok(())
}

/// Returns in the child only.
fn fork_and_leave() -> io::Result<()> {
    // SAFETY: the process has one thread, so the child may do anything; the parent leaves without running destructors that
    // the child will run.
    match unsafe { libc::fork() } {
        0 => Ok(()),
        // SAFETY: as above; the parent has nothing to clean up.
        pid if pid > 0 => unsafe { libc::_exit(0) },
        _ => Err(io::Error::last_os_error()),
    }
}
