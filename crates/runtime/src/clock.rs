//! The clocks. Nobody else reads them.

/// Unix time in ms and monotonic time in µs.
pub fn now() -> (u64, u64) {
    (read(libc::CLOCK_REALTIME) / 1_000_000, read(libc::CLOCK_MONOTONIC) / 1_000)
}

/// Monotonic time in ns.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Unix time in µs.
pub fn wall_us() -> u64 {
    read(libc::CLOCK_REALTIME) / 1_000
}

/// Nanoseconds of a clock.
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Random bits from the kernel, for seeds.
pub fn entropy() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: fills at most eight bytes of a live array.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    assert!(got == 8, "getrandom failed: {}", std::io::Error::last_os_error());
    u64::from_ne_bytes(bytes)
}

/// Local date and time of a unix time in ms, as `21 Nov 2026 07:40:22.123`.
pub fn local_stamp(unix_ms: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = (unix_ms / 1000) as libc::time_t;
    // SAFETY: an all-zero tm is valid, and localtime_r fills it.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut tm);
        tm
    };
    let month = MONTHS[(tm.tm_mon as usize).min(11)];
    let (year, ms) = (1900 + tm.tm_year, unix_ms % 1000);
    format!("{:02} {month} {year} {:02}:{:02}:{:02}.{ms:03}", tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_the_form_of_the_log() {
        // Two days into 1970 it is 1970 in every time zone.
        let stamp = local_stamp(2 * 86_400_000 + 7);
        assert_eq!((stamp.len(), &stamp[3..12], &stamp[20..]), (24, "Jan 1970 ", ".007"));
    }
}
