//! The thread that carries what is written to disk.
//!
//! Chunks are written past the page cache (O_DIRECT) where the file system allows it, so that a snapshot does not push out what others
//! have cached, and the end does not wait for all of it. For that they are copied into memory that is aligned.

use crate::save::{OnEnd, Outcome, Shared};
use rdb::file::BLOCK_BYTES;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What there is to do.
pub(crate) enum Job {
    /// Whole blocks.
    Write { offset: u64, bytes: Vec<u8> },
    /// Everything has come, or the save has failed.
    End,
}

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 1 << 20;

pub(crate) struct Carrier {
    shared: Arc<Shared>,
    /// Past the page cache, if possible.
    direct: Option<File>,
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

/// An error that names the file.
fn naming(path: &Path, doing: &str, error: &io::Error) -> String {
    format!("{doing} {}: {error}", path.display())
}

impl Carrier {
    /// Makes the file.
    pub fn open(shared: Arc<Shared>) -> io::Result<Self> {
        let path = &shared.temporary;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path).ok();
        Ok(Self { direct, file, room: Room::new(), shared })
    }

    /// Does what comes, until the end.
    pub fn spawn(mut self, inbox: Receiver<Job>, on_end: OnEnd) -> io::Result<()> {
        let run = move || {
            while let Ok(Job::Write { offset, bytes }) = inbox.recv() {
                self.write(offset, &bytes);
                self.shared.moved(bytes.len());
            }
            let outcome = self.end();
            if outcome.is_err() {
                // Whatever there is of it is of no use; and if it stays, nobody takes it for the real one.
                let _ = fs::remove_file(&self.shared.temporary);
            }
            on_end(&outcome);
            self.shared.end(outcome);
        };
        std::thread::Builder::new().name("weft-save".to_owned()).spawn(run).map(drop)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        if self.shared.failure().is_some() {
            return;
        }
        let mut at = offset;
        for piece in bytes.chunks(PIECE_BYTES) {
            if let Err(error) = self.write_piece(at, piece) {
                let doing = format!("writing {} bytes at offset {at} of", piece.len());
                return self.shared.fail(naming(&self.shared.temporary, &doing, &error));
            }
            at += piece.len() as u64;
        }
    }

    fn write_piece(&mut self, offset: u64, piece: &[u8]) -> io::Result<()> {
        if let Some(direct) = &self.direct {
            match direct.write_all_at(self.room.copy_of(piece), offset) {
                // The file system refuses what it let us open, as some do.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.direct = None,
                result => return result,
            }
        }
        self.file.write_all_at(piece, offset)
    }

    /// Completes the file and puts it in the place of the old one.
    fn end(&mut self) -> Outcome {
        let shared = &self.shared;
        if let Some(failure) = shared.failure() {
            return Err(failure);
        }
        let ending = shared.take_plan().ok_or("it has ended before")?.finish();
        let (temporary, path) = (&shared.temporary, &shared.target.path);
        if ending.is_head_new {
            let written = self.file.write_all_at(&ending.head, 0);
            written.map_err(|error| naming(temporary, "writing the head of", &error))?;
        }
        let written = self.file.write_all_at(&ending.tail, ending.tail_offset);
        written.map_err(|error| naming(temporary, "writing the end of", &error))?;
        self.file.sync_all().map_err(|error| naming(temporary, "syncing", &error))?;
        fs::rename(temporary, path).map_err(|error| naming(path, "replacing", &error))?;
        let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| naming(directory, "syncing the directory", &error))?;
        Ok(ending.tail_offset + ending.tail.len() as u64)
    }
}
