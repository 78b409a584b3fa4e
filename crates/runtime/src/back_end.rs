//! Which back end a shard gets: io_uring as large as the system allows, or epoll and the reason.

use crate::epoll::Epoll;
use crate::reactor::{BackEnd, Reactor};
use crate::rlimits;
use crate::uring::Uring;
use std::io;

/// Submission queue entries of a shard's ring when memory is plenty.
pub const RING_ENTRIES_MAX: u32 = 1024;
/// A smaller ring would be submitted too often to be worth having.
pub const RING_ENTRIES_MIN: u32 = 64;

/// A reactor and how it was come by.
pub struct Opened {
    pub reactor: Box<dyn Reactor>,
    /// Submission queue entries; `None` with epoll.
    pub ring_entries: Option<u32>,
    /// Why it is epoll although io_uring would have been preferred.
    pub refusal: Option<io::Error>,
}

/// Makes a reactor on the calling thread, with a ring of at most `ring_entries`.
///
/// # Errors
/// With [`BackEnd::Uring`], why io_uring is refused; otherwise only if epoll fails.
pub fn open(back_end: BackEnd, ring_entries: u32) -> io::Result<Opened> {
    let refusal = match back_end {
        BackEnd::Epoll => None,
        BackEnd::Uring | BackEnd::Auto => match open_ring(ring_entries) {
            Ok((ring, entries)) => {
                return Ok(Opened { reactor: Box::new(ring), ring_entries: Some(entries), refusal: None });
            }
            Err(error) if back_end == BackEnd::Uring => return Err(error),
            Err(error) => Some(error),
        },
    };
    Ok(Opened { reactor: Box::new(Epoll::new()?), ring_entries: None, refusal })
}

/// The largest ring that the locked memory suffices for.
fn open_ring(mut entries: u32) -> io::Result<(Uring, u32)> {
    loop {
        match Uring::new(entries) {
            Ok(ring) => return Ok((ring, entries)),
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && entries > RING_ENTRIES_MIN => {
                entries /= 2;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The size of ring that each of `shards` shards can have, as far as the limit tells: other processes of the same user
/// may have used some of it.
pub fn ring_entries(shards: usize) -> u32 {
    ring_entries_within(rlimits::locked_memory_bytes() / shards.max(1) as u64)
}

fn ring_entries_within(bytes: u64) -> u32 {
    let mut entries = RING_ENTRIES_MAX;
    while entries > RING_ENTRIES_MIN && ring_bytes(entries) > bytes {
        entries /= 2;
    }
    entries
}

/// Locked memory of a ring: submission entries of 64 bytes and their indexes, eight times as many completions of 16 bytes.
pub fn ring_bytes(entries: u32) -> u64 {
    const PAGE: u64 = 4096;
    const HEADERS: u64 = 320;
    let entries = u64::from(entries);
    (entries * 64).next_multiple_of(PAGE) + (entries * (4 + 8 * 16) + HEADERS).next_multiple_of(PAGE)
}

/// What io_uring's refusal means and what can be done about it, for the log.
pub fn explain(refusal: &io::Error, shards: usize) -> String {
    explain_with(refusal, shards, rlimits::locked_memory_bytes())
}

fn explain_with(refusal: &io::Error, shards: usize, locked_bytes: u64) -> String {
    match refusal.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "EPERM: not permitted, by a seccomp profile (as in containers) or by kernel.io_uring_disabled"
                .to_owned()
        }
        Some(libc::ENOSYS) => "ENOSYS: this kernel has no io_uring".to_owned(),
        Some(libc::EINVAL) => {
            "EINVAL: this kernel's io_uring is too old, Linux 6.1 or newer is needed".to_owned()
        }
        Some(libc::ENOMEM) => {
            let kib = |bytes: u64| bytes.div_ceil(1024);
            let (one, best) = (kib(ring_bytes(RING_ENTRIES_MIN)), kib(ring_bytes(RING_ENTRIES_MAX)));
            let all = best * shards as u64;
            let limit = match locked_bytes {
                rlimits::UNLIMITED => "locked memory ran out".to_owned(),
                bytes => format!("locked memory limit is {} KiB", kib(bytes)),
            };
            format!(
                "ENOMEM: {limit}; rings need at least {one} KiB and better {best} KiB each, {all} KiB for {shards} \
                 shards; raise it with ulimit -l or LimitMEMLOCK="
            )
        }
        _ => refusal.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Listener};
    use std::io::Write;
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    #[test]
    fn rings_fit_the_limit() {
        assert_eq!(ring_bytes(1024), 200 << 10);
        assert_eq!(ring_entries_within(u64::MAX), RING_ENTRIES_MAX);
        assert_eq!(ring_entries_within(200 << 10), 1024);
        assert_eq!(ring_entries_within((200 << 10) - 1), 512);
        assert_eq!(ring_entries_within(64 << 10), 256);
        assert_eq!(ring_entries_within(0), RING_ENTRIES_MIN);
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let text = |code| explain_with(&io::Error::from_raw_os_error(code), 64, 65_536);
        assert!(text(libc::EPERM).contains("seccomp"));
        assert!(text(libc::ENOSYS).contains("no io_uring"));
        assert!(text(libc::EINVAL).contains("6.1"));
        let memory = text(libc::ENOMEM);
        assert!(memory.contains("limit is 64 KiB") && memory.contains("12800 KiB for 64 shards"), "{memory}");
    }

    #[test]
    fn the_back_end_asked_for_is_the_one_opened() {
        let epoll = open(BackEnd::Epoll, RING_ENTRIES_MAX).unwrap();
        assert_eq!((epoll.reactor.name(), epoll.ring_entries), ("epoll", None));
        let auto = open(BackEnd::Auto, RING_ENTRIES_MIN).unwrap();
        assert_eq!(auto.refusal.is_none(), auto.reactor.name() == "io_uring");
    }

    /// A shard with work of its own never waits, and must learn of its clients all the same.
    #[test]
    fn a_wait_of_no_time_brings_what_has_happened() {
        for wanted in [BackEnd::Epoll, BackEnd::Auto] {
            let mut reactor = open(wanted, RING_ENTRIES_MIN).unwrap().reactor;
            let listener = Listener::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), 8).unwrap();
            let client = TcpStream::connect(("127.0.0.1", listener.port().unwrap())).unwrap();
            reactor.add(3, listener.accept().unwrap()).unwrap();
            let mut buf = [0; 8];
            for round in 0..20 {
                (&client).write_all(b"x").unwrap();
                let mut events = Vec::new();
                for _ in 0..200 {
                    reactor.wait(Some(Duration::ZERO), &mut events).unwrap();
                    if events.contains(&Event::Readable(3)) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert!(events.contains(&Event::Readable(3)), "{} in round {round}", reactor.name());
                assert_eq!(reactor.recv(3, &mut buf).unwrap(), 1);
            }
        }
    }
}
