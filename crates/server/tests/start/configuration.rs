//! The command line, configuration files, the log and the background.

use crate::programs::{Directory, WEFT, eventually, run, serve, serve_by, text};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::{Client, Value};

#[test]
fn version_and_help() {
    let version = run(&["--version"]);
    assert!(version.status.success());
    assert!(text(&version).starts_with("Weft server v="));
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(1));
    assert!(text(&help).contains("Usage: weft-server"));
}

#[test]
fn an_unknown_directive_stops_the_start() {
    let directory = Directory::new();
    let file = directory.write("weft.conf", "# a comment\nport 0\nno-such-thing yes\n");
    let output = run(&[&file]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("*** FATAL CONFIG FILE ERROR (Weft "), "{text}");
    assert!(text.contains(&format!("at line 3 of {file}")), "{text}");
    assert!(text.contains(">>> 'no-such-thing yes'"), "{text}");
    assert!(text.contains("Bad directive or wrong number of arguments"), "{text}");
}

#[test]
fn what_cannot_be_read_or_entered_stops_the_start() {
    let output = run(&["/no/such/file.conf"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("can't open config file '/no/such/file.conf': No such file or directory"));
    let output = run(&["--dir", "/no/such/directory"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("Can't chdir to '/no/such/directory': No such file or directory"));
    let output = run(&["--logfile", "/no/such/file.log"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("Can't open the log file: No such file or directory"));
}

#[test]
fn commands_get_other_names_or_none() {
    let directory = Directory::new();
    let lines = "rename-command GET fetch\nrename-command FLUSHALL \"\"\nrename-command FLUSHDB \"\"\n\
                 rename-command CONFIG b840fc02d524045429941cc15f59e41cb7be6c52\n";
    let file = directory.write("renamed.conf", lines);
    let server = serve(&["--include", &file]);
    let mut client = server.client();
    assert!(client.run("SET k v").is_ok());
    assert_eq!(client.run("fetch k"), Value::bulk("v"));
    assert_eq!(client.run("FETCH k"), Value::bulk("v"));
    for gone in ["GET k", "FLUSHALL", "FLUSHDB", "CONFIG GET port"] {
        let reply = client.run(gone).to_string();
        assert!(reply.contains("ERR unknown command"), "{gone}: {reply}");
    }
    assert!(client.run("fetch").to_string().contains("wrong number of arguments for 'get' command"));
    let config = client.run("b840fc02d524045429941cc15f59e41cb7be6c52 GET maxmemory");
    assert_eq!(config, Value::bulks(&["maxmemory", "0"]));
    // COMMAND knows it by the new name, and tells the old one.
    let info = client.run("COMMAND INFO fetch get flushall").to_string();
    let plain = serve(&["--shards", "1"]).client().run("COMMAND INFO get").to_string();
    assert!(plain.contains("get") && info.contains("get") && !info.contains("fetch"), "{info}");
    let count = client.run("COMMAND COUNT").integer();
    assert_eq!(count, serve(&["--shards", "1"]).client().run("COMMAND COUNT").integer().map(|all| all - 2));
    assert_eq!(client.run("EXISTS k").integer(), Some(1));

    for (line, reason) in [
        ("rename-command nosuch a", "No such command in rename-command"),
        ("rename-command get set", "Target command name already exists"),
    ] {
        let file = directory.write("bad.conf", &format!("port 0\n{line}\n"));
        let output = run(&[&file]);
        assert_eq!(output.status.code(), Some(1));
        let text = text(&output);
        assert!(text.contains(reason) && text.contains("at line 2 of"), "{text}");
    }
}

#[test]
fn directives_of_later_work_are_warned_about() {
    let directory = Directory::new();
    let file = directory.write("later.conf", "tls-replication yes\nmaxclients 100\n");
    let mut server = serve(&["--include", &file]);
    assert!(server.client().cmd(&["SET", "k", "v"]).is_ok());
    assert!(server.log().contains("WARNING 'tls-replication' has no effect: this version lacks TLS"));
    assert!(!server.log().contains("'maxclients'"));
    server.stop().unwrap();
}

#[test]
fn configuration_from_the_standard_input() {
    let directory = Directory::new();
    let socket = directory.file("weft.sock");
    let mut child = Command::new(WEFT).arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let text = format!("port 0\nshards 1\nunixsocket {}\n", socket.display());
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    eventually("a connection", || Client::connect_unix(&socket).is_ok());
    terminate(child.id());
    assert!(child.wait().unwrap().success());
}

#[test]
fn all_of_the_configuration_is_written_when_that_is_wanted() {
    let directory = Directory::new();
    let file = directory.write("weft.conf", "# ours\nhz 20\n");
    let with_file = |arguments: &[&str]| {
        let shell = format!("program=$1; shift; exec \"$program\" '{file}' \"$@\"");
        serve_by(&shell, arguments).unwrap()
    };
    let server = with_file(&["--shards", "2", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    assert!(client.run("DEBUG CONFIG-REWRITE-FORCE-ALL").is_ok());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# ours\nhz 20\n\n# Generated by CONFIG REWRITE\n"), "{text}");
    assert!(text.contains("\nmaxmemory-policy noeviction\n") && text.contains("\nshards 2\n"), "{text}");
    let reply = client.run("DEBUG CONFIG-REWRITE-FORCE-ALL now").to_string();
    assert!(reply.contains("ERR unknown subcommand or wrong number of arguments"), "{reply}");
    drop((client, server));
    // A server starts from what was written.
    let again = with_file(&[]);
    assert_eq!(again.client().run("CONFIG GET hz"), Value::bulks(&["hz", "20"]));
    assert_eq!(again.client().run("CONFIG GET shards"), Value::bulks(&["shards", "2"]));

    let none = serve(&["--enable-debug-command", "yes"]);
    let reply = none.client().run("DEBUG CONFIG-REWRITE-FORCE-ALL").to_string();
    assert_eq!(reply, "(error) ERR CONFIG-REWRITE-FORCE-ALL failed");
}

#[test]
fn the_log_goes_to_its_file_and_says_what_matters() {
    let mut server = serve(&["--logfile", "weft.log", "--pidfile", "weft.pid", "--shards", "2"]);
    let read = |name: &str| fs::read_to_string(server.directory().join(name)).unwrap();
    assert_eq!(read("weft.pid"), format!("{}\n", server.pid()));
    let log = read("weft.log");
    let pid = server.pid();
    for text in [
        "Weft version=",
        &format!("pid={pid}, just started"),
        &format!("Running mode=standalone, port={}.", server.port()),
        "Shards: 2, ",
        "I/O: ",
        &format!("Listening on 127.0.0.1:{}", server.port()),
        "Ready to accept connections tcp",
    ] {
        assert!(log.contains(text), "{text} is missing in {log}");
    }
    assert!(log.lines().all(|line| line.starts_with(&format!("{pid}:M "))), "{log}");
    assert_eq!(server.log(), "");
    assert!(server.stop().unwrap().success());
    assert!(!server.directory().join("weft.pid").exists());
}

#[test]
fn port_and_process_stand_by_themselves_when_the_logo_is_asked_for() {
    let server = serve(&["--always-show-logo", "yes"]);
    let (port, pid) = (server.port(), server.pid());
    eventually("the last line", || server.log().contains("Server initialized"));
    let log = server.log();
    assert!(
        log.contains(&format!("    Running in standalone mode\n    Port: {port}\n    PID: {pid}\n")),
        "{log}"
    );
    let quiet = serve(&["--always-show-logo", "yes", "--loglevel", "warning"]);
    assert_eq!(quiet.log(), "");
}

#[test]
fn a_higher_log_level_says_less() {
    let server = serve(&["--loglevel", "warning"]);
    assert_eq!(server.log(), "");
    let server = serve(&["--loglevel", "verbose"]);
    drop(server.client());
    eventually("a line about a connection", || server.log().contains(" - Accepted 127.0.0.1:"));
}

#[test]
fn the_background() {
    let directory = Directory::new();
    let dir = directory.path().to_str().unwrap();
    let files = ["--pidfile", "weft.pid", "--logfile", "weft.log", "--unixsocket", "weft.sock"];
    let output =
        run(&[&["--daemonize", "yes", "--port", "0", "--dir", dir, "--shards", "2"], &files[..]].concat());
    assert!(output.status.success(), "{}", text(&output));
    let socket = directory.file("weft.sock");
    eventually("a reply", || {
        Client::connect_unix(&socket)
            .is_ok_and(|mut c| c.try_cmd(&["SET", "k", "v"]).is_ok_and(|v| v.is_ok()))
    });
    let pid: u32 = fs::read_to_string(directory.file("weft.pid")).unwrap().trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let (session, terminal) = (fields[3], fields[4]);
    assert_ne!(session, pid.to_string(), "the second child leads no session");
    assert_eq!(terminal, "0");
    terminate(pid);
    eventually("the end", || !directory.file("weft.pid").exists());
    assert!(!socket.exists());
    assert!(fs::read_to_string(directory.file("weft.log")).unwrap().contains("bye bye"));
}

#[test]
fn a_taken_address_is_told_before_going_into_the_background() {
    let server = serve(&["--shards", "1"]);
    let port = server.port().to_string();
    let output = run(&["--daemonize", "yes", "--port", &port, "--bind", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn systemd_is_told() {
    use std::os::unix::net::UnixDatagram;
    let directory = Directory::new();
    let notify = UnixDatagram::bind(directory.file("notify")).unwrap();
    notify.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let mut child = Command::new(WEFT)
        .args(["--supervised", "systemd", "--port", "0", "--unixsocket", "s", "--shards", "1", "--dir"])
        .arg(directory.path())
        .env("NOTIFY_SOCKET", directory.file("notify"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut buffer = [0; 256];
    let mut told = || {
        let count = notify.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert!(told().starts_with("READY=1"));
    let mut client = Client::connect_unix(directory.file("s")).unwrap();
    assert_eq!(client.cmd(&["GET", "none"]), Value::Null);
    terminate(child.id());
    assert!(told().starts_with("STOPPING=1"));
    assert!(child.wait().unwrap().success());
}

fn terminate(pid: u32) {
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn the_working_directory_changes_while_the_server_runs() {
    let settings = ["--shards", "2", "--enable-protected-configs", "yes", "--logfile", "weft.log"];
    let files = ["--unixsocket", "weft.sock", "--pidfile", "weft.pid"];
    let mut server =
        crate::programs::serve_by("ulimit -n 256; exec \"$@\"", &[&settings[..], &files].concat()).unwrap();
    let (mut client, mut other) = (server.client(), server.client());
    let first = fs::canonicalize(server.directory()).unwrap();
    let second = first.join("second");
    fs::create_dir(&second).unwrap();
    let at = |path: &Path| Value::bulks(&["dir", path.to_str().unwrap()]);
    let process = format!("/proc/{}/cwd", server.pid());
    let cwd = || fs::read_link(&process).unwrap();
    assert!(client.run("CONFIG SET dir ./second/../second").is_ok());
    assert_eq!(cwd(), second);
    assert_eq!((client.run("CONFIG GET dir"), other.run("CONFIG GET dir")), (at(&second), at(&second)));
    assert_eq!(
        client.run("CONFIG SET dir nowhere").to_string(),
        "(error) ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory"
    );
    // All or nothing.
    assert!(client.run("CONFIG SET DIR .. maxclients 100000").to_string().contains("argument 'maxclients'"));
    assert_eq!((cwd(), client.run("CONFIG GET dir")), (second.clone(), at(&second)));
    assert!(client.run("CONFIG SET DIR .. loglevel verbose").is_ok());
    assert_eq!((cwd(), client.run("CONFIG GET dir")), (first.clone(), at(&first)));
    assert!(client.cmd(&["CONFIG", "SET", "dir", second.to_str().unwrap()]).is_ok());
    // What was named relative to the first directory still is.
    let left = || ["weft.sock", "weft.pid"].map(|name| first.join(name).exists());
    assert_eq!(left(), [true; 2]);
    server.stop().unwrap();
    assert_eq!(left(), [false; 2]);
    assert!(second.join("weft.log").exists(), "the log follows, as in Redis");
}

#[test]
fn the_kernel_is_told_whom_to_end_when_memory_runs_out() {
    let path = "/proc/self/oom_score_adj";
    let initial: i32 = fs::read_to_string(path).unwrap().trim().parse().unwrap();
    let server = serve(&["--oom-score-adj", "yes", "--oom-score-adj-values", "3 200 800", "--shards", "2"]);
    let mut client = server.client();
    let score = || -> i32 {
        let text = fs::read_to_string(format!("/proc/{}/oom_score_adj", server.pid())).unwrap();
        text.trim().parse().unwrap()
    };
    assert_eq!(score(), (initial + 3).min(1000));
    assert!(client.cmd(&["CONFIG", "SET", "oom-score-adj-values", "5 200 800"]).is_ok());
    assert_eq!(score(), (initial + 5).min(1000));
    assert!(
        client
            .cmd(&["CONFIG", "SET", "oom-score-adj", "absolute", "oom-score-adj-values", "900 900 900"])
            .is_ok()
    );
    assert_eq!(score(), 900);
    let reply = client.cmd(&[
        "CONFIG",
        "SET",
        "oom-score-adj-values",
        "1000 1 1",
        "port",
        "1",
        "bind",
        "203.0.113.7",
    ]);
    assert!(reply.to_string().contains("CONFIG SET failed"), "{reply}");
    assert_eq!(score(), 900, "all or nothing");
    assert!(client.run("CONFIG SET oom-score-adj no").is_ok());
    assert_eq!(score(), initial);
    // Below what it began with only privileged processes may go.
    let reply =
        client.cmd(&["CONFIG", "SET", "oom-score-adj", "absolute", "oom-score-adj-values", "-1000 200 800"]);
    if reply.is_ok() {
        assert_eq!(score(), -1000);
    } else {
        assert_eq!(
            reply.to_string(),
            "(error) ERR CONFIG SET failed (possibly related to argument 'oom-score-adj') - Failed to set current \
             oom_score_adj. Check server logs."
        );
        assert!(server.log().contains("Unable to write oom_score_adj: Permission denied"));
        assert_eq!(client.run("CONFIG GET oom-score-adj"), Value::bulks(&["oom-score-adj", "no"]));
    }
}
