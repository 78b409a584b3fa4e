//! A file that is written under another name and takes the place of an old one when all of it is on disk.
//!
//! Whole blocks are written past the page cache (O_DIRECT) where the file system allows it: they push out nothing that others have
//! cached, and the end does not wait for all of them. For that they are copied into memory that is aligned.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The unit of writes past the page cache, bytes.
const BLOCK_BYTES: usize = 4096;
/// Bytes that are written at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A file on its way. One that is dropped before it has replaced another is removed.
pub struct NewFile {
    path: PathBuf,
    file: File,
    /// Past the page cache, if possible.
    direct: Option<File>,
    room: Room,
    is_placed: bool,
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

/// An error that says what was being done with which file.
fn naming(doing: impl std::fmt::Display, path: &Path, error: &io::Error) -> String {
    format!("{doing} {}: {}", path.display(), crate::reason(error))
}

impl NewFile {
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&path)?;
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(&path).ok();
        Ok(Self { path, file, direct, room: Room::new(), is_placed: false })
    }

    /// Writes bytes at an offset.
    ///
    /// # Errors
    /// What could not be written where, and why.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), String> {
        let mut at = offset;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.write_piece(at, piece).map_err(|error| {
                naming(format_args!("writing {} bytes at offset {at} of", piece.len()), &self.path, &error)
            })?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn write_piece(&mut self, offset: u64, piece: &[u8]) -> io::Result<()> {
        let is_whole = offset.is_multiple_of(BLOCK_BYTES as u64) && piece.len().is_multiple_of(BLOCK_BYTES);
        if let (Some(direct), true) = (&self.direct, is_whole) {
            match direct.write_all_at(self.room.copy_of(piece), offset) {
                // The file system refuses what it let us open, as some do.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.direct = None,
                result => return result,
            }
        }
        self.file.write_all_at(piece, offset)
    }

    /// Puts the file in the place of another, once all of it is on disk.
    ///
    /// # Errors
    /// What could not be done, and why; what was there before is there still, unless only the directory could not be synced.
    pub fn replace(mut self, path: &Path) -> Result<(), String> {
        self.file.sync_all().map_err(|error| naming("syncing", &self.path, &error))?;
        fs::rename(&self.path, path).map_err(|error| naming("replacing", path, &error))?;
        self.is_placed = true;
        let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| naming("syncing the directory", directory, &error))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_placed {
            // It is of no use; and if it stays, nobody takes it for the real one.
            let _ = fs::remove_file(&self.path);
        }
    }
}
