//! FT.AGGREGATE and its cursors.

pub mod arguments;
mod command;
pub mod cursors;
pub mod finish;
pub mod reply;
pub mod request;
pub mod rows;
mod show;
pub mod steps;
pub mod tally;

pub use command::Aggregate;
