//! Is a server strictly serializable?
#![forbid(unsafe_code)]

pub mod anomaly;
pub mod check;
mod facts;
pub mod graph;
pub mod history;
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
