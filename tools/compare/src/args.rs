//! The command line.

use std::path::PathBuf;

use crate::Outcome;
use crate::report::Metric;

pub const USAGE: &str = "\
usage: compare [MODE] [OPTIONS]

modes
  peers          Weft and its peers in turn (the default)
  self           Weft against itself with the shard counts of --shards 1,2,4
  instructions   instructions per request in user space, under callgrind
  handover       time from a push to the reply of a client that waited for it
  snapshots      saving, loading, and what clients and memory notice of a save under load
  cases          list the cases

servers
  --weft PATH            the server under test [target/release/weft-server]
  --weft-args 'A B'      further arguments (split at blanks)
  --shards N[,N…]        --shards for Weft; in mode `self` one server for each
  --peer PATH            a peer; repeatable; the first is the baseline [redis-server]
  --peer-args 'A B'      further arguments of the peer named before
  --name NAME            name of the server named before [kind and version from INFO]
  --bare                 give the server named before only --port and its own arguments
  --no-weft              only the peers
  --server-cpus LIST     cores for the servers [0]
  --load-cpus LIST       cores for the load generator [1]
  --load-threads N       threads of the load generator [1]
  --generator NAME       redis-benchmark or memtier (GET and SET cases only) [redis-benchmark]

what is measured
  --cases A,B            names, or the groups rates, extra, memory, idle, all [rates]
  --rounds N             interleaved rounds [5]
  --scale F              multiply the requests of every case [1]
  --requests N           requests of every burst, instead of the table's
  --connections N        likewise
  --pipeline N           likewise
  --keys N               keys before the start, and range of the random keys [1000000]
  --idle-seconds N       length of the idle case [10]
  --timeout-seconds N    longest time one burst may take [120]

output
  --json FILE   --markdown FILE   --svg FILE
  --chart METRIC         cpu, throughput, p50, p99 or p999 [cpu; throughput in mode `self`]
  --callgrind-dir DIR    keep callgrind's files here
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Peers,
    Itself,
    Instructions,
    HandOver,
    Snapshots,
    Cases,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    RedisBenchmark,
    Memtier,
}

/// A server program as named on the command line.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub args: Vec<String>,
    pub name: Option<String>,
    pub bare: bool,
}

impl Program {
    fn new(path: &str) -> Program {
        Program { path: path.into(), args: Vec::new(), name: None, bare: false }
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub weft: Option<Program>,
    pub peers: Vec<Program>,
    pub shards: Vec<u32>,
    pub server_cpus: String,
    pub load_cpus: String,
    pub load_threads: u32,
    pub generator: Generator,
    pub cases: Vec<String>,
    pub rounds: usize,
    pub scale: f64,
    pub requests: Option<u64>,
    pub connections: Option<u32>,
    pub pipeline: Option<u32>,
    pub keys: u64,
    pub idle_seconds: u64,
    pub timeout_seconds: u64,
    pub json: Option<PathBuf>,
    pub markdown: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub chart: Metric,
    pub callgrind_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::Peers,
            weft: Some(Program::new("target/release/weft-server")),
            peers: Vec::new(),
            shards: Vec::new(),
            server_cpus: "0".into(),
            load_cpus: "1".into(),
            load_threads: 1,
            generator: Generator::RedisBenchmark,
            cases: vec!["rates".into()],
            rounds: 5,
            scale: 1.0,
            requests: None,
            connections: None,
            pipeline: None,
            keys: 1_000_000,
            idle_seconds: 10,
            timeout_seconds: 120,
            json: None,
            markdown: None,
            svg: None,
            chart: Metric::Cpu,
            callgrind_dir: None,
        }
    }
}

/// Which server `--name` and `--bare` speak of.
enum Named {
    Weft,
    LastPeer,
}

/// Reads the command line, without the program's name.
pub fn parse(words: impl Iterator<Item = String>) -> Outcome<Options> {
    let mut options = Options::default();
    let mut named = Named::Weft;
    let mut no_weft = false;
    let mut words = words.peekable();
    match words.peek().map(String::as_str) {
        Some("peers") => {}
        Some("self") => (options.mode, options.chart) = (Mode::Itself, Metric::Throughput),
        Some("instructions") => options.mode = Mode::Instructions,
        Some("handover") => options.mode = Mode::HandOver,
        Some("snapshots") => options.mode = Mode::Snapshots,
        Some("cases") => options.mode = Mode::Cases,
        Some("-h" | "--help" | "help") => return Err(USAGE.into()),
        Some(word) if !word.starts_with('-') => return Err(format!("no mode {word:?}\n\n{USAGE}").into()),
        _ => {}
    }
    words.next_if(|word| !word.starts_with('-'));
    while let Some(word) = words.next() {
        match word.as_str() {
            "--no-weft" => no_weft = true,
            "--bare" => server_named(&mut options, &named).bare = true,
            option => {
                let value = words.next().ok_or_else(|| format!("{option} needs a value\n\n{USAGE}"))?;
                match option {
                    "--weft" | "--weft-args" => named = Named::Weft,
                    "--peer" | "--peer-args" => named = Named::LastPeer,
                    _ => {}
                }
                set(&mut options, &named, option, value)?;
            }
        }
    }
    if options.peers.is_empty() && matches!(options.mode, Mode::Peers | Mode::HandOver | Mode::Snapshots) {
        options.peers.push(Program::new("redis-server"));
    }
    if no_weft {
        options.weft = None;
    }
    check(&options)?;
    Ok(options)
}

fn server_named<'o>(options: &'o mut Options, named: &Named) -> &'o mut Program {
    match named {
        Named::Weft => options.weft.get_or_insert_with(|| Program::new("target/release/weft-server")),
        Named::LastPeer => {
            if options.peers.is_empty() {
                options.peers.push(Program::new("redis-server"));
            }
            options.peers.last_mut().expect("a peer was just made sure of")
        }
    }
}

fn set(options: &mut Options, named: &Named, option: &str, value: String) -> Outcome<()> {
    match option {
        "--weft" => server_named(options, &Named::Weft).path = value.into(),
        "--peer" => options.peers.push(Program::new(&value)),
        "--weft-args" | "--peer-args" => {
            server_named(options, named).args = value.split_whitespace().map(str::to_owned).collect();
        }
        "--name" => server_named(options, named).name = Some(value),
        "--shards" => options.shards = list(option, &value)?,
        "--server-cpus" => options.server_cpus = value,
        "--load-cpus" => options.load_cpus = value,
        "--load-threads" => options.load_threads = number(option, &value)?,
        "--generator" => {
            options.generator = match value.as_str() {
                "redis-benchmark" => Generator::RedisBenchmark,
                "memtier" | "memtier_benchmark" => Generator::Memtier,
                _ => return Err(format!("no load generator {value:?}").into()),
            }
        }
        "--cases" => options.cases = list(option, &value)?,
        "--rounds" => options.rounds = number(option, &value)?,
        "--scale" => options.scale = number(option, &value)?,
        "--requests" => options.requests = Some(number(option, &value)?),
        "--connections" => options.connections = Some(number(option, &value)?),
        "--pipeline" => options.pipeline = Some(number(option, &value)?),
        "--keys" => options.keys = number(option, &value)?,
        "--idle-seconds" => options.idle_seconds = number(option, &value)?,
        "--timeout-seconds" => options.timeout_seconds = number(option, &value)?,
        "--json" => options.json = Some(value.into()),
        "--markdown" => options.markdown = Some(value.into()),
        "--svg" => options.svg = Some(value.into()),
        "--callgrind-dir" => options.callgrind_dir = Some(value.into()),
        "--chart" => {
            options.chart = Metric::named(&value).ok_or_else(|| format!("no metric {value:?}"))?;
        }
        _ => return Err(format!("no option {option:?}\n\n{USAGE}").into()),
    }
    Ok(())
}

fn number<N: std::str::FromStr>(option: &str, value: &str) -> Outcome<N> {
    value.parse().map_err(|_| format!("{option}: {value:?} is not a number it can take").into())
}

fn list<N: std::str::FromStr>(option: &str, value: &str) -> Outcome<Vec<N>> {
    value.split(',').map(|part| number(option, part.trim())).collect()
}

/// Bounds that keep every loop of a run finite and every division defined.
fn check(options: &Options) -> Outcome<()> {
    if !(1..=1000).contains(&options.rounds) {
        return Err("--rounds must be between 1 and 1000".into());
    }
    if !(options.scale > 0.0 && options.scale <= 1000.0) {
        return Err("--scale must be above 0 and at most 1000".into());
    }
    if !(1..=100_000_000).contains(&options.keys) {
        return Err("--keys must be between 1 and 100000000".into());
    }
    if options.requests == Some(0) || options.connections == Some(0) || options.pipeline == Some(0) {
        return Err("--requests, --connections and --pipeline must be at least 1".into());
    }
    if !(1..=3600).contains(&options.idle_seconds) || !(1..=86_400).contains(&options.timeout_seconds) {
        return Err("--idle-seconds and --timeout-seconds are out of range".into());
    }
    if options.mode == Mode::Itself && options.shards.is_empty() {
        return Err("mode `self` needs --shards, for example --shards 1,2,4".into());
    }
    if options.mode == Mode::Peers && options.shards.len() > 1 {
        return Err("mode `peers` takes one --shards; several are for mode `self`".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Outcome<Options> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_default_peer_is_redis() {
        let options = parsed("").unwrap();
        assert_eq!(options.peers[0].path, PathBuf::from("redis-server"));
        assert!(options.weft.is_some());
    }

    #[test]
    fn arguments_belong_to_the_server_named_before() {
        let options = parsed("peers --peer a --peer-args x --name one --peer b --bare --no-weft").unwrap();
        assert!(options.weft.is_none());
        assert_eq!(options.peers[0].args, ["x"]);
        assert_eq!(options.peers[0].name.as_deref(), Some("one"));
        assert!(!options.peers[0].bare && options.peers[1].bare);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["frobnicate", "--rounds 0", "--scale nan", "--keys", "self", "--chart smell", "--what 3"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
