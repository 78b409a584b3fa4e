//! Signals that end the server politely.

use std::sync::atomic::{AtomicUsize, Ordering};

static ASKED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(signal: libc::c_int) {
    if ASKED.fetch_add(1, Ordering::SeqCst) > 0 && signal == libc::SIGINT {
        // SAFETY: _exit is async-signal-safe. A second Ctrl-C does not wait.
        unsafe { libc::_exit(1) };
    }
}

/// From now on SIGTERM and SIGINT are counted instead of killing; SIGPIPE and SIGHUP are ignored.
pub fn install() {
    // SAFETY: the action is fully set up and the handler is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
        libc::sigaction(libc::SIGINT, &raw const action, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
    }
}

/// Whether somebody asked the process to end.
pub fn asked_to_end() -> bool {
    ASKED.load(Ordering::SeqCst) > 0
}
