//! Every system call of Weft: sockets, readiness, wake-ups, clocks, threads.
//!
//! One [`Reactor`] per shard, on io_uring or on epoll, behind one interface. This crate knows nothing of RESP, keys or
//! commands.

pub mod clock;
pub mod epoll;
pub mod reactor;
pub mod signals;
pub mod socket;
pub mod thread;
pub mod uring;
pub mod usage;
pub mod waker;

pub use reactor::{BackEnd, Event, Reactor};
pub use socket::{Listener, Socket};
pub use waker::Waker;
