//! Hashes.
//!
//! `read`, `write`, `random`, `scan`: fields and values; `expire`: expire times of fields; `together`: both at once;
//! `import`: HIMPORT; `fields`, `syntax`: what they share.

mod expire;
mod fields;
mod import;
mod random;
mod read;
mod rows;
mod scan;
mod syntax;
mod together;
mod write;

pub use rows::COMMANDS;
