//! Directives that only Valkey has, so that a valkey.conf loads. A value other than Valkey's default is named in a warning at
//! the start. Those that are other names of Redis's directives stand as aliases in their rows.

use crate::directive::{Directive, I32_MAX, I64_MAX, SIZE_MAX, bytes, int, optional, text, yes_no};

const WORK: &str = "what only Valkey has";

pub(super) const VALKEY: &[Directive] = &[
    int("active-defrag-cycle-us", 0, 100_000, "500")
        .hidden()
        .later(WORK, "Time of a step of defragmentation."),
    optional("availability-zone").hidden().later(WORK, "A name shown to clients and replicas."),
    optional("cluster-announce-client-ipv4").hidden().later(WORK, "Address to tell clients of the cluster."),
    optional("cluster-announce-client-ipv6").hidden().later(WORK, "Address to tell clients of the cluster."),
    int("cluster-announce-client-port", 0, 65535, "0").hidden().later(WORK, "Port to tell clients."),
    int("cluster-announce-client-tls-port", 0, 65535, "0").hidden().later(WORK, "TLS port to tell clients."),
    int("cluster-blacklist-ttl", 0, I32_MAX, "60").hidden().later(WORK, "How long a node stays forgotten."),
    text("cluster-config-save-behavior", "sync").hidden().later(WORK, "When nodes.conf is written."),
    int("cluster-databases", 1, I32_MAX, "1").hidden().later(WORK, "Databases in cluster mode."),
    int("cluster-manual-failover-timeout", 1, I32_MAX, "5000").hidden().later(WORK, "Limit of a failover."),
    int("cluster-slot-migration-log-max-len", 0, I64_MAX, "1000")
        .hidden()
        .later(WORK, "Entries of that log."),
    int("commandlog-large-reply-max-len", 0, I64_MAX, "128").hidden().later(WORK, "Entries of that log."),
    int("commandlog-large-request-max-len", 0, I64_MAX, "128").hidden().later(WORK, "Entries of that log."),
    int("commandlog-reply-larger-than", -1, I64_MAX, "1048576")
        .hidden()
        .later(WORK, "Replies that are logged."),
    int("commandlog-request-larger-than", -1, I64_MAX, "1048576")
        .hidden()
        .later(WORK, "Requests that are logged."),
    text("debug-context", "").hidden().accepted("For tests of Valkey itself."),
    yes_no("dual-channel-replication-enabled", "no")
        .hidden()
        .later(WORK, "Snapshot and stream side by side."),
    yes_no("enable-debug-assert", "no").immutable().hidden().accepted("For tests of Valkey itself."),
    int("events-per-io-thread", 0, I32_MAX, "2").hidden().accepted("There are no threads but the shards'."),
    yes_no("extended-redis-compatibility", "no").hidden().later(WORK, "Valkey calls itself Redis."),
    optional("hash-seed").hidden().later(WORK, "A fixed seed for hashes."),
    yes_no("import-mode", "no").hidden().later(WORK, "Keys do not expire while they are imported."),
    text("log-format", "legacy").hidden().later(WORK, "The form of the log."),
    text("log-timestamp-format", "legacy").hidden().later(WORK, "The form of times in the log."),
    yes_no("mptcp", "no").hidden().later(WORK, "Multipath TCP."),
    int("prefetch-batch-max-size", 0, 128, "16")
        .hidden()
        .later(WORK, "Keys that are fetched ahead of a batch."),
    text("rdb-version-check", "strict").hidden().later(WORK, "Whether newer snapshots are loaded."),
    optional("rdma-bind").hidden().later(WORK, "RDMA."),
    int("rdma-completion-vector", -1, 1024, "-1").hidden().later(WORK, "RDMA."),
    int("rdma-port", 0, 65535, "0").hidden().later(WORK, "RDMA."),
    bytes("rdma-rx-size", 0, SIZE_MAX, "1048576").hidden().later(WORK, "RDMA."),
    yes_no("repl-mptcp", "no").hidden().later(WORK, "Multipath TCP to the primary."),
    int("slot-migration-max-failover-repl-bytes", -1, I64_MAX, "0")
        .hidden()
        .later(WORK, "A limit of slot migration."),
    text("tls-auth-clients-user", "off").hidden().later(WORK, "Users from certificates."),
    int("tls-auto-reload-interval", 0, I32_MAX, "0")
        .hidden()
        .later(WORK, "Seconds between readings of certificates."),
    optional("unixsocketgroup").hidden().later(WORK, "The group of the Unix socket."),
];
