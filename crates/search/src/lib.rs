//! The library under FT.*: schemas, queries, indexes of text, tags, numbers, places, shapes and vectors, and what finds and ranks documents in them.
//!
//! Bytes and values in, results out: it knows no reply, no key and no hash, no clock and no thread. Documents go by ids ([`DocumentId`])
//! that the caller hands out. A shard has an index of its own documents; a query is parsed once, every shard says what it knows of the
//! query's terms ([`evaluate::StatisticsRound`]), the sum of that goes to all, and each evaluates on its own: scores are those of one index
//! that had all documents. Whatever can take long goes in steps whose length the caller sets.
#![forbid(unsafe_code)]

pub mod aggregate;
pub mod error;
pub mod evaluate;
pub mod expression;
pub mod highlight;
pub mod index;
pub mod query;
pub mod schema;
pub mod shape;
pub mod sorting;
pub mod spellcheck;
pub mod summarize;
pub mod text;
pub mod vectors;

mod by_id;
pub mod number;

pub use error::{Code, Error};
pub use roaring::RoaringBitmap as DocumentSet;

/// What a document goes by in an index.
pub type DocumentId = u32;
