//! The program on append-only files and directories of these, whole, torn and damaged; and what it cuts.

mod place;

use journal::TxId;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::{Added, Queue};
use journal::round::{Step, Tail};
use place::{Place, report, run};
use serde_json::{Value, json};
use std::path::Path;
use testkit::{Program, Server};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// What it says, and the exit code.
fn fix(arguments: &[&str], path: &Path, input: &str) -> (String, i32) {
    let output = run(arguments, path, input);
    let text = String::from_utf8(output.stderr).expect("text");
    (text, output.status.code().expect("a code"))
}

impl Place {
    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("a file")
    }
}

/// The files of a generation: in each round, each shard has a command, or a part of a transaction of all. `is_synced`: each round before the next.
fn generation(
    shards: u16,
    rounds: u64,
    tx: impl Fn(u64) -> Option<TxId>,
    is_synced: bool,
) -> Vec<(Tail, Vec<u8>)> {
    let mut queue = Queue::new(shards);
    let mut files = vec![(Tail::default(), Vec::new()); usize::from(shards)];
    for tx in (0..rounds).map(tx) {
        for shard in 0..shards {
            let mut chunk = Chunk::default();
            tx.into_iter().for_each(|tx| chunk.begin_part(tx));
            chunk.command(0, [b"SET".as_slice(), b"key", b"value"]);
            if tx.is_some() {
                chunk.end_part();
            }
            queue.hand_over(Added { chunks: vec![(shard, chunk)], closed: vec![] });
        }
        queue.hand_over(Added { chunks: vec![], closed: tx.into_iter().collect() });
        let round = queue.take_round().expect("something to write");
        for step in &round.steps {
            if let Step::Append { shard, pieces } = step {
                let (tail, file) = &mut files[usize::from(*shard)];
                tail.append(pieces, file);
            }
        }
        queue.done(round);
        for (tail, _) in files.iter_mut().filter(|_| is_synced) {
            tail.is_safe_up_to(tail.bytes);
        }
    }
    files
}

/// The files of two shards and two generations, in each of which they have a command, a transaction of both, and a command. The names of the
/// newest.
fn ours(place: &Place) -> Vec<String> {
    let mut manifest = Manifest::new("a.aof");
    let mut newest = Vec::new();
    for number in 0..2 {
        newest = manifest.begin_generation(2);
        let files = generation(2, 3, |round| (round == 1).then_some(TxId(number)), false);
        for (name, (_, file)) in newest.iter().zip(files) {
            place.write(name, &file);
        }
    }
    place.write("a.aof.manifest", manifest.text().as_bytes());
    newest
}

#[test]
fn a_single_file() {
    let place = Place::new("single");
    let file = [b"#TS:7\r\n", PING, PING].concat();
    let path = place.write("old", &file);
    let (whole, code) = report(&path);
    assert_eq!((code, &whole["torn"], &whole["damage"]), (0, &Value::Null, &Value::Null), "{whole}");
    assert_eq!(whole["commands"], json!({ "PING": { "commands": 2, "bytes": 28 } }));
    assert_eq!((&whole["first_time"], &whole["whole_bytes"]), (&7.into(), &35.into()));
    let text = String::from_utf8(run(&[], &path, "").stdout).expect("text");
    assert!(text.ends_with("OK 2 commands\n"), "{text}");
    // An empty one.
    assert_eq!(report(&place.write("empty.aof", b"")).1, 0);
}

#[test]
fn a_torn_end_is_cut_once_somebody_says_so() {
    let place = Place::new("torn");
    let path = place.write("a.aof", &[PING, &PING[..9]].concat());
    let (torn, code) = report(&path);
    assert_eq!((code, &torn["whole_bytes"]), (1, &14.into()));
    assert_eq!(torn["torn"], "at byte 22: Expected to read 6 bytes, got 1 bytes (in what begins at byte 14)");
    for answer in ["", "\n", "n\n", "yikes\n"] {
        let (text, code) = fix(&["--fix"], &path, answer);
        assert!(code == 1 && text.contains("from 23 to 14 bytes: 9 bytes go"), "{text}");
        assert!(text.ends_with("Nothing was changed.\n"), "{text}");
        assert_eq!(place.bytes("a.aof").len(), 23);
    }
    let (text, code) = fix(&["--fix"], &path, "y\n");
    assert!(code == 0 && text.ends_with("a.aof was cut.\n"), "{text}");
    assert_eq!(place.bytes("a.aof"), PING);
    assert_eq!(report(&path).1, 0);
}

#[test]
fn of_damage_in_the_middle_it_says_how_much_goes() {
    let place = Place::new("middle");
    let path = place.write("a.aof", &[PING, b"junk\r\n", PING].concat());
    let (damaged, code) = report(&path);
    assert_eq!((code, &damaged["torn"]), (1, &Value::Null));
    assert_eq!(damaged["damage"], "at byte 14: Expected prefix '*', got: 'j'");
    let (text, code) = fix(&["--fix", "--yes"], &path, "");
    assert!(code == 0 && text.starts_with("DAMAGE IN THE MIDDLE: everything behind it goes"), "{text}");
    assert!(text.contains("from 34 to 14 bytes: 20 bytes go"), "{text}");
    assert_eq!(place.bytes("a.aof"), PING);
}

#[test]
fn a_directory_of_ours() {
    let place = Place::new("ours");
    let newest = ours(&place);
    let (whole, code) = report(&place.0);
    assert_eq!((code, &whole["is_whole"]), (0, &true.into()), "{whole}");
    assert_eq!(whole["files"].as_array().map(Vec::len), Some(4));
    let last = &whole["files"][3];
    assert_eq!((&last["generation"], &last["shard"], &last["rounds"]), (&2.into(), &1.into(), &3.into()));
    assert_eq!(last["parts_of_transactions"], 1);
    assert_eq!(last["commands"]["SET"]["commands"], 3);
    // The manifest says the same.
    assert_eq!(report(&place.0.join("a.aof.manifest")), (whole, 0));

    // The transaction is not whole in one of the files: both are cut in front of it.
    let file = place.bytes(&newest[1]);
    let second = file.len() / 3 + 40;
    place.write(&newest[1], &file[..second]);
    let (torn, code) = report(&place.0);
    assert_eq!(code, 1);
    assert!(
        torn["files"][2]["torn"].as_str().is_some_and(|why| why.contains("has lost other parts")),
        "{torn}"
    );
    let cut = torn["files"][2]["whole_bytes"].as_u64().expect("a place") as usize;
    assert!(place.bytes(&newest[0])[cut..].starts_with(b"#weft-round "));
    let (text, code) = fix(&["--fix", "--yes"], &place.0, "");
    assert_eq!((code, text.matches(" was cut.").count()), (0, 2), "{text}");
    let (whole, code) = report(&place.0);
    assert_eq!(code, 0, "{whole}");
    assert_eq!(place.bytes(&newest[0]).len(), cut);
}

/// Of a file that has lost what was safe, the others lose the parts of the same transactions: one cut of all is enough.
#[test]
fn what_others_lose_with_damage_is_cut_at_once() {
    let place = Place::new("lost");
    let mut manifest = Manifest::new("a.aof");
    let names = manifest.begin_generation(3);
    let files = generation(3, 6, |round| Some(TxId(round)), true);
    let write = |from: usize| {
        for (name, (_, file)) in names.iter().zip(&files).skip(from) {
            place.write(name, file);
        }
    };
    place.write("a.aof.manifest", manifest.text().as_bytes());
    let bytes = files[0].1.len();
    for cut in [bytes / 3 + 7, bytes / 2 + 7, bytes - 1] {
        write(1);
        place.write(&names[0], &files[0].1[..cut]);
        assert_eq!(report(&place.0).1, 1);
        assert_eq!(fix(&["--fix", "--yes"], &place.0, "").1, 0);
        let (whole, code) = report(&place.0);
        assert_eq!(code, 0, "{whole}");
        let left: Vec<_> =
            (0..3).map(|file| whole["files"][file]["parts_of_transactions"].as_u64()).collect();
        assert!(
            left.iter().all(|left| *left == Some(cut as u64 * 6 / bytes as u64)),
            "{left:?}, cut at {cut}"
        );
    }
}

#[test]
fn what_cannot_be_mended_by_cutting() {
    let place = Place::new("worse");
    let newest = ours(&place);
    // What is missing at the end of an older generation is damage: later files go on.
    let older = "a.aof.1.incr.aof";
    let file = place.bytes(older);
    place.write(older, &file[..file.len() - 1]);
    let (damaged, code) = report(&place.0);
    assert_eq!(code, 1);
    assert!(damaged["files"][0]["damage"].as_str().is_some_and(|why| why.ends_with("later files go on")));
    assert_eq!(fix(&["--fix", "--yes"], &place.0, "").1, 1);
    assert_eq!(place.bytes(older).len(), file.len() - 1);
    place.write(older, &file);

    std::fs::remove_file(place.0.join(&newest[0])).expect("it was there");
    let (missing, code) = report(&place.0);
    assert_eq!(code, 1);
    assert_eq!(missing["wrong"], json!([format!("the file {} is not there", newest[0])]));
    assert_eq!(fix(&["--fix", "--yes"], &place.0, "").1, 1);

    let path = place.write("a.aof.manifest", b"file a seq 1\n");
    let (wrong, code) = report(&path);
    assert_eq!(
        (code, wrong["wrong"][0].as_str()),
        (1, Some("Invalid AOF manifest file format, at line 1 of the manifest: 'file a seq 1'"))
    );
    std::fs::remove_file(path).expect("it was there");
    assert_eq!(run(&[], &place.0, "").status.code(), Some(2));
}

#[test]
fn a_directory_of_redis() {
    if Program::redis().find().is_none() {
        return;
    }
    let mut server = Server::redis(&["--appendonly", "yes", "--aof-timestamp-enabled", "yes"]);
    let mut client = server.client();
    for line in ["SET a 1", "RPUSH b 1 2 3", "MULTI", "SET c 1", "SET d 1", "EXEC", "SELECT 3", "SPOP none"] {
        client.run(line);
    }
    server.stop().expect("it ends");
    let directory = server.directory().join("appendonlydir");
    let (found, code) = report(&directory);
    assert_eq!(code, 0, "{found}");
    assert!(found["base"]["format"].as_str().is_some_and(|format| format.starts_with("RDB version ")));
    assert_eq!(found["files"][0]["commands"]["SET"]["commands"], 3);
    assert_eq!(found["files"][0]["generation"], Value::Null);
    assert!(found["files"][0]["first_time"].as_u64().is_some());

    // Before Redis 7, commands stood behind the data.
    let place = Place::new("preamble");
    let base = std::fs::read(directory.join("appendonly.aof.1.base.rdb")).expect("a file");
    let path = place.write("appendonly.aof", &[&*base, PING, &PING[..5]].concat());
    let (old, code) = report(&path);
    assert_eq!((code, &old["begins_at"]), (1, &base.len().into()), "{old}");
    assert_eq!(old["whole_bytes"], base.len() + PING.len());
    assert_eq!((&old["rdb"]["damage"], &old["commands"]["PING"]["commands"]), (&Value::Null, &1.into()));
    assert_eq!(fix(&["--fix", "--yes"], &path, "").1, 0);
    assert_eq!(report(&path).1, 0);
}
