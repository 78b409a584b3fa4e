//! One shard: connections' requests in, replies and messages to other shards out.
//!
//! A state machine without I/O: bytes, messages and the time come in; replies and messages are there to be collected. It
//! runs the same under the real runtime and under the simulator. It never calls the operating system, never reads a
//! clock, and never waits.
//!
//! The path of a command: [`input`] (bytes → requests), [`queue`] (memory asked for; the short way), [`admit`] (who may),
//! [`dispatch`] (here, elsewhere, or on several shards), [`execute`] (handler → reply), [`deliver`] and [`conn`] (replies in order).
//! With nothing to do yet: [`blocking`]. On several shards: [`message`] (what travels), [`mail`] (what comes), [`multi`] (operations),
//! [`locks`] and [`parking`] (keys held by multi-hop operations, and who waits for them), [`gates`] and [`steps`] (operations that learn
//! as they go), [`brief`] (what may be done for a shard that sleeps), [`pubsub`] (what is published) and [`backlog`] (how much of it), [`turn`] (in which order).
//! To clients that cache: [`tracking`].
#![forbid(unsafe_code)]

pub mod admit;
mod ahead;
mod backlog;
mod block;
mod block_steps;
pub mod blocking;
mod busy;
pub mod conn;
pub mod connections;
pub mod deliver;
pub mod dispatch;
pub mod effects;
pub mod execute;
#[cfg(test)]
mod following_tests;
mod gates;
pub mod input;
mod journal;
pub mod large;
pub mod links;
mod locks;
pub mod mail;
pub mod message;
pub mod monitor;
pub mod multi;
pub mod occupants;
#[cfg(test)]
mod one_copy_tests;
pub mod parking;
pub mod pause;
mod play;
pub mod prepare;
pub mod pubsub;
pub mod queue;
mod reload;
pub mod route;
mod running;
mod script;
mod seal;
pub mod shard;
mod slices;
pub mod steering;
mod steps;
pub mod timing;
pub mod tracking;
mod transaction;
#[cfg(test)]
mod trial;
pub mod turn;
mod unread;
mod unsettled;
mod visitors;
mod waiting;

pub use message::Message;
pub use running::last_command;
pub use shard::{Outgoing, Shard};
pub use steering::Moving;
pub use turn::{Step, TURN, Transport};
pub use visitors::{Errand, VISIT_COMMANDS_MAX};
/// While a shard's thread sleeps, another one may run its mail.
const _: () = {
    const fn assert_send<T: Send>() {}
    assert_send::<Shard>();
};
