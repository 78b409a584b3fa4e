//! `preload-file`: a server starts with what it names and nothing else, and goes on as it is configured.

use std::path::Path;
use std::time::Duration;
use testkit::{Client, Program, Server, Value, await_info, await_true, info};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn start(settings: &[&str]) -> std::io::Result<Server> {
    let all = [&["--enable-debug-command", "yes"], settings].concat();
    Server::start(&Program::Peer(WEFT.into()), &all)
}

fn server(settings: &[&str]) -> Server {
    start(settings).expect("weft-server starts")
}

fn digest(client: &mut Client) -> String {
    client.run("DEBUG DIGEST").string().expect("a digest")
}

fn fill(client: &mut Client, count: usize) {
    for n in 0..count {
        assert!(client.run(&format!("MSET a{n} {n} b{n} {n}")).is_ok());
        client.run(&format!("RPUSH list:{} {n}", n % 9));
    }
    client.run("FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() return 1 end)\"");
}

fn named(kind: &str, path: &Path) -> String {
    format!("{kind}:{}", path.display())
}

/// A directory with files that are not to be looked at, and what they say.
fn usual_files(appendonly: &str) -> Server {
    let mut usual = server(&["--appendonly", appendonly, "--shards", "2"]);
    usual.client().run("SET usual data");
    assert!(usual.client().run("SAVE").is_ok());
    usual.stop().expect("it stops");
    usual
}

/// The snapshot and the sealed backup of a server, and the digests of both.
fn sources(settings: &[&str]) -> (Server, [(String, String); 2]) {
    let source = server(settings);
    let mut client = source.client();
    fill(&mut client, 300);
    assert!(client.run("SAVE").is_ok());
    let snapshot = (named("rdb", &source.directory().join("dump.rdb")), digest(&mut client));
    assert!(client.run("BACKUP START").is_ok());
    await_true("incrementing", || client.run("BACKUP STATUS").to_string().contains("incrementing"));
    fill(&mut client, 400);
    client.run("SWAPDB 0 3");
    client.run("SET more data");
    assert!(client.run("BACKUP SEAL").is_ok());
    let manifest = source.directory().join("backupdir/appendonly.aof.manifest");
    let backup = (named("aof", &manifest), digest(&mut client));
    (source, [snapshot, backup])
}

#[test]
fn a_server_starts_with_what_is_named() {
    for (from, appendonly) in [("1", "no"), ("3", "yes")] {
        let (_source, named) = sources(&["--shards", from, "--appendonly", appendonly]);
        for (file, expected) in &named {
            for (shards, appendonly) in [("1", "yes"), ("3", "no"), ("3", "yes")] {
                let what = format!("{file}, {shards} shards, appendonly {appendonly}");
                let usual = usual_files(appendonly);
                let directory = usual.directory().to_str().expect("a plain name");
                let settings = ["--dir", directory, "--shards", shards, "--appendonly", appendonly];
                let mut loaded = server(&[&settings[..], &["--preload-file", file]].concat());
                let mut client = loaded.client();
                assert_eq!(&digest(&mut client), expected, "{what}");
                assert_eq!(client.run("FCALL f 0"), Value::Integer(1), "{what}");
                // And goes on: what it has and what comes is what the next start finds.
                client.run("SET behind preload");
                await_info(&mut client, "aof_rewrite_scheduled", "0");
                await_info(&mut client, "aof_rewrite_in_progress", "0");
                await_true("a base", || appendonly == "no" || !client.run("BGREWRITEAOF").is_error());
                await_info(&mut client, "aof_rewrite_in_progress", "0");
                let now = digest(&mut client);
                if appendonly == "no" {
                    assert!(client.run("SAVE").is_ok());
                }
                drop(client);
                loaded.stop().expect("it stops");
                let again = server(&settings);
                assert_eq!(digest(&mut again.client()), now, "{what}, started again");
            }
        }
    }
}

/// The log of a server that does not start.
fn refused(settings: &[&str]) -> String {
    let error = start(settings).err().expect("it does not start");
    error.to_string()
}

#[test]
fn a_server_does_not_start_without_what_is_named() {
    let (source, named) = sources(&["--shards", "2"]);
    let nothing = source.directory().join("nothing");
    let nothing = nothing.with_extension("file");
    for kind in ["rdb", "aof"] {
        let text = refused(&["--preload-file", &format!("{kind}:{}", nothing.display())]);
        assert!(
            text.contains(&format!("Cannot open {}: No such file or directory", nothing.display())),
            "{text}"
        );
    }
    // What is damaged is refused and left as it is, and so is a backup of which a file is missing.
    let usual = usual_files("no");
    let directory = usual.directory().to_str().expect("a plain name");
    let damaged = source.directory().join("dump.rdb");
    let mut bytes = std::fs::read(&damaged).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&damaged, &bytes).expect("it can be written");
    let text = refused(&["--dir", directory, "--preload-file", &named[0].0]);
    assert!(text.contains("dump.rdb: "), "{text}");
    assert_eq!(std::fs::read(&damaged).expect("it is there"), bytes);
    let incremental = std::fs::read_dir(source.directory().join("backupdir")).expect("a directory");
    let incremental = incremental.map(|entry| entry.expect("an entry").path());
    let incremental = incremental.filter(|path| path.extension().is_some_and(|end| end == "aof"));
    incremental.take(1).for_each(|path| std::fs::remove_file(path).expect("it is there"));
    let text = refused(&["--dir", directory, "--preload-file", &named[1].0]);
    assert!(text.contains("No such file or directory"), "{text}");
    let usual = server(&["--dir", directory]);
    assert_eq!(usual.client().run("GET usual"), Value::bulk("data"));
}

#[test]
fn what_is_no_file_of_a_kind_is_refused() {
    for (wrong, why) in [
        ("dump.rdb", "argument must be in the format"),
        ("xml:file.rdb", "argument must be in the format"),
        ("rdb:", "preload-file must end with an extension"),
        ("aof:/a.b/manifest", "preload-file must end with an extension"),
    ] {
        let text = refused(&["--preload-file", wrong]);
        assert!(text.contains(why), "{wrong}: {text}");
    }
    let plain = server(&[]);
    let mut client = plain.client();
    client.set_timeout(Duration::from_secs(20));
    assert!(client.run("CONFIG SET preload-file rdb:dump.rdb").is_error());
    assert!(client.run("CONFIG GET preload-file").to_string().contains("preload-file"));
}

/// What is named is what the server would start with anyway: it goes on with these files.
#[test]
fn the_usual_manifest_is_the_usual_start() {
    let mut usual = server(&["--appendonly", "yes", "--shards", "2"]);
    usual.client().run("SET usual data");
    usual.stop().expect("it stops");
    let directory = usual.directory().to_str().expect("a plain name");
    let manifest = usual.directory().join("appendonlydir/appendonly.aof.manifest");
    let settings = ["--dir", directory, "--appendonly", "yes", "--shards", "2"];
    let again = server(&[&settings[..], &["--preload-file", &named("aof", &manifest)]].concat());
    let mut client = again.client();
    assert_eq!(client.run("GET usual"), Value::bulk("data"));
    assert_eq!(info(&mut client, "aof_rewrites"), "0");
    assert_eq!(info(&mut client, "aof_rewrite_in_progress"), "0");
}
