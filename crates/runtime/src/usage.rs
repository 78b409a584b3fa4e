//! What the process uses, and on what machine it runs.

use std::ffi::CStr;

/// Processor time in µs: (user, system).
pub type CpuTime = (u64, u64);

/// Processor time of the process, of its finished children and of the calling thread.
pub fn cpu_times() -> (CpuTime, CpuTime, CpuTime) {
    (read(libc::RUSAGE_SELF), read(libc::RUSAGE_CHILDREN), read(libc::RUSAGE_THREAD))
}

fn read(who: libc::c_int) -> CpuTime {
    // SAFETY: an all-zero rusage is valid, and the call writes to a live one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    (micros(usage.ru_utime), micros(usage.ru_stime))
}

/// Resident bytes now and at most so far; zeros where `/proc` is not there.
pub fn resident_bytes() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    (field("VmRSS:").unwrap_or(0) * 1024, field("VmHWM:").unwrap_or(0) * 1024)
}

/// Bytes of memory of the machine.
pub fn machine_bytes() -> u64 {
    // SAFETY: plain queries.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    u64::try_from(pages).unwrap_or(0) * u64::try_from(page).unwrap_or(0)
}

/// Name, release and hardware of the operating system, as `uname -srm` writes them.
pub fn os_name() -> String {
    // SAFETY: an all-zero utsname is valid; the call fills it with strings that end in zero.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut name);
        name
    };
    let text = |field: &[libc::c_char]| {
        // SAFETY: the field holds a string that ends in zero, within its array.
        unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
    };
    format!("{} {} {}", text(&name.sysname), text(&name.release), text(&name.machine))
}

/// Stops the calling thread.
pub fn sleep_us(micros: u64) {
    std::thread::sleep(std::time::Duration::from_micros(micros));
}
