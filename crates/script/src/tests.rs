//! Scripts against a small host in memory.

mod host;
mod replies;
mod sandboxed;

pub use host::Host;
