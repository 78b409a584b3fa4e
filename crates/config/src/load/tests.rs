//! Files and options, with messages taken from redis-server 7.0.15.

use super::*;
use crate::command_line::Invocation;
use crate::error::Program;
use crate::include::tests::Memory;
use base::random::Random;

fn load(args: &[&str], files: &mut Memory) -> Result<Loaded, String> {
    let Ok(Invocation::Serve(line)) = CommandLine::parse(args) else { panic!("not a start: {args:?}") };
    let program = Program { title: "Redis", version: "7.0.15" };
    Config::load(&line, files).map_err(|error| error.report(program))
}

fn text(loaded: &Loaded, name: &'static str) -> String {
    String::from_utf8(loaded.config.text(DirectiveId::of(name))).unwrap()
}

/// The message of a line of the command line.
fn message(args: &[&str]) -> (String, String) {
    let report = load(args, &mut Memory::default()).unwrap_err();
    let head =
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n>>> '";
    let rest = report.strip_prefix(head).unwrap_or_else(|| panic!("{report}"));
    let (line, message) = rest.split_once("'\n").unwrap();
    (line.to_owned(), message.trim_end().to_owned())
}

#[test]
fn later_words_win_and_lists_add_up() {
    let mut files = Memory::with(&[
        (
            "a.conf",
            "# c\r\n\n  timeout 1\ntimeout 2\nsave 60 1\nsave 70 2\nbind 1.1.1.1\nINCLUDE b.conf\nport 1\n",
        ),
        ("b.conf", "port 7\nhz 11\nclient-output-buffer-limit replica 1 2 3"),
    ]);
    files.stdin = "hz 12\ntimeout 3".to_owned();
    let loaded = load(&["a.conf", "--timeout", "4", "--requirepass", "a \"b\"", "-"], &mut files).unwrap();
    assert_eq!(text(&loaded, "timeout"), "4");
    assert_eq!(text(&loaded, "save"), "60 1 70 2");
    assert_eq!((text(&loaded, "port"), text(&loaded, "hz")), ("1".to_owned(), "12".to_owned()));
    assert_eq!(text(&loaded, "requirepass"), "a \"b\"");
    assert_eq!(loaded.config.client_output_buffer_limit.replica.hard_bytes, 1);
    assert_eq!(loaded.config.client_output_buffer_limit.pubsub.hard_bytes, 32 << 20);
}

#[test]
fn save_in_its_forms() {
    for (args, want) in [
        (&["--save", ""][..], ""),
        (&["--save"], ""),
        (&["--save", "60 1"], "60 1"),
        (&["--save", "60", "1", "70", "2"], "60 1 70 2"),
        (&["--save", "60", "1", "--save", "70 2"], "60 1 70 2"),
        (&["--save", "60", "1", "--save", "", "--save", "80", "3"], "80 3"),
        (&["--port", "1"], "3600 1 300 100 60 10000"),
    ] {
        let loaded = load(args, &mut Memory::default()).unwrap();
        assert_eq!(text(&loaded, "save"), want, "{args:?}");
    }
}

#[test]
fn messages_of_redis() {
    const BAD: &str = "Bad directive or wrong number of arguments";
    const COUNT: &str = "wrong number of arguments";
    for (args, want) in [
        (&["--foo", "1"][..], BAD),
        (&["--port=7000", "1"], BAD),
        (&["--include"], BAD),
        (&["--rename-command", "a"], BAD),
        (&["--loadmodule"], BAD),
        (&["--lua-replicate-commands"], BAD),
        (&["--foo.bar"], "Module config specified without value"),
        (&["--port", "--port", "0"], COUNT),
        (&["--timeout", "1", "2"], COUNT),
        (&["--oom-score-adj-values", "1", "2"], COUNT),
        (&["--replicaof", "a"], COUNT),
        (&["--replicaof", "a", "x"], "Invalid master port"),
        (&["--port", "abc"], "argument couldn't be parsed into an integer"),
        (&["--port", "70000"], "argument must be between 0 and 65535 inclusive"),
        (&["--maxclients", "-1"], "argument must be between 1 and 4294967295 inclusive"),
        (&["--unixsocketperm", "9"], "argument couldn't be parsed as an octal number"),
        (&["--unixsocketperm", "1000"], "argument must be between 0 and 777 inclusive"),
        (
            &["--shutdown-on-sigint", "save", "nosave"],
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            &["--client-output-buffer-limit", "normal", "1"],
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (&["--notify-keyspace-events", "Q"], "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        (&["--dbfilename", "a/b"], "dbfilename can't be a path, just a filename"),
        (&["--proc-title-template", "{x}"], "template format is invalid or contains unknown variables"),
        (&["--shard-cpus", "x"], "argument must be a list of cores such as 0-3,8"),
    ] {
        assert_eq!(message(args).1, want, "{args:?}");
    }
    let addresses: Vec<String> =
        std::iter::once("--bind".to_owned()).chain((0..17).map(|n| n.to_string())).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    assert_eq!(message(&addresses).1, "Too many bind addresses specified.");
    assert_eq!(message(&["--port", "abc"]).0, "port \"abc\"");
}

#[test]
fn numbers_of_databases_have_16_bits() {
    let (_, refused) = message(&["--databases", "65537"]);
    assert_eq!(refused, "argument must be between 1 and 65536 inclusive");
    let loaded = load(&["--databases", "65536"], &mut Memory::default()).unwrap();
    assert_eq!(loaded.config.databases, 65_536);
}

#[test]
fn where_an_error_is() {
    let mut files = Memory::with(&[
        ("a.conf", "port 1\nfoo bar\n"),
        ("b.conf", "\n\n  port \"1  \n"),
        ("c.conf", "include a.conf\n"),
        ("d.conf", "timeout 1\n"),
    ]);
    let head = "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line ";
    for (args, want) in [
        (&["a.conf"][..], "2 of a.conf\n>>> 'foo bar'\nBad directive or wrong number of arguments\n"),
        (&["b.conf"], "3 of b.conf\n>>> 'port \"1'\nUnbalanced quotes in configuration line\n"),
        (&["c.conf"], "2 of a.conf\n>>> 'foo bar'\nBad directive or wrong number of arguments\n"),
        (
            &["d.conf", "--timeout", "x"],
            "3\n>>> 'timeout \"x\"'\nargument couldn't be parsed into an integer\n",
        ),
    ] {
        assert_eq!(load(args, &mut files).unwrap_err(), format!("{head}{want}"));
    }
    assert_eq!(
        load(&["none.conf"], &mut files).unwrap_err(),
        "Fatal error, can't open config file 'none.conf': No such file or directory\n"
    );
    assert_eq!(
        load(&["--cluster-enabled", "yes", "--replicaof", "a", "1"], &mut files).unwrap_err(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nreplicaof directive not allowed in cluster mode\n"
    );
}

#[test]
fn includes() {
    let mut files = Memory::with(&[
        ("/c/1.conf", "port 1\n"),
        ("/c/2.conf", "port 2\n"),
        ("loop.conf", "include loop.conf\n"),
    ]);
    let loaded = load(&["--include", "/c/*.conf", "--include", "/none/*.conf"], &mut files).unwrap();
    assert_eq!(loaded.config.port, 2);
    assert!(load(&["loop.conf"], &mut files).unwrap_err().contains("Too many files include each other"));
    assert!(load(&["--include", "/none"], &mut files).unwrap_err().starts_with("Fatal error, can't open"));
}

#[test]
fn statements_and_warnings() {
    let lines = "rename-command DEBUG \"\"\nloadmodule x.so 1\n\
                 list-max-ziplist-entries 5\nsearch.timeout 5\nsave \"\"\n\
                 appendonly no\ntls-port 0\naof-disable-auto-gc yes\nrepl-timeout 60\n";
    let loaded = Config::load_text(lines, &mut Memory::default()).unwrap();
    let names: Vec<&str> = loaded.statements.iter().map(|statement| statement.name.as_str()).collect();
    assert_eq!(names, ["rename-command", "loadmodule", "search.timeout"]);
    assert_eq!(loaded.statements[0].args, [&b"DEBUG"[..], b""]);
    let error = loaded.statements[0].error("No such command in rename-command");
    assert_eq!(error.to_string(), "line 1 of text: No such command in rename-command");
    let warned: Vec<&str> = loaded.warnings.iter().map(|warning| warning.directive.as_str()).collect();
    assert_eq!(warned, ["aof-disable-auto-gc", "loadmodule", "search.timeout"]);
}

#[test]
fn what_works_is_not_warned_about() {
    let warnings = |lines: &str| Config::load_text(lines, &mut Memory::default()).unwrap().warnings.len();
    assert_eq!(warnings("save 3600 1 300 100 60 10000"), 0);
    assert_eq!(warnings("appendonly yes"), 0);
    assert_eq!(warnings("aof-disable-auto-gc yes"), 1);
    assert_eq!(warnings("save \"\""), 0);
    assert_eq!(warnings("port 1"), 0);
}

#[test]
fn sentinel_is_refused() {
    let report = Config::load_text("sentinel monitor x", &mut Memory::default()).unwrap_err();
    assert_eq!(report.to_string(), "line 1 of text: sentinel directive while not in sentinel mode");
}

/// A server that does not know the users it was told of would serve everybody.
#[test]
fn users_are_refused() {
    let read = |lines: &str| Config::load_text(lines, &mut Memory::default());
    for line in [
        "user bob on +@all ~* &*",
        "user default off",
        "user default on",
        "user default on nopass ~* &*",
        "user default on nopass ~* &* +@all -@admin",
        "user default on #0 ~* &* +@all",
        "user default on nopass ~k* &* +@all",
        "aclfile /etc/users.acl",
    ] {
        let error = read(&format!("port 1\n{line}\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of text: There are no users in this version"), "{line}: {error}");
        assert!(error.contains("access control lists are missing"), "{error}");
    }
    let error = load(&["--aclfile", "users.acl"], &mut Memory::default()).unwrap_err();
    assert!(error.contains("'aclfile \"users.acl\"'") && error.contains("There are no users"), "{error}");
    // What CONFIG REWRITE of Redis writes when nobody has made any.
    for line in [
        "user default on nopass sanitize-payload ~* &* +@all",
        "user default on nopass allkeys allchannels allcommands",
    ] {
        let loaded = read(&format!("{line}\naclfile \"\"")).unwrap();
        assert!(loaded.warnings.is_empty() && loaded.statements.is_empty());
    }
}

#[test]
fn random_lines_never_panic() {
    let mut random = Random::from_seed(0xc0ffee);
    let mut next = |bound: usize| random.index(bound);
    let pieces = [
        "port", "save", "include", "\"", "'", "\\x4", " ", "\n", "#", "1", "yes", "bind", "\0", "é", "a.b",
        "user",
    ];
    for _ in 0..5_000 {
        let text: String = (0..next(12)).map(|_| pieces[next(pieces.len())]).collect();
        let _ = Config::load_text(&text, &mut Memory::default());
    }
}

#[test]
fn directives_that_only_valkey_has() {
    let load = |lines: &str| Config::load_text(lines, &mut Memory::default()).unwrap();
    let defaults = "dual-channel-replication-enabled no\nrdma-port 0\nlog-format legacy\nimport-mode no";
    assert!(load(defaults).warnings.is_empty());
    let loaded =
        load("dual-channel-replication-enabled yes\nprimaryauth secret\ncommandlog-execution-slower-than 7");
    let warned: Vec<&str> = loaded.warnings.iter().map(|warning| warning.directive.as_str()).collect();
    assert!(warned.contains(&"dual-channel-replication-enabled"), "{warned:?}");
    assert_eq!(text(&loaded, "masterauth"), "secret");
    assert_eq!(text(&loaded, "slowlog-log-slower-than"), "7");
}
