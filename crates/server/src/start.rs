//! From the command line to running shards.

use crate::log;
use crate::shard_loop::{Mail, Process, ShardLoop};
use base::hash::HashSeed;
use command::ShardCx;
use config::Config;
use mailbox::{Exchange, Port};
use runtime::reactor::{BackEnd, new_reactor};
use runtime::{Listener, clock, signals, thread};
use shard::Shard;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

/// Runs the server; the exit code.
pub fn run(args: Vec<OsString>) -> i32 {
    let mut port = 6379u16;
    let mut shards = 0usize;
    let mut back_end = BackEnd::Auto;
    let args: Vec<String> = args.into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
    for pair in args.windows(2) {
        match pair[0].as_str() {
            "--port" => port = pair[1].parse().unwrap_or(6379),
            "--shards" => shards = pair[1].parse().unwrap_or(0),
            "--io-backend" if pair[1] == "epoll" => back_end = BackEnd::Epoll,
            "--io-backend" if pair[1] == "io_uring" => back_end = BackEnd::Uring,
            _ => {}
        }
    }
    let cpus = thread::available_cpus();
    if shards == 0 {
        shards = cpus.len();
    }
    let listeners = match Listener::tcp(([127, 0, 0, 1], port).into(), 511) {
        Ok(listener) => vec![listener],
        Err(error) => {
            log::line(format_args!("Could not listen on port {port}: {error}"));
            return 1;
        }
    };
    signals::install();
    serve(Arc::new(Config::default()), shards, back_end, cpus, listeners)
}

fn serve(
    config: Arc<Config>,
    shards: usize,
    back_end: BackEnd,
    cpus: Vec<usize>,
    listeners: Vec<Listener>,
) -> i32 {
    let seed = HashSeed::new(clock::entropy(), clock::entropy());
    let process = Arc::new(Process {
        config: Arc::clone(&config),
        wakers: (0..shards).map(|_| OnceLock::new()).collect(),
        ending: AtomicBool::new(false),
        next_client: AtomicU64::new(1),
        clients: AtomicU64::new(0),
        used_bytes: (0..shards).map(|_| AtomicU64::new(0)).collect(),
    });
    let mut listeners = Some(listeners);
    let mut threads = Vec::new();
    for (id, port) in Exchange::<Mail>::ports(shards).into_iter().enumerate() {
        let (process, config, seed) = (Arc::clone(&process), Arc::clone(&config), seed.clone());
        let listeners = listeners.take().unwrap_or_default();
        let cpu = cpus[id % cpus.len()];
        let pin = shards <= cpus.len();
        let body = move || {
            if pin {
                let _ = thread::pin_to(cpu);
            }
            run_shard(id, shards, back_end, config, seed, port, process, listeners);
        };
        threads.push(thread::spawn(format!("shard-{id}"), body).expect("a thread for each shard"));
    }
    log::line(format_args!("Ready to accept connections, {shards} shards"));
    for thread in threads {
        let _ = thread.join();
    }
    0
}

#[allow(clippy::too_many_arguments)]
fn run_shard(
    id: usize,
    shards: usize,
    back_end: BackEnd,
    config: Arc<Config>,
    seed: HashSeed,
    port: Port<Mail>,
    process: Arc<Process>,
    listeners: Vec<Listener>,
) {
    let reactor = new_reactor(back_end).expect("a reactor");
    if process.wakers[id].set(reactor.waker()).is_err() {
        unreachable!("each shard starts once");
    }
    let cx = ShardCx::new(id as u16, shards as u16, config, seed, clock::entropy());
    let shard = Shard::new(cx);
    if let Err(error) = ShardLoop::new(shard, reactor, port, process, listeners).run() {
        log::line(format_args!("shard {id}: {error}"));
        std::process::abort();
    }
}
