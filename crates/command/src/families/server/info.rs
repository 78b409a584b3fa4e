//! INFO: the sections, from the figures of all shards and from what the client's shard knows of the process.

use super::info_lists::{self, Costs, Errors, Times, millis};
use super::info_numbers::{self, DatabaseNumbers, Numbers};
use crate::families::search::totals::{self, Totals};
use crate::parts::Part;
use crate::platform::Usage;
use crate::saving::LoadReport;
use crate::spec::{acl, flag::*};
use crate::state::REDIS_VERSION;
use crate::{Args, Command, Cx, Outcome, ShardCx};
use resp::Reply;
use std::fmt::Write;

pub const COMMANDS: &[Command] = &[super::server(Command::on_all("INFO", part, merge))
    .arity(-1)
    .flags(LOADING | STALE | SESSIONS)
    .acl(acl::DANGEROUS)
    .complexity("O(1)")
    .history(&[("7.0.0", "Added support for taking multiple section arguments.")])
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
    .summary("Tells facts and figures about the server.")
    .syntax("section:string?*")];

/// Names in the order they are shown; whether they are shown unless asked for.
const SECTIONS: [(&str, bool); 16] = [
    ("server", true),
    ("clients", true),
    ("memory", true),
    ("persistence", true),
    ("stats", true),
    ("replication", true),
    ("cpu", true),
    ("modules", true),
    // Those of modules, which "all" does not ask for.
    ("search", false),
    ("commandstats", false),
    ("errorstats", true),
    ("latencystats", false),
    ("cluster", true),
    ("keyspace", true),
    ("keysizes", true),
    ("hotkeys", true),
];

/// All sections about searches.
const SEARCH: &str = "search";

/// Whether that is the name of a section about searches.
fn is_of_search(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|front| front.eq_ignore_ascii_case(b"search_"))
}

/// The sections that the arguments ask for.
fn wanted(args: Args<'_>) -> Vec<&'static str> {
    let is_asked = |name: &str, by_default: bool| {
        let asked = |word: &str| args.from(1).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        asked(name)
            || asked("all") && name != SEARCH
            || asked("everything")
            || name == SEARCH && (asked("modules") || args.from(1).any(is_of_search))
            || by_default && (args.len() == 1 || asked("default"))
    };
    SECTIONS.iter().filter(|(name, by_default)| is_asked(name, *by_default)).map(|(name, _)| *name).collect()
}

/// Whether the arguments ask for all sections about searches.
fn sections_are_all(args: Args<'_>) -> bool {
    let all: [&[u8]; 3] = [SEARCH.as_bytes(), b"modules", b"everything"];
    args.from(1).any(|arg| all.iter().any(|name| arg.eq_ignore_ascii_case(name)))
}

/// This shard's figures; the long lists only if they are asked for.
fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let sections = wanted(args);
    cx.shard.note_saved();
    info_numbers::of(cx.shard).write(out);
    info_numbers::write_databases(cx, out);
    info_lists::write_errors(cx, out);
    if sections.contains(&SEARCH) {
        totals::write(cx.shard, out);
    }
    if sections.contains(&"commandstats") {
        info_lists::write_costs(cx, out);
    }
    if sections.contains(&"latencystats") {
        info_lists::write_times(cx, out);
    }
    Ok(())
}

/// All that the parts told.
#[derive(Default)]
struct Facts {
    numbers: Numbers,
    databases: Vec<DatabaseNumbers>,
    errors: Errors,
    searches: Totals,
    costs: Costs,
    times: Times,
    usage: Usage,
}

fn merge(cx: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let sections = wanted(args);
    let mut facts = Facts { usage: (cx.platform.usage)(), ..Facts::default() };
    for part in parts {
        let mut part = Part::new(part);
        facts.numbers.read_more(&mut part);
        info_numbers::read_databases(&mut part, &mut facts.databases);
        info_lists::read_errors(&mut part, &mut facts.errors);
        if sections.contains(&SEARCH) {
            facts.searches.read_more(&mut part);
        }
        if sections.contains(&"commandstats") {
            info_lists::read_costs(&mut part, &mut facts.costs);
        }
        if sections.contains(&"latencystats") {
            info_lists::read_times(&mut part, &mut facts.times);
        }
    }
    let mut text = String::with_capacity(6000);
    let has_looked = facts.numbers.hot_keys_sessions > 0;
    for section in sections.into_iter().filter(|section| *section != "hotkeys" || has_looked) {
        if section == SEARCH {
            let all = sections_are_all(args);
            let is_asked = |name: &str| {
                let full = format!("search_{name}");
                all || args.from(1).any(|arg| arg.eq_ignore_ascii_case(full.as_bytes()))
            };
            totals::show(cx, &facts.searches, is_asked, &mut text);
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        show(section, cx, &facts, &mut text);
    }
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn show(section: &str, cx: &ShardCx, facts: &Facts, text: &mut String) {
    match section {
        "server" => server(cx, text),
        "clients" => clients(cx, facts, text),
        "memory" => memory(cx, facts, text),
        "persistence" => persistence(cx, facts, text),
        "stats" => stats(cx, facts, text),
        "replication" => replication(cx, text),
        "cpu" => cpu(&facts.usage, text),
        "modules" => super::modules::info(text),
        "commandstats" => info_lists::show_costs(&facts.costs, text),
        "errorstats" => info_lists::show_errors(&facts.errors, text),
        "latencystats" => {
            info_lists::show_times(&facts.times, &cx.config.latency_tracking_info_percentiles, text);
        }
        "cluster" => lines(text, "Cluster", &[("cluster_enabled", &"0")]),
        "keyspace" => keyspace(facts, text),
        "keysizes" => key_sizes(facts, text),
        _ => hot_keys(&facts.numbers, text),
    }
}

type Field<'a> = (&'a str, &'a dyn std::fmt::Display);

fn lines(text: &mut String, title: &str, fields: &[Field<'_>]) {
    write!(text, "# {title}\r\n").expect("writing to a string");
    for (name, value) in fields {
        write!(text, "{name}:{value}\r\n").expect("writing to a string");
    }
}

fn server(cx: &ShardCx, text: &mut String) {
    let uptime_s = cx.now_us.saturating_sub(cx.started_us) / 1_000_000;
    let about = &cx.about;
    lines(
        text,
        "Server",
        &[
            ("redis_version", &REDIS_VERSION),
            ("weft_version", &about.weft_version),
            ("redis_git_sha1", &"00000000"),
            ("redis_git_dirty", &0),
            ("redis_build_id", &"0"),
            ("redis_mode", &"standalone"),
            ("os", &about.os),
            ("arch_bits", &about.arch_bits),
            ("monotonic_clock", &"POSIX clock_gettime"),
            ("multiplexing_api", &about.io_backend),
            ("process_id", &about.pid),
            ("process_supervised", &"no"),
            ("run_id", &about.run_id),
            ("tcp_port", &cx.config.port),
            ("server_time_usec", &cx.wall_us()),
            ("uptime_in_seconds", &uptime_s),
            ("uptime_in_days", &(uptime_s / 86_400)),
            ("hz", &cx.config.hz),
            ("configured_hz", &cx.config.hz),
            ("lru_clock", &cx.clock_age()),
            ("executable", &about.executable),
            ("config_file", &about.config_file),
            ("io_threads_active", &u8::from(cx.shards > 1)),
            ("shards", &cx.shards),
        ],
    );
    for (index, listener) in listeners(&cx.config).iter().enumerate() {
        write!(text, "listener{index}:{listener}\r\n").expect("writing to a string");
    }
}

/// Where the server takes connections, as Redis tells it.
fn listeners(config: &config::Settings) -> Vec<String> {
    let mut all = Vec::new();
    if config.port != 0 {
        let binds: String = config.bind.iter().map(|address| format!("bind={address},")).collect();
        all.push(format!("name=tcp,{binds}port={}", config.port));
    }
    if let Some(path) = &config.unixsocket {
        all.push(format!("name=unix,bind={}", path.display()));
    }
    all
}

fn clients(cx: &ShardCx, facts: &Facts, text: &mut String) {
    let numbers = &facts.numbers;
    lines(
        text,
        "Clients",
        &[
            ("connected_clients", &numbers.clients),
            ("cluster_connections", &0),
            ("maxclients", &cx.config.maxclients),
            ("client_recent_max_input_buffer", &numbers.input_bytes_max),
            ("client_recent_max_output_buffer", &numbers.output_bytes_max),
            ("blocked_clients", &(numbers.paused + numbers.blocked)),
            ("tracking_clients", &numbers.tracking_clients),
            ("pubsub_clients", &numbers.subscribers),
            ("watching_clients", &numbers.watching),
            ("clients_in_timeout_table", &numbers.timed),
            ("total_watched_keys", &numbers.watched_keys),
            ("total_blocking_keys", &numbers.awaited_keys),
            ("total_blocking_keys_on_nokey", &numbers.awaited_ends),
            ("monitor_clients", &numbers.monitors),
        ],
    );
}

/// A size as people read it: `1.50M`.
pub fn human(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["K", "M", "G", "T", "P"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes}B") } else { format!("{value:.2}{unit}") }
}

fn memory(cx: &ShardCx, facts: &Facts, text: &mut String) {
    let (numbers, usage) = (&facts.numbers, &facts.usage);
    let used = numbers.data_bytes + numbers.beside_bytes();
    let peak = (numbers.peak_bytes + numbers.beside_bytes()).max(used);
    let (overhead, dataset) =
        (used - (numbers.data_bytes - numbers.table_bytes), numbers.data_bytes - numbers.table_bytes);
    let percent = |part: u64, whole: u64| format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64);
    let ratio = usage.rss_bytes as f64 / used.max(1) as f64;
    let total = cx.about.memory_total_bytes;
    let vms = numbers.eval_bytes + numbers.function_bytes;
    let caches = numbers.eval_cache_bytes + numbers.function_cache_bytes;
    let policy = cx.config.text(config::DirectiveId::of("maxmemory-policy"));
    let policy = String::from_utf8_lossy(&policy);
    lines(
        text,
        "Memory",
        &[
            ("used_memory", &used),
            ("used_memory_human", &human(used)),
            ("used_memory_rss", &usage.rss_bytes),
            ("used_memory_rss_human", &human(usage.rss_bytes)),
            ("used_memory_peak", &peak),
            ("used_memory_peak_human", &human(peak)),
            ("used_memory_peak_perc", &percent(used, peak)),
            ("used_memory_peak_time", &numbers.peak_time_s),
            ("used_memory_overhead", &overhead),
            ("used_memory_startup", &0),
            ("used_memory_dataset", &dataset),
            ("used_memory_dataset_perc", &percent(dataset, used)),
            ("allocator_allocated", &used),
            ("allocator_active", &usage.rss_bytes),
            ("allocator_resident", &usage.rss_bytes),
            ("allocator_muzzy", &0),
            ("total_system_memory", &total),
            ("total_system_memory_human", &human(total)),
            ("used_memory_lua", &numbers.eval_bytes),
            ("used_memory_vm_eval", &numbers.eval_bytes),
            ("used_memory_lua_human", &human(numbers.eval_bytes)),
            ("used_memory_scripts_eval", &numbers.eval_cache_bytes),
            ("number_of_cached_scripts", &numbers.scripts),
            ("number_of_functions", &numbers.functions),
            ("number_of_libraries", &numbers.libraries),
            ("used_memory_vm_functions", &numbers.function_bytes),
            ("used_memory_vm_total", &vms),
            ("used_memory_vm_total_human", &human(vms)),
            ("used_memory_functions", &numbers.function_cache_bytes),
            ("used_memory_scripts", &caches),
            ("used_memory_scripts_human", &human(caches)),
            ("maxmemory", &cx.config.maxmemory),
            ("maxmemory_human", &human(cx.config.maxmemory)),
            ("maxmemory_policy", &policy),
            ("allocator_frag_ratio", &format!("{ratio:.2}")),
            ("allocator_frag_bytes", &(usage.rss_bytes as i64 - used as i64)),
            // What the allocator holds is not told apart from what the process has.
            ("allocator_rss_ratio", &"1.00"),
            ("allocator_rss_bytes", &0),
            ("rss_overhead_ratio", &"1.00"),
            ("rss_overhead_bytes", &0),
            ("mem_fragmentation_ratio", &format!("{ratio:.2}")),
            ("mem_fragmentation_bytes", &(usage.rss_bytes as i64 - used as i64)),
            ("mem_not_counted_for_evict", &0),
            ("mem_replication_backlog", &0),
            ("mem_replica_full_sync_buffer", &0),
            ("mem_total_replication_buffers", &0),
            ("mem_clients_slaves", &0),
            ("mem_clients_normal", &numbers.client_bytes),
            ("mem_cluster_links", &0),
            ("mem_cluster_slot_migration_output_buffer", &0),
            ("mem_cluster_slot_migration_input_buffer", &0),
            ("mem_cluster_slot_migration_input_buffer_peak", &0),
            ("mem_aof_buffer", &0),
            ("mem_allocator", &cx.about.allocator),
            // Tables grow by segments and are never hashed anew as a whole.
            ("mem_overhead_db_hashtable_rehashing", &0),
            ("active_defrag_running", &0),
            ("lazyfree_pending_objects", &numbers.freeing),
            ("lazyfreed_objects", &numbers.freed),
        ],
    );
}

fn persistence(cx: &ShardCx, facts: &Facts, text: &mut String) {
    let report = cx.saver.as_ref().map(|saver| saver.report());
    let under_way = report.and_then(|report| report.under_way);
    let loading = report.and_then(|report| report.loading);
    let seconds = |seconds: Option<u64>| seconds.map_or(-1, |seconds| seconds as i64);
    let now_s = cx.now_ms / 1000;
    let log = cx.saver.as_ref().map(|saver| saver.log_report()).unwrap_or_default();
    let is_backing_up = cx.saver.as_ref().is_some_and(|saver| saver.backup_report().state.is_under_way());
    lines(
        text,
        "Persistence",
        &[
            ("loading", &u8::from(loading.is_some())),
            ("async_loading", &0),
            ("current_cow_peak", &0),
            ("current_cow_size", &0),
            ("current_cow_size_age", &0),
            ("current_fork_perc", &"0.00"),
            ("current_save_keys_processed", &under_way.map_or(0, |(_, keys)| keys)),
            ("current_save_keys_total", &under_way.map_or(0, |_| facts.numbers.keys)),
            ("rdb_changes_since_last_save", &facts.numbers.dirty),
            ("rdb_bgsave_in_progress", &u8::from(under_way.is_some())),
            ("rdb_last_save_time", &report.map_or(cx.started_ms / 1000, |report| report.last_save_s)),
            (
                "rdb_last_bgsave_status",
                &if report.is_none_or(|report| report.is_last_ok) { "ok" } else { "err" },
            ),
            ("rdb_last_bgsave_time_sec", &seconds(report.and_then(|report| report.last_took_s))),
            (
                "rdb_current_bgsave_time_sec",
                &seconds(under_way.map(|(begun_s, _)| now_s.saturating_sub(begun_s))),
            ),
            ("rdb_saves", &report.map_or(0, |report| report.count)),
            ("rdb_last_cow_size", &0),
            ("rdb_last_load_keys_expired", &report.map_or(0, |report| report.loaded.1)),
            ("rdb_last_load_keys_loaded", &report.map_or(0, |report| report.loaded.0)),
            ("aof_enabled", &u8::from(cx.config.appendonly)),
            ("aof_rewrite_in_progress", &u8::from(log.rewrite_begun_s.is_some())),
            ("aof_rewrite_scheduled", &u8::from(log.is_rewrite_scheduled)),
            ("aof_last_rewrite_time_sec", &seconds(log.last_rewrite_took_s)),
            (
                "aof_current_rewrite_time_sec",
                &seconds(log.rewrite_begun_s.map(|begun_s| now_s.saturating_sub(begun_s))),
            ),
            ("aof_last_bgrewrite_status", &if log.has_last_rewrite_failed { "err" } else { "ok" }),
            ("aof_rewrites", &log.rewrites),
            ("aof_rewrites_consecutive_failures", &log.rewrites_failed),
            ("aof_last_write_status", &if log.trouble.is_some() { "err" } else { "ok" }),
            ("aof_last_cow_size", &0),
            ("backup_in_progress", &u8::from(is_backing_up)),
            ("module_fork_in_progress", &0),
            ("module_fork_last_cow_size", &0),
        ],
    );
    if cx.config.appendonly {
        let mut line = |name: &str, value: u64| text.push_str(&format!("{name}:{value}\r\n"));
        line("aof_current_size", log.current_bytes);
        line("aof_base_size", log.base_bytes);
        line("aof_pending_rewrite", u64::from(!log.is_open));
        line("aof_buffer_length", log.waiting_bytes);
        line("aof_pending_bio_fsync", u64::from(log.is_unsynced));
        line("aof_delayed_fsync", log.delayed_syncs);
    }
    if let Some(loading) = loading {
        progress(&loading, now_s, text);
    }
}

/// How far loading is, behind the section on persistence.
fn progress(loading: &LoadReport, now_s: u64, text: &mut String) {
    let LoadReport { begun_s, total_bytes, loaded_bytes, used_memory_bytes } = *loading;
    let elapsed_s = now_s.saturating_sub(begun_s);
    let left_bytes = total_bytes.saturating_sub(loaded_bytes);
    // In the first second there is nothing to go by, and one is what Redis says then.
    let left_s = match elapsed_s {
        0 => 1,
        _ => (u128::from(elapsed_s) * u128::from(left_bytes) / (u128::from(loaded_bytes) + 1)) as u64,
    };
    let percent = loaded_bytes as f64 / total_bytes.max(1) as f64 * 100.0;
    let fields: [Field<'_>; 6] = [
        ("loading_start_time", &begun_s),
        ("loading_total_bytes", &total_bytes),
        ("loading_rdb_used_mem", &used_memory_bytes),
        ("loading_loaded_bytes", &loaded_bytes),
        ("loading_loaded_perc", &format!("{percent:.2}")),
        ("loading_eta_seconds", &left_s),
    ];
    for (name, value) in fields {
        write!(text, "{name}:{value}\r\n").expect("writing to a string");
    }
}

fn stats(cx: &ShardCx, facts: &Facts, text: &mut String) {
    let numbers = &facts.numbers;
    let kbps = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    let per_batch = format!("{:.2}", numbers.requests as f64 / numbers.batches.max(1) as f64);
    let kept = cx.migrator.as_ref().map_or(0, |migrator| migrator.kept_connections());
    lines(
        text,
        "Stats",
        &[
            ("total_connections_received", &numbers.connections),
            ("total_commands_processed", &numbers.commands),
            ("instantaneous_ops_per_sec", &numbers.ops_rate),
            ("total_net_input_bytes", &numbers.net_in_bytes),
            ("total_net_output_bytes", &numbers.net_out_bytes),
            ("total_net_repl_input_bytes", &0),
            ("total_net_repl_output_bytes", &0),
            ("instantaneous_input_kbps", &kbps(numbers.in_rate)),
            ("instantaneous_output_kbps", &kbps(numbers.out_rate)),
            ("instantaneous_input_repl_kbps", &"0.00"),
            ("instantaneous_output_repl_kbps", &"0.00"),
            ("rejected_connections", &numbers.rejected_connections),
            ("sync_full", &0),
            ("sync_partial_ok", &0),
            ("sync_partial_err", &0),
            ("expired_subkeys", &numbers.expired_fields),
            ("expired_keys", &numbers.expired_keys),
            ("expired_stale_perc", &"0.00"),
            ("expired_time_cap_reached_count", &0),
            ("expire_cycle_cpu_milliseconds", &(numbers.expire_nanos / 1_000_000)),
            ("evicted_keys", &numbers.evicted_keys),
            ("evicted_clients", &0),
            ("evicted_scripts", &numbers.evicted_scripts),
            ("total_eviction_exceeded_time", &0),
            ("current_eviction_exceeded_time", &0),
            ("keyspace_hits", &numbers.hits),
            ("keyspace_misses", &numbers.misses),
            ("pubsub_channels", &numbers.channels),
            ("pubsub_patterns", &numbers.patterns),
            ("pubsubshard_channels", &numbers.shard_channels),
            ("latest_fork_usec", &0),
            ("total_forks", &0),
            ("migrate_cached_sockets", &kept),
            ("slave_expires_tracked_keys", &0),
            ("active_defrag_hits", &0),
            ("active_defrag_misses", &0),
            ("active_defrag_key_hits", &0),
            ("active_defrag_key_misses", &0),
            ("total_active_defrag_time", &0),
            ("current_active_defrag_time", &0),
            ("tracking_total_keys", &numbers.tracked_keys),
            ("tracking_total_items", &numbers.tracked_reads),
            ("tracking_total_prefixes", &numbers.tracked_prefixes),
            ("unexpected_error_replies", &0),
            ("total_error_replies", &numbers.error_replies),
            ("dump_payload_sanitizations", &numbers.payloads_checked),
            ("total_reads_processed", &numbers.reads),
            ("total_writes_processed", &numbers.writes),
            ("io_threaded_reads_processed", &0),
            ("io_threaded_writes_processed", &0),
            ("client_query_buffer_limit_disconnections", &numbers.input_limit_closed),
            ("client_output_buffer_limit_disconnections", &numbers.output_limit_closed),
            ("reply_buffer_shrinks", &0),
            ("reply_buffer_expands", &0),
            ("eventloop_cycles", &numbers.turns),
            ("eventloop_duration_sum", &numbers.awake_us),
            ("eventloop_duration_cmd_sum", &(numbers.command_nanos / 1000)),
            ("instantaneous_eventloop_cycles_per_sec", &numbers.turn_rate),
            ("instantaneous_eventloop_duration_usec", &(numbers.awake_rate / numbers.turn_rate.max(1))),
            ("acl_access_denied_auth", &numbers.denied_auth),
            ("acl_access_denied_cmd", &0),
            ("acl_access_denied_key", &0),
            ("acl_access_denied_channel", &0),
            ("acl_access_denied_tls_cert", &0),
            ("slowlog_commands_count", &numbers.slow_commands),
            ("slowlog_commands_time_ms_sum", &millis(numbers.slow_micros)),
            ("slowlog_commands_time_ms_max", &millis(numbers.slow_micros_max)),
            ("total_client_processing_events", &numbers.inputs),
            ("eventloop_cycles_with_clients_processing", &numbers.turns_with_input),
            ("commands_per_parse_batch_sum", &numbers.requests),
            ("commands_per_parse_batch_cnt", &numbers.batches),
            ("commands_per_parse_batch_avg", &per_batch),
            ("forwarded_commands", &numbers.forwarded),
            ("moved_connections", &numbers.moved_connections),
            ("shard_visits", &numbers.visits),
        ],
    );
}

fn replication(cx: &ShardCx, text: &mut String) {
    lines(
        text,
        "Replication",
        &[
            ("role", &"master"),
            ("connected_slaves", &0),
            ("master_failover_state", &"no-failover"),
            ("master_replid", &cx.about.run_id),
            ("master_replid2", &"0000000000000000000000000000000000000000"),
            ("master_repl_offset", &0),
            ("second_repl_offset", &-1),
            ("repl_backlog_active", &0),
            ("repl_backlog_size", &1_048_576),
            ("repl_backlog_first_byte_offset", &0),
            ("repl_backlog_histlen", &0),
        ],
    );
}

fn cpu(usage: &Usage, text: &mut String) {
    let seconds = |micros: u64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    lines(
        text,
        "CPU",
        &[
            ("used_cpu_sys", &seconds(usage.system_us)),
            ("used_cpu_user", &seconds(usage.user_us)),
            ("used_cpu_sys_children", &seconds(usage.children_system_us)),
            ("used_cpu_user_children", &seconds(usage.children_user_us)),
            ("used_cpu_sys_main_thread", &seconds(usage.thread_system_us)),
            ("used_cpu_user_main_thread", &seconds(usage.thread_user_us)),
        ],
    );
}

fn keyspace(facts: &Facts, text: &mut String) {
    lines(text, "Keyspace", &[]);
    for (db, numbers) in facts.databases.iter().enumerate().filter(|(_, numbers)| numbers.keys > 0) {
        let DatabaseNumbers { keys, expiring, timed_hashes, .. } = numbers;
        let line =
            write!(text, "db{db}:keys={keys},expires={expiring},avg_ttl=0,subexpiry={timed_hashes}\r\n");
        line.expect("writing to a string");
    }
}

/// Of each database and type: how many values have how many elements, by powers of two.
fn key_sizes(facts: &Facts, text: &mut String) {
    lines(text, "Keysizes", &[]);
    for (db, numbers) in facts.databases.iter().enumerate() {
        for (kind, name) in info_numbers::SIZED {
            let bins: Vec<String> =
                numbers.sizes.of(kind).map(|(size, count)| format!("{}={count}", power(size))).collect();
            if !bins.is_empty() {
                write!(text, "db{db}_distrib_{name}:{}\r\n", bins.join(",")).expect("writing to a string");
            }
        }
    }
}

/// What the search for hot keys costs.
fn hot_keys(numbers: &Numbers, text: &mut String) {
    lines(
        text,
        "Hotkeys",
        &[
            ("hotkeys-tracking-active", &u8::from(numbers.hot_keys_active > 0)),
            ("hotkeys-used-memory", &numbers.hot_keys_bytes),
            ("hotkeys-cpu-time", &(numbers.hot_keys_nanos / 1_000_000)),
        ],
    );
}

/// A power of two (or 0) in the largest unit of 1,024s.
fn power(size: u64) -> String {
    let unit = size.checked_ilog2().unwrap_or(0) / 10;
    let names = ["", "K", "M", "G", "T", "P", "E"];
    format!("{}{}", size >> (10 * unit), names[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_have_units() {
        let sizes = [0, 1, 512, 1 << 10, 1 << 19, 1 << 20, 1 << 63];
        assert_eq!(sizes.map(power), ["0", "1", "512", "1K", "512K", "1M", "8E"]);
    }

    #[test]
    fn sizes_as_people_read_them() {
        assert_eq!([human(0), human(1023), human(1536), human(1 << 20)], ["0B", "1023B", "1.50K", "1.00M"]);
    }
}
