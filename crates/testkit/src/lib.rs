//! What every test that talks to a running server needs: start one, speak to it, read its replies.
//!
//! Servers are found and started by [`server`], spoken to with the blocking [`client`]; a reply is a [`Value`]
//! with a readable text form ([`text`]). Command lines are split as redis-cli does by [`words`]. What servers of old have written into
//! their files is in [`old_values`].
//!
//! Deliberately absent: any dependency, also on our own parser (a fault there must not hide itself here), and
//! anything asynchronous. Panics are welcome in this crate: it runs in tests, where a panic is a failure.
#![forbid(unsafe_code)]

pub mod client;
mod decode;
mod idle;
mod info;
pub mod old_values;
mod ports;
pub mod process;
pub mod server;
pub mod text;
mod value;
pub mod words;

pub use client::Client;
pub use decode::{ProtocolError, decode};
pub use idle::await_end_of_idle;
pub use info::{await_info, await_true, info, info_number};
pub use server::{Program, Server};
pub use value::Value;
