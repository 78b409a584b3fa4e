//! What a run found: the figures, their comparison, and their JSON form.

use serde_json::{Value, json};

use crate::memory::Growth;
use crate::rates::Sample;
use crate::spread::Spread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Cpu,
    Throughput,
    P50,
    P99,
    P999,
}

impl Metric {
    pub const ALL: [Metric; 5] = [Metric::Cpu, Metric::Throughput, Metric::P50, Metric::P99, Metric::P999];

    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Metric::Cpu => "cpu",
            Metric::Throughput => "throughput",
            Metric::P50 => "p50",
            Metric::P99 => "p99",
            Metric::P999 => "p999",
        }
    }

    /// A heading with the unit.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Cpu => "server CPU, µs per request",
            Metric::Throughput => "throughput, thousand requests/s",
            Metric::P50 => "latency p50, ms",
            Metric::P99 => "latency p99, ms",
            Metric::P999 => "latency p99.9, ms",
        }
    }

    pub fn less_is_better(self) -> bool {
        self != Metric::Throughput
    }

    pub fn of(self, sample: &Sample) -> f64 {
        match self {
            Metric::Cpu => sample.cpu_us,
            Metric::Throughput => sample.requests_per_second / 1000.0,
            Metric::P50 => sample.p50_ms,
            Metric::P99 => sample.p99_ms,
            Metric::P999 => sample.p999_ms,
        }
    }
}

/// One case of load: for every server its samples in the order of the rounds, or why there are none.
pub struct RateResult {
    pub case: &'static str,
    /// The generator's words, the port left open.
    pub command: String,
    pub samples: Vec<Result<Vec<Sample>, String>>,
}

impl RateResult {
    fn values(&self, server: usize, metric: Metric) -> Option<Vec<f64>> {
        Some(self.samples.get(server)?.as_ref().ok()?.iter().map(|sample| metric.of(sample)).collect())
    }

    pub fn spread(&self, server: usize, metric: Metric) -> Option<Spread> {
        Spread::of(self.values(server, metric)?)
    }

    /// Against the baseline, round by round.
    pub fn ratio(&self, server: usize, baseline: usize, metric: Metric) -> Option<Spread> {
        Spread::of_ratios(&self.values(server, metric)?, &self.values(baseline, metric)?)
    }
}

/// One memory case, for every server.
pub struct MemoryResult {
    pub case: &'static str,
    pub payload_bytes: u64,
    pub growths: Vec<Result<Growth, String>>,
}

impl MemoryResult {
    pub fn ratio(&self, server: usize, baseline: usize) -> Option<f64> {
        let resident = |index: usize| Some(self.growths.get(index)?.as_ref().ok()?.resident);
        Some(resident(server)? / resident(baseline)?)
    }
}

pub struct ServerInfo {
    pub name: String,
    pub command_line: String,
}

/// A whole run. Servers stand in the order in which they took turns.
pub struct Report {
    /// The words of this run, without the program's path.
    pub arguments: String,
    pub machine: Vec<(&'static str, String)>,
    pub servers: Vec<ServerInfo>,
    /// The server all ratios refer to.
    pub baseline: usize,
    pub rounds: usize,
    pub rates: Vec<RateResult>,
    pub memory: Vec<MemoryResult>,
    /// Per cent of one core for every server, if measured.
    pub idle: Vec<f64>,
    pub idle_seconds: u64,
}

impl Report {
    /// Everything, samples included.
    pub fn to_json(&self) -> Value {
        let servers =
            self.servers.iter().map(|server| json!({"name": server.name, "started": server.command_line}));
        let machine = self.machine.iter().map(|(what, value)| (what.to_string(), json!(value)));
        json!({
            "arguments": self.arguments,
            "machine": machine.collect::<serde_json::Map<_, _>>(),
            "servers": servers.collect::<Vec<_>>(),
            "baseline": self.servers[self.baseline].name,
            "rounds": self.rounds,
            "rates": self.rates.iter().map(|result| self.rate_json(result)).collect::<Vec<_>>(),
            "memory": self.memory.iter().map(|result| self.memory_json(result)).collect::<Vec<_>>(),
            "idle_percent": self.idle,
        })
    }

    fn rate_json(&self, result: &RateResult) -> Value {
        let servers = result.samples.iter().enumerate().map(|(index, samples)| match samples {
            Err(error) => json!({"server": self.servers[index].name, "error": error}),
            Ok(samples) => {
                let mut of_server = json!({
                    "server": self.servers[index].name,
                    "user_share": samples.iter().map(|sample| sample.user_share).collect::<Vec<_>>(),
                });
                for metric in Metric::ALL {
                    of_server[metric.name()] = json!({
                        "samples": samples.iter().map(|sample| metric.of(sample)).collect::<Vec<_>>(),
                        "median": result.spread(index, metric).map(|spread| spread.median),
                        "ratio": result.ratio(index, self.baseline, metric).map(|ratio| ratio.median),
                    });
                }
                of_server
            }
        });
        json!({"case": result.case, "command": result.command, "servers": servers.collect::<Vec<_>>()})
    }

    fn memory_json(&self, result: &MemoryResult) -> Value {
        let servers = result.growths.iter().enumerate().map(|(index, growth)| match growth {
            Err(error) => json!({"server": self.servers[index].name, "error": error}),
            Ok(growth) => json!({
                "server": self.servers[index].name,
                "resident": growth.resident,
                "used": growth.used,
                "ratio": result.ratio(index, self.baseline),
            }),
        });
        json!({"case": result.case, "payload": result.payload_bytes, "servers": servers.collect::<Vec<_>>()})
    }
}
