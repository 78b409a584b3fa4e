//! Signals. All threads block the two that end the server; one thread sleeps until one of them comes.

use std::io;

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGINT
    Interrupt,
}

impl Signal {
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }
}

/// From now on SIGTERM and SIGINT wait for [`wait`], in this thread and all it starts; SIGPIPE and SIGHUP are ignored, and so is
/// SIGXFSZ: a file that may not grow (`ulimit -f`) is a write that fails.
/// Call before the first thread is started.
pub fn block() {
    let set = ends();
    // SAFETY: the set is initialised; the old mask is not asked for.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Sleeps until somebody asks the process to end.
///
/// # Errors
/// What the system says.
pub fn wait() -> io::Result<Signal> {
    let set = ends();
    let mut signal = 0;
    // SAFETY: both pointers are to live values.
    match unsafe { libc::sigwait(&raw const set, &raw mut signal) } {
        0 if signal == libc::SIGINT => Ok(Signal::Interrupt),
        0 => Ok(Signal::Terminate),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn ends() -> libc::sigset_t {
    // SAFETY: sigemptyset initialises the set before anything reads it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        set
    }
}
