//! What the server observes, how it stores data, and the directives that are Weft's own.

use super::checks;
use crate::choice::{CpuPinning, IoBackend};
use crate::directive::{
    Directive, I32_MAX, I64_MAX, Kind, SIZE_MAX, bytes, choice, int, obsolete, optional, special, yes_no,
};

pub(super) const SLOW_LOG: &[Directive] = &[
    int("slowlog-log-slower-than", -1, I64_MAX, "10000")
        .aliases(&["commandlog-execution-slower-than"])
        .works("Microseconds after which a command is logged as slow; -1 logs none, 0 all."),
    int("slowlog-max-len", 0, I64_MAX, "128")
        .aliases(&["commandlog-slow-execution-max-len"])
        .works("Entries of the slow log."),
    int("slowlog-max-argc", 2, I32_MAX, "32")
        .aliases(&["slowlog-entry-max-argc"])
        .works("Arguments of a command that the slow log keeps."),
    int("slowlog-entry-max-string-len", 1, I32_MAX, "128").works("Bytes of an argument that it keeps."),
];

pub(super) const LATENCY: &[Directive] = &[
    int("latency-monitor-threshold", 0, I64_MAX, "0")
        .works("Milliseconds after which LATENCY notes an event; 0 notes none."),
    yes_no("latency-tracking", "yes")
        .works("Keep the distribution of each command's times, for LATENCY HISTOGRAM and INFO latencystats."),
    special("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9")
        .works("Percentiles that INFO latencystats shows."),
];

pub(super) const EVENTS: &[Directive] = &[special("notify-keyspace-events", Kind::KeyEvents, "")
    .works("Classes of events of keys to publish, one letter each; K and E say on which channels.")];

pub(super) const ENCODINGS: &[Directive] = &[
    int("hash-max-listpack-entries", 0, I64_MAX, "512")
        .aliases(&["hash-max-ziplist-entries"])
        .works("Fields of a hash that is kept as a listpack."),
    bytes("hash-max-listpack-value", 0, SIZE_MAX, "64")
        .aliases(&["hash-max-ziplist-value"])
        .works("Bytes of its longest field or value."),
    int("list-max-listpack-size", -I32_MAX - 1, I32_MAX, "-2")
        .aliases(&["list-max-ziplist-size"])
        .works("Elements in a node of a list; -1 to -5 stand for 4, 8, 16, 32, 64 KiB."),
    int("list-compress-depth", 0, I32_MAX, "0").accepted("Nodes of lists are not compressed."),
    int("set-max-intset-entries", 0, I64_MAX, "512").works("Members of a set of integers kept as an intset."),
    int("set-max-listpack-entries", 0, I64_MAX, "128").works("Members of a set that is kept as a listpack."),
    int("set-max-listpack-value", 0, I64_MAX, "64").works("Bytes of its longest member."),
    int("zset-max-listpack-entries", 0, I64_MAX, "128")
        .aliases(&["zset-max-ziplist-entries"])
        .works("Members of a sorted set that is kept as a listpack."),
    bytes("zset-max-listpack-value", 0, SIZE_MAX, "64")
        .aliases(&["zset-max-ziplist-value"])
        .works("Bytes of its longest member."),
    int("array-slice-size", 256, 65536, "4096")
        .check(checks::array_slice_size)
        .accepted("Arrays are stored in another way than in Redis."),
    int("array-sparse-kmax", 0, 65536, "10")
        .beside(checks::array_sparse_kmax)
        .accepted("Arrays are stored in another way than in Redis."),
    int("array-sparse-kmin", 0, 65536, "5")
        .beside(checks::array_sparse_kmin)
        .accepted("Arrays are stored in another way than in Redis."),
    bytes("hll-sparse-max-bytes", 0, SIZE_MAX, "3000").works("Bytes of a HyperLogLog in its sparse form."),
    bytes("stream-node-max-bytes", 0, SIZE_MAX, "4096").works("Bytes of a node of a stream; 0 is no limit."),
    int("stream-node-max-entries", 0, I64_MAX, "100").works("Entries of a node of a stream; 0 is no limit."),
    int("stream-idmp-duration", 1, 86_400, "100")
        .works("Seconds for which a stream remembers messages added with IDMP, from its first on."),
    int("stream-idmp-maxsize", 1, 10_000, "100").works("How many of each producer."),
    yes_no("activerehashing", "yes").accepted("Tables grow in bounded steps; nothing is left to rehash."),
    special("hz", Kind::Clamped { low: 1, high: 500 }, "10")
        .accepted("Periodic work follows the clock and the load, not a rate."),
    yes_no("dynamic-hz", "yes").accepted("Periodic work follows the clock and the load, not a rate."),
    obsolete("list-max-ziplist-entries"),
    obsolete("list-max-ziplist-value"),
];

pub(super) const WEFT: &[Directive] = &[
    int("shards", 0, 1024, "0").immutable().works(
        "Number of shards, each a thread with its part of the keys; 0 is one for each available core.",
    ),
    int("connection-shards", 0, 1024, "0").immutable().works(
        "On how many of the shards new connections are dealt out; 0 is all, but with more shards than cores as many as there are cores.",
    ),
    choice("cpu-pinning", CpuPinning::NAMES, "auto")
        .immutable()
        .works("Keep every shard on a core of its own: auto, until it has to wait there for others; yes, always; no, never."),
    optional("shard-cpus")
        .immutable()
        .check(checks::cpu_list)
        .works("Cores for the shards, such as `0-3,8`; empty is every core the process may use."),
    choice("io-backend", IoBackend::NAMES, "auto")
        .immutable()
        .works("System interface of the event loop: auto, io_uring, epoll."),
];
