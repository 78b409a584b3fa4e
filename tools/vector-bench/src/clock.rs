//! Processor time of this process, so that what else the machine does counts less.

use std::io;
use std::time::Instant;

/// A moment.
pub struct Clock {
    wall: Instant,
    processor_ns: Option<u64>,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { wall: Instant::now(), processor_ns: processor_ns() }
    }

    /// Seconds of processor time since then; where the system does not tell, of time.
    pub fn seconds(&self) -> f64 {
        match (self.processor_ns, processor_ns()) {
            (Some(then), Some(now)) => (now - then) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

/// What Linux says of the main thread, which is the only one.
fn processor_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}

/// Nanoseconds of processor time that all threads of a process have had.
pub fn processor_ns_of(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}
