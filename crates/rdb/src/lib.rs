//! The byte format of values, as Redis has it in RDB files and DUMP payloads: encoding, decoding, the payload with
//! its version and check sum, and the bytes of whole files ([`file`]).
//!
//! What is decoded may be hostile. Whatever the bytes are, decoding ends in a value on which every operation works, or
//! in an [`Error`]; it never panics, and what it allocates is bounded by a multiple of the input (compressed strings
//! grow up to 88 times, see `base::lzf`). All checks are always made, whatever `sanitize-dump-payload` says.
//!
//! This crate opens no file and knows no shard, no clock and no command.
#![forbid(unsafe_code)]

mod array;
pub mod decode;
pub mod dump;
pub mod encode;
mod error;
pub mod file;
mod groups;
mod json;
pub mod libraries;
pub mod module;
mod object;
mod reader;
mod shapes;
pub mod statements;
mod stream;
mod suggestions;
mod vectors;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{Error, ModuleName};
pub use object::Type;
pub use reader::{Reader, Text};
pub use shapes::Shapes;
pub use writer::{append_len, append_string};

/// The version that is written unless a reader asks for less: that of Redis 7.4 and 8.0.
pub const VERSION: u16 = 12;

/// Newer versions than this are refused.
pub const VERSION_READ_MAX: u16 = 14;

/// No payload says it is older than this (Redis 7.0), the first with the listpack types.
pub const VERSION_MIN: u16 = 10;
