//! The values the server reads while it works, as plain typed fields.
//!
//! One line per field says which directive it comes from; the values are read anew after every change, so
//! that a field never disagrees with what `CONFIG GET` shows. Add a line here when the server begins to
//! honour a directive.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::choice::{
    AppendFsync, CpuPinning, IoBackend, LogLevel, MaxmemoryPolicy, OnTimeout, OomScoreAdj, ScorerName,
    ShutdownFlags, WhoMay,
};
use crate::special::{KeyEvents, OutputLimits, Primary, SavePoint};
use crate::table::DirectiveId;
use crate::value::Value;

/// A field's type, made from a directive's value. `None` if the type does not fit the directive, which a test
/// finds.
trait FromValue: Sized {
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $directive:literal;)*) => {
        /// Typed values of the directives that the server acts upon.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct Settings { $($(#[$doc])* pub $field: $type,)* }

        impl Settings {
            /// Reads every field from the values of the whole table.
            pub(crate) fn read(values: &[Value]) -> Self {
                Settings { $($field: field(values, $directive),)* }
            }
        }
    };
}

fn field<T: FromValue>(values: &[Value], directive: &'static str) -> T {
    let value = &values[DirectiveId::of(directive).index()];
    T::from_value(value)
        .unwrap_or_else(|| panic!("the field of {directive} has another type than its values"))
}

settings! {
    /// TCP port; 0 listens on none.
    port: u16 = "port";
    /// As written: `*`, `-::*`, addresses with an optional leading `-`. Empty listens on no TCP address.
    bind: Vec<String> = "bind";
    unixsocket: Option<PathBuf> = "unixsocket";
    /// 0 leaves the permissions as the umask gives them.
    unixsocketperm: u32 = "unixsocketperm";
    tcp_backlog: u32 = "tcp-backlog";
    /// 0 sends no keep-alive probes.
    tcp_keepalive_s: u32 = "tcp-keepalive";
    /// 0 never closes idle clients.
    timeout_s: u32 = "timeout";
    protected_mode: bool = "protected-mode";
    always_show_logo: bool = "always-show-logo";
    loglevel: LogLevel = "loglevel";
    /// Empty is the standard output.
    logfile: Option<PathBuf> = "logfile";
    pidfile: Option<PathBuf> = "pidfile";
    daemonize: bool = "daemonize";
    syslog_enabled: bool = "syslog-enabled";
    databases: u32 = "databases";
    hz: u32 = "hz";

    maxclients: u32 = "maxclients";
    requirepass: Option<Vec<u8>> = "requirepass";
    enable_protected_configs: WhoMay = "enable-protected-configs";
    enable_debug_command: WhoMay = "enable-debug-command";
    enable_module_command: WhoMay = "enable-module-command";

    /// Bytes.
    proto_max_bulk_len: u64 = "proto-max-bulk-len";
    /// Bytes.
    client_query_buffer_limit: u64 = "client-query-buffer-limit";
    client_output_buffer_limit: OutputLimits = "client-output-buffer-limit";

    /// Bytes; 0 is no limit.
    maxmemory: u64 = "maxmemory";
    maxmemory_policy: MaxmemoryPolicy = "maxmemory-policy";
    maxmemory_samples: u32 = "maxmemory-samples";
    lfu_log_factor: u32 = "lfu-log-factor";
    /// Minutes.
    lfu_decay_time: u32 = "lfu-decay-time";
    active_expire_effort: u32 = "active-expire-effort";
    lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction";
    lazyfree_lazy_expire: bool = "lazyfree-lazy-expire";
    lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del";
    lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del";
    lazyfree_lazy_user_flush: bool = "lazyfree-lazy-user-flush";
    disable_thp: bool = "disable-thp";

    hash_max_listpack_entries: u64 = "hash-max-listpack-entries";
    hash_max_listpack_value: u64 = "hash-max-listpack-value";
    /// Elements if positive; -1 to -5 stand for 4 to 64 KiB.
    list_max_listpack_size: i32 = "list-max-listpack-size";
    set_max_intset_entries: u64 = "set-max-intset-entries";
    set_max_listpack_entries: u64 = "set-max-listpack-entries";
    set_max_listpack_value: u64 = "set-max-listpack-value";
    zset_max_listpack_entries: u64 = "zset-max-listpack-entries";
    zset_max_listpack_value: u64 = "zset-max-listpack-value";
    stream_node_max_bytes: u64 = "stream-node-max-bytes";
    stream_node_max_entries: u64 = "stream-node-max-entries";
    stream_idmp_duration: u64 = "stream-idmp-duration";
    stream_idmp_maxsize: u64 = "stream-idmp-maxsize";
    hll_sparse_max_bytes: u64 = "hll-sparse-max-bytes";
    notify_keyspace_events: KeyEvents = "notify-keyspace-events";

    /// Microseconds; -1 logs nothing.
    slowlog_log_slower_than: i64 = "slowlog-log-slower-than";
    slowlog_max_len: u64 = "slowlog-max-len";
    slowlog_max_argc: u64 = "slowlog-max-argc";
    slowlog_entry_max_string_len: u64 = "slowlog-entry-max-string-len";
    busy_reply_threshold: u64 = "busy-reply-threshold";
    /// Milliseconds; 0 notes nothing.
    latency_monitor_threshold: u64 = "latency-monitor-threshold";
    /// 0 is no limit.
    tracking_table_max_keys: u64 = "tracking-table-max-keys";
    latency_tracking: bool = "latency-tracking";
    latency_tracking_info_percentiles: Vec<f64> = "latency-tracking-info-percentiles";

    dir: PathBuf = "dir";
    save: Vec<SavePoint> = "save";
    stop_writes_on_bgsave_error: bool = "stop-writes-on-bgsave-error";
    dbfilename: PathBuf = "dbfilename";
    rdbchecksum: bool = "rdbchecksum";
    rdbcompression: bool = "rdbcompression";
    shutdown_on_sigint: ShutdownFlags = "shutdown-on-sigint";
    shutdown_on_sigterm: ShutdownFlags = "shutdown-on-sigterm";
    /// Of the format of snapshots.
    rdb_version: u16 = "rdb-version";
    /// What may wait for the disk.
    rdb_save_memory: u64 = "rdb-save-memory";
    /// Microseconds for each key; -n: one for n keys.
    key_load_delay: i32 = "key-load-delay";
    appendonly: bool = "appendonly";
    appendfilename: PathBuf = "appendfilename";
    appenddirname: PathBuf = "appenddirname";
    backupdirname: PathBuf = "backupdirname";
    /// Seconds; 0 is never.
    backup_sealed_ttl_s: u32 = "backup-sealed-ttl";
    /// `rdb:path` or `aof:path`.
    preload_file: Option<Vec<u8>> = "preload-file";
    appendfsync: AppendFsync = "appendfsync";
    no_appendfsync_on_rewrite: bool = "no-appendfsync-on-rewrite";
    /// Percent; 0 is never.
    auto_aof_rewrite_percentage: u32 = "auto-aof-rewrite-percentage";
    /// Bytes.
    auto_aof_rewrite_min_size: u64 = "auto-aof-rewrite-min-size";
    aof_load_truncated: bool = "aof-load-truncated";
    /// Bytes; 0 is none.
    aof_load_corrupt_tail_max_size: u64 = "aof-load-corrupt-tail-max-size";
    aof_timestamp_enabled: bool = "aof-timestamp-enabled";
    aof_use_rdb_preamble: bool = "aof-use-rdb-preamble";

    replicaof: Option<Primary> = "replicaof";
    cluster_enabled: bool = "cluster-enabled";
    oom_score_adj: OomScoreAdj = "oom-score-adj";
    /// Of a primary, a replica and a background process.
    oom_score_adj_values: [i32; 3] = "oom-score-adj-values";

    /// 0 is one for each available core.
    shards: usize = "shards";
    /// 0 is all, or as many as there are cores if those are fewer.
    connection_shards: usize = "connection-shards";
    cpu_pinning: CpuPinning = "cpu-pinning";
    /// Cores for the shards in the order given; empty is every core the process may use.
    shard_cpus: Vec<usize> = "shard-cpus";
    io_backend: IoBackend = "io-backend";
    /// Milliseconds; 0 is any time.
    search_timeout_ms: u64 = "search-timeout";
    search_on_timeout: OnTimeout = "search-on-timeout";
    search_default_dialect: u64 = "search-default-dialect";
    /// -1 is any number.
    search_max_search_results: i64 = "search-max-search-results";
    /// -1 is any number.
    search_max_aggregate_results: i64 = "search-max-aggregate-results";
    search_max_aggregate_groups: u64 = "search-max-aggregate-groups";
    search_min_prefix: u64 = "search-min-prefix";
    search_max_prefix_expansions: u64 = "search-max-prefix-expansions";
    search_min_stem_len: u64 = "search-min-stem-len";
    search_cursor_max_idle_ms: u64 = "search-cursor-max-idle";
    search_cursor_read_size: u64 = "search-cursor-read-size";
    search_index_cursor_limit: u64 = "search-index-cursor-limit";
    search_info_on_zero_indexes: bool = "search-_info-on-zero-indexes";
    search_default_scorer: ScorerName = "search-default-scorer";
    search_bm25std_tanh_factor: u64 = "search-bm25std-tanh-factor";
}

macro_rules! from_int {
    ($($type:ty)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Int(n) => <$type>::try_from(*n).ok(),
                    Value::Bytes(n) => <$type>::try_from(*n).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
from_int!(u16 u32 u64 usize i32 i64);

macro_rules! from_choice {
    ($($type:ty)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Choice(number) = value { <$type>::from_number(*number) } else { None }
            }
        }
    )*};
}
from_choice!(AppendFsync CpuPinning IoBackend LogLevel MaxmemoryPolicy OnTimeout OomScoreAdj ScorerName WhoMay);

impl FromValue for ShutdownFlags {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Choice(bits) = value { Some(Self(*bits)) } else { None }
    }
}

macro_rules! from_variant {
    ($($variant:ident => $type:ty;)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::$variant(inner) = value { Some(inner.clone()) } else { None }
            }
        }
    )*};
}
from_variant! {
    Bool => bool;
    OomScores => [i32; 3];
    OutputLimits => OutputLimits;
    KeyEvents => KeyEvents;
    Percentiles => Vec<f64>;
    Primary => Option<Primary>;
    SavePoints => Vec<SavePoint>;
}

impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Addresses(list) = value else { return None };
        Some(list.iter().map(|address| String::from_utf8_lossy(address).into_owned()).collect())
    }
}

impl FromValue for Option<Vec<u8>> {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        Some((!text.is_empty()).then(|| text.clone()))
    }
}

impl FromValue for PathBuf {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        Some(PathBuf::from(OsStr::from_bytes(text)))
    }
}

impl FromValue for Option<PathBuf> {
    fn from_value(value: &Value) -> Option<Self> {
        PathBuf::from_value(value).map(|path| (!path.as_os_str().is_empty()).then_some(path))
    }
}

impl FromValue for Vec<usize> {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        if text.is_empty() { Some(Vec::new()) } else { cpus(text) }
    }
}

/// Far above any machine; keeps a mistyped range from filling memory.
const CPU_MAX: usize = 4096;

/// The cores of a list such as `0-3,8`, in its order. `None` if it is not one.
pub(crate) fn cpus(list: &[u8]) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in std::str::from_utf8(list).ok()?.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (usize, usize) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        if low > high || high > CPU_MAX || cores.len() > CPU_MAX {
            return None;
        }
        cores.extend(low..=high);
    }
    Some(cores)
}
