//! The real shards on a simulated scheduler, mailbox, network and clock.
#![forbid(unsafe_code)]

pub mod check;
pub mod exchange;
mod freezer;
pub mod history;
pub mod model;
pub mod network;
pub mod nodes;
pub mod op;
pub mod rules;
pub mod search;
pub mod seat;
mod trace;
pub mod witness;
pub mod workload;
pub mod world;

pub use rules::{Rule, Rules};
pub use world::{Anomaly, Outcome, Plan, run};
