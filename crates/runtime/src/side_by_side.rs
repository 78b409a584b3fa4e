//! Several files synced at the same time: one by the thread that asks, the others through a ring of its own.
//!
//! A sync takes as long as the disk does. One file after the other, the last would wait for all before it.

use crate::disk::SystemFile;
use ::disk::{DiskFile, Synced};
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode};
use std::cell::RefCell;
use std::io::{self, ErrorKind};

/// Files at a time.
const FILES_MAX: usize = 64;

thread_local! {
    /// Made when it is first needed; `None` inside if the system refuses it.
    static RING: RefCell<Option<Option<IoUring>>> = const { RefCell::new(None) };
}

/// Syncs each file; those of which several can be under way are.
pub(crate) fn sync_each(files: &mut [Synced<SystemFile>]) {
    if let [synced] = files {
        // One needs no ring.
        synced.outcome = synced.file.sync_data();
        return;
    }
    RING.with_borrow_mut(|ring| {
        let ring = ring.get_or_insert_with(|| IoUring::new(FILES_MAX as u32).ok());
        for some in files.chunks_mut(FILES_MAX) {
            match ring {
                Some(ring) if some.len() > 1 => sync_at_once(ring, some),
                _ => some.iter_mut().for_each(|synced| synced.outcome = synced.file.sync_data()),
            }
        }
    });
}

fn sync_at_once(ring: &mut IoUring, files: &mut [Synced<SystemFile>]) {
    let (first, others) = files.split_first_mut().expect("there are several");
    for (index, synced) in others.iter().enumerate() {
        let fd = Fd(synced.file.descriptor());
        let sync = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build().user_data(index as u64);
        // SAFETY: no memory belongs to the request, and the file is borrowed until this function returns, which it does only when the
        // system has told of the end of each. There is room for one entry of each file, for the queue is empty when this begins.
        unsafe { ring.submission().push(&sync).expect("there is room for all") };
    }
    enter(ring, 0);
    first.outcome = first.file.sync_data();
    let mut missing = others.len();
    while missing > 0 {
        enter(ring, 1);
        for entry in ring.completion() {
            let synced = &mut others[entry.user_data() as usize];
            synced.outcome = match entry.result() {
                0.. => Ok(()),
                result if -result == libc::EINTR || -result == libc::EAGAIN => synced.file.sync_data(),
                result => Err(io::Error::from_raw_os_error(-result)),
            };
            missing -= 1;
        }
    }
}

/// Submits what is in the queue and waits for so many completions, or for none if something has come in between.
fn enter(ring: &IoUring, wanted: usize) {
    if let Err(error) = ring.submit_and_wait(wanted) {
        // Requests are under way of which nobody would learn any more whether they succeed.
        let is_passing = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ResourceBusy);
        assert!(is_passing, "a ring that has been used before fails: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemDisk;
    use ::disk::Disk;
    use std::fs;

    #[test]
    fn each_file_has_an_outcome_of_its_own() {
        let place = std::env::temp_dir().join(format!("weft-side-by-side-{}", std::process::id()));
        SystemDisk.make_directory(&place).unwrap();
        for count in [1, 2, 5, FILES_MAX + 3] {
            let path = |index: usize| place.join(format!("{count}-{index}"));
            let mut files: Vec<_> = (0..count).map(|index| SystemDisk.open(&path(index)).unwrap()).collect();
            for round in 0..2 {
                files.iter_mut().for_each(|file| file.write_at(round, b"text").unwrap());
                let undone = || Err(ErrorKind::Other.into());
                let again =
                    files.iter().map(|file| Synced { file: file.again().unwrap(), outcome: undone() });
                let mut again: Vec<_> = again.collect();
                sync_each(&mut again);
                assert!(again.iter().all(|synced| synced.outcome.is_ok()));
            }
            assert!((0..count).all(|index| fs::read(path(index)).unwrap() == b"ttext"));
        }
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn what_cannot_be_synced_says_so() {
        let path = std::env::temp_dir().join(format!("weft-beside-bad-{}", std::process::id()));
        let good = || SystemDisk.open(&path).unwrap();
        let Ok(bad) = SystemDisk.open("/dev/full".as_ref()) else { return };
        for bad_place in 0..3 {
            let mut files = vec![good(), good()];
            files.insert(bad_place, bad.again().unwrap());
            let mut files: Vec<_> = files.into_iter().map(|file| Synced { file, outcome: Ok(()) }).collect();
            sync_each(&mut files);
            for (place, synced) in files.iter().enumerate() {
                assert_eq!(synced.outcome.is_err(), place == bad_place, "{place} of {bad_place}");
            }
        }
        fs::remove_file(path).unwrap();
    }
}
