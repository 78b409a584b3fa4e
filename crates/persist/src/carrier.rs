//! The thread that carries what is written to disk.

use crate::save::{OnEnd, Outcome, Shared, remove_abandoned};
use disk::{Disk, NewFile, directory_of};
use runtime::spawn_thread;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What there is to do.
pub(crate) enum Job {
    /// Whole blocks.
    Write { offset: u64, bytes: Vec<u8> },
    /// Everything has come, or the save has failed.
    End,
}

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
    let mut file = NewFile::create(disk.clone(), shared.temporary.clone())?;
    let run = move || {
        // What others have left takes room that may be needed.
        let _ = remove_abandoned(&disk, directory_of(&shared.temporary));
        while let Ok(Job::Write { offset, bytes }) = inbox.recv() {
            if shared.failure().is_none()
                && let Err(failure) = file.write(offset, &bytes)
            {
                shared.fail(failure);
            }
            shared.moved(bytes.len());
        }
        let outcome = end(&shared, file);
        on_end(&outcome);
        shared.end(outcome);
    };
    spawn_thread("save".to_owned(), run).map(drop)
}

/// Completes the file and puts it in the place of the old one.
fn end<D: Disk>(shared: &Shared, mut file: NewFile<D>) -> Outcome {
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
