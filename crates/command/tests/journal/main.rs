//! What commands leave in the journal: for each that changes data, the effects that are written down; that nothing was forgotten; and that
//! effects played again make the same data.

mod bed;
mod cases;
mod peer;
mod random;

mod state;

use bed::{Bed, Written, line, row_of, words};
use cases::CASES;
use command::spec::flag;
use command::{Plan, registry};
use state::state;
use std::collections::BTreeSet;

/// Commands that are always written as they were given, or are not written at all, and have no case: why.
const WITHOUT_CASE: &[(&str, &str)] = &[
    ("migrate", "needs another server: see the tests of `server`"),
    ("restore", "has a test of its own, for its payload is no word"),
    ("restore-asking", "the same"),
    ("function|delete", LIBRARIES),
    ("function|flush", LIBRARIES),
    ("function|load", LIBRARIES),
    ("function|restore", LIBRARIES),
    ("FT.ALIASADD", INDEXES),
    ("FT.ALIASDEL", INDEXES),
    ("FT.ALIASUPDATE", INDEXES),
    ("FT.ALTER", INDEXES),
    ("FT.CREATE", INDEXES),
    ("FT.DICTADD", INDEXES),
    ("FT.DICTDEL", INDEXES),
    ("FT.DROPINDEX", INDEXES),
    ("FT.SYNUPDATE", INDEXES),
];
const INDEXES: &str = "is about indexes, not about keys: see the tests of `recovery`";
const LIBRARIES: &str = "says what is to be there; depends on nothing else";

/// Commands that may change data without being marked as writing.
const UNMARKED: &[&str] = &["pfcount"];

/// A line of [`CASES`].
pub struct Case {
    /// The version of Redis it needs, if 7.0 does not know it.
    pub since: Option<&'static str>,
    pub before: Vec<&'static str>,
    pub command: &'static str,
    pub effects: Vec<&'static str>,
    /// What redis-server 7.0 writes.
    pub of_redis: Vec<&'static str>,
}

impl Case {
    fn parse(line: &'static str) -> Self {
        let (since, rest) = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((version, rest)) => (Some(version), rest),
            None => (None, line),
        };
        let (commands, effects) = rest.split_once(" => ").unwrap_or_else(|| panic!("no effects: {line}"));
        let mut before: Vec<_> = commands.split(" ; ").collect();
        let command = before.pop().expect("a command");
        let listed = |text: &'static str| match text {
            "same" => vec![command],
            "nothing" => Vec::new(),
            text => text.split(" ; ").collect(),
        };
        let (ours, of_redis) = effects.split_once(" <> ").unwrap_or((effects, effects));
        Self { since, before, command, effects: listed(ours), of_redis: listed(of_redis) }
    }
}

pub fn cases() -> impl Iterator<Item = Case> {
    CASES.lines().filter(|line| !line.is_empty()).map(Case::parse)
}

fn lines(written: &[Written]) -> Vec<String> {
    written
        .iter()
        .map(|(db, words)| format!("{}{}", if *db == 0 { "" } else { "other db: " }, line(words)))
        .collect()
}

/// A shard whose effects are written down.
fn journalling(seed: u64, settings: &[(&str, &str)]) -> Bed {
    let mut bed = Bed::new(seed, settings);
    bed.shard.journal.is_on = true;
    bed.shard.journal.begin_gathering();
    bed
}

/// Whether what was written down makes the same data under another hash seed, with other numbers drawn, at any time; what is
/// different otherwise.
fn replay(bed: &Bed, written: &[Written], settings: &[(&str, &str)]) -> Result<(), String> {
    let mut other = Bed::new(99, settings);
    other.play(written)?;
    let now_ms = bed.shard.now_ms;
    let (expected, found) = (state(&bed.shard, now_ms), state(&other.shard, now_ms));
    for key in expected.keys().chain(found.keys()) {
        if expected.get(key) != found.get(key) {
            return Err(format!("{key}:\n{:?}\n{:?}", expected.get(key), found.get(key)));
        }
    }
    other.shard.dbs.iter().try_for_each(keyspace::Db::audit)
}

#[test]
fn each_case_is_written_as_it_should_be() {
    let mut problems = Vec::new();
    for case in cases() {
        let mut bed = journalling(1, &[]);
        case.before.iter().for_each(|line| {
            let reply = bed.ask(line);
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        });
        let mut written = bed.take();
        let reply = bed.ask(case.command);
        let effects = bed.take();
        if reply.starts_with('-') || lines(&effects) != case.effects {
            let before = case.before.join(" ; ");
            problems.push(format!(
                "{before} ; {} => {} ({reply})",
                case.command,
                lines(&effects).join(" ; ")
            ));
        }
        written.extend(effects);
        // As in Redis it is forgotten that a consumer has read again what it had.
        if !case.command.ends_with("STREAMS a 0") {
            replay(&bed, &written, &[]).unwrap_or_else(|problem| panic!("{}: {problem}", case.command));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_command_that_writes_is_decided_on() {
    let has_case: BTreeSet<&str> = cases().map(|case| row_of(&words(case.command)).full_name).collect();
    let rows = registry::all().flat_map(|row| std::iter::once(row).chain(row.subcommands));
    let writes = |flags: u64| flags & flag::WRITE != 0;
    let all: BTreeSet<&str> = rows
        .filter(|row| {
            writes(row.flags) && !matches!(row.plan, Plan::Container) || UNMARKED.contains(&row.full_name)
        })
        .map(|row| row.full_name)
        .collect();
    let excused: BTreeSet<&str> = WITHOUT_CASE.iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> =
        all.iter().filter(|name| !has_case.contains(*name) && !excused.contains(*name)).collect();
    assert!(missing.is_empty(), "what is written down of these? Say it in cases.rs: {missing:?}");
    let stale: Vec<_> =
        excused.iter().filter(|name| has_case.contains(*name) || !all.contains(*name)).collect();
    assert!(stale.is_empty(), "these need no excuse: {stale:?}");
}

/// A check sum that was passed over is right where it is played again.
#[test]
fn restored_values_have_right_check_sums() {
    for options in ["", "REPLACE ABSTTL"] {
        let mut bed = journalling(1, &[]);
        bed.ask("RPUSH a x y");
        let reply = bed.run(0, &words("DUMP a"));
        let header = reply.iter().position(|&byte| byte == b'\n').expect("a bulk") + 1;
        let mut payload = reply[header..reply.len() - 2].to_vec();
        *payload.last_mut().expect("it has a check sum") ^= 1;
        bed.take();
        let command = [words("RESTORE b 0"), vec![payload], words(options)].concat();
        assert!(bed.run(0, &command).starts_with(b"-ERR DUMP payload version or checksum are wrong"));
        bed.shard.skip_checksums = true;
        assert_eq!(bed.run(0, &command), b"+OK\r\n");
        let mut written = vec![(0, words("RPUSH a x y"))];
        written.extend(bed.take());
        replay(&bed, &written, &[]).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

#[test]
fn restored_values_have_absolute_times() {
    let mut bed = journalling(1, &[]);
    bed.ask("RPUSH a x y");
    let reply = bed.run(0, &words("DUMP a"));
    let header = reply.iter().position(|&byte| byte == b'\n').expect("a bulk") + 1;
    let payload = reply[header..reply.len() - 2].to_vec();
    bed.take();
    let restore = |ttl: &str, options: &str| {
        [words(&format!("RESTORE b {ttl}")), vec![payload.clone()], words(options)].concat()
    };
    let expected = [
        (restore("0", ""), restore("0", "")),
        (restore("10000", "REPLACE"), restore("1800000010000", "REPLACE ABSTTL")),
        (restore("1900000000000", "REPLACE ABSTTL"), restore("1900000000000", "REPLACE ABSTTL")),
        (restore("1000", "REPLACE ABSTTL"), words("DEL b")),
    ];
    for (given, written) in expected {
        bed.run(0, &given);
        assert_eq!(lines(&bed.take()), [line(&written)], "{}", line(&given));
    }
    bed.run(0, &restore("1000", "REPLACE ABSTTL"));
    assert_eq!(lines(&bed.take()), [""; 0]);
}

#[test]
fn consumers_that_are_made_again_were_seen_at_the_start() {
    let mut bed = Bed::new(1, &[]);
    let lines = ["XGROUP CREATE x g 0 MKSTREAM", "XGROUP CREATECONSUMER x g c"];
    bed.play(&lines.map(|line| (0, words(line)))).unwrap();
    bed.shard.now_ms += 7000;
    assert!(bed.ask("XINFO CONSUMERS x g").contains("$4\r\nidle\r\n:7000\r\n"));
}

#[test]
fn what_redis_has_made_exact_is_taken_with_its_limit() {
    let mut bed = Bed::new(1, &[]);
    let lines = [
        "XADD x 5-1 f 1",
        "XADD x 6-1 f 1",
        "XADD x MAXLEN = 2 LIMIT 1 7-1 f 1",
        "XTRIM x MINID = 7-0 LIMIT 1",
    ];
    bed.play(&lines.map(|line| (0, words(line)))).unwrap();
    assert_eq!(bed.ask("XLEN x"), ":1\r\n");
    assert!(bed.ask("XTRIM x MINID = 7-0 LIMIT 1").starts_with("-ERR syntax error, LIMIT"));
}

#[test]
fn what_is_popped_at_random_is_named() {
    for (members, count) in [(5, 2), (5, 4), (700, 20), (700, 650), (700, 699), (3000, 2500)] {
        let mut bed = journalling(members, &[]);
        let all: Vec<_> = (0..members).map(|n| format!("m{n}")).collect();
        bed.ask(&format!("SADD a {}", all.join(" ")));
        bed.ask(&format!("SPOP a {count}"));
        let written = bed.take();
        assert!(written[1..].iter().all(|(_, words)| words[0] == b"SREM" && words.len() <= 1026));
        assert_eq!(written[1..].iter().map(|(_, words)| words.len() - 2).sum::<usize>(), count);
        replay(&bed, &written, &[]).unwrap();
    }
}
