//! Is a server strictly serializable?
#![forbid(unsafe_code)]

pub mod anomaly;
pub mod check;
mod facts;
pub mod graph;
pub mod history;
mod lists;
mod queues;
mod registers;
mod replay;

pub use anomaly::{Anomaly, Class};
pub use check::check;
