//! The real files behind the configuration.

use config::Files;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

pub struct RealFiles;

impl Files for RealFiles {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| runtime::reason(&error))
    }

    fn names(&mut self, directory: &str) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(directory).map_err(|error| runtime::reason(&error))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    fn stdin(&mut self) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text).map_err(|error| runtime::reason(&error))?;
        Ok(text)
    }
}

/// Replaces a file by what `rewrite` makes of its content, or of nothing: a crash leaves the old text or the new one.
///
/// # Errors
/// What the system says; then the old text is there, or the new one is not yet safe.
pub fn replace(path: &str, rewrite: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), String> {
    let old = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(runtime::reason(&error)),
    };
    let beside = format!("{path}.{}.tmp", std::process::id());
    let written = write_synced(&beside, &rewrite(&old)).and_then(|()| fs::rename(&beside, path));
    written.and_then(|()| sync_directory_of(path)).map_err(|error| {
        let _ = fs::remove_file(&beside);
        runtime::reason(&error)
    })
}

fn write_synced(path: &str, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// The new name of a file is only on the disk once its directory is.
fn sync_directory_of(path: &str) -> io::Result<()> {
    let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let directory = std::env::temp_dir().join(format!("weft-files-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("weft.conf").to_str().unwrap().to_owned();
        let append = |old: &[u8]| [old, b"more\n"].concat();
        replace(&path, &append).unwrap();
        replace(&path, &append).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"more\nmore\n");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        let nowhere = directory.join("no").join("weft.conf").to_str().unwrap().to_owned();
        assert_eq!(replace(&nowhere, &append).unwrap_err(), "No such file or directory");
        fs::remove_dir_all(&directory).unwrap();
    }
}
