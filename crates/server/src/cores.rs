//! How many shards there are and which processor each is kept on.

use config::{Config, CpuPinning};
use runtime::thread;
use std::fmt::Write;

/// Where the shards run.
#[derive(Debug, PartialEq, Eq)]
pub struct Cores {
    /// One entry per shard: its processor, or `None` to let the scheduler choose.
    pub pinned: Vec<Option<usize>>,
    /// The processors among which a shard moves when it has to wait for others on its own; none if it stays, or has none of its own.
    pub moves_among: Vec<usize>,
    /// There are more shards than processors. Then none interrupts another when it wakes up: who is interrupted in the middle of its turn keeps
    /// the others waiting for its part, and nobody can run its mail meanwhile (see docs/decisions/more-shards-than-processors.md).
    pub shared: bool,
    /// On so many of the shards, evenly spread, connections are dealt out. Who serves few connections sends few commands at a time to each
    /// of the others: with more shards than processors, those that take connections are as many as there are processors.
    pub connection_shards: usize,
}

impl Cores {
    /// As the configuration says, on this machine.
    pub fn new(config: &Config) -> Self {
        let available = thread::available_cpus();
        // A container's share of processor time may be less than the processors it may run on.
        let quota = std::thread::available_parallelism().map_or(available.len(), usize::from);
        Self::plan(config, &available, quota)
    }

    fn plan(config: &Config, available: &[usize], quota: usize) -> Self {
        let named = &config.shard_cpus;
        let shards = match (config.shards, named.len()) {
            (0, 0) => quota.min(available.len()).max(1),
            (0, named) => named,
            (shards, _) => shards,
        };
        let cpus = if named.is_empty() { available } else { named };
        // Two shards on one processor, or several containers all on the first ones, are better left to the scheduler.
        let shared = shards > cpus.len();
        let crowded = shared || named.is_empty() && quota < available.len();
        let pin = config.cpu_pinning != CpuPinning::No && !crowded;
        let moves = pin && config.cpu_pinning == CpuPinning::Auto;
        let connection_shards = match config.connection_shards {
            0 => cpus.len().max(1),
            count => count,
        };
        let pinned = (0..shards).map(|shard| pin.then(|| cpus[shard])).collect();
        let moves_among = if moves { cpus.to_vec() } else { Vec::new() };
        Self { pinned, moves_among, shared, connection_shards: connection_shards.min(shards) }
    }

    pub fn shards(&self) -> usize {
        self.pinned.len()
    }

    /// For the log.
    pub fn describe(&self) -> String {
        let shards = self.shards();
        let mut text = format!("Shards: {shards}, ");
        let pinned: Vec<usize> = self.pinned.iter().flatten().copied().collect();
        if pinned.is_empty() {
            text.push_str("on any processor");
            if self.shared {
                text.push_str(", more than there are: none interrupts another");
            }
        } else {
            text.push_str("each kept on a processor of its own:");
            for cpu in &pinned {
                let _ = write!(text, " {cpu}");
            }
            if !self.moves_among.is_empty() {
                text.push_str(", until it has to wait for others there");
            }
        }
        if self.connection_shards < shards {
            let _ = write!(text, "; connections are dealt out on {}", self.connection_shards);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::DirectiveId;

    fn cores(settings: &[(&'static str, &str)], available: &[usize], quota: usize) -> Cores {
        let mut config = Config::default();
        for (name, value) in settings {
            config.assign(DirectiveId::of(name), value.as_bytes()).unwrap();
        }
        Cores::plan(&config, available, quota)
    }

    #[test]
    fn shards_and_processors() {
        let plan = |settings: &[_], available: &[_], quota| cores(settings, available, quota).pinned;
        assert_eq!(plan(&[], &[0, 1], 2), [Some(0), Some(1)]);
        assert_eq!(plan(&[("shards", "1")], &[3, 5], 2), [Some(3)]);
        assert_eq!(plan(&[("shards", "3")], &[0, 1], 2), [None, None, None]);
        assert_eq!(plan(&[("cpu-pinning", "no")], &[0, 1], 2), [None, None]);
        assert_eq!(plan(&[], &[0, 1, 2, 3], 2), [None, None], "a container with two processors' time");
        assert_eq!(plan(&[("shard-cpus", "2-3")], &[0, 1, 2, 3], 4), [Some(2), Some(3)]);
        assert_eq!(plan(&[("shard-cpus", "2"), ("shards", "2")], &[0, 1, 2], 3), [None, None]);
    }

    #[test]
    fn they_move_only_if_they_are_kept_somewhere_and_nobody_has_asked_for_that() {
        let moves_among = |settings: &[_], available: &[_]| cores(settings, available, 4).moves_among;
        assert_eq!(moves_among(&[("shards", "2")], &[0, 1, 2, 3]), [0, 1, 2, 3]);
        assert_eq!(moves_among(&[("shard-cpus", "2-3")], &[0, 1, 2, 3]), [2, 3]);
        assert!(moves_among(&[("cpu-pinning", "yes")], &[0, 1, 2, 3]).is_empty());
        assert!(moves_among(&[("cpu-pinning", "no")], &[0, 1, 2, 3]).is_empty());
        assert!(moves_among(&[("shards", "5")], &[0, 1, 2, 3]).is_empty());
    }

    #[test]
    fn processors_are_shared_if_there_are_too_few() {
        let shared = |settings: &[_], available: &[_], quota| cores(settings, available, quota).shared;
        assert!(!shared(&[], &[0, 1], 2));
        assert!(!shared(&[("shards", "2"), ("cpu-pinning", "no")], &[0, 1], 2));
        assert!(shared(&[("shards", "3")], &[0, 1], 2));
        assert!(!shared(&[], &[0, 1, 2, 3], 2), "its threads may run on all four");
        assert!(shared(&[("shard-cpus", "2"), ("shards", "2")], &[0, 1, 2], 3));
    }

    #[test]
    fn connections_are_dealt_out_on_as_many_shards_as_run_at_a_time() {
        let connection_shards =
            |settings: &[_], available: &[_]| cores(settings, available, available.len()).connection_shards;
        assert_eq!(connection_shards(&[("shards", "4")], &[0, 1, 2, 3]), 4);
        assert_eq!(connection_shards(&[("shards", "4")], &[0, 1]), 2);
        assert_eq!(connection_shards(&[("shards", "1")], &[0, 1]), 1);
        assert_eq!(connection_shards(&[("shards", "4"), ("shard-cpus", "1")], &[0, 1]), 1);
        assert_eq!(connection_shards(&[("shards", "4"), ("connection-shards", "3")], &[0, 1]), 3);
        assert_eq!(connection_shards(&[("shards", "2"), ("connection-shards", "3")], &[0, 1]), 2);
    }

    #[test]
    fn the_log_names_the_processors() {
        let pinned = |moves_among| {
            Cores { pinned: vec![Some(0), Some(4)], moves_among, shared: false, connection_shards: 2 }
                .describe()
        };
        assert_eq!(pinned(vec![]), "Shards: 2, each kept on a processor of its own: 0 4");
        assert_eq!(
            pinned(vec![0, 4]),
            "Shards: 2, each kept on a processor of its own: 0 4, until it has to wait for others there"
        );
        let unpinned = |shards, shared, connection_shards| {
            let (pinned, moves_among) = (vec![None; shards], vec![]);
            Cores { pinned, moves_among, shared, connection_shards }.describe()
        };
        assert_eq!(unpinned(1, false, 1), "Shards: 1, on any processor");
        let crowded = "Shards: 3, on any processor, more than there are: none interrupts another";
        assert_eq!(unpinned(3, true, 3), crowded);
        assert_eq!(unpinned(3, true, 2), format!("{crowded}; connections are dealt out on 2"));
    }
}
