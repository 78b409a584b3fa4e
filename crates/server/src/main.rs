//! `weft-server`: reads the configuration, opens the sockets, starts one thread per shard and waits for the end.
#![forbid(unsafe_code)]

mod connection;
mod log;
mod platform;
mod requests;
mod shard_loop;
mod start;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    std::process::exit(start::run(std::env::args_os().skip(1).collect()));
}
