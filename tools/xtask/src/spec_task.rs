//! `cargo xtask spec`: replays the dialogues of `tests/spec`.

use spec::peer::Peer;
use spec::{Options, coverage, suite};
use std::path::PathBuf;

const HELP: &str = "\
usage: cargo xtask spec [options] [filter…]

Replays the dialogue files of tests/spec whose path, or sections whose title, contains a filter. Without --port,
--peer and --shards: against weft-server with 1 and 4 shards and redis-server, as far as they are there.

  --shards 1,4     our server with these numbers of shards
  --peer PROGRAM   a redis-server or its like, by name or path
  --port N         a server that runs on a loopback port; it is emptied by FLUSHALL
  --workers N      most servers at a time (4)
  --record         fill in the replies where a file says `< ?` (one server only)
  --coverage       count expected successes, errors and WRONGTYPE errors per command instead of replaying;
                   with --peer or --port also lists the server's commands that no dialogue has
";

/// Most servers that run at a time.
pub const WORKERS_MAX: usize = 4;

/// Where the dialogue files are.
pub fn directory() -> PathBuf {
    crate::root().join("tests/spec")
}

/// Runs the task; false when a dialogue failed.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let mut options = Options {
        directory: directory(),
        peers: vec![],
        filters: vec![],
        workers_max: WORKERS_MAX,
        record: false,
    };
    let mut coverage = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(true);
            }
            "--shards" => {
                for number in value()?.split(',') {
                    options.peers.push(Peer::weft(number.parse().map_err(|_| "--shards 1,4")?));
                }
            }
            "--peer" => options.peers.push(Peer::program(value()?)),
            "--port" => {
                let port = value()?.parse().map_err(|_| "--port needs a number")?;
                options.peers.push(Peer::port(port).map_err(|error| format!("port {port}: {error}"))?);
                options.workers_max = 1;
            }
            "--workers" => options.workers_max = value()?.parse().map_err(|_| "--workers needs a number")?,
            "--record" => options.record = true,
            "--coverage" => coverage = true,
            _ if argument.starts_with('-') => return Err(format!("{argument} is not known\n{HELP}")),
            _ => options.filters.push(argument.clone()),
        }
    }
    if coverage {
        return show_coverage(&options);
    }
    if options.peers.is_empty() {
        options.peers = [Peer::weft(1), Peer::weft(4), Peer::program("redis-server")].into();
        options.peers.retain(Peer::is_available);
    }
    if options.record && options.peers.len() != 1 {
        return Err("--record needs exactly one server".into());
    }
    let tally = suite::run(&options).map_err(|error| error.to_string())?;
    println!("{tally}");
    Ok(tally.failed == 0 && tally.passed > 0)
}

fn show_coverage(options: &Options) -> Result<bool, String> {
    let dialogues = coverage::read(&options.directory)?;
    let counts = coverage::count(&dialogues);
    println!("{:32} {:>9} {:>6} {:>7} {:>9}", "command", "successes", "errors", "arities", "WRONGTYPE");
    for (name, count) in &counts {
        let coverage::Count { successes, errors, arities, wrong_types } = count;
        println!("{name:32} {successes:9} {errors:6} {arities:7} {wrong_types:9}");
    }
    if let Some(peer) = options.peers.first() {
        let mut running = peer.start().map_err(|error| error.to_string())?;
        let mut missing: Vec<String> = running
            .control
            .run("COMMAND LIST")
            .items()
            .unwrap_or_default()
            .iter()
            .filter_map(|name| name.string())
            .map(|name| name.to_ascii_uppercase().replace('|', " "))
            .filter(|name| !counts.contains_key(name) && !counts.keys().any(|known| is_within(known, name)))
            .collect();
        missing.sort();
        println!("in no dialogue: {}", missing.join(" "));
    }
    Ok(true)
}

/// True for `CLIENT LIST` within `CLIENT`.
fn is_within(command: &str, container: &str) -> bool {
    command.strip_prefix(container).is_some_and(|rest| rest.starts_with(' '))
}
