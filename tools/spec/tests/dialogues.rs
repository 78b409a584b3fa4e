//! All files of `tests/spec` against every server there is. `cargo xtask spec` does the same with more choice.

use spec::peer::Peer;
use spec::{Options, suite};
use std::path::Path;

fn replay(peer: Peer) {
    if !peer.is_available() {
        println!("{} is not built or not installed: nothing was replayed", peer.name);
        return;
    }
    let options = Options {
        directory: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec"),
        peers: vec![peer],
        filters: vec![],
        workers_max: 4,
        record: false,
    };
    let tally = suite::run(&options).expect("the files are readable and the server starts");
    assert_eq!(tally.failed, 0, "{tally}");
    assert!(tally.passed > 0, "{tally}");
}

#[test]
fn dialogues_hold_for_redis() {
    replay(Peer::program("redis-server"));
}

#[test]
fn dialogues_hold_for_weft_with_1_shard() {
    replay(Peer::weft(1));
}

#[test]
fn dialogues_hold_for_weft_with_4_shards() {
    replay(Peer::weft(4));
}
