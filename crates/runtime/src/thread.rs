//! Threads and processors.

use std::io;

/// Processors this process may run on, ascending.
pub fn available_cpus() -> Vec<usize> {
    // SAFETY: an all-zero cpu_set_t is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is live and its size is given.
    let failed = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) } != 0;
    if failed {
        return vec![0];
    }
    // SAFETY: CPU_ISSET reads within the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// Binds the calling thread to one processor.
///
/// # Errors
/// What the system says; `EINVAL` also for a number that is too large for its set of processors.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: an all-zero cpu_set_t is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is live and has this processor.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is live and its size is given.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the calling thread wait for its turn when it wakes up, instead of interrupting who runs on its processor: `SCHED_BATCH` of sched(7). For
/// threads that share processors and need each other's results.
///
/// # Errors
/// What the system says.
pub fn interrupt_nobody() -> io::Result<()> {
    let normal = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameter is live.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const normal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Starts a named thread.
///
/// # Errors
/// What the system says.
pub fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_thread_may_wait_for_its_turn() {
        let policy = std::thread::spawn(|| {
            interrupt_nobody().unwrap();
            // SAFETY: it only asks.
            unsafe { libc::sched_getscheduler(0) }
        });
        assert_eq!(policy.join().unwrap(), libc::SCHED_BATCH);
    }

    #[test]
    fn a_processor_that_cannot_be_is_an_error() {
        for cpu in [libc::CPU_SETSIZE as usize - 1, libc::CPU_SETSIZE as usize, 4096] {
            assert_eq!(pin_to(cpu).unwrap_err().raw_os_error(), Some(libc::EINVAL), "{cpu}");
        }
        std::thread::spawn(|| pin_to(available_cpus()[0]).unwrap()).join().unwrap();
    }
}
