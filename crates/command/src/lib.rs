//! What every command means: one file per command family, one row and one function per command.
//!
//! A handler gets the state of its shard, the arguments and the reply to write. This crate never does I/O, never reads
//! a clock, starts no thread and knows nothing of connections, mailboxes or other shards: a command whose keys
//! live on several shards is split, or its keys are brought together, by the `shard` crate, guided by the row.
#![forbid(unsafe_code)]
#![allow(
    clippy::unnecessary_lazy_evaluations,
    reason = "an error made for nothing must be dropped, which costs some twenty instructions"
)]

pub mod ahead;
pub mod args;
pub mod backup;
pub mod blocking;
pub mod change;
pub mod cx;
mod digest;
pub mod error;
pub mod expiry;
pub mod families;
pub mod help;
pub mod index_range;
pub mod indexes;
pub mod items;
pub mod journal;
pub mod loading;
mod measures;
pub mod notices;
pub mod parts;
pub mod platform;
pub mod pubsub;
pub mod registry;
pub mod rounds;
pub mod saving;
pub mod scan_options;
pub mod scripting;
pub mod session;
pub mod shipping;
pub mod spec;
pub mod state;
pub mod string_value;
pub mod tracking;
mod upkeep;
pub mod watches;

pub use args::{Args, OwnArgs};
pub use cx::{Cx, Event};
pub use error::Error;
pub use measures::{accounts, histogram, hot_keys, latency, monitor, rates, slowlog, statistics};
pub use registry::{lookup, lookup_request};
pub use spec::{Command, Plan};
pub use state::ShardCx;
pub use upkeep::{age, eviction, freeing, sweep};

/// What a handler returns: the reply is in the writer, or the error says what to send instead.
pub type Outcome = Result<(), Error>;
