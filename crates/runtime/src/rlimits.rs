//! What the system allows this process: open files and locked memory.

use std::io;

/// A limit that has none.
pub const UNLIMITED: u64 = libc::RLIM_INFINITY;

/// What became of a wish for more open files.
#[derive(Debug)]
pub struct OpenFiles {
    /// The limit before.
    pub before: u64,
    /// The limit now.
    pub now: u64,
    /// Why it is not what was wished.
    pub refused: Option<io::Error>,
}

/// Raises the limit of open files to `wish` if it is lower; as far as possible if that is refused.
///
/// # Errors
/// When the limit cannot even be read.
pub fn raise_open_files(wish: u64) -> io::Result<OpenFiles> {
    let (before, hard) = read(libc::RLIMIT_NOFILE)?;
    if before >= wish {
        return Ok(OpenFiles { before, now: before, refused: None });
    }
    // The hard limit is only touched when it is in the way: lowering it could not be taken back.
    match write_open_files(wish, hard.max(wish)) {
        Ok(()) => Ok(OpenFiles { before, now: wish, refused: None }),
        Err(error) => {
            let now = if write_open_files(hard, hard).is_ok() { hard } else { before };
            Ok(OpenFiles { before, now, refused: Some(error) })
        }
    }
}

/// Bytes that the user's processes may lock; [`UNLIMITED`] also for a process that may lock what it likes.
pub fn locked_memory_bytes() -> u64 {
    if has_cap_ipc_lock() {
        return UNLIMITED;
    }
    read(libc::RLIMIT_MEMLOCK).map_or(UNLIMITED, |(soft, _)| soft)
}

/// (soft, hard)
fn read(resource: libc::__rlimit_resource_t) -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit.
    match unsafe { libc::getrlimit(resource, &raw mut limit) } {
        0 => Ok((limit.rlim_cur, limit.rlim_max)),
        _ => Err(io::Error::last_os_error()),
    }
}

fn write_open_files(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the pointer is to a live rlimit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn has_cap_ipc_lock() -> bool {
    const CAP_IPC_LOCK: u64 = 14;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = bits.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    bits & (1 << CAP_IPC_LOCK) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_is_met_changes_nothing() {
        let files = raise_open_files(8).unwrap();
        assert_eq!(files.before, files.now);
        assert!(files.refused.is_none());
    }
}
