//! io_uring and epoll: chosen, refused, out of memory, idle.

use crate::programs::{eventually, has, serve, serve_by};
use std::fs;
use std::time::Duration;
use testkit::{Server, Value};

fn works(server: &Server) {
    let mut client = server.client();
    for n in 0..100 {
        let key = format!("key:{n}");
        assert!(client.cmd(&["SET", &key, "v"]).is_ok());
        assert_eq!(client.cmd(&["GET", &key]), Value::bulk("v"));
    }
}

#[test]
fn the_back_end_is_the_one_asked_for() {
    let epoll = serve(&["--io-backend", "epoll", "--shards", "2"]);
    assert!(epoll.log().contains("I/O: epoll\n"), "{}", epoll.log());
    works(&epoll);
    let auto = serve(&["--shards", "2"]);
    works(&auto);
    if auto.log().contains("io_uring is refused") {
        return eprintln!("not tried: there is no io_uring here");
    }
    let uring = serve(&["--io-backend", "io_uring", "--shards", "2"]);
    assert!(uring.log().contains("I/O: io_uring, "), "{}", uring.log());
    works(&uring);
}

/// Runs under a limit of locked memory that root cannot pass by.
fn with_locked_memory(kib: u64, arguments: &[&str]) -> std::io::Result<Server> {
    serve_by(
        &format!("exec setpriv --bounding-set=-ipc_lock prlimit --memlock={0}:{0} \"$@\"", kib * 1024),
        &[&["--shards", "1"], arguments].concat(),
    )
}

#[test]
fn little_locked_memory() {
    // Without the right to drop capabilities setpriv fails, and there is nothing to try.
    if !has("setpriv") || !has("prlimit") {
        return;
    }
    let Ok(none) = with_locked_memory(0, &[]) else {
        return eprintln!("not tried: capabilities cannot be dropped here");
    };
    works(&none);
    let log = none.log();
    if !log.contains("ENOMEM") {
        return eprintln!("not tried: this kernel does not count the memory of rings");
    }
    assert!(log.contains("I/O: epoll for 1 of 1 shards, io_uring is refused"), "{log}");
    assert!(
        log.contains("locked memory limit is 0 KiB; rings need at least 16 KiB and better 200 KiB each"),
        "{log}"
    );
    assert!(log.contains("ulimit -l or LimitMEMLOCK="), "{log}");

    let small = with_locked_memory(64, &[]).unwrap();
    works(&small);
    assert!(small.log().contains("I/O: io_uring, 256 entries in each ring"), "{}", small.log());
    assert!(small.log().contains("smaller than they could be"), "{}", small.log());

    let error = with_locked_memory(0, &["--io-backend", "io_uring"]).err().unwrap().to_string();
    assert!(error.contains("I/O: no io_uring. ENOMEM: locked memory limit is 0 KiB"), "{error}");
}

/// How often all threads of a process have gone to sleep or been put to sleep.
fn context_switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    let lines = status.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    let counts = lines.filter(|line| line.contains("voluntary_ctxt_switches"));
    counts.map(|line| line.rsplit(char::is_whitespace).next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn an_idle_server_does_not_wake_up() {
    for back_end in ["auto", "epoll"] {
        let server = serve(&["--shards", "2", "--io-backend", back_end, "--maxmemory", "100mb"]);
        let mut client = server.client();
        works(&server);
        // What expires one day does not keep anybody awake today.
        for n in 0..20 {
            assert!(client.cmd(&["EXPIRE", &format!("key:{n}"), "1000"]).integer() == Some(1));
        }
        eventually("rest", || {
            let before = context_switches(server.pid());
            std::thread::sleep(Duration::from_millis(300));
            context_switches(server.pid()) == before
        });
        let (switches, time) = (context_switches(server.pid()), server.cpu_time());
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(context_switches(server.pid()), switches, "{back_end}");
        assert_eq!(server.cpu_time(), time, "{back_end}");
        assert_eq!(client.cmd(&["GET", "key:1"]), Value::bulk("v"));
    }
}
