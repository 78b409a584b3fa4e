//! BACKUP: what is sealed is what there was then, whatever comes before and after, and is loaded wherever append-only files are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Client, Program, Server, await_info, await_true, info};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(settings: &[&str]) -> Server {
    let all = [&["--enable-debug-command", "yes"], settings].concat();
    Server::start(&Program::Peer(WEFT.into()), &all).expect("weft-server starts")
}

fn digest(client: &mut Client) -> String {
    client.run("DEBUG DIGEST").string().expect("a digest")
}

/// A line of BACKUP STATUS.
fn status(client: &mut Client, name: &str) -> String {
    let reply = client.run("BACKUP STATUS");
    let words: Vec<String> =
        reply.items().expect("an array").iter().map(|item| item.clone().string().expect("text")).collect();
    let at =
        words.iter().position(|word| word == name).unwrap_or_else(|| panic!("{name} is not in {words:?}"));
    words[at + 1].clone()
}

fn await_state(client: &mut Client, state: &str) {
    await_true(state, || status(client, "state") == state);
}

fn list(client: &mut Client) -> Vec<PathBuf> {
    let reply = client.run("BACKUP LIST");
    reply
        .items()
        .expect("an array")
        .iter()
        .map(|item| item.clone().string().expect("a path").into())
        .collect()
}

fn fill(client: &mut Client, round: usize) {
    for n in 0..200 {
        client.run(&format!("SET text:{n} value-{round}"));
        client.run(&format!("RPUSH list:{} {n}", n % 9));
        client.run(&format!("MSET a{n} {round} b{n} {round} c{n} {round}"));
    }
    let words = ["MULTI", "INCR x", "INCR y", "INCR z", "EXEC"];
    words.iter().for_each(|line| assert!(!client.run(line).is_error()));
}

/// Copies what is listed to where a server looks for append-only files.
fn restore(files: &[PathBuf], into: &Path) {
    let directory = into.join("appendonlydir");
    fs::create_dir_all(&directory).expect("it can be made");
    for file in files {
        fs::copy(file, directory.join(file.file_name().expect("a name"))).expect("it can be copied");
    }
}

fn restored(files: &[PathBuf], program: &Program, shards: &[&str]) -> String {
    let place = server(&[]);
    restore(files, place.directory());
    let directory = place.directory().to_str().expect("a plain name");
    let settings = ["--dir", directory, "--appendonly", "yes", "--enable-debug-command", "yes"];
    let started = Server::start(program, &[&settings[..], shards].concat()).expect("it starts");
    digest(&mut started.client())
}

fn check(files: &[PathBuf], expected: &str, what: &str) {
    let weft = Program::Peer(WEFT.into());
    for shards in ["1", "3"] {
        assert_eq!(restored(files, &weft, &["--shards", shards]), expected, "{what}, {shards} shards");
    }
    if Program::redis().find().is_some() {
        assert_eq!(restored(files, &Program::redis(), &[]), expected, "{what}, redis-server");
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("a directory").next().is_none()
}

#[test]
fn a_backup_is_what_there_was_when_it_was_sealed() {
    for shards in ["1", "3"] {
        for (appendonly, appendfsync) in [("no", "always"), ("yes", "everysec"), ("yes", "always")] {
            let what = format!("{shards} shards, appendonly {appendonly}, {appendfsync}");
            let settings = ["--shards", shards, "--appendonly", appendonly, "--appendfsync", appendfsync];
            let mut source = server(&settings);
            let mut client = source.client();
            fill(&mut client, 1);
            assert_eq!(
                (status(&mut client, "state"), info(&mut client, "backup_in_progress")),
                ("idle".into(), "0".into())
            );
            assert!(client.run("BACKUP START").is_ok(), "{what}");
            fill(&mut client, 2);
            await_state(&mut client, "incrementing");
            assert_eq!(info(&mut client, "backup_in_progress"), "1");
            assert_eq!(info(&mut client, "aof_enabled"), u8::from(appendonly == "yes").to_string());
            assert_eq!(list(&mut client).len(), 1, "the base");
            fill(&mut client, 3);
            client.run("SWAPDB 0 5");
            fill(&mut client, 4);
            // What is asked for waits.
            assert!(!client.run("BGREWRITEAOF").is_error() || appendonly == "no");
            let before = digest(&mut client);
            assert!(client.run("BACKUP SEAL").is_ok(), "{what}");
            fill(&mut client, 5);
            assert_eq!(
                (status(&mut client, "state"), info(&mut client, "backup_in_progress")),
                ("sealed".into(), "0".into())
            );
            assert!(status(&mut client, "end_time") >= status(&mut client, "start_time"));
            let files = list(&mut client);
            let directory = source.directory().join("backupdir");
            assert!(
                files.len() >= 3 && files.iter().all(|file| file.parent() == Some(&directory)),
                "{files:?}"
            );
            await_info(&mut client, "aof_rewrite_scheduled", "0");
            await_info(&mut client, "aof_rewrite_in_progress", "0");
            client.run("FLUSHALL");
            check(&files, &before, &what);
            assert!(client.run("BACKUP CLEANUP").is_ok());
            assert_eq!(status(&mut client, "state"), "idle");
            assert!(is_empty(&directory) && list(&mut client).is_empty());
            assert!(!source.directory().join("temp-weft-backup").exists());
            assert_eq!(source.directory().join("appendonlydir").exists(), appendonly == "yes");
            // And once more, with what there is now.
            fill(&mut client, 6);
            assert!(client.run("BACKUP START").is_ok(), "{what}");
            await_state(&mut client, "incrementing");
            let before = digest(&mut client);
            assert!(client.run("BACKUP SEAL").is_ok(), "{what}");
            check(&list(&mut client), &before, &what);
            if appendonly == "yes" {
                let now = digest(&mut client);
                source.kill();
                source.restart().expect("it starts again");
                if appendfsync == "always" {
                    assert_eq!(digest(&mut source.client()), now);
                }
            }
        }
    }
}

/// Clients go on meanwhile: each pair of keys is written by one MSET, so a backup has equal ones.
#[test]
fn nothing_is_there_by_halves() {
    for appendonly in ["no", "yes"] {
        let source = server(&["--shards", "3", "--appendonly", appendonly]);
        let is_over = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|name| {
                let (mut client, is_over) = (source.client(), Arc::clone(&is_over));
                std::thread::spawn(move || {
                    for n in 0.. {
                        if is_over.load(Ordering::SeqCst) {
                            return;
                        }
                        assert!(
                            client
                                .run(&format!("MSET one:{name} {n} two:{name} {n} three:{name} {n}"))
                                .is_ok()
                        );
                    }
                })
            })
            .collect();
        let mut client = source.client();
        for _ in 0..3 {
            assert!(client.run("BACKUP START").is_ok());
            await_state(&mut client, "incrementing");
            assert!(client.run("BACKUP SEAL").is_ok());
            let place = server(&[]);
            restore(&list(&mut client), place.directory());
            let directory = place.directory().to_str().expect("a plain name");
            let found = server(&["--dir", directory, "--appendonly", "yes", "--shards", "2"]);
            for name in 0..3 {
                let reply = found.client().run(&format!("MGET one:{name} two:{name} three:{name}"));
                let values: Vec<_> = reply.items().expect("three").to_vec();
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            }
            assert!(client.run("BACKUP CLEANUP").is_ok());
        }
        is_over.store(true, Ordering::SeqCst);
        writers.into_iter().for_each(|writer| writer.join().expect("it has not panicked"));
    }
}

fn error(client: &mut Client, line: &str) -> String {
    let reply = client.run(line);
    assert!(reply.is_error(), "{line}: {reply}");
    reply.to_string()
}

#[test]
fn what_is_not_possible_is_told() {
    for appendonly in ["no", "yes"] {
        let source = server(&["--shards", "3", "--appendonly", appendonly]);
        let mut client = source.client();
        fill(&mut client, 1);
        let nothing = "(error) ERR No backup ready to seal";
        assert_eq!(error(&mut client, "BACKUP SEAL"), nothing);
        assert_eq!(error(&mut client, "BACKUP ABORT"), "(error) ERR No backup in progress");
        assert!(client.run("BACKUP CLEANUP").is_ok());
        let directory = source.directory().join("backupdir");
        fs::create_dir(&directory).expect("it can be made");
        fs::write(directory.join("other"), "").expect("it can be written");
        assert_eq!(error(&mut client, "BACKUP START"), "(error) ERR The backup directory is not empty");
        assert_eq!(status(&mut client, "state"), "idle");
        fs::remove_file(directory.join("other")).expect("it is there");
        assert!(client.run("BACKUP START").is_ok());
        assert_eq!(error(&mut client, "BACKUP START"), "(error) ERR A backup is already in progress");
        await_state(&mut client, "incrementing");
        client.run("MULTI");
        let told = error(&mut client, "BACKUP SEAL");
        assert_eq!(told, "(error) ERR Command not allowed inside a transaction");
        client.run("DISCARD");
        assert!(client.run("BACKUP ABORT").is_ok());
        assert_eq!(
            (status(&mut client, "state"), status(&mut client, "error")),
            ("failed".into(), "aborted by user".into())
        );
        assert!(is_empty(&directory));
        assert_eq!(error(&mut client, "BACKUP SEAL"), nothing);
        // At any moment.
        for _ in 0..5 {
            assert!(client.run("BACKUP START").is_ok());
            assert!(client.run("BACKUP ABORT").is_ok());
        }
        await_info(&mut client, "aof_rewrite_in_progress", "0");
        assert!(client.run("BACKUP START").is_ok());
        await_state(&mut client, "incrementing");
        assert!(client.run("BACKUP SEAL").is_ok());
        assert_eq!(error(&mut client, "BACKUP START"), "(error) ERR The last backup has not been cleaned up");
        assert!(client.run("CONFIG SET backup-sealed-ttl 1").is_ok());
        await_state(&mut client, "idle");
        assert!(is_empty(&directory));
        assert!(!source.directory().join("temp-weft-backup").exists());
    }
}

#[test]
fn appendonly_may_change_meanwhile() {
    let mut source = server(&["--shards", "3"]);
    let mut client = source.client();
    fill(&mut client, 1);
    assert!(client.run("BACKUP START").is_ok());
    await_state(&mut client, "incrementing");
    assert!(client.run("CONFIG SET appendonly yes").is_ok());
    assert_eq!(status(&mut client, "error"), "appendonly was turned on");
    fill(&mut client, 2);
    let manifest = source.directory().join("appendonlydir/appendonly.aof.manifest");
    await_true("the files go where they belong", || manifest.exists());
    await_info(&mut client, "aof_rewrite_in_progress", "0");
    assert!(client.run("BACKUP START").is_ok());
    await_state(&mut client, "incrementing");
    fill(&mut client, 3);
    let before = digest(&mut client);
    source.kill();
    let directory = source.directory().to_str().expect("a plain name");
    let next = server(&["--dir", directory, "--appendonly", "yes", "--shards", "2"]);
    let mut client = next.client();
    assert_eq!(digest(&mut client), before);
    // What a killed process has left is somebody's to look at.
    assert_eq!(error(&mut client, "BACKUP START"), "(error) ERR The backup directory is not empty");
    fs::remove_dir_all(source.directory().join("backupdir")).expect("it is there");
    assert!(client.run("BACKUP START").is_ok());
    await_state(&mut client, "incrementing");
    assert!(client.run("CONFIG SET appendonly no").is_ok());
    assert_eq!(status(&mut client, "error"), "appendonly is stopped");
}
