//! Scripts against a small host in memory.

mod declared;
mod freeing;
mod functions;
mod host;
mod libraries;
mod random;
mod replies;
mod sandboxed;
mod security;
mod suspension;

pub use host::Host;
