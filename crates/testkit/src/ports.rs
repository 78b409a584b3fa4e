//! Loopback ports for servers, each held by at most one test process of this machine.
//!
//! Asking the kernel for port 0 and letting go of it again is a race: another test may get the same port, and its
//! server would then answer our first PING. So a port is reserved by a lock on a file, which the kernel frees when
//! the process ends however it ends, and lies below the range that outgoing connections are given.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A loopback port that no other test process uses while this lives.
pub struct Port {
    pub number: u16,
    _lock: File,
}

/// Reserves a port on which nothing listens.
pub fn reserve() -> io::Result<Port> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let directory = std::env::temp_dir().join("weft-testkit-ports");
    fs::create_dir_all(&directory)?;
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = FIRST + (start.wrapping_mul(7).wrapping_add(step)) % COUNT;
        let lock = File::create(directory.join(number.to_string()))?;
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
            return Ok(Port { number, _lock: lock });
        }
    }
    Err(io::Error::other("no free loopback port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_differ() {
        let ports: Vec<Port> = (0..20).map(|_| reserve().unwrap()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(|port| port.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 20);
    }
}
