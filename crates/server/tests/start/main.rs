//! The built `weft-server` as its users meet it: started, configured, limited, overloaded, stopped.
//!
//! What a machine does not have (IPv6, an address beside the loopback, util-linux, io_uring) is not tried on it, and the
//! test says so.

mod back_ends;
mod clients;
mod configuration;
mod ending;
mod listening;
mod programs;
