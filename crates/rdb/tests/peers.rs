//! Payloads of a real server are read, compared with what it says itself, written again and given back to it. With the
//! redis-server in `PATH`, and with the servers whose paths are in `RDB_PEERS`, separated by colons; where there is
//! none there is nothing to try.

mod exchange;

use base::hash::HashSeed;
use base::random::Random;
use exchange::{ARGUMENTS, fill, held, peers, shapes, told};
use rdb::dump::{payload, restore};
use rdb::encode::Options;
use std::collections::BTreeSet;
use testkit::{Client, Program, Server, Value as Answer};

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    client.cmd(&["DUMP", key]).bytes().expect("a payload").to_vec()
}

fn to_and_fro(program: &Program) {
    let arguments: Vec<_> = ARGUMENTS.split_whitespace().collect();
    let server = Server::start(program, &arguments).expect("the peer starts");
    let mut client = server.client();
    client.set_timeout(std::time::Duration::from_secs(30));
    client.run("SET k v");
    let sample = dump(&mut client, "k");
    let version = u16::from(sample[sample.len() - 10]);
    let mut random = Random::from_seed(17);
    let keys = fill(&mut client, version >= 12, &mut random);
    let seed = HashSeed::new(5, 6);
    let shapes = shapes(&seed);
    let mut types = BTreeSet::new();
    for key in &keys {
        let theirs = dump(&mut client, key);
        let value = restore(&theirs, &shapes).unwrap_or_else(|e| panic!("{program:?} {key}: {e:?}"));
        let before = told(&mut client, key);
        assert!(held(&value) == before, "{program:?} {key}: other content");
        let options = Options { version, compress: random.below(2) == 0 };
        let ours = payload(value.view(), &options);
        types.insert(ours[0]);
        let encoding = client.cmd(&["OBJECT", "ENCODING", key]);
        let answer = client.cmd(&[b"RESTORE", key.as_bytes(), b"0", &ours, b"REPLACE"]);
        assert!(answer.is_ok(), "{program:?} {key}: {answer:?}");
        assert!(told(&mut client, key) == before, "{program:?} {key}: content changed");
        // Redis chooses the form anew for tables and lists that it reads; what was packed stays so.
        if encoding == Answer::bulk("listpack") || encoding == Answer::bulk("intset") {
            assert_eq!(client.cmd(&["OBJECT", "ENCODING", key]), encoding, "{program:?} {key}");
        }
    }
    let all = [
        (0, 10),
        (2, 10),
        (4, 10),
        (5, 10),
        (11, 10),
        (16, 10),
        (17, 10),
        (18, 10),
        (19, 10),
        (20, 11),
        (21, 11),
        (24, 12),
        (25, 12),
    ];
    let expected = all
        .iter()
        .filter(|(byte, since)| *since <= version && !(*byte == 19 && version > 10))
        .map(|(byte, _)| *byte);
    assert!(types.into_iter().eq(expected), "some type was not tried");
}

#[test]
fn payloads_go_to_and_fro() {
    peers().iter().for_each(to_and_fro);
}
