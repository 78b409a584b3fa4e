//! A server whose disk fails while it saves: it says so, keeps the old file, refuses writes as configured, and goes on when the disk does.
#![forbid(unsafe_code)]

use crash::{FaultyServer, names};
use std::fs;
use std::time::Duration;
use testkit::{Client, Value, await_info, await_true, info};

/// Steps, numbers of errors, and what the log says of them.
const FAULTS: [(&str, &str); 8] = [
    ("create 28 temp-weft", "No space left on device"),
    ("create 13 temp-weft", "Permission denied"),
    ("write 28 temp-weft", "No space left on device"),
    ("write 5 temp-weft", "Input/output error"),
    ("sync 5 temp-weft", "Input/output error"),
    ("sync 28 temp-weft", "No space left on device"),
    ("rename 5 dump.rdb", "Input/output error"),
    ("sync-directory 5", "Input/output error"),
];

fn save(client: &mut Client) -> Value {
    let reply = client.run("BGSAVE");
    await_info(client, "rdb_bgsave_in_progress", "0");
    reply
}

/// A save fails in one way.
fn fail(faulty: &FaultyServer, client: &mut Client, (fault, words): (&str, &str)) {
    let file = faulty.server.directory().join("dump.rdb");
    let before = fs::read(&file).expect("it is there");
    faulty.fail(fault);
    let log = faulty.server.log().len();
    let reply = save(client);
    assert_eq!(reply.is_error(), fault.starts_with("create"), "{fault}: {reply}");
    assert_eq!(info(client, "rdb_last_bgsave_status"), "err", "{fault}");
    // A shard may be in the middle of a turn.
    await_true(fault, || client.run("SET changed yes").to_string().contains("MISCONF"));
    assert!(client.run("MSET a 1 b 2").to_string().contains("MISCONF"), "{fault}");
    assert_eq!(client.run("GET changed").string().as_deref(), Some("yes"), "{fault}");
    assert!(client.run("SAVE").is_error(), "{fault}");
    assert!(client.run("SHUTDOWN").is_error(), "{fault}");
    assert_eq!(names(&faulty.server), ["dump.rdb"], "{fault}");
    let told = faulty.server.log().split_off(log);
    assert!(told.contains(words), "{fault}: {told}");
    let place = if fault.starts_with("sync-directory") { "directory ." } else { ".rdb" };
    assert!(told.contains(place), "{fault}: {told}");
    // If only the directory could not be synced, the new file is there, but nobody knows for how long.
    if !fault.starts_with("sync-directory") {
        assert!(fs::read(&file).expect("it is there") == before, "{fault}");
    }
    faulty.fail("");
}

fn succeed(client: &mut Client) {
    assert!(!save(client).is_error());
    assert_eq!(info(client, "rdb_last_bgsave_status"), "ok");
    assert!(client.run("SET changed yes").is_ok());
}

#[test]
fn a_save_that_fails_is_told_and_the_next_succeeds() {
    for shards in ["1", "3"] {
        let settings = ["--shards", shards, "--save", "3600 1000000", "--enable-debug-command", "yes"];
        let faulty = FaultyServer::start(&format!("saves-{shards}"), &settings);
        let mut client = faulty.server.client();
        assert!(client.run("CONFIG SET rdbcompression no").is_ok());
        assert!(client.run("DEBUG POPULATE 20000 key 100").is_ok());
        succeed(&mut client);
        let last_save = client.run("LASTSAVE");
        std::thread::sleep(Duration::from_millis(1100));
        FAULTS.iter().for_each(|fault| fail(&faulty, &mut client, *fault));
        assert_eq!(client.run("LASTSAVE"), last_save);
        for fault in FAULTS {
            succeed(&mut client);
            fail(&faulty, &mut client, fault);
        }
        // More than may wait for the disk: whoever writes has to be let go when nothing moves any more.
        succeed(&mut client);
        assert!(client.run("DEBUG POPULATE 350000 more 100").is_ok());
        succeed(&mut client);
        fail(&faulty, &mut client, FAULTS[2]);
        succeed(&mut client);
        assert_ne!(client.run("LASTSAVE"), last_save);
        faulty.fail("write 0 temp-weft");
        assert!(client.run("SAVE").is_ok(), "what is written in parts is written");
    }
}
