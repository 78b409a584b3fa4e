//! The disk keeps its promises, and no more than these.

use super::*;
use crate::NewFile;
use std::collections::BTreeSet;

const OLD: &str = "data/file";

fn disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.make_directory(Path::new("data")).unwrap();
    disk.sync_directory(Path::new(".")).unwrap();
    disk
}

fn read(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
    disk.map(Path::new(path)).ok()
}

#[test]
fn what_was_synced_is_there_and_of_the_rest_anything() {
    let disk = disk(1);
    let mut file = disk.open(Path::new(OLD)).unwrap();
    file.write_at(0, &[1; 1024]).unwrap();
    file.sync_data().unwrap();
    let mut seen = BTreeSet::new();
    let outcomes = |disk: &SimulatedDisk| -> BTreeSet<Option<Vec<u8>>> {
        (0..300).map(|seed| read(&disk.after_crash(Loss::Some, seed), OLD)).collect()
    };
    // The name is a matter of the directory.
    assert_eq!(outcomes(&disk), [None, Some(vec![1; 1024])].into());
    disk.sync_directory(Path::new("data")).unwrap();
    assert_eq!(outcomes(&disk), [Some(vec![1; 1024])].into());
    file.write_at(512, &[2; 1024]).unwrap();
    file.write_at(2000, &[3]).unwrap();
    for outcome in outcomes(&disk) {
        let bytes = outcome.unwrap();
        assert!(bytes[..512] == [1; 512] && (1024..=2001).contains(&bytes.len()));
        seen.insert((bytes[512], bytes.get(1024).copied(), bytes.get(2000).copied()));
    }
    // Torn, in any order.
    for combination in [(1, None, None), (1, Some(2), None), (2, Some(0), Some(3)), (1, Some(0), Some(3))] {
        assert!(seen.contains(&combination), "{combination:?} of {seen:?}");
    }
    assert_eq!(read(&disk.after_crash(Loss::Everything, 0), OLD), Some(vec![1; 1024]));
    assert_eq!(read(&disk.after_crash(Loss::Nothing, 0), OLD).map(|bytes| bytes.len()), Some(2001));
}

#[test]
fn what_a_sync_has_failed_to_keep_may_be_gone_though_the_next_succeeds() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let disk = disk(seed);
        let mut file = disk.open(Path::new(OLD)).unwrap();
        disk.sync_directory(Path::new("data")).unwrap();
        file.write_at(0, &[1; 512]).unwrap();
        disk.fail_nth(Step::Sync, 0, Fault::Error(EIO), false);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(EIO));
        file.sync_data().unwrap();
        assert_eq!(read(&disk, OLD), Some(vec![1; 512]), "who reads sees it");
        outcomes.insert(read(&disk.after_crash(Loss::Everything, 0), OLD).map(|bytes| bytes.len()));
    }
    assert!(outcomes.contains(&Some(0)) && outcomes.contains(&Some(512)), "{outcomes:?}");
}

#[test]
fn a_step_that_fails_is_the_one_that_was_chosen() {
    for step in [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncDirectory] {
        let disk = disk(3);
        disk.put(Path::new(OLD), b"old");
        disk.fail_nth(step, 0, Fault::Error(ENOSPC), false);
        let new = || -> Result<(), String> {
            let file = NewFile::create(disk.clone(), "data/new".into()).map_err(|error| error.to_string())?;
            let mut file = file;
            file.write(0, b"new")?;
            file.replace(Path::new(OLD))
        };
        let error = new().unwrap_err();
        assert!(error.contains("No space left on device"), "{error}");
        let is_placed = step == Step::SyncDirectory;
        assert_eq!(
            read(&disk, OLD).as_deref(),
            Some(if is_placed { &b"new"[..] } else { b"old" }),
            "{step:?}"
        );
        assert_eq!(disk.names(), [Path::new("data"), Path::new(OLD)], "{step:?}");
        assert_eq!(disk.failures(), 1);
        new().unwrap();
        assert_eq!(read(&disk.after_crash(Loss::Everything, 0), OLD), Some(b"new".to_vec()));
    }
}

#[test]
fn short_writes_are_gone_on_with() {
    let disk = disk(4);
    disk.fail_at_random(Rates { short: 90, ..Rates::default() });
    let bytes: Vec<u8> = (0..10_000).map(|at| (at % 251) as u8).collect();
    disk.open(Path::new(OLD)).unwrap().write_at(7, &bytes).unwrap();
    assert!(read(&disk, OLD).unwrap()[7..] == bytes);
    assert!(disk.failures() > 1, "{}", disk.failures());
}

#[test]
fn without_power_nothing_works_and_what_was_before_is_there() {
    let disk = disk(5);
    let begun = disk.steps();
    let mut file = disk.open(Path::new(OLD)).unwrap();
    disk.crash_at(begun + 2);
    file.write_at(0, b"one").unwrap();
    assert!(disk.has_crashed() && file.sync_data().is_err() && disk.map(Path::new(OLD)).is_err());
    assert!(disk.remove(Path::new(OLD)).is_err() && disk.sync_directory(Path::new("data")).is_err());
    let after = disk.after_crash(Loss::Nothing, 0);
    assert_eq!(read(&after, OLD), Some(b"one".to_vec()));
    assert_eq!(read(&after.after_crash(Loss::Everything, 0), OLD), None, "that synced nothing");
    after.remove(Path::new(OLD)).unwrap();
}

#[test]
fn who_is_gone_has_abandoned_what_it_was_writing() {
    let disk = disk(6);
    let file = disk.create(Path::new(OLD)).unwrap();
    assert!(disk.create(Path::new(OLD)).is_err() && !disk.remove_abandoned(Path::new(OLD)).unwrap());
    let after = disk.after_crash(Loss::Nothing, 0);
    assert!(after.remove_abandoned(Path::new(OLD)).unwrap());
    drop(file);
    assert!(disk.remove_abandoned(Path::new(OLD)).unwrap());
}

#[test]
fn a_directory_that_was_not_synced_takes_what_is_in_it_along() {
    let disk = SimulatedDisk::new(7);
    disk.make_directory(Path::new("data")).unwrap();
    disk.put(Path::new(OLD), b"x");
    disk.sync_directory(Path::new("data")).unwrap();
    assert_eq!(disk.after_crash(Loss::Everything, 0).names(), Vec::<PathBuf>::new());
    disk.sync_directory(Path::new(".")).unwrap();
    assert_eq!(disk.after_crash(Loss::Everything, 0).names().len(), 2);
}

#[test]
fn a_full_disk_takes_what_it_has_room_for() {
    let disk = disk(1);
    let mut file = disk.open(Path::new(OLD)).unwrap();
    disk.limit_files(10);
    assert_eq!(file.write_some_at(0, &[1; 12]).unwrap(), 10);
    assert_eq!(file.write_at(8, &[2; 3]).unwrap_err().raw_os_error(), Some(ENOSPC));
    assert_eq!(file.write_some_at(8, &[3; 2]).unwrap(), 2);
    assert_eq!(read(&disk, OLD), Some([[1; 8].to_vec(), vec![3; 2]].concat()));
    disk.heal();
    file.write_at(8, &[4; 3]).unwrap();
    assert_eq!(file.len().unwrap(), 11);
}
