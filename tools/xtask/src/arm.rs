//! The same code for ARM, on a machine that is none: all of it is compiled, and the tests of what is written for its instructions, or relies on how
//! its memory orders, run under qemu.

use crate::command_line::{command, run};
use crate::provision;
use crate::test::{Outcome, cargo_test_with};

/// As rustc names it.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The linker and compiler of the cross tools that [`provision::arm`] installs.
pub const COMPILER: &str = "aarch64-linux-gnu-gcc";
/// Runs programs for ARM.
pub const EMULATOR: &str = "qemu-aarch64";
/// Where the cross tools keep the C library that such programs need.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// Crates whose tests are quick enough under emulation, and which names of tests.
const TESTED: [(&str, &[&str]); 5] =
    [("base", &[]), ("resp", &[]), ("table", &[]), ("mailbox", &[]), ("vector", &["--lib", "kernel"])];

/// The step of CI.
pub fn step() -> Outcome {
    if std::env::consts::ARCH == "aarch64" {
        return Outcome::Skipped("this machine is one: the other steps say it".into());
    }
    if let Err(why) = provision::arm() {
        return Outcome::Broken(why);
    }
    let settings = [
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", COMPILER.to_owned()),
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{EMULATOR} -L {LIBRARIES}")),
    ];
    let check = ["check", "--quiet", "--profile", "fast", "--workspace", "--target", TARGET];
    match run(command("cargo", &check).envs(settings.clone())) {
        Ok(true) => {}
        Ok(false) => return Outcome::Broken("it does not compile for ARM".into()),
        Err(why) => return Outcome::Broken(why),
    }
    let outcomes = TESTED.iter().map(|(package, filter)| {
        let mut arguments = vec!["--target", TARGET, "--package", package];
        arguments.extend(*filter);
        cargo_test_with(&arguments, settings.clone())
    });
    Outcome::all(outcomes)
}
