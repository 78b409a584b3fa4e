//! A file that is written under another name and takes the place of an old one when all of it is on disk.

use crate::{Disk, DiskFile, directory_of, reason};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A file on its way. One that is dropped before it has replaced another is removed.
pub struct NewFile<D: Disk> {
    disk: D,
    path: PathBuf,
    file: D::File,
    is_placed: bool,
}

/// An error that says what was being done with which file.
fn naming(doing: impl Display, path: &Path, error: &io::Error) -> String {
    format!("{doing} {}: {}", path.display(), reason(error))
}

impl<D: Disk> NewFile<D> {
    /// # Errors
    /// When it cannot be made.
    pub fn create(disk: D, path: PathBuf) -> io::Result<Self> {
        let file = disk.create(&path)?;
        Ok(Self { disk, path, file, is_placed: false })
    }

    /// Writes bytes at an offset.
    ///
    /// # Errors
    /// What could not be written where, and why.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), String> {
        let mut at = offset;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.file.write_at(at, piece).map_err(|error| {
                naming(format_args!("writing {} bytes at offset {at} of", piece.len()), &self.path, &error)
            })?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Puts the file in the place of another, once all of it is on disk.
    ///
    /// # Errors
    /// What could not be done, and why; what was there before is there still, unless only the directory could not be synced.
    pub fn replace(self, path: &Path) -> Result<(), String> {
        let (disk, directory) = (self.disk.clone(), directory_of(path));
        self.place(path)?;
        disk.sync_directory(directory).map_err(|error| naming("syncing the directory", directory, &error))
    }

    /// As [`NewFile::replace`], but a crash may bring back what was there before until the directory has been synced.
    ///
    /// # Errors
    /// What could not be done, and why; what was there before is there still.
    pub fn place(mut self, path: &Path) -> Result<(), String> {
        self.file.sync_all().map_err(|error| naming("syncing", &self.path, &error))?;
        self.disk.rename(&self.path, path).map_err(|error| naming("replacing", path, &error))?;
        self.is_placed = true;
        Ok(())
    }
}

impl<D: Disk> Drop for NewFile<D> {
    fn drop(&mut self) {
        if !self.is_placed {
            // It is of no use; and if it stays, nobody takes it for the real one.
            let _ = self.disk.remove(&self.path);
        }
    }
}
