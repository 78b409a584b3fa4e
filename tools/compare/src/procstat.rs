//! What the kernel knows about a process: CPU time, resident memory, threads. Linux only, read from /proc.

use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The kernel's unit for utime and stime as shown to user space; 100 on every Linux platform.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time used by all threads of a process since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuTime {
    /// Nanoseconds on a CPU, summed over the living threads (schedstat: exact).
    pub nanos: u64,
    /// Ticks of 10 ms in user space and in the kernel, with threads that have ended (stat: coarse; the split
    /// between the two is sampled).
    pub user_ticks: u64,
    pub system_ticks: u64,
}

impl CpuTime {
    pub fn of(pid: u32) -> io::Result<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (user_ticks, system_ticks) =
            ticks_in_stat(&stat).ok_or_else(|| io::Error::other("/proc/PID/stat has an unknown form"))?;
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            nanos += text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(CpuTime { nanos, user_ticks, system_ticks })
    }

    /// Seconds of CPU time since `earlier`: exact nanoseconds, unless the ticks show clearly more. Then threads
    /// ended in between, or the kernel keeps no schedstat.
    pub fn seconds_since(&self, earlier: &CpuTime) -> f64 {
        let exact = self.nanos.saturating_sub(earlier.nanos) as f64 / 1e9;
        let ticks =
            (self.user_ticks + self.system_ticks).saturating_sub(earlier.user_ticks + earlier.system_ticks);
        let coarse = ticks as f64 / TICKS_PER_SECOND as f64;
        if coarse > exact * 1.05 + 0.03 { coarse } else { exact }
    }

    /// The part of the time since `earlier` that was spent in user space, 0 to 1.
    pub fn user_share_since(&self, earlier: &CpuTime) -> f64 {
        let user = self.user_ticks.saturating_sub(earlier.user_ticks) as f64;
        let system = self.system_ticks.saturating_sub(earlier.system_ticks) as f64;
        if user + system == 0.0 { 0.0 } else { user / (user + system) }
    }
}

/// Fields 14 and 15; the second field, the command's name, may itself hold blanks and parentheses.
fn ticks_in_stat(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Resident bytes of a process (smaps_rollup, which is exact; else VmRSS, which may lag by some pages).
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let exact = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let (text, field) = match exact {
        Ok(text) => (text, "Rss:"),
        Err(_) => (fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:"),
    };
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("the kernel does not tell the resident memory"))
}

/// Waits until the process is nearly idle (deferred frees, rehashing), for at most `longest`.
pub fn settle(pid: u32, longest: Duration) -> io::Result<()> {
    let window = Duration::from_millis(50);
    let end = Instant::now() + longest;
    let mut before = CpuTime::of(pid)?;
    while Instant::now() < end {
        sleep(window);
        let now = CpuTime::of(pid)?;
        if now.seconds_since(&before) < window.as_secs_f64() * 0.04 {
            break;
        }
        before = now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_blanks() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 120 45 0 0 20 0 1 0 99 1 1";
        assert_eq!(ticks_in_stat(stat), Some((120, 45)));
        assert_eq!(ticks_in_stat("7 (a) S"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        assert!(CpuTime::of(pid).is_ok());
        assert!(resident_bytes(pid).unwrap() > 100_000);
    }

    #[test]
    fn ended_threads_show_in_the_ticks() {
        let before = CpuTime::default();
        let exact = CpuTime { nanos: 1_000_000_000, user_ticks: 60, system_ticks: 40 };
        assert_eq!(exact.seconds_since(&before), 1.0);
        assert_eq!(exact.user_share_since(&before), 0.6);
        let ended = CpuTime { nanos: 500_000_000, ..exact };
        assert_eq!(ended.seconds_since(&before), 1.0);
    }
}
