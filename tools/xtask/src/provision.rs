//! Installs what the tests need and the machine lacks: redis-server as the peer, Python packages for real clients.

use crate::command_line::{capture, command, is_installed, run};
use std::path::PathBuf;

/// The peer and its tools. Installed by apt-get when that is possible; an error says what to install by hand.
pub fn redis_server() -> Result<(), String> {
    let missing: Vec<&str> = ["redis-server", "redis-cli", "redis-benchmark"]
        .into_iter()
        .filter(|name| !is_installed(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = capture(&mut command("id", &["-u"])).is_some_and(|id| id.trim() == "0");
    if !is_root || !is_installed("apt-get") {
        return Err(format!("{} missing: install redis-server and redis-tools", missing.join(", ")));
    }
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", "redis-server", "redis-tools"])
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let succeeded = run(command("apt-get", arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
    if succeeded { Ok(()) } else { Err(format!("apt-get {} failed", arguments.join(" "))) }
}

/// A Python with the newest redis-py and pytest, in a virtual environment below `target/`.
pub fn python() -> Result<PathBuf, String> {
    let directory = crate::root().join("target/python");
    let python = directory.join("bin/python");
    let is_ready = || capture(&mut command(&python, &["-c", "import redis, pytest"])).is_some();
    if is_ready() {
        return Ok(python);
    }
    if !run(command("python3", &["-m", "venv"]).arg(&directory))? {
        return Err("python3 -m venv failed".into());
    }
    run(&mut command(&python, &["-m", "pip", "install", "-q", "--upgrade", "redis", "pytest"]))?;
    if is_ready() { Ok(python) } else { Err("pip could not install redis and pytest".into()) }
}
