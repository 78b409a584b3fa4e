//! What commands learn of the machine and the process.

use crate::{files, log};
use command::ShardCx;
use command::platform::{About, Platform, Usage};
use runtime::{clock, usage};
use std::sync::Arc;

/// What stays the same while the process runs. `config_file`: its path, or empty.
pub fn about(io_backend: &str, config_file: &str) -> Arc<About> {
    let executable = std::env::current_exe().map(|path| path.to_string_lossy().into_owned());
    let id = [clock::entropy(), clock::entropy(), clock::entropy()];
    Arc::new(About {
        pid: std::process::id(),
        run_id: format!("{:016x}{:016x}{:08x}", id[0], id[1], id[2] >> 32),
        os: usage::os_name(),
        arch_bits: usize::BITS,
        executable: executable.unwrap_or_default(),
        config_file: config_file.to_owned(),
        io_backend: io_backend.to_owned(),
        allocator: "mimalloc".to_owned(),
        memory_total_bytes: usage::machine_bytes(),
        weft_version: env!("CARGO_PKG_VERSION").to_owned(),
        rewrite_config: Some(files::replace),
    })
}

/// Connects a shard's commands to the runtime, and sets its clocks.
pub fn install(cx: &mut ShardCx, about: &Arc<About>) {
    cx.platform = Platform {
        clock_ns: clock::monotonic_ns,
        wall_us: clock::wall_us,
        sleep_us: usage::sleep_us,
        usage: usage_now,
        apply: crate::apply::apply,
        log: log_of_script,
        purge: runtime::memory::give_back,
        ran: None,
    };
    cx.about = Arc::clone(about);
    (cx.now_ms, cx.now_us) = clock::now();
    (cx.started_ms, cx.started_us) = (cx.now_ms, cx.now_us);
}

fn usage_now() -> Usage {
    let (rss_bytes, rss_peak_bytes) = usage::resident_bytes();
    let ((user_us, system_us), children, thread) = usage::cpu_times();
    Usage {
        rss_bytes,
        rss_peak_bytes,
        user_us,
        system_us,
        children_user_us: children.0,
        children_system_us: children.1,
        thread_user_us: thread.0,
        thread_system_us: thread.1,
    }
}

/// A line from a script.
fn log_of_script(level: u8, line: &[u8]) {
    let level = match level {
        0 => log::Level::Debug,
        1 => log::Level::Verbose,
        2 => log::Level::Notice,
        _ => log::Level::Warning,
    };
    log::write(level, String::from_utf8_lossy(line));
}
