//! Threads and processors.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

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

/// Binds the calling thread to some processors, or one.
///
/// # Errors
/// What the system says; `EINVAL` also for a number that is too large for its set of processors.
pub fn pin_to(cpus: &[usize]) -> io::Result<()> {
    if cpus.iter().any(|cpu| *cpu >= libc::CPU_SETSIZE as usize) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: an all-zero cpu_set_t is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is live and has these processors.
    cpus.iter().for_each(|cpu| unsafe { libc::CPU_SET(*cpu, &mut set) });
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

/// Slices of time that a thread asks for which runs shortly and often, ns: the shortest that the scheduler gives.
const SHORT_SLICE_NS: u64 = 100_000;

/// Asks the scheduler to run the calling thread for short slices at a time, and sooner for that, among others of the same weight (Linux 6.12 and
/// later; elsewhere nothing comes of it).
pub fn request_short_time_slices() {
    // SAFETY: an all-zero sched_attr is valid.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let bytes = size_of::<libc::sched_attr>();
    // SAFETY: the attributes are live and as large as is said.
    let failed = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, bytes, 0) } != 0;
    if failed || attributes.sched_policy != libc::SCHED_OTHER as u32 {
        return;
    }
    attributes.sched_runtime = SHORT_SLICE_NS;
    // SAFETY: as above; the call before has set the size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// For how long a thread has run, and waited for a processor while it could have, ns since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedStat {
    pub run_ns: u64,
    pub wait_ns: u64,
}

/// Tells the [`SchedStat`] of the thread that has opened it.
pub struct SchedStatFile(File);

impl SchedStatFile {
    /// # Errors
    /// What the system says; some do not count.
    pub fn open() -> io::Result<Self> {
        File::open("/proc/thread-self/schedstat").map(Self)
    }

    /// # Errors
    /// What the system says; `InvalidData` if it is not what proc(5) describes.
    pub fn read(&self) -> io::Result<SchedStat> {
        let mut text = [0; 128];
        let len = self.0.read_at(&mut text, 0)?;
        let mut numbers = text[..len].split(|byte| *byte == b' ');
        let mut next = || std::str::from_utf8(numbers.next()?).ok()?.trim().parse().ok();
        let counts = (|| Some(SchedStat { run_ns: next()?, wait_ns: next()? }))();
        counts.ok_or_else(|| io::ErrorKind::InvalidData.into())
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
    fn time_that_a_thread_runs_is_counted_where_the_system_counts() {
        let Ok(file) = SchedStatFile::open() else { return };
        let before = file.read().unwrap();
        if before == SchedStat::default() {
            return;
        }
        // The system counts now and then.
        assert!((0..10_000_000).any(|_| file.read().unwrap().run_ns > before.run_ns));
        assert!(file.read().unwrap().wait_ns >= before.wait_ns);
    }

    #[test]
    fn a_processor_that_cannot_be_is_an_error() {
        for cpu in [libc::CPU_SETSIZE as usize - 1, libc::CPU_SETSIZE as usize, 4096] {
            assert_eq!(pin_to(&[cpu]).unwrap_err().raw_os_error(), Some(libc::EINVAL), "{cpu}");
        }
        std::thread::spawn(|| pin_to(&available_cpus()[..1]).unwrap()).join().unwrap();
    }
}
