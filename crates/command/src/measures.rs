//! What is kept of commands to tell of them later: how many, how long, at what cost. INFO, LATENCY, SLOWLOG, HOTKEYS and CONFIG RESETSTAT
//! read it; nothing that a command does to the keyspace depends on it.

pub mod accounts;
pub mod histogram;
pub mod hot_keys;
pub mod latency;
pub mod monitor;
pub mod rates;
pub mod slowlog;
pub mod statistics;
