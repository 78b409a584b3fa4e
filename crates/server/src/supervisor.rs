//! Who watches over the process: the file with its id, and systemd's notifications.

use crate::log;
use config::{Config, DirectiveId};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

/// Where a background process writes its id when nothing else is configured.
const PIDFILE_OF_DAEMON: &str = "/var/run/weft.pid";

/// A file with the process id; it goes when this is dropped.
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file if one is configured or the process is in the background. Without it the server still works.
    pub fn write(config: &mut Config) -> Option<Self> {
        if config.pidfile.is_none() && config.daemonize {
            let path = PIDFILE_OF_DAEMON.as_bytes();
            config.assign(DirectiveId::of("pidfile"), path).expect("a path is good");
        }
        // The working directory may be another when the file goes.
        let path = std::path::absolute(config.pidfile.as_ref()?).ok()?;
        match std::fs::write(&path, own_line()) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                log::warning(format_args!("Failed to write PID file: {}", runtime::reason(&error)));
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another process may have taken the file over meanwhile.
        if std::fs::read_to_string(&self.0).is_ok_and(|text| text == own_line()) {
            log::notice("Removing the pid file.");
            remove(&self.0);
        }
    }
}

fn own_line() -> String {
    format!("{}\n", std::process::id())
}

/// Removes a file of the server's own.
pub fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        log::warning(format_args!("Cannot remove {}: {}", path.display(), runtime::reason(&error)));
    }
}

/// The way to tell systemd; silent unless `supervised` says so and systemd has given an address.
pub struct Systemd(Option<SocketAddr>);

impl Systemd {
    pub fn new(config: &Config) -> Self {
        let mode = config.text(DirectiveId::of("supervised"));
        let path = std::env::var("NOTIFY_SOCKET").ok();
        let address = match (mode.as_slice(), path) {
            (b"systemd" | b"auto", Some(path)) => match path.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name).ok(),
                None => SocketAddr::from_pathname(path).ok(),
            },
            (b"systemd", None) => {
                log::warning("systemd supervision requested, but NOTIFY_SOCKET not found");
                None
            }
            (b"upstart", _) => {
                log::warning("upstart supervision is not supported");
                None
            }
            _ => None,
        };
        Self(address)
    }

    /// Sends a state, such as `READY=1`.
    pub fn tell(&self, state: &str) {
        let Some(address) = &self.0 else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), address));
        if let Err(error) = sent {
            log::warning(format_args!("Cannot notify systemd: {}", runtime::reason(&error)));
        }
    }
}
