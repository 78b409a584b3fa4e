//! Every system call of Weft: sockets, readiness, wake-ups, clocks, threads.
//!
//! One [`Reactor`] per shard, on io_uring or on epoll, behind one interface. This crate knows nothing of RESP, keys or
//! commands.

mod allocator;
pub mod back_end;
pub mod clock;
pub mod daemon;
pub mod epoll;
mod file_map;
pub mod memory;
mod new_file;
pub mod reactor;
pub mod rlimits;
pub mod signals;
pub mod socket;
pub mod syslog;
pub mod thread;
pub mod uring;
pub mod usage;
pub mod waker;

pub use allocator::Allocator;
pub use file_map::FileMap;
pub use new_file::NewFile;
pub use reactor::{BackEnd, Event, Reactor};
pub use socket::{Listener, Socket};
pub use thread::spawn as spawn_thread;
pub use waker::Waker;

/// The system's words for an error, without its number: `Address already in use`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(at)) => text[..at].to_owned(),
        _ => text,
    }
}
