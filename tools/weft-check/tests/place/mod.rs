//! A directory with files to check, and the program run on them.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs the program on a path; `input` is what it reads.
pub fn run(arguments: &[&str], path: &Path, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weft-check"))
        .args(arguments)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // It may not ask.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// The report of a file, and the exit code.
pub fn report(path: &Path) -> (Value, i32) {
    let output = run(&["--json"], path, "");
    let report = serde_json::from_slice(&output.stdout).expect("an object");
    (report, output.status.code().expect("a code"))
}

/// A directory of a test, removed with it.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-check-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
