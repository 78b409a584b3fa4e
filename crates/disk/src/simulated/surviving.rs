//! What is on the disk, what is still on its way there, and what of that a crash leaves.

use super::{Entry, State};
use crate::directory_of;
use base::random::Random;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a disk writes as a whole, bytes.
const SECTOR_BYTES: usize = 512;

/// What becomes of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is there, and not synced any more than before: only the process has ended.
    Nothing,
    /// It is gone.
    Everything,
    /// Anything: some of the changes, in part, and the later without the earlier.
    Some,
}

/// A change of a file's content.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

/// A file, whatever its name.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// As the disk has it.
    kept: Vec<u8>,
    /// As whoever reads sees it.
    seen: Vec<u8>,
    /// What lies between.
    changes: Vec<Change>,
    pub is_locked: bool,
}

/// A change of names: one goes, one comes, or both at once.
#[derive(Clone, Debug)]
pub struct NameChange {
    pub gone: Option<PathBuf>,
    pub new: Option<(PathBuf, Entry)>,
}

impl NameChange {
    pub fn apply(&self, names: &mut BTreeMap<PathBuf, Entry>) {
        if let Some(path) = &self.gone {
            names.remove(path);
        }
        if let Some((path, entry)) = &self.new {
            names.insert(path.clone(), *entry);
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        let paths = self.gone.iter().chain(self.new.iter().map(|(path, _)| path));
        paths.map(|path| directory_of(path)).any(|place| place == directory)
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(file, *offset, bytes),
            Self::SetLen(len) => file.resize(*len, 0),
        }
    }

    /// Applies what chance lets of it.
    fn apply_some(&self, file: &mut Vec<u8>, random: &mut Random) {
        let Self::Write { offset, bytes } = self else {
            return self.apply(file);
        };
        // Whether the file has grown to where the write ended, though not all of what was written is there.
        let len = offset + random.index(bytes.len() + 1);
        if random.below(2) == 0 && file.len() < len {
            file.resize(len, 0);
        }
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + SECTOR_BYTES - (offset + at) % SECTOR_BYTES);
            if random.below(2) == 0 {
                write(file, offset + at, &bytes[at..end]);
            }
            at = end;
        }
    }
}

impl Node {
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { kept: bytes.clone(), seen: bytes, ..Self::default() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.seen
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.change(Change::Write { offset, bytes: bytes.to_vec() });
        }
    }

    pub fn set_len(&mut self, len: usize) {
        self.change(Change::SetLen(len));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    /// A sync that succeeds: what has come since the last one is on disk. What was lost before, by one that failed, is not.
    pub fn keep_all(&mut self) {
        self.changes.drain(..).for_each(|change| change.apply(&mut self.kept));
    }

    /// A sync that fails: some of it is on disk, of the rest nobody knows any more.
    pub fn lose_some(&mut self, random: &mut Random) {
        self.kept = self.survivor(Loss::Some, random);
        self.changes.clear();
    }

    fn survivor(&self, loss: Loss, random: &mut Random) -> Vec<u8> {
        let mut file = self.kept.clone();
        match loss {
            Loss::Everything => {}
            Loss::Nothing => file.clone_from(&self.seen),
            Loss::Some => {
                // None of them, most of them, or some.
                let percent = [0, 50, 90, 100][random.index(4)];
                for change in &self.changes {
                    if random.below(100) < percent {
                        change.apply(&mut file);
                    } else if random.below(2) == 0 {
                        change.apply_some(&mut file, random);
                    }
                }
            }
        }
        file
    }
}

impl State {
    /// The names in a directory are on disk.
    pub fn keep_names(&mut self, directory: &Path) {
        let (here, elsewhere) =
            std::mem::take(&mut self.name_changes).into_iter().partition(|change| change.is_in(directory));
        let here: Vec<NameChange> = here;
        here.iter().for_each(|change| change.apply(&mut self.kept_names));
        self.name_changes = elsewhere;
    }

    /// Names and files as a crash leaves them.
    pub fn survivors(&self, loss: Loss, random: &mut Random) -> (BTreeMap<PathBuf, Entry>, Vec<Node>) {
        let mut names = self.kept_names.clone();
        match loss {
            Loss::Everything => {}
            Loss::Nothing => names.clone_from(&self.names),
            Loss::Some => {
                let (first, percent) =
                    (random.index(self.name_changes.len() + 1), [0, 50, 100][random.index(3)]);
                for (place, change) in self.name_changes.iter().enumerate() {
                    if place < first || random.below(100) < percent {
                        change.apply(&mut names);
                    }
                }
            }
        }
        // What was in a directory that is not there is not there.
        let directories = names.clone();
        names.retain(|path, _| {
            let directory = directory_of(path);
            directory == Path::new(".") || directories.get(directory) == Some(&Entry::Directory)
        });
        let nodes = self.nodes.iter().map(|node| Node::whole(node.survivor(loss, random))).collect();
        (names, nodes)
    }
}
