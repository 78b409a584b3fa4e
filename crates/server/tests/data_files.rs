//! Data files that no server would write, and what is said of them.

use std::fs;
use testkit::{Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

/// A file of one database with these records, without a check sum.
fn file(records: &[&[u8]]) -> Vec<u8> {
    [&b"REDIS0009\xfe\x00"[..], &records.concat(), b"\xff", &[0; 8]].concat()
}

const TEXT: &[u8] = b"\x00\x04text\x01v";
/// A set without members, a list without nodes.
const EMPTY_SET: &[u8] = b"\x02\x05empty\x00";
const EMPTY_LIST: &[u8] = b"\x12\x04void\x00";
/// Its time was over in 1970.
const EXPIRED: &[u8] = b"\xfc\x01\x00\x00\x00\x00\x00\x00\x00\x00\x03old\x01v";

/// Starts a server with a file.
fn with(bytes: &[u8], shards: &str) -> std::io::Result<Server> {
    let place = Server::start(&Program::Peer(WEFT.into()), &[""; 0])?;
    fs::write(place.directory().join("dump.rdb"), bytes)?;
    let directory = place.directory().to_str().expect("a plain name").to_owned();
    Server::start(&Program::Peer(WEFT.into()), &["--dir", &directory, "--shards", shards])
}

#[test]
fn keys_without_elements_are_told_of_apart_from_those_whose_time_is_over() {
    for shards in ["1", "3"] {
        let server = with(&file(&[TEXT, EMPTY_SET, EXPIRED, EMPTY_LIST]), shards).expect("it starts");
        let line = "Done loading RDB, keys loaded: 1, keys expired: 1, empty keys skipped: 2.";
        assert!(server.log().contains(line), "{}", server.log());
        let mut client = server.client();
        assert_eq!(client.run("DBSIZE").integer(), Some(1));
        assert_eq!(testkit::info(&mut client, "rdb_last_load_keys_expired"), "1");
        let server = with(&file(&[TEXT, EXPIRED]), shards).expect("it starts");
        assert!(server.log().contains("keys loaded: 1, keys expired: 1.\n"), "{}", server.log());
    }
}

#[test]
fn a_key_that_is_there_twice_is_told_of_with_its_place() {
    for shards in ["1", "3"] {
        let records = [TEXT, b"\x00\x05other\x01v", TEXT];
        let at = 11 + TEXT.len() + records[1].len();
        let error = with(&file(&records), shards).err().expect("it does not start").to_string();
        let told = format!("dump.rdb: at byte {at}: key \"text\" is there twice in database 0");
        assert!(error.contains(&told), "{error}");
    }
}
