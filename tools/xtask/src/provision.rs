//! Installs what the tests need and the machine lacks: redis-server as the peer, and real clients from the registries of
//! their languages. All of it goes below `target/`; an error says what could not be had and from where.

use crate::arm;
use crate::command_line::{capture, command, is_installed, run};
use std::fs;
use std::path::PathBuf;

/// The peer and its tools. Installed by apt-get when that is possible; an error says what to install by hand.
pub fn redis_server() -> Result<(), String> {
    packages(&["redis-server", "redis-cli", "redis-benchmark"], &["redis-server", "redis-tools"])
}

/// What compiles for ARM, and runs that.
pub fn arm() -> Result<(), String> {
    if !run(&mut command("rustup", &["--quiet", "target", "add", arm::TARGET]))? {
        return Err(format!("rustup target add {} failed", arm::TARGET));
    }
    let names = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "qemu-user"];
    packages(&[arm::COMPILER, arm::EMULATOR], &names)
}

/// Has these packages installed if one of these programs is missing.
fn packages(programs: &[&str], names: &[&str]) -> Result<(), String> {
    let missing: Vec<&str> = programs.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = capture(&mut command("id", &["-u"])).is_some_and(|id| id.trim() == "0");
    if !is_root || !is_installed("apt-get") {
        return Err(format!("{} missing: install {}", missing.join(", "), names.join(" ")));
    }
    apt_get(&["update", "-qq"])?;
    apt_get(&[&["install", "-y", "-qq", "--no-install-recommends"], names].concat())
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
    let why = "pip could not install redis and pytest: is the Python package registry reachable?";
    if is_ready() { Ok(python) } else { Err(why.into()) }
}

/// redis-py's own tests, of exactly the version in `tests/clients/redis_py_suite/requirements.txt`, from its source distribution, and a Python with
/// what they need: both below `target/`.
pub fn redis_py_suite() -> Result<(PathBuf, PathBuf), String> {
    let requirements = crate::root().join("tests/clients/redis_py_suite/requirements.txt");
    let wanted =
        fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let package = wanted
        .lines()
        .find(|line| line.starts_with("redis=="))
        .ok_or("no version of redis-py is required")?;
    let directory = crate::root().join("target/redis-py-suite");
    let (python, installed) = (directory.join("venv/bin/python"), directory.join("installed.txt"));
    let suite = directory.join(package.replace("==", "-"));
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok((python, suite));
    }
    let archive = directory.join(format!("{}.tar.gz", package.replace("==", "-")));
    let from_source = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", package, "-d"];
    for step in [
        command("python3", &["-m", "venv"]).arg(directory.join("venv")),
        command(&python, &["-m", "pip", "install", "-q", "-r"]).arg(&requirements),
        command(&python, &from_source).arg(&directory),
        command("tar", &["-xzf"]).arg(archive).arg("-C").arg(&directory),
    ] {
        if !run(step)? {
            return Err(format!(
                "{package}, its tests or what they need could not be had from the Python package registry"
            ));
        }
    }
    fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok((python, suite))
}

/// The least version of Node.js that the clients in `tests/clients/node` run on.
const NODE_MAJOR_MIN: u32 = 20;

/// The directory with the packages that `tests/clients/node` uses, of exactly the versions in its lock file, below `target/`.
pub fn node() -> Result<PathBuf, String> {
    let version = capture(&mut command("node", &["--version"])).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < NODE_MAJOR_MIN) || !is_installed("npm") {
        return Err(format!(
            "node {NODE_MAJOR_MIN} or newer and npm are missing (found: {:?})",
            version.trim()
        ));
    }
    let source = crate::root().join("tests/clients/node");
    let directory = crate::root().join("target/node");
    let packages = directory.join("node_modules");
    let read = |directory: &PathBuf, name| fs::read(directory.join(name)).unwrap_or_default();
    let lock = read(&source, "package-lock.json");
    if packages.is_dir() && read(&directory, "installed-lock.json") == lock {
        return Ok(packages);
    }
    let fail = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir_all(&directory).map_err(fail)?;
    fs::write(directory.join("package.json"), read(&source, "package.json")).map_err(fail)?;
    fs::write(directory.join("package-lock.json"), &lock).map_err(fail)?;
    let limits = ["--fetch-timeout=30000", "--fetch-retries=2", "--loglevel=error"];
    let install = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    if !run(command("npm", &[&install[..], &limits].concat()).current_dir(&directory))? {
        return Err("npm ci failed for tests/clients/node: is the npm registry reachable?".into());
    }
    fs::write(directory.join("installed-lock.json"), &lock).map_err(fail)?;
    Ok(packages)
}

/// The crates of `tests/clients/redis_rs`, of the versions in its lock file, in cargo's own store.
pub fn crates_of_redis_rs() -> Result<(), String> {
    let arguments = ["fetch", "--quiet", "--locked", "--manifest-path", "tests/clients/redis_rs/Cargo.toml"];
    let succeeded = run(&mut command("cargo", &arguments))?;
    let why = "cargo fetch failed for tests/clients/redis_rs: is crates.io reachable?";
    if succeeded { Ok(()) } else { Err(why.into()) }
}
