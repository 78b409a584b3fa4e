//! `CONFIG GET` and `CONFIG SET`, with answers taken from redis-server 7.0.15.

use super::*;
use base::random::Random;

fn get(config: &Config, pattern: &str) -> String {
    let found = config.get(&[pattern]);
    let shown = found.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
    shown.collect::<Vec<_>>().join(" ")
}

fn set(config: &mut Config, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let changed = config.set(pairs, Caller::default())?;
    Ok(changed.into_iter().map(DirectiveId::name).collect())
}

#[test]
fn typed_defaults() {
    let config = Config::default();
    assert_eq!((config.port, config.databases, config.maxclients), (6379, 16, 10000));
    assert_eq!(config.bind, ["*", "-::*"]);
    assert_eq!(config.proto_max_bulk_len, 512 << 20);
    assert_eq!(config.list_max_listpack_size, -2);
    assert_eq!(config.client_output_buffer_limit.replica.hard_bytes, 256 << 20);
    assert_eq!(config.requirepass, None);
    assert_eq!(config.maxmemory_policy, crate::MaxmemoryPolicy::NoEviction);
    assert_eq!(config.shards, 0);
    assert!(DirectiveId::all().all(|id| config.is_default(id)));
}

#[test]
fn get_by_name_and_pattern() {
    let config = Config::default();
    assert_eq!(get(&config, "MaxMemory"), "MaxMemory=0");
    assert_eq!(config.get(&["MAXMEMORY", "maxmemory", "max[m]emory"]).len(), 1);
    assert_eq!(get(&config, "LFU-*"), "lfu-log-factor=10 lfu-decay-time=1");
    assert_eq!(get(&config, "*priority"), "replica-priority=100 slave-priority=100");
    assert_eq!(get(&config, "use-exit*"), "");
    assert_eq!(get(&config, "use-exit-on-panic"), "use-exit-on-panic=no");
    assert_eq!(get(&config, "\\maxmemory"), "");
    assert_eq!(get(&config, "include"), "");
    assert_eq!(get(&config, "*ename-comman*"), "");
    assert_eq!(get(&config, "save"), "save=3600 1 300 100 60 10000");
    assert_eq!(
        get(&config, "client-output-buffer-limit"),
        "client-output-buffer-limit=normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
    );
}

#[test]
fn a_backlog_that_is_set_has_some_size() {
    let mut config = Config::default();
    let id = DirectiveId::find(b"repl-backlog-size").unwrap();
    // As the file or the command line says it.
    config.assign(id, b"10").unwrap();
    assert_eq!(set(&mut config, &[("repl-backlog-size", "10")]), Ok(vec![]));
    assert_eq!(get(&config, "repl-backlog-size"), "repl-backlog-size=10");
    assert_eq!(set(&mut config, &[("repl-backlog-size", "20")]), Ok(vec!["repl-backlog-size"]));
    assert_eq!(get(&config, "repl-backlog-size"), "repl-backlog-size=16384");
    set(&mut config, &[("repl-backlog-size", "16385")]).unwrap();
    assert_eq!(get(&config, "repl-backlog-size"), "repl-backlog-size=16385");
    assert!(set(&mut config, &[("repl-backlog-size", "0")]).is_err());
}

#[test]
fn set_and_show_again() {
    let mut config = Config::default();
    for (name, given, shown) in [
        ("maxmemory", "", "0"),
        ("maxmemory", "1kB", "1024"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("save", "60 1 70 2", "60 1 70 2"),
        ("save", "", ""),
        ("shutdown-on-sigint", "now force", "now force"),
        ("shutdown-on-sigterm", "force nosave", "nosave force"),
        ("oom-score-adj", "Relative", "yes"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("latency-tracking-info-percentiles", "50 99.95 100 1e1", "50 99.95 100 10"),
        ("latency-tracking-info-percentiles", "", ""),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("bind", "", ""),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("list-max-listpack-size", "-7", "-7"),
        ("requirepass", "a b", "a b"),
        (
            "client-output-buffer-limit",
            "normal 1mb 2k 3 replica 1 2 3",
            "normal 1048576 2000 3 slave 1 2 3 pubsub 33554432 8388608 60",
        ),
        ("oom-score-adj-values", "1 2 3", "1 2 3"),
        ("lua-time-limit", "7", "7"),
    ] {
        set(&mut config, &[(name, given)]).unwrap();
        assert_eq!(get(&config, name), format!("{name}={shown}"));
    }
    assert_eq!(get(&config, "busy-reply-threshold"), "busy-reply-threshold=7");
    assert_eq!(config.requirepass.as_deref(), Some(&b"a b"[..]));
}

#[test]
fn refusals() {
    let related = |name: &str, reason: &str| set_failure(name, reason);
    let integer = "argument couldn't be parsed into an integer";
    let names = "argument(s) must be one of the following: default, save, nosave, now, force";
    let cases: &[(&[(&str, &str)], String)] = &[
        (&[("foo", "1")], "ERR Unknown option or number of arguments for CONFIG SET - 'foo'".to_owned()),
        (
            &[("PORT", "1"), ("foo", "1"), ("daemonize", "yes")],
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'".to_owned(),
        ),
        (&[("daemonize", "yes"), ("foo", "1")], related("daemonize", "can't set immutable config")),
        (&[("DAEMONIZE", "yes")], related("DAEMONIZE", "can't set immutable config")),
        (&[("dir", "/tmp")], related("dir", "can't set protected config")),
        (&[("timeout", "1"), ("TIMEOUT", "2")], related("TIMEOUT", "duplicate parameter")),
        (
            &[("slave-priority", "1"), ("replica-priority", "2")],
            related("replica-priority", "duplicate parameter"),
        ),
        (&[("Timeout", "x")], related("timeout", integer)),
        (&[("Slave-priority", "x")], related("slave-priority", integer)),
        (&[("timeout", "5"), ("hz", "x")], related("hz", integer)),
        (&[("timeout", " 5")], related("timeout", integer)),
        (&[("timeout", "05")], related("timeout", integer)),
        (&[("timeout", "-1")], related("timeout", "argument must be between 0 and 2147483647 inclusive")),
        (&[("appendonly", "maybe")], related("appendonly", "argument must be 'yes' or 'no'")),
        (&[("maxmemory", "1x")], related("maxmemory", "argument must be a memory value")),
        (
            &[("maxmemory-clients", "x")],
            related("maxmemory-clients", "argument must be a memory or percent value"),
        ),
        (
            &[("maxmemory-clients", "101%")],
            related("maxmemory-clients", "percentage argument must be less or equal to 100"),
        ),
        (&[("save", "60 1  70 2")], related("save", "Invalid save parameters")),
        (&[("save", " ")], related("save", "Invalid save parameters")),
        (&[("shutdown-on-sigint", "")], related("shutdown-on-sigint", names)),
        (
            &[("proto-max-bulk-len", "1")],
            related(
                "proto-max-bulk-len",
                "argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
        ),
        (&[("replicaof", "a 1")], related("replicaof", "can't set immutable config")),
        (&[("user", "x")], "ERR Unknown option or number of arguments for CONFIG SET - 'user'".to_owned()),
    ];
    for (pairs, message) in cases {
        let mut config = Config::default();
        assert_eq!(set(&mut config, pairs).as_ref(), Err(message));
        assert_eq!(config, Config::default(), "{pairs:?} left something behind");
    }
}

#[test]
fn changes_are_told_once_and_only_if_any() {
    let mut config = Config::default();
    assert_eq!(set(&mut config, &[("timeout", "5"), ("hz", "10")]), Ok(vec!["timeout"]));
    assert_eq!(set(&mut config, &[("slave-priority", "2")]), Ok(vec!["replica-priority"]));
    assert_eq!(get(&config, "replica-priority"), "replica-priority=2");
    assert_eq!(set(&mut config, &[("tls-cert-file", "")]), Ok(vec!["tls-cert-file"]));
    assert_eq!(set(&mut config, &[]), Ok(vec![]));
}

#[test]
fn protected_and_loading() {
    let mut config = Config::default();
    config.assign(DirectiveId::of("enable-protected-configs"), b"local").unwrap();
    let near = Caller { local: true, loading: false };
    assert!(config.set(&[("dbfilename", "x.rdb")], near).is_ok());
    assert!(config.set(&[("dbfilename", "y.rdb")], Caller::default()).is_err());
    assert_eq!(
        config.set(&[("dir", "/")], Caller { loading: true, ..near }),
        Err("LOADING Redis is loading the dataset in memory".to_owned())
    );
    assert_eq!(
        config.set(&[("dbfilename", "a/b")], near).unwrap_err(),
        set_failure("dbfilename", "dbfilename can't be a path, just a filename")
    );
}

#[test]
fn assigning_what_the_server_knows() {
    let mut config = Config::default();
    config.assign(DirectiveId::of("dir"), b"/var/lib/weft").unwrap();
    config.assign(DirectiveId::of("replicaof"), b"host 6380").unwrap();
    assert_eq!(get(&config, "slaveof"), "slaveof=host 6380");
    assert_eq!(config.dir, std::path::Path::new("/var/lib/weft"));
    assert!(config.assign(DirectiveId::of("port"), b"x").is_err());
}

#[test]
fn warnings_only_for_what_has_no_effect() {
    let mut config = Config::default();
    let changed = config.set(&[("aof-disable-auto-gc", "yes"), ("timeout", "1")], Caller::default()).unwrap();
    let warnings = config.warnings(&changed);
    assert_eq!(warnings.len(), 1);
    assert_eq!(
        warnings[0].to_string(),
        "'aof-disable-auto-gc' has no effect: this version lacks persistence"
    );
    assert!(is_sensitive(b"RequirePass") && !is_sensitive(b"port"));
}

/// Whatever a client sends, there is an answer, and a refusal changes nothing.
#[test]
fn random_values_never_panic() {
    let mut random = Random::from_seed(0x5eed);
    let mut next = |bound: usize| random.index(bound);
    let ids: Vec<DirectiveId> = DirectiveId::all().collect();
    let alphabet = b"0123456789 -+.%kKmMgGbeEyYnNoOsS{}\"'\\/\xff\0";
    let mut config = Config::default();
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..next(12)).map(|_| alphabet[next(alphabet.len())]).collect();
        let name = ids[next(ids.len())].name();
        let before = config.clone();
        match config.set(&[(name, text.as_slice())], Caller { local: true, loading: false }) {
            Ok(_) => {
                // What is shown can be set again and then is the same.
                let shown = config.text(DirectiveId::of(name));
                let mut again = config.clone();
                again.set(&[(name, shown.as_slice())], Caller::default()).unwrap();
                assert_eq!(again, config, "{name} {text:?}");
            }
            Err(_) => assert_eq!(before, config),
        }
    }
}

#[test]
fn bounds_that_depend_on_each_other() {
    let mut config = Config::default();
    let failed = |name: &str, reason: &str| Err(set_failure(name, reason));
    let (kmin, kmax) = ("array-sparse-kmin", "array-sparse-kmax");
    let too_low = "array-sparse-kmax must be greater than array-sparse-kmin when non-zero";
    assert_eq!(set(&mut config, &[(kmax, "5")]), failed(kmax, too_low));
    assert_eq!(
        set(&mut config, &[(kmin, "10")]),
        failed(kmin, "array-sparse-kmin must be less than array-sparse-kmax")
    );
    // One after the other, as they are given.
    assert_eq!(set(&mut config, &[(kmin, "2"), (kmax, "3")]), Ok(vec![kmax, kmin]));
    assert_eq!(set(&mut config, &[(kmax, "0"), (kmin, "10")]), Ok(vec![kmax, kmin]));
}
