//! The keyspace of one shard: per logical database a table of records, each holding a key, its value's header or the
//! value itself, its expiry and its age.
//!
//! This crate never reads a clock (the time comes in), never writes a reply and knows no command.

pub mod age;
pub mod bin;
pub mod birth;
pub mod databases;
pub mod db;
mod elements;
pub mod entry;
pub mod key;
#[cfg(test)]
mod model;
pub mod record;
pub mod recount;
pub mod sample;
mod sizes;
pub mod sweep;
pub mod typed;
pub mod value;
pub mod walk;

#[cfg(test)]
mod bin_tests;
#[cfg(test)]
mod string_tests;

pub use age::AgeRule;
pub use bin::{Bin, Free, Frees};
pub use birth::{Birth, Births};
pub use databases::Databases;
pub use db::{Db, Found};
pub use elements::Elements;
pub use entry::Entry;
pub use key::Key;
pub use recount::Accounts;
pub use sizes::Sizes;
pub use sweep::Swept;
pub use table::Pos;
pub use table::prefetch::prefetch;
pub use typed::{Typed, Update};
pub use value::{Kind, Value, ValueRef};
