//! FT.AGGREGATE and its cursors.

mod arguments;
mod command;
pub mod cursors;
pub mod reply;
mod request;
mod steps;

pub use command::Aggregate;
