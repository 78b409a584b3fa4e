//! The real shards on a simulated scheduler, mailbox, network and clock.
#![forbid(unsafe_code)]

pub mod check;
pub mod exchange;
pub mod history;
pub mod model;
pub mod network;
pub mod rules;
pub mod seat;
mod trace;
pub mod workload;
pub mod world;

pub use rules::{Rule, Rules};
pub use world::{Anomaly, Outcome, Plan, run};
