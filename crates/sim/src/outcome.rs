//! What to run, and what a run came to.

use crate::check::ProgramOrder;
use crate::history::Record;
use crate::rules::{Rule, Rules};
use crate::workload::Theme;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub rules: Rules,
    /// What clients do; without, the seed chooses.
    pub theme: Option<Theme>,
    pub program_order: ProgramOrder,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// No order explains what the clients saw.
    Order(String),
    /// The checker gave up.
    Undecided(String),
    /// A client got what is no reply to what it asked.
    Reply(String),
    /// A client got a message that it should not have got then, or did not get one.
    Message(String),
    /// A client that caches keeps what is out of date.
    Cache(String),
    /// Everybody waits.
    Standstill(String),
    /// All is answered, yet something is under way.
    Unsettled(String),
    /// An account of memory is wrong.
    Books(String),
}

/// What a run came to.
pub struct Outcome {
    pub plan: Plan,
    pub anomalies: Vec<Anomaly>,
    pub history: Vec<Record>,
    /// The same for the same plan, down to each step.
    pub trace: u64,
    pub steps: u64,
    pub shards: usize,
    pub theme: Theme,
    /// Connections that went from one shard to another.
    pub moves: u64,
    /// How often a shard ran the mail of another one.
    pub visits: u64,
    /// Replies of which the network took only a part at first.
    pub cuts: u64,
    /// What has been heard: messages of channels, invalidations.
    pub messages: usize,
    pub invalidations: usize,
}

impl Outcome {
    /// How to see it again, and what went wrong.
    pub fn describe(&self) -> String {
        let broken: Vec<&str> = Rule::ALL
            .into_iter()
            .filter(|rule| !self.plan.rules.keep(*rule))
            .map(|rule| rule.name())
            .collect();
        let broken = if broken.is_empty() { "none".to_owned() } else { broken.join(",") };
        let mut text = format!(
            "seed {} ({} shards, {} operations, {} steps, {} moves; rules broken: {broken}; {:?}; {:?})\n",
            self.plan.seed,
            self.shards,
            self.history.len(),
            self.steps,
            self.moves,
            self.theme,
            self.plan.program_order
        );
        for anomaly in &self.anomalies {
            text += &match anomaly {
                Anomaly::Order(why) => format!("no order explains it: {why}"),
                Anomaly::Undecided(why) => format!("the checker gave up: {why}"),
                Anomaly::Reply(why) => format!("wrong reply: {why}\n"),
                Anomaly::Message(why) => format!("wrong message: {why}\n"),
                Anomaly::Cache(why) => format!("wrong cache: {why}\n"),
                Anomaly::Standstill(why) => format!("everybody waits:\n{why}\n"),
                Anomaly::Unsettled(why) => format!("left over: {why}\n"),
                Anomaly::Books(why) => format!("wrong account: {why}\n"),
            };
        }
        text
    }
}
