//! Home of the Criterion benches in `benches/`; nothing lives in the library itself.
#![forbid(unsafe_code)]
