//! The one file of before Redis 7, and the manifest of a directory.

use crate::Teller;
use disk::{Disk, reason};
use journal::manifest::Manifest;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

/// The manifest of a directory, if there is one.
///
/// # Errors
/// When it cannot be read, for the log.
pub fn read_manifest(disk: &impl Disk, directory: &Path, prefix: &str) -> Result<Option<Manifest>, String> {
    let path = directory.join(Manifest::new(prefix).name());
    match disk.map(&path) {
        Ok(text) => {
            Manifest::parse(prefix, &text).map(Some).map_err(|wrong| format!("{}: {wrong}", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("Cannot open {}: {}", path.display(), reason(&error))),
    }
}

/// Whether there is such a file.
fn is_there(disk: &impl Disk, path: &Path) -> Result<bool, String> {
    match disk.map(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => Ok(false),
        Err(error) => Err(format!("Cannot open {}: {}", path.display(), reason(&error))),
    }
}

/// The manifest of a directory without one: of nothing, or of the one file of before Redis 7, which becomes the base.
pub fn adopt(disk: &impl Disk, directory: &Path, prefix: &str) -> Result<Manifest, String> {
    let mut manifest = Manifest::new(prefix);
    if !is_there(disk, Path::new(prefix))? {
        return Ok(manifest);
    }
    let failed = |error: &dyn Display| format!("Cannot make {}: {error}", directory.display());
    manifest.adopt_old();
    disk.make_directory(directory).map_err(|error| failed(&reason(&error)))?;
    let temporary = directory.join(manifest.temporary_name());
    let mut file = disk::NewFile::create(disk.clone(), temporary).map_err(|error| failed(&reason(&error)))?;
    let written = file
        .write(0, manifest.text().as_bytes())
        .and_then(|()| file.replace(&directory.join(manifest.name())));
    written.map_err(|reason| failed(&reason))?;
    Ok(manifest)
}

/// Moves that file into the directory, if it has been adopted and that has not been done.
pub fn bring_in(
    disk: &impl Disk,
    teller: &impl Teller,
    directory: &Path,
    manifest: &Manifest,
) -> Result<(), String> {
    let Some(base) = manifest.base() else { return Ok(()) };
    let (from, to) = (Path::new(&base.name), directory.join(&base.name));
    if is_there(disk, &to)? || !is_there(disk, from)? {
        return Ok(());
    }
    let moved = disk.rename(from, &to).and_then(|()| disk.sync_directory(directory));
    moved.map_err(|error| format!("Cannot move {}: {}", from.display(), reason(&error)))?;
    let (name, directory) = (&base.name, directory.display());
    teller.note(&format!("Successfully migrated an old-style AOF {name} into {directory}"));
    Ok(())
}
