//! Servers under measurement: start on a free loopback port, pinned; find out who answers; stop again.
//!
//! A server is stopped when its value is dropped, whatever happened before. Nothing else is ever killed.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::args::Program;
use crate::client::{Client, Reply, info_field};

const START_LONGEST: Duration = Duration::from_secs(30);
const ANSWER_LONGEST: Duration = Duration::from_secs(3);
const STOP_LONGEST: Duration = Duration::from_secs(20);

/// Words before every program we start: the kernel ends it when this process ends, even by a signal.
pub const ENDS_WITH_US: [&str; 3] = ["setpriv", "--pdeathsig", "TERM"];

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    pub program: Program,
    pub cpus: String,
    pub shards: Option<u32>,
    /// Words before the program: valgrind and its options, for example.
    pub wrapper: Vec<String>,
}

/// A running server. Its files live in a temporary directory of its own.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub pid: u32,
    pub port: u16,
    pub name: String,
    /// The exact words it was started with.
    pub command_line: String,
    directory: PathBuf,
    words: Vec<String>,
}

impl Server {
    pub fn start(launch: &Launch) -> Outcome<Server> {
        let port = free_port()?;
        let directory = temporary_directory("server")?;
        let words = command_words(launch, port, &directory.to_string_lossy());
        let child = spawn(&words, &directory)?;
        let command_line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let name = String::new();
        let mut server = Server { pid: child.id(), child, port, name, command_line, directory, words };
        server.wait_until_ready()?;
        server.name = name_of(launch, &server.ask_process()?);
        Ok(server)
    }

    /// What it says of itself; notes its process.
    fn ask_process(&mut self) -> Outcome<String> {
        let info = self.client()?.info("server")?;
        // A wrapper script that does not `exec` would be measured in the server's place.
        if let Some(pid) = info_field(&info, "process_id").and_then(|pid| pid.parse().ok()) {
            self.pid = pid;
        }
        Ok(info)
    }

    /// Ends it without a save, and starts it again with what is in its directory.
    pub fn restart(&mut self) -> Outcome<()> {
        self.stop();
        self.child = spawn(&self.words, &self.directory)?;
        self.wait_until_ready()?;
        self.ask_process().map(drop)
    }

    /// All that the server has written.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    pub fn client(&self) -> io::Result<Client> {
        Client::connect(self.port)
    }

    fn wait_until_ready(&mut self) -> Outcome<()> {
        let end = Instant::now() + START_LONGEST;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Err(
                    format!("{}\nended at once ({status}):\n{}", self.command_line, self.log_tail()).into()
                );
            }
            let pong = Client::connect_for(self.port, ANSWER_LONGEST).and_then(|mut c| c.call(&["PING"]));
            // Whoever answers is there, unless the answer says that it is still loading.
            match pong {
                Ok(Reply::Error(text)) if text.starts_with("LOADING") => {}
                Ok(_) => return Ok(()),
                Err(_) => {}
            }
            sleep(Duration::from_millis(20));
        }
        Err(format!("{}\ndoes not answer PING:\n{}", self.command_line, self.log_tail()).into())
    }

    /// The last lines the server wrote.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Server {
    fn stop(&mut self) {
        if let Ok(mut client) = Client::connect_for(self.port, ANSWER_LONGEST) {
            let _ = client.call(&["SHUTDOWN", "NOSAVE"]);
        }
        let end = Instant::now() + STOP_LONGEST;
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(None) => sleep(Duration::from_millis(10)),
                _ => break,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Starts a program, which adds to the log in the directory.
fn spawn(words: &[String], directory: &Path) -> Outcome<Child> {
    let log = fs::File::options().create(true).append(true).open(directory.join("log"))?;
    let child = Command::new(ENDS_WITH_US[0])
        .args(&ENDS_WITH_US[1..])
        .args(words)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn();
    child.map_err(|error| format!("cannot start {}: {error}", ENDS_WITH_US[0]).into())
}

fn command_words(launch: &Launch, port: u16, directory: &str) -> Vec<String> {
    let port = port.to_string();
    let mut words: Vec<String> = ["taskset", "-c", &launch.cpus].map(str::to_owned).into();
    words.extend(launch.wrapper.iter().cloned());
    words.push(launch.program.path.to_string_lossy().into_owned());
    words.extend(["--port".to_owned(), port]);
    if !launch.program.bare {
        let usual = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory];
        words.extend(usual.map(str::to_owned));
    }
    if let Some(shards) = launch.shards {
        words.extend(["--shards".to_owned(), shards.to_string()]);
    }
    words.extend(launch.program.args.iter().cloned());
    words
}

/// The name given, or kind and version as INFO tells them, with the number of shards.
fn name_of(launch: &Launch, info: &str) -> String {
    let kinds = ["weft", "valkey", "keydb", "dragonfly", "redis"];
    let told = kinds
        .iter()
        .find_map(|kind| Some(format!("{kind} {}", info_field(info, &format!("{kind}_version"))?)));
    let file = launch.program.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut name = launch.program.name.clone().or(told).or(file).unwrap_or_default();
    if let Some(shards) = launch.shards {
        name.push_str(&format!(", {shards} shard{}", if shards == 1 { "" } else { "s" }));
    }
    name
}

/// A word as a shell would need it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A new empty directory under the system's temporary one.
pub fn temporary_directory(purpose: &str) -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("compare-{}-{purpose}-{number}", std::process::id()));
    fs::create_dir_all(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(shards: Option<u32>, bare: bool) -> Launch {
        let program = Program { path: "x/weft".into(), args: vec!["--q".into()], name: None, bare };
        Launch { program, cpus: "0".into(), shards, wrapper: Vec::new() }
    }

    #[test]
    fn words_of_a_start() {
        let words = command_words(&launch(Some(2), true), 7, "/d").join(" ");
        assert_eq!(words, "taskset -c 0 x/weft --port 7 --shards 2 --q");
        let words = command_words(&launch(None, false), 7, "/d");
        let shown = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        assert!(shown.ends_with("--save '' --appendonly no --dir /d --q"), "{shown}");
    }

    #[test]
    fn names() {
        let info = "redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n";
        assert_eq!(name_of(&launch(None, false), info), "valkey 9.1.2");
        assert_eq!(name_of(&launch(Some(1), false), ""), "weft, 1 shard");
    }
}
