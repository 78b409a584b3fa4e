//! The thread that carries what is written to disk.
//!
//! A large value whose length is not known has no place in the file before it is done. Until then what its shard does not keep goes into a
//! files of its own (a *spool*), from which it is copied to its place, piece by piece while there is nothing else to do. They are several so that only
//! a part of a huge value is in memory while it is copied.

use crate::save::{OnEnd, Outcome, Shared, remove_abandoned};
use disk::{Disk, NewFile, directory_of};
use runtime::spawn_thread;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

/// What there is to do.
pub(crate) enum Job {
    /// Whole blocks.
    Write { offset: u64, bytes: Vec<u8> },
    /// Blocks of a chunk whose place is not known yet.
    Spool { spool: u64, bytes: Vec<u8> },
    /// What was spooled, and these bytes behind it, belong at an offset.
    Place { spool: u64, offset: u64, bytes: Vec<u8> },
    /// Everything has come, or the save has failed.
    End,
}

/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 1 << 20;
/// A file of a spool takes at least so many bytes, and at least one part in so many of what was spooled before.
const PART_BYTES: u64 = 16 << 20;
const PART_SHARE: u64 = 64;

/// Makes the file, and a thread that does what comes until the end.
///
/// # Errors
/// When either cannot be.
pub(crate) fn start<D: Disk>(
    disk: D,
    shared: Arc<Shared>,
    inbox: Receiver<Job>,
    on_end: OnEnd,
) -> io::Result<()> {
    let file = NewFile::create(disk.clone(), shared.temporary.clone())?;
    let run = move || {
        // What others have left takes room that may be needed.
        let _ = remove_abandoned(&disk, directory_of(&shared.temporary));
        let mut thread = WriterThread {
            disk,
            shared: Arc::clone(&shared),
            file,
            spools: HashMap::new(),
            placing: VecDeque::new(),
        };
        while let Some(job) = thread.next(&inbox) {
            if !thread.run(job) {
                break;
            }
        }
        let outcome = thread.end();
        on_end(&outcome);
        shared.end(outcome);
    };
    spawn_thread("save".to_owned(), run).map(drop)
}

struct WriterThread<D: Disk> {
    disk: D,
    shared: Arc<Shared>,
    file: NewFile<D>,
    spools: HashMap<u64, Spool<D>>,
    placing: VecDeque<Placing<D>>,
}

/// Blocks whose place is not known.
struct Spool<D: Disk> {
    parts: Vec<Part<D>>,
    bytes: u64,
}

/// A file of them. It is removed when it is dropped.
struct Part<D: Disk> {
    file: NewFile<D>,
    path: PathBuf,
    bytes: u64,
}

/// A part on its way to its place.
struct Placing<D: Disk> {
    part: Part<D>,
    /// As soon as it is its turn.
    content: Option<D::Map>,
    offset: u64,
    copied: usize,
}

impl<D: Disk> Placing<D> {
    fn is_done(&self) -> bool {
        self.copied as u64 == self.part.bytes
    }
}

impl<D: Disk> WriterThread<D> {
    /// What comes next; meanwhile what was spooled is copied.
    fn next(&mut self, inbox: &Receiver<Job>) -> Option<Job> {
        while !self.placing.is_empty() {
            match inbox.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Empty) => self.copy_piece(),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        inbox.recv().ok()
    }

    /// Whether there is more to come.
    fn run(&mut self, job: Job) -> bool {
        let (bytes, done) = match job {
            Job::End => return false,
            Job::Write { offset, bytes } => {
                let done = self.unless_failed(|thread| thread.file.write(offset, &bytes));
                (bytes.len(), done)
            }
            Job::Spool { spool, bytes } => {
                (bytes.len(), self.unless_failed(|thread| thread.spool(spool, &bytes)))
            }
            Job::Place { spool, offset, bytes } => {
                (bytes.len(), self.unless_failed(|thread| thread.place(spool, offset, &bytes)))
            }
        };
        if let Err(failure) = done {
            self.shared.fail(failure);
        }
        self.shared.moved(bytes);
        true
    }

    fn unless_failed(&mut self, act: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<(), String> {
        if self.shared.failure().is_none() { act(self) } else { Ok(()) }
    }

    fn spool(&mut self, number: u64, bytes: &[u8]) -> Result<(), String> {
        let spool = self.spools.entry(number).or_insert_with(|| Spool { parts: Vec::new(), bytes: 0 });
        let part_bytes = PART_BYTES.max(spool.bytes / PART_SHARE);
        if spool.parts.last().is_none_or(|part| part.bytes >= part_bytes) {
            let path = self.shared.spool_path();
            let file = NewFile::create(self.disk.clone(), path.clone())
                .map_err(|error| format!("making {}: {}", path.display(), disk::reason(&error)))?;
            spool.parts.push(Part { file, path, bytes: 0 });
        }
        let part = spool.parts.last_mut().expect("there is one now");
        part.file.write(part.bytes, bytes)?;
        part.bytes += bytes.len() as u64;
        spool.bytes += bytes.len() as u64;
        Ok(())
    }

    fn place(&mut self, number: u64, mut offset: u64, bytes: &[u8]) -> Result<(), String> {
        let spool = self.spools.remove(&number).expect("something was spooled");
        self.file.write(offset + spool.bytes, bytes)?;
        for part in spool.parts {
            let next = offset + part.bytes;
            self.placing.push_back(Placing { part, content: None, offset, copied: 0 });
            offset = next;
        }
        Ok(())
    }

    /// Copies a piece of what was spooled to its place.
    fn copy_piece(&mut self) {
        let Some(mut placing) = self.placing.pop_front() else { return };
        match self.unless_failed(|thread| thread.copy_of(&mut placing)) {
            Err(failure) => self.shared.fail(failure),
            Ok(()) if self.shared.failure().is_none() && !placing.is_done() => {
                self.placing.push_front(placing);
            }
            Ok(()) => {}
        }
    }

    fn copy_of(&mut self, placing: &mut Placing<D>) -> Result<(), String> {
        let path = placing.part.path.display();
        if placing.content.is_none() {
            let content = self.disk.map(&placing.part.path);
            let content = content.map_err(|error| format!("reading {path}: {}", disk::reason(&error)))?;
            if content.len() as u64 != placing.part.bytes {
                return Err(format!("reading {path}: it has {} bytes", content.len()));
            }
            placing.content = Some(content);
        }
        let rest = &placing.content.as_ref().expect("it is there now")[placing.copied..];
        let piece = &rest[..rest.len().min(PIECE_BYTES)];
        self.file.write(placing.offset + placing.copied as u64, piece)?;
        placing.copied += piece.len();
        Ok(())
    }

    /// Completes the file and puts it in the place of the old one.
    fn end(mut self) -> Outcome {
        while !self.placing.is_empty() {
            self.copy_piece();
        }
        let Self { shared, mut file, .. } = self;
        if let Some(failure) = shared.failure() {
            return Err(failure);
        }
        let ending = shared.take_plan().ok_or("it has ended before")?.finish();
        if ending.is_head_new {
            file.write(0, &ending.head)?;
        }
        file.write(ending.tail_offset, &ending.tail)?;
        file.replace(&shared.target.path)?;
        Ok(ending.tail_offset + ending.tail.len() as u64)
    }
}
