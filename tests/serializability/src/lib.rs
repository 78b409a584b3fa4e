//! Is a server strictly serializable?
//!
//! Clients ask at random ([`workload`], [`player`]) and write down what they see ([`history`]); the whole is judged
//! ([`check`](mod@check)). `tests/anomalies.rs` has histories made by hand, `tests/server.rs` those of running servers, `tests/planted.rs`
//! those of a server with faults; the program plays long ones.
#![forbid(unsafe_code)]

pub mod anomaly;
pub mod check;
mod facts;
pub mod graph;
pub mod history;
mod lines;
mod lists;
pub mod player;
mod queues;
mod registers;
mod replay;
pub mod request;
pub mod step;
pub mod workload;
pub mod world;

pub use anomaly::{Anomaly, Class};
pub use check::check;
