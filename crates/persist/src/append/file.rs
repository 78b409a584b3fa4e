//! A file that is appended to: rounds at its end, and room that is made ahead.

use disk::DiskFile;
use journal::round::{FILLER_END, Piece, Tail, fill};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// With `appendfsync always` so much is filled ahead of what is written, bytes: a file that grows makes each sync write the journal of
/// its file system, too.
const ROOM_BYTES: u64 = if cfg!(test) { 4 << 10 } else { 1 << 20 };

/// What could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Naming the file.
    pub doing: String,
    /// The system's words.
    pub reason: String,
    /// Nobody knows what of the data is on disk.
    pub is_of_sync: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.reason)
    }
}

pub(super) fn failure(doing: &str, path: &Path, error: &io::Error, is_of_sync: bool) -> Failure {
    Failure { doing: format!("{doing} {}", path.display()), reason: disk::reason(error), is_of_sync }
}

/// A file that is appended to.
pub(super) struct AppendFile<F> {
    pub path: PathBuf,
    pub file: F,
    /// The same, for syncs while it is written; `None` during one.
    pub again: Option<F>,
    pub tail: Tail,
    /// The length of the file, filler included.
    filled_bytes: u64,
    /// No room is made before the file is so long: there was none when it was tried.
    roomless_bytes: u64,
    /// Of the round at hand: what is to be written, and where.
    pub out: Vec<u8>,
    out_at: u64,
    pub is_unsynced: bool,
}

impl<F: DiskFile> AppendFile<F> {
    /// One whose content ends here, filler included.
    pub fn new(path: PathBuf, file: F, tail: Tail) -> io::Result<Self> {
        let again = Some(file.again()?);
        let (out, out_at) = (Vec::new(), 0);
        let (filled_bytes, roomless_bytes, is_unsynced) = (tail.bytes, 0, false);
        Ok(Self { path, file, again, tail, filled_bytes, roomless_bytes, out, out_at, is_unsynced })
    }

    /// What is to be appended for some commands.
    pub fn prepare(&mut self, pieces: &[Piece]) {
        debug_assert!(self.out.is_empty(), "it has been written");
        self.out_at = self.tail.bytes;
        self.tail.append(pieces, &mut self.out);
        if self.filled_bytes > self.tail.bytes {
            self.out.push(FILLER_END);
        }
    }

    /// Writes what is prepared. If that fails, nothing of it stays.
    pub fn write(&mut self, makes_room: bool) -> Result<(), Failure> {
        if let Err(error) = self.file.write_at(self.out_at, &self.out) {
            // Should that fail, too, what is there is cut off at the start; what was filled before stays.
            if self.file.set_len(self.out_at).is_ok() {
                self.out.truncate((self.tail.bytes - self.out_at) as usize);
                self.filled_bytes = self.out_at;
            }
            return Err(failure("writing to", &self.path, &error, false));
        }
        self.filled_bytes = self.filled_bytes.max(self.tail.bytes);
        self.is_unsynced = true;
        self.out.clear();
        if makes_room && self.filled_bytes == self.tail.bytes {
            self.make_room();
        }
        Ok(())
    }

    /// Fills ahead, where the room has come to its end. Nobody needs more than speed from it: a disk that has no room for it, but for what is written, is
    /// good enough, and is asked again later.
    fn make_room(&mut self) {
        if self.tail.bytes < self.roomless_bytes {
            return;
        }
        let end = (self.tail.bytes + ROOM_BYTES).next_multiple_of(4096);
        self.out.resize((end - self.tail.bytes) as usize, 0);
        fill(&mut self.out);
        let is_written = self.file.write_at(self.tail.bytes, &self.out).is_ok();
        self.out.clear();
        if !is_written {
            self.roomless_bytes = end;
        }
        if is_written || self.file.set_len(self.tail.bytes).is_err() {
            // What stays of it is passed over, however far it goes.
            self.filled_bytes = end;
        }
    }

    /// Cuts off what was filled ahead. What cannot be cut off is passed over when the file is read.
    pub fn cut_room(&mut self) {
        if self.filled_bytes > self.tail.bytes && self.file.set_len(self.tail.bytes).is_ok() {
            self.filled_bytes = self.tail.bytes;
        }
    }
}
