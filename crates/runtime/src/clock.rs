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
