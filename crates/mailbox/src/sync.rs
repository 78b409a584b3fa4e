//! Everything that the other modules need to meet other threads. `tests/schedules.rs` puts a scheduler of its own in its place and
//! compiles the very same modules against that.

pub use std::hint::spin_loop;
pub use std::sync::Arc;
pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
pub use std::thread::yield_now;

/// Looks at what another thread is about to change, before the processor is given away.
pub const SPINS: u32 = 64;
