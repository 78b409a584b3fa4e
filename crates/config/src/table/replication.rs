//! Replication, clusters and client-side caching.

use super::checks;
use crate::choice::{DISKLESS_LOAD, ENDPOINT_TYPE, PROPAGATION_ERROR};
use crate::directive::{
    Directive, I32_MAX, I64_MAX, Kind, SIZE_MAX, bytes, choice, int, optional, special, text, yes_no,
};

const WORK: &str = "replication";
const CLUSTER: &str = "cluster mode";

pub(super) const REPLICATION: &[Directive] = &[
    special("replicaof", Kind::Primary, "")
        .aliases(&["slaveof"])
        .immutable()
        .later(WORK, "Host and port of the server to replicate."),
    optional("masterauth").aliases(&["primaryauth"]).sensitive().later(WORK, "Password for the primary."),
    optional("masteruser").aliases(&["primaryuser"]).sensitive().later(WORK, "User at the primary."),
    yes_no("replica-serve-stale-data", "yes")
        .aliases(&["slave-serve-stale-data"])
        .later(WORK, "Answer while the link to the primary is down."),
    yes_no("replica-read-only", "yes")
        .aliases(&["slave-read-only"])
        .later(WORK, "Refuse writes on a replica."),
    yes_no("repl-diskless-sync", "yes").later(WORK, "Send snapshots to replicas without a file."),
    int("repl-diskless-sync-delay", 0, I32_MAX, "5").later(WORK, "Seconds to wait for more replicas."),
    int("repl-diskless-sync-max-replicas", 0, I32_MAX, "0").later(WORK, "Replicas that end that wait."),
    choice("repl-diskless-load", DISKLESS_LOAD, "disabled")
        .fixed_while_loading()
        .later(WORK, "Load the primary's snapshot without a file."),
    yes_no("repl-rdb-channel", "no").later(WORK, "Send the snapshot over a connection of its own."),
    bytes("replica-full-sync-buffer-limit", 0, SIZE_MAX, "0")
        .later(WORK, "What a replica keeps of the stream while it loads a snapshot."),
    int("repl-ping-replica-period", 1, I32_MAX, "10")
        .aliases(&["repl-ping-slave-period"])
        .later(WORK, "Seconds between pings to replicas."),
    int("repl-timeout", 1, I32_MAX, "60").later(WORK, "Seconds of silence that end a link."),
    yes_no("repl-disable-tcp-nodelay", "no").later(WORK, "Fewer, larger packets to replicas."),
    bytes("repl-backlog-size", 1, SIZE_MAX, "1mb")
        .at_least_when_set(16 << 10)
        .later(WORK, "What a replica may miss and still catch up."),
    int("repl-backlog-ttl", 0, I64_MAX, "3600").later(WORK, "Seconds to keep that without replicas."),
    int("replica-priority", 0, I32_MAX, "100")
        .aliases(&["slave-priority"])
        .later(WORK, "Which replica sentinels promote first."),
    choice("propagation-error-behavior", PROPAGATION_ERROR, "ignore")
        .later(WORK, "What to do about an error in the replication stream."),
    yes_no("replica-ignore-disk-write-errors", "no").later(WORK, "Go on replicating when the disk fails."),
    yes_no("replica-announced", "yes").later(WORK, "Show the replica to sentinels."),
    int("min-replicas-to-write", 0, I32_MAX, "0")
        .aliases(&["min-slaves-to-write"])
        .later(WORK, "Replicas without which writes are refused."),
    int("min-replicas-max-lag", 0, I32_MAX, "10")
        .aliases(&["min-slaves-max-lag"])
        .later(WORK, "Seconds behind that still count."),
    optional("replica-announce-ip")
        .aliases(&["slave-announce-ip"])
        .later(WORK, "Address to tell the primary."),
    int("replica-announce-port", 0, 65535, "0")
        .aliases(&["slave-announce-port"])
        .later(WORK, "Port to tell the primary."),
    yes_no("replica-ignore-maxmemory", "yes")
        .aliases(&["slave-ignore-maxmemory"])
        .later(WORK, "Leave eviction to the primary."),
    yes_no("replica-lazy-flush", "no")
        .aliases(&["slave-lazy-flush"])
        .later(WORK, "Free old data in the background before a full copy."),
];

pub(super) const TRACKING: &[Directive] = &[int("tracking-table-max-keys", 0, I64_MAX, "1000000")
    .works("Keys to remember for clients that cache; 0 is no limit.")];

pub(super) const CLUSTER_ROWS: &[Directive] = &[
    yes_no("cluster-enabled", "no").immutable().later(CLUSTER, "Be a node of a cluster."),
    text("cluster-config-file", "nodes.conf").immutable().later(CLUSTER, "Where a node keeps what it knows."),
    int("cluster-node-timeout", 0, I64_MAX, "15000")
        .later(CLUSTER, "Milliseconds until a node counts as lost."),
    int("cluster-port", 0, 65535, "0").immutable().later(CLUSTER, "Port between nodes; 0 is `port` + 10000."),
    int("cluster-replica-validity-factor", 0, I32_MAX, "10")
        .aliases(&["cluster-slave-validity-factor"])
        .later(CLUSTER, "How old a replica's data may be to take over."),
    int("cluster-migration-barrier", 0, I32_MAX, "1").later(CLUSTER, "Replicas a primary keeps."),
    yes_no("cluster-allow-replica-migration", "yes").later(CLUSTER, "Let replicas move to bare primaries."),
    yes_no("cluster-require-full-coverage", "yes").later(CLUSTER, "Serve only while every slot is served."),
    yes_no("cluster-replica-no-failover", "no")
        .aliases(&["cluster-slave-no-failover"])
        .later(CLUSTER, "Never take over by itself."),
    yes_no("cluster-allow-reads-when-down", "no").later(CLUSTER, "Answer reads while the cluster is down."),
    yes_no("cluster-allow-pubsubshard-when-down", "yes").later(CLUSTER, "Sharded pub/sub while it is down."),
    bytes("cluster-link-sendbuf-limit", 0, u64::MAX, "0").later(CLUSTER, "Memory for sending to a node."),
    optional("cluster-announce-hostname").check(checks::host_name).later(CLUSTER, "Host name to announce."),
    optional("cluster-announce-human-nodename")
        .check(checks::node_name)
        .later(CLUSTER, "Name of the node in logs."),
    choice("cluster-preferred-endpoint-type", ENDPOINT_TYPE, "ip")
        .later(CLUSTER, "What clients are told to connect to."),
    int("cluster-ping-interval", 0, I64_MAX, "0").hidden().later(CLUSTER, "Milliseconds between pings."),
    yes_no("cluster-slot-stats-enabled", "no").later(CLUSTER, "Count what each slot costs."),
    optional("cluster-announce-ip").later(CLUSTER, "Address to announce."),
    int("cluster-announce-port", 0, 65535, "0").later(CLUSTER, "Port to announce."),
    int("cluster-announce-tls-port", 0, 65535, "0").later(CLUSTER, "TLS port to announce."),
    int("cluster-compatibility-sample-ratio", 0, 100, "0")
        .later(CLUSTER, "Percentage of commands that are checked."),
    int("cluster-announce-bus-port", 0, 65535, "0").later(CLUSTER, "Port between nodes to announce."),
];
