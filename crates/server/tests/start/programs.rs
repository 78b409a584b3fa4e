//! Running the program: to its end, as a server, or as a server under limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use testkit::{Program, Server};

pub use testkit::await_true as eventually;

pub const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

/// A directory that goes when this is dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("weft-start-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.file(name), text).unwrap();
        self.file(name).to_str().unwrap().to_owned()
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the program until it ends by itself.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(WEFT).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Both outputs.
pub fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Starts a server.
pub fn serve(arguments: &[&str]) -> Server {
    Server::start(&Program::Peer(WEFT.into()), arguments).unwrap_or_else(|error| panic!("{error}"))
}

/// Starts a server by a line of shell, in which `"$@"` is the program with its arguments.
pub fn serve_by(shell: &str, arguments: &[&str]) -> std::io::Result<Server> {
    let directory = Directory::new();
    let script = directory.write("run.sh", &format!("#!/bin/sh\nset -- '{WEFT}' \"$@\"\n{shell}\n"));
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Server::start(&Program::Peer(script.into()), arguments)
}

/// Whether a program of the system is there.
pub fn has(program: &str) -> bool {
    let there = Program::Peer(program.into()).find().is_some();
    if !there {
        eprintln!("not tried: there is no {program} here");
    }
    there
}

/// Whether something takes less than `limit` at least once in a few times. What it would take if it waited is longer, however fast
/// the machine; and any single time may be long where the machine is busy.
pub fn is_once_below(limit: Duration, mut time: impl FnMut() -> Duration) -> bool {
    (0..5).any(|_| time() < limit)
}
