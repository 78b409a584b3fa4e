//! Starts servers for tests: ours or a peer, each on its own loopback port and in its own directory.
//!
//! A server is ready when it has answered PING, and is killed when its [`Server`] is dropped; the directory goes
//! with it. When the test panics meanwhile, the end of the server's log is printed.

use crate::{Client, await_true, ports, process};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to answer its first PING.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may take to end after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const LOG_LINES_SHOWN: usize = 30;

/// Which server to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Ours: the path in `WEFT_SERVER`, or the newest `weft-server` in the target directory.
    Weft,
    /// A redis-server, valkey-server or anything that takes their arguments; a name is looked up in `PATH`.
    Peer(PathBuf),
}

impl Program {
    /// The redis-server in `PATH`.
    pub fn redis() -> Program {
        Program::Peer("redis-server".into())
    }

    /// The file to run, or `None` when it is not built or not installed.
    pub fn find(&self) -> Option<PathBuf> {
        match self {
            Program::Weft => find_weft(),
            Program::Peer(path) if path.components().count() > 1 => path.is_file().then(|| path.clone()),
            Program::Peer(name) => {
                let path = std::env::var_os("PATH")?;
                std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
            }
        }
    }
}

/// A running server.
pub struct Server {
    child: Child,
    port: ports::Port,
    directory: PathBuf,
    executable: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Server {
    /// Starts our server. The arguments follow `--port`, `--bind`, `--dir` and `--save ""`, so they may override these.
    pub fn weft<A: AsRef<OsStr>>(arguments: &[A]) -> Server {
        Server::start(&Program::Weft, arguments).unwrap_or_else(|error| panic!("weft-server: {error}"))
    }

    /// Starts the redis-server in `PATH`.
    pub fn redis<A: AsRef<OsStr>>(arguments: &[A]) -> Server {
        Server::start(&Program::redis(), arguments).unwrap_or_else(|error| panic!("redis-server: {error}"))
    }

    /// Starts a server and waits until it answers PING.
    pub fn start<A: AsRef<OsStr>>(program: &Program, arguments: &[A]) -> io::Result<Server> {
        Server::start_in(program, arguments, &[])
    }

    /// As [`Server::start`], with variables added to the environment.
    pub fn start_in<A: AsRef<OsStr>>(
        program: &Program,
        arguments: &[A],
        environment: &[(&str, &str)],
    ) -> io::Result<Server> {
        let executable = program.find().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("{program:?} is not built or not installed"))
        })?;
        let port = ports::reserve()?;
        let directory = new_directory()?;
        let mut all: Vec<OsString> = Vec::new();
        let number = port.number.to_string();
        all.extend(["--port", &number, "--bind", "127.0.0.1", "--save", "", "--dir"].map(OsString::from));
        all.push(directory.clone().into());
        if executable.file_stem().is_some_and(|name| name == "weft-server") {
            // A test is about all its shards, on few processors, too.
            all.extend(["--connection-shards", "1024"].map(OsString::from));
        }
        all.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
        let environment: Vec<(OsString, OsString)> =
            environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let child = spawn(&executable, &all, &environment, &directory)?;
        let mut server = Server { child, port, directory, executable, arguments: all, environment };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts the server again with the same arguments, port and directory, after it was stopped or killed.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill();
        self.child = spawn(&self.executable, &self.arguments, &self.environment, &self.directory)?;
        self.wait_until_ready()
    }

    /// The loopback port it listens on.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// Its working directory, where it writes its files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        self.try_client().unwrap_or_else(|error| panic!("port {}: {error}", self.port()))
    }

    /// A new connection, or why there is none.
    pub fn try_client(&self) -> io::Result<Client> {
        Client::connect(("127.0.0.1", self.port()))
    }

    /// User and system time used so far.
    pub fn cpu_time(&self) -> Duration {
        process::cpu_time(self.pid()).expect("a running server has /proc/<pid>/stat")
    }

    /// Waits until none of its threads wakes for so long: nothing is left for them to do by themselves that is due sooner.
    pub fn await_sleep(&self, span: Duration) {
        let sleeps = || process::sleeps(self.pid()).expect("a running server has /proc/<pid>/task");
        await_true("its threads sleep", || {
            let before = sleeps();
            std::thread::sleep(span);
            sleeps() == before
        });
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.pid()).expect("a running server has /proc/<pid>/status")
    }

    /// What it has written to standard output and standard error so far, over all its starts.
    pub fn log(&self) -> String {
        fs::read(log_path(&self.directory))
            .map_or(String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// False once the process has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end by SIGTERM and waits; kills it when it does not.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        self.wait_exit(STOP_TIMEOUT)
    }

    /// Waits until the process has ended by itself; kills it when it does not in time.
    pub fn wait_exit(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill();
        Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not end in time"))
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("ended at start with {status}:\n{}", self.log_tail())));
            }
            if self.answers_ping() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer to PING:\n{}", self.log_tail())))
    }

    /// A server that wants a password, or is loading, answers with an error; only loading is not yet ready.
    fn answers_ping(&self) -> bool {
        let Ok(mut client) = self.try_client() else { return false };
        client.set_timeout(Duration::from_secs(2));
        match client.try_cmd(&["PING"]) {
            Ok(reply) => !reply.bytes().unwrap_or_default().starts_with(b"LOADING"),
            Err(_) => false,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- end of the log of {} ---\n{}", self.executable.display(), self.log_tail());
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn spawn(
    executable: &Path,
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
    directory: &Path,
) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(log_path(directory))?;
    Command::new(executable)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("server.log")
}

fn new_directory() -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("weft-test-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// The newest build wins, whatever its profile: it is the one that was built for this run.
fn find_weft() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("WEFT_SERVER") {
        return Some(path.into());
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    };
    ["fast", "release", "debug"]
        .iter()
        .map(|profile| target.join(profile).join("weft-server"))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .and_then(|(_, path)| path.canonicalize().ok())
}
