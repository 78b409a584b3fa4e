//! Append-only files cut off at every byte of their last rounds: whoever starts with them has a whole prefix of each shard's effects, and
//! transactions of several shards everywhere or nowhere; or refuses, naming the file and the place.
//!
//! Each effect adds its number to the list of its shard, so what is there says which effects have been played, and in which order.

use base::hash::HashSeed;
use base::random::Random;
use base::slot::SlotMap;
use command::ShardCx;
use command::session::Session;
use config::{Config, DirectiveId};
use disk::Disk;
use disk::simulated::SimulatedDisk;
use journal::TxId;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::{Added, Queue};
use persist::append::Writer;
use recovery::{Halt, Recovery};
use shard::Shard;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIRECTORY: &str = "appendonlydir";
const PREFIX: &str = "appendonly.aof";

/// The effects of each shard, in their order.
type Lists = Vec<Vec<u64>>;

fn cx(id: usize, shards: usize) -> ShardCx {
    let (config, seed) = (Arc::new(Config::default()), HashSeed::new(1, 2));
    ShardCx::new(id as u16, shards as u16, config, seed, 3)
}

/// A list on each of so many shards.
fn keys(shards: usize) -> Vec<String> {
    let slots = SlotMap::new(shards as u16);
    let name_on = |shard: usize| {
        let mut names = (0..).map(|n| format!("list:{n}"));
        names.find(|name| usize::from(slots.shard_of(name.as_bytes())) == shard).expect("there is one")
    };
    (0..shards).map(name_on).collect()
}

/// The numbers in a list.
fn numbers(shard: &mut Shard, key: &str) -> Vec<u64> {
    let conn = shard.open(Session { authenticated: true, ..Session::default() });
    let request = format!("*4\r\n$6\r\nLRANGE\r\n${}\r\n{key}\r\n$1\r\n0\r\n$2\r\n-1\r\n", key.len());
    shard.receive(request.as_bytes(), &[(conn as u32, 0..request.len())]);
    let out = std::mem::take(&mut shard.conn_mut(conn).out.buf);
    let text = String::from_utf8(out).expect("numbers");
    assert!(text.starts_with('*'), "{text}");
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// What so many shards find; or why they do not start.
fn start(
    disk: &SimulatedDisk,
    lists: &[String],
    shards: usize,
    truncates: bool,
) -> Result<(Lists, Manifest), String> {
    let place = (Path::new(DIRECTORY), PREFIX);
    let mut config = Config::default();
    let word: &[u8] = if truncates { b"yes" } else { b"no" };
    config.assign(DirectiveId::of("aof-load-truncated"), word).expect("it is one of its words");
    let recovery = Recovery::open(disk.clone(), (), &config, place, shards)?;
    let mut all: Vec<_> = (0..shards).map(|id| Shard::new(cx(id, shards))).collect();
    let told = |halt| match halt {
        Halt::Failed(reason) => reason,
        Halt::Ended => unreachable!("nobody asks for it"),
    };
    all.iter_mut().try_for_each(|one| recovery.look(one)).map_err(told)?;
    recovery.judge();
    all.iter_mut().try_for_each(|one| recovery.play(one, || cx(0, 1))).map_err(told)?;
    all.iter_mut().try_for_each(|one| recovery.take(one)).map_err(told)?;
    let (_, manifest) = recovery.finish()?;
    let slots = SlotMap::new(shards as u16);
    let found = lists.iter().map(|key| {
        let shard = slots.shard_of(key.as_bytes());
        numbers(&mut all[usize::from(shard)], key)
    });
    Ok((found.collect(), manifest))
}

/// Shards that write, and what they have written.
struct Writers {
    disk: SimulatedDisk,
    random: Random,
    queue: Queue,
    writer: Writer<SimulatedDisk>,
    keys: Vec<String>,
    lists: Lists,
    transactions: Vec<Vec<(usize, u64)>>,
    next: u64,
}

impl Writers {
    fn new(shards: usize, seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed);
        let mut writer = Writer::new(disk.clone(), DIRECTORY.into(), Manifest::new(PREFIX), shards as u16)
            .expect("a disk");
        writer.open(false).expect("a disk");
        Self {
            disk,
            random: Random::from_seed(seed),
            queue: Queue::new(shards as u16),
            writer,
            keys: keys(shards),
            lists: vec![Vec::new(); shards],
            transactions: Vec::new(),
            next: 0,
        }
    }

    fn effect(&mut self, chunk: &mut Chunk, shard: usize) -> u64 {
        self.next += 1;
        let text = self.next.to_string();
        chunk.command(0, [&b"RPUSH"[..], self.keys[shard].as_bytes(), text.as_bytes()]);
        self.lists[shard].push(self.next);
        self.next
    }

    fn hand_over(&mut self, chunks: Vec<(u16, Chunk)>, closed: Vec<TxId>) {
        self.queue.hand_over(Added { chunks, closed });
    }

    /// One effect, or two of which there is none without the other.
    fn add(&mut self) {
        let (shard, mut chunk) = (self.random.index(self.lists.len()), Chunk::default());
        let is_block = self.random.below(3) == 0;
        if is_block {
            chunk.begin_block();
            let first = self.effect(&mut chunk, shard);
            let second = self.effect(&mut chunk, shard);
            self.transactions.push(vec![(shard, first), (shard, second)]);
            chunk.end_block();
        } else {
            self.effect(&mut chunk, shard);
        }
        self.hand_over(vec![(shard as u16, chunk)], Vec::new());
    }

    /// A transaction of two shards or more.
    fn add_together(&mut self) {
        self.next += 1;
        let tx = TxId(self.next);
        let mut shards: Vec<usize> = (0..self.lists.len()).collect();
        self.random.shuffle(&mut shards);
        shards.truncate(2 + self.random.index(shards.len() - 1));
        let (mut chunks, mut parts) = (Vec::new(), Vec::new());
        for shard in shards {
            let mut chunk = Chunk::default();
            chunk.begin_part(tx);
            parts.push((shard, self.effect(&mut chunk, shard)));
            chunk.end_part();
            chunks.push((shard as u16, chunk));
        }
        self.transactions.push(parts);
        self.hand_over(chunks, vec![tx]);
    }

    /// All lists are emptied, and everything goes on in new files.
    fn empty_all(&mut self) {
        let chunk = |shard| {
            let mut chunk = Chunk::default();
            chunk.end_generation((shard == 0).then_some((0, &[&b"FLUSHALL"[..]][..])));
            (shard, chunk)
        };
        let chunks = (0..self.lists.len() as u16).map(chunk).collect();
        self.hand_over(chunks, Vec::new());
        self.lists.iter_mut().for_each(Vec::clear);
        self.transactions.clear();
    }

    fn write(&mut self, is_strict: bool) {
        let Some(round) = self.queue.take_round() else { return };
        self.writer.begin(round);
        let done = self.writer.go_on(false).expect("a disk");
        done.into_iter().for_each(|round| self.queue.done(round));
        if is_strict {
            self.writer.sync().expect("a disk");
        }
    }

    /// So many rounds of a few things each.
    fn go_on(&mut self, rounds: usize, is_strict: bool) {
        for _ in 0..rounds {
            for _ in 0..1 + self.random.index(4) {
                if self.random.below(4) == 0 { self.add_together() } else { self.add() }
            }
            self.write(is_strict);
        }
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.disk
            .names()
            .into_iter()
            .filter_map(|path| Some((path.clone(), self.disk.map(&path).ok()?)))
            .collect()
    }
}

/// A disk with these files, some of them cut.
fn disk_of(files: &BTreeMap<PathBuf, Vec<u8>>, cuts: &[(&PathBuf, usize)]) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    disk.make_directory(Path::new(DIRECTORY)).expect("a disk");
    for (path, bytes) in files {
        let end = cuts.iter().find(|(cut, _)| *cut == path).map_or(bytes.len(), |(_, end)| *end);
        disk.put(path, &bytes[..end]);
    }
    disk
}

/// Whether what was found is a prefix of everything, and nothing is there by halves.
fn check(writers: &Writers, found: &Lists) -> Result<(), String> {
    for (shard, (list, found)) in writers.lists.iter().zip(found).enumerate() {
        if !list.starts_with(found) {
            return Err(format!("shard {shard} has {found:?} of {list:?}"));
        }
    }
    for parts in &writers.transactions {
        let there = parts.iter().filter(|(shard, id)| found[*shard].contains(id)).count();
        if there != 0 && there != parts.len() {
            return Err(format!("of {parts:?} only {there} are there"));
        }
    }
    Ok(())
}

/// What has come of cuts.
#[derive(Debug, Default)]
struct Counts {
    cuts: usize,
    refused: usize,
    /// Other files were cut, too, for the sake of a transaction.
    cut_elsewhere: usize,
    /// Cut where nothing seems to be missing.
    without_a_trace: usize,
}

/// Cuts files in one way and starts with what is left.
fn cut(
    writers: &Writers,
    files: &BTreeMap<PathBuf, Vec<u8>>,
    cuts: &[(&PathBuf, usize)],
    counts: &mut Counts,
) -> Result<(), String> {
    counts.cuts += 1;
    let shards = writers.lists.len();
    let disk = disk_of(files, cuts);
    let strict = start(&disk_of(files, cuts), &writers.keys, shards, false);
    let (found, manifest) = match start(&disk, &writers.keys, shards, true) {
        Ok(found) => found,
        Err(reason) => {
            counts.refused += 1;
            let named = files.keys().any(|path| reason.contains(&path.display().to_string()));
            let is_told = named && reason.contains("at byte") && strict.is_err();
            return if is_told { Ok(()) } else { Err(reason) };
        }
    };
    check(writers, &found)?;
    let is_whole = |path: &PathBuf| disk.map(path).ok().as_ref() == files.get(path);
    let is_cut = |path: &PathBuf| cuts.iter().any(|(cut, _)| *cut == path);
    let elsewhere = files.keys().any(|path| !is_cut(path) && !is_whole(path));
    counts.cut_elsewhere += usize::from(elsewhere);
    // Who does not want anything to be cut off is told where something would have to be; a line that says only that a round follows is nothing.
    let left = |path: &PathBuf| disk.map(path).map_or(0, |bytes| bytes.len());
    let is_missed = |(path, end): &(&PathBuf, usize)| {
        let off = &files[*path][left(path).min(*end)..*end];
        off.contains(&b'\n') || !off.is_empty() && off[0] != b'#'
    };
    let cut_more = elsewhere || cuts.iter().any(is_missed);
    match strict {
        Ok((all, _)) => {
            counts.without_a_trace += 1;
            if cut_more || all != found {
                return Err(format!("cut off without leave: {all:?}"));
            }
        }
        Err(reason) => {
            let named = files.keys().any(|path| reason.contains(&path.display().to_string()));
            if !named || !reason.contains("at byte") {
                return Err(format!("neither file nor offset: {reason}"));
            }
        }
    }
    if !counts.cuts.is_multiple_of(7) {
        return Ok(());
    }
    // What is left is whole, for any number of shards.
    for shards in [shards, 1, shards + 1] {
        let (again, _) = start(&disk, &writers.keys, shards, false)?;
        if again != found {
            return Err(format!("{shards} shards find {again:?} the next time, and not {found:?}"));
        }
    }
    // And something may be written behind it.
    let mut writer = Writer::new(disk.clone(), DIRECTORY.into(), manifest, shards as u16)
        .map_err(|failure| failure.to_string())?;
    writer.open(false).map_err(|failure| failure.to_string())?;
    drop(writer);
    match start(&disk, &writers.keys, shards, false)?.0 == found {
        true => Ok(()),
        false => Err("with new files there is something else".to_owned()),
    }
}

/// Cuts each file of the last generation at every byte of what `from` has not in it, and several at once.
fn cut_everywhere(writers: &mut Writers, from: &BTreeMap<PathBuf, Vec<u8>>, what: &str) -> Counts {
    let files = writers.files();
    let mut counts = Counts::default();
    let old = |path: &PathBuf| from.get(path).map_or(0, Vec::len);
    let changed: Vec<&PathBuf> = files.keys().filter(|path| files[*path].len() > old(path)).collect();
    assert_eq!(changed.len(), writers.lists.len(), "{what}");
    for path in &changed {
        for end in old(path)..files[*path].len() {
            cut(writers, &files, &[(path, end)], &mut counts)
                .unwrap_or_else(|wrong| panic!("{what}, {} cut at {end}: {wrong}", path.display()));
        }
    }
    for _ in 0..60 {
        let ends: Vec<_> = changed
            .iter()
            .map(|path| (*path, old(path) + writers.random.index(files[*path].len() + 1 - old(path))))
            .collect();
        cut(writers, &files, &ends, &mut counts)
            .unwrap_or_else(|wrong| panic!("{what}, cut at {ends:?}: {wrong}"));
    }
    counts
}

#[test]
fn files_that_were_not_synced_are_cut_at_every_byte_and_start() {
    let mut without_a_trace = 0;
    for shards in [1, 2, 3] {
        for seed in 0..2 {
            let mut writers = Writers::new(shards, seed);
            let is_later = seed == 1;
            if is_later {
                writers.go_on_alone_or_together(3);
                writers.empty_all();
                writers.write(false);
            }
            let before = writers.files();
            writers.go_on_alone_or_together(3);
            let what = format!("{shards} shards, seed {seed}");
            let counts = cut_everywhere(&mut writers, &before, &what);
            assert_eq!(counts.refused, 0, "{what}: {counts:?}");
            assert!(counts.cuts > 250, "{what}: {counts:?}");
            assert!(shards == 1 || counts.cut_elsewhere > counts.cuts / 10, "{what}: {counts:?}");
            without_a_trace += counts.without_a_trace;
        }
    }
    assert!(without_a_trace > 0);
}

#[test]
fn what_was_synced_is_missed_or_refused_and_never_torn() {
    for shards in [2, 3] {
        let mut writers = Writers::new(shards, 7);
        let before = writers.files();
        writers.go_on(3, true);
        drop(writers.writer.close());
        let what = format!("{shards} shards");
        let counts = cut_everywhere(&mut writers, &before, &what);
        // That something is gone which was safe can be told of a transaction only.
        assert!(counts.refused > 0 && counts.refused < counts.cuts, "{what}: {counts:?}");
    }
}

impl Writers {
    /// With one shard there are no transactions of several.
    fn go_on_alone_or_together(&mut self, rounds: usize) {
        if self.lists.len() > 1 {
            return self.go_on(rounds, false);
        }
        for _ in 0..rounds {
            (0..3).for_each(|_| self.add());
            self.write(false);
        }
    }
}
