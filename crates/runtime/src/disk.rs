//! The system's disk.
//!
//! Whole blocks of a new file are written past the page cache (O_DIRECT) where the file system allows it: they push out nothing that others
//! have cached, and the end does not wait for all of them. For that they are copied into memory that is aligned.

use crate::{FileMap, side_by_side};
use disk::{Disk, DiskFile, Synced};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The unit of writes past the page cache, bytes.
const BLOCK_BYTES: usize = 4096;
/// Bytes that are written past it at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Files as the system has them.
#[derive(Clone, Copy, Debug)]
pub struct SystemDisk;

/// A file that is open for writing.
pub struct SystemFile {
    file: File,
    /// Past the page cache, if possible.
    direct: Option<Direct>,
}

/// A file once more, for whole blocks.
struct Direct {
    file: File,
    room: Room,
}

/// Memory that begins at a multiple of the size of a block.
struct Room {
    bytes: Vec<u8>,
    start: usize,
}

impl Room {
    fn new() -> Self {
        let bytes = vec![0; PIECE_BYTES + BLOCK_BYTES];
        let start = bytes.as_ptr().align_offset(BLOCK_BYTES);
        Self { bytes, start }
    }

    /// A copy of bytes, no more than [`PIECE_BYTES`].
    fn copy_of(&mut self, bytes: &[u8]) -> &[u8] {
        let room = &mut self.bytes[self.start..self.start + bytes.len()];
        room.copy_from_slice(bytes);
        room
    }
}

fn to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path)
}

/// A file that nobody else writes. The lock ends with the file, or with the process.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = to_write(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
            // Where there are no locks, one does without.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Somebody may have taken it for abandoned before it was locked.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

impl Disk for SystemDisk {
    type File = SystemFile;
    type Map = FileMap;

    fn create(&self, path: &Path) -> io::Result<SystemFile> {
        let file = locked(path)?;
        file.set_len(0)?;
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path).ok();
        Ok(SystemFile { file, direct: direct.map(|file| Direct { file, room: Room::new() }) })
    }

    fn open(&self, path: &Path) -> io::Result<SystemFile> {
        Ok(SystemFile { file: to_write(path)?, direct: None })
    }

    fn map(&self, path: &Path) -> io::Result<FileMap> {
        FileMap::open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_abandoned(&self, path: &Path) -> io::Result<bool> {
        let file = OpenOptions::new().write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => fs::remove_file(path).map(|()| true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name().into())).collect()
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn sync_each(&self, files: &mut [Synced<SystemFile>]) {
        side_by_side::sync_each(files);
    }
}

impl SystemFile {
    /// For writes through the page cache.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl DiskFile for SystemFile {
    fn again(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, direct: None })
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn write_some_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        let is_whole = offset.is_multiple_of(BLOCK_BYTES as u64) && piece.len().is_multiple_of(BLOCK_BYTES);
        if let (Some(direct), true) = (&mut self.direct, is_whole) {
            match direct.file.write_at(direct.room.copy_of(piece), offset) {
                // The file system refuses what it let us open, as some do.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.direct = None,
                result => return result,
            }
        }
        self.file.write_at(bytes, offset)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use disk::NewFile;

    /// A directory of the test's own.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("weft-disk-{name}-{}", std::process::id()));
            SystemDisk.make_directory(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_written_in_blocks_and_parts_of_them_is_what_is_read() {
        let place = Place::new("blocks");
        let (old, new) = (place.0.join("old"), place.0.join("new"));
        fs::write(&old, "old").unwrap();
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 5000).map(|at| (at / 7) as u8).collect();
        let mut file = NewFile::create(SystemDisk, new.clone()).unwrap();
        // Out of order, at offsets of all kinds.
        for range in
            [PIECE_BYTES..bytes.len() - 5000, 100..PIECE_BYTES, 0..100, bytes.len() - 5000..bytes.len()]
        {
            file.write(range.start as u64, &bytes[range]).unwrap();
        }
        assert_eq!(fs::read(&old).unwrap(), b"old");
        file.replace(&old).unwrap();
        assert!(*SystemDisk.map(&old).unwrap() == bytes[..]);
        assert_eq!(SystemDisk.list(&place.0).unwrap(), [PathBuf::from("old")]);
    }

    #[test]
    fn a_file_that_is_being_written_is_not_abandoned() {
        let place = Place::new("locks");
        let path = place.0.join("temp");
        let file = SystemDisk.create(&path).unwrap();
        assert!(!SystemDisk.remove_abandoned(&path).unwrap());
        assert!(SystemDisk.create(&path).is_err(), "somebody else writes it");
        drop(file);
        assert!(SystemDisk.remove_abandoned(&path).unwrap());
        assert!(SystemDisk.remove_abandoned(&path).is_err(), "there is none");
    }

    #[test]
    fn what_is_opened_is_written_on() {
        let place = Place::new("open");
        let path = place.0.join("file");
        for word in ["one", "two"] {
            let mut file = SystemDisk.open(&path).unwrap();
            let len = file.len().unwrap();
            file.write_at(len, word.as_bytes()).unwrap();
            file.sync_data().unwrap();
        }
        let mut file = SystemDisk.open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
        file.set_len(2).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"on");
        SystemDisk.sync_directory(&place.0).unwrap();
    }
}
