//! Search indexes of a server that is started again: from a data file or from append-only files, with another number of shards, after it was
//! killed.

use std::path::Path;
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

fn server(directory: Option<&Path>, shards: &str, appends: bool) -> Server {
    let mut settings = vec!["--save", "", "--enable-debug-command", "yes", "--shards", shards];
    settings.extend(["--appendonly", if appends { "yes" } else { "no" }]);
    if let Some(directory) = directory {
        settings.extend(["--dir", directory.to_str().expect("a plain name")]);
    }
    Server::start(&Program::Peer(WEFT.into()), &settings).expect("weft-server starts")
}

/// Indexes of both kinds with all that belongs to them, and documents, some of which change.
fn fill(client: &mut Client) {
    for n in 0..300 {
        client.run(&format!("HSET doc:{n} t word{} n {n}", n % 7));
    }
    for line in [
        "FT.CREATE gone SCHEMA t TEXT",
        "FT.CREATE idx PREFIX 1 doc: SCHEMA t TEXT",
        "FT.CREATE js ON JSON PREFIX 1 js: SCHEMA $.n AS n NUMERIC",
        "FT.DROPINDEX gone",
        "FT.ALTER idx SCHEMA ADD n NUMERIC SORTABLE",
        "FT.ALIASADD other idx",
        "FT.ALIASADD second idx",
        "FT.ALIASDEL second",
        "FT.SYNUPDATE idx g one two",
        "FT.DICTADD dict a b",
        "HSET doc:1 n banana",
        "JSON.SET js:1 $ {\"n\":5}",
        "DEL doc:2",
        "RENAME doc:3 away",
    ] {
        let reply = client.run(line);
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
}

/// What there is of indexes, without what depends on their history.
fn state(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    for line in ["FT._LIST", "FT.ALIASLIST idx", "FT.SYNDUMP other", "FT.DICTDUMP dict", "FT.DICTDUMP none"] {
        lines.push(format!("{:?}", client.run(line)));
    }
    for index in ["idx", "js"] {
        let info = client.run(&format!("FT.INFO {index}"));
        for name in ["index_definition", "attributes", "num_docs", "num_records", "hash_indexing_failures"] {
            lines.push(format!("{index} {name} {:?}", info.field(name)));
        }
    }
    lines
}

#[test]
fn a_data_file_has_them() {
    for (before, after) in [("1", "3"), ("3", "1"), ("3", "3")] {
        let server_before = server(None, before, false);
        let mut client = server_before.client();
        fill(&mut client);
        let expected = state(&mut client);
        assert!(!client.run("DEBUG RELOAD").is_error());
        assert_eq!(state(&mut client), expected, "{before} shards, loaded anew");
        assert!(!client.run("SAVE").is_error());
        let started = server(Some(server_before.directory()), after, false);
        assert_eq!(state(&mut started.client()), expected, "{before} shards, then {after}");
    }
}

#[test]
fn append_only_files_have_them() {
    for (before, after) in [("1", "3"), ("3", "1"), ("3", "3")] {
        let mut killed = server(None, before, true);
        let mut client = killed.client();
        client.run("FT.CREATE early SCHEMA t TEXT");
        client.run("FLUSHALL");
        fill(&mut client);
        let expected = state(&mut client);
        killed.kill();
        let mut again = server(Some(killed.directory()), after, true);
        let mut client = again.client();
        assert_eq!(state(&mut client), expected, "{before} shards, then {after}");
        // A new base, and more behind it.
        client.run("BGREWRITEAOF");
        testkit::await_info(&mut client, "aof_rewrite_in_progress", "0");
        client.run("FT.CREATE late PREFIX 1 late: SCHEMA t TEXT");
        client.run("HSET late:1 t x");
        client.run("FT.DROPINDEX late DD");
        let expected = state(&mut client);
        again.kill();
        let last = server(Some(killed.directory()), after, true);
        let mut client = last.client();
        assert_eq!(state(&mut client), expected, "after a rewrite, {after} shards");
        assert_eq!(client.run("EXISTS late:1").integer(), Some(0));
        assert!(!client.run("DEBUG LOADAOF").is_error());
        assert_eq!(state(&mut client), expected, "loaded anew, {after} shards");
    }
}
