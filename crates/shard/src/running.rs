//! Which command a thread is running, for crash reports: a panic has no way to the shard it happened on.

use std::cell::Cell;

thread_local! {
    static LAST: Cell<&'static str> = const { Cell::new("") };
}

/// The command that this thread runs or ran last; empty if none.
pub fn last_command() -> &'static str {
    LAST.get()
}

#[inline]
pub(crate) fn note(command: &'static str) {
    LAST.set(command);
}
