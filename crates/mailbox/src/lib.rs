//! How shards speak: one multi-producer FIFO per shard, and the section in which a turn's messages are published.
//!
//! See `docs/ARCHITECTURE.md`, "Ordering", for why these few operations give strict serializability. This crate knows
//! nothing of what a message says, and never blocks on I/O: waking a sleeper is the runtime's business.

pub mod exchange;
pub mod queue;
mod sync;

pub use exchange::{Exchange, Port};
