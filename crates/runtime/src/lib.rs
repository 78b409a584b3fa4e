//! Every system call of Weft: sockets, readiness, wake-ups, clocks, threads.
//!
//! One [`Reactor`] per shard, on io_uring or on epoll, behind one interface. This crate knows nothing of RESP, keys or
//! commands.

mod allocator;
pub mod back_end;
pub mod clock;
pub mod daemon;
pub mod dial;
mod disk;
pub mod epoll;
mod file_map;
pub mod memory;
pub mod reactor;
pub mod rlimits;
mod side_by_side;
pub mod signals;
pub mod socket;
pub mod syslog;
pub mod thread;
pub mod uring;
pub mod usage;
pub mod waker;

pub use ::disk::reason;
pub use allocator::Allocator;
pub use disk::{SystemDisk, SystemFile};
pub use file_map::FileMap;
pub use reactor::{BackEnd, Event, Reactor};
pub use socket::{Listener, Socket};
pub use thread::spawn as spawn_thread;
pub use waker::Waker;
