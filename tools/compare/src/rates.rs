//! Bursts of load on several servers in turn: CPU time per request, throughput, latency.

use std::collections::HashSet;
use std::time::Duration;

use crate::args::{Generator, Options};
use crate::cases::{Case, RANDOM, Reset, THEN};
use crate::client::Reply;
use crate::data::Data;
use crate::load::Cpu;
use crate::process::Server;
use crate::procstat::{CpuTime, settle};
use crate::report::RateResult;
use crate::{Outcome, load};

const SETTLE_LONGEST: Duration = Duration::from_secs(5);

/// A server and what is loaded in it.
pub struct Subject {
    pub server: Server,
    loaded: HashSet<Data>,
}

impl Subject {
    pub fn new(server: Server) -> Subject {
        Subject { server, loaded: HashSet::new() }
    }
}

/// One burst on one server.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub cpu_us: f64,
    /// The part of it in user space, 0 to 1; sampled by the kernel, so coarse.
    pub user_share: f64,
    pub requests_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
}

/// The case as the options want it.
pub fn adjusted(case: &Case, options: &Options) -> Case {
    let mut case = *case;
    case.connections = options.connections.unwrap_or(case.connections);
    case.pipeline = options.pipeline.unwrap_or(case.pipeline);
    case.requests = options.requests.unwrap_or((case.requests as f64 * options.scale).ceil() as u64);
    if case.range == 0 {
        case.range = options.keys;
    }
    let in_flight = u64::from(case.connections) * u64::from(case.pipeline);
    match (case.reset, case.data.count) {
        (Reset::EveryRoundPerRequest, _) => case.data.count = case.requests + in_flight,
        (_, 0) => case.data.count = options.keys,
        _ => {}
    }
    if options.generator == Generator::Memtier && !case.data.is_one_key() {
        case.data.key = crate::memtier::KEY_PREFIX_LOADED;
    }
    case
}

/// Measures one case on all servers in turn.
pub fn measure(case: &Case, subjects: &mut [Subject], options: &Options) -> Outcome<RateResult> {
    let case = adjusted(case, options);
    let mut samples: Vec<Result<Vec<Sample>, String>> = Vec::new();
    for subject in subjects.iter_mut() {
        samples
            .push(prepare(&case, subject, options).map(|()| Vec::new()).map_err(|error| error.to_string()));
    }
    for round in 1..=options.rounds {
        let mut line = format!("{:<14} round {round}/{}", case.name, options.rounds);
        for (subject, samples) in subjects.iter_mut().zip(&mut samples) {
            let Ok(done) = samples else { continue };
            match burst(&case, subject, options) {
                Ok(sample) => {
                    done.push(sample);
                    line.push_str(&format!("   {:.3} µs {:.0}/s", sample.cpu_us, sample.requests_per_second));
                }
                Err(error) => {
                    *samples = Err(format!("{error}; the server's log: {}", subject.server.log_tail()))
                }
            }
        }
        eprintln!("{line}");
    }
    for subject in subjects.iter_mut() {
        if case.reset != Reset::Never {
            // A server that failed has said so already.
            let _ = subject.server.client().and_then(|mut client| case.data.delete(&mut client));
        }
    }
    Ok(RateResult { case: case.name, command: load::shown(&case, options), samples })
}

/// Loads shared data, asks the server whether it knows the command at all, and warms it up.
pub fn prepare(case: &Case, subject: &mut Subject, options: &Options) -> Outcome<()> {
    let mut client = subject.server.client()?;
    if subject.loaded.insert(case.data) {
        eprintln!("{:<14} loading {} elements into {}", case.name, case.data.count, subject.server.name);
        case.data.delete(&mut client)?;
        case.data.load(&mut client)?;
    }
    let sha = load::sha_of_script(case, subject.server.port)?;
    let words: Vec<String> =
        load::filled_in(case, &sha).iter().map(|word| word.replace(RANDOM, "000000000000")).collect();
    for probe in words.split(|word| word == THEN) {
        if let Reply::Error(text) = client.call(&probe.iter().map(String::as_str).collect::<Vec<_>>())? {
            return Err(text.into());
        }
    }
    if case.reset == Reset::Never {
        let in_flight = u64::from(case.connections) * u64::from(case.pipeline);
        let warm_up = Case { requests: (case.requests / 10).max(in_flight), ..*case };
        load::run(&warm_up, subject.server.port, options)?;
    }
    Ok(())
}

/// One measured burst.
fn burst(case: &Case, subject: &mut Subject, options: &Options) -> Outcome<Sample> {
    let server = &subject.server;
    if case.reset != Reset::Never {
        let mut client = server.client()?;
        case.data.delete(&mut client)?;
        case.data.load(&mut client)?;
    }
    settle(server.pid, SETTLE_LONGEST)?;
    let before = CpuTime::of(server.pid)?;
    let burst = load::run(case, server.port, options)?;
    let after = CpuTime::of(server.pid)?;
    let whole = Cpu { seconds: after.seconds_since(&before), user_share: after.user_share_since(&before) };
    let cpu = burst.cpu.unwrap_or(whole);
    Ok(Sample {
        cpu_us: cpu.seconds * 1e6 / burst.requests as f64,
        user_share: cpu.user_share,
        requests_per_second: burst.requests_per_second,
        p50_ms: burst.p50_ms,
        p99_ms: burst.p99_ms,
        p999_ms: burst.p999_ms,
    })
}

/// CPU of every server in per cent of one core while nobody asks for anything; all are watched together.
pub fn idle(subjects: &[Subject], seconds: u64) -> Outcome<Vec<f64>> {
    for subject in subjects {
        settle(subject.server.pid, SETTLE_LONGEST)?;
    }
    eprintln!("idle           {seconds} s");
    let before =
        subjects.iter().map(|subject| CpuTime::of(subject.server.pid)).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(Duration::from_secs(seconds));
    let mut percent = Vec::new();
    for (subject, before) in subjects.iter().zip(&before) {
        percent.push(CpuTime::of(subject.server.pid)?.seconds_since(before) * 100.0 / seconds as f64);
    }
    Ok(percent)
}
