//! What there is beside the data, indexes and libraries, made by clients of other shards in the very moment in which a base or a snapshot begins: what was
//! acknowledged is there after a kill, and what a snapshot has of the one moment it has of the other.
#![forbid(unsafe_code)]

use crash::FaultyServer;
use std::sync::mpsc::channel;
use std::thread;
use testkit::client::encode;
use testkit::{Client, Server, await_info, await_true};

const CLIENTS: usize = 16;

/// What a client makes all at once: an index, a library and a key that says that they are there.
fn making(number: usize) -> Vec<u8> {
    let code =
        format!("#!lua name=l{number}\nredis.register_function('f{number}', function() return {number} end)");
    let (index, prefix, key) = (format!("i{number}"), format!("p{number}:"), format!("p{number}:made"));
    let requests: [&[&str]; 6] = [
        &["PING"],
        &["MULTI"],
        &["FT.CREATE", &index, "PREFIX", "1", &prefix, "SCHEMA", "t", "TAG"],
        &["FUNCTION", "LOAD", &code],
        &["HSET", &key, "t", "x"],
        &["EXEC"],
    ];
    requests.iter().flat_map(|request| encode(request)).collect()
}

/// What there is of what a client has made.
fn made(client: &mut Client, number: usize) -> [bool; 3] {
    let index = !client.run(&format!("FT.INFO i{number}")).is_error();
    let library = client.run(&format!("FCALL f{number} 0")).integer() == Some(number as i64);
    [index, library, client.run(&format!("EXISTS p{number}:made")).integer() == Some(1)]
}

/// Has clients make all that while a shard is about to begin `request`: it has been given the file and has told no shard yet.
fn make_amid(faulty: &FaultyServer, request: &str) {
    let mut makers: Vec<Client> = (0..CLIENTS).map(|_| faulty.server.client()).collect();
    makers.iter_mut().for_each(|maker| assert!(!maker.run("PING").is_error()));
    let mut client = faulty.server.client();
    faulty.fail("create -1 temp-weft");
    client.send(&request.split(' ').collect::<Vec<_>>()).expect("it can be sent");
    faulty.await_waiting();
    let (taken, takes) = channel();
    let makers = makers.into_iter().enumerate().map(|(number, mut maker)| {
        let taken = taken.clone();
        thread::spawn(move || {
            maker.send_raw(&making(number)).expect("it can be sent");
            assert!(!maker.receive().expect("it answers").is_error());
            let _ = taken.send(());
            (0..5).for_each(|_| assert!(!maker.receive().expect("it answers").is_error()));
        })
    });
    let makers: Vec<_> = makers.collect();
    // Clients of other shards than the one that stands still are answered: what they have asked for behind that is on its way.
    takes.recv().expect("a shard goes on");
    takes.recv().expect("it has more clients");
    faulty.fail("");
    assert!(!client.receive().expect("it answers").is_error());
    makers.into_iter().for_each(|maker| maker.join().expect("it was answered"));
}

#[test]
fn what_was_acknowledged_while_a_base_began_is_there_after_a_kill() {
    for request in ["BGREWRITEAOF", "BACKUP START"] {
        let settings = ["--shards", "4", "--appendonly", "yes", "--appendfsync", "everysec"];
        let mut faulty = FaultyServer::start("base-and-indexes", &settings);
        make_amid(&faulty, request);
        let mut client = faulty.server.client();
        await_info(&mut client, "aof_rewrite_in_progress", "0");
        faulty.server.kill();
        faulty.server.restart().expect("it starts");
        let mut client = faulty.server.client();
        for number in 0..CLIENTS {
            assert_eq!(made(&mut client, number), [true; 3], "{request}: {number}");
        }
    }
}

#[test]
fn a_backup_has_what_was_acknowledged_before_it_was_sealed() {
    for appendonly in ["no", "yes"] {
        let faulty =
            FaultyServer::start("backup-and-indexes", &["--shards", "4", "--appendonly", appendonly]);
        make_amid(&faulty, "BACKUP START");
        let mut client = faulty.server.client();
        let state = |client: &mut Client| client.run("BACKUP STATUS").items().map(|items| items[1].clone());
        await_true("its base is there", || {
            state(&mut client).and_then(|state| state.string()).as_deref() == Some("incrementing")
        });
        assert!(client.run("BACKUP SEAL").is_ok());
        let manifest = faulty.server.directory().join("backupdir/appendonly.aof.manifest");
        let preload = format!("aof:{}", manifest.display());
        let next = Server::weft(&["--shards", "2", "--preload-file", &preload]);
        let mut client = next.client();
        for number in 0..CLIENTS {
            assert_eq!(made(&mut client, number), [true; 3], "{appendonly}: {number}");
        }
    }
}

#[test]
fn a_snapshot_has_all_of_a_transaction_or_nothing() {
    for request in ["BGSAVE", "SAVE"] {
        let mut faulty = FaultyServer::start("snapshot-and-indexes", &["--shards", "4", "--save", ""]);
        make_amid(&faulty, request);
        let mut client = faulty.server.client();
        await_info(&mut client, "rdb_bgsave_in_progress", "0");
        faulty.server.kill();
        faulty.server.restart().expect("it starts");
        let mut client = faulty.server.client();
        let all: Vec<_> = (0..CLIENTS).map(|number| made(&mut client, number)).collect();
        assert!(all.iter().all(|made| [[true; 3], [false; 3]].contains(made)), "{request}: {all:?}");
        assert!(all.contains(&[true; 3]), "{request}: nobody was in time");
    }
}
