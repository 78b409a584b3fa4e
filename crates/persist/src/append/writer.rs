//! The files that are appended to: rounds into bytes at their places, new generations, the manifest.
//!
//! Whatever fails, a file ends behind a whole round: what was written of one that failed is cut off again, and the round is written anew when
//! its writer is asked to go on.

use super::file::{AppendFile, Failure, failure};
use disk::{Disk, DiskFile, NewFile, Synced, directory_of};
use journal::manifest::{Manifest, Rewrite};
use journal::round::{Round, Step, Tail};
use std::io;
use std::path::{Path, PathBuf};

/// The directory, if it is not there.
fn make_directory(disk: &impl Disk, directory: &Path) -> Result<(), Failure> {
    disk.make_directory(directory)
        .and_then(|()| disk.sync_directory(directory_of(directory)))
        .map_err(|error| failure("making the directory", directory, &error, false))
}

/// An empty file, instead of one of that name: that is left from files that were never listed. To cut it off would not last before a sync.
fn open_anew<D: Disk>(disk: &D, path: &Path) -> io::Result<D::File> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk.open(path),
    }
}

/// A sync that has begun: of what, and what it makes safe.
pub struct Syncing<F> {
    /// To be synced by [`Disk::sync_each`], by whoever has begun it.
    pub files: Vec<Synced<F>>,
    /// Their shards.
    shards: Vec<usize>,
    /// How long each file was, of all shards; none if a round was not written everywhere.
    lens: Vec<u64>,
}

/// Appends to the files of all shards.
pub struct Writer<D: Disk> {
    disk: D,
    directory: PathBuf,
    shards: u16,
    manifest: Manifest,
    /// The files that the manifest lists last, by shard; none while nothing is appended.
    files: Vec<AppendFile<D::File>>,
    /// The files are not in the manifest on disk, for there is no base for them yet.
    is_provisional: bool,
    /// They are in the manifest, but a crash may bring back the one before.
    is_begun: bool,
    /// Generations that have ended since the files were opened first; bytes in those that the manifest still lists.
    epoch: u64,
    ended_bytes: u64,
    /// The newest generation when a sync failed: only a base of what was before a later one makes up for that. Until then new files are not listed, for
    /// nothing is to be there that comes behind what is not.
    lost: Option<u64>,
    /// The round at hand, and how many of its steps have been begun.
    round: Option<(Round, usize)>,
}

impl<D: Disk> Writer<D> {
    /// Appends to files in a directory, which is made if it is not there; the files are begun later.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(disk: D, directory: PathBuf, manifest: Manifest, shards: u16) -> Result<Self, Failure> {
        make_directory(&disk, &directory)?;
        let (files, round) = (Vec::new(), None);
        Ok(Self {
            disk,
            directory,
            shards,
            manifest,
            files,
            is_provisional: false,
            is_begun: false,
            lost: None,
            epoch: 0,
            ended_bytes: 0,
            round,
        })
    }

    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Generations that have ended since this writer was made.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether there are files to append to.
    pub fn is_open(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether a base must be made before the files are listed.
    pub fn is_provisional(&self) -> bool {
        self.is_provisional
    }

    /// Begins files in a directory, which may be another than before. They are not listed before there is a base for them.
    ///
    /// # Errors
    /// When they cannot be made; there is nothing new then.
    ///
    /// # Panics
    /// If there are files.
    pub fn open_in(&mut self, directory: PathBuf) -> Result<(), Failure> {
        assert!(self.files.is_empty(), "they are closed before they go elsewhere");
        make_directory(&self.disk, &directory)?;
        self.directory = directory;
        self.open(true)
    }

    /// Begins a generation of files. `is_provisional`: they are not listed before there is a base for them.
    ///
    /// # Errors
    /// When the files or the manifest cannot be made; there is nothing new then.
    pub fn open(&mut self, is_provisional: bool) -> Result<(), Failure> {
        self.is_provisional = is_provisional;
        self.begin_generation()?;
        self.sync_begun()
    }

    fn begin_generation(&mut self) -> Result<(), Failure> {
        let mut manifest = self.manifest.clone();
        let names = manifest.begin_generation(self.shards);
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let path = self.directory.join(name);
            let mut opened = open_anew(&self.disk, &path);
            if opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                // Somebody has removed the directory while we were appending.
                make_directory(&self.disk, &self.directory)?;
                opened = open_anew(&self.disk, &path);
            }
            let opened = opened.and_then(|file| AppendFile::new(path.clone(), file, Tail::default()));
            files.push(opened.map_err(|error| failure("making", &path, &error, false))?);
        }
        // Let the names be there before the manifest has them.
        self.sync_names()?;
        if !self.is_provisional {
            self.place_manifest(&self.directory, &manifest)?;
        }
        self.manifest = manifest;
        self.files = files;
        self.is_begun = true;
        Ok(())
    }

    /// The files that have been begun are listed for certain.
    fn sync_begun(&mut self) -> Result<(), Failure> {
        if self.is_begun && !self.is_provisional {
            self.sync_names()?;
        }
        self.is_begun = false;
        Ok(())
    }

    fn sync_names(&self) -> Result<(), Failure> {
        let synced = self.disk.sync_directory(&self.directory);
        synced.map_err(|error| failure("syncing the directory", &self.directory, &error, false))
    }

    /// Takes a round over. [`Writer::go_on`] writes it.
    pub fn begin(&mut self, round: Round) {
        assert!(self.round.is_none(), "one after the other");
        self.round = Some((round, 0));
    }

    /// Writes the round at hand, or the rest of it. `makes_room`: where a file has come to the end of its room, it gets more. The round, when it is
    /// written.
    ///
    /// # Errors
    /// What could not be done. It may be tried again, unless a sync has failed.
    pub fn go_on(&mut self, makes_room: bool) -> Result<Option<Round>, Failure> {
        let Some((round, mut next)) = self.round.take() else { return Ok(None) };
        let result = self.carry_out(&round, &mut next, makes_room);
        match result {
            Ok(()) => Ok(Some(round)),
            Err(failure) => {
                self.round = Some((round, next));
                Err(failure)
            }
        }
    }

    fn carry_out(&mut self, round: &Round, next: &mut usize, makes_room: bool) -> Result<(), Failure> {
        loop {
            // What was begun before has failed, if there is any.
            self.write_out(makes_room)?;
            match round.steps.get(*next) {
                None => return Ok(()),
                Some(Step::NextGeneration) => {
                    self.next_generation()?;
                    *next += 1;
                }
                Some(Step::Append { .. }) => {
                    while let Some(Step::Append { shard, pieces }) = round.steps.get(*next) {
                        self.files[usize::from(*shard)].prepare(pieces);
                        *next += 1;
                    }
                }
            }
        }
    }

    /// Writes what is prepared.
    fn write_out(&mut self, makes_room: bool) -> Result<(), Failure> {
        let mut result = Ok(());
        for file in self.files.iter_mut().filter(|file| !file.out.is_empty()) {
            if let Err(failure) = file.write(makes_room) {
                result = Err(failure);
            }
        }
        result
    }

    /// Whether a round could not be written yet.
    pub fn has_round(&self) -> bool {
        self.round.is_some()
    }

    /// Whether a sync has failed, and no base has made up for it.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Whether something was written and not synced.
    pub fn is_unsynced(&self) -> bool {
        self.files.iter().any(|file| file.is_unsynced)
    }

    /// Syncs what was written.
    ///
    /// # Errors
    /// When that has failed for any file: what of it is on disk will never be known.
    pub fn sync(&mut self) -> Result<(), Failure> {
        let Some(mut syncing) = self.begin_sync() else { return Ok(()) };
        self.disk.sync_each(&mut syncing.files);
        self.end_sync(syncing)
    }

    /// Begins a sync of what was written. Rounds may be written before it has ended, but no generation ends. `None`: all is synced.
    ///
    /// # Panics
    /// If another has begun and not ended.
    pub fn begin_sync(&mut self) -> Option<Syncing<D::File>> {
        if !self.is_unsynced() {
            return None;
        }
        let (mut files, mut shards) = (Vec::with_capacity(self.files.len()), Vec::new());
        for (shard, file) in self.files.iter_mut().enumerate().filter(|(_, file)| file.is_unsynced) {
            file.is_unsynced = false;
            files.push(Synced { file: file.again.take().expect("one after the other"), outcome: Ok(()) });
            shards.push(shard);
        }
        // Of a round that is not written everywhere nothing is safe.
        let is_whole = self.lost.is_none() && self.files.iter().all(|file| file.out.is_empty());
        let lens =
            if is_whole { self.files.iter().map(|file| file.tail.bytes).collect() } else { Vec::new() };
        Some(Syncing { files, shards, lens })
    }

    /// A sync has ended.
    ///
    /// # Errors
    /// When it has failed for any file: what of it is on disk will never be known.
    pub fn end_sync(&mut self, syncing: Syncing<D::File>) -> Result<(), Failure> {
        let mut result = Ok(());
        for (synced, shard) in syncing.files.into_iter().zip(syncing.shards) {
            let file = &mut self.files[shard];
            file.again = Some(synced.file);
            if let Err(error) = synced.outcome {
                result = Err(failure("syncing", &file.path, &error, true));
            }
        }
        match result {
            Ok(()) => {
                let all = self.files.iter_mut().zip(syncing.lens);
                all.for_each(|(file, bytes)| file.tail.is_safe_up_to(bytes));
            }
            Err(_) => self.lost = Some(self.manifest.generation()),
        }
        result
    }

    /// All shards go on in new files, once what was written before is safe.
    fn next_generation(&mut self) -> Result<(), Failure> {
        if self.is_begun {
            return self.sync_begun();
        }
        self.sync()?;
        self.is_provisional |= self.lost.is_some();
        self.cut_room();
        let bytes: u64 = self.files.iter().map(|file| file.tail.bytes).sum();
        self.begin_generation()?;
        self.ended_bytes += bytes;
        self.epoch += 1;
        self.sync_begun()
    }

    /// Cuts off what was filled ahead.
    pub fn cut_room(&mut self) {
        self.files.iter_mut().for_each(AppendFile::cut_room);
    }

    /// Appends no more: everything is synced, and the files end where their commands do.
    ///
    /// # Errors
    /// When they could not be synced, or a round not written; that is given back.
    pub fn close(&mut self) -> (Result<(), Failure>, Option<Round>) {
        let written = self.go_on(false);
        let synced = written.as_ref().map(|_| ()).map_err(Failure::clone).and_then(|()| self.sync());
        self.cut_room();
        self.files.clear();
        let round = written.ok().flatten().or_else(|| self.round.take().map(|(round, _)| round));
        (synced, round)
    }

    /// What shards have said of the ends of generations is carried out.
    pub fn forget_ends(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The base that stands in a directory by now is that of everything before a generation. If that is another directory than before, appending goes on
    /// there, and what is in the old one stays as it is.
    ///
    /// # Errors
    /// When the manifest cannot be written: then everything is as it was; or when nobody knows whether it is on disk: then it goes on with the
    /// new one, and nothing that the old one lists is removed.
    pub fn end_rewrite(&mut self, directory: &Path, rewrite: Rewrite, is_rdb: bool) -> Result<(), Failure> {
        if self.lost.is_some_and(|generation| generation >= rewrite.generation) {
            let (doing, reason) =
                ("ending a rewrite".to_owned(), "a sync has failed since it began".to_owned());
            return Err(Failure { doing, reason, is_of_sync: false });
        }
        let mut manifest = self.manifest.clone();
        manifest.end_rewrite(rewrite, is_rdb);
        if directory == self.directory {
            self.place_manifest(directory, &manifest)?;
        } else {
            manifest.take_history();
            let files = self.copy_files(directory, &manifest)?;
            self.place_manifest(directory, &manifest)?;
            (self.files, self.directory) = (files, directory.to_owned());
        }
        self.manifest = manifest;
        (self.is_provisional, self.lost) = (false, None);
        self.ended_bytes = 0;
        self.sync_names()?;
        self.remove_history();
        Ok(())
    }

    /// The files that a manifest lists behind its base, once more in another directory; those that are appended to are given back, and all is on disk.
    fn copy_files(
        &mut self,
        directory: &Path,
        manifest: &Manifest,
    ) -> Result<Vec<AppendFile<D::File>>, Failure> {
        if self.round.is_some() {
            let (doing, reason) =
                ("moving the append-only files".to_owned(), "a round is not written".to_owned());
            return Err(Failure { doing, reason, is_of_sync: false });
        }
        make_directory(&self.disk, directory)?;
        let mut copies = Vec::with_capacity(self.files.len());
        for file in manifest.generations().flatten() {
            let (from, to) = (self.directory.join(&file.name), directory.join(&file.name));
            let open = self.files.iter().find(|file| file.path == from);
            let tail = open.map(|file| file.tail);
            let copied = self.disk.map(&from).and_then(|bytes| {
                let len = tail.map_or(bytes.len(), |tail| tail.bytes as usize);
                let mut copy = open_anew(&self.disk, &to)?;
                copy.write_at(0, &bytes[..len])?;
                copy.sync_data()?;
                Ok(copy)
            });
            let copied = copied.and_then(|copy| match tail {
                Some(tail) => AppendFile::new(to.clone(), copy, tail).map(|file| copies.push(file)),
                None => Ok(()),
            });
            copied.map_err(|error| failure("copying to", &to, &error, false))?;
        }
        let synced = self.disk.sync_directory(directory);
        synced.map_err(|error| failure("syncing the directory", directory, &error, false))?;
        Ok(copies)
    }

    /// Gives the files of all generations but the newest `fresh` one more name in another directory, with a manifest that lists them; their names.
    ///
    /// # Errors
    /// When that cannot be done; some of the names may be there then.
    pub fn link_to(&self, directory: &Path, fresh: u64) -> Result<Vec<String>, Failure> {
        if self.lost.is_some() || self.is_provisional {
            let (doing, reason) =
                ("copying the append-only files".to_owned(), "they are not on disk for certain".to_owned());
            return Err(Failure { doing, reason, is_of_sync: false });
        }
        let manifest = self.manifest.before(self.manifest.generation() + 1 - fresh);
        let files = manifest.base().into_iter().chain(manifest.generations().flatten());
        let mut names: Vec<String> = files.map(|file| file.name.clone()).collect();
        for name in &names {
            let to = directory.join(name);
            match self.disk.link(&self.directory.join(name), &to) {
                // The base is there from the beginning.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failure("linking", &to, &error, false));
                }
                _ => {}
            }
        }
        self.place_manifest(directory, &manifest)?;
        let synced = self.disk.sync_directory(directory);
        synced.map_err(|error| failure("syncing the directory", directory, &error, false))?;
        names.push(manifest.name());
        Ok(names)
    }

    /// Removes files that nobody needs. What stays is tried again after the next rewrite.
    pub fn remove_history(&mut self) {
        if self.manifest.history().is_empty() {
            return;
        }
        let mut manifest = self.manifest.clone();
        for file in manifest.take_history() {
            let _ = self.disk.remove(&self.directory.join(&file.name));
        }
        if self.place_manifest(&self.directory, &manifest).is_ok() {
            self.manifest = manifest;
        }
    }

    /// A manifest takes the place of the one before, to which only a crash may lead back.
    fn place_manifest(&self, directory: &Path, manifest: &Manifest) -> Result<(), Failure> {
        let path = directory.join(manifest.name());
        let temporary = directory.join(manifest.temporary_name());
        let written = NewFile::create(self.disk.clone(), temporary)
            .map_err(|error| disk::reason(&error))
            .and_then(|mut file| file.write(0, manifest.text().as_bytes()).and_then(|()| file.place(&path)));
        written.map_err(|told| {
            // Clients are told the system's words only.
            let (doing, reason) = match told.rsplit_once(": ") {
                Some((doing, reason)) => (doing.to_owned(), reason.to_owned()),
                None => (format!("writing {}", path.display()), told),
            };
            Failure { doing, reason, is_of_sync: false }
        })
    }

    /// Bytes that this writer has appended since the last base.
    pub fn bytes(&self) -> u64 {
        self.ended_bytes + self.files.iter().map(|file| file.tail.bytes).sum::<u64>()
    }
}
