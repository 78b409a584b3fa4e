//! Bytes with several owners.

use std::sync::Arc;

/// A value that several owners share without copying it: large strings, in the keyspace and in replies.
pub type Blob = Arc<Vec<u8>>;
