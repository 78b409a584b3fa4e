//! The wire format: RESP2 and RESP3 requests in, replies out.
//!
//! Parsing is incremental and copies nothing: a request is a list of [`Span`]s into the caller's buffer.
//! This crate never does I/O and knows no command.
#![forbid(unsafe_code)]

pub mod inline;
pub mod reader;
pub mod reply;
pub mod request;

pub use reply::Reply;
pub use request::{LARGE_BYTES_MIN, Limits, Parsed, ProtocolError, RequestParser, Span};
