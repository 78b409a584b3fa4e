//! Processor time of this process, so that what else the machine does counts less.

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
