//! redis-rs as a real client: the tests are in `tests/`.
#![forbid(unsafe_code)]
