//! A disk in memory that fails where it is told to, and of which a crash leaves what the promises of this crate leave: what was
//! synced, and of the rest anything.
//!
//! It is as hard as the promises allow. Of writes that were not synced each sector (512 bytes) may be there or not; the length may be
//! any that the file has had since; changes of names that were not synced happen in part, though the later ones without the earlier; and what a
//! failed sync should have kept may be gone though the next one succeeds. All of it follows from seeds.

mod faults;
mod surviving;
#[cfg(test)]
mod tests;

pub use faults::{EIO, ENOSPC, Fault, Omission, Rates, Step};
pub use surviving::Loss;

use crate::{Disk, DiskFile, directory_of};
use base::random::Random;
use faults::{Faults, Outcome};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use surviving::{NameChange, Node};

/// The disk. A clone is the same.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// An open file.
#[derive(Debug)]
pub struct SimulatedFile {
    disk: SimulatedDisk,
    node: usize,
    /// Nobody else may write it, or remove it as abandoned.
    is_locked: bool,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File(usize),
    Directory,
}

#[derive(Clone, Debug)]
struct State {
    nodes: Vec<Node>,
    /// As whoever looks now sees it.
    names: BTreeMap<PathBuf, Entry>,
    /// As the disk has it.
    kept_names: BTreeMap<PathBuf, Entry>,
    /// What lies between, in the order in which it happened.
    name_changes: Vec<NameChange>,
    faults: Faults,
    random: Random,
    /// Files whose sync waits until the next rename ([`Omission::SyncBehindRename`]).
    late: Vec<usize>,
}

impl SimulatedDisk {
    /// An empty one. What it does at random follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::of(BTreeMap::new(), Vec::new(), seed)
    }

    fn of(names: BTreeMap<PathBuf, Entry>, nodes: Vec<Node>, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            nodes,
            kept_names: names.clone(),
            names,
            name_changes: Vec::new(),
            faults: Faults::default(),
            random: Random::from_seed(seed),
            late: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes before the step with this number (from 0, of [`SimulatedDisk::steps`]): it and all later ones fail.
    pub fn crash_at(&self, step: u64) {
        self.state().faults.crash_at = Some(step);
    }

    /// Whether it has gone.
    pub fn has_crashed(&self) -> bool {
        self.state().faults.has_crashed()
    }

    /// What is there when the power comes back, or, if [`Loss::Nothing`] is lost, for the next process. May be asked again and again, with other answers.
    pub fn after_crash(&self, loss: Loss, seed: u64) -> Self {
        let state = self.state();
        if loss != Loss::Nothing {
            let (names, nodes) = state.survivors(loss, &mut Random::from_seed(seed));
            return Self::of(names, nodes, seed);
        }
        let mut state = state.clone();
        state.nodes.iter_mut().for_each(|node| node.is_locked = false);
        (state.faults, state.late, state.random) = (Faults::default(), Vec::new(), Random::from_seed(seed));
        Self(Arc::new(Mutex::new(state)))
    }

    /// Steps that have changed something, or should have.
    pub fn steps(&self) -> u64 {
        self.state().faults.steps
    }

    /// Steps of a kind.
    pub fn steps_of(&self, step: Step) -> u64 {
        self.state().faults.count(step)
    }

    /// The step with this number goes wrong.
    pub fn fail_at(&self, step: u64, fault: Fault) {
        self.state().faults.at = Some((step, fault));
    }

    /// From now on the `nth` step of a kind (from 0) goes wrong, and with `lasts` all behind it.
    pub fn fail_nth(&self, step: Step, nth: u64, fault: Fault, lasts: bool) {
        let mut state = self.state();
        let at = state.faults.count(step) + nth;
        state.faults.nth = Some((step, at, fault, lasts));
    }

    /// From now on steps go wrong at random.
    pub fn fail_at_random(&self, rates: Rates) {
        self.state().faults.rates = rates;
    }

    /// From now on no file may be longer than so many bytes: what of a write goes beyond finds no room.
    pub fn limit_files(&self, bytes: u64) {
        self.state().faults.file_bytes_max = Some(bytes);
    }

    /// Whoever writes has this mistake.
    pub fn omit(&self, omission: Omission) {
        self.state().faults.omission = Some(omission);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.at = None;
        state.faults.nth = None;
        state.faults.rates = Rates::default();
        state.faults.file_bytes_max = None;
    }

    /// Steps that went wrong.
    pub fn failures(&self) -> u64 {
        self.state().faults.failures
    }

    /// A file with these bytes, all of it on disk.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let node = state.nodes.len();
        state.nodes.push(Node::whole(bytes.to_vec()));
        state.names.insert(path.to_owned(), Entry::File(node));
        state.kept_names.insert(path.to_owned(), Entry::File(node));
    }

    /// All names that are there.
    pub fn names(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn opened(&self, node: usize, is_locked: bool) -> SimulatedFile {
        SimulatedFile { disk: self.clone(), node, is_locked }
    }
}

fn not_found() -> io::Error {
    io::Error::from_raw_os_error(2)
}

impl State {
    /// Begins a step: an error if it shall not happen at all.
    fn step(&mut self, step: Step) -> io::Result<Outcome> {
        self.faults.judge(step, &mut self.random)
    }

    /// Begins a step that happens wholly or not at all.
    fn step_whole(&mut self, step: Step) -> io::Result<()> {
        match self.step(step)? {
            Outcome::Fail(error) => Err(error),
            Outcome::Well | Outcome::Short => Ok(()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(node)) => Ok(*node),
            Some(Entry::Directory) => Err(io::Error::from_raw_os_error(21)),
            None => Err(not_found()),
        }
    }

    /// Fails without the directory in which a name shall be.
    fn check_directory(&self, directory: &Path) -> io::Result<()> {
        let is_there = directory == Path::new(".") || self.names.get(directory) == Some(&Entry::Directory);
        if is_there { Ok(()) } else { Err(not_found()) }
    }

    fn change_names(&mut self, gone: Option<&Path>, new: Option<(&Path, Entry)>) {
        let change = NameChange {
            gone: gone.map(Path::to_owned),
            new: new.map(|(path, entry)| (path.to_owned(), entry)),
        };
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn new_file(&mut self, path: &Path) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        self.change_names(None, Some((path, Entry::File(node))));
        node
    }

    fn sync(&mut self, node: usize) -> io::Result<()> {
        match self.step(Step::Sync)? {
            Outcome::Fail(error) => {
                self.nodes[node].lose_some(&mut self.random);
                return Err(error);
            }
            _ if self.faults.omission == Some(Omission::FileSync) => {}
            _ if self.faults.omission == Some(Omission::SyncBehindRename) => self.late.push(node),
            _ => self.nodes[node].keep_all(),
        }
        Ok(())
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;
    type Map = Vec<u8>;

    fn create(&self, path: &Path) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        state.step_whole(Step::Create)?;
        state.check_directory(directory_of(path))?;
        let node = match state.file(path) {
            Ok(node) if state.nodes[node].is_locked => return Err(io::ErrorKind::ResourceBusy.into()),
            Ok(node) => {
                state.nodes[node].set_len(0);
                node
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => state.new_file(path),
            Err(error) => return Err(error),
        };
        state.nodes[node].is_locked = true;
        Ok(self.opened(node, true))
    }

    fn open(&self, path: &Path) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        state.check_directory(directory_of(path))?;
        let node = match state.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                state.step_whole(Step::Create)?;
                state.new_file(path)
            }
            found => found?,
        };
        Ok(self.opened(node, false))
    }

    fn map(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        state.faults.check_power()?;
        Ok(state.nodes[state.file(path)?].bytes().to_vec())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step_whole(Step::Rename)?;
        let node = state.file(from)?;
        if state.names.get(to) == Some(&Entry::Directory) {
            return Err(io::Error::from_raw_os_error(21));
        }
        state.check_directory(directory_of(to))?;
        state.change_names(Some(from), Some((to, Entry::File(node))));
        for node in std::mem::take(&mut state.late) {
            state.step_whole(Step::Sync)?;
            state.nodes[node].keep_all();
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step_whole(Step::Remove)?;
        state.file(path)?;
        state.change_names(Some(path), None);
        Ok(())
    }

    fn remove_abandoned(&self, path: &Path) -> io::Result<bool> {
        {
            let state = self.state();
            if state.nodes[state.file(path)?].is_locked {
                return Ok(false);
            }
        }
        self.remove(path).map(|()| true)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        state.faults.check_power()?;
        state.check_directory(directory)?;
        let inside = state.names.keys().filter(|path| directory_of(path) == directory);
        Ok(inside.filter_map(|path| path.file_name()).map(PathBuf::from).collect())
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.names.get(path) {
            Some(Entry::Directory) => return Ok(()),
            Some(Entry::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            None => {}
        }
        state.step_whole(Step::Create)?;
        state.check_directory(directory_of(path))?;
        state.change_names(None, Some((path, Entry::Directory)));
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step_whole(Step::SyncDirectory)?;
        state.check_directory(directory)?;
        if state.faults.omission != Some(Omission::DirectorySync) {
            state.keep_names(directory);
        }
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn again(&self) -> io::Result<Self> {
        Ok(self.disk.opened(self.node, false))
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.faults.check_power()?;
        Ok(state.nodes[self.node].bytes().len() as u64)
    }

    fn write_some_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let outcome = state.step(Step::Write)?;
        let bytes = &bytes[..state.faults.room(offset, bytes.len())?];
        let is_silent = state.faults.omission == Some(Omission::WriteErrors);
        let (count, result) = match outcome {
            Outcome::Well => (bytes.len(), Ok(bytes.len())),
            Outcome::Short => {
                let count = 1 + state.random.index(bytes.len().saturating_sub(1));
                (count, Ok(if is_silent { bytes.len() } else { count }))
            }
            Outcome::Fail(_) if is_silent => (state.random.index(bytes.len()), Ok(bytes.len())),
            Outcome::Fail(error) => (state.random.index(bytes.len()), Err(error)),
        };
        let count = count.min(bytes.len());
        state.nodes[self.node].write(offset as usize, &bytes[..count]);
        result
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step_whole(Step::SetLen)?;
        state.nodes[self.node].set_len(bytes as usize);
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.state().sync(self.node)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.disk.state().sync(self.node)
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        if self.is_locked {
            self.disk.state().nodes[self.node].is_locked = false;
        }
    }
}
