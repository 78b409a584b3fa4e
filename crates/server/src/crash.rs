//! A panic anywhere ends the process: a crash beats corrupt data. Before that it is reported in the log.

use crate::{VERSION, log};
use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

/// From now on a panic writes a report and aborts, however the program was built.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        static REPORTED: AtomicBool = AtomicBool::new(false);
        // A second thread, or a panic while this report is made, must not mix with the first report or cut it short.
        if !REPORTED.swap(true, Ordering::SeqCst) {
            log::raw(&report(info, &Backtrace::force_capture()));
            std::process::abort();
        }
        if std::thread::panicking() {
            std::process::abort();
        }
        loop {
            std::thread::park();
        }
    }));
}

fn report(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let (now_ms, _) = runtime::clock::now();
    let (pid, stamp) = (std::process::id(), runtime::clock::local_stamp(now_ms));
    let thread = std::thread::current();
    let (name, command) = (thread.name().unwrap_or("?"), shard::last_command());
    let command = if command.is_empty() { "none on this thread" } else { command };
    format!(
        "\n\n=== WEFT BUG REPORT START: Cut & paste starting from here ===\n\
         {pid}:M {stamp} # Weft {VERSION} crashed by a panic in thread {name}\n\
         {info}\n\
         Last command: {command}\n\
         System: {} {}, {} bits\n\
         ------ STACK TRACE ------\n\
         {backtrace}\n\
         === WEFT BUG REPORT END. ===\n",
        std::env::consts::OS,
        std::env::consts::ARCH,
        usize::BITS,
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// The panicking process must be another one: this test runs itself again with a word in the environment.
    #[test]
    fn a_panic_is_reported_and_aborts() {
        const CHILD: &str = "WEFT_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            super::install();
            let thread = std::thread::Builder::new().name("shard-7".into());
            let _ = thread.spawn(|| panic!("a broken invariant")).unwrap().join();
            unreachable!("a panic in a thread ends the process");
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::tests::a_panic_is_reported_and_aborts", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
        let report = String::from_utf8_lossy(&output.stdout);
        for text in [
            "WEFT BUG REPORT START",
            crate::VERSION,
            "in thread shard-7",
            "a broken invariant",
            "Last command: none",
            "crash::tests",
            "REPORT END",
        ] {
            assert!(report.contains(text), "{text} is missing in {report}");
        }
    }
}
