//! The slow log of one shard: the commands that took long, the newest first, with their arguments shortened.

use crate::{Args, Command};
use config::Config;
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Unique on its shard, ascending; see [`SlowLog::push`].
    pub id: u64,
    /// Unix µs; shown in seconds.
    pub time_us: u64,
    pub micros: u64,
    pub args: Vec<Vec<u8>>,
    /// How many arguments there were, with the name.
    pub argc: usize,
    pub addr: String,
    pub name: Vec<u8>,
}

impl Default for Entry {
    /// Of a client that is not known.
    fn default() -> Self {
        Self { id: 0, time_us: 0, micros: 0, args: Vec::new(), argc: 0, addr: "?:0".into(), name: Vec::new() }
    }
}

impl Entry {
    /// Takes the arguments as they are kept: secrets hidden, long ones cut, not more of them than are wanted.
    pub fn keep_args(&mut self, command: &Command, args: Args<'_>, config: &Config) {
        self.argc = args.len() - usize::from(command.added_args).min(args.len());
        let args_max = usize::try_from(config.slowlog_max_argc).unwrap_or(usize::MAX).max(1);
        let bytes_max = usize::try_from(config.slowlog_entry_max_string_len).unwrap_or(usize::MAX);
        let kept = if self.argc > args_max { args_max - 1 } else { self.argc };
        self.args = (0..kept).map(|at| shortened_arg(command, args, at, bytes_max)).collect();
        if kept < self.argc {
            self.args.push(format!("... ({} more arguments)", self.argc - kept).into_bytes());
        }
    }
}

/// What slow commands have cost since the start or CONFIG RESETSTAT, those that have left the log included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub count: u64,
    pub micros: u64,
    pub micros_max: u64,
}

#[derive(Default)]
pub struct SlowLog {
    entries: VecDeque<Entry>,
    next: u64,
    /// By the numbers of commands, of those that ran here.
    pub costs: BTreeMap<u16, Cost>,
    /// Commands that ran for a client of another shard: its home adds who that is.
    pub foreign: Vec<Entry>,
}

impl SlowLog {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub fn push(&mut self, mut entry: Entry, len_max: u64) {
        entry.id = self.next;
        self.next += 1;
        self.entries.push_front(entry);
        self.entries.truncate(usize::try_from(len_max).unwrap_or(usize::MAX));
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// A command with this number ran here for so long, and is to be written down.
    pub fn count(&mut self, id: u16, micros: u64) {
        let cost = self.costs.entry(id).or_default();
        cost.count += 1;
        cost.micros += micros;
        cost.micros_max = cost.micros_max.max(micros);
    }
}

fn shortened_arg(command: &Command, args: Args<'_>, at: usize, bytes_max: usize) -> Vec<u8> {
    let arg = args.at(at);
    if is_secret(command, args, at) {
        b"(redacted)".to_vec()
    } else if arg.len() > bytes_max {
        let more = format!("... ({} more bytes)", arg.len() - bytes_max);
        [&arg[..bytes_max], more.as_bytes()].concat()
    } else {
        arg.to_vec()
    }
}

/// Whether an argument must not be shown in the slow log or to MONITOR: passwords.
pub fn is_secret(command: &Command, args: Args<'_>, at: usize) -> bool {
    match command.full_name {
        "auth" => at > 0,
        "migrate" => crate::families::migrate::is_secret(&args, at),
        "hello" => (2..args.len()).any(|i| args.is(i, "AUTH") && (i + 1..=i + 2).contains(&at)),
        "config|set" => at >= 3 && at % 2 == 1 && config::is_sensitive(args.at(at - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay() {
        let mut log = SlowLog::default();
        (0..5).for_each(|_| log.push(Entry::default(), 3));
        assert_eq!(log.iter().map(|e| e.id).collect::<Vec<_>>(), [4, 3, 2]);
        log.push(Entry::default(), 0);
        assert!(log.is_empty());
    }
}
