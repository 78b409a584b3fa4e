//! One shard: connections' requests in, replies and messages to other shards out.
//!
//! A state machine without I/O: bytes, messages and the time come in; replies and messages are there to be collected. It
//! runs the same under the real runtime and under the simulator. It never calls the operating system, never reads a
//! clock, and never waits.
//!
//! The path of a command: [`conn`] (bytes → request), [`route`] (which shard), [`execute`] (handler → reply), [`multi`]
//! (several shards), [`locks`] (keys held by multi-hop operations), [`message`] (what travels), [`turn`] (in which order).
#![forbid(unsafe_code)]

mod ahead;
pub mod conn;
pub mod effects;
pub mod execute;
pub mod large;
pub mod locks;
mod mail;
pub mod message;
pub mod monitor;
pub mod multi;
mod parking;
pub mod pause;
pub mod prepare;
pub mod route;
mod running;
pub mod sessions;
pub mod shard;
pub mod steering;
pub mod timing;
#[cfg(test)]
mod trial;
pub mod turn;
mod unsettled;

pub use message::Message;
pub use running::last_command;
pub use shard::{Outgoing, Shard};
pub use steering::Moving;
pub use turn::{Carrier, Step, TURN};
/// While a shard's thread sleeps, another one may run its mail.
const _: () = {
    const fn assert_send<T: Send>() {}
    assert_send::<Shard>();
};
