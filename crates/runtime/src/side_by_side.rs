//! Several files written and synced at the same time: through a ring of the thread's own, each write with its sync behind it.
//!
//! A sync takes as long as the disk does. One file after the other, the last would wait for all before it.

use crate::disk::SystemFile;
use ::disk::{DiskFile, Part};
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode, squeue};
use std::cell::RefCell;
use std::io::{self, ErrorKind};

/// Files at a time.
const FILES_MAX: usize = 64;

thread_local! {
    /// Made when it is first needed; `None` inside if the system refuses it.
    static RING: RefCell<Option<Option<IoUring>>> = const { RefCell::new(None) };
}

/// What has become of a write and of its sync: the system's results, if they have come.
#[derive(Clone, Copy, Default)]
struct Results {
    write: Option<i32>,
    sync: Option<i32>,
}

/// Writes and syncs each part; those of which several can be under way are.
pub(crate) fn write_and_sync(parts: &mut [Part<'_, SystemFile>]) {
    RING.with_borrow_mut(|ring| {
        let ring = ring.get_or_insert_with(|| match parts.len() {
            // One needs none.
            0 | 1 => None,
            _ => IoUring::new(2 * FILES_MAX as u32).ok(),
        });
        for some in parts.chunks_mut(FILES_MAX) {
            match ring {
                Some(ring) if some.len() > 1 => write_at_once(ring, some),
                _ => some.iter_mut().for_each(|part| part.outcome = rest(part, 0)),
            }
        }
    });
}

/// Writes what is missing behind the first bytes, and syncs.
fn rest(part: &mut Part<'_, SystemFile>, written: usize) -> io::Result<()> {
    part.file.write_at(part.offset + written as u64, &part.bytes[written..])?;
    part.file.sync_data()
}

fn write_at_once(ring: &mut IoUring, parts: &mut [Part<'_, SystemFile>]) {
    let mut results = vec![Results::default(); parts.len()];
    for (index, part) in parts.iter().enumerate() {
        let fd = Fd(part.file.descriptor());
        let len = u32::try_from(part.bytes.len()).unwrap_or(u32::MAX);
        let number = 2 * index as u64;
        let write = opcode::Write::new(fd, part.bytes.as_ptr(), len).offset(part.offset).build();
        let sync = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build();
        let pair = [write.flags(squeue::Flags::IO_LINK).user_data(number), sync.user_data(number + 1)];
        // SAFETY: the bytes and the files are borrowed until this function returns, which it does only when the system has told of the
        // end of each request. There is room for two entries of each file, for the queue is empty when this begins.
        unsafe { ring.submission().push_multiple(&pair).expect("there is room for all") };
    }
    let mut missing = 2 * parts.len();
    while missing > 0 {
        match ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ResourceBusy) => {}
            // Requests are under way that use memory of ours: to go on would be worse.
            Err(error) => panic!("a ring that has been used before fails: {error}"),
        }
        for entry in ring.completion() {
            let result = &mut results[entry.user_data() as usize / 2];
            let is_sync = entry.user_data() % 2 == 1;
            *(if is_sync { &mut result.sync } else { &mut result.write }) = Some(entry.result());
            missing -= 1;
        }
    }
    for (part, results) in parts.iter_mut().zip(results) {
        part.outcome = outcome(part, results);
    }
}

/// What has become of one file; what the system has left undone is done now.
fn outcome(part: &mut Part<'_, SystemFile>, results: Results) -> io::Result<()> {
    let (write, sync) = (results.write.expect("it has come"), results.sync.expect("it has come"));
    match usize::try_from(write) {
        Err(_) if -write == libc::EINTR || -write == libc::EAGAIN => rest(part, 0),
        Err(_) => Err(io::Error::from_raw_os_error(-write)),
        // Some of it: the sync was not begun.
        Ok(written) if written < part.bytes.len() => rest(part, written),
        Ok(_) if sync < 0 => Err(io::Error::from_raw_os_error(-sync)),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemDisk;
    use ::disk::Disk;
    use std::fs;

    #[test]
    fn each_file_gets_its_bytes_and_an_outcome_of_its_own() {
        let place = std::env::temp_dir().join(format!("weft-side-by-side-{}", std::process::id()));
        SystemDisk.make_directory(&place).unwrap();
        for count in [1, 2, 5, FILES_MAX + 3] {
            let path = |index: usize| place.join(format!("{count}-{index}"));
            let mut files: Vec<_> = (0..count).map(|index| SystemDisk.open(&path(index)).unwrap()).collect();
            let texts: Vec<Vec<u8>> = (0..count).map(|index| vec![index as u8; 3000 * index + 1]).collect();
            for offset in [0, 7] {
                let mut parts: Vec<_> = files
                    .iter_mut()
                    .zip(&texts)
                    .map(|(file, bytes)| Part { file, offset, bytes, outcome: Err(ErrorKind::Other.into()) })
                    .collect();
                write_and_sync(&mut parts);
                assert!(parts.iter().all(|part| part.outcome.is_ok()));
            }
            for (index, text) in texts.iter().enumerate() {
                let found = fs::read(path(index)).unwrap();
                assert_eq!(found[7..], text[..], "{count} {index}");
            }
        }
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_disk_that_is_full_says_so() {
        let Ok(mut full) = SystemDisk.open("/dev/full".as_ref()) else { return };
        let path = std::env::temp_dir().join(format!("weft-beside-full-{}", std::process::id()));
        let mut good = SystemDisk.open(&path).unwrap();
        let part = |file| Part { file, offset: 0, bytes: b"text", outcome: Ok(()) };
        let mut parts = [part(&mut full), part(&mut good)];
        write_and_sync(&mut parts);
        let [bad, good] = parts;
        assert_eq!(bad.outcome.unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(good.outcome.is_ok());
        fs::remove_file(path).unwrap();
    }
}
