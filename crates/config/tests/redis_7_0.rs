//! Names and defaults against what `CONFIG GET *` of redis-server 7.0.15 shows (`dir` apart, which depends on
//! the machine). What Redis 7.4 and 8 added or changed is listed here, so that a new difference is noticed.

use std::collections::BTreeMap;

use config::Config;

const REDIS: &str = include_str!("redis_7_0_defaults.txt");

/// Not in 7.0: later names (the `_cpulist` names remain as aliases), and Weft's own.
const NEWER: &[&str] = &[
    "aof-load-corrupt-tail-max-size",
    "aof-rewrite-cpulist",
    "array-slice-size",
    "array-sparse-kmax",
    "array-sparse-kmin",
    "backup-sealed-ttl",
    "backupdirname",
    "bgsave-cpulist",
    "bio-cpulist",
    "cluster-announce-human-nodename",
    "cluster-compatibility-sample-ratio",
    "cluster-slot-stats-enabled",
    "commandlog-execution-slower-than",
    "commandlog-slow-execution-max-len",
    "connection-shards",
    "cpu-pinning",
    "dir",
    "hide-user-data-from-log",
    "io-backend",
    "locale-collate",
    "lookahead",
    "max-new-connections-per-cycle",
    "max-new-tls-connections-per-cycle",
    "preload-file",
    "primaryauth",
    "primaryuser",
    "rdb-save-memory",
    "rdb-version",
    "repl-rdb-channel",
    "replica-full-sync-buffer-limit",
    "search-_info-on-zero-indexes",
    "search-bm25std-tanh-factor",
    "search-cursor-max-idle",
    "search-cursor-read-size",
    "search-default-dialect",
    "search-default-scorer",
    "search-enable-unstable-features",
    "search-index-cursor-limit",
    "search-max-aggregate-groups",
    "search-max-aggregate-results",
    "search-max-prefix-expansions",
    "search-max-search-results",
    "search-min-prefix",
    "search-min-stem-len",
    "search-on-timeout",
    "search-timeout",
    "server-cpulist",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "shard-cpus",
    "shards",
    "slowlog-entry-max-argc",
    "slowlog-entry-max-string-len",
    "slowlog-max-argc",
    "stream-idmp-duration",
    "stream-idmp-maxsize",
    "vset-force-single-threaded-execution",
];

/// In 7.0 found by patterns, hidden since.
const HIDDEN_SINCE: &[&str] = &["aof-disable-auto-gc"];

#[test]
fn names_and_defaults() {
    let config = Config::default();
    let ours: BTreeMap<String, String> = config
        .get(&["*"])
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
        .collect();
    let theirs: BTreeMap<&str, &str> =
        REDIS.lines().map(|line| line.split_once(' ').expect("a name and a value")).collect();
    assert!(theirs.len() > 180);
    for (name, value) in &theirs {
        if !HIDDEN_SINCE.contains(name) {
            assert_eq!(ours.get(*name).map(String::as_str), Some(*value), "{name}");
        }
    }
    let newer: Vec<&str> =
        ours.keys().map(String::as_str).filter(|name| !theirs.contains_key(name)).collect();
    assert_eq!(newer, NEWER);
}
