//! Append-only files whose directory goes away, or is another from some moment on: as in redis-server the next rewrite makes what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use testkit::{Client, Program, Server, await_info, info};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(settings: &[&str]) -> Server {
    let plain = ["--appendonly", "yes", "--enable-protected-configs", "yes", "--enable-debug-command", "yes"];
    Server::start(&Program::Peer(WEFT.into()), &[&plain[..], settings].concat()).expect("weft-server starts")
}

/// What a server finds that starts in a directory.
fn found_in(directory: &Path, keys: &[&str]) -> Vec<Option<String>> {
    let started = server(&["--dir", directory.to_str().expect("a plain name"), "--shards", "2"]);
    let mut client = started.client();
    keys.iter().map(|key| client.cmd(&["GET", key]).string()).collect()
}

fn rewrite(client: &mut Client) {
    assert!(!client.run("BGREWRITEAOF").is_error());
    await_info(client, "aof_rewrite_in_progress", "0");
    assert_eq!(info(client, "aof_last_bgrewrite_status"), "ok");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned()).filter(|value| !value.is_empty())).collect()
}

#[test]
fn a_directory_that_is_removed_is_made_again_by_a_rewrite() {
    for shards in ["1", "3"] {
        for policy in ["always", "everysec"] {
            let mut first = server(&["--shards", shards, "--appendfsync", policy]);
            let directory = first.directory().join("appendonlydir");
            let mut client = first.client();
            assert!(client.run("MSET a 1 b 1 c 1 d 1").is_ok());
            fs::remove_dir_all(&directory).expect("it is there");
            // Nobody notices, as with any file that is removed while it is written.
            assert!(client.run("MSET a 2 b 2 c 2 d 2").is_ok());
            assert!(!directory.exists());
            rewrite(&mut client);
            assert!(client.run("MSET a 3 b 3").is_ok());
            assert_eq!(info(&mut client, "aof_last_write_status"), "ok");
            assert!(client.run("DEBUG LOADAOF").is_ok());
            first.kill();
            let found = found_in(first.directory(), &["a", "b", "c", "d"]);
            assert_eq!(found, some(&["3", "3", "2", "2"]), "{shards} shards, {policy}");
        }
    }
}

/// A generation that ends makes it, too; a server that has lost its files says so by not starting, unless a rewrite comes first.
#[test]
fn a_generation_that_ends_makes_the_directory() {
    let mut first = server(&["--shards", "3", "--appendfsync", "always"]);
    let directory = first.directory().join("appendonlydir");
    let mut client = first.client();
    assert!(client.run("MSET a 1 b 1 c 1").is_ok());
    fs::remove_dir_all(&directory).expect("it is there");
    assert!(client.run("SWAPDB 0 1").is_ok());
    assert!(client.run("SET d 2").is_ok());
    assert!(directory.exists());
    rewrite(&mut client);
    first.kill();
    assert_eq!(found_in(first.directory(), &["a", "d"]), some(&["", "2"]));
}

fn set_dir(client: &mut Client, directory: &Path) {
    let reply = client.cmd(&["CONFIG", "SET", "dir", directory.to_str().expect("a plain name")]);
    assert!(reply.is_ok(), "{reply}");
}

fn place(server: &Server, name: &str) -> PathBuf {
    let place = server.directory().join(name);
    fs::create_dir(&place).expect("it can be made");
    place
}

#[test]
fn the_next_rewrite_is_in_the_new_directory() {
    for (shards, preamble) in [("1", "yes"), ("3", "yes"), ("3", "no")] {
        let settings = ["--shards", shards, "--appendfsync", "always", "--aof-use-rdb-preamble", preamble];
        let mut first = server(&settings);
        let (old, new) = (first.directory().to_owned(), place(&first, "new"));
        let mut client = first.client();
        assert!(client.run("MSET a 1 b 1 c 1 d 1 e 1").is_ok());
        set_dir(&mut client, &new);
        assert!(client.run("MSET a 2 b 2 c 2").is_ok());
        assert_eq!(names(&new), Vec::<String>::new(), "what is appended goes on where it was");
        let before = names(&old.join("appendonlydir"));
        rewrite(&mut client);
        assert!(client.run("MSET a 3 b 3").is_ok());
        assert!(client.run("SWAPDB 1 2").is_ok());
        assert!(client.run("SET a 4").is_ok());
        assert!(client.run("DEBUG LOADAOF").is_ok());
        assert_eq!(client.run("GET a").string().as_deref(), Some("4"));
        let now = names(&old.join("appendonlydir"));
        assert!(before.iter().all(|name| now.contains(name)), "nothing old is removed: {before:?}, {now:?}");
        rewrite(&mut client);
        assert!(client.run("SET b 5").is_ok());
        first.kill();
        let keys = ["a", "b", "c", "d", "e"];
        assert_eq!(found_in(&new, &keys), some(&["4", "5", "2", "1", "1"]), "{shards} shards, {preamble}");
        // Everything until the files went elsewhere.
        assert_eq!(found_in(&old, &keys[2..]), some(&["2", "1", "1"]));
    }
}

#[test]
fn files_that_are_turned_on_are_in_the_working_directory() {
    for shards in ["1", "3"] {
        let mut first = server(&["--shards", shards]);
        let (one, other) = (place(&first, "one"), place(&first, "other"));
        let mut client = first.client();
        assert!(client.run("MSET a 1 b 1 c 1").is_ok());
        for (directory, value) in [(&one, "2"), (&other, "3")] {
            assert!(client.run("CONFIG SET appendonly no").is_ok());
            set_dir(&mut client, directory);
            assert!(client.run("CONFIG SET appendonly yes").is_ok());
            await_info(&mut client, "aof_rewrite_scheduled", "0");
            await_info(&mut client, "aof_rewrite_in_progress", "0");
            assert!(client.run(&format!("MSET a {value} b {value}")).is_ok());
        }
        first.kill();
        assert_eq!(found_in(&other, &["a", "b", "c"]), some(&["3", "3", "1"]), "{shards} shards");
        assert_eq!(found_in(&one, &["a", "b", "c"]), some(&["2", "2", "1"]), "{shards} shards");
    }
}

/// Neither a directory nor files can be made where something else stands.
#[test]
fn appendonly_is_refused_where_no_files_can_be_made() {
    let only = Server::start(&Program::Peer(WEFT.into()), &["--shards", "3"]).expect("weft-server starts");
    let in_the_way = only.directory().join("appendonlydir");
    fs::write(&in_the_way, "").expect("it can be written");
    let mut client = only.client();
    let told = "(error) ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server logs.";
    for _ in 0..2 {
        assert_eq!(client.run("CONFIG SET appendonly yes").to_string(), told);
        assert_eq!(info(&mut client, "aof_enabled"), "0");
        assert!(client.run("SET a 1").is_ok());
    }
    assert!(only.log().contains("The append-only files cannot be begun: "), "{}", only.log());
    fs::remove_file(&in_the_way).expect("it is there");
    assert!(client.run("CONFIG SET appendonly yes").is_ok());
    assert_eq!(info(&mut client, "aof_enabled"), "1");
}
