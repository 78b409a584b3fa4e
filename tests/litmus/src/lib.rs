//! Litmus tests: what clients of a server with several shards may rely on, tried on the running server.
//!
//! Four invariants (`docs/ARCHITECTURE.md` argues why they hold), each with a file of tests in `tests/`:
//! 1. `visible.rs`: what has been acknowledged is visible on every connection;
//! 2. `atomic.rs`: commands with several keys are atomic and strictly serializable;
//! 3. `order.rs`: the writes of one connection become visible in the order it sent them;
//! 4. `replies.rs`: replies come in the order of the requests.
//!
//! `messages.rs` tries what of it holds for what is published, too.
//!
//! `vanish.rs` and `scan.rs` try clients that go away and scans of a keyspace in motion. `history.rs` records what
//! many clients did and saw at random ([`history`]) and checks it as a whole: each key for linearizability
//! ([`registers`]), everything together for strict serializability ([`cycles`]).
//!
//! An [`Arena`] is a running server of some setting; a [`Play`] is a set of threads that work and watch. Every loop is
//! bounded, every seed is printed, and `LITMUS_SEED` repeats one (the threads' timing is not repeated by it).
#![forbid(unsafe_code)]

pub mod arena;
pub mod cycles;
pub mod history;
pub mod play;
pub mod registers;
pub mod script;

pub use arena::{Arena, everywhere};
pub use play::Play;
