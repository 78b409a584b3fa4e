//! The servers that dialogues can be replayed against.

use crate::dialogue::Version;
use std::io;
use testkit::{Client, Program, Server};

/// A kind of server with its arguments; each worker starts its own.
#[derive(Clone, Debug)]
pub struct Peer {
    /// As shown in reports: `weft-server, 4 shards`.
    pub name: String,
    pub target: Target,
    pub is_weft: bool,
}

/// Where the server is.
#[derive(Clone, Debug)]
pub enum Target {
    /// To be started, with these arguments.
    Start(Program, Vec<String>),
    /// Running already, on this loopback port; it is emptied many times.
    Port(u16),
}

/// A server that runs for one worker.
pub struct Running {
    pub port: u16,
    /// Absent for a server that ran before us.
    pub server: Option<Server>,
    /// For what surrounds the sections: FLUSHALL, CONFIG.
    pub control: Client,
    pub version: Option<Version>,
}

impl Peer {
    /// Our server with that many shards.
    pub fn weft(shards: u32) -> Peer {
        let plural = if shards == 1 { "" } else { "s" };
        Peer {
            name: format!("weft-server, {shards} shard{plural}"),
            target: Target::Start(Program::Weft, with_debug(&["--shards", &shards.to_string()])),
            is_weft: true,
        }
    }

    /// A redis-server or its like, by name or path.
    pub fn program(path: &str) -> Peer {
        Peer {
            name: path.to_owned(),
            target: Target::Start(Program::Peer(path.into()), with_debug(&[])),
            is_weft: false,
        }
    }

    /// A server that runs on a loopback port. Taken for ours when its INFO says so.
    pub fn port(port: u16) -> io::Result<Peer> {
        let mut control = Client::connect(("127.0.0.1", port))?;
        let info = control.try_cmd(&["INFO", "server"])?.string().unwrap_or_default();
        Ok(Peer {
            name: format!("port {port}"),
            target: Target::Port(port),
            is_weft: info.contains("weft_version:"),
        })
    }

    /// True when there is something to start or to connect to.
    pub fn is_available(&self) -> bool {
        match &self.target {
            Target::Start(program, _) => program.find().is_some(),
            Target::Port(_) => true,
        }
    }

    /// Starts it, or connects to it.
    pub fn start(&self) -> io::Result<Running> {
        let (port, server) = match &self.target {
            Target::Start(program, arguments) => {
                let server = Server::start(program, arguments)?;
                (server.port(), Some(server))
            }
            Target::Port(port) => (*port, None),
        };
        let mut control = Client::connect(("127.0.0.1", port))?;
        let version = if self.is_weft { None } else { redis_version(&mut control) };
        Ok(Running { port, server, control, version })
    }
}

/// Arguments that let dialogues use DEBUG.
fn with_debug(arguments: &[&str]) -> Vec<String> {
    arguments.iter().chain(&["--enable-debug-command", "yes"]).map(|word| (*word).to_owned()).collect()
}

impl Running {
    /// False when the server that we started has ended.
    pub fn is_alive(&mut self) -> bool {
        self.server.as_mut().is_none_or(Server::is_running)
    }
}

fn redis_version(control: &mut Client) -> Option<Version> {
    let info = control.try_cmd(&["INFO", "server"]).ok()?.string()?;
    Version::parse(info.lines().find_map(|line| line.strip_prefix("redis_version:"))?.trim())
}
