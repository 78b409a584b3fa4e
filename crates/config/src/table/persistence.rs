//! Snapshots, the append-only file and what happens at shutdown.

use super::checks;
use crate::choice::{AppendFsync, SANITIZE_DUMP};
use crate::directive::{
    Directive, I32_MAX, I64_MAX, Kind, SIZE_MAX, bytes, choice, int, obsolete, optional, shutdown_flags,
    special, text, yes_no,
};

const WORK: &str = "persistence";

pub(super) const SNAPSHOTS: &[Directive] = &[
    special("save", Kind::SavePoints, "3600 1 300 100 60 10000").neutral("").works(
        "Snapshot after so many seconds if so many keys changed, and at shutdown; several pairs; `\"\"` for never.",
    ),
    yes_no("stop-writes-on-bgsave-error", "yes")
        .works("Refuse writes after a snapshot failed, if there are `save` points."),
    yes_no("rdbcompression", "yes").works("Compress strings in snapshots."),
    yes_no("rdbchecksum", "yes")
        .immutable()
        .works("End snapshots with a check sum, and verify it when they are loaded."),
    int("rdb-version", 10, 14, "10").works(
        "Version of the format of snapshots: 10 for Redis 7.0 and whatever is newer, 11 for 7.2 and Valkey, 12 for 7.4 to 8.2, 13 and 14 for later ones. \
         Values that it does not have raise it: hashes with fields that expire to 12, streams that remember producers to 13, arrays to 14.",
    ),
    bytes("rdb-save-memory", 4 << 20, SIZE_MAX, "32mb").works(
        "What a snapshot may have waiting for the disk. While half of it waits, shards write no more than they must, and beyond it they wait. \
         Of large values that are being written each shard keeps an eighth of it, and 8 MiB of those whose keys are gone.",
    ),
    choice("sanitize-dump-payload", SANITIZE_DUMP, "no")
        .accepted("Payloads of RESTORE are always checked completely."),
    text("dbfilename", "dump.rdb").protected().check(checks::file_name).works("Name of the snapshot."),
    yes_no("rdb-del-sync-files", "no").later("replication", "Remove snapshots made for replicas."),
    special("dir", Kind::Directory, ".")
        .protected()
        .volatile()
        .fixed_while_loading()
        .works("The working directory: where snapshots and append-only files are."),
    yes_no("rdb-save-incremental-fsync", "yes").accepted("Snapshots are always flushed as they are written."),
    int("rdb-key-save-delay", -I32_MAX - 1, I32_MAX, "0").hidden().accepted("For tests of Redis itself."),
    int("key-load-delay", -I32_MAX - 1, I32_MAX, "0")
        .hidden()
        .works("For tests: microseconds that loading takes longer for each key; if negative, one for so many."),
    int("loading-process-events-interval-bytes", 1024, I32_MAX, "2097152")
        .hidden()
        .accepted("Shards look at what their clients ask for every millisecond while they load."),
];

pub(super) const APPEND_ONLY: &[Directive] = &[
    yes_no("appendonly", "no").works("Write what every command does into append-only files, and start with what they say."),
    text("appendfilename", "appendonly.aof")
        .immutable()
        .check(checks::append_file_name)
        .works("Start of the names of the append-only files."),
    text("appenddirname", "appendonlydir")
        .immutable()
        .check(checks::append_directory_name)
        .works("Directory of the append-only files, in `dir`."),
    text("backupdirname", "backupdir")
        .immutable()
        .check(checks::backup_directory_name)
        .works("Directory in which BACKUP puts its files, in `dir`."),
    int("backup-sealed-ttl", 0, I32_MAX, "0")
        .works("Seconds after which the files of a sealed BACKUP are removed; 0: never."),
    optional("preload-file").immutable().check(checks::preload_file).works(
        "What to start with instead of the usual files: `rdb:` and the path of a snapshot, or `aof:` and that of the manifest of append-only files.",
    ),
    choice("appendfsync", AppendFsync::NAMES, "everysec").works(
        "When append-only files are synced: before anybody learns of what is in them, every second, or when the system likes.",
    ),
    yes_no("no-appendfsync-on-rewrite", "no").works("With `everysec`, do not sync while a rewrite runs."),
    int("auto-aof-rewrite-percentage", 0, I32_MAX, "100")
        .works("Growth in percent that starts a rewrite; 0 for never."),
    bytes("auto-aof-rewrite-min-size", 0, SIZE_MAX, "64mb").works("Size below which none starts."),
    yes_no("aof-load-truncated", "yes").works("Start though the end of a file is missing."),
    bytes("aof-load-corrupt-tail-max-size", 0, SIZE_MAX, "0")
        .works("Start though so many bytes at the end of a file, or fewer, are damaged: they are cut off."),
    yes_no("aof-use-rdb-preamble", "yes").works("Start append-only files with a snapshot; `no` for commands."),
    yes_no("aof-timestamp-enabled", "no").works("Note times in append-only files."),
    yes_no("aof-rewrite-incremental-fsync", "yes").accepted("Files are always flushed as they are written."),
    yes_no("aof-disable-auto-gc", "no").hidden().later(WORK, "Keep files that a rewrite replaced."),
];

pub(super) const SHUTDOWN: &[Directive] = &[
    int("shutdown-timeout", 0, I32_MAX, "10")
        .later("replication", "Seconds to wait for replicas at shutdown."),
    shutdown_flags("shutdown-on-sigint").works("What SIGINT does: save, nosave, now, force."),
    shutdown_flags("shutdown-on-sigterm").works("What SIGTERM does: save, nosave, now, force."),
];

pub(super) const BLOCKING: &[Directive] = &[
    int("busy-reply-threshold", 0, I64_MAX, "5000")
        .aliases(&["lua-time-limit"])
        .works("Milliseconds after which others are told that a script is running; 0 is never."),
    obsolete("lua-replicate-commands"),
    yes_no("lua-enable-deprecated-api", "no")
        .immutable()
        .hidden()
        .later("scripts", "Whether scripts may call getfenv, setfenv and newproxy."),
];

pub(super) const CPU_LISTS: &[Directive] = &[
    optional("server-cpulist")
        .aliases(&["server_cpulist"])
        .immutable()
        .accepted("Use `shard-cpus` to say where shards run."),
    optional("bio-cpulist").aliases(&["bio_cpulist"]).immutable().accepted("There are no such threads."),
    optional("aof-rewrite-cpulist")
        .aliases(&["aof_rewrite_cpulist"])
        .immutable()
        .accepted("There is no such process."),
    optional("bgsave-cpulist").aliases(&["bgsave_cpulist"]).immutable().accepted("There is no such process."),
];
