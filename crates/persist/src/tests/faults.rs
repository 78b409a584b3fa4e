//! Saves onto a disk that fails and loses power: whatever happens, there is the whole old file or the whole new one, what was
//! acknowledged stays, and whoever writes goes on.

use super::{Contents, HEAD, fill, read};
use crate::{Hints, Outcome, Pen, Save, Target, remove_abandoned};
use base::hash::HashSeed;
use base::random::Random;
use disk::simulated::{EIO, ENOSPC, Fault, Loss, Omission, Rates, SimulatedDisk, Step};
use disk::{Disk, reason};
use keyspace::Db;
use keyspace::walk::Scribe;
use rdb::encode::Options;
use rdb::file::Items;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DIRECTORY: &str = "data";
const FILE: &str = "data/dump.rdb";
/// Longer than any test here takes on a machine that is busy with other things, unless somebody waits for ever.
const PATIENCE: Duration = Duration::from_secs(3600);
const OLD: &[u8] = b"what was saved before";

/// What shards have, the file that it becomes, and the steps that its save takes.
struct Data {
    seed: u64,
    /// Of each shard.
    shards: Vec<Vec<Db>>,
    file: Vec<u8>,
    steps: u64,
}

fn random_databases(random: &mut Random, contents: &mut Contents) -> Vec<Vec<Db>> {
    let seed = HashSeed::new(random.next_u64(), random.next_u64());
    let (shards, dbs) = (1 + random.index(3), 1 + random.index(2));
    let mut db = |shard: usize, place: usize| {
        let (mut db, mut own) = (Db::new(seed.clone()), Contents::new());
        fill(&mut db, &seed, random, (shard * dbs + place) as u16, &mut own);
        contents.extend(own.into_iter().map(|((_, key), value)| ((place as u32, key), value)));
        db
    };
    (0..shards).map(|shard| (0..dbs).map(|place| db(shard, place)).collect()).collect()
}

impl Data {
    /// Makes it, and sees to it that the file is what the shards have.
    fn new(seed: u64) -> Self {
        let mut random = Random::from_seed(seed);
        let mut contents = Contents::new();
        let shards = random_databases(&mut random, &mut contents);
        let mut data = Self { seed, shards, file: Vec::new(), steps: 0 };
        let disk = new_disk(seed);
        let begun = disk.steps();
        data.save(&disk).expect("nothing is in the way");
        data.steps = disk.steps() - begun;
        data.file = disk.map(Path::new(FILE)).expect("it is there");
        let mut found = Contents::new();
        read(&mut Items::of_file(&data.file, true).expect("an RDB file"), &mut found);
        assert!(found == contents, "seed {seed}");
        assert!(data.steps >= 7, "there is something to be disturbed in");
        data
    }

    /// Saves it, while next to nothing may wait for the disk: so all wait for each other.
    fn save(&mut self, disk: &SimulatedDisk) -> Outcome {
        let options = Options { version: 10, compress: false };
        let target =
            Target { path: FILE.into(), options, sums: true, waiting_bytes_max: 1, held_bytes_max: 250_000 };
        let name = |error: io::Error| format!("{FILE}: {}", reason(&error));
        let count = self.shards.len() as u16;
        let save = Save::begin(disk.clone(), target, count, Box::new(|_| {})).map_err(name)?;
        save.set_head(&HEAD);
        for (shard, dbs) in (0..).zip(&mut self.shards) {
            let pen = Arc::new(Mutex::new(Pen::new(save.clone(), shard, Hints::Nothing)));
            (0..).zip(&mut *dbs).for_each(|(number, db)| db.begin_walk(number, pen.clone()));
            for db in dbs {
                while db.walk_on() {}
                db.end_walk();
            }
            pen.lock().expect("nobody has panicked").end();
        }
        save.wait()
    }
}

fn new_disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.make_directory(Path::new(DIRECTORY)).expect("nothing is in the way");
    disk.sync_directory(Path::new(".")).expect("nothing is in the way");
    disk
}

fn file(disk: &SimulatedDisk) -> Option<Vec<u8>> {
    disk.map(Path::new(FILE)).ok()
}

/// Does it on a thread of its own, and does not wait for ever.
fn in_time<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || sender.send(run()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("somebody waits for ever"),
        Err(RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().expect_err("it has panicked"))
        }
    }
}

/// What the disk has after a crash, in the two extreme cases and in others.
fn crashes(disk: &SimulatedDisk, others: u64) -> impl Iterator<Item = (String, SimulatedDisk)> {
    let extremes = [(Loss::Nothing, 0), (Loss::Everything, 0)];
    let cases = extremes.into_iter().chain((0..others).map(|seed| (Loss::Some, seed)));
    cases.map(|(loss, seed)| (format!("{loss:?} lost, seed {seed}"), disk.after_crash(loss, seed)))
}

/// The power goes at every step of a save.
fn crash_everywhere(data: &mut Data, old: Option<&[u8]>, omission: Option<Omission>) -> Result<(), String> {
    for step in 0..=data.steps {
        let disk = new_disk(data.seed);
        if let Some(old) = old {
            disk.put(Path::new(FILE), old);
        }
        omission.into_iter().for_each(|omission| disk.omit(omission));
        disk.crash_at(disk.steps() + step);
        let is_acknowledged = data.save(&disk).is_ok();
        for (how, disk) in crashes(&disk, 25) {
            let found = file(&disk);
            let is_new = found.as_ref() == Some(&data.file);
            if !is_new && (is_acknowledged || found.as_deref() != old) {
                let what = if is_acknowledged { "acknowledged" } else { "whole" };
                return Err(format!("seed {}, step {step}, {how}: what is there is not {what}", data.seed));
            }
        }
        let disk = disk.after_crash(Loss::Nothing, 0);
        remove_abandoned(&disk, Path::new(DIRECTORY)).expect("nothing is in the way");
        let whole: &[&str] = if file(&disk).is_some() { &[DIRECTORY, FILE] } else { &[DIRECTORY] };
        assert_eq!(disk.names(), whole.iter().map(PathBuf::from).collect::<Vec<_>>(), "step {step}");
        data.save(&disk).expect("nothing is in the way");
        assert!(file(&disk).as_ref() == Some(&data.file));
    }
    Ok(())
}

#[test]
fn a_crash_at_any_step_leaves_the_old_file_or_the_new() {
    in_time(|| {
        for seed in 0..4 {
            let mut data = Data::new(seed);
            for old in [Some(OLD), None] {
                crash_everywhere(&mut data, old, None).unwrap();
            }
        }
    });
}

/// Step after step goes wrong in one way; then all is well again.
fn fail_everywhere(data: &mut Data, omission: Option<Omission>) -> Result<(), String> {
    let faults = [Fault::Error(EIO), Fault::Error(ENOSPC), Fault::Short];
    for (step, fault) in Step::ALL.into_iter().flat_map(|step| faults.map(|fault| (step, fault))) {
        for nth in 0.. {
            let disk = new_disk(data.seed + nth);
            disk.put(Path::new(FILE), OLD);
            omission.into_iter().for_each(|omission| disk.omit(omission));
            let before = disk.steps_of(step);
            disk.fail_nth(step, nth, fault, false);
            let outcome = data.save(&disk);
            let is_over = disk.steps_of(step) <= before + nth;
            check_failure(data, &disk, &outcome, (step, fault))
                .map_err(|what| format!("seed {}, {fault:?} at {step:?} {nth}: {what}", data.seed))?;
            disk.heal();
            data.save(&disk).map_err(|error| format!("all is well, and yet: {error}"))?;
            let is_new = crashes(&disk, 1).all(|(_, disk)| file(&disk).as_ref() == Some(&data.file));
            if !is_new {
                return Err(format!("{fault:?} at {step:?} {nth}: the next save is not there"));
            }
            if is_over {
                break;
            }
        }
    }
    Ok(())
}

/// What a save that something happened to has said and left.
fn check_failure(
    data: &Data,
    disk: &SimulatedDisk,
    outcome: &Outcome,
    (step, fault): (Step, Fault),
) -> Result<(), String> {
    let (found, has_failed) = (file(disk), disk.failures() > 0);
    let (is_old, is_new) = (found.as_deref() == Some(OLD), found.as_ref() == Some(&data.file));
    // What large values were kept in stays until the next save, whose name nobody takes for a data file.
    if fault == Fault::Short || !has_failed || step == Step::Remove {
        return match outcome {
            Ok(bytes) if is_new && *bytes == data.file.len() as u64 => Ok(()),
            _ => Err(format!("{outcome:?}, and it should be there")),
        };
    }
    let Err(reason) = outcome else { return Err("nobody has noticed".to_owned()) };
    let words = if fault == Fault::Error(EIO) { "Input/output error" } else { "No space left on device" };
    if !reason.contains(words) || !reason.contains(DIRECTORY) {
        return Err(format!("that does not say what has happened where: {reason}"));
    }
    // Only the directory was not synced: the file is there, and may be gone after a crash.
    let is_right = if step == Step::SyncDirectory { is_new } else { is_old };
    if !is_right {
        return Err("the old file should be there".to_owned());
    }
    if disk.names() != [Path::new(DIRECTORY), Path::new(FILE)] {
        return Err(format!("something is left: {:?}", disk.names()));
    }
    let is_whole = |found: Option<Vec<u8>>| found.is_some_and(|file| file == OLD || file == data.file);
    match crashes(disk, 10).find(|(_, disk)| !is_whole(file(disk))) {
        Some((how, _)) => Err(format!("after a crash the file is not whole ({how})")),
        None => Ok(()),
    }
}

#[test]
fn a_fault_at_any_step_is_told_and_leaves_the_old_file() {
    in_time(|| (10..12).for_each(|seed| fail_everywhere(&mut Data::new(seed), None).unwrap()));
}

/// Many saves of two states, while steps go wrong at random; and now and then the power goes.
#[test]
fn faults_at_random_harm_no_file_that_was_acknowledged() {
    let counts = in_time(|| {
        let mut random = Random::from_seed(20);
        let mut states = [Data::new(21), Data::new(22)];
        let rates = Rates { eio: 1, enospc: 1, short: 5 };
        let mut disk = new_disk(23);
        let (mut kept, mut good, mut bad, mut crashed) = (None::<usize>, 0, 0, 0);
        for round in 0..300 {
            disk.fail_at_random(rates);
            if random.below(5) == 0 {
                disk.crash_at(disk.steps() + random.below(states[round % 2].steps));
            }
            let data = &mut states[round % 2];
            let outcome = data.save(&disk);
            if disk.has_crashed() {
                disk = disk.after_crash(Loss::Some, random.next_u64());
                crashed += 1;
            }
            let found = file(&disk).map(|file| states.iter().position(|data| data.file == file));
            let new = Some(round % 2);
            match found {
                Some(found) if found == new => {}
                Some(found) if found == kept && found.is_some() && outcome.is_err() => {}
                None if kept.is_none() && outcome.is_err() => {}
                _ => panic!("round {round}: {outcome:?}, found {found:?}, there was {kept:?}"),
            }
            kept = found.flatten();
            *(if outcome.is_ok() { &mut good } else { &mut bad }) += 1;
        }
        disk.heal();
        states[0].save(&disk).expect("all is well again");
        [good, bad, crashed]
    });
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
}

/// Each mistake a writer could make is found by what is above.
#[test]
fn each_planted_mistake_is_found() {
    in_time(|| {
        let mut data = Data::new(30);
        for omission in Omission::ALL {
            let is_found = crash_everywhere(&mut data, Some(OLD), Some(omission)).is_err()
                || fail_everywhere(&mut data, Some(omission)).is_err();
            assert!(is_found, "{omission:?}");
        }
    });
}

#[test]
fn only_what_is_left_of_saves_is_removed() {
    let disk = new_disk(40);
    for name in ["data/temp-weft-1.rdb", "data/temp-1.rdb", "data/dump.rdb"] {
        disk.put(Path::new(name), b"x");
    }
    let busy = disk.create(Path::new("data/temp-weft-2.rdb")).expect("nothing is in the way");
    let removed = remove_abandoned(&disk, Path::new(DIRECTORY)).expect("it can be read");
    assert_eq!(removed, [Path::new("temp-weft-1.rdb")]);
    assert_eq!(disk.list(Path::new(DIRECTORY)).expect("it can be read").len(), 3);
    drop(busy);
}
