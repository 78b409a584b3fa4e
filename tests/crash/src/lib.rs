//! Running servers whose process ends or whose disk fails: what their tests have in common.
#![forbid(unsafe_code)]

pub mod load;

use std::fs;
use std::path::PathBuf;
use testkit::{Program, Server, await_true};

/// A server whose disk fails when it is told to.
pub struct FaultyServer {
    pub server: Server,
    faults: PathBuf,
}

/// Ours, with faults that can be put in.
fn planted() -> Program {
    let server = Program::Weft.find().expect("weft-server is built");
    let planted = server.with_file_name("weft-server-planted");
    assert!(planted.is_file(), "cargo build --profile fast --package planted builds what is missing");
    Program::Peer(planted)
}

impl FaultyServer {
    /// Starts it; nothing fails yet. `name`: of the test.
    pub fn start(name: &str, settings: &[&str]) -> Self {
        let faults = std::env::temp_dir().join(format!("weft-faults-{name}-{}", std::process::id()));
        let path = faults.to_str().expect("a plain name").to_owned();
        let server = Server::start_in(&planted(), settings, &[("WEFT_PLANTED_DISK", &path)]);
        Self { server: server.expect("it starts"), faults }
    }

    /// From now on steps fail in these ways (see crates/server/src/planted/disk.rs), and in no others.
    pub fn fail(&self, lines: &str) {
        let _ = fs::remove_file(self.faults.with_extension("waiting"));
        // Nobody is to see half of it.
        let temporary = self.faults.with_extension("new");
        fs::write(&temporary, lines).expect("it can be written");
        fs::rename(&temporary, &self.faults).expect("it can be renamed");
    }
}

impl FaultyServer {
    /// Waits until a step has to wait, as it was told to last.
    pub fn await_waiting(&self) {
        await_true("a step waits", || self.faults.with_extension("waiting").exists());
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.faults.with_extension("waiting"));
        let _ = fs::remove_file(&self.faults);
    }
}

/// The names of the files in a server's directory, but for its log.
pub fn names(server: &Server) -> Vec<String> {
    let entries = fs::read_dir(server.directory()).expect("it is there");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "server.log").collect();
    names.sort();
    names
}
