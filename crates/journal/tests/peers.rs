//! A directory as we write it, with everything that may stand in it, for redis-check-aof and redis-server; and what redis-server makes of it, for us.
//! Where there is no redis-server in `PATH`, there is nothing to compare with.

use journal::TxId;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::{Added, Queue};
use journal::recovery::cuts;
use journal::round::{FILLER_END, Step, Tail, fill};
use journal::survey::{Form, survey};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Program, Server};

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-journal-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("appendonlydir")).expect("a directory");
        Self(path)
    }

    fn files(&self) -> PathBuf {
        self.0.join("appendonlydir")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What writes the files, as the thread of the journal does it.
struct Writer {
    manifest: Manifest,
    files: HashMap<String, Vec<u8>>,
    newest: Vec<(String, Tail)>,
}

impl Writer {
    fn new(shards: u16) -> Self {
        let mut manifest = Manifest::new("appendonly.aof");
        let (rewrite, names) = manifest.begin_rewrite(shards);
        let mut files = HashMap::new();
        let base = b"*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n*3\r\n$3\r\nSET\r\n$4\r\nbase\r\n$1\r\n1\r\n";
        files.insert(manifest.next_base_name(false), base.to_vec());
        manifest.end_rewrite(rewrite, false);
        manifest.take_history();
        let mut writer = Self { manifest, files, newest: Vec::new() };
        writer.begin(names);
        writer
    }

    fn begin(&mut self, names: Vec<String>) {
        self.files.extend(names.iter().map(|name| (name.clone(), Vec::new())));
        self.newest = names.into_iter().map(|name| (name, Tail::default())).collect();
    }

    fn write(&mut self, queue: &mut Queue) {
        let round = queue.take_round().expect("something to write");
        for step in &round.steps {
            match step {
                Step::Append { shard, pieces } => {
                    let (name, tail) = &mut self.newest[usize::from(*shard)];
                    tail.append(pieces, self.files.get_mut(name).expect("it has begun"));
                }
                Step::NextGeneration => {
                    let names = self.manifest.begin_generation(self.newest.len() as u16);
                    self.begin(names);
                }
            }
        }
        self.newest.iter_mut().for_each(|(_, tail)| tail.is_safe());
        queue.done(round);
    }

    /// With room made ahead behind each of the newest files.
    fn store(&self, directory: &Path, room: usize) {
        for (name, bytes) in &self.files {
            let mut bytes = bytes.clone();
            if room > 0 && self.newest.iter().any(|(newest, _)| newest == name) {
                let mut with_room = vec![0; (bytes.len() / room + 1) * room];
                fill(&mut with_room);
                with_room[..bytes.len()].copy_from_slice(&bytes);
                with_room[bytes.len()] = FILLER_END;
                bytes = with_room;
            }
            std::fs::write(directory.join(name), bytes).expect("a file");
        }
        std::fs::write(directory.join(self.manifest.name()), self.manifest.text()).expect("a manifest");
    }
}

fn add(chunk: &mut Chunk, db: u16, line: &str) {
    chunk.command(db, line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
}

/// Commands of every form, over several shards and generations.
fn play(writer: &mut Writer, shards: u16) {
    let mut queue = Queue::new(shards);
    for shard in 0..shards {
        let mut chunk = queue.chunk();
        chunk.timestamp(1_700_000_000);
        add(&mut chunk, 3, "SET gone x");
        queue.hand_over(Added { chunks: vec![(shard, chunk)], closed: vec![] });
    }
    writer.write(&mut queue);
    for shard in 0..shards {
        let mut chunk = queue.chunk();
        let head: &[&[u8]] = &[b"FLUSHDB"];
        chunk.end_generation((shard == 0).then_some((3, head)));
        add(&mut chunk, u16::from(shard == 1), &format!("SET kept{shard} 1"));
        chunk.begin_block();
        add(&mut chunk, 0, &format!("RPUSH list{shard} a b"));
        add(&mut chunk, 0, &format!("LPOP list{shard}"));
        chunk.end_block();
        queue.hand_over(Added { chunks: vec![(shard, chunk)], closed: vec![] });
    }
    for shard in 0..shards {
        let mut chunk = queue.chunk();
        chunk.begin_part(TxId(7));
        if shard != 1 {
            add(&mut chunk, 0, &format!("SET tx{shard} 1"));
        }
        chunk.end_part();
        queue.hand_over(Added { chunks: vec![(shard, chunk)], closed: vec![] });
    }
    queue.hand_over(Added { chunks: vec![], closed: vec![TxId(7)] });
    writer.write(&mut queue);
    let mut chunk = queue.chunk();
    add(&mut chunk, 2, &format!("SET large {}", "x".repeat(100_000)));
    queue.hand_over(Added { chunks: vec![(shards - 1, chunk)], closed: vec![] });
    writer.write(&mut queue);
}

#[test]
fn redis_check_aof_accepts_what_we_write() {
    for (shards, room) in [(1, 0), (3, 0), (3, 4096), (2, 1024)] {
        let directory = Directory::new(&format!("check-{shards}-{room}"));
        let mut writer = Writer::new(shards);
        play(&mut writer, shards);
        writer.store(&directory.files(), room);
        let manifest = directory.files().join("appendonly.aof.manifest");
        let Ok(output) = Command::new("redis-check-aof").arg(manifest).output() else { return };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.ends_with("All AOF files and manifest are valid\n"),
            "{text}"
        );
    }
}

#[test]
fn redis_server_loads_what_we_write_and_we_what_it_goes_on_with() {
    if Program::redis().find().is_none() {
        return;
    }
    for (shards, room) in [(1, 0), (3, 4096)] {
        let directory = Directory::new(&format!("server-{shards}-{room}"));
        let mut writer = Writer::new(shards);
        play(&mut writer, shards);
        writer.store(&directory.files(), room);
        let place = directory.0.to_str().expect("text");
        let mut server = Server::redis(&["--dir", place, "--appendonly", "yes", "--appendfsync", "no"]);
        let mut client = server.client();
        let sizes = client.run("INFO keyspace").string().expect("text");
        let keys = |db: usize| {
            let (_, after) = sizes.split_once(&format!("db{db}:keys="))?;
            after.split(',').next()?.parse::<usize>().ok()
        };
        // Of each shard a list and a key, of the second in another database; of the transaction on all but the second.
        let shards_usize = usize::from(shards);
        let zero = if shards == 1 { 3 } else { 3 * shards_usize - 2 };
        assert_eq!((keys(0), keys(1)), (Some(zero), (shards > 1).then_some(1)), "{sizes}");
        assert_eq!((keys(2), keys(3), keys(5)), (Some(1), None, Some(1)), "{sizes}");
        assert_eq!(client.run("LRANGE list0 0 -1"), testkit::Value::bulks(&["b"]));
        // It goes on in the last file.
        for line in ["SELECT 4", "SET more 1", "MULTI", "SET more 2", "SET most 3", "EXEC"] {
            client.run(line);
        }
        server.stop().expect("it ends");
        let text = std::fs::read(directory.files().join("appendonly.aof.manifest")).expect("a manifest");
        let manifest = Manifest::parse("appendonly.aof", &text).expect("it is right");
        let last = manifest.generations().flatten().last().expect("a file");
        let bytes = std::fs::read(directory.files().join(&last.name)).expect("a file");
        let mut commands = Vec::new();
        let found = survey(&bytes, Form { start: 0, is_ours: true }, |_, words| commands.push(words.len()));
        assert_eq!((found.flaw, found.db), (None, Some(4)));
        assert_eq!(&commands[commands.len() - 6..], [2, 3, 1, 3, 3, 1]);
        assert_eq!(found.whole_bytes, bytes.len() as u64);
    }
}

#[test]
fn what_is_left_after_a_crash() {
    let mut writer = Writer::new(3);
    play(&mut writer, 3);
    let newest: Vec<_> = writer.newest.iter().map(|(name, _)| &*writer.files[name]).collect();
    let ours = Form { start: 0, is_ours: true };
    let whole: Vec<_> = newest.iter().map(|bytes| survey(bytes, ours, |_, _| ())).collect();
    assert!(whole.iter().all(|found| found.parts.len() == 2 && found.flaw.is_none()));
    // The first two files have one round. Whatever of them and of that of the last is gone, all is gone.
    for shard in 0..3 {
        for bytes in 0..newest[shard].len() {
            let mut found = whole.clone();
            found[shard] = survey(&newest[shard][..bytes], ours, |_, _| ());
            let there = found[shard].parts.len();
            let expected: Vec<_> = found
                .iter()
                .map(|found| found.parts.first().map_or(found.whole_bytes, |part| part.offset))
                .collect();
            let remains: Vec<_> = found.iter().map(Into::into).collect();
            let found_cuts = cuts(&remains);
            if there == 2 {
                let whole: Vec<_> = found.iter().map(|found| found.whole_bytes).collect();
                assert_eq!(found_cuts, Ok(whole));
            } else if shard == 2 {
                assert_eq!(found_cuts, Ok(expected), "shard {shard} cut at {bytes}");
            } else {
                // The last file's second round says that the first was safe.
                let lost = found_cuts.expect_err("it was safe").tx;
                assert!([7, u64::MAX].contains(&lost.0), "{lost}");
            }
        }
    }
}
