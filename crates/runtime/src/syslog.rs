//! The system's log.

use std::ffi::CString;

/// How important a line is, as syslog counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    Debug,
    Info,
    Notice,
    Warning,
}

/// Begins to log under the name `ident`; `facility` is `user` or `local0` to `local7`.
pub fn open(ident: &str, facility: &str) {
    let facility = match facility.strip_prefix("local").and_then(|n| n.parse::<i32>().ok()) {
        Some(n @ 0..=7) => libc::LOG_LOCAL0 + (n << 3),
        _ => libc::LOG_USER,
    };
    // openlog keeps the pointer for the rest of the process's life, so the text is never freed.
    let ident = CString::new(ident.replace('\0', "")).unwrap_or_default().into_raw();
    // SAFETY: the text ends in a zero byte and lives for ever.
    unsafe { libc::openlog(ident, libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT, facility) };
}

/// Writes a line.
pub fn write(priority: Priority, text: &str) {
    let priority = match priority {
        Priority::Debug => libc::LOG_DEBUG,
        Priority::Info => libc::LOG_INFO,
        Priority::Notice => libc::LOG_NOTICE,
        Priority::Warning => libc::LOG_WARNING,
    };
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    // SAFETY: the format takes one string, which is given and ends in a zero byte.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
}
