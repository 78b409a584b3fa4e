//! The log with its thread, on a disk whose syncs take as long as a test wants.

use super::{Host, Log, SyncPolicy, Writer};
use disk::simulated::{EIO, Fault, Loss, SimulatedDisk, SimulatedFile, Step};
use disk::{Disk, Synced};
use journal::TxId;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::Added;
use journal::survey::{Form, survey};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Syncs at once, and tells of it when it may.
#[derive(Clone)]
struct SlowDisk {
    disk: SimulatedDisk,
    syncs: Arc<Syncs>,
}

#[derive(Default)]
struct Syncs {
    /// How many have begun, and how many may end.
    begun: AtomicU64,
    may_end: Mutex<u64>,
    changed: Condvar,
}

impl Syncs {
    fn let_end(&self, count: u64) {
        *self.may_end.lock().unwrap() = count;
        self.changed.notify_all();
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }
}

impl Disk for SlowDisk {
    type File = SimulatedFile;
    type Map = Vec<u8>;

    fn create(&self, path: &Path) -> io::Result<SimulatedFile> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<SimulatedFile> {
        self.disk.open(path)
    }

    fn map(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_abandoned(&self, path: &Path) -> io::Result<bool> {
        self.disk.remove_abandoned(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(directory)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.make_directory(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.sync_directory(directory)
    }

    fn sync_each(&self, files: &mut [Synced<SimulatedFile>]) {
        self.disk.sync_each(files);
        let number = self.syncs.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let held = self.syncs.may_end.lock().unwrap();
        drop(self.syncs.changed.wait_while(held, |may_end| *may_end < number).unwrap());
    }
}

/// Counts how often a shard is woken.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Host for Wakes {
    fn wake(&self, _: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn note(&self, _: &str) {}

    fn warn(&self, line: &str) {
        panic!("{line}");
    }

    fn stop(&self, reason: &str) {
        panic!("{reason}");
    }
}

struct Case {
    disk: SlowDisk,
    wakes: Arc<Wakes>,
    log: Log,
}

fn case(shards: u16, policy: SyncPolicy) -> Case {
    let disk = SlowDisk { disk: SimulatedDisk::new(1), syncs: Arc::default() };
    let mut writer = Writer::new(disk.clone(), "dir".into(), Manifest::new("log"), shards).unwrap();
    writer.open(false).unwrap();
    let wakes = Arc::<Wakes>::default();
    let host = Arc::clone(&wakes);
    let log = Log::start(writer, shards, policy, 1 << 20, 0, host).unwrap();
    Case { disk, wakes, log }
}

impl Case {
    fn chunk(&self, word: &str) -> Chunk {
        let mut chunk = self.log.chunk();
        chunk.command(0, [word.as_bytes()]);
        chunk
    }

    fn add(&self, shard: u16, word: &str) {
        self.log.hand_over(Added { chunks: vec![(shard, self.chunk(word))], closed: Vec::new() });
    }

    /// Whether a word is in a file, if the power goes now or only the process ends.
    fn has(&self, word: &str, loss: Loss) -> bool {
        let disk = self.disk.disk.after_crash(loss, 0);
        let needle = format!("\r\n{word}\r\n");
        let mut files = disk
            .list(Path::new("dir"))
            .unwrap()
            .into_iter()
            .map(|name| disk.map(&Path::new("dir").join(name)));
        files.any(|bytes| bytes.unwrap().windows(needle.len()).any(|window| window == needle.as_bytes()))
    }
}

fn wait_until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn what_is_handed_over_is_written_before_anybody_goes_on() {
    for policy in [SyncPolicy::Always, SyncPolicy::EverySecond, SyncPolicy::Never] {
        let case = case(2, policy);
        for number in 0..100 {
            let word = format!("word{number}");
            case.add(number % 2, &word);
            assert!(case.has(&word, Loss::Nothing), "{policy:?}");
            assert!(policy == SyncPolicy::Always || case.log.safe() == case.log.handed(), "{policy:?}");
        }
        case.disk.syncs.let_end(u64::MAX);
    }
}

/// What comes while a sync is under way is written at once, and safe with the next one, not before.
#[test]
fn a_sync_covers_what_was_written_before_it_began() {
    let case = case(2, SyncPolicy::Always);
    let syncs = &case.disk.syncs;
    case.add(0, "first");
    let first = case.log.handed();
    assert_eq!(syncs.begun(), 0, "nobody has asked for one");
    case.log.wake_when_safe(0, first);
    case.log.await_sync(1);
    wait_until(|| syncs.begun() == 1);
    case.add(1, "second");
    let second = case.log.handed();
    assert!(case.has("second", Loss::Nothing) && !case.has("second", Loss::Everything));
    assert_eq!(case.log.safe(), 0, "nobody knows yet");
    case.log.wake_when_safe(1, second);
    case.log.await_sync(1);
    syncs.let_end(1);
    // The next one follows by itself.
    wait_until(|| syncs.begun() == 2);
    assert!(case.has("first", Loss::Everything));
    assert_eq!((case.log.safe(), case.log.synced()), (first, first));
    assert_eq!(case.wakes.0.load(Ordering::SeqCst), 1);
    syncs.let_end(2);
    wait_until(|| case.log.safe() == second);
    wait_until(|| case.wakes.0.load(Ordering::SeqCst) == 2);
}

/// With other policies nobody waits for a sync, nor does one keep anybody from writing.
#[test]
fn who_writes_does_not_wait_for_a_sync() {
    let case = case(1, SyncPolicy::EverySecond);
    case.add(0, "first");
    wait_until(|| case.disk.syncs.begun() == 1);
    case.add(0, "second");
    assert!(case.has("second", Loss::Nothing));
    assert_eq!(case.log.safe(), case.log.handed());
    assert_eq!(case.log.synced(), 0);
    case.disk.syncs.let_end(u64::MAX);
    wait_until(|| case.log.synced() == 1);
    wait_until(|| case.log.synced() == 2);
}

/// A part of a transaction waits for the others, and so does who has written it; the end of a generation is the thread's.
#[test]
fn what_cannot_be_written_at_once_is_not_safe_before_it_is() {
    let case = case(2, SyncPolicy::EverySecond);
    case.disk.syncs.let_end(u64::MAX);
    let part = |word: &str| {
        let mut chunk = case.log.chunk();
        chunk.begin_part(TxId(7));
        chunk.command(0, [word.as_bytes()]);
        chunk.end_part();
        chunk
    };
    case.log.hand_over(Added { chunks: vec![(0, part("one"))], closed: Vec::new() });
    case.add(1, "other");
    assert!(!case.has("one", Loss::Nothing) && case.has("other", Loss::Nothing));
    assert!(case.log.safe() < case.log.handed());
    case.log.hand_over(Added { chunks: vec![(1, part("two"))], closed: vec![TxId(7)] });
    assert!(case.has("one", Loss::Nothing) && case.has("two", Loss::Nothing));
    assert_eq!(case.log.safe(), case.log.handed());
    let ends = (0..2).map(|shard| {
        let mut chunk = case.log.chunk();
        chunk.end_generation(None);
        (shard, chunk)
    });
    let added = Added { chunks: ends.collect(), closed: Vec::new() };
    case.log.wake_when_safe(0, case.log.handed() + 2);
    case.log.hand_over(added);
    wait_until(|| case.log.safe() == case.log.handed() && case.wakes.0.load(Ordering::SeqCst) == 1);
    case.add(1, "behind");
    assert!(case.has("behind", Loss::Nothing));
    case.log.finish().unwrap();
    assert_eq!(case.log.manifest().generations().count(), 2);
}

/// While files are made, or a manifest, shards go on: what they hand over meanwhile the thread writes.
#[test]
fn what_comes_while_the_thread_is_busy_is_not_forgotten() {
    let case = case(1, SyncPolicy::Always);
    case.disk.syncs.let_end(u64::MAX);
    for number in 0..300 {
        if number % 3 == 0 {
            let mut chunk = case.log.chunk();
            chunk.end_generation(None);
            case.log.hand_over(Added { chunks: vec![(0, chunk)], closed: Vec::new() });
        }
        case.add(0, &format!("word{number}"));
        case.log.await_sync(1);
        if number % 2 == 0 {
            wait_until(|| case.log.safe() == case.log.handed());
        }
    }
    wait_until(|| case.log.safe() == case.log.handed());
    assert!((0..300).all(|number| case.has(&format!("word{number}"), Loss::Everything)));
}

/// Somebody who is told of the end and goes on.
#[derive(Default)]
struct Survivor(AtomicU64);

impl Host for Survivor {
    fn wake(&self, _: usize) {}

    fn note(&self, _: &str) {}

    fn warn(&self, _: &str) {}

    fn stop(&self, _: &str) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A disk that is full ends the process with `always`. No file keeps the filler that was to be written over.
#[test]
fn files_end_behind_their_commands_when_the_process_has_to_end() {
    let disk = SimulatedDisk::new(1);
    let mut writer = Writer::new(disk.clone(), "dir".into(), Manifest::new("log"), 3).unwrap();
    writer.open(false).unwrap();
    let host = Arc::<Survivor>::default();
    let log = Log::start(writer, 3, SyncPolicy::Always, 1 << 20, 0, host.clone()).unwrap();
    disk.limit_files(6000);
    for number in 0.. {
        let mut chunk = log.chunk();
        chunk.command(0, [format!("word{number:03}").as_bytes()]);
        // The second of three files is full at last.
        let shard = if number < 6 { number % 3 } else { 1 };
        log.hand_over(Added { chunks: vec![(shard as u16, chunk)], closed: Vec::new() });
        if host.0.load(Ordering::SeqCst) > 0 {
            break;
        }
    }
    let files = disk.list(Path::new("dir")).unwrap();
    let files = files.iter().filter(|name| name.extension().is_some_and(|end| end == "aof"));
    let ends = files.map(|name| {
        let bytes = disk.map(&Path::new("dir").join(name)).unwrap();
        let whole = survey(&bytes, Form::default(), |_, _| ());
        assert!(whole.flaw.is_none() && whole.commands > 1, "{name:?}");
        bytes.ends_with(b"\r\n")
    });
    assert_eq!(ends.collect::<Vec<_>>(), [true; 3]);
}

/// Room is made ahead so that syncs are quick. A disk that has none for that, but for what is written, serves on.
#[test]
fn only_what_is_written_needs_room() {
    for is_cut in [true, false] {
        let case = case(1, SyncPolicy::Always);
        case.disk.syncs.let_end(u64::MAX);
        let disk = &case.disk.disk;
        disk.limit_files(7000);
        if !is_cut {
            disk.fail_nth(Step::SetLen, 0, Fault::Error(EIO), true);
        }
        // The second time that there is no room left, none can be made.
        let words = (0..60).map(|number| format!("word{number:03}")).collect::<Vec<_>>();
        for word in &words {
            case.add(0, word);
            case.log.await_sync(1);
            wait_until(|| case.log.safe() == case.log.handed());
        }
        assert_eq!(case.log.report().trouble, None);
        let bytes = || disk.map(&Path::new("dir").join("log.1.incr.aof")).unwrap();
        assert!(
            (4097..7000).contains(&case.log.report().current_bytes),
            "{}",
            case.log.report().current_bytes
        );
        assert_eq!(bytes().len() == 7000, !is_cut, "what stays of the filler");
        let whole = survey(&bytes(), Form::default(), |_, _| ());
        assert_eq!((whole.flaw, whole.commands), (None, 60), "{is_cut}");
        disk.heal();
        (0..60).for_each(|number| case.add(0, &format!("more{number:03}")));
        assert!(bytes().ends_with(b"#\n") || bytes().ends_with(b"\n#"), "there is room again");
        let whole = survey(&bytes(), Form::default(), |_, _| ());
        assert_eq!((whole.flaw, whole.commands), (None, 120), "{is_cut}");
    }
}
