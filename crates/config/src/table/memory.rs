//! Security, clients, memory, background work and the kernel.

use crate::choice::{MaxmemoryPolicy, OomScoreAdj, PUBSUB_DEFAULT, WhoMay};
use crate::directive::{
    Directive, I32_MAX, I64_MAX, Kind, SIZE_MAX, U32_MAX, bytes, choice, int, optional, special, statement,
    text, yes_no,
};

const ACL: &str = "access control lists";
/// To drop users would open the server to whom they keep out.
const NO_USERS: &str = "There are no users in this version but the default one with all rights: access control lists are missing. It does not \
    start with less protection than it was told to have";
const DEFRAG: &str = "Weft's memory does not fragment in a way that this would mend.";

pub(super) const SECURITY: &[Directive] = &[
    statement("user", 1, usize::MAX).refused(
        NO_USERS,
        "A user and its rights. Only the default user with all rights and without a password may be named.",
    ),
    int("acllog-max-len", 0, I64_MAX, "128").later(ACL, "Entries to keep of refused commands."),
    text("aclfile", "").immutable().refused(NO_USERS, "File of users."),
    optional("requirepass").sensitive().works("Password of the default user."),
    choice("acl-pubsub-default", PUBSUB_DEFAULT, "resetchannels").later(ACL, "Channels of a new user."),
    statement("rename-command", 2, 2).works("Gives a command another name; `\"\"` takes it away."),
    choice("enable-protected-configs", WhoMay::NAMES, "no")
        .immutable()
        .works("Who may change `dir` and `dbfilename` while the server runs: no, yes, local."),
    choice("enable-debug-command", WhoMay::NAMES, "no")
        .immutable()
        .works("Who may use DEBUG: no, yes, local."),
    choice("enable-module-command", WhoMay::NAMES, "no")
        .immutable()
        .later("modules", "Who may use MODULE: no, yes, local."),
];

pub(super) const CLIENTS: &[Directive] = &[
    int("maxclients", 1, U32_MAX, "10000").works("Clients at the same time, over all shards."),
    bytes("client-query-buffer-limit", 1 << 20, SIZE_MAX, "1gb").works("Input at which a client is closed."),
    bytes("proto-max-bulk-len", 1 << 20, SIZE_MAX, "512mb").works("The longest argument and string."),
    special("client-output-buffer-limit", Kind::OutputLimits, CLIENT_OUTPUT).works(
        "Class (normal, replica, pubsub), hard limit, soft limit and seconds above the soft limit after \
         which a client that does not read is closed; 0 is no limit.",
    ),
    special("maxmemory-clients", Kind::BytesOrPercent, "0")
        .later("evicting clients", "Memory of all clients together, or its percentage of `maxmemory`."),
];

const CLIENT_OUTPUT: &str = "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60";

pub(super) const MEMORY: &[Directive] = &[
    bytes("maxmemory", 0, u64::MAX, "0").works("Memory for the data of all shards; 0 is no limit."),
    choice("maxmemory-policy", MaxmemoryPolicy::NAMES, "noeviction")
        .works("What to evict when memory is full."),
    int("maxmemory-samples", 1, 64, "5").works("Keys to compare for one eviction."),
    int("maxmemory-eviction-tenacity", 0, 100, "10")
        .accepted("How long one round of eviction may take. Weft evicts what the next write needs."),
    int("active-expire-effort", 1, 10, "1").works("How much work goes into finding expired keys."),
    int("lfu-log-factor", 0, I32_MAX, "10").works("How slowly the LFU counter grows."),
    int("lfu-decay-time", 0, I32_MAX, "1").works("Minutes in which the LFU counter falls by one."),
];

pub(super) const LAZY_FREEING: &[Directive] = &[
    yes_no("lazyfree-lazy-eviction", "no").works("Free large evicted values step by step."),
    yes_no("lazyfree-lazy-expire", "no").works("Free large expired values step by step."),
    yes_no("lazyfree-lazy-server-del", "no")
        .works("Free large values that are overwritten or removed as a side effect step by step."),
    yes_no("lazyfree-lazy-user-del", "no").works("DEL frees as UNLINK does."),
    yes_no("lazyfree-lazy-user-flush", "no")
        .works("FLUSHALL and FLUSHDB free step by step unless told SYNC."),
];

pub(super) const THREADS: &[Directive] = &[
    int("io-threads", 1, 128, "1")
        .immutable()
        .accepted("Use `shards`: every shard reads, executes and writes."),
    yes_no("io-threads-do-reads", "no").immutable().accepted("Every shard reads for its own clients."),
    yes_no("vset-force-single-threaded-execution", "no").accepted("Shards do not share their work."),
    int("lookahead", 1, I32_MAX, "16").accepted("Shards always look at all commands that have arrived."),
];

pub(super) const KERNEL: &[Directive] = &[
    choice("oom-score-adj", OomScoreAdj::NAMES, "no").works(
        "Whether to tell the kernel how readily to end the process when memory runs out, and whether the value is added to the one found at the start.",
    ),
    special("oom-score-adj-values", Kind::OomScores, "0 200 800").works(
        "The values for `oom-score-adj`: the first is the server's; replicas and background processes come later.",
    ),
    yes_no("disable-thp", "yes").immutable().works(
        "Do without transparent huge pages: clearing one takes longer than a hundred commands. With `no`, requests cost a little less on average.",
    ),
];

pub(super) const DEFRAGMENTATION: &[Directive] = &[
    yes_no("activedefrag", "no").accepted(DEFRAG),
    bytes("active-defrag-ignore-bytes", 1, SIZE_MAX, "100mb").accepted(DEFRAG),
    int("active-defrag-threshold-lower", 0, 1000, "10").accepted(DEFRAG),
    int("active-defrag-threshold-upper", 0, 1000, "100").accepted(DEFRAG),
    int("active-defrag-cycle-min", 1, 99, "1").accepted(DEFRAG),
    int("active-defrag-cycle-max", 1, 99, "25").accepted(DEFRAG),
    int("active-defrag-max-scan-fields", 1, I64_MAX, "1000").accepted(DEFRAG),
    yes_no("jemalloc-bg-thread", "yes").accepted("Weft does not use jemalloc."),
];
