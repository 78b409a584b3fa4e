//! Files as the engine uses them, and what of them is there after a crash. Opens none: `runtime` has the system's disk.
//!
//! Whoever keeps data does so through [`Disk`] and [`DiskFile`], so that it can be tried on a disk that fails, lies or loses power
//! at any step. What may be relied on:
//!
//! - what was written is there after a crash only if a sync of the file has succeeded since; until then any part of it may be there,
//!   in any order, and so may the length;
//! - a name that was made, changed or removed is so after a crash only if a sync of its directory has succeeded since, whatever was synced
//!   of the file itself; until then each such change may have happened or not, but a rename is never half done;
//! - after a sync that has failed nothing is known of what was to be synced, and a later one that succeeds does not tell more.

#![forbid(unsafe_code)]

mod new_file;
pub mod simulated;

pub use new_file::NewFile;

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A place for files. A clone is the same place.
pub trait Disk: Clone + Send + Sync + 'static {
    type File: DiskFile;
    /// The bytes of a file.
    type Map: Deref<Target = [u8]> + Send + Sync;

    /// An empty file, instead of the one of that name, to be written once from the beginning to the end. As long as it is open,
    /// [`Disk::remove_abandoned`] leaves it alone.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else is writing it.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// A file to be written on, made if it is not there.
    ///
    /// # Errors
    /// When it can neither be opened nor made.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// All bytes of a file, to be read once from the beginning to the end.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    fn map(&self, path: &Path) -> io::Result<Self::Map>;

    /// Gives a file another name; what had that name is gone. Whoever looks finds the old file or the new one, never none.
    ///
    /// # Errors
    /// When the names are what they were before.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file one more name, in the same file system.
    ///
    /// # Errors
    /// When there is none, for instance because something has that name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a name away.
    ///
    /// # Errors
    /// When it is not there, or stays.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a file that was [made](Disk::create) by a process that is no more; whether it was that.
    ///
    /// # Errors
    /// When nobody can say, or it stays.
    fn remove_abandoned(&self, path: &Path) -> io::Result<bool>;

    /// The names of the files in a directory, in no order.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes a directory, if it is not there.
    ///
    /// # Errors
    /// When there is none afterwards.
    fn make_directory(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory are on disk as they are now.
    ///
    /// # Errors
    /// When that is not known.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// [Syncs the data](DiskFile::sync_data) of several files, no two of which are the same, side by side where the disk can. Each has an
    /// outcome of its own afterwards; only what says `Ok` is safe.
    fn sync_each(&self, files: &mut [Synced<Self::File>]) {
        for synced in files {
            synced.outcome = synced.file.sync_data();
        }
    }
}

/// One of several files that are to be synced, and what has become of that.
pub struct Synced<F> {
    pub file: F,
    pub outcome: io::Result<()>,
}

/// A file that is open for writing. Where it ends, its writer remembers: to append is to write there.
pub trait DiskFile: Send + Sized + 'static {
    /// The same file once more, to be synced on one thread while another writes to it. Such a sync takes in what was written before it began.
    ///
    /// # Errors
    /// When there may not be so many open files.
    fn again(&self) -> io::Result<Self>;

    /// Bytes.
    ///
    /// # Errors
    /// When nobody can say.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing in it.
    ///
    /// # Errors
    /// When nobody can say.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes some of the bytes, from the first on, at an offset; how many, at least one if there are any.
    ///
    /// # Errors
    /// When an unknown part of them, or none, has been written.
    fn write_some_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// When an unknown part of them, or none, has been written.
    fn write_at(&mut self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_some_at(offset, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    offset += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cuts the file off, or fills it up with zeros.
    ///
    /// # Errors
    /// When it is as long as it was.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;

    /// All that was written, and the length, are on disk.
    ///
    /// # Errors
    /// When that is not known; it never will be.
    fn sync_data(&mut self) -> io::Result<()>;

    /// As [`DiskFile::sync_data`], and what else is known of the file.
    ///
    /// # Errors
    /// When that is not known; it never will be.
    fn sync_all(&mut self) -> io::Result<()>;
}

/// The system's words for an error, without its number: `Address already in use`.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(at)) => text[..at].to_owned(),
        _ => text,
    }
}

/// The directory in which a file is.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
