//! DUMP writes the version that snapshots have, so what is dumped restores wherever they load.

use testkit::{Program, Server, Value};

#[test]
fn payloads_have_the_version_of_snapshots() {
    let program = Program::Peer(env!("CARGO_BIN_EXE_weft-server").into());
    let server = Server::start(&program, &["--shards", "2"]).expect("weft-server starts");
    let mut client = server.client();
    client.run("SADD set a b c");
    client.run("XADD stream 1-1 f v");
    for (asked, version) in [("10", 10), ("11", 11), ("12", 11)] {
        assert!(client.cmd(&["CONFIG", "SET", "rdb-version", asked]).is_ok());
        for key in ["set", "stream"] {
            let Value::Bulk(payload) = client.cmd(&["DUMP", key]) else { panic!("{key} is there") };
            assert_eq!(payload[payload.len() - 10..][..2], [version, 0], "{key} for {asked}");
            assert!(client.cmd(&[b"RESTORE", key.as_bytes(), b"0", &payload, b"REPLACE"]).is_ok());
        }
    }
    assert_eq!(client.run("SCARD set").integer(), Some(3));
    assert_eq!(client.run("XLEN stream").integer(), Some(1));
}
