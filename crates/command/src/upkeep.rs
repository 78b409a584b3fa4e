//! What a shard does of its own accord, beside commands: removes what has expired, evicts what `maxmemory` has no room for, frees what
//! was let go of; and the ages of keys by which it chooses.

pub mod age;
pub mod eviction;
pub mod freeing;
pub mod sweep;
