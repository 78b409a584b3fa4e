//! Home of the Criterion benches in `benches/`; nothing lives in the library itself.
