//! Opening the sockets that the configuration names.

use crate::log;
use config::Config;
use runtime::Listener;
use runtime::socket::ListenError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// All listening sockets; `None` when the server cannot start, which the log explains.
pub fn listeners(config: &Config) -> Option<Vec<Listener>> {
    warn_of_short_backlog(config.tcp_backlog);
    let mut listeners = Vec::new();
    if config.port != 0 {
        let open = |address| listen_patiently(address, backlog(config));
        match Places::find(config).and_then(|places| places.open(open)) {
            Some(found) => listeners.extend(found),
            None => {
                log::warning(format_args!("Failed listening on port {} (tcp), exiting.", config.port));
                return None;
            }
        }
    }
    if let Some(path) = &config.unixsocket {
        let permissions = (config.unixsocketperm != 0).then_some(config.unixsocketperm);
        match Listener::unix(path, permissions, backlog(config)) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                log::warning(format_args!(
                    "Failed opening Unix socket {}: {error}, exiting.",
                    path.display()
                ));
                return None;
            }
        }
    }
    if listeners.is_empty() {
        log::warning("Configured to not listen anywhere, exiting.");
        return None;
    }
    note(&listeners);
    Some(listeners)
}

/// What the process listens on by TCP, and what it will, once a CONFIG SET of `port` or `bind` is in force.
struct Listening {
    now: Vec<RawFd>,
    prepared: Vec<Prepared>,
}

/// Listeners for a configuration that may come into force.
struct Prepared {
    port: u16,
    bind: Vec<String>,
    listeners: Vec<Listener>,
}

/// Of the process: any shard may be told of a new address, one has the listeners.
static LISTENING: Mutex<Listening> = Mutex::new(Listening { now: Vec::new(), prepared: Vec::new() });

fn listening() -> MutexGuard<'static, Listening> {
    LISTENING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// These are the listeners now.
fn note(listeners: &[Listener]) {
    listening().now = listeners.iter().filter(|l| !l.is_unix).map(Listener::fd).collect();
}

/// Opens the sockets for another `port` or `bind`, while those there are stay. False if that is not possible; the log says why.
///
/// A shard does this while its clients wait, so an address that is in use is not waited for. Names are looked up here and now,
/// which takes as long as the system's resolver takes: as in Redis, and an address takes no time.
pub fn prepare(config: &Config) -> bool {
    let Some(places) = Places::find(config) else { return false };
    let mut listening = listening();
    let others = &listening.now;
    let Some(listeners) = places.open(|address| Listener::tcp_beside(address, backlog(config), others))
    else {
        return false;
    };
    if listeners.is_empty() && !places.0.is_empty() {
        return false;
    }
    // Of two that were never fetched, the later one is meant.
    listening.prepared.retain(|old| (old.port, &old.bind) != (config.port, &config.bind));
    listening.prepared.push(Prepared { port: config.port, bind: config.bind.clone(), listeners });
    true
}

/// The sockets that were opened for this configuration, if it is one that [`prepare`] was told of. The others that were there
/// are to be closed.
pub fn prepared(config: &Config) -> Option<Vec<Listener>> {
    let mut listening = listening();
    let is_it = |entry: &Prepared| (entry.port, &entry.bind) == (config.port, &config.bind);
    let at = listening.prepared.iter().position(is_it)?;
    let listeners = listening.prepared.swap_remove(at).listeners;
    drop(listening);
    note(&listeners);
    Some(listeners)
}

/// Where to listen by TCP.
struct Places<'a>(Vec<Place<'a>>);

/// One address of `bind`.
struct Place<'a> {
    name: &'a str,
    port: u16,
    /// May be missing.
    optional: bool,
    /// `None` if the name is not known, and optional.
    address: Option<SocketAddr>,
}

impl<'a> Places<'a> {
    /// Looks up what `bind` names; `None` if that is not possible, which the log explains.
    fn find(config: &'a Config) -> Option<Self> {
        let words: &[String] = if config.port == 0 { &[] } else { &config.bind };
        words.iter().map(|word| Place::find(word, config.port)).collect::<Option<_>>().map(Self)
    }

    /// Listens everywhere where it must; `None` if that is not possible, which the log explains.
    fn open(
        &self,
        mut open: impl FnMut(SocketAddr) -> Result<Listener, ListenError>,
    ) -> Option<Vec<Listener>> {
        let mut listeners = Vec::new();
        for place in &self.0 {
            let Some(address) = place.address else { continue };
            match open(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    place.warn(&error);
                    let tolerable =
                        error.is_missing_protocol() || place.optional && error.is_missing_address();
                    if !tolerable {
                        return None;
                    }
                }
            }
        }
        Some(listeners)
    }
}

impl<'a> Place<'a> {
    fn find(written: &'a str, port: u16) -> Option<Self> {
        let (optional, name) = match written.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let mut place = Self { name, port, optional, address: None };
        match resolve(name, port) {
            Ok(address) => place.address = Some(address),
            Err(reason) => {
                place.warn(&reason);
                if !optional {
                    return None;
                }
            }
        }
        Some(place)
    }

    fn warn(&self, what: &dyn std::fmt::Display) {
        let (name, port) = (self.name, self.port);
        log::warning(format_args!(
            "Warning: Could not create server TCP listening socket {name}:{port}: {what}"
        ));
    }
}

/// A process that was killed leaves its sockets to the kernel for a moment if it used io_uring; a server that takes its place
/// at once must not stumble over them.
fn listen_patiently(address: SocketAddr, backlog: i32) -> Result<Listener, ListenError> {
    const ATTEMPTS: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..ATTEMPTS {
        match Listener::tcp(address, backlog) {
            Err(error) if error.is_in_use() => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
    Listener::tcp(address, backlog)
}

/// The address of a word of `bind`. A name stands for its first address of the family that its form suggests: IPv6 if there
/// is a colon in it.
fn resolve(name: &str, port: u16) -> Result<SocketAddr, String> {
    match name {
        "*" => return Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        "::*" => return Ok((Ipv6Addr::UNSPECIFIED, port).into()),
        _ => {}
    }
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok((ip, port).into());
    }
    let found = (name, port).to_socket_addrs().map_err(|error| runtime::reason(&error))?;
    let mut fitting = found.filter(|address| address.is_ipv6() == name.contains(':'));
    fitting.next().ok_or_else(|| "Name or service not known".to_owned())
}

fn backlog(config: &Config) -> i32 {
    i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX)
}

fn warn_of_short_backlog(backlog: u32) {
    const PATH: &str = "/proc/sys/net/core/somaxconn";
    let most = std::fs::read_to_string(PATH).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if let Some(most) = most.filter(|&most| most > 0 && most < backlog) {
        log::warning(format_args!(
            "WARNING: The TCP backlog setting of {backlog} cannot be enforced because {PATH} is set to the lower value \
             of {most}."
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_bind() {
        let shown = |name| resolve(name, 1).map(|address| address.to_string());
        assert_eq!(shown("*").unwrap(), "0.0.0.0:1");
        assert_eq!(shown("::*").unwrap(), "[::]:1");
        assert_eq!(shown("::1").unwrap(), "[::1]:1");
        assert_eq!(shown("10.1.2.3").unwrap(), "10.1.2.3:1");
        assert_eq!(shown("localhost").unwrap(), "127.0.0.1:1");
        assert!(shown("not an address").is_err());
    }
}
